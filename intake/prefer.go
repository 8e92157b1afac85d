package intake

import (
	"strconv"
	"strings"
	"time"
)

// preference is what a client asks by Prefer (RFC 7240) of how it is answered.
type preference struct {
	async bool          // respond-async
	wait  time.Duration // wait=N, at most waitMost; 0: do not wait
}

const (
	// waitMost bounds how long an answer is held back: well below the time in which
	// an answer must be written, and what proxies allow.
	waitMost = 30 * time.Second
	// waitsMost is how many answers of one client are held back at a time. Beyond
	// it the preference is not honoured, which RFC 7240 allows.
	waitsMost = 500
)

// readPrefer reads a Prefer header. What it does not know it passes over, as it
// must, and so a wait that is no number of seconds: Preference-Applied shows what
// was done.
func readPrefer(header string) preference {
	var p preference
	seen := false
	for item := range strings.SplitSeq(header, ",") {
		item, _, _ = strings.Cut(item, ";") // parameters say nothing here
		name, value, _ := strings.Cut(item, "=")
		value = strings.Trim(strings.TrimSpace(value), `"`)
		switch strings.ToLower(strings.TrimSpace(name)) {
		case "respond-async":
			p.async = true
		case "wait":
			if seen {
				continue // the first one counts (RFC 7240, 2)
			}
			seen = true
			seconds, err := strconv.ParseUint(value, 10, 31)
			if err == nil {
				p.wait = min(time.Duration(seconds)*time.Second, waitMost)
			}
		}
	}
	return p
}

// applied is Preference-Applied: what was done of the preference.
func (p preference) applied(waited bool) string {
	var done []string
	if p.async {
		done = append(done, "respond-async")
	}
	if waited {
		done = append(done, "wait="+strconv.Itoa(int(p.wait/time.Second)))
	}
	return strings.Join(done, ", ")
}
