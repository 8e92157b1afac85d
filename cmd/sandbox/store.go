package main

import (
	"context"
	"fmt"
	"strings"
	"sync/atomic"

	"segell/storage"
)

// store is the bucket of a sandbox, which can be told to refuse documents, as one
// does whose credentials were changed.
type store struct {
	*storage.Bucket
	refuses atomic.Bool
}

// Create writes an object that is not there yet, unless it is a document and the
// store refuses.
func (s *store) Create(ctx context.Context, key string, body []byte, p storage.Put) (string, error) {
	if s.refuses.Load() && strings.HasPrefix(key, "documents/") {
		return "", fmt.Errorf("storage: create: %w (HTTP 403, AccessDenied)", storage.ErrDenied)
	}
	return s.Bucket.Create(ctx, key, body, p)
}
