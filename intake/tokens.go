package intake

import (
	"bufio"
	"crypto/rand"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"net/http"
	"regexp"
	"strings"
)

// Tokens knows the API tokens by their hashes. The tokens themselves are kept by
// the clients alone; they are 130 random bits, so a plain SHA-256 hides them.
type Tokens struct{ clients map[[sha256.Size]byte]string }

var clientName = regexp.MustCompile(`^[a-z0-9][a-z0-9_-]{0,39}$`)

// ReadTokens reads the configuration of tokens: a line per token, the client's
// name and the token's SHA-256 in hexadecimal, such as
//
//	portal sha256:9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08
//
// Empty lines and lines that begin with # are passed over. A client may have
// several tokens, so that they can be changed without a stop. Errors name the
// line, never what it holds.
func ReadTokens(text string) (*Tokens, error) {
	t := &Tokens{clients: map[[sha256.Size]byte]string{}}
	lines := bufio.NewScanner(strings.NewReader(text))
	for n := 1; lines.Scan(); n++ {
		line := strings.TrimSpace(lines.Text())
		if line == "" || strings.HasPrefix(line, "#") {
			continue
		}
		name, hash, _ := strings.Cut(line, " ")
		digest, err := hex.DecodeString(strings.TrimPrefix(strings.TrimSpace(hash), "sha256:"))
		if err != nil || len(digest) != sha256.Size || !clientName.MatchString(name) {
			return nil, fmt.Errorf("line %d of the API tokens must be a client's name (a-z, 0-9, - and _, at most 40) and sha256:<64 hexadecimal digits>; `segell token new NAME` makes one", n)
		}
		t.clients[[sha256.Size]byte(digest)] = name
	}
	if len(t.clients) == 0 {
		return nil, fmt.Errorf("there is no API token: `segell token new NAME` makes one")
	}
	return t, nil
}

// NewToken draws a token for a client and returns it with its line of the
// configuration.
func NewToken(client string) (token, line string, err error) {
	if !clientName.MatchString(client) {
		return "", "", fmt.Errorf("a client's name is made of a-z, 0-9, - and _, and has at most 40 characters")
	}
	token = "segell_" + rand.Text()
	sum := sha256.Sum256([]byte(token))
	return token, client + " sha256:" + hex.EncodeToString(sum[:]), nil
}

// client returns who sent r, by its bearer token (RFC 6750).
func (t *Tokens) client(r *http.Request) (string, bool) {
	scheme, token, ok := strings.Cut(r.Header.Get("Authorization"), " ")
	if !ok || !strings.EqualFold(scheme, "Bearer") {
		return "", false
	}
	// Looking up a hash tells nothing of the tokens by the time it takes.
	client, ok := t.clients[sha256.Sum256([]byte(strings.TrimSpace(token)))]
	return client, ok
}
