package worker

import (
	"context"
	"log/slog"
	"math"
	"sync/atomic"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"segell/signing"
)

// WarnDays is from how many days on the end of a certificate is warned of: time
// enough to order another.
const WarnDays = 30

// DaysLeft is how many days are left until end; below zero when it is over.
func DaysLeft(end, now time.Time) float64 { return end.Sub(now).Hours() / 24 }

// metrics are what a worker shows of its seal. Names are explained in
// docs/sealing.md; no label says anything of a person.
type metrics struct {
	belowLevel *prometheus.CounterVec
	tsaEnd     atomic.Int64 // Unix seconds, 0: not seen yet
}

// newMetrics registers the metrics with r, unless it is nil.
func newMetrics(r prometheus.Registerer, sealers Sealers, now func() time.Time) *metrics {
	m := &metrics{belowLevel: prometheus.NewCounterVec(prometheus.CounterOpts{Name: "segell_seal_below_level_total",
		Help: "Documents that were below the level of their kind and were not published. Any is an alarm."}, []string{"kind"})}
	if r == nil {
		return m
	}
	r.MustRegister(m.belowLevel,
		prometheus.NewGaugeFunc(prometheus.GaugeOpts{Name: "segell_seal_certificate_days_left",
			Help: "Days until the certificate that seals ends."}, func() float64 { return DaysLeft(sealEnd(sealers), now()) }),
		prometheus.NewGaugeFunc(prometheus.GaugeOpts{Name: "segell_tsa_certificate_days_left",
			Help: "Days until the first certificate ends on which the last time-stamp stands. NaN before the first."}, func() float64 {
			if end, seen := m.stampEnd(); seen {
				return DaysLeft(end, now())
			}
			return math.NaN()
		}))
	return m
}

func sealEnd(sealers Sealers) time.Time {
	sealer, done := sealers.Take("")
	defer done()
	return sealer.Certificate().NotAfter
}

// sawSeal notes what a finished seal stands on: from B-T on the outermost proof is
// a time-stamp.
func (m *metrics) sawSeal(report signing.Report) {
	if report.Level.Includes(signing.BT) && !report.ProofEnd.IsZero() {
		m.tsaEnd.Store(report.ProofEnd.Unix())
	}
}

func (m *metrics) stampEnd() (time.Time, bool) {
	end := m.tsaEnd.Load()
	return time.Unix(end, 0), end != 0
}

// watchCertificates warns at once and then daily of certificates that end soon,
// until ctx ends.
func (w *Worker) watchCertificates(ctx context.Context) {
	for {
		w.warnOfEnds()
		select {
		case <-ctx.Done():
			return
		case <-time.After(24 * time.Hour):
		}
	}
}

func (w *Worker) warnOfEnds() {
	warn := func(whose string, end time.Time, advice string) {
		if days := DaysLeft(end, w.Now()); days < WarnDays {
			level := slog.LevelWarn
			if days < 0 {
				level = slog.LevelError
			}
			w.Log.Log(context.Background(), level, "a certificate ends soon", "whose", whose, "days_left", int(math.Floor(days)),
				"ends", end.UTC().Format(time.DateOnly), "advice", advice)
		}
	}
	warn("seal", sealEnd(w.Sealers), "docs/sealing.md, A new key")
	if end, seen := w.metrics.stampEnd(); seen {
		warn("time-stamping authority", end, "ask the authority when it renews, or put another first in SEGELL_TSA_URLS")
	}
}
