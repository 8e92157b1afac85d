package storagetest_test

import (
	"errors"
	"fmt"
	"testing"

	"segell/storage"
	"segell/storage/storagetest"
)

func TestMemory(t *testing.T) {
	storagetest.Run(t, func(*testing.T) storagetest.Store { return new(storagetest.Memory) })
}

func TestMemoryFaults(t *testing.T) {
	ctx := t.Context()
	lost := errors.New("lost")
	var m storagetest.Memory
	m.Fault = func(op, key string) error {
		if key == "never" {
			return fmt.Errorf("%s: %w", op, storage.ErrUnavailable)
		}
		return nil
	}
	m.After = func(op, key string) error {
		if op == "create" && key == "lost" {
			return lost
		}
		return nil
	}
	if _, err := m.Create(ctx, "never", []byte("x"), storage.Put{}); !errors.Is(err, storage.ErrUnavailable) {
		t.Errorf("Fault: %v", err)
	}
	m.Fault = nil
	if _, err := m.Get(ctx, "never"); !errors.Is(err, storage.ErrNotFound) {
		t.Errorf("after Fault: %v", err)
	}
	if _, err := m.Create(ctx, "lost", []byte("x"), storage.Put{}); !errors.Is(err, lost) {
		t.Errorf("After: %v", err)
	}
	if got, err := m.Get(ctx, "lost"); err != nil || string(got.Body) != "x" {
		t.Errorf("a lost reply undid the write: %v", err)
	}
	if _, err := m.Create(ctx, "lost", []byte("x"), storage.Put{}); !errors.Is(err, storage.ErrExists) {
		t.Errorf("trying again: %v", err)
	}
}
