package main

import (
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"
)

func TestHowFarAClockIs(t *testing.T) {
	noon := time.Date(2026, 3, 2, 12, 0, 0, 0, time.UTC)
	at := func(seconds int) time.Time { return noon.Add(time.Duration(seconds) * time.Second) }
	for _, c := range []struct {
		from, to, first, last int
		want                  time.Duration
	}{{0, 1, 0, 0, 0}, {0, 1, 1, 3, 0}, {0, 1, 4, 9, -3 * time.Second}, {10, 11, 4, 8, 2 * time.Second}, {2, 3, 0, 9, 0}} {
		if got := between(at(c.from), at(c.to), at(c.first), at(c.last)); got != c.want {
			t.Errorf("%+v: %v", c, got)
		}
	}
	for skew, want := range map[time.Duration]string{0: "ok", 5 * time.Second: "ok", -6 * time.Second: "warning", time.Minute: "warning", 61 * time.Second: "failed", -time.Hour: "failed"} {
		if got, detail := judgeSkew("x", skew); got != want || !strings.Contains(detail, "from that of x") || (want == "ok") == strings.Contains(detail, "NTP") {
			t.Errorf("%v: %s, %q", skew, got, detail)
		}
	}
	ahead := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Date", time.Now().Add(time.Hour).UTC().Format(http.TimeFormat))
		w.WriteHeader(http.StatusForbidden)
	}))
	defer ahead.Close()
	if skew, err := serverSkew(t.Context(), ahead.URL); err != nil || skew < 59*time.Minute || skew > 61*time.Minute {
		t.Errorf("of a server an hour ahead: %v, %v", skew, err)
	}
}
