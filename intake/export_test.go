package intake

import (
	"context"
	"io"
	"time"
)

// SetHeartbeat makes a stream's heart beat faster than anybody wants to wait for.
func (a *API) SetHeartbeat(d time.Duration) { a.heartbeat = d }

// Listening is how many wait for news, and for how many requests.
func (a *API) Listening() (listeners, requests int) {
	a.watcher.mu.Lock()
	defer a.watcher.mu.Unlock()
	for _, of := range a.watcher.watched {
		listeners += len(of.listeners)
	}
	return listeners, len(a.watcher.watched)
}

// StreamsMost is how many streams a client may have open.
const StreamsMost = streamsMost

// ProblemRow is a row of the registry of problems.
type ProblemRow struct {
	Status int
	Title  string
}

// Problems is the registry of problems.
func Problems() map[string]ProblemRow {
	rows := map[string]ProblemRow{}
	for kind, row := range problems {
		rows[kind] = ProblemRow{row.status, row.title}
	}
	return rows
}

// TakeBatch is the answer to a batch.
func (a *API) TakeBatch(ctx context.Context, key string, body io.Reader) string {
	return a.takeBatch(ctx, key, body).String()
}
