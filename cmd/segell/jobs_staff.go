package main

import (
	"errors"
	"fmt"
	"log/slog"
	"os"
	"os/user"
	"slices"
	"strings"
	"time"

	"github.com/redis/go-redis/v9"

	"segell/acts"
	"segell/cmd/internal/press"
	"segell/ledger"
	"segell/storage"
)

// staff is what the commands of staff speak with.
type staff struct {
	*press.Press
	acts     *acts.Acts
	redis    redis.UniversalClient
	settings *Settings
	log      *slog.Logger
	language string
	words    words
	zone     *time.Location
}

// open gives the commands of staff the ledger and the queue, and their words.
func (s *Settings) open(log *slog.Logger, tables ...map[string]words) (p *staff, done func(), err error) {
	f := s.faults(groupsOf["jobs"]...)
	parts := press.Parts{Log: log, Now: time.Now}
	bucket := s.bucket(f)
	parts.Keyset, parts.HMACKey = s.keys(f)
	parts.Callbacks = s.callbacks(f)
	s.redis(f, &parts)
	rules := acts.Config{FourEyes: s.fourEyes(f), Rate: s.bulkRate(f)}
	language := s.language(f)
	if err := f.err(); err != nil {
		return nil, nil, err
	}
	parts.Bucket = bucket
	zone, err := time.LoadLocation("Europe/Andorra") // linked in by the ledger
	if err != nil {
		return nil, nil, err
	}
	p = &staff{redis: parts.Redis, settings: s, log: log, language: language, words: wordsOf(language, tables), zone: zone}
	p.Press, err = press.New(parts)
	if err == nil {
		s.keepHeads(p.Ledger)
		err = s.ownKeys(p.Ledger)
	}
	if err == nil {
		// Without the index: it may be behind where nobody keeps it, and the ledger never is.
		p.acts, err = p.Acts(rules)
	}
	if err != nil {
		parts.Redis.Close()
		return nil, nil, err
	}
	return p, func() { parts.Redis.Close() }, nil
}

// errorf words what was asked wrongly, or cannot be done, with a hint.
func (p *staff) errorf(hint string, code exitCode, word string, args ...any) error {
	return errorWithHint{fmt.Errorf(p.words[word], args...), p.words[hint], code}
}

func (p *staff) minute(t time.Time) string { return t.In(p.zone).Format("02/01/2006 15:04") }
func (p *staff) second(t time.Time) string { return t.In(p.zone).Format("02/01/2006 15:04:05") }

// plural is a count with its noun: the words are under one, more and, for nought,
// none, of a name.
func (p *staff) plural(name string, n int) string {
	switch n {
	case 0:
		if none, ok := p.words[name+"0"]; ok {
			return none
		}
	case 1:
		return p.words[name+"1"]
	}
	return fmt.Sprintf(p.words[name], n)
}

// oneOf refuses anything but one way to say what is meant.
func (p *staff) oneOf(hint string, ways ...bool) error {
	n := 0
	for _, given := range ways {
		if given {
			n++
		}
	}
	if n != 1 {
		return p.errorf(hint, askedWrong, "which")
	}
	return nil
}

// known refuses a cause, kind or state that does not exist: a slip would read as
// "all is well".
func (p *staff) known(word, given string, all []string) error {
	if given != "" && !slices.Contains(all, given) {
		return p.errorf("unknown hint", askedWrong, word, given, strings.Join(all, ", "))
	}
	return nil
}

func causeNames() []string {
	var names []string
	for _, cause := range ledger.Causes {
		names = append(names, cause.ID)
	}
	return names
}

// refused words an error of an act on one request or document.
func (p *staff) refused(err error, id string) error {
	switch {
	case errors.Is(err, ledger.ErrAuditEntry):
		return errorWithHint{err, p.words["why hint"], askedWrong}
	case errors.Is(err, acts.ErrWhy):
		return p.errorf("why hint", askedWrong, "why")
	case errors.Is(err, acts.ErrSecondNeeded):
		return p.errorf("second needed hint", failed, "second needed")
	case errors.Is(err, ledger.ErrNotFound):
		return p.errorf("unknown hint", failed, "unknown", id)
	case errors.Is(err, ledger.ErrIssued):
		return p.errorf("issued hint", failed, "issued already", id)
	case errors.Is(err, ledger.ErrNotInForce):
		return p.errorf("not in force hint", failed, "not in force", id)
	case errors.Is(err, ledger.ErrNotReplaceable):
		return p.errorf("not replaceable hint", failed, "not replaceable", id)
	}
	return p.settings.away(err)
}

// away words an error of the bucket as the setting that is most likely wrong.
func (s *Settings) away(err error) error {
	if errors.Is(err, storage.ErrUnavailable) || errors.Is(err, storage.ErrDenied) {
		return errorWithHint{errors.New(s.bucketFault(err)), "`segell check` tells all that is wrong", failed}
	}
	return err
}

// outcome is what became of one thing of several.
type outcome struct {
	id, fault string
}

// tellOutcomes says what could not be done, and on how many it was. under is the
// name of the thing for programs, word that of the count for people. It returns
// failed if anything could not be done.
func (p *staff) tellOutcomes(out *output, under, word string, outcomes []outcome, asked int) error {
	done := 0
	list := []map[string]string{}
	for _, o := range outcomes {
		one := map[string]string{under: o.id}
		if o.fault == "" {
			done++
		} else {
			one["error"] = o.fault
		}
		list = append(list, one)
	}
	if out.json {
		if err := out.encode(list); err != nil {
			return err
		}
	} else {
		for _, o := range outcomes {
			if o.fault != "" {
				fmt.Fprintf(out.w, "%s: %s\n", o.id, o.fault)
			}
		}
		fmt.Fprintln(out.w, p.plural(word, done))
	}
	if done < asked {
		return failed
	}
	return nil
}

// operator is who runs a command of staff, and why.
type operator struct {
	acts.Actor
	Why string
}

// actor is who runs this command: the login that the machine knows.
func actor(why string) operator {
	who := operator{acts.Actor{Who: "unknown"}, why}
	if u, err := user.Current(); err == nil && u.Username != "" {
		who.Who = strings.Map(func(r rune) rune {
			if r < 0x80 && (r == '.' || r == '-' || r == '_' || r == '@' || '0' <= r && r <= '9' || 'a' <= r && r <= 'z' || 'A' <= r && r <= 'Z') {
				return r
			}
			return '_'
		}, u.Username)
	}
	if login := os.Getenv("SUDO_USER"); login != "" && os.Geteuid() == 0 { // who became root to run it
		who.Who = login
	}
	if host, err := os.Hostname(); err == nil {
		who.From = host
	}
	return who
}
