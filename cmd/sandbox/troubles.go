package main

import (
	"context"
	"crypto/rand"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"text/tabwriter"
	"time"

	"github.com/redis/go-redis/v9"

	"segell/cmd/internal/press"
	"segell/ledger"
	"segell/notify"
	"segell/pki"
	"segell/queue"
	"segell/samples"
	"segell/storage"
	"segell/worker"
)

// troubles breaks things, as life does: what outside Segell can break breaks
// outside, and every failure comes about as it would in earnest. What lasts has a
// file in the folder troubles/: it is there as long as the file is, and whoever
// removes the file mends it.
type troubles struct {
	options
	keys      *keys
	authority *pki.Authority
	seals     *worker.Seals
	store     *store
	redis     redis.UniversalClient
	folder    string

	portal  *httptest.Server // of the client whose callbacks are refused
	refuses atomic.Bool
	secret  string
	good    worker.SealSet // what seals when nothing is broken
	expired worker.SealSet // what seals when a certificate has ended

	press   *press.Press
	issuer  *issuer
	lasting []*lasting
}

// office is the client whose endpoint for callbacks is broken.
const office = "office"

// lasting is a trouble that lasts until it is mended.
type lasting struct {
	name   string        // of its file
	atOnce bool          // it is there from the beginning
	most   time.Duration // it goes away by itself; 0: it does not
	set    func(broken bool)

	broken bool
	since  time.Time
}

// expiredKinds are the kinds that a certificate of their own seals, which ends.
var expiredKinds = []string{"points_extract", "travel_form"}

func newTroubles(o options, k *keys, authority *pki.Authority, seals *worker.Seals, store *store, client redis.UniversalClient) (*troubles, error) {
	t := &troubles{options: o, keys: k, authority: authority, seals: seals, store: store, redis: client, folder: filepath.Join(o.dir, "troubles")}
	var err error
	if t.secret, err = notify.NewSecret(rand.Reader); err != nil {
		return nil, err
	}
	if err := t.certificates(); err != nil {
		return nil, err
	}
	t.portal = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		_, _ = io.Copy(io.Discard, r.Body)
		if t.refuses.Load() {
			w.WriteHeader(http.StatusGone)
			return
		}
		w.WriteHeader(http.StatusNoContent)
	}))
	t.refuses.Store(true)
	t.lasting = []*lasting{
		{name: "certificate", atOnce: true, set: func(broken bool) {
			if broken {
				t.seals.Use(t.expired)
			} else {
				t.seals.Use(t.good)
			}
		}},
		{name: "callbacks", atOnce: true, set: t.refuses.Store},
		{name: "tsa", atOnce: true, most: 3 * time.Minute, set: func(broken bool) {
			if broken {
				t.authority.Misbehave(pki.WrongImprint)
			} else {
				t.authority.Misbehave(pki.Behave)
			}
		}},
		{name: "storage", most: 3 * time.Minute, set: func(broken bool) { t.store.refuses.Store(broken) }},
	}
	return t, nil
}

func (t *troubles) close() { t.portal.Close() }

// callbacks is the configuration of the client whose endpoint refuses.
func (t *troubles) callbacks() notify.Endpoints {
	text, err := json.Marshal(map[string]any{office: map[string]any{"url": t.portal.URL, "secrets": []string{t.secret}, "events": []string{string(ledger.EventIssued)},
		"allow_http": true, "allow_networks": []string{"127.0.0.0/8"}}})
	if err != nil {
		panic(err) // of strings alone
	}
	endpoints, err := notify.ReadEndpoints(text)
	if err != nil {
		panic(err) // of our own making
	}
	return endpoints
}

// certificates makes what seals in earnest, and the same with a certificate for
// some kinds that ends in a moment.
func (t *troubles) certificates() error {
	leaf, err := t.authority.ShortLived(pki.P256, time.Now().Add(2*time.Second))
	if err != nil {
		return err
	}
	good, err := newSealer(t.authority, t.authority.Seal())
	if err != nil {
		return err
	}
	old, err := newSealer(t.authority, leaf)
	if err != nil {
		return err
	}
	t.good = worker.SealSet{Default: good}
	t.expired = worker.SealSet{Default: good, Kinds: map[string]worker.Sealer{}}
	for _, kind := range expiredKinds {
		t.expired.Kinds[kind] = old
	}
	return nil
}

// run makes the troubles, tells of them, and keeps them as their files say until
// ctx ends.
func (t *troubles) run(ctx context.Context, p *press.Press, api string) error {
	t.press = p
	t.issuer = newIssuer(api, t.keys.token, "", io.Discard)
	if err := os.MkdirAll(t.folder, 0o755); err != nil {
		return err
	}
	for _, l := range t.lasting {
		if l.atOnce && l.name != "tsa" { // while no time-stamp is made nothing else could fail
			if err := t.touch(l.name); err != nil {
				return err
			}
		}
	}
	t.follow()
	fmt.Fprintln(t.out, "\nBreaking some jobs on purpose, which takes a quarter of a minute …")
	for _, make := range []func(context.Context) error{t.unprintable, t.ruined, t.expiredSeals, t.undelivered, t.paused, t.unstamped} {
		if err := make(ctx); err != nil {
			return fmt.Errorf("making troubles: %w", err)
		}
	}
	t.tell()
	ticker := time.NewTicker(time.Second)
	defer ticker.Stop()
	for {
		select {
		case <-ctx.Done():
			return nil
		case <-ticker.C:
			t.follow()
		}
	}
}

func (t *troubles) path(name string) string { return filepath.Join(t.folder, name) }

func (t *troubles) touch(name string) error {
	return os.WriteFile(t.path(name), []byte("Remove this file, and it is mended.\n"), 0o644)
}

// follow breaks and mends what the files say.
func (t *troubles) follow() {
	for _, l := range t.lasting {
		_, err := os.Stat(t.path(l.name))
		broken := !errors.Is(err, fs.ErrNotExist)
		if broken && l.broken && l.most > 0 && time.Since(l.since) > l.most {
			_ = os.Remove(t.path(l.name)) // else the next second tries again
			broken = false
		}
		if broken == l.broken {
			continue
		}
		l.set(broken)
		if l.broken = broken; broken {
			l.since = time.Now()
		} else if l.name != "storage" || !l.since.IsZero() {
			fmt.Fprintf(t.out, "\nMended: %s.\n", l.name)
		}
		t.log.Info("a trouble of the sandbox", "trouble", l.name, "broken", broken, slog.Duration("goes_away_within", l.most))
	}
}

// ask asks for a document as the portal does, and returns the id of the request.
func (t *troubles) ask(ctx context.Context, token, kind string, body []byte) (string, error) {
	asker := *t.issuer
	asker.token = token
	order := &order{kind: kind, body: body}
	if err := asker.submitAs(ctx, order, "trouble-"+rand.Text()); err != nil {
		return "", err
	}
	return order.id, nil
}

// many asks for the standard sample of a kind, n times.
func (t *troubles) many(ctx context.Context, token, kind string, n int) (ids []string, err error) {
	for range n {
		id, err := t.ask(ctx, token, kind, standard(kind))
		if err != nil {
			return nil, err
		}
		ids = append(ids, id)
	}
	return ids, nil
}

func standard(kind string) []byte {
	for sample := range samples.All() {
		if sample.Kind == kind && sample.Name == samples.Standard {
			return sample.Body
		}
	}
	panic("there is no sample of " + kind)
}

// failed waits until every request was given up.
func (t *troubles) failed(ctx context.Context, ids ...string) error {
	return t.eventually(ctx, "failed", ids, func(id string) error {
		_, err := t.press.Ledger.Failure(ctx, id)
		return err
	})
}

// eventually waits until the ledger has something of every request.
func (t *troubles) eventually(ctx context.Context, what string, ids []string, look func(id string) error) error {
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	for _, id := range ids {
		for {
			err := look(id)
			if err == nil {
				break
			}
			if !errors.Is(err, ledger.ErrNotFound) {
				return err
			}
			select {
			case <-ctx.Done():
				return fmt.Errorf("%s is not %s", id, what)
			case <-time.After(50 * time.Millisecond):
			}
		}
	}
	return nil
}

// unprintable asks for documents in which a name has a letter that no font has.
func (t *troubles) unprintable(ctx context.Context) error {
	body := standard("coverage_certificate")
	var whole struct {
		Holder struct {
			FullName string `json:"full_name"`
		} `json:"holder"`
	}
	if err := json.Unmarshal(body, &whole); err != nil {
		return err
	}
	spoiled := []byte(strings.ReplaceAll(string(body), whole.Holder.FullName, whole.Holder.FullName+" \U00013000"))
	for range 3 {
		id, err := t.ask(ctx, t.keys.token, "coverage_certificate", spoiled)
		if err == nil {
			err = t.failed(ctx, id)
		}
		if err != nil {
			return err
		}
	}
	return nil
}

// ruined has a request of which workers died, and one that was damaged where it
// lies. Both are asked for while their kind is paused, so that no worker has them.
func (t *troubles) ruined(ctx context.Context) error {
	const kind = "work_history"
	if err := t.pause(ctx, kind, "the sandbox prepares a trouble"); err != nil {
		return err
	}
	poisoned, err := t.held(ctx, kind)
	if err != nil {
		return err
	}
	damaged, err := t.held(ctx, kind)
	if err != nil {
		return err
	}
	if err := t.poison(ctx, poisoned); err != nil {
		return err
	}
	if err := t.damage(ctx, damaged); err != nil {
		return err
	}
	if _, err := t.press.Ledger.Resume(ctx, ledger.PauseKind, kind); err != nil {
		return err
	}
	return t.failed(ctx, damaged)
}

// poison gives a request the marks that dead workers leave, so that it ends in
// quarantine; the job that was put aside is over, as it would be then.
func (t *troubles) poison(ctx context.Context, id string) error {
	if err := t.press.Queue.Isolate(ctx, id, queue.Progress{Step: string(ledger.StageRender)}); err != nil {
		return err
	}
	// It runs in a second; until then it gets the mark.
	if err := t.redis.HSet(ctx, "asynq:{"+queue.Quarantine+"}:t:"+id, "segell-deaths", queue.DeathsMost).Err(); err != nil {
		return err
	}
	if err := t.press.Queue.Remove(ctx, id, queue.Interactive); err != nil {
		return err
	}
	return t.failed(ctx, id)
}

// damage changes a byte of a request where it lies.
func (t *troubles) damage(ctx context.Context, id string) error {
	for info, err := range t.store.List(ctx, "requests/", "") {
		if err != nil {
			return err
		}
		if !strings.HasSuffix(info.Key, id) {
			continue
		}
		object, err := t.store.Get(ctx, info.Key)
		if err != nil {
			return err
		}
		object.Body[len(object.Body)/2] ^= 1
		_, err = t.store.Replace(ctx, info.Key, object.ETag, object.Body, storage.Put{Metadata: object.Metadata})
		return err
	}
	return fmt.Errorf("the request %s is not in the bucket", id)
}

// pause halts a kind, and waits until workers know.
func (t *troubles) pause(ctx context.Context, kind, why string) error {
	if err := t.press.Ledger.Pause(ctx, ledger.Pause{Scope: ledger.PauseKind, Name: kind, Who: "sandbox", Why: why}); err != nil {
		return err
	}
	select {
	case <-ctx.Done():
		return ctx.Err()
	case <-time.After(6 * time.Second): // they look every five
		return nil
	}
}

// held asks for a document of a kind that is paused, and returns the id of the
// request when a worker has put it aside. One that came before a worker knew of
// the pause is made, and another is asked for.
func (t *troubles) held(ctx context.Context, kind string) (string, error) {
	for {
		id, err := t.ask(ctx, t.keys.token, kind, standard(kind))
		if err != nil {
			return "", err
		}
		aside := false
		err = t.eventually(ctx, "put aside", []string{id}, func(id string) error {
			if aside = t.redis.ZScore(ctx, "asynq:{"+queue.Interactive+"}:retry", id).Err() == nil; aside {
				return nil
			}
			_, err := t.press.Ledger.Record(ctx, id)
			return err
		})
		if err != nil || aside {
			return id, err
		}
	}
}

// expiredSeals asks for many documents of kinds whose certificate has ended.
func (t *troubles) expiredSeals(ctx context.Context) error {
	for i, n := range []int{24, 12} {
		ids, err := t.many(ctx, t.keys.token, expiredKinds[i], n)
		if err == nil {
			err = t.failed(ctx, ids...)
		}
		if err != nil {
			return err
		}
	}
	return nil
}

// undelivered has a client that cannot be told of its documents.
func (t *troubles) undelivered(ctx context.Context) error {
	ids, err := t.many(ctx, t.keys.office, "student_certificate_under25", 3)
	if err != nil {
		return err
	}
	return t.eventually(ctx, "issued", ids, func(id string) error {
		_, err := t.press.Ledger.Record(ctx, id)
		return err
	})
}

// paused leaves a kind paused, and a request that waits for it.
func (t *troubles) paused(ctx context.Context) error {
	if err := t.pause(ctx, "income_extract", "the figures of last year are being corrected"); err != nil {
		return err
	}
	for range 2 {
		if _, err := t.held(ctx, "income_extract"); err != nil {
			return err
		}
	}
	return nil
}

// unstamped has documents wait for a time-stamping authority that lies.
func (t *troubles) unstamped(ctx context.Context) error {
	if err := t.touch("tsa"); err != nil {
		return err
	}
	t.follow()
	_, err := t.many(ctx, t.keys.token, "coverage_certificate", 6)
	return err
}

// tell says what is broken and how each is mended.
func (t *troubles) tell() {
	remove := func(name string) string { return "rm " + t.shown(t.path(name)) }
	fmt.Fprint(t.out, "\nBroken on purpose, for the console to show:\n\n")
	table := tabwriter.NewWriter(t.out, 0, 4, 3, ' ', 0)
	for _, row := range [][2]string{
		{"36 requests failed: the certificate that seals two kinds has ended", remove("certificate") + ", then retry the cause in the console; act asks, act2 approves"},
		{"3 requests failed: a letter that no font has", "cancel them (they cannot be made): the portal must ask again"},
		{"1 request failed: it was damaged in the bucket", "cancel it, likewise"},
		{"1 request failed: workers died of it", "retry it: this time it goes well"},
		{"3 callbacks were refused by the client \"" + office + "\"", remove("callbacks") + ", then send them again under Callbacks"},
		{"income extracts are paused, and two wait", "resume the kind under Work"},
		{"all workers rest and 6 requests wait: the time-stamping authority lies", remove("tsa") + ", or wait three minutes: it goes on by itself"},
		{"not yet broken: a store that refuses documents", "touch " + t.shown(t.path("storage")) + " breaks it for three minutes, or until it is removed"},
	} {
		fmt.Fprintf(table, "  %s\t%s\n", row[0], row[1])
	}
	_ = table.Flush() // what the output does not take nobody reads
	fmt.Fprintf(t.out, "\nThe log is in %s (with -v, here).\n", t.shown(filepath.Join(t.dir, logName)))
}

// shown is a path as it can be typed where the sandbox was started.
func (t *troubles) shown(path string) string {
	if relative, err := filepath.Rel(t.here, path); err == nil && !strings.HasPrefix(relative, "..") {
		path = relative
	}
	if strings.ContainsAny(path, " '\"$`\\") {
		return "'" + strings.ReplaceAll(path, "'", `'\''`) + "'"
	}
	return path
}
