// Package storagetest holds the conformance suite of object stores, and a store in memory that passes it.
package storagetest

import (
	"bytes"
	"context"
	"crypto/md5"
	"encoding/hex"
	"errors"
	"fmt"
	"iter"
	"maps"
	"net/url"
	"slices"
	"strings"
	"sync"
	"time"

	"segell/storage"
)

// Store is the method set of [storage.Bucket] that the suite tries; the contract is in the comments there.
type Store interface {
	Create(ctx context.Context, key string, body []byte, p storage.Put) (etag string, err error)
	Write(ctx context.Context, key string, body []byte, p storage.Put) (etag string, err error)
	Replace(ctx context.Context, key, etag string, body []byte, p storage.Put) (newETag string, err error)
	Get(ctx context.Context, key string) (storage.Object, error)
	Head(ctx context.Context, key string) (storage.Info, error)
	Delete(ctx context.Context, key string) error
	DeleteVersions(ctx context.Context, key string) error
	List(ctx context.Context, prefix, after string) iter.Seq2[storage.Info, error]
	Folders(ctx context.Context, prefix string) iter.Seq2[string, error]
	Presign(ctx context.Context, key string, expires time.Duration, d storage.Download) (url string, err error)
	Ping(ctx context.Context) error
	MakeBucket(ctx context.Context) error
}

var (
	_ Store = (*storage.Bucket)(nil)
	_ Store = (*Memory)(nil)
)

// Memory is an object store in memory, for unit tests. The zero Memory is empty and ready. It is safe for concurrent use;
// set its fields before.
type Memory struct {
	// Fault is called before an operation takes effect, with its name ("create", "write", "replace", "get", "head",
	// "delete", "delete versions", "list", "folders", "presign", "ping", "make") and its key or prefix. An error is what the operation returns, and
	// nothing happens. Wrap the sentinels of storage. It may call the Memory.
	Fault func(op, key string) error
	// After is called when an operation has taken effect. An error is what the operation returns all the same: the reply is
	// lost.
	After func(op, key string) error
	// Now gives LastModified; time.Now when nil.
	Now func() time.Time

	mu      sync.Mutex
	objects map[string]stored
}

type stored struct {
	storage.Object
	contentType string
}

// do runs an operation between its hooks.
func (m *Memory) do(ctx context.Context, op, key string, act func() error) error {
	if err := ctx.Err(); err != nil {
		return fmt.Errorf("storage: %s: %w", op, err)
	}
	if m.Fault != nil {
		if err := m.Fault(op, key); err != nil {
			return err
		}
	}
	m.mu.Lock()
	err := act()
	m.mu.Unlock()
	if err != nil {
		return fmt.Errorf("storage: %s: %w", op, err)
	}
	if m.After != nil {
		return m.After(op, key)
	}
	return nil
}

func (m *Memory) put(ctx context.Context, op, key string, body []byte, p storage.Put, allowed func(old stored, exists bool) error) (etag string, err error) {
	if err := errors.Join(storage.CheckKey(key), p.Check()); err != nil {
		return "", err
	}
	err = m.do(ctx, op, key, func() error {
		old, exists := m.objects[key]
		if err := allowed(old, exists); err != nil {
			return err
		}
		now := time.Now
		if m.Now != nil {
			now = m.Now
		}
		sum := md5.Sum(body) // as S3 does; the same content has the same ETag
		etag = `"` + hex.EncodeToString(sum[:]) + `"`
		metadata := make(map[string]string, len(p.Metadata))
		maps.Copy(metadata, p.Metadata)
		if m.objects == nil {
			m.objects = map[string]stored{}
		}
		m.objects[key] = stored{storage.Object{Info: storage.Info{Key: key, ETag: etag, Size: int64(len(body)),
			LastModified: now().UTC().Truncate(time.Second), Metadata: metadata}, Body: bytes.Clone(body)}, p.ContentType}
		return nil
	})
	if err != nil {
		return "", err
	}
	return etag, nil
}

// Create: see [storage.Bucket.Create].
func (m *Memory) Create(ctx context.Context, key string, body []byte, p storage.Put) (string, error) {
	return m.put(ctx, "create", key, body, p, func(_ stored, exists bool) error {
		if exists {
			return storage.ErrExists
		}
		return nil
	})
}

// Write: see [storage.Bucket.Write].
func (m *Memory) Write(ctx context.Context, key string, body []byte, p storage.Put) (string, error) {
	return m.put(ctx, "write", key, body, p, func(stored, bool) error { return nil })
}

// Replace: see [storage.Bucket.Replace].
func (m *Memory) Replace(ctx context.Context, key, etag string, body []byte, p storage.Put) (string, error) {
	if etag == "" || etag == "*" {
		return "", errors.New("storage: replace needs the ETag of the object that it replaces")
	}
	return m.put(ctx, "replace", key, body, p, func(old stored, exists bool) error {
		if !exists || old.ETag != etag {
			return storage.ErrChanged
		}
		return nil
	})
}

// Get: see [storage.Bucket.Get].
func (m *Memory) Get(ctx context.Context, key string) (storage.Object, error) {
	return m.read(ctx, "get", key)
}

// Head: see [storage.Bucket.Head].
func (m *Memory) Head(ctx context.Context, key string) (storage.Info, error) {
	object, err := m.read(ctx, "head", key)
	return object.Info, err
}

func (m *Memory) read(ctx context.Context, op, key string) (storage.Object, error) {
	if err := storage.CheckKey(key); err != nil {
		return storage.Object{}, err
	}
	var out storage.Object
	err := m.do(ctx, op, key, func() error {
		object, ok := m.objects[key]
		if !ok {
			return storage.ErrNotFound
		}
		out = object.Object
		out.Body = bytes.Clone(object.Body)
		if out.Body == nil {
			out.Body = []byte{}
		}
		out.Metadata = maps.Clone(object.Metadata)
		return nil
	})
	if err != nil {
		return storage.Object{}, err
	}
	return out, nil
}

// Delete: see [storage.Bucket.Delete].
func (m *Memory) Delete(ctx context.Context, key string) error {
	if err := storage.CheckKey(key); err != nil {
		return err
	}
	return m.do(ctx, "delete", key, func() error {
		delete(m.objects, key)
		return nil
	})
}

// DeleteVersions: see [storage.Bucket.DeleteVersions]. The memory keeps no versions.
func (m *Memory) DeleteVersions(ctx context.Context, key string) error {
	if err := storage.CheckKey(strings.TrimSuffix(key, "/")); err != nil {
		return err
	}
	return m.do(ctx, "delete versions", key, func() error { return nil })
}

// List: see [storage.Bucket.List]. It shows the store as it was when the sequence was begun.
func (m *Memory) List(ctx context.Context, prefix, after string) iter.Seq2[storage.Info, error] {
	return func(yield func(storage.Info, error) bool) {
		var found []storage.Info
		err := m.do(ctx, "list", prefix, func() error {
			for key, object := range m.objects {
				if strings.HasPrefix(key, prefix) && key > after {
					info := object.Info
					info.Metadata = nil
					found = append(found, info)
				}
			}
			return nil
		})
		if err != nil {
			yield(storage.Info{}, err)
			return
		}
		slices.SortFunc(found, func(a, b storage.Info) int { return strings.Compare(a.Key, b.Key) })
		for _, info := range found {
			if !yield(info, nil) {
				return
			}
		}
	}
}

// Folders: see [storage.Bucket.Folders].
func (m *Memory) Folders(ctx context.Context, prefix string) iter.Seq2[string, error] {
	return func(yield func(string, error) bool) {
		found := map[string]bool{}
		err := m.do(ctx, "folders", prefix, func() error {
			for key := range m.objects {
				if rest, ok := strings.CutPrefix(key, prefix); ok {
					if folder, _, inside := strings.Cut(rest, "/"); inside {
						found[prefix+folder+"/"] = true
					}
				}
			}
			return nil
		})
		if err != nil {
			yield("", err)
			return
		}
		for _, folder := range slices.Sorted(maps.Keys(found)) {
			if !yield(folder, nil) {
				return
			}
		}
	}
}

// Presign: see [storage.Bucket.Presign]. The address leads nowhere.
func (m *Memory) Presign(ctx context.Context, key string, expires time.Duration, d storage.Download) (string, error) {
	if err := errors.Join(storage.CheckKey(key), d.Check(expires)); err != nil {
		return "", err
	}
	if err := m.do(ctx, "presign", key, func() error { return nil }); err != nil {
		return "", err
	}
	query := url.Values{"X-Amz-Expires": {fmt.Sprint(int(expires.Seconds()))}, "response-content-disposition": {d.Disposition()}}
	return (&url.URL{Scheme: "https", Host: "memory.invalid", Path: "/" + key, RawQuery: query.Encode()}).String(), nil
}

// Ping: see [storage.Bucket.Ping].
func (m *Memory) Ping(ctx context.Context) error {
	return m.do(ctx, "ping", "", func() error { return nil })
}

// MakeBucket: see [storage.Bucket.MakeBucket].
func (m *Memory) MakeBucket(ctx context.Context) error {
	return m.do(ctx, "make", "", func() error { return nil })
}
