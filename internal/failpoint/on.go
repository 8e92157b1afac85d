//go:build failpoints

package failpoint

import (
	"context"
	"iter"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"time"

	"segell/ledger"
	"segell/storage"
)

// Built tells whether this binary can be made to fail.
const Built = true

var (
	dir  = os.Getenv("SEGELL_FAILPOINTS_DIR")
	role = func() string {
		if len(os.Args) > 1 {
			return os.Args[1]
		}
		return ""
	}()
)

// at ends the process if this step was asked for.
func at(when, what, key string) {
	if dir == "" {
		return
	}
	path := filepath.Join(dir, "kill-"+role)
	step, err := os.ReadFile(path)
	if err != nil {
		return
	}
	folder, _, _ := strings.Cut(key, "/")
	if strings.TrimSpace(string(step)) != when+" "+what+" "+folder {
		return
	}
	// One process takes the file; another that read it goes on.
	if os.Rename(path, path+"."+strconv.Itoa(os.Getpid())) == nil {
		_ = syscall.Kill(os.Getpid(), syscall.SIGKILL)
		select {} // the signal is on its way: nothing more may happen
	}
}

// Objects returns o with a step before and after each of its operations.
func Objects(o ledger.Objects) ledger.Objects { return objects{o} }

type objects struct{ ledger.Objects }

func (o objects) Create(ctx context.Context, key string, body []byte, p storage.Put) (string, error) {
	at("before", "create", key)
	defer at("after", "create", key)
	return o.Objects.Create(ctx, key, body, p)
}

func (o objects) Write(ctx context.Context, key string, body []byte, p storage.Put) (string, error) {
	at("before", "write", key)
	defer at("after", "write", key)
	return o.Objects.Write(ctx, key, body, p)
}

func (o objects) Replace(ctx context.Context, key, etag string, body []byte, p storage.Put) (string, error) {
	at("before", "replace", key)
	defer at("after", "replace", key)
	return o.Objects.Replace(ctx, key, etag, body, p)
}

func (o objects) Get(ctx context.Context, key string) (storage.Object, error) {
	at("before", "get", key)
	defer at("after", "get", key)
	return o.Objects.Get(ctx, key)
}

func (o objects) Head(ctx context.Context, key string) (storage.Info, error) {
	at("before", "head", key)
	defer at("after", "head", key)
	return o.Objects.Head(ctx, key)
}

func (o objects) Delete(ctx context.Context, key string) error {
	at("before", "delete", key)
	defer at("after", "delete", key)
	return o.Objects.Delete(ctx, key)
}

func (o objects) List(ctx context.Context, prefix, after string) iter.Seq2[storage.Info, error] {
	at("before", "list", prefix)
	return o.Objects.List(ctx, prefix, after)
}

var clock struct {
	sync.Mutex
	read  time.Time
	ahead time.Duration
}

// Now is the clock of the machine, moved by what the file clock says.
func Now() time.Time {
	now := time.Now()
	clock.Lock()
	defer clock.Unlock()
	if dir != "" && now.Sub(clock.read) > 20*time.Millisecond {
		clock.read, clock.ahead = now, 0
		if text, err := os.ReadFile(filepath.Join(dir, "clock")); err == nil {
			if d, err := time.ParseDuration(strings.TrimSpace(string(text))); err == nil {
				clock.ahead = d
			}
		}
	}
	// Without the monotonic reading, as a clock that jumps has none.
	return now.Round(0).Add(clock.ahead)
}

// Reconciles tells whether the reconciler may work.
func Reconciles() bool { return os.Getenv("SEGELL_FAILPOINTS_NO_RECONCILER") == "" }
