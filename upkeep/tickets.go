package upkeep

import (
	"context"
	"log/slog"
	"time"

	"segell/ledger"
)

// TicketJob removes the tickets for downloads that expired a day ago or longer.
func TicketJob(l *ledger.Ledger, every time.Duration, now func() time.Time, log *slog.Logger) Job {
	return Job{Name: "tickets", Every: every, Pass: func(ctx context.Context) error {
		swept, err := l.SweepTickets(ctx, now())
		if swept > 0 {
			log.Info("expired tickets were removed", "tickets", swept)
		}
		return err
	}}
}
