package press_test

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"

	"segell/acts"
	"segell/cmd/internal/press"
	"segell/internal/servers"
	"segell/queue"
)

// madeSecrets is what deploy/make-secrets makes, by name. The program that makes
// keys and tokens is a stand-in: only what is Redis's is wanted.
func madeSecrets(t *testing.T) func(name string) string {
	t.Helper()
	dir := t.TempDir()
	script, err := os.ReadFile("../../../deploy/make-secrets")
	if err != nil {
		t.Fatal(err)
	}
	if err := os.MkdirAll(filepath.Join(dir, "deploy"), 0o700); err != nil {
		t.Fatal(err)
	}
	segell := filepath.Join(dir, "segell")
	for path, text := range map[string]string{filepath.Join(dir, "deploy", "make-secrets"): string(script),
		segell: "#!/bin/sh\n[ \"$1\" = keys ] && touch \"$3/keyset.json\" \"$3/hmac-key\"\nexit 0\n"} {
		if err := os.WriteFile(path, []byte(text), 0o700); err != nil {
			t.Fatal(err)
		}
	}
	run := exec.Command("bash", filepath.Join(dir, "deploy", "make-secrets"))
	run.Env = append(os.Environ(), "SEGELL="+segell)
	if words, err := run.CombinedOutput(); err != nil {
		t.Fatalf("deploy/make-secrets: %v\n%s", err, words)
	}
	return func(name string) string {
		t.Helper()
		text, err := os.ReadFile(filepath.Join(dir, "secrets", name))
		if err != nil {
			t.Fatal(err)
		}
		return strings.TrimSpace(string(text))
	}
}

// What deploy/make-secrets allows each account of Redis is what its roles do, and
// no command of theirs is refused: neither jobs nor hints, callbacks, leases, the
// backlog, the index, what workers say of themselves, nor acts on many.
func TestTheAccountsOfRedisMayDoWhatTheirRolesDo(t *testing.T) {
	secret := madeSecrets(t)
	// Here the default account looks on.
	users := filepath.Join(t.TempDir(), "users.acl")
	lines := strings.Replace(secret("redis_users"), "user default off", "user default on nopass ~* &* +@all", 1)
	if err := os.WriteFile(users, []byte(lines+"\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	h := newHouseWith(t, servers.RedisOptions{Args: []string{"--aclfile", users}}, 0)
	looker := redis.NewClient(&redis.Options{Addr: h.redis.Addr()})
	t.Cleanup(func() { looker.Close() })
	as := func(name string) *press.Press {
		t.Helper()
		parts := h.parts
		var err error
		if parts.Redis, err = queue.Open(strings.Replace(secret(name), "redis:6379", h.redis.Addr(), 1)); err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { parts.Redis.Close() })
		p, err := press.New(parts)
		if err != nil {
			t.Fatal(err)
		}
		return p
	}
	during := func(run func(context.Context)) {
		ctx, stop := context.WithCancel(context.Background())
		ended := make(chan struct{})
		go func() { defer close(ended); run(ctx) }()
		t.Cleanup(func() { stop(); <-ended })
	}
	refusals := func() string {
		log, err := looker.ACLLog(t.Context(), 100).Result()
		if err != nil {
			t.Fatal(err)
		}
		var text strings.Builder
		for _, entry := range log {
			fmt.Fprintf(&text, "%s may not %s (%s)\n", entry.Username, entry.Object, entry.Reason)
		}
		return text.String()
	}

	// Doors and worker as segell, the console as console.
	segell := as("redis_url")
	handler, beside, err := segell.Doors()
	if err != nil {
		t.Fatal(err)
	}
	during(beside)
	h.door.Close()
	h.door = httptest.NewServer(handler)
	t.Cleanup(h.door.Close)
	w, err := as("redis_url").Worker()
	if err != nil {
		t.Fatal(err)
	}
	during(func(ctx context.Context) {
		if err := w.Run(ctx); err != nil {
			t.Error(err)
		}
	})
	tell, err := segell.Callbacks()
	if err != nil {
		t.Fatal(err)
	}
	during(func(ctx context.Context) {
		if err := tell(ctx); err != nil {
			t.Error(err)
		}
	})
	during(segell.Upkeep())
	office, err := as("redis_url_console").Console(press.Console{URL: "http://127.0.0.1:8082"})
	if err != nil {
		t.Fatal(err)
	}
	during(office.Run)

	h.issued(h.post(3), time.Minute)
	spoil := strings.Replace(string(standard(t)), "Maria del Carme", "Maria \U00013000", 1) // a hieroglyph, which no font has
	if spoil == string(standard(t)) {
		t.Fatal("the sample has another name")
	}
	var ids []string
	for range 4 {
		status, _, text, err := h.ask("POST", "/v1/documents/coverage_certificate", []byte(spoil))
		var accepted struct{ ID string }
		if err != nil || status != http.StatusAccepted || json.Unmarshal(text, &accepted) != nil {
			t.Fatalf("asking: %d %s %v", status, text, err)
		}
		ids = append(ids, accepted.ID)
	}
	waitUntil(t, "all to fail", func() bool {
		for _, id := range ids {
			if h.state(id) != "failed" {
				return false
			}
		}
		return true
	})
	if err := office.Acts.Retry(t.Context(), clerk, ids[0], acts.WhereItStopped, "once more"); err != nil {
		t.Error(err)
	}
	if _, err := office.Acts.Cancel(t.Context(), clerk, ids[1], "cannot_be_made", "no such letter"); err != nil {
		t.Error(err)
	}
	batch, err := office.Acts.NewBatch()
	if err != nil {
		t.Fatal(err)
	}
	if _, err := office.Acts.Start(t.Context(), clerk, batch, acts.Selection{IDs: ids[2:]}, acts.BulkRetry, "once more"); err != nil {
		t.Error(err)
	}
	waitUntil(t, "the bulk to be done", func() bool {
		bulk, err := office.Acts.Bulk(t.Context(), batch)
		return err == nil && string(bulk.State) == "done"
	})
	waitUntil(t, "the index to hold everything", func() bool {
		condition, err := office.Index.Condition(t.Context())
		return err == nil && condition.Complete && condition.Waiting == 0
	})
	if groups, err := office.Index.Groups(t.Context()); err != nil || len(groups) == 0 {
		t.Errorf("groups %+v, %v", groups, err)
	} else if err := office.Index.Claim(t.Context(), groups[0].ID, "clerk", "A Clerk"); err != nil {
		t.Error(err)
	}
	waitUntil(t, "the console to see that all is well", func() bool {
		for _, part := range office.Health(t.Context()) {
			if part.State != "well" && part.Part != "redis" { // which here writes nothing to disk
				return false
			}
		}
		return true
	})
	if refused := refusals(); refused != "" {
		t.Errorf("Redis refused what a role does:\n%s", refused)
	}

	// What an account is for is all that it may do.
	console, err := redis.ParseURL(strings.Replace(secret("redis_url_console"), "redis:6379", h.redis.Addr(), 1))
	if err != nil {
		t.Fatal(err)
	}
	staff := redis.NewClient(console)
	t.Cleanup(func() { staff.Close() })
	for what, err := range map[string]error{
		"speak for a worker": staff.Set(t.Context(), "segell:worker:x", "{}", time.Second).Err(),
		"write elsewhere":    staff.Set(t.Context(), "other", "x", time.Second).Err(),
		"empty Redis":        staff.FlushAll(t.Context()).Err(),
		"list every key":     staff.Keys(t.Context(), "*").Err(),
		"read the accounts":  staff.Do(t.Context(), "ACL", "LIST").Err(),
	} {
		if !redis.HasErrorPrefix(err, "NOPERM") {
			t.Errorf("the console may %s: %v", what, err)
		}
	}
	if bytes.Contains([]byte(h.log.String()), []byte("NOPERM")) {
		t.Error("the log tells of refusals")
	}
}
