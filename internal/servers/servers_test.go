package servers_test

import (
	"bytes"
	"context"
	"errors"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"

	"segell/internal/servers"
	"segell/storage"
)

func TestRedis(t *testing.T) {
	ctx := t.Context()
	r := servers.NewRedis(t, servers.RedisOptions{AppendOnly: true})
	client := redis.NewClient(&redis.Options{Addr: r.Addr(), DialTimeout: time.Second, ReadTimeout: 200 * time.Millisecond, MaxRetries: -1})
	defer client.Close()

	if err := client.Set(ctx, "k", "v", 0).Err(); err != nil {
		t.Fatal(err)
	}
	if policy := client.ConfigGet(ctx, "maxmemory-policy").Val()["maxmemory-policy"]; policy != "noeviction" {
		t.Errorf("policy = %q", policy)
	}
	r.Pause()
	if err := client.Get(ctx, "k").Err(); err == nil {
		t.Error("a halted server answered")
	}
	r.Continue()
	address := r.Addr()
	r.Kill()
	r.Kill()
	if err := client.Get(ctx, "k").Err(); err == nil {
		t.Error("a killed server answered")
	}
	r.Restart()
	if r.Addr() != address {
		t.Errorf("the port changed from %s to %s", address, r.Addr())
	}
	if got, err := client.Get(ctx, "k").Result(); err != nil || got != "v" {
		t.Errorf("after the restart: %q, %v", got, err)
	}
	r.FlushAll()
	if err := client.Get(ctx, "k").Err(); !errors.Is(err, redis.Nil) {
		t.Errorf("after FlushAll: %v", err)
	}
}

func TestRedisInMemoryForgets(t *testing.T) {
	r := servers.NewRedis(t, servers.RedisOptions{MaxMemory: "64mb"})
	client := redis.NewClient(&redis.Options{Addr: r.Addr()})
	defer client.Close()
	if err := client.Set(t.Context(), "k", "v", 0).Err(); err != nil {
		t.Fatal(err)
	}
	if got := client.ConfigGet(t.Context(), "maxmemory").Val()["maxmemory"]; got != "67108864" {
		t.Errorf("maxmemory = %s", got)
	}
	r.Restart()
	if err := client.Get(t.Context(), "k").Err(); !errors.Is(err, redis.Nil) {
		t.Errorf("after the restart: %v", err)
	}
}

func TestS3(t *testing.T) {
	ctx := t.Context()
	s := servers.NewS3(t)
	b := s.Bucket("segell")
	etag, err := b.Create(ctx, "a/b", []byte("x"), storage.Put{ContentType: "text/plain", Metadata: map[string]string{"level": "B-B"}})
	if err != nil {
		t.Fatal(err)
	}
	s.Kill()
	short := s.Config("segell")
	short.Timeout = 300 * time.Millisecond
	away, err := storage.Open(ctx, short)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := away.Get(ctx, "a/b"); !errors.Is(err, storage.ErrUnavailable) {
		t.Errorf("a killed server: %v", err)
	}
	s.Restart()
	got, err := b.Get(context.Background(), "a/b")
	if err != nil || !bytes.Equal(got.Body, []byte("x")) || got.ETag != etag || got.Metadata["level"] != "B-B" {
		t.Errorf("after the restart: %+v, %v", got, err)
	}
}
