package notify

import (
	"bytes"
	"context"
	"crypto/tls"
	"crypto/x509"
	"encoding/json"
	"errors"
	"io"
	"net"
	"net/http"
	"strconv"
	"time"

	"segell/ledger"
)

// Why a try did not succeed: a closed set, for people and for metrics. What an
// endpoint answers besides its status is read by nobody.
const (
	CauseStatus        = "status"         // it answered, but not with 2xx
	CauseGone          = "gone"           // it answered 410: it wants this no more
	CauseTimeout       = "timeout"        // it did not answer in time
	CauseForbidden     = "forbidden"      // its name leads to a network that is not public and not allowed
	CauseTLS           = "tls"            // its certificate is not to be trusted, or it speaks no TLS
	CauseUnreachable   = "unreachable"    // no connection, or it broke
	CauseNotConfigured = "not_configured" // the client has no endpoint any more
)

// Limits of one try.
const (
	tryWithin    = 15 * time.Second // all of it
	headWithin   = 12 * time.Second // until the answer's first line
	readMost     = 4 << 10          // bytes of an answer's body, so that a connection can be used again
	headMost     = 16 << 10         // bytes of an answer's head
	keepIdleFor  = 30 * time.Second
	tlsHandshake = 5 * time.Second
)

// sender sends to one endpoint.
type sender struct {
	endpoint Endpoint
	agent    string
	client   http.Client
}

func newSender(e Endpoint, version string) *sender {
	transport := &http.Transport{
		DialContext:            newDialer(e.Allow).DialContext,
		TLSClientConfig:        &tls.Config{RootCAs: e.Roots, MinVersion: tls.VersionTLS12},
		TLSHandshakeTimeout:    tlsHandshake,
		ResponseHeaderTimeout:  headWithin,
		MaxResponseHeaderBytes: headMost,
		MaxConnsPerHost:        perClient,
		IdleConnTimeout:        keepIdleFor,
		DisableCompression:     true,
		ForceAttemptHTTP2:      true,
		Proxy:                  nil, // a proxy would look names up by itself
	}
	return &sender{endpoint: e, agent: "Segell/" + version, client: http.Client{Transport: transport, Timeout: tryWithin,
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}}
}

// payload is the body of a callback.
type payload struct {
	Type      ledger.Event `json:"type"`
	Timestamp time.Time    `json:"timestamp"` // of the event
	Data      payloadData  `json:"data"`
}

type payloadData struct {
	ID     string       `json:"id"`
	Kind   string       `json:"kind"`
	Number string       `json:"number"`
	State  ledger.State `json:"state"`
	Links  payloadLinks `json:"links"`
}

type payloadLinks struct {
	Self    string `json:"self"`
	Content string `json:"content,omitempty"` // of an issued document
}

// bodyOf is the same for every try.
func bodyOf(n ledger.Notice, publicURL string) ([]byte, error) {
	links := payloadLinks{Self: publicURL + "/v1/requests/" + n.Request}
	if n.Event == ledger.EventIssued {
		links.Content = links.Self + "/content"
	}
	return json.Marshal(payload{Type: n.Event, Timestamp: n.At.UTC(),
		Data: payloadData{ID: n.Request, Kind: n.Kind, Number: n.Number, State: n.Event.State(), Links: links}})
}

// outcome is how a try ended: delivered, or why not.
type outcome struct {
	cause      string // "" if delivered
	status     int
	retryAfter time.Duration // where the endpoint asked for it
}

// send makes one try.
func (s *sender) send(ctx context.Context, messageID string, at time.Time, body []byte) outcome {
	request, err := http.NewRequestWithContext(ctx, http.MethodPost, s.endpoint.URL.String(), bytes.NewReader(body))
	if err != nil {
		return outcome{cause: CauseUnreachable}
	}
	request.Header.Set("Content-Type", "application/json")
	request.Header.Set("User-Agent", s.agent)
	request.Header.Set("webhook-id", messageID)
	request.Header.Set("webhook-timestamp", strconv.FormatInt(at.Unix(), 10))
	request.Header.Set("webhook-signature", sign(s.endpoint.Secrets, messageID, at, body))
	answer, err := s.client.Do(request)
	if err != nil {
		return outcome{cause: causeOf(err)}
	}
	defer answer.Body.Close()
	_, _ = io.CopyN(io.Discard, answer.Body, readMost) // what it says is of no interest
	o := outcome{status: answer.StatusCode}
	switch {
	case o.status >= 200 && o.status < 300:
	case o.status == http.StatusGone:
		o.cause = CauseGone
	default:
		o.cause, o.retryAfter = CauseStatus, retryAfter(answer)
	}
	return o
}

// retryAfterMost is how far an endpoint can put a try off.
const retryAfterMost = time.Hour

// retryAfter is what an endpoint that is overloaded asks for, in seconds.
func retryAfter(answer *http.Response) time.Duration {
	if answer.StatusCode != http.StatusTooManyRequests && answer.StatusCode != http.StatusServiceUnavailable {
		return 0
	}
	seconds, err := strconv.Atoi(answer.Header.Get("Retry-After"))
	if err != nil || seconds < 0 {
		return 0
	}
	return min(time.Duration(min(seconds, 1<<20))*time.Second, retryAfterMost)
}

func causeOf(err error) string {
	var timeout net.Error
	var record tls.RecordHeaderError
	var verification *tls.CertificateVerificationError
	var unknown x509.UnknownAuthorityError
	var alert tls.AlertError
	switch {
	case errors.Is(err, errForbidden):
		return CauseForbidden
	case errors.As(err, &verification), errors.As(err, &unknown), errors.As(err, &record), errors.As(err, &alert):
		return CauseTLS
	case errors.As(err, &timeout) && timeout.Timeout():
		return CauseTimeout
	}
	return CauseUnreachable
}
