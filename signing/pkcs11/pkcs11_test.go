//go:build pkcs11 && cgo

package pkcs11

import (
	"context"
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/x509"
	"errors"
	"strings"
	"testing"
	"time"

	p11 "github.com/miekg/pkcs11"

	"segell/internal/servers"
	"segell/pki"
	"segell/signing"
	"segell/signing/keytest"
)

// storeOf makes keys on token, and reaches them through the library at module.
func storeOf(token *servers.SoftHSM, module string) keytest.Store {
	made := byte(0)
	return keytest.Store{Make: func(t *testing.T, authority *pki.Authority, kind pki.KeyKind) keytest.Made {
		own, err := authority.Issue(pki.LeafOptions{Key: kind})
		if err != nil {
			t.Fatal(err)
		}
		made++
		id := []byte{made}
		token.Import(own.Key, "seal", id, token.PIN)
		return keytest.Made{Leaf: own, Open: func(ctx context.Context, leaf *pki.Leaf) (signing.Key, error) {
			return Open(ctx, Config{Module: module, Token: token.Token, PIN: token.PIN, Label: "seal", ID: id,
				Certificate: leaf.Certificate, Chain: leaf.Chain, Sessions: 3, Timeout: 2 * time.Second})
		}}
	}}
}

// SoftHSM in this process. It is away when its folder is, and its sessions with it.
func TestSoftHSM(t *testing.T) {
	token := servers.NewSoftHSM(t)
	store := storeOf(token, token.Module)
	store.Cut = func(t *testing.T) {
		token.TakeAway()
		closeAll(t, token.Module)
	}
	store.Mend = func(*testing.T) { token.PutBack() }
	keytest.Run(t, store)
}

// closeAll ends all sessions behind the back of the keys, as a token does that loses its power.
func closeAll(t *testing.T, path string) {
	t.Helper()
	modules.Lock()
	m := modules.loaded[path]
	modules.Unlock()
	m.mu.Lock()
	defer m.mu.Unlock()
	slots, err := m.lib.GetSlotList(true)
	if err != nil {
		t.Fatal(err)
	}
	for _, slot := range slots {
		if err := m.lib.CloseAllSessions(slot); err != nil {
			t.Fatal(err)
		}
	}
}

// SoftHSM in a process of its own, which dies and stands still as a network HSM does.
func TestRemoteToken(t *testing.T) {
	token := servers.NewSoftHSM(t)
	remote := token.Serve()
	store := storeOf(token, remote.Module)
	paused := false
	store.Cut = func(*testing.T) { remote.Kill() }
	store.Silence = func(*testing.T) { remote.Pause(); paused = true }
	store.Mend = func(*testing.T) {
		if paused {
			remote.Continue()
		} else {
			remote.Restart()
		}
		paused = false
	}
	keytest.Run(t, store)
}

// house is a token with one key and its certificate.
type house struct {
	*servers.SoftHSM
	own    *pki.Leaf
	config Config
}

func newHouse(t *testing.T) *house {
	t.Helper()
	authority, err := pki.New(t.TempDir(), pki.Options{})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { authority.Close() })
	h := &house{SoftHSM: servers.NewSoftHSM(t), own: authority.Seal()}
	h.Import(h.own.Key, "seal", []byte{1}, h.PIN)
	h.config = Config{Module: h.Module, Token: h.Token, PIN: h.PIN, Label: "seal", ID: []byte{1}, Certificate: h.own.Certificate,
		Chain: h.own.Chain, Timeout: 5 * time.Second}
	return h
}

// open opens the key with a change to the configuration.
func (h *house) open(t *testing.T, change func(*Config)) (signing.Key, error) {
	t.Helper()
	c := h.config
	if change != nil {
		change(&c)
	}
	key, err := Open(t.Context(), c)
	if err == nil {
		t.Cleanup(func() { key.Close() })
	} else if strings.Contains(err.Error(), c.PIN) && c.PIN != "" {
		t.Errorf("the PIN is in the error: %v", err)
	}
	return key, err
}

func (h *house) mustOpen(t *testing.T, change func(*Config)) *key {
	t.Helper()
	k, err := h.open(t, change)
	if err != nil {
		t.Fatal(err)
	}
	return k.(*key)
}

// write is for what the key itself never does: it writes on the token.
func (h *house) write(t *testing.T, do func(lib *p11.Ctx, session p11.SessionHandle) error) {
	t.Helper()
	m, err := hold(h.Module)
	if err != nil {
		t.Fatal(err)
	}
	defer m.release()
	slot, err := (&key{config: h.config, module: m}).slot()
	if err != nil {
		t.Fatal(err)
	}
	session, err := m.lib.OpenSession(slot, p11.CKF_SERIAL_SESSION|p11.CKF_RW_SESSION)
	if err != nil {
		t.Fatal(err)
	}
	defer m.lib.CloseSession(session)
	if err := errors.Join(m.lib.Login(session, p11.CKU_USER, h.PIN), do(m.lib, session)); err != nil {
		t.Fatal(err)
	}
}

func (h *house) writeCertificate(t *testing.T, cert *x509.Certificate, id []byte) {
	t.Helper()
	h.write(t, func(lib *p11.Ctx, session p11.SessionHandle) error {
		_, err := lib.CreateObject(session, []*p11.Attribute{
			p11.NewAttribute(p11.CKA_CLASS, p11.CKO_CERTIFICATE), p11.NewAttribute(p11.CKA_CERTIFICATE_TYPE, p11.CKC_X_509),
			p11.NewAttribute(p11.CKA_TOKEN, true), p11.NewAttribute(p11.CKA_ID, id), p11.NewAttribute(p11.CKA_LABEL, "seal"),
			p11.NewAttribute(p11.CKA_SUBJECT, cert.RawSubject), p11.NewAttribute(p11.CKA_VALUE, cert.Raw)})
		return err
	})
}

func TestKeyIsFound(t *testing.T) {
	h := newHouse(t)
	_, err := h.open(t, func(c *Config) { c.Certificate = nil })
	if err == nil || !strings.Contains(err.Error(), "not exactly one certificate") {
		t.Errorf("no certificate anywhere: %v", err)
	}
	h.writeCertificate(t, h.own.Certificate, []byte{1})
	for name, change := range map[string]func(*Config){
		"by label and ID":              func(*Config) {},
		"by label":                     func(c *Config) { c.ID = nil },
		"by ID":                        func(c *Config) { c.Label = "" },
		"with the token's certificate": func(c *Config) { c.Certificate = nil },
	} {
		k, err := h.open(t, change)
		if err != nil {
			t.Errorf("%s: %v", name, err)
		} else if !k.Certificate().Equal(h.own.Certificate) {
			t.Errorf("%s: another certificate", name)
		}
	}
	h.Import(h.own.Key, "seal", []byte{2}, h.PIN)
	if _, err := h.open(t, func(c *Config) { c.ID = nil }); err == nil || !strings.Contains(err.Error(), "more than one private key") {
		t.Errorf("two keys of one label: %v", err)
	}
}

func TestWhatIsWrongAtTheStart(t *testing.T) {
	h := newHouse(t)
	for name, c := range map[string]struct {
		change func(*Config)
		says   string
		away   bool
	}{
		"no library":       {func(c *Config) { c.Module = "/no/such/library.so" }, "/no/such/library.so cannot be loaded", false},
		"no other token":   {func(c *Config) { c.Token = "another" }, `there: "` + h.Token + `"`, true},
		"no such key":      {func(c *Config) { c.Label = "another" }, `label "another"`, false},
		"wrong PIN":        {func(c *Config) { c.PIN = "not the PIN" }, "refuses the PIN", false},
		"nothing is given": {func(c *Config) { *c = Config{Sessions: 1000, Timeout: -1} }, "Module: ", false},
	} {
		_, err := h.open(t, c.change)
		if err == nil || !strings.Contains(err.Error(), c.says) || errors.Is(err, signing.ErrKeyUnavailable) != c.away {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// A refused PIN is not given again, whatever comes back: the third wrong one locks a real token.
func TestRefusedPINIsNotGivenAgain(t *testing.T) {
	h := newHouse(t)
	k := h.mustOpen(t, nil)
	h.TakeAway()
	h.Init("another PIN")
	h.Import(h.own.Key, "seal", []byte{1}, "another PIN")
	closeAll(t, h.Module)
	for range 3 {
		if _, err := k.Sign(t.Context(), []byte("x"), crypto.SHA256); !errors.Is(err, ErrRefusedPIN) || !errors.Is(err, signing.ErrKeyRefused) || errors.Is(err, signing.ErrKeyUnavailable) {
			t.Errorf("another PIN: %v", err)
		}
	}
	h.PutBack()
	if _, err := k.Sign(t.Context(), []byte("x"), crypto.SHA256); !errors.Is(err, ErrRefusedPIN) {
		t.Errorf("the PIN was given again: %v", err)
	}
	k.Close()
	if _, err := h.mustOpen(t, nil).Sign(t.Context(), []byte("x"), crypto.SHA256); err != nil {
		t.Errorf("a new start: %v", err)
	}
}

// A token that comes back empty is not what it was: its owner may be restoring it.
func TestKeyGoneFromItsToken(t *testing.T) {
	h := newHouse(t)
	k := h.mustOpen(t, nil)
	h.TakeAway()
	h.Init(h.PIN)
	closeAll(t, h.Module)
	if _, err := k.Sign(t.Context(), []byte("x"), crypto.SHA256); !errors.Is(err, signing.ErrKeyUnavailable) {
		t.Errorf("an empty token: %v", err)
	}
	h.Import(h.own.Key, "seal", []byte{1}, h.PIN)
	if _, err := k.Sign(t.Context(), []byte("x"), crypto.SHA256); err != nil {
		t.Errorf("restored: %v", err)
	}
}

// Keys for qualified seals want the PIN at each signature.
func TestKeyThatAlwaysWantsThePIN(t *testing.T) {
	h := newHouse(t)
	id := []byte{7}
	var point []byte
	h.write(t, func(lib *p11.Ctx, session p11.SessionHandle) error {
		public, _, err := lib.GenerateKeyPair(session, []*p11.Mechanism{p11.NewMechanism(p11.CKM_EC_KEY_PAIR_GEN, nil)},
			[]*p11.Attribute{p11.NewAttribute(p11.CKA_TOKEN, true), p11.NewAttribute(p11.CKA_ID, id), p11.NewAttribute(p11.CKA_VERIFY, true),
				p11.NewAttribute(p11.CKA_EC_PARAMS, []byte{0x06, 0x08, 0x2a, 0x86, 0x48, 0xce, 0x3d, 0x03, 0x01, 0x07})}, // prime256v1
			[]*p11.Attribute{p11.NewAttribute(p11.CKA_TOKEN, true), p11.NewAttribute(p11.CKA_ID, id), p11.NewAttribute(p11.CKA_SIGN, true),
				p11.NewAttribute(p11.CKA_PRIVATE, true), p11.NewAttribute(p11.CKA_ALWAYS_AUTHENTICATE, true)})
		if err != nil {
			return err
		}
		values, err := lib.GetAttributeValue(session, public, []*p11.Attribute{p11.NewAttribute(p11.CKA_EC_POINT, nil)})
		if err == nil {
			point = values[0].Value[2:] // within an OCTET STRING
		}
		return err
	})
	public, err := ecdsa.ParseUncompressedPublicKey(elliptic.P256(), point)
	if err != nil {
		t.Fatal(err)
	}
	authority, err := pki.New(t.TempDir(), pki.Options{})
	if err != nil {
		t.Fatal(err)
	}
	defer authority.Close()
	leaf, err := authority.Certify(public, pki.LeafOptions{})
	if err != nil {
		t.Fatal(err)
	}
	k := h.mustOpen(t, func(c *Config) { c.Label, c.ID, c.Certificate = "", id, leaf.Certificate })
	for range k.config.Sessions {
		s := <-k.sessions
		if k.giveBack(s); s != nil && !s.always {
			t.Fatal("the token does not say that the key always wants the PIN")
		}
	}
	for range 3 {
		if _, err := k.Sign(t.Context(), []byte("x"), crypto.SHA256); err != nil {
			t.Error(err)
		}
	}
}

// What hangs in C cannot be ended, so it must not grow with every caller who gave up.
func TestAtMostSessionsCallsHang(t *testing.T) {
	h := newHouse(t)
	remote := h.Serve()
	k := h.mustOpen(t, func(c *Config) { c.Module, c.Sessions = remote.Module, 3 })
	users := func() int {
		k.module.users.Lock()
		defer k.module.users.Unlock()
		return k.module.users.n
	}
	remote.Pause()
	limited, cancel := context.WithTimeout(t.Context(), 300*time.Millisecond)
	defer cancel()
	done := make(chan error)
	for range 12 {
		go func() {
			_, err := k.Sign(limited, []byte("x"), crypto.SHA256)
			done <- err
		}()
	}
	for range 12 {
		if err := <-done; !errors.Is(err, signing.ErrKeyUnavailable) {
			t.Error(err)
		}
	}
	until := func(calls int) {
		t.Helper()
		for deadline := time.Now().Add(20 * time.Second); users() != 1+calls; time.Sleep(time.Millisecond) {
			if time.Now().After(deadline) {
				t.Fatalf("%d calls hang, not %d", users()-1, calls)
			}
		}
	}
	until(3)
	remote.Continue()
	until(0)
	if _, err := k.Sign(t.Context(), []byte("x"), crypto.SHA256); err != nil {
		t.Error(err)
	}
}
