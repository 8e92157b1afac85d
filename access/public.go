package access

import (
	"context"
	"io"
	"net/http"
	"strconv"
	"time"
)

// Public limits how often an address may call next, a handler of pages that
// need no login: before the ledger is asked. Who calls too often reads so in
// the five languages of the pages, in plain text.
func (g *Gate) Public(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		wait := g.public.take(Address(r, g.Proxies), g.Now())
		if wait == 0 {
			next.ServeHTTP(w, r)
			return
		}
		g.counted(&Refusal{Reason: ReasonVisitorsLimited})
		h := w.Header()
		h.Set("Retry-After", RetryAfter(wait))
		h.Set("Content-Type", "text/plain; charset=utf-8")
		h.Set("Cache-Control", "no-store")
		h.Set("X-Content-Type-Options", "nosniff")
		w.WriteHeader(http.StatusTooManyRequests)
		_, _ = io.WriteString(w, tooOften) // the visitor may be gone
	})
}

const tooOften = `Massa consultes seguides des d'aquesta adreça. Torneu-ho a provar d'aquí a un minut.
Demasiadas consultas seguidas desde esta dirección. Vuelva a intentarlo dentro de un minuto.
Trop de consultations à la suite depuis cette adresse. Réessayez dans une minute.
Demasiadas consultas seguidas a partir deste endereço. Tente de novo dentro de um minuto.
Too many requests in a row from this address. Please try again in a minute.
`

// RetryAfter writes how long to wait as the header Retry-After does: whole
// seconds, at least one.
func RetryAfter(wait time.Duration) string {
	return strconv.Itoa(max(1, int((wait+time.Second-1)/time.Second)))
}

// strangerWithin is how long a body of somebody without a token is waited for.
const strangerWithin = time.Second

// Dismiss prepares the refusal of r before it is written: what it still sends
// is not waited for, so that a slow body holds no connection.
func Dismiss(w http.ResponseWriter, r *http.Request) {
	w.Header().Set("Connection", "close")
	// Where a connection knows no deadline (a test's recorder) there is none to hold.
	_ = http.NewResponseController(w).SetReadDeadline(time.Now().Add(strangerWithin))
	r.Body = http.NoBody
}

type callerKey struct{}

// With returns a context that carries c.
func With(ctx context.Context, c *Caller) context.Context {
	return context.WithValue(ctx, callerKey{}, c)
}

// From returns the caller that a context carries, or nil.
func From(ctx context.Context) *Caller {
	c, _ := ctx.Value(callerKey{}).(*Caller)
	return c
}
