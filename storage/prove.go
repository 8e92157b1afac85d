package storage

import (
	"bytes"
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"io"
	"net/http"
	"slices"
	"strings"
	"sync"
	"time"
)

// ErrUnfit says that a bucket does not keep what Segell relies on. Nothing may be accepted with it.
var ErrUnfit = errors.New("the bucket does not keep what Segell relies on")

// Proof is what was seen of a bucket, a line per property.
type Proof struct {
	Properties []Property `json:"properties"`
}

// Property is one thing that a bucket must keep.
type Property struct {
	Name   string        `json:"name"`
	OK     bool          `json:"ok"`
	Detail string        `json:"detail"` // what was seen
	Took   time.Duration `json:"took"`
}

// OK reports whether every property holds and there is at least one.
func (p Proof) OK() bool {
	return len(p.Properties) > 0 && !slices.ContainsFunc(p.Properties, func(p Property) bool { return !p.OK })
}

const (
	racers = 32
	rounds = 4 // of each race: a server that decides by luck must be lucky every time
)

// Prove tries whether a bucket keeps what the ledger relies on: conditional writes under 32 racing writers, reads and
// listings that see every acknowledged write at once, listings in order, metadata, and presigned addresses where their
// endpoint can be reached from here. It takes a few hundred small operations under probe/, and removes what it wrote.
//
// The error is [ErrUnfit] when a property does not hold (the Proof says which), or what the store answered when it could
// not be tried to the end. That an acknowledged write survives a power cut cannot be proved from here: ask the provider.
func Prove(ctx context.Context, b *Bucket) (proof Proof, err error) {
	p := prover{b: b, root: "probe/" + strings.ToLower(rand.Text()) + "/"}
	defer func() {
		// Also after a cancellation; what could not be removed is a handful of objects that nothing reads.
		clean, cancel := context.WithTimeout(context.WithoutCancel(ctx), b.timeout)
		defer cancel()
		p.remove(clean)
	}()
	for _, property := range []struct {
		name string
		try  func(context.Context) (string, error)
	}{
		{"of 32 racing creates exactly one wins", p.createRace},
		{"of 32 racing replaces of one ETag exactly one wins", p.replaceRace},
		{"a replace of what is gone is refused", p.replaceGone},
		{"a read sees the last write and the last delete", p.readAfterWrite},
		{"a listing sees the last write and the last delete", p.listAfterWrite},
		{"a listing is in the order of the bytes, in pages, from any key on", p.listOrder},
		{"metadata comes back as written", p.metadata},
		{"a presigned address gives the object and no other", p.presign},
	} {
		start := time.Now()
		detail, err := property.try(ctx)
		var seen *violation
		switch {
		case errors.As(err, &seen):
			detail = seen.detail
		case err != nil:
			return proof, fmt.Errorf("storage: trying whether %s: %w", property.name, err)
		}
		proof.Properties = append(proof.Properties, Property{property.name, seen == nil, detail, time.Since(start)})
	}
	if !proof.OK() {
		var names []string
		for _, property := range proof.Properties {
			if !property.OK {
				names = append(names, property.Name+": "+property.Detail)
			}
		}
		return proof, fmt.Errorf("storage: %w: not true that %s", ErrUnfit, strings.Join(names, "; not true that "))
	}
	return proof, nil
}

// violation is what was seen where a property does not hold.
type violation struct{ detail string }

func (v *violation) Error() string { return v.detail }

func violated(format string, args ...any) error { return &violation{fmt.Sprintf(format, args...)} }

type prover struct {
	b    *Bucket
	root string

	mu      sync.Mutex
	written []string
}

func (p *prover) key(name string) string {
	key := p.root + name
	p.mu.Lock()
	defer p.mu.Unlock()
	p.written = append(p.written, key)
	return key
}

func (p *prover) remove(ctx context.Context) {
	var wg sync.WaitGroup
	slots := make(chan struct{}, 8)
	for _, key := range p.written {
		slots <- struct{}{}
		wg.Go(func() {
			defer func() { <-slots }()
			_ = p.b.Delete(ctx, key)
		})
	}
	wg.Wait()
}

// race lets 32 writers write at once, each its own content and only once, and returns the ETag of the only winner.
func (p *prover) race(ctx context.Context, key, op string, c condition, lost error) error {
	c.once = true
	// No content twice: an ETag often is a digest of it, and would hold again.
	nonce := rand.Text()
	content := func(writer int) string { return fmt.Sprintf("writer %d %s", writer, nonce) }
	type result struct {
		etag string
		err  error
	}
	results := make([]result, racers)
	var ready, done sync.WaitGroup
	start := make(chan struct{})
	for i := range racers {
		ready.Add(1)
		done.Go(func() {
			ready.Done()
			<-start
			results[i].etag, results[i].err = p.b.put(ctx, op, key, []byte(content(i)), Put{}, c)
		})
	}
	ready.Wait()
	close(start)
	done.Wait()

	winner, wins := 0, 0
	var trouble error
	for i, r := range results {
		var f *Failure
		switch {
		case r.err == nil:
			winner, wins = i, wins+1
		case errors.Is(r.err, lost), errors.As(r.err, &f) && f.Status == http.StatusConflict:
			// 409 is an honest loss: another write was under way.
		default:
			trouble = r.err
		}
	}
	if wins > 1 {
		return violated("%d of %d writers were told that they had won", wins, racers)
	}
	if trouble != nil {
		return trouble // a lost reply may be the winner's: no verdict
	}
	if wins == 0 {
		return violated("none of %d writers won", racers)
	}
	got, err := p.b.Get(ctx, key)
	if err != nil {
		return err
	}
	if string(got.Body) != content(winner) || got.ETag != results[winner].etag {
		return violated("what is there is not what the winner wrote")
	}
	return nil
}

func (p *prover) createRace(ctx context.Context) (string, error) {
	for round := range rounds {
		if err := p.race(ctx, p.key(fmt.Sprintf("create/%d", round)), "create", condition{absent: true}, ErrExists); err != nil {
			return "", err
		}
	}
	return fmt.Sprintf("%d rounds", rounds), nil
}

func (p *prover) replaceRace(ctx context.Context) (string, error) {
	key := p.key("replace")
	etag, err := p.b.Create(ctx, key, []byte("first"), Put{})
	if err != nil {
		return "", err
	}
	for range rounds {
		if err := p.race(ctx, key, "replace", condition{etag: etag}, ErrChanged); err != nil {
			return "", err
		}
		info, err := p.b.Head(ctx, key)
		if err != nil {
			return "", err
		}
		if info.ETag == etag {
			return "", violated("the ETag is the same for another content")
		}
		etag = info.ETag
	}
	return fmt.Sprintf("%d rounds", rounds), nil
}

func (p *prover) replaceGone(ctx context.Context) (string, error) {
	key := p.key("gone")
	etag, err := p.b.Create(ctx, key, []byte("x"), Put{})
	if err != nil {
		return "", err
	}
	if err := p.b.Delete(ctx, key); err != nil {
		return "", err
	}
	switch _, err := p.b.Replace(ctx, key, etag, []byte("y"), Put{}); {
	case err == nil:
		return "", violated("an object came into being by a replace")
	case !errors.Is(err, ErrChanged):
		return "", err
	}
	return "refused", nil
}

func (p *prover) readAfterWrite(ctx context.Context) (string, error) {
	const objects = 16
	for i := range objects {
		key := p.key(fmt.Sprintf("read/%d", i))
		etag, err := p.b.Create(ctx, key, []byte("one"), Put{})
		if err != nil {
			return "", err
		}
		for _, content := range []string{"one", "two"} {
			if content == "two" {
				if etag, err = p.b.Replace(ctx, key, etag, []byte(content), Put{}); err != nil {
					return "", err
				}
			}
			got, err := p.b.Get(ctx, key)
			if err != nil && !errors.Is(err, ErrNotFound) {
				return "", err
			}
			if err != nil || string(got.Body) != content || got.ETag != etag {
				return "", violated("a read did not see an acknowledged write")
			}
			info, err := p.b.Head(ctx, key)
			if err != nil && !errors.Is(err, ErrNotFound) {
				return "", err
			}
			if err != nil || info.ETag != etag || info.Size != int64(len(content)) {
				return "", violated("a head did not see an acknowledged write")
			}
		}
		if err := p.b.Delete(ctx, key); err != nil {
			return "", err
		}
		if _, err := p.b.Get(ctx, key); err == nil {
			return "", violated("a read saw a deleted object")
		} else if !errors.Is(err, ErrNotFound) {
			return "", err
		}
	}
	return fmt.Sprintf("%d objects", objects), nil
}

func (p *prover) listAfterWrite(ctx context.Context) (string, error) {
	const objects = 16
	prefix := p.root + "list/"
	for i := range objects {
		etag, err := p.b.Create(ctx, p.key(fmt.Sprintf("list/%02d", i)), []byte("x"), Put{})
		if err != nil {
			return "", err
		}
		n, last := 0, Info{}
		for info, err := range p.b.List(ctx, prefix, "") {
			if err != nil {
				return "", err
			}
			n, last = n+1, info
		}
		if n != i+1 || last.ETag != etag || last.Size != 1 {
			return "", violated("a listing did not see an acknowledged write")
		}
	}
	for i := range objects {
		if err := p.b.Delete(ctx, fmt.Sprintf("%slist/%02d", p.root, i)); err != nil {
			return "", err
		}
		n := 0
		for _, err := range p.b.List(ctx, prefix, "") {
			if err != nil {
				return "", err
			}
			n++
		}
		if n != objects-i-1 {
			return "", violated("a listing saw a deleted object")
		}
	}
	return fmt.Sprintf("%d objects", objects), nil
}

func (p *prover) listOrder(ctx context.Context) (string, error) {
	names := []string{"A", "Z", "a", "a!", "a-b", "a.b", "a0", "a_b", "d-1/x", "d/x", "d/y", "d0/x", "z", "à"}
	// Written in another order than they are listed in.
	for i := range names {
		if _, err := p.b.Create(ctx, p.key("order/"+names[(i*5)%len(names)]), []byte("x"), Put{}); err != nil {
			return "", err
		}
	}
	small := *p.b
	small.pageSize = 3
	prefix := p.root + "order/"
	for start := range len(names) + 1 {
		after := ""
		if start > 0 {
			after = prefix + names[start-1]
		}
		var got []string
		for info, err := range small.List(ctx, prefix, after) {
			var f *Failure
			switch {
			case errors.As(err, &f), err != nil && ctx.Err() != nil:
				return "", err
			case err != nil:
				return "", violated("the keys are not in order")
			}
			got = append(got, strings.TrimPrefix(info.Key, prefix))
		}
		if !slices.Equal(got, names[start:]) {
			return "", violated("after the key %q of %q came %q", after[min(len(after), len(prefix)):], names, got)
		}
	}
	return fmt.Sprintf("%d keys, pages of 3", len(names)), nil
}

func (p *prover) metadata(ctx context.Context) (string, error) {
	key := p.key("metadata")
	want := map[string]string{"key-id": "1 2;3=\"4\"", "sha256": strings.Repeat("0f", 32)}
	if _, err := p.b.Create(ctx, key, []byte("x"), Put{ContentType: "application/pdf", Metadata: want}); err != nil {
		return "", err
	}
	info, err := p.b.Head(ctx, key)
	if err != nil {
		return "", err
	}
	for name, value := range want {
		if info.Metadata[name] != value {
			return "", violated("the value of %s is not what was written", name)
		}
	}
	return "", nil
}

func (p *prover) presign(ctx context.Context) (string, error) {
	key := p.key("presign")
	want := []byte("%PDF-1.7 probe")
	if _, err := p.b.Create(ctx, key, want, Put{ContentType: "application/pdf"}); err != nil {
		return "", err
	}
	address, err := p.b.Presign(ctx, key, 30*time.Second, Download{FileName: "probe à.pdf"})
	if err != nil {
		return "", err
	}
	client := http.Client{Transport: p.b.transport, Timeout: min(p.b.timeout, 5*time.Second)}
	fetch := func(address string) (int, http.Header, []byte, error) {
		request, err := http.NewRequestWithContext(ctx, http.MethodGet, address, nil)
		if err != nil {
			return 0, nil, nil, err
		}
		response, err := client.Do(request)
		if err != nil {
			return 0, nil, nil, err
		}
		defer response.Body.Close()
		body, err := io.ReadAll(io.LimitReader(response.Body, 1<<16))
		return response.StatusCode, response.Header, body, err
	}
	status, header, body, err := fetch(address)
	if ctx.Err() != nil {
		return "", ctx.Err()
	}
	if err != nil {
		// Browsers may reach what the servers cannot; the address itself stays out of the detail.
		return "not tried: the public endpoint cannot be reached from here", nil
	}
	switch {
	case status != http.StatusOK || !bytes.Equal(body, want):
		return "", violated("fetching it gave HTTP %d", status)
	case header.Get("Content-Disposition") != (Download{FileName: "probe à.pdf"}).Disposition():
		return "", violated("the file name is not the one asked for")
	}
	forged := strings.Replace(address, "/presign?", "/metadata?", 1)
	if status, _, _, err = fetch(forged); err != nil {
		return "", violated("a second fetch failed")
	}
	if status/100 == 2 {
		return "", violated("it opens another object as well")
	}
	return "fetched", nil
}
