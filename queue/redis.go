package queue

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/redis/go-redis/v9"
)

// go-redis writes lines of its own to stderr for errors that it returns as well.
func init() { redis.SetLogger(silent{}) }

type silent struct{}

func (silent) Printf(context.Context, string, ...any) {}

// Open returns a go-redis client for a URL such as redis://user:secret@host:6379/0,
// rediss:// for TLS. It does not connect. Its timeouts are short because the
// door never needs Redis to accept a request.
func Open(url string) (redis.UniversalClient, error) {
	options, err := redis.ParseURL(url)
	if err != nil {
		return nil, errors.New("not an address of Redis: redis://[user:password@]host:port[/database] is expected, rediss:// for TLS")
	}
	options.DialTimeout = 2 * time.Second
	options.ReadTimeout = 3 * time.Second
	options.WriteTimeout = 3 * time.Second
	options.MaxRetries = 1
	options.DialerRetries = 1 // five, with pauses, would keep the door waiting
	options.PoolSize = 64
	return redis.NewClient(options), nil
}

// ErrEvicts says that a Redis would throw jobs away when its memory is full.
var ErrEvicts = errors.New("redis evicts: set maxmemory-policy to noeviction")

// Server is what matters to Segell of how a Redis is set up.
type Server struct {
	Version   string
	Policy    string // maxmemory-policy
	MaxMemory int64  // bytes, 0: no limit
	AOF       bool   // whether it writes what it holds to disk
}

// Check asks a Redis how it is set up, and refuses one that evicts (ErrEvicts):
// with an evicting policy jobs vanish without an error anywhere.
func Check(ctx context.Context, client redis.UniversalClient) (Server, error) {
	server, memory := map[string]string{}, map[string]string{}
	persistence := map[string]string{}
	for section, into := range map[string]map[string]string{"server": server, "memory": memory, "persistence": persistence} {
		text, err := client.Info(ctx, section).Result()
		if err != nil {
			return Server{}, fmt.Errorf("%w: %w", ErrAway, err)
		}
		for line := range strings.Lines(text) {
			if name, value, ok := strings.Cut(strings.TrimSpace(line), ":"); ok {
				into[name] = value
			}
		}
	}
	s := Server{Version: server["redis_version"], Policy: memory["maxmemory_policy"], AOF: persistence["aof_enabled"] == "1"}
	s.MaxMemory, _ = strconv.ParseInt(memory["maxmemory"], 10, 64)
	switch s.Policy {
	case "noeviction":
		return s, nil
	case "":
		return s, errors.New("redis does not say its maxmemory-policy: it must be noeviction")
	default:
		return s, fmt.Errorf("%w (it is %s)", ErrEvicts, s.Policy)
	}
}

func memory(ctx context.Context, client redis.UniversalClient) (used, most int64, err error) {
	text, err := client.Info(ctx, "memory").Result()
	if err != nil {
		return 0, 0, err
	}
	for line := range strings.Lines(text) {
		name, value, _ := strings.Cut(strings.TrimSpace(line), ":")
		switch name {
		case "used_memory":
			used, err = strconv.ParseInt(value, 10, 64)
		case "maxmemory":
			most, err = strconv.ParseInt(value, 10, 64)
		}
		if err != nil {
			return 0, 0, err
		}
	}
	return used, most, nil
}

// Lease is the right of one process to do what only one should do at a time.
// Nothing depends on it for being right, only for not being done twice.
type Lease struct {
	client redis.UniversalClient
	key    string
	holder string
}

// NewLease names a lease and who asks for it.
func NewLease(client redis.UniversalClient, name, holder string) *Lease {
	return &Lease{client: client, key: "segell:lease:" + name, holder: holder}
}

var renewLease = redis.NewScript(`
local holder = redis.call("GET", KEYS[1])
if holder == false or holder == ARGV[1] then
  redis.call("SET", KEYS[1], ARGV[1], "PX", ARGV[2])
  return 1
end
return 0`)

// Take takes or renews the lease for d and reports whether it is ours.
func (l *Lease) Take(ctx context.Context, d time.Duration) (bool, error) {
	got, err := renewLease.Run(ctx, l.client, []string{l.key}, l.holder, d.Milliseconds()).Int()
	if err != nil {
		return false, fmt.Errorf("%w: %w", ErrAway, err)
	}
	return got == 1, nil
}

var dropLease = redis.NewScript(`if redis.call("GET", KEYS[1]) == ARGV[1] then return redis.call("DEL", KEYS[1]) end return 0`)

// Drop gives the lease back, if it is ours.
func (l *Lease) Drop(ctx context.Context) {
	_ = dropLease.Run(ctx, l.client, []string{l.key}, l.holder).Err()
}
