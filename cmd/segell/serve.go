package main

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"os"
	"os/signal"
	"slices"
	"strings"
	"sync"
	"syscall"
	"time"

	"github.com/prometheus/client_golang/prometheus/promhttp"
	"golang.org/x/sync/errgroup"

	"segell/access"
	"segell/cmd/internal/press"
	"segell/internal/failpoint"
	"segell/ledger"
	"segell/notify"
	"segell/queue"
	"segell/storage"
)

type intakeCmd struct{}
type workerCmd struct{}
type serveCmd struct{}
type consoleCmd struct{}

// roles are what one process does.
type roles struct{ doors, works, console bool }

func (intakeCmd) Run(s *Settings, log *slog.Logger) error { return serve(s, log, roles{doors: true}) }
func (workerCmd) Run(s *Settings, log *slog.Logger) error { return serve(s, log, roles{works: true}) }
func (consoleCmd) Run(s *Settings, log *slog.Logger) error {
	return serve(s, log, roles{console: true})
}
func (serveCmd) Run(s *Settings, log *slog.Logger) error {
	return serve(s, log, roles{doors: true, works: true, console: s.ConsoleListen != ""})
}

// configured is what the settings say to one process.
type configured struct {
	roles
	parts  press.Parts
	bucket *storage.Bucket

	tls     *tls.Config // of the doors
	clients *rereading

	nice  int
	first *sealing
	seal  *resealing

	console    press.Console
	consoleTLS *tls.Config
}

// configure judges all settings that the roles read, and tells everything that is
// wrong. The caller closes the client of Redis.
func (s *Settings) configure(log *slog.Logger, r roles) (*configured, error) {
	c := &configured{roles: r, parts: press.Parts{Log: log, Now: failpoint.Now, Institution: s.Institution, Version: versionText()}}
	groups := groupsOf["console"]
	if r.doors {
		groups = groupsOf["intake"]
	}
	if r.works {
		groups = groupsOf["worker"]
	}
	if r.console {
		groups = append(slices.Clone(groups), "Console")
	}
	f := s.faults(groups...)
	s.logLevel(f)
	s.listeners(f, r)
	c.bucket = s.bucket(f)
	c.parts.Bucket = c.bucket
	c.parts.Keyset, c.parts.HMACKey = s.keys(f)
	c.parts.Logo, c.parts.Mark = s.logo(f)
	c.parts.Callbacks = s.callbacks(f)
	c.parts.AuditHeads = s.auditHeads(f)
	if r.doors || r.works {
		c.parts.PublicURL = s.publicURL(f)
	}
	if r.doors {
		c.clients = newRereading(log)
		c.parts.Access = s.access(f)
		c.parts.MostUnfinished = s.mostUnfinished(f)
		c.tls = s.tls(f)
	}
	if r.works {
		c.forWork(s, f, log)
	}
	if r.console {
		c.console = s.console(f)
		c.consoleTLS = s.consoleTLS(f)
	}
	s.redis(f, &c.parts)
	return c, f.err()
}

// forWork is what a worker reads besides.
func (c *configured) forWork(s *Settings, f *faults, log *slog.Logger) {
	c.parts.Concurrency = s.concurrency(f)
	c.parts.ShutdownWithin = s.shutdownWithin(f)
	c.nice = s.nice(f)
	c.parts.RenewWithin, c.parts.RenewRate, c.parts.UpkeepEvery = s.renewWithin(f), s.renewRate(f), s.upkeepEvery(f)
	c.parts.ReconcileEvery, c.parts.Retention = s.reconcileEvery(f), s.retention(f)
	if c.first = s.sealing(f); c.first != nil {
		c.seal = newResealing(c.first, log)
		c.parts.Sealers, c.parts.Archivist = c.seal.seals, c.seal.Archivist
	}
}

// serve runs the roles asked for until the process is told to stop.
func serve(s *Settings, log *slog.Logger, r roles) error {
	c, err := s.configure(log, r)
	if err != nil {
		return err
	}
	s.warn(log, c.parts.Callbacks, c.parts.Access.Clients)
	defer c.parts.Redis.Close()
	ctx := background()
	if err := startChecks(ctx, s, c.bucket, c.parts, log); err != nil {
		return err
	}
	p, err := press.New(c.parts)
	if err != nil {
		return err
	}
	if err := checkKeys(ctx, p.Ledger, log); err != nil {
		return err
	}
	// Everything is opened before anything runs.
	o := &opened{configured: c, settings: s, press: p, log: log}
	defer o.close()
	if err := o.openAll(); err != nil {
		return err
	}
	heads, stopHeads := context.WithCancel(context.WithoutCancel(ctx))
	var keeping sync.WaitGroup
	keeping.Go(func() { p.KeepHeads(heads) })
	group, ctx := errgroup.WithContext(ctx)
	for _, run := range o.running {
		group.Go(func() error { return run(ctx) })
	}
	err = group.Wait()
	stopHeads() // last: what the others audited at their end is kept too
	keeping.Wait()
	log.Info("ended")
	return err
}

// opened is a process whose listeners are open, and what it is to run.
type opened struct {
	*configured
	settings  *Settings
	press     *press.Press
	log       *slog.Logger
	listeners []net.Listener
	running   []func(context.Context) error
}

func (o *opened) close() {
	for _, listener := range o.listeners {
		listener.Close()
	}
}

func (o *opened) openAll() error {
	admin, err := o.listen("SEGELL_ADMIN_LISTEN", o.settings.Admin, nil)
	if err != nil {
		return err
	}
	for _, role := range []struct {
		asked bool
		open  func() error
	}{{o.doors, o.openDoors}, {o.roles.console, o.openConsole}, {o.works, o.openWorker}} {
		if !role.asked {
			continue
		}
		if err := role.open(); err != nil {
			return err
		}
	}
	o.log.Info("the operator's door is open", "listen", admin.Addr().String())
	o.run(func(ctx context.Context) error {
		return press.Serve(ctx, admin, adminHandler(o.press, o.bucket), o.log)
	})
	return nil
}

func (o *opened) run(roles ...func(context.Context) error) { o.running = append(o.running, roles...) }

// listen opens a listener that ends with the process; with a config it speaks TLS.
func (o *opened) listen(variable, address string, config *tls.Config) (net.Listener, error) {
	listener, err := listen(variable, address)
	if err != nil {
		return nil, err
	}
	o.listeners = append(o.listeners, listener)
	if config != nil {
		config.NextProtos = []string{"h2", "http/1.1"}
		listener = tls.NewListener(listener, config)
	}
	return listener, nil
}

func (o *opened) openDoors() error {
	handler, beside, err := o.press.Doors()
	if err != nil {
		return err
	}
	listener, err := o.listen("SEGELL_LISTEN", o.settings.Listen, o.tls)
	if err != nil {
		return err
	}
	o.log.Info("the doors are open", "listen", listener.Addr().String(), "tls", o.tls != nil)
	o.run(func(ctx context.Context) error { return press.Serve(ctx, listener, handler, o.log) },
		func(ctx context.Context) error { beside(ctx); return nil },
		func(ctx context.Context) error {
			o.clients.watch(ctx, o.settings, o.press, o.parts.Callbacks)
			return nil
		})
	return nil
}

func (o *opened) openConsole() error {
	office, err := o.press.Console(o.configured.console)
	if err != nil {
		return err
	}
	listener, err := o.listen("SEGELL_CONSOLE_LISTEN", o.settings.consoleAddress(), o.consoleTLS)
	if err != nil {
		return err
	}
	o.log.Info("the console is open", "listen", listener.Addr().String(), "tls", o.consoleTLS != nil, "address", o.configured.console.URL)
	o.run(func(ctx context.Context) error {
		return press.Serve(ctx, listener, office.Handler, o.log, office.Close)
	},
		func(ctx context.Context) error { office.Run(ctx); return nil })
	return nil
}

func (o *opened) openWorker() error {
	w, err := o.press.Worker()
	if err != nil {
		return err
	}
	if !o.doors {
		if err := stepBack(o.nice); err != nil {
			o.log.Warn("the worker keeps its priority", "why", err)
		}
	}
	o.log.Info("the worker begins", "level", o.first.Default.Level(), "other_levels", o.settings.SealLevels, "renews", o.first.archivist != nil,
		"certificate_ends", o.first.Default.Certificate().NotAfter.Format(time.DateOnly))
	tell, err := o.press.Callbacks()
	if err != nil {
		return err
	}
	keep := o.press.Upkeep()
	o.run(w.Run, tell, func(ctx context.Context) error { keep(ctx); return nil },
		func(ctx context.Context) error { o.seal.watch(ctx, o.settings); return nil })
	return nil
}

// warn tells of settings what is no fault and hardly meant.
func (s *Settings) warn(log *slog.Logger, callbacks notify.Endpoints, clients *access.Clients) {
	for _, variable := range strangeVariables(os.Environ()) {
		log.Warn("a variable is no setting and is passed over: is it misspelled?", "variable", variable)
	}
	for _, client := range strangers(callbacks, clients) {
		log.Warn("callbacks are configured for a client that SEGELL_API_TOKENS does not know: it is never told anything", "client", client)
	}
}

// rereading has the doors read again who may use the API when the operator says so.
type rereading struct {
	hangups chan os.Signal
	log     *slog.Logger
}

func newRereading(log *slog.Logger) *rereading {
	r := &rereading{hangups: make(chan os.Signal, 1), log: log}
	signal.Notify(r.hangups, syscall.SIGHUP) // from now on it does not end the process
	return r
}

// watch reads SEGELL_API_TOKENS again at each SIGHUP, until ctx ends. What cannot
// be used changes nothing.
func (r *rereading) watch(ctx context.Context, s *Settings, p *press.Press, callbacks notify.Endpoints) {
	defer signal.Stop(r.hangups)
	for {
		select {
		case <-ctx.Done():
			return
		case <-r.hangups:
		}
		clients, err := s.clientsAgain()
		if err == nil {
			err = p.UseClients(clients)
		}
		if err != nil {
			r.log.Error("the clients were read again and cannot be used; those before stay", "why", err)
			continue
		}
		r.log.Info("the clients were read again")
		for _, client := range strangers(callbacks, clients) {
			r.log.Warn("callbacks are configured for a client that is no longer known", "client", client)
		}
	}
}

// clientsAgain reads the clients anew.
func (s *Settings) clientsAgain() (*access.Clients, error) {
	next, err := s.reread()
	if err != nil {
		return nil, err
	}
	if why, ok := next.unread["SEGELL_API_TOKENS"]; ok {
		return nil, errors.New("SEGELL_API_TOKENS " + why)
	}
	return access.ReadClients(next.APITokens)
}

func listen(variable, address string) (net.Listener, error) {
	listener, err := net.Listen("tcp", address)
	switch {
	case errors.Is(err, syscall.EADDRINUSE):
		return nil, errorWithHint{fmt.Errorf("%s: another process listens on %s", variable, address), "give each process on one machine an address of its own", failed}
	case err != nil:
		return nil, fmt.Errorf("%s: %w", variable, err)
	}
	return listener, nil
}

// startChecks refuses a Redis that evicts and a bucket whose conditional writes
// do not hold. A Redis that is away is no reason not to start: the ledger takes
// requests without it, and the worker waits.
func startChecks(ctx context.Context, s *Settings, bucket *storage.Bucket, parts press.Parts, log *slog.Logger) error {
	asked, cancel := context.WithTimeout(ctx, 10*time.Second)
	defer cancel()
	server, err := queue.Check(asked, parts.Redis)
	switch {
	case err == nil:
		if !server.AOF {
			log.Warn("Redis keeps nothing on disk: after it restarts, the reconciler enqueues everything again", "advice", "appendonly yes")
		}
	case isAway(err):
		log.Warn("Redis does not answer yet", "error", err)
	default:
		return errorWithHint{fmt.Errorf("SEGELL_REDIS_URL: %w", err), "`segell check` tells all that is wrong", failed}
	}
	proof, err := proveBucket(ctx, s, bucket, log)
	if ctx.Err() != nil {
		return nil
	}
	if err != nil {
		return errorWithHint{errors.New(s.bucketFault(err)), "`segell check` tells all that is wrong; docs/s3-providers.md, what a bucket must do", failed}
	}
	log.Info("the bucket holds what it must", "checks", len(proof.Properties))
	return nil
}

// provesMost is how often a bucket is tried that answers and gives no verdict.
const provesMost = 5

// proveBucket tries whether the bucket keeps its promises, and waits for one that
// is away: after a power cut everything starts at once, and not in an order. Where
// an answer is lost in the middle, the repeat of a write finds what it wrote itself;
// that says nothing of the bucket, so it is tried again as well, but not for ever.
func proveBucket(ctx context.Context, s *Settings, bucket *storage.Bucket, log *slog.Logger) (storage.Proof, error) {
	for tries, told := 0, false; ; {
		proving, cancel := context.WithTimeout(ctx, time.Minute)
		proof, err := storage.Prove(proving, bucket)
		cancel()
		switch {
		case err == nil, errors.Is(err, storage.ErrUnfit), errors.Is(err, storage.ErrDenied), noSuchBucket(err), ctx.Err() != nil:
			return proof, err
		case errors.Is(err, storage.ErrUnavailable), errors.Is(err, context.DeadlineExceeded):
			if !told {
				log.Warn("waiting for the bucket", "why", s.bucketFault(err))
				told = true
			}
		default:
			if tries++; tries == provesMost {
				return proof, err
			}
			log.Warn("the bucket could not be tried to the end, which is done again", "why", err)
		}
		select {
		case <-ctx.Done():
		case <-time.After(2 * time.Second):
		}
	}
}

// checkKeys refuses keys that are not those of the bucket: requests would be
// written that nobody else reads, and codes and holders not be found again.
func checkKeys(ctx context.Context, l *ledger.Ledger, log *slog.Logger) error {
	missing, err := l.CheckKeys(ctx)
	switch {
	case ctx.Err() != nil:
		return nil
	case errors.Is(err, ledger.ErrKeyWrong):
		return errorWithHint{fmt.Errorf("SEGELL_LEDGER_KEYSET, SEGELL_LEDGER_HMAC_KEY: %w", err), "find the keys that this bucket was written with; docs/operation.md, Keys of encryption", failed}
	case err != nil:
		return err
	case len(missing) > 0:
		log.Warn("the bucket knows keys of encryption that this keyset does not hold: what was written with them has to wait here", "keys", strings.Join(missing, " "))
	}
	return nil
}

// adminHandler answers the operator's load balancer and supervisor.
func adminHandler(p *press.Press, bucket *storage.Bucket) http.Handler {
	mux := http.NewServeMux()
	mux.Handle("GET /metrics", promhttp.HandlerFor(p.Metrics, promhttp.HandlerOpts{}))
	mux.HandleFunc("GET /healthz", func(w http.ResponseWriter, r *http.Request) { fmt.Fprintln(w, "ok") })
	mux.HandleFunc("GET /readyz", func(w http.ResponseWriter, r *http.Request) {
		ctx, cancel := context.WithTimeout(r.Context(), 3*time.Second)
		defer cancel()
		status, text := http.StatusOK, ""
		if err := bucket.Ping(ctx); err != nil {
			status, text = http.StatusServiceUnavailable, text+"storage: away\n"
		} else {
			text += "storage: ok\n"
		}
		// Without Redis requests are still taken: that is no reason to turn them away.
		if err := p.Queue.Ping(ctx); err != nil {
			text += "queue: away\n"
		} else {
			text += "queue: ok\n"
		}
		w.WriteHeader(status)
		fmt.Fprint(w, text)
	})
	return mux
}

// healthCmd is for the health checks of containers that have no other client.
type healthCmd struct{}

func (healthCmd) Run(s *Settings, out *output) error {
	f := s.faults("Doors")
	s.listeners(f, roles{})
	if err := f.err(); err != nil {
		return err
	}
	client := http.Client{Timeout: 5 * time.Second}
	answer, err := client.Get("http://" + s.Admin + "/readyz")
	if err != nil {
		return errorWithHint{fmt.Errorf("not ready: nothing answers on %s", s.Admin), "SEGELL_ADMIN_LISTEN must be that of the running Segell", failed}
	}
	defer answer.Body.Close()
	text, err := io.ReadAll(io.LimitReader(answer.Body, 4096))
	if err != nil {
		return fmt.Errorf("not ready: the answer of %s broke off", s.Admin)
	}
	parts := map[string]string{}
	for line := range strings.Lines(string(text)) {
		if part, state, ok := strings.Cut(strings.TrimSpace(line), ": "); ok {
			parts[part] = state
		}
	}
	ready := answer.StatusCode == http.StatusOK
	if out.json {
		err = out.encode(map[string]any{"ready": ready, "parts": parts})
	} else {
		verdict := "ready"
		if !ready {
			verdict = "not ready"
		}
		_, err = fmt.Fprintf(out.w, "%s\n%s", verdict, text)
	}
	if err == nil && !ready {
		err = failed
	}
	return err
}
