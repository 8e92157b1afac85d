// Package faults holds no code of Segell's: its tests break everything around
// several processes of it while requests stream in, and then look from outside
// at what became of each.
package faults

import (
	"bytes"
	"io"
	"log"
	"math/rand/v2"
	"net/http"
	"net/http/httputil"
	"net/url"
	"sync/atomic"
	"time"
)

// A trouble is what goes wrong between Segell and its store, for a share of all
// calls.
type trouble struct {
	name   string
	share  float64 // of the calls, 0 to 1
	status int     // the store answers this
	writes bool    // only to writes, after it read them: a disk that is full
	slow   time.Duration
	cut    bool // the answer ends in the middle of its body
	lost   bool // the store did it, and its answer is lost
}

// store is a proxy before an S3 server, on which troubles can be put. Signatures
// hold, for the client signs the proxy's address and the proxy leaves it alone.
type store struct {
	trouble atomic.Pointer[trouble]
	hits    atomic.Int64 // calls that met a trouble
	proxy   *httputil.ReverseProxy
}

func newStore(server string) (*store, error) {
	address, err := url.Parse(server)
	if err != nil {
		return nil, err
	}
	s := &store{}
	s.proxy = &httputil.ReverseProxy{
		Rewrite: func(r *httputil.ProxyRequest) {
			r.SetURL(address)
			r.Out.Host = r.In.Host
		},
		Transport: &http.Transport{MaxIdleConnsPerHost: 64, DisableCompression: true},
		ErrorLog:  log.New(io.Discard, "", 0),
	}
	return s, nil
}

func (s *store) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	t := s.trouble.Load()
	if t == nil || rand.Float64() >= t.share || t.writes && r.Method != http.MethodPut {
		s.proxy.ServeHTTP(w, r)
		return
	}
	s.hits.Add(1)
	switch {
	case t.slow > 0:
		select {
		case <-time.After(t.slow):
			s.proxy.ServeHTTP(w, r)
		case <-r.Context().Done():
		}
	case t.cut || t.lost:
		s.lose(w, r, t.cut)
	default:
		_, _ = io.Copy(io.Discard, r.Body) // the client leaving early changes nothing
		w.Header().Set("Content-Type", "application/xml")
		w.WriteHeader(t.status)
		_, _ = io.WriteString(w, `<?xml version="1.0" encoding="UTF-8"?><Error><Code>`+codes[t.status]+`</Code><Message>made by the fault suite</Message></Error>`)
	}
}

// codes are what S3 servers say with these statuses.
var codes = map[int]string{500: "InternalError", 503: "SlowDown", 507: "XMinioStorageFull"}

// lose lets the store do what it was asked, and ends the connection in the
// answer's middle, or before its first byte.
func (s *store) lose(w http.ResponseWriter, r *http.Request, half bool) {
	answer := &kept{header: http.Header{}}
	s.proxy.ServeHTTP(answer, r)
	if half && answer.body.Len() > 1 {
		for name, values := range answer.header {
			w.Header()[name] = values
		}
		w.WriteHeader(answer.status)
		_, _ = w.Write(answer.body.Bytes()[:answer.body.Len()/2])
		_ = http.NewResponseController(w).Flush()
	}
	panic(http.ErrAbortHandler)
}

// kept holds an answer back.
type kept struct {
	header http.Header
	status int
	body   bytes.Buffer
}

func (k *kept) Header() http.Header { return k.header }
func (k *kept) WriteHeader(status int) {
	if k.status == 0 {
		k.status = status
	}
}
func (k *kept) Write(b []byte) (int, error) {
	k.WriteHeader(http.StatusOK)
	return k.body.Write(b)
}
