package staff

import (
	"encoding/hex"
	"fmt"
	"io"
	"net/netip"
	"strings"
	"time"
)

// Browser is what asks to be let in.
type Browser struct {
	From     netip.Addr
	Keepsake string // what Keepsake gave it after an earlier login; empty: nothing
}

// A browser that somebody got in with keeps a keepsake. It opens nothing: it says that
// what is tried from there is not a stranger's try, so that no strangers can slow it,
// neither by the login nor by the address. Who steals one has no more tries with it
// than a stranger has; see slow.go.
const (
	keepsakePurpose = "staff keepsake"
	keepsakeFor     = 30 * 24 * time.Hour // after the last login
	keepsakesMost   = 3                   // of different persons in one browser
	keepsakeBytes   = 16
	keepsakeSign    = "." // between them
)

// atIssuer stands for whoever logs in at the issuer: who it is, is known too late. No
// login has a blank.
const atIssuer = "the issuer"

// keepsake is what one holds, encrypted and bound to whose it is.
type keepsake struct {
	ID string    `json:"id"` // random; its tries are counted by it
	At time.Time `json:"at"`
}

// known returns the id of somebody's keepsake among those of a browser, or "".
func (d *Desk) known(whose, kept string) string {
	for _, one := range keepsakes(kept) {
		var k keepsake
		if d.Ledger.Resolve(keepsakePurpose, whose, one, &k) == nil && d.Now().Sub(k.At).Abs() < keepsakeFor {
			return k.ID
		}
	}
	return ""
}

func keepsakes(kept string) []string {
	all := strings.SplitN(kept, keepsakeSign, keepsakesMost+1)
	return all[:min(len(all), keepsakesMost)]
}

// Keepsake returns what the browser of somebody who just got in shall keep for
// KeepsakeFor, in place of what it had. It tells nobody who that is.
func (d *Desk) Keepsake(s Session, had string) (string, error) {
	whose := s.Login
	if s.External {
		whose = atIssuer
	}
	k := keepsake{ID: d.known(whose, had), At: d.Now().UTC().Truncate(time.Second)}
	if k.ID == "" {
		bits := make([]byte, keepsakeBytes)
		if _, err := io.ReadFull(d.Random, bits); err != nil {
			return "", fmt.Errorf("drawing a keepsake: %w", err)
		}
		k.ID = hex.EncodeToString(bits)
	}
	fresh, err := d.Ledger.Refer(keepsakePurpose, whose, k)
	if err != nil {
		return "", err
	}
	kept := []string{fresh}
	for _, one := range keepsakes(had) {
		var of keepsake
		if one != "" && d.Ledger.Resolve(keepsakePurpose, whose, one, &of) != nil && len(kept) < keepsakesMost {
			kept = append(kept, one)
		}
	}
	return strings.Join(kept, keepsakeSign), nil
}

// KeepsakeFor is how long a browser keeps it.
const KeepsakeFor = keepsakeFor
