package console

import "time"

// Row is a row of the table of routes, for tests that walk it.
type Row struct{ Method, Pattern, Need string }

// Table is every route that there is.
func (c *Console) Table() []Row {
	rows := make([]Row, len(c.table))
	for i, rt := range c.table {
		rows[i] = Row{rt.method, rt.pattern, string(rt.need)}
	}
	return rows
}

// BeatEvery makes streams beat faster; before they are opened.
func (c *Console) BeatEvery(d time.Duration) { c.streams.beat = d }

// Open and Member are what routes need besides a role.
const (
	Open   = string(open)
	Member = string(member)
)

// StreamsMost is how many streams a session has.
const StreamsMost = streamsMost

// StreamsOfLogin is how many streams somebody has in all sessions.
const StreamsOfLogin = streamsOfLogin
