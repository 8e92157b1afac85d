package main

import (
	"context"
	"log/slog"
	"maps"
	"os"
	"os/signal"
	"slices"
	"strconv"
	"strings"
	"sync/atomic"
	"syscall"
	"time"

	"segell/internal/failpoint"
	"segell/signing"
	"segell/templates"
	"segell/upkeep"
	"segell/worker"
)

// sealing is what the settings of the seal come to.
type sealing struct {
	worker.SealSet
	highest   *signing.Sealer  // of the levels asked for; what it can do, the others can
	archivist upkeep.Archivist // nil where nothing is said of who stamps, or of revocation
}

// sealing opens the key, checks it, and returns who seals which kind. It asks no
// TSA. It is nil where the key or a level cannot be used.
func (s *Settings) sealing(f *faults) *sealing {
	byDefault, byKind := s.sealLevels(f)
	highest := highestOf(byDefault, byKind)
	config := signing.Config{Now: failpoint.Now, Key: s.sealKey(f)}
	config.Roots = s.roots(f, "SEGELL_SEAL_ROOTS_FILE", s.SealRoots, "a PEM file of the roots that the seal's certificate leads to")
	if highest != signing.BB {
		config.TSAs = s.tsas(f, "every level above B-B")
	}
	if highest.Includes(signing.BLT) {
		config.Revocation = s.revocation(f, "level "+string(highest))
	}
	// Asked also where something is known to be wrong: it may find more.
	sealers := map[signing.Level]*signing.Sealer{}
	for _, level := range append(slices.Collect(maps.Values(byKind)), byDefault) {
		if _, made := sealers[level]; made {
			continue
		}
		config.Level = level
		sealer, err := signing.NewSealer(config)
		s.sealFaults(f, err)
		sealers[level] = sealer
	}
	if slices.Contains(slices.Collect(maps.Values(sealers)), nil) {
		if config.Key != nil {
			_ = config.Key.Close() // it was never used
		}
		return nil
	}
	all := &sealing{highest: sealers[highest], SealSet: worker.SealSet{Default: sealers[byDefault],
		Kinds: map[string]worker.Sealer{}, Close: config.Key.Close}}
	for kind, level := range byKind {
		all.Kinds[kind] = sealers[level]
	}
	if s.TSAURLs != "" && s.Revocation != "" {
		all.archivist = s.archivist(f)
	}
	return all
}

// sealLevels reads which level documents have: in general, and those of the kinds
// that have one of their own.
func (s *Settings) sealLevels(f *faults) (byDefault signing.Level, byKind map[string]signing.Level) {
	byDefault, byKind = signing.Level(s.SealLevel), map[string]signing.Level{}
	if !byDefault.Includes(signing.BB) {
		f.add("SEGELL_SEAL_LEVEL", "must be B-B, B-T, B-LT or B-LTA")
	}
	for entry := range strings.SplitSeq(s.SealLevels, ",") {
		if entry = strings.TrimSpace(entry); entry == "" {
			continue
		}
		kind, text, ok := strings.Cut(entry, "=")
		kind, level := strings.TrimSpace(kind), signing.Level(strings.TrimSpace(text))
		_, known := templates.Lookup(kind)
		_, twice := byKind[kind]
		switch {
		case !ok:
			f.add("SEGELL_SEAL_LEVELS", "must be kinds and levels such as travel_form=B-T,points_extract=B-LTA, not %q", entry)
		case !known:
			f.add("SEGELL_SEAL_LEVELS", "names a kind that there is not, %q; the kinds are %s", kind, strings.Join(kindNames(), ", "))
		case !level.Includes(signing.BB):
			f.add("SEGELL_SEAL_LEVELS", "gives %s the level %q; it must be B-B, B-T, B-LT or B-LTA", kind, string(level))
		case twice:
			f.add("SEGELL_SEAL_LEVELS", "names %s twice", kind)
		default:
			byKind[kind] = level
		}
	}
	return byDefault, byKind
}

func kindNames() (names []string) {
	for _, kind := range templates.Kinds() {
		names = append(names, kind.ID)
	}
	return names
}

func highestOf(level signing.Level, byKind map[string]signing.Level) signing.Level {
	for _, other := range byKind {
		if other.Includes(level) {
			level = other
		}
	}
	return level
}

func (s *Settings) tsas(f *faults, who string) (all []signing.TSA) {
	roots := s.roots(f, "SEGELL_TSA_ROOTS_FILE", s.TSARoots, "a PEM file of the roots that time-stamps lead to")
	if f.require("SEGELL_TSA_URLS", s.TSAURLs, "the address of a time-stamping authority, which "+who+" needs") {
		for _, address := range s.tsaURLs() {
			all = append(all, signing.TSA{URL: address, Roots: roots})
		}
	}
	return all
}

func (s *Settings) revocation(f *faults, who string) (r signing.Revocation) {
	if f.require("SEGELL_REVOCATION_HOSTS", s.Revocation, "the hosts of the authorities' OCSP responders and revocation lists, which "+who+" needs") {
		for host := range strings.SplitSeq(s.Revocation, ",") {
			r.Hosts = append(r.Hosts, strings.TrimSpace(host))
		}
	}
	return r
}

// archivist renews archive time-stamps. It needs no key, and asks nobody yet.
func (s *Settings) archivist(f *faults) upkeep.Archivist {
	config := signing.RenewerConfig{TSAs: s.tsas(f, "renewal"), Revocation: s.revocation(f, "renewal")}
	config.Trust.Now = failpoint.Now
	config.Trust.Roots = s.roots(f, "SEGELL_SEAL_ROOTS_FILE", s.SealRoots, "a PEM file of the roots that the seal's certificate leads to")
	if len(config.TSAs) > 0 {
		config.Trust.TSARoots = config.TSAs[0].Roots
	}
	renewer, err := signing.NewRenewer(config)
	s.sealFaults(f, err)
	if renewer == nil {
		return nil
	}
	return renewer
}

// sealFaults names the setting that each fault of a sealer or a renewer is about.
func (s *Settings) sealFaults(f *faults, err error) {
	for _, err := range parts(err) {
		text := strings.TrimPrefix(strings.TrimPrefix(err.Error(), "seal: "), "renewal: ")
		field, detail, _ := strings.Cut(text, ": ")
		switch {
		case field == "Level":
			f.add("SEGELL_SEAL_LEVEL", "%s", detail)
		case field == "Roots", field == "Trust.Roots":
			f.add("SEGELL_SEAL_ROOTS_FILE", "%s", detail)
		case strings.HasPrefix(field, "TSAs") && strings.HasSuffix(field, ".Roots"):
			f.add("SEGELL_TSA_ROOTS_FILE", "%s", detail)
		case strings.HasPrefix(field, "TSAs"):
			f.add("SEGELL_TSA_URLS", "%s", detail)
		case strings.HasPrefix(field, "Revocation"):
			if s.Revocation != "" {
				f.add("SEGELL_REVOCATION_HOSTS", "%s", detail)
			}
		case field == "Key":
			f.add(s.usedKeyStores()[0].variable, "%s", detail)
		default:
			f.add(s.usedKeyStores()[0].variable, "%v", err)
		}
	}
}

func (s *Settings) renewWithin(f *faults) time.Duration {
	days, err := strconv.Atoi(s.RenewWithin)
	if err != nil || days < 1 || days > 3650 {
		f.add("SEGELL_RENEW_WITHIN", "must be a number of days from 1 to 3650")
	}
	return time.Duration(days) * 24 * time.Hour
}

func (s *Settings) renewRate(f *faults) float64 {
	rate, err := strconv.ParseFloat(s.RenewRate, 64)
	if err != nil || !(rate > 0 && rate <= 1000) {
		f.add("SEGELL_RENEW_RATE", "must be a number of time-stamps a second, above 0 and up to 1000")
	}
	return rate
}

func (s *Settings) upkeepEvery(f *faults) time.Duration {
	every, err := time.ParseDuration(s.UpkeepEvery)
	if err != nil || every < time.Second || every > 7*24*time.Hour {
		f.add("SEGELL_UPKEEP_EVERY", "must be a time from 1s to 168h, such as 24h")
	}
	return every
}

// reconcileEvery is the longest time that a request without a job waits for one.
func (s *Settings) reconcileEvery(f *faults) time.Duration {
	every, err := time.ParseDuration(s.ReconcileEvery)
	if err != nil || every < time.Second || every > time.Hour {
		f.add("SEGELL_RECONCILE_EVERY", "must be a time from 1s to 1h, such as 1m")
	}
	return every
}

func (s *Settings) nice(f *faults) int {
	nice, err := strconv.Atoi(s.Nice)
	if err != nil || nice < 0 || nice > 19 {
		f.add("SEGELL_NICE", "must be a number from 0 to 19")
	}
	return nice
}

// resealing holds what seals and what renews in a running process, and puts
// others in their place when the operator says so.
type resealing struct {
	hangups   chan os.Signal
	seals     *worker.Seals
	archivist atomic.Pointer[upkeep.Archivist]
	log       *slog.Logger
}

func newResealing(first *sealing, log *slog.Logger) *resealing {
	r := &resealing{hangups: make(chan os.Signal, 1), seals: worker.NewSeals(first.SealSet, log), log: log}
	r.archivist.Store(&first.archivist)
	signal.Notify(r.hangups, syscall.SIGHUP) // from now on it does not end the process
	return r
}

// Archivist is who renews now, or nil.
func (r *resealing) Archivist() upkeep.Archivist { return *r.archivist.Load() }

// watch reads the settings of the seal again at each SIGHUP, until ctx ends: a new
// key and certificate without a stop. What cannot be used changes nothing.
func (r *resealing) watch(ctx context.Context, s *Settings) {
	defer signal.Stop(r.hangups)
	for {
		select {
		case <-ctx.Done():
			return
		case <-r.hangups:
			r.again(s)
		}
	}
}

func (r *resealing) again(s *Settings) {
	next, err := s.reread()
	if err == nil {
		f := next.faults("Seal")
		sealing := next.sealing(f)
		if err = f.err(); err == nil {
			r.seals.Use(sealing.SealSet)
			if sealing.archivist != nil {
				r.archivist.Store(&sealing.archivist)
			}
			certificate := sealing.Default.Certificate()
			r.log.Info("the seal was read again", "certificate_ends", certificate.NotAfter.Format(time.DateOnly), "serial", certificate.SerialNumber.Text(16))
			return
		}
		if sealing != nil {
			_ = sealing.Close() // it was never used
		}
	}
	r.log.Error("the seal was read again and cannot be used; the one before goes on", "why", err)
}
