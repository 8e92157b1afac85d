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
	"strings"
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

func (intakeCmd) Run(s *Settings, log *slog.Logger) error { return serve(s, log, true, false) }
func (workerCmd) Run(s *Settings, log *slog.Logger) error { return serve(s, log, false, true) }
func (serveCmd) Run(s *Settings, log *slog.Logger) error  { return serve(s, log, true, true) }

// serve runs the roles asked for until the process is told to stop.
func serve(s *Settings, log *slog.Logger, doors, works bool) error {
	parts := press.Parts{Log: log, Now: failpoint.Now, Institution: s.Institution, Version: versionText()}
	groups := groupsOf["intake"]
	if works {
		groups = groupsOf["worker"]
	}
	f := s.faults(groups...)
	s.logLevel(f)
	s.listeners(f, doors)
	bucket := s.bucket(f)
	parts.Keyset, parts.HMACKey = s.keys(f)
	parts.PublicURL = s.publicURL(f)
	parts.Logo, parts.Mark = s.logo(f)
	parts.Callbacks = s.callbacks(f)
	var tlsConfig *tls.Config
	var clients *rereading
	if doors {
		clients = newRereading(log)
		parts.Access = s.access(f)
		parts.MostUnfinished = s.mostUnfinished(f)
		tlsConfig = s.tls(f)
	}
	var nice int
	var first *sealing
	var seal *resealing
	if works {
		parts.Concurrency = s.concurrency(f)
		parts.ShutdownWithin = s.shutdownWithin(f)
		nice = s.nice(f)
		parts.RenewWithin, parts.RenewRate, parts.UpkeepEvery = s.renewWithin(f), s.renewRate(f), s.upkeepEvery(f)
		parts.ReconcileEvery, parts.Retention = s.reconcileEvery(f), s.retention(f)
		if first = s.sealing(f); first != nil {
			seal = newResealing(first, log)
			parts.Sealers, parts.Archivist = seal.seals, seal.Archivist
		}
	}
	s.redis(f, &parts)
	if err := f.err(); err != nil {
		return err
	}
	s.warn(log, parts.Callbacks, parts.Access.Clients)
	parts.Bucket = bucket
	defer parts.Redis.Close()
	ctx := background()
	if err := startChecks(ctx, s, bucket, parts, log); err != nil {
		return err
	}
	p, err := press.New(parts)
	if err != nil {
		return err
	}
	if err := checkKeys(ctx, p.Ledger, log); err != nil {
		return err
	}
	// Everything is opened before anything runs.
	admin, err := listen("SEGELL_ADMIN_LISTEN", s.Admin)
	if err != nil {
		return err
	}
	defer admin.Close()
	group, ctx := errgroup.WithContext(ctx)
	var roles []func() error
	if doors {
		handler, beside, err := p.Doors()
		if err != nil {
			return err
		}
		listener, err := listen("SEGELL_LISTEN", s.Listen)
		if err != nil {
			return err
		}
		defer listener.Close()
		log.Info("the doors are open", "listen", listener.Addr().String(), "tls", tlsConfig != nil)
		if tlsConfig != nil {
			tlsConfig.NextProtos = []string{"h2", "http/1.1"}
			listener = tls.NewListener(listener, tlsConfig)
		}
		roles = append(roles, func() error { return press.Serve(ctx, listener, handler, log) },
			func() error { beside(ctx); return nil }, func() error { clients.watch(ctx, s, p, parts.Callbacks); return nil })
	}
	if works {
		w, err := p.Worker()
		if err != nil {
			return err
		}
		if !doors {
			if err := stepBack(nice); err != nil {
				log.Warn("the worker keeps its priority", "why", err)
			}
		}
		log.Info("the worker begins", "level", first.Default.Level(), "other_levels", s.SealLevels, "renews", first.archivist != nil,
			"certificate_ends", first.Default.Certificate().NotAfter.Format(time.DateOnly))
		tell, err := p.Callbacks()
		if err != nil {
			return err
		}
		keep := p.Upkeep()
		roles = append(roles, func() error { return w.Run(ctx) }, func() error { return tell(ctx) },
			func() error { keep(ctx); return nil }, func() error { seal.watch(ctx, s); return nil })
	}
	log.Info("the operator's door is open", "listen", admin.Addr().String())
	roles = append(roles, func() error { return press.Serve(ctx, admin, adminHandler(p, bucket), log) })
	for _, role := range roles {
		group.Go(role)
	}
	err = group.Wait()
	log.Info("ended")
	return err
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
	var proof storage.Proof
	for told := false; ; {
		proving, cancel := context.WithTimeout(ctx, time.Minute)
		proof, err = storage.Prove(proving, bucket)
		cancel()
		if !errors.Is(err, storage.ErrUnavailable) && !errors.Is(err, context.DeadlineExceeded) || noSuchBucket(err) || ctx.Err() != nil {
			break
		}
		// After a power cut everything starts at once, and not in an order.
		if !told {
			log.Warn("waiting for the bucket", "why", s.bucketFault(err))
			told = true
		}
		select {
		case <-ctx.Done():
		case <-time.After(2 * time.Second):
		}
	}
	if ctx.Err() != nil {
		return nil
	}
	if err != nil {
		return errorWithHint{errors.New(s.bucketFault(err)), "`segell check` tells all that is wrong; docs/s3-providers.md, what a bucket must do", failed}
	}
	log.Info("the bucket holds what it must", "checks", len(proof.Properties))
	return nil
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
	s.listeners(f, false)
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
