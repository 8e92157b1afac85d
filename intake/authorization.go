package intake

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"slices"

	"github.com/danielgtaylor/huma/v2"

	"segell/access"
)

// tokenScheme is the name of the security scheme, in OpenAPI's terms, under
// which each operation declares the scopes that it needs.
const tokenScheme = "token"

func clientOf(ctx context.Context) string {
	if caller := access.From(ctx); caller != nil {
		return caller.Client
	}
	return ""
}

// scopesOf are the scopes that an operation declares.
func scopesOf(o *huma.Operation) (scopes []string) {
	for _, way := range o.Security {
		scopes = append(scopes, way[tokenScheme]...)
	}
	return scopes
}

// everyOperationDeclaresItsScope refuses to open a door beside the gate: an
// operation without a scope could be used by every client.
func (a *API) everyOperationDeclaresItsScope() error {
	var faults []error
	for path, item := range a.api.OpenAPI().Paths {
		for _, o := range []*huma.Operation{item.Get, item.Put, item.Post, item.Delete, item.Options, item.Head, item.Patch, item.Trace} {
			if o == nil {
				continue
			}
			scopes := scopesOf(o)
			if len(scopes) == 0 || slices.ContainsFunc(scopes, func(s string) bool { return !slices.Contains(access.Scopes(), s) }) {
				faults = append(faults, fmt.Errorf("intake: the operation %s at %s declares no scope that package access knows", o.OperationID, path))
			}
		}
	}
	return errors.Join(faults...)
}

// authorize lets a caller do what its scopes allow: the operations declare what
// they need.
func (a *API) authorize(c huma.Context, next func(huma.Context)) {
	o := c.Operation()
	caller := access.From(c.Context())
	if caller == nil {
		a.answer(c, a.problem("unauthorized", ""))
		return
	}
	if refusal := a.Access.Authorize(caller, o.OperationID, scopesOf(o)...); refusal != nil {
		a.answer(c, a.refused(refusal))
		return
	}
	next(c)
}

// admitKind says whether the caller may ask for a kind of document.
func (a *API) admitKind(ctx context.Context, kind string) error {
	caller := access.From(ctx)
	if caller == nil {
		return a.problem("unauthorized", "")
	}
	if refusal := a.Access.AuthorizeKind(caller, "request-document", kind); refusal != nil {
		return a.refused(refusal)
	}
	return nil
}

// charge charges the caller for work.
func (a *API) charge(ctx context.Context, work access.Work) error {
	caller := access.From(ctx)
	if caller == nil {
		return a.problem("unauthorized", "")
	}
	if refusal := a.Access.Charge(caller, "", work); refusal != nil {
		return a.refused(refusal)
	}
	return nil
}

// refused is the problem for what package access refuses.
func (a *API) refused(r *access.Refusal) *Problem {
	kind := map[int]string{http.StatusUnauthorized: "unauthorized", http.StatusForbidden: "forbidden",
		http.StatusTooManyRequests: "rate-limited", http.StatusServiceUnavailable: "temporarily-unavailable"}[r.Status]
	p := a.problem(kind, r.Detail)
	p.challenge, p.retryAfter = r.Challenge, r.RetryAfter
	return p
}

// answer writes a problem where no handler of an operation runs.
func (a *API) answer(c huma.Context, p *Problem) {
	for name, values := range p.GetHeaders() {
		for _, value := range values {
			c.AppendHeader(name, value)
		}
	}
	c.SetHeader("Content-Type", p.ContentType(""))
	c.SetStatus(p.Status)
	p.encode(c.BodyWriter())
}

// admitScope says whether the caller has a scope that an operation needs only
// for some of what it does.
func (a *API) admitScope(ctx context.Context, scope string) error {
	caller := access.From(ctx)
	if caller == nil {
		return a.problem("unauthorized", "")
	}
	if refusal := a.Access.Authorize(caller, "request-document", scope); refusal != nil {
		return a.refused(refusal)
	}
	return nil
}
