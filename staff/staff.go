// Package staff is who the members of staff are, how they prove it, and their
// sessions at the console.
//
// An account is local, with a password and perhaps a second factor, or an OpenID
// Connect issuer vouches for its person and says which roles they have. All of it
// lies in the ledger's bucket: staff can log in while Redis is away, and every
// process knows the same accounts and sessions. Of what proves something only
// hashes are kept; the secret of a second factor is encrypted.
//
// Whoever fails is told nothing but that: a login that does not exist costs as
// much time and is answered as one with a wrong password. Wrong tries slow down
// the next ones from the same address and for the same login; see slow.go. Like
// the limits of package access, that is kept in memory, per process.
//
// Logins, refused logins of accounts that exist, and every change of an account
// are in the audit trail; passwords, codes, cookies and tokens are in no log,
// error or trail.
package staff

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/netip"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"segell/ledger"
)

// Role is what a member of staff may do at the console.
type Role string

const (
	Look  Role = "look"  // see requests, failures and figures, personal data masked
	Act   Role = "act"   // look, and retry, cancel, withdraw, pause, unmask
	Audit Role = "audit" // look, and read the audit trail
)

// Roles lists every role.
func Roles() []Role { return []Role{Look, Act, Audit} }

// Config is what a Desk stands on.
type Config struct {
	Ledger      *ledger.Ledger        // required
	Log         *slog.Logger          // required
	Now         func() time.Time      // required
	Random      io.Reader             // required; crypto/rand.Reader
	OIDC        *OIDC                 // nil: local accounts alone
	Idle        time.Duration         // a session that is not used ends; zero: DefaultIdle
	Most        time.Duration         // a session ends, used or not; zero: DefaultMost
	RequireTOTP bool                  // a local account may do nothing before it has a second factor
	Institution string                // what an authenticator program calls us; empty: Segell
	Metrics     prometheus.Registerer // nil: counted nowhere
}

// How long sessions last where it is not configured.
const (
	DefaultIdle = 30 * time.Minute
	DefaultMost = 10 * time.Hour
)

// Desk lets members of staff in and keeps their accounts. It is safe for
// concurrent use, by any number of processes on one bucket.
type Desk struct {
	Config
	kiln    *kiln
	slow    *brakes
	issuer  *issuer // nil: local accounts alone
	logins  *prometheus.CounterVec
	pending sync.WaitGroup // entries of the audit trail about refusals
	places  chan struct{}  // for those, so that a flood takes no memory
}

// New returns a Desk, or an error that tells everything that is wrong. It asks
// the bucket and the issuer nothing yet.
func New(c Config) (*Desk, error) {
	var faults []error
	for name, missing := range map[string]bool{"Ledger": c.Ledger == nil, "Log": c.Log == nil, "Now": c.Now == nil, "Random": c.Random == nil} {
		if missing {
			faults = append(faults, fmt.Errorf("staff: %s is missing", name))
		}
	}
	if c.Idle < 0 || c.Most < 0 {
		faults = append(faults, errors.New("staff: sessions cannot last less than no time"))
	}
	if c.OIDC != nil {
		faults = append(faults, c.OIDC.check())
	}
	if err := errors.Join(faults...); err != nil {
		return nil, err
	}
	c.Institution = cmp.Or(c.Institution, "Segell")
	c.Idle, c.Most = cmp.Or(c.Idle, DefaultIdle), cmp.Or(c.Most, DefaultMost)
	kiln, err := newKiln(c.Random)
	if err != nil {
		return nil, err
	}
	d := &Desk{Config: c, kiln: kiln, slow: newBrakes(), places: make(chan struct{}, refusalsAtOnce)}
	if c.OIDC != nil {
		d.issuer = newIssuer(*c.OIDC, c.Now)
	}
	return d, d.count()
}

const refusalsAtOnce = 256

// What became of a login, for the metric.
const (
	resultIn            = "in"
	resultWrong         = "wrong"
	resultSlow          = "slow"
	resultBusy          = "busy"
	resultCodeNeeded    = "code_needed"
	resultIssuerIn      = "issuer_in"
	resultIssuerRefused = "issuer_refused"
	resultIssuerAway    = "issuer_away"
)

func (d *Desk) count() error {
	d.logins = prometheus.NewCounterVec(prometheus.CounterOpts{
		Name: "segell_staff_logins_total", Help: "Logins of staff at the console, by what became of them."}, []string{"result"})
	for _, result := range []string{resultIn, resultWrong, resultSlow, resultBusy, resultCodeNeeded, resultIssuerIn, resultIssuerRefused, resultIssuerAway} {
		d.logins.WithLabelValues(result) // so that a rate can be taken from the first on
	}
	if d.Metrics == nil {
		return nil
	}
	if err := d.Metrics.Register(d.logins); err != nil {
		return fmt.Errorf("staff: %w", err)
	}
	return nil
}

// sweepEvery is how often ended sessions and tokens are looked for.
const sweepEvery = 15 * time.Minute

// Run deletes what has ended, now and then, until ctx ends; and returns when what
// is to be in the audit trail is there. Without it everything ends all the same,
// but lies in the bucket.
func (d *Desk) Run(ctx context.Context) {
	defer d.pending.Wait()
	tick := time.NewTicker(sweepEvery)
	defer tick.Stop()
	for {
		if err := d.Sweep(ctx); err != nil && ctx.Err() == nil {
			d.Log.Warn("sessions and tokens that have ended stay in the bucket for now", "why", err)
		}
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
	}
}

// Sweep deletes the sessions and tokens that have ended.
func (d *Desk) Sweep(ctx context.Context) error {
	now := d.Now()
	_, err := d.Ledger.SweepStaffSessions(ctx, now.Add(-d.Idle-d.seenEvery()-clocksApart))
	_, alsoErr := d.Ledger.SweepStaffTokens(ctx, now)
	return errors.Join(err, alsoErr)
}

// clocksApart is how far the clocks of the bucket and of other processes may be
// from ours before a live session is swept.
const clocksApart = 10 * time.Minute

// Actor is who changes an account.
type Actor struct {
	Who  string // login
	From string // address or host
	Why  string // the reason, if one was given; no personal data
}

// wrote puts a change of an account in the audit trail, before it is made.
func (d *Desk) wrote(ctx context.Context, by Actor, what, login, detail string) error {
	why := strings.Join(slices.DeleteFunc([]string{detail, by.Why}, func(s string) bool { return s == "" }), "; ")
	return d.Ledger.Audit(ctx, ledger.AuditEntry{Who: by.Who, What: what, ID: "staff:" + login, Why: why, From: by.From})
}

// refused puts the refused login of an account that exists in the audit trail. It
// does not wait: by the time of the answer nobody shall learn which logins exist.
func (d *Desk) refused(ctx context.Context, login string, from netip.Addr, why string) {
	select {
	case d.places <- struct{}{}:
	default:
		d.Log.Error("a refused login is not in the audit trail: too many wait to be written", "login", login)
		return
	}
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), 30*time.Second)
	d.pending.Go(func() {
		defer func() { cancel(); <-d.places }()
		if err := d.wrote(ctx, Actor{Who: login, From: addressText(from)}, "staff.refused", login, why); err != nil {
			d.Log.Error("a refused login is not in the audit trail", "login", login, "why", err)
		}
	})
}

func addressText(a netip.Addr) string {
	if !a.IsValid() {
		return ""
	}
	return a.Unmap().WithZone("").String()
}
