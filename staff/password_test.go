package staff_test

import (
	"strings"
	"testing"

	"segell/staff"
)

// The hash says how it was made, by the parameters of RFC 9106 section 4, second
// option; and a password is the same in either normal form of Unicode.
func TestAHash(t *testing.T) {
	hash, err := staff.Hash("contrasenya forac\u0327a")
	if err != nil || !strings.HasPrefix(hash, "$argon2id$v=19$m=65536,t=3,p=4$") {
		t.Fatalf("%s, %v", hash, err)
	}
	again, err := staff.Hash("contrasenya forac\u0327a")
	if err != nil || again == hash {
		t.Errorf("two hashes of one password are the same: %v", err)
	}
	for password, want := range map[string]bool{"contrasenya foraça": true, "contrasenya forac\u0327a": true, "contrasenya foraca": false, "": false} {
		if got, err := staff.Right(hash, password); err != nil || got != want {
			t.Errorf("%q is right: %v, %v", password, got, err)
		}
	}
}

// The reference program, `echo -n password | argon2 somesalt -id -t 2 -m 16 -p 4`,
// gives this hash (test.c of phc-winner-argon2, with one lane).
func TestAHashOfTheReferenceProgram(t *testing.T) {
	const reference = "$argon2id$v=19$m=65536,t=2,p=1$c29tZXNhbHQ$CTFhFdXPJO1aFaMaO6Mm5c8y7cJHAph8ArZWb2GRPPc"
	if right, err := staff.Right(reference, "password"); err != nil || !right {
		t.Errorf("%v, %v", right, err)
	}
}

// Damaged hashes, and such as would take the machine's memory, are nobody's
// password, and cost what any other does.
func TestWhatIsNoHash(t *testing.T) {
	for _, hash := range []string{"", "x", "$argon2id$v=19$m=65536,t=3,p=4$$", "$argon2id$v=19$m=4194304,t=3,p=4$c29tZXNhbHQ$CTFhFdXPJO1aFaMaO6Mm5c8y7cJHAph8ArZWb2GRPPc",
		"$argon2id$v=19$m=65536,t=1000,p=1$c29tZXNhbHQ$CTFhFdXPJO1aFaMaO6Mm5c8y7cJHAph8ArZWb2GRPPc", "$argon2id$v=19$m=8,t=1,p=0$c29tZXNhbHQ$CTFhFdXPJO1aFaMaO6Mm5c8y7cJHAph8ArZWb2GRPPc",
		"$argon2i$v=19$m=65536,t=2,p=1$c29tZXNhbHQ$CTFhFdXPJO1aFaMaO6Mm5c8y7cJHAph8ArZWb2GRPPc", "$argon2id$v=19$m=65536,t=2,p=1$c29tZXNhbHQ$CTFhFdXPJO1aFaMaO6Mm5c8y7cJHAph8ArZWb2GRPPc=",
		"$argon2id$v=19$m=-1,t=2,p=1$c29tZXNhbHQ$CTFhFdXPJO1aFaMaO6Mm5c8y7cJHAph8ArZWb2GRPPc"} {
		before := staff.Hashes()
		if right, err := staff.Right(hash, "password"); err != nil || right || staff.Hashes() != before+1 {
			t.Errorf("%q: %v, %v, %d hashes", hash, right, err, staff.Hashes()-before)
		}
	}
}

func BenchmarkAHash(b *testing.B) {
	for b.Loop() {
		if _, err := staff.Hash("quatre cavalls blaus"); err != nil {
			b.Fatal(err)
		}
	}
}
