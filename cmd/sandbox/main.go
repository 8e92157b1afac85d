// Command sandbox is Segell whole on one machine with nothing but Go: an
// embedded Redis, an embedded S3 server kept on disk, a throw-away PKI with its
// own time-stamping authority, and the very same intake, worker, console and
// verification that production runs. It issues every sample and stays up.
//
// Every document carries the watermark "PROVA" and is sealed under a root that
// nobody trusts: it can never pass as official.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"log/slog"
	"net"
	"os"
	"os/signal"
	"path/filepath"
	"syscall"
	"time"

	"golang.org/x/sync/errgroup"

	"segell/access"
	"segell/cmd/internal/press"
	"segell/pki"
	"segell/signing"
	"segell/storage"
	"segell/upkeep"
	"segell/worker"
)

func main() {
	stdout := os.Stdout
	// The embedded S3 server has lines of its own to print, of no use here.
	if null, err := os.OpenFile(os.DevNull, os.O_WRONLY, 0); err == nil {
		os.Stdout = null
	}
	os.Exit(run(os.Args[1:], stdout, os.Stderr))
}

func run(args []string, stdout, stderr io.Writer) int {
	flags := flag.NewFlagSet("sandbox", flag.ContinueOnError)
	flags.SetOutput(stderr)
	once := flags.Bool("once", false, "issue the samples and exit: 0 if all were issued")
	dir := flags.String("dir", "sandbox-data", "`folder` that keeps everything; remove it to start anew")
	listen := flags.String("listen", "127.0.0.1:8642", "loopback `address` of the API and the verification pages; port 0 takes a free one")
	console := flags.String("console", "", "loopback `address` of the console of staff; if not given, the port after that of -listen")
	troubles := flags.Bool("troubles", false, "break some jobs on purpose, so that the console has something to show")
	verbose := flags.Bool("v", false, "log what Segell does")
	flags.Usage = func() {
		fmt.Fprint(stderr, "Segell whole on one machine: issues the sample documents, then serves until Ctrl-C.\n\n")
		flags.PrintDefaults()
	}
	if err := flags.Parse(args); err != nil {
		if errors.Is(err, flag.ErrHelp) {
			return 0
		}
		return 2
	}
	if flags.NArg() > 0 {
		fmt.Fprintf(stderr, "sandbox: %q is no flag; -h lists them\n", flags.Arg(0))
		return 2
	}
	if *once && *troubles {
		fmt.Fprintln(stderr, "sandbox: -troubles needs a sandbox that stays up: leave -once away")
		return 2
	}
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	context.AfterFunc(ctx, stop) // a second Ctrl-C ends it at once
	level := slog.LevelWarn
	if *verbose {
		level = slog.LevelInfo
	}
	words, done, err := logTo(stderr, *dir, *troubles && !*verbose)
	if err != nil {
		fmt.Fprintln(stderr, "sandbox:", err)
		return 1
	}
	defer done()
	log := slog.New(slog.NewTextHandler(words, &slog.HandlerOptions{Level: level}))
	err = sandbox(ctx, options{dir: *dir, listen: *listen, console: *console, once: *once, troubles: *troubles, out: stdout, log: log})
	switch {
	case errors.Is(err, errDone):
		return 0
	case ctx.Err() != nil:
		fmt.Fprintln(stdout, "Stopped. Nothing is lost: start it again on the same folder and it goes on.")
		if *once {
			return 1 // the samples were not all issued
		}
		return 0
	case err != nil:
		fmt.Fprintln(stderr, "sandbox:", err)
		return 1
	}
	return 0
}

// logTo is where the log goes: with troubles of our own making to a file, for it
// would hide what is said of them.
func logTo(stderr io.Writer, dir string, aside bool) (io.Writer, func(), error) {
	if !aside {
		return stderr, func() {}, nil
	}
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return nil, nil, err
	}
	file, err := os.OpenFile(filepath.Join(dir, logName), os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o644)
	if err != nil {
		return nil, nil, err
	}
	return file, func() { file.Close() }, nil
}

// The log and the heads of the audit trail in the sandbox's folder.
const (
	logName   = "log"
	headsName = "audit-heads"
)

type options struct {
	dir, here       string // the folder of the sandbox, and where it was started
	listen, console string
	once, troubles  bool
	out             io.Writer
	log             *slog.Logger
}

// manyCalls is what a sandbox takes from one address: everything comes from here.
var manyCalls = access.Rate{PerSecond: 1e4, Burst: 1e5}

// errDone ends the group of servers when -once has issued everything.
var errDone = errors.New("done")

func sandbox(ctx context.Context, o options) error {
	dir, err := filepath.Abs(o.dir) // the S3 server changes the working directory
	if err != nil {
		return err
	}
	o.dir = dir
	if o.here, err = os.Getwd(); err != nil {
		return err
	}
	listener, err := listen("-listen", o.listen, "127.0.0.1:8642")
	if err != nil {
		return err
	}
	defer listener.Close()
	k, err := openKeys(filepath.Join(dir, "keys"))
	if err != nil {
		return err
	}
	authority, err := pki.New(filepath.Join(dir, "pki"), pki.Options{NoOCSP: true})
	if errors.Is(err, pki.ErrPortTaken) {
		return fmt.Errorf("another sandbox runs on %s: stop it, or choose another folder with -dir (if none does, a stranger has its port: %w)", dir, err)
	}
	if err != nil {
		return err
	}
	defer authority.Close()
	seals, archivist, err := newSeal(authority, o.log)
	if err != nil {
		return err
	}
	redis, redisURL, stopRedis, err := startRedis()
	if err != nil {
		return err
	}
	defer stopRedis()

	fmt.Fprint(o.out, "Segell's sandbox: everything runs on this machine, and every page says PROVA.\n\n")
	group, ctx := errgroup.WithContext(ctx)
	bucket, opened, err := startS3(ctx, group, dir, k)
	if err != nil {
		return err
	}
	if _, err := storage.Prove(ctx, bucket); err != nil {
		return fmt.Errorf("the embedded S3 server does not keep its promises: %w", err)
	}
	store := &store{Bucket: bucket}
	parts := press.Parts{
		Bucket: store, Redis: redis, Keyset: k.keyset, HMACKey: k.hmac, Log: o.log, Now: time.Now,
		PublicURL: "http://" + listener.Addr().String(), Institution: "Caixa Andorrana de Seguretat Social", Version: "sandbox",
		AuditHeads: filepath.Join(dir, headsName),
		Access:     access.Config{Clients: k.clients, Rate: manyCalls, Failures: manyCalls, Public: manyCalls}, Sealers: seals, Archivist: archivist, Proof: true, CheckInterval: 10 * time.Millisecond, ShutdownWithin: 5 * time.Second,
	}
	var broken *troubles
	if o.troubles {
		if broken, err = newTroubles(o, k, authority, seals, store, redis); err != nil {
			return err
		}
		defer broken.close()
		parts.Callbacks = broken.callbacks()
	}
	p, err := press.New(parts)
	if err != nil {
		return err
	}
	if err := runRoles(ctx, group, p, listener, o.log); err != nil {
		return err
	}
	var staffed *desk
	if !o.once {
		if staffed, err = openConsole(ctx, group, p, o, listener.Addr().String()); err != nil {
			return err
		}
	}
	group.Go(func() error { p.KeepHeads(ctx); return nil })
	group.Go(func() error {
		issuer := newIssuer(parts.PublicURL, k.token, filepath.Join(dir, "issued"), o.out)
		if err := issuer.all(ctx); err != nil {
			return err
		}
		if o.once {
			return errDone
		}
		try := filepath.Join(dir, "request.json")
		if err := os.WriteFile(try, issuer.first.Body, 0o644); err != nil {
			return err
		}
		if err := staffed.hire(ctx, k.passwords); err != nil {
			return err
		}
		settings, err := writeSettings(dir, k, redisURL, opened)
		if err != nil {
			return err
		}
		issuer.welcome(welcome{kind: issuer.first.Kind, request: try, root: authority.RootPEM(), dir: dir, settings: settings, desk: staffed.words(k.passwords)})
		if broken == nil {
			return nil
		}
		return broken.run(ctx, p, parts.PublicURL)
	})
	return group.Wait()
}

// listen opens a listener on loopback.
func listen(name, address, example string) (net.Listener, error) {
	host, _, err := net.SplitHostPort(address)
	if ip := net.ParseIP(host); err != nil || ip == nil || !ip.IsLoopback() {
		return nil, fmt.Errorf("%s %s: the sandbox serves on loopback only, such as %s", name, address, example)
	}
	listener, err := net.Listen("tcp", address)
	if err != nil {
		return nil, fmt.Errorf("%s: %w (choose another address with %s 127.0.0.1:PORT)", name, err, name)
	}
	return listener, nil
}

// runRoles runs the doors and the worker, with what belongs to them.
func runRoles(ctx context.Context, group *errgroup.Group, p *press.Press, listener net.Listener, log *slog.Logger) error {
	handler, beside, err := p.Doors()
	if err != nil {
		return err
	}
	works, err := p.Worker()
	if err != nil {
		return err
	}
	tell, err := p.Callbacks()
	if err != nil {
		return err
	}
	keep := p.Upkeep()
	group.Go(func() error { return press.Serve(ctx, listener, handler, log) })
	group.Go(func() error { beside(ctx); return nil })
	group.Go(func() error { return works.Run(ctx) })
	group.Go(func() error { keep(ctx); return nil })
	group.Go(func() error { return tell(ctx) })
	return nil
}

// newSeal seals with the throw-away PKI and renews.
func newSeal(a *pki.Authority, log *slog.Logger) (*worker.Seals, func() upkeep.Archivist, error) {
	sealer, err := newSealer(a, a.Seal())
	if err != nil {
		return nil, nil, err
	}
	tsas, revocation := authorities(a)
	renewer, err := signing.NewRenewer(signing.RenewerConfig{Trust: signing.Trust{Roots: a.Roots(), TSARoots: a.Roots()}, TSAs: tsas, Revocation: revocation})
	if err != nil {
		return nil, nil, err
	}
	seals := worker.NewSeals(worker.SealSet{Default: sealer}, log)
	return seals, func() upkeep.Archivist { return renewer }, nil
}

// newSealer seals at B-LTA, by the PKI's own time-stamping authority and OCSP
// responders.
func newSealer(a *pki.Authority, leaf *pki.Leaf) (*signing.Sealer, error) {
	const password = "sandbox" // the file never leaves memory
	p12, err := leaf.PKCS12(password)
	if err != nil {
		return nil, err
	}
	key, err := signing.OpenPKCS12(p12, password)
	if err != nil {
		return nil, err
	}
	tsas, revocation := authorities(a)
	return signing.NewSealer(signing.Config{Key: key, Roots: a.Roots(), Level: signing.BLTA, Now: time.Now, TSAs: tsas, Revocation: revocation})
}

func authorities(a *pki.Authority) ([]signing.TSA, signing.Revocation) {
	return []signing.TSA{{URL: a.TSAURL(), Roots: a.Roots()}}, signing.Revocation{Hosts: []string{a.Host()}}
}
