package upkeep

import (
	"context"
	"fmt"
	"log/slog"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"segell/ledger"
)

// Job is the renewal as a job. What a pass did is registered with metrics, unless
// that is nil; docs/sealing.md explains the names.
func (r *Renewal) Job(every time.Duration, metrics prometheus.Registerer) Job {
	documents := prometheus.NewGaugeVec(prometheus.GaugeOpts{Name: "segell_renewal_documents",
		Help: "Documents of the last whole pass of the renewal, by what became of them."}, []string{"result"})
	ended := prometheus.NewGauge(prometheus.GaugeOpts{Name: "segell_renewal_last_pass_timestamp_seconds",
		Help: "When the last whole pass of the renewal ended, in this process."})
	if metrics != nil {
		metrics.MustRegister(documents, ended)
	}
	return Job{Name: RenewalJob, Every: every, Pass: func(ctx context.Context) error {
		report, err := r.Pass(ctx, false, nil)
		log := r.Log.With("looked_at", report.LookedAt, "renewed", report.Renewed, "no_later", report.NoLater, "failed", report.Failed)
		if err != nil {
			log.Warn("the renewal of archive time-stamps ended early", "why", err)
			return err
		}
		for result, n := range map[string]int{"renewed": report.Renewed, "not_due": report.NotDue, "no_later": report.NoLater, "failed": report.Failed} {
			documents.WithLabelValues(result).Set(float64(n))
		}
		ended.Set(float64(r.Now().Unix()))
		switch {
		case report.Failed > 0:
			log.Error("archive time-stamps were renewed, but not all", "advice", "segell renew tells each")
		case report.NoLater > 0:
			log.Warn("archive time-stamps cannot be renewed: no authority's certificates last longer", "advice", "ask the authority when it renews, or name another")
		case report.Renewed > 0:
			log.Info("archive time-stamps were renewed")
		}
		return nil
	}}
}

// WorkJob removes what was kept of the steps of requests that are gone.
func WorkJob(l *ledger.Ledger, every time.Duration, log *slog.Logger) Job {
	return Job{Name: "work", Every: every, Pass: func(ctx context.Context) error {
		swept, err := l.SweepWork(ctx)
		if swept > 0 {
			log.Info("unfinished work of requests that are gone was removed", "requests", swept)
		}
		if err != nil {
			return fmt.Errorf("removing work: %w", err)
		}
		return nil
	}}
}
