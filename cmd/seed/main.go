// Command seed fills an empty bucket with a register as large as one that has been
// in use for a year, so that pages and searches can be tried and measured. Nobody
// in it exists.
//
//	go run ./cmd/seed -n 1000000
//
// It reads the same variables as segell: SEGELL_S3_…, SEGELL_LEDGER_KEYSET,
// SEGELL_LEDGER_HMAC_KEY (or the …_FILE of each), and SEGELL_REDIS_URL, where the
// index is built then. Run it again to go on where it ended.
//
// Of a hundred requests 97 are issued, 2 failed, and 1 waits; those that failed or
// wait are real requests, encrypted, that a worker would take up. Of most issued
// ones there is only the register's entry; every hundredth (-complete) has all that
// an issued document has: the file (a page without value), the code, and its place
// in its holder's history. For every million there are besides 200 bulks that ended,
// 100 callbacks that were given up and 20,000 entries of the audit trail.
package main

import (
	"context"
	"flag"
	"fmt"
	"io"
	"os"
	"os/signal"
	"syscall"
	"time"

	"segell/ledger"
	"segell/storage"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	if err := run(ctx, os.Args[1:], os.Getenv, os.Stdout); err != nil {
		fmt.Fprintln(os.Stderr, "seed:", err)
		os.Exit(1)
	}
}

// run is main with its edges given.
func run(ctx context.Context, args []string, env func(string) string, out io.Writer) error {
	flags := flag.NewFlagSet("seed", flag.ContinueOnError)
	flags.SetOutput(out)
	asked := plan{}
	flags.IntVar(&asked.N, "n", 10_000, "how many requests")
	flags.IntVar(&asked.Days, "days", 365, "over how many days, the last of which is today")
	flags.IntVar(&asked.Complete, "complete", 100, "every how manyth issued document has its file, its code and its place in the history")
	workers := flags.Int("workers", 32, "how many writes go on at a time")
	force := flags.Bool("force", false, "also into a bucket that holds other documents")
	if err := flags.Parse(args); err != nil {
		return err
	}
	if asked.N < 1 || asked.Days < 1 || asked.Complete < 1 || *workers < 1 || asked.N > 10_000_000 {
		return fmt.Errorf("-n must be from 1 to 10000000, and the others at least 1")
	}
	s, err := read(env)
	if err != nil {
		return err
	}
	bucket, err := storage.Open(ctx, s.storage)
	if err != nil {
		return err
	}
	defer bucket.Close()
	if err := bucket.MakeBucket(ctx); err != nil {
		return err
	}
	open := func(now func() time.Time, random io.Reader) (*ledger.Ledger, error) {
		return ledger.New(ledger.Config{Objects: bucket, Keyset: s.keyset, HMACKey: s.hmacKey, Now: now, Random: random})
	}
	f, err := begin(ctx, bucket, open, asked, *force)
	if err != nil {
		return err
	}
	err = f.fill(ctx, *workers, out)
	if err == nil {
		err = f.act(ctx, *workers, out)
	}
	if err != nil {
		return fmt.Errorf("%w (run it again to go on)", err)
	}
	if s.redis == "" {
		fmt.Fprintln(out, "The index is not built: SEGELL_REDIS_URL is not set.")
		return nil
	}
	return buildIndex(ctx, s.redis, f.ledger, out)
}
