package storage_test

import (
	"fmt"
	"sync"
	"testing"

	"segell/internal/servers"
	"segell/storage"
)

// A store that keeps objects in folders may remove a folder with its last object
// in the very moment in which another object is put there.
func TestPutBesideTheDeleteOfTheLastObject(t *testing.T) {
	b := servers.NewS3(t).Bucket("segell")
	var all sync.WaitGroup
	var mu sync.Mutex
	faults := map[string]int{}
	for w := range 3 {
		all.Go(func() {
			for n := range 400 {
				key := fmt.Sprintf("requests/2026/11/23/%d-%d", w, n)
				if _, err := b.Create(t.Context(), key, []byte("x"), storage.Put{}); err != nil {
					mu.Lock()
					faults["create: "+err.Error()]++
					mu.Unlock()
					continue
				}
				if _, err := b.Get(t.Context(), key); err != nil {
					mu.Lock()
					faults["get: "+err.Error()]++
					mu.Unlock()
				}
				if err := b.Delete(t.Context(), key); err != nil {
					mu.Lock()
					faults["delete: "+err.Error()]++
					mu.Unlock()
				}
			}
		})
	}
	all.Wait()
	for fault, n := range faults {
		t.Errorf("%d times %s", n, fault)
	}
}
