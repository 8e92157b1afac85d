// Command sandbox is Segell whole on one machine with nothing but Go: an
// embedded Redis, an embedded S3 server kept on disk, a throw-away PKI with its
// own time-stamping authority, and the very same intake, worker and verification
// that production runs. It issues every sample and stays up.
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

	"segell/cmd/internal/press"
	"segell/pki"
	"segell/signing"
	"segell/storage"
)

func main() { os.Exit(run(os.Args[1:], os.Stdout, os.Stderr)) }

func run(args []string, stdout, stderr io.Writer) int {
	flags := flag.NewFlagSet("sandbox", flag.ContinueOnError)
	flags.SetOutput(stderr)
	once := flags.Bool("once", false, "issue the samples and exit: 0 if all were issued")
	dir := flags.String("dir", "sandbox-data", "`folder` that keeps everything; remove it to start anew")
	listen := flags.String("listen", "127.0.0.1:8642", "loopback `address` of the API and the verification pages; port 0 takes a free one")
	verbose := flags.Bool("v", false, "log what Segell does")
	if err := flags.Parse(args); err != nil {
		if errors.Is(err, flag.ErrHelp) {
			return 0
		}
		return 2
	}
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	level := slog.LevelWarn
	if *verbose {
		level = slog.LevelInfo
	}
	log := slog.New(slog.NewTextHandler(stderr, &slog.HandlerOptions{Level: level}))
	err := sandbox(ctx, options{dir: *dir, listen: *listen, once: *once, out: stdout, log: log})
	if err != nil && !errors.Is(err, errDone) {
		fmt.Fprintln(stderr, "sandbox:", err)
		return 1
	}
	return 0
}

type options struct {
	dir, listen string
	once        bool
	out         io.Writer
	log         *slog.Logger
}

// errDone ends the group of servers when -once has issued everything.
var errDone = errors.New("done")

func sandbox(ctx context.Context, o options) error {
	dir, err := filepath.Abs(o.dir) // the S3 server changes the working directory
	if err != nil {
		return err
	}
	host, _, err := net.SplitHostPort(o.listen)
	if ip := net.ParseIP(host); err != nil || ip == nil || !ip.IsLoopback() {
		return fmt.Errorf("-listen %s: the sandbox serves on loopback only, such as 127.0.0.1:8642", o.listen)
	}
	listener, err := net.Listen("tcp", o.listen)
	if err != nil {
		return fmt.Errorf("-listen: %w (choose another address with -listen 127.0.0.1:PORT)", err)
	}
	publicURL := "http://" + listener.Addr().String()
	k, err := openKeys(filepath.Join(dir, "keys"))
	if err != nil {
		return err
	}
	authority, err := pki.New(filepath.Join(dir, "pki"), pki.Options{})
	if err != nil {
		return err
	}
	defer authority.Close()
	sealer, err := newSealer(authority)
	if err != nil {
		return err
	}
	redis, stopRedis, err := startRedis()
	if err != nil {
		return err
	}
	defer stopRedis()

	group, ctx := errgroup.WithContext(ctx)
	bucket, err := startS3(ctx, group, dir, k)
	if err != nil {
		return err
	}
	if _, err := storage.Prove(ctx, bucket); err != nil {
		return fmt.Errorf("the embedded S3 server does not keep its promises: %w", err)
	}
	p, err := press.New(press.Parts{
		Bucket: bucket, Redis: redis, Keyset: k.keyset, HMACKey: k.hmac, Log: o.log, Now: time.Now,
		PublicURL: publicURL, Institution: "Caixa Andorrana de Seguretat Social", Version: "sandbox",
		Tokens: k.tokens, Sealer: sealer, Proof: true, CheckInterval: 10 * time.Millisecond, ShutdownWithin: 5 * time.Second,
	})
	if err != nil {
		return err
	}
	handler, beside, err := p.Doors()
	if err != nil {
		return err
	}
	worker, err := p.Worker()
	if err != nil {
		return err
	}
	group.Go(func() error { return press.Serve(ctx, listener, handler, o.log) })
	group.Go(func() error { beside(ctx); return nil })
	group.Go(func() error { return worker.Run(ctx) })
	group.Go(func() error {
		issuer := &issuer{api: publicURL, token: k.token, dir: filepath.Join(dir, "issued"), out: o.out}
		if err := issuer.all(ctx); err != nil {
			return err
		}
		if o.once {
			return errDone
		}
		fmt.Fprintf(o.out, "\nSegell is up until you press Ctrl-C.\n"+
			"  API             %s/v1/documents/coverage_certificate\n"+
			"  token           %s\n"+
			"  verification    %s/v\n"+
			"  trust root      %s\n"+
			"  kept in         %s\n", publicURL, k.token, publicURL, authority.RootPEM(), dir)
		return nil
	})
	return group.Wait()
}

// newSealer seals with the throw-away PKI, time-stamped by its own authority.
func newSealer(a *pki.Authority) (*signing.Sealer, error) {
	const password = "sandbox" // the file never leaves memory
	p12, err := a.Seal().PKCS12(password)
	if err != nil {
		return nil, err
	}
	key, err := signing.OpenPKCS12(p12, password)
	if err != nil {
		return nil, err
	}
	return signing.NewSealer(signing.Config{Key: key, Roots: a.Roots(), Level: signing.BT,
		TSAs: []signing.TSA{{URL: a.TSAURL(), Roots: a.Roots()}}, Now: time.Now})
}
