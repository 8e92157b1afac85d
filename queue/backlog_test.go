package queue_test

import (
	"testing"

	"segell/internal/servers"
	"segell/queue"
)

// Doors and workers of several processes count one backlog; a count of the
// ledger puts it right and keeps what was told meanwhile.
func TestTheBacklogIsCountedTogether(t *testing.T) {
	t.Parallel()
	door, client, server := open(t, servers.RedisOptions{AppendOnly: true})
	worker := queue.New(client)
	for range 5 {
		door.Accepted()
	}
	if n := door.Backlog(); n != 5 {
		t.Errorf("a door alone counts %d, want 5", n)
	}
	door.Keep(t.Context())
	worker.Keep(t.Context())
	worker.Ended()
	worker.Ended()
	both := func(n int64) func() bool {
		return func() bool { return door.Backlog() == n && worker.Backlog() == n }
	}
	eventually(t, "both to count three", both(3))

	mark, err := worker.BacklogMark(t.Context())
	if err != nil || mark != 3 {
		t.Fatalf("mark %d, %v", mark, err)
	}
	door.Accepted() // while the ledger is counted
	eventually(t, "both to count four", both(4))
	if err := worker.Recount(t.Context(), mark, 10); err != nil {
		t.Fatal(err)
	}
	eventually(t, "both to count eleven", both(11))

	server.Kill()
	for range 3 {
		door.Accepted()
	}
	if n := door.Backlog(); n != 14 {
		t.Errorf("without Redis the door counts %d, want 14", n)
	}
	server.Restart()
	eventually(t, "both to count fourteen", both(14))
	server.FlushAll()
	eventually(t, "an emptied Redis to count nothing", both(0))
	worker.Ended()
	eventually(t, "never less than nothing", both(0))
}
