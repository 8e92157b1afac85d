package access

import (
	"bufio"
	"crypto/rand"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"maps"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"
	_ "time/tzdata" // a token expires at the end of a day in Andorra, wherever we run

	"segell/templates"
)

// Clients is the configuration of who may use the API. Of a token it knows the
// SHA-256 alone: tokens are 130 random bits, so a plain hash hides them.
type Clients struct {
	clients  map[string]*client
	tokens   map[[sha256.Size]byte]*credential
	byIssuer map[string]*credential // by the client's id at the issuer
}

type client struct {
	name         string
	rate         Rate // zero: the default
	limits       *limiter
	certificates []boundName // one of them must be presented; none: none is needed
}

type credential struct {
	client  *client
	scopes  set
	kinds   set
	expires time.Time // zero: never
}

var clientName = regexp.MustCompile(`^[a-z0-9][a-z0-9_-]{0,39}$`)

// ReadClients reads the configuration of clients, one line for each thing that
// is known of one:
//
//	portal sha256:9f86d0…0a08 scopes=documents.request,documents.read kinds=points_extract expires=2027-06-30
//	portal oidc:portal-production scopes=documents.request
//	portal cert:dns:portal.example.ad
//	portal limits rate=50 burst=200
//
// sha256: is the hash of an API token in hexadecimal, oidc: the client's id at
// the OpenID Connect issuer. scopes= and kinds= say what may be done with it;
// without them everything (for oidc: what the issuer's claims allow). A token
// is good to the end of its last day, expires=, in Andorra. A client may have
// several, so that they can be changed without a stop.
// cert: is a certificate that the client must present, whatever its token: by
// the SHA-256 of the certificate (cert:sha256:…) or a name in it (cert:dns:…,
// cert:uri:…). limits is how many calls a second it may make, and how many at once.
//
// Empty lines and those that begin with # are passed over. The error joins
// everything that is wrong; each part names the line and the word, never what it
// holds.
func ReadClients(text string) (*Clients, error) {
	c := &Clients{clients: map[string]*client{}, tokens: map[[sha256.Size]byte]*credential{}, byIssuer: map[string]*credential{}}
	var faults []error
	misread := map[string]bool{} // clients of whom a line was not understood: what they lack is unknown
	lines := bufio.NewScanner(strings.NewReader(text))
	for n := 1; lines.Scan(); n++ {
		words := strings.Fields(lines.Text())
		if len(words) == 0 || strings.HasPrefix(words[0], "#") {
			continue
		}
		if err := c.readLine(words); err != nil {
			faults = append(faults, fmt.Errorf("line %d of the API tokens: %w", n, err))
			misread[words[0]] = true
		}
	}
	if err := lines.Err(); err != nil {
		faults = append(faults, fmt.Errorf("the API tokens cannot be read: %w", err))
	}
	if len(c.tokens)+len(c.byIssuer)+len(faults) == 0 {
		return nil, fmt.Errorf("there is no API token: `segell token new NAME` makes one")
	}
	for _, name := range slices.Sorted(maps.Keys(c.clients)) {
		if !misread[name] && !c.hasCredential(c.clients[name]) {
			faults = append(faults, fmt.Errorf("the client %s has neither a token nor an id at an issuer: `segell token new %s` makes one", name, name))
		}
	}
	if len(faults) > 0 {
		return nil, errors.Join(faults...)
	}
	return c, nil
}

// Knows reports whether something is configured of a client.
func (c *Clients) Knows(name string) bool { return c.clients[name] != nil }

func (c *Clients) readLine(words []string) error {
	if !clientName.MatchString(words[0]) {
		return fmt.Errorf("the first word must be a client's name (a-z, 0-9, - and _, at most 40)")
	}
	if len(words) == 1 {
		return fmt.Errorf("after the name must come sha256:<64 hexadecimal digits>, oidc:<id>, cert:… or limits; `segell token new NAME` makes a line")
	}
	who := c.clients[words[0]]
	if who == nil {
		who = &client{name: words[0]}
		c.clients[words[0]] = who
	}
	what, value, _ := strings.Cut(words[1], ":")
	switch what {
	case "sha256":
		digest, err := hex.DecodeString(value)
		if err != nil || len(digest) != sha256.Size {
			return fmt.Errorf("sha256: must be followed by 64 hexadecimal digits; `segell token new NAME` makes a line")
		}
		if c.tokens[[sha256.Size]byte(digest)] != nil {
			return fmt.Errorf("the same token is there twice")
		}
		token, err := readCredential(who, words[2:])
		if err == nil {
			c.tokens[[sha256.Size]byte(digest)] = token
		}
		return err
	case "oidc":
		if value == "" || c.byIssuer[value] != nil {
			return fmt.Errorf("oidc: must be followed by a client's id at the issuer, each once")
		}
		id, err := readCredential(who, words[2:])
		if err == nil {
			c.byIssuer[value] = id
		}
		return err
	case "cert":
		name, err := readBoundName(value)
		if err != nil || len(words) > 2 {
			return fmt.Errorf("cert: must be sha256:<64 hexadecimal digits>, dns:<name> or uri:<name>, and nothing after it")
		}
		who.certificates = append(who.certificates, name)
		return nil
	case "limits":
		if who.rate != (Rate{}) {
			return fmt.Errorf("a client has one line of limits")
		}
		var err error
		who.rate, err = readLimits(words[2:])
		return err
	}
	return fmt.Errorf("after the name must come sha256:<64 hexadecimal digits>, oidc:<id>, cert:… or limits; `segell token new NAME` makes a line")
}

func readCredential(who *client, words []string) (*credential, error) {
	out := &credential{client: who}
	for _, word := range words {
		name, value, _ := strings.Cut(word, "=")
		switch name {
		case "scopes":
			if out.scopes != nil || !every(value, func(s string) bool { return slices.Contains(Scopes(), s) }) {
				return nil, fmt.Errorf("scopes= must list, with commas between, some of %s", strings.Join(Scopes(), ", "))
			}
			out.scopes = setOf(strings.Split(value, ","))
		case "kinds":
			if out.kinds != nil || !every(value, isKind) {
				return nil, fmt.Errorf("kinds= must list kinds of document with commas between, such as coverage_certificate")
			}
			out.kinds = setOf(strings.Split(value, ","))
		case "expires":
			day, err := time.ParseInLocation(time.DateOnly, value, templates.Andorra)
			if err != nil || !out.expires.IsZero() {
				return nil, fmt.Errorf("expires= must be a day such as 2027-06-30")
			}
			out.expires = day.AddDate(0, 0, 1)
		default:
			return nil, fmt.Errorf("after the token may come scopes=, kinds= and expires=, and nothing else")
		}
	}
	return out, nil
}

func readLimits(words []string) (Rate, error) {
	var rate Rate
	wrong := fmt.Errorf("limits must be followed by rate=<calls a second, above 0> and, if you like, burst=<calls at once, 1 or more>")
	for _, word := range words {
		name, value, _ := strings.Cut(word, "=")
		number, err := strconv.ParseFloat(value, 64)
		switch {
		case err != nil || number > 1e6:
			return Rate{}, wrong
		case name == "rate" && number > 0:
			rate.PerSecond = number
		case name == "burst" && number >= 1:
			rate.Burst = int(number)
		default:
			return Rate{}, wrong
		}
	}
	if rate.PerSecond == 0 {
		return Rate{}, wrong
	}
	if rate.Burst == 0 {
		rate.Burst = max(1, int(4*rate.PerSecond))
	}
	return rate, nil
}

func every(list string, good func(string) bool) bool {
	for word := range strings.SplitSeq(list, ",") {
		if !good(word) {
			return false
		}
	}
	return true
}

func isKind(id string) bool {
	_, known := templates.Lookup(id)
	return known
}

func (c *Clients) hasCredential(who *client) bool {
	for _, token := range c.tokens {
		if token.client == who {
			return true
		}
	}
	for _, id := range c.byIssuer {
		if id.client == who {
			return true
		}
	}
	return false
}

// bound names a client that must present a certificate, or "".
func (c *Clients) bound() string {
	for name, client := range c.clients {
		if len(client.certificates) > 0 {
			return name
		}
	}
	return ""
}

// byToken finds a token. Looking up a hash tells nothing of the tokens by the
// time it takes.
func (c *Clients) byToken(token string) *credential { return c.tokens[sha256.Sum256([]byte(token))] }

// NewToken draws a token for a client and returns it with its line of the
// configuration. allowed are words that follow the hash there, such as
// "scopes=documents.read".
func NewToken(client string, allowed ...string) (token, line string, err error) {
	token = "segell_" + rand.Text()
	sum := sha256.Sum256([]byte(token))
	line = strings.Join(append([]string{client, "sha256:" + hex.EncodeToString(sum[:])}, allowed...), " ")
	if !clientName.MatchString(client) {
		return "", "", fmt.Errorf("a client's name is made of a-z, 0-9, - and _, and has at most 40 characters")
	}
	if _, err := readCredential(nil, allowed); err != nil {
		return "", "", err
	}
	return token, line, nil
}
