package ledger

import (
	"context"
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
	"time"

	"github.com/google/uuid"

	"segell/storage"
)

// A ticket is a short-lived permission for one person's browser to download one
// document. Who has the ticket may download, so the ledger knows it by its hash
// alone, under tickets/v1/<id of the request>/<sha256>: what lies in the bucket
// opens nothing.
const ticketsPrefix = "tickets/v1/"

// Limits of a ticket.
const (
	TicketLifetime     = 15 * time.Minute // where none is asked for
	TicketLifetimeMost = time.Hour
	// TicketDownloads is how often a document may be downloaded where nothing else is
	// asked for: phones fetch what they are sent before a person taps it.
	TicketDownloads     = 5
	TicketDownloadsMost = 100
)

// ticketKept is how long an expired ticket is still known, so that its holder
// reads that it expired rather than that there is no such thing.
const ticketKept = 24 * time.Hour

var (
	// ErrTicketExpired: the ticket's time is over.
	ErrTicketExpired = errors.New("the ticket has expired")
	// ErrTicketRevoked: the ticket was taken back.
	ErrTicketRevoked = errors.New("the ticket was revoked")
	// ErrTicketUsedUp: as many downloads were begun as the ticket allows.
	ErrTicketUsedUp = errors.New("the ticket is used up")
)

// Ticket is what the ledger keeps of a ticket. It holds no personal data.
type Ticket struct {
	ID        string      `json:"id"`      // SHA-256 of the secret, hexadecimal
	Request   string      `json:"request"` // its document
	Language  string      `json:"language,omitempty"`
	CreatedAt time.Time   `json:"created_at"`
	ExpiresAt time.Time   `json:"expires_at"`
	Most      int         `json:"max_downloads"`
	Downloads []time.Time `json:"downloads,omitempty"` // when each was begun
	RevokedAt time.Time   `json:"revoked_at,omitzero"`
	etag      string
}

// TicketOrder is what a ticket is to be. Zero values stand for the defaults.
type TicketOrder struct {
	Request  string
	Language string        // of the pages and the file's name; empty: the browser's
	Lifetime time.Duration // at most TicketLifetimeMost
	Most     int           // downloads, at most TicketDownloadsMost
}

func ticketKey(request, id string) string { return ticketsPrefix + request + "/" + id }

// The secret of a ticket is the id of its request and as many random bits, 128,
// in base 64 for addresses (RFC 4648 section 5). The id leads to the ticket's key.
const ticketSize = 32

// readSecret gives id and key of the ticket with a secret; ok is false for what
// cannot be one.
func readSecret(secret string) (request, id string, ok bool) {
	bits, err := base64.RawURLEncoding.Strict().DecodeString(secret)
	if err != nil || len(bits) != ticketSize {
		return "", "", false
	}
	request = uuid.UUID(bits[:16]).String()
	sum := sha256.Sum256([]byte(secret))
	return request, hex.EncodeToString(sum[:]), CheckID(request) == nil
}

// IssueTicket draws a ticket and returns its secret, which is not kept. Whether
// the document may be downloaded is for the caller to check, and checked again at
// each download.
func (l *Ledger) IssueTicket(ctx context.Context, o TicketOrder) (secret string, t Ticket, err error) {
	if err := CheckID(o.Request); err != nil {
		return "", Ticket{}, err
	}
	if o.Lifetime == 0 {
		o.Lifetime = TicketLifetime
	}
	if o.Most == 0 {
		o.Most = TicketDownloads
	}
	if o.Lifetime < 0 || o.Lifetime > TicketLifetimeMost || o.Most < 0 || o.Most > TicketDownloadsMost {
		return "", Ticket{}, fmt.Errorf("a ticket lives at most %s and is good for at most %d downloads", TicketLifetimeMost, TicketDownloadsMost)
	}
	var bits [ticketSize]byte
	request := uuid.MustParse(o.Request)
	copy(bits[:], request[:])
	if _, err := io.ReadFull(l.random, bits[16:]); err != nil {
		return "", Ticket{}, fmt.Errorf("drawing a ticket: %w", err)
	}
	secret = base64.RawURLEncoding.EncodeToString(bits[:])
	_, id, _ := readSecret(secret)
	now := l.now().UTC().Truncate(time.Second)
	t = Ticket{ID: id, Request: o.Request, Language: o.Language, CreatedAt: now, ExpiresAt: now.Add(o.Lifetime), Most: o.Most}
	body, err := json.Marshal(t)
	if err != nil {
		return "", Ticket{}, fmt.Errorf("encoding a ticket: %w", err)
	}
	if _, err := l.objects.Write(ctx, ticketKey(o.Request, id), body, storage.Put{ContentType: jsonType}); err != nil {
		return "", Ticket{}, fmt.Errorf("writing a ticket: %w", err)
	}
	return secret, t, nil
}

// Ticket reads the ticket with a secret: ErrNotFound if there is none.
func (l *Ledger) Ticket(ctx context.Context, secret string) (Ticket, error) {
	request, id, ok := readSecret(secret)
	if !ok {
		return Ticket{}, fmt.Errorf("reading a ticket: %w", ErrNotFound)
	}
	return l.ticket(ctx, request, id)
}

func (l *Ledger) ticket(ctx context.Context, request, id string) (Ticket, error) {
	var t Ticket
	object, err := l.readJSON(ctx, ticketKey(request, id), &t)
	if err != nil {
		return Ticket{}, fmt.Errorf("reading a ticket: %w", err)
	}
	if t.ID != id || t.Request != request {
		return Ticket{}, fmt.Errorf("%w: a ticket is another's", ErrDamaged)
	}
	t.etag = object.ETag
	return t, nil
}

// Check says why a ticket opens nothing at a time: ErrTicketRevoked,
// ErrTicketExpired or ErrTicketUsedUp; nil if it does.
func (t Ticket) Check(at time.Time) error {
	switch {
	case !t.RevokedAt.IsZero():
		return ErrTicketRevoked
	case !at.Before(t.ExpiresAt):
		return ErrTicketExpired
	case len(t.Downloads) >= t.Most && !t.again(at):
		return ErrTicketUsedUp
	}
	return nil
}

// again reports whether the address that the last download was given is still
// good: another request until then is the same download, tapped twice or begun
// anew by the browser, and uses nothing up.
func (t Ticket) again(at time.Time) bool {
	n := len(t.Downloads)
	return n > 0 && at.Sub(t.Downloads[n-1]).Abs() < DownloadExpiry // clocks of two processes differ
}

// Punch counts a download, if the ticket allows it: else it returns an error of
// Check. The document may be sent once it has returned nil.
func (l *Ledger) Punch(ctx context.Context, t Ticket) (Ticket, error) {
	now := l.now().UTC()
	return l.changeTicket(ctx, t, func(t *Ticket) error {
		if err := t.Check(now); err != nil {
			return err
		}
		if t.again(now) {
			return errAsItIs
		}
		t.Downloads = append(slices.Clip(t.Downloads), now.Truncate(time.Second))
		return nil
	})
}

// changeTicket changes a ticket by If-Match; after a lost race it is read and
// judged again.
func (l *Ledger) changeTicket(ctx context.Context, t Ticket, change func(*Ticket) error) (Ticket, error) {
	for range amendMost {
		err := change(&t)
		if errors.Is(err, errAsItIs) {
			return t, nil
		}
		if err != nil {
			return t, err
		}
		body, err := json.Marshal(t)
		if err != nil {
			return t, fmt.Errorf("encoding a ticket: %w", err)
		}
		etag, err := l.objects.Replace(ctx, ticketKey(t.Request, t.ID), t.etag, body, storage.Put{ContentType: jsonType})
		if err == nil {
			t.etag = etag
			return t, nil
		}
		if !errors.Is(err, storage.ErrChanged) {
			return t, fmt.Errorf("changing a ticket: %w", err)
		}
		// Another's change, or our own whose reply was lost.
		if t, err = l.ticket(ctx, t.Request, t.ID); err != nil {
			return t, err
		}
	}
	return t, fmt.Errorf("changing a ticket: %w: others change it all the time", storage.ErrUnavailable)
}

// Tickets lists the tickets of a request that are still known, the expired of the
// last day included, oldest first.
func (l *Ledger) Tickets(ctx context.Context, request string) ([]Ticket, error) {
	var all []Ticket
	for info, err := range l.objects.List(ctx, ticketKey(request, ""), "") {
		if err != nil {
			return nil, fmt.Errorf("listing tickets: %w", err)
		}
		t, err := l.ticket(ctx, request, strings.TrimPrefix(info.Key, ticketKey(request, "")))
		if errors.Is(err, ErrNotFound) {
			continue // swept while we listed
		}
		if err != nil {
			return nil, err
		}
		all = append(all, t)
	}
	slices.SortStableFunc(all, func(a, b Ticket) int { return a.CreatedAt.Compare(b.CreatedAt) })
	return all, nil
}

// RevokeTicket takes a ticket back; one that is revoked already stays so.
// ErrNotFound if the request has no ticket of this id.
func (l *Ledger) RevokeTicket(ctx context.Context, request, id string) error {
	if bits, err := hex.DecodeString(id); err != nil || len(bits) != sha256.Size || hex.EncodeToString(bits) != id {
		return fmt.Errorf("revoking a ticket: %w", ErrNotFound)
	}
	t, err := l.ticket(ctx, request, id)
	if err != nil {
		return err
	}
	return l.revoke(ctx, t)
}

func (l *Ledger) revoke(ctx context.Context, t Ticket) error {
	_, err := l.changeTicket(ctx, t, func(t *Ticket) error {
		if !t.RevokedAt.IsZero() {
			return errAsItIs
		}
		t.RevokedAt = l.now().UTC().Truncate(time.Second)
		return nil
	})
	return err
}

// RevokeTickets takes back every ticket of a request and returns how many it were.
func (l *Ledger) RevokeTickets(ctx context.Context, request string) (int, error) {
	tickets, err := l.Tickets(ctx, request)
	if err != nil {
		return 0, err
	}
	revoked := 0
	for _, t := range tickets {
		if !t.RevokedAt.IsZero() {
			continue
		}
		if err := l.revoke(ctx, t); err != nil && !errors.Is(err, ErrNotFound) {
			return revoked, err
		}
		revoked++
	}
	return revoked, nil
}

// SweepTickets deletes the tickets that expired more than a day before now, and
// returns how many. It reads none of them: a ticket is changed only while it
// lives, so the time of the last change tells enough. It costs a listing.
func (l *Ledger) SweepTickets(ctx context.Context, now time.Time) (int, error) {
	swept := 0
	for info, err := range l.objects.List(ctx, ticketsPrefix, "") {
		if err == nil && now.Sub(info.LastModified) > TicketLifetimeMost+ticketKept {
			if err = l.objects.Delete(ctx, info.Key); err == nil {
				swept++
			}
		}
		if err != nil {
			return swept, fmt.Errorf("sweeping tickets: %w", err)
		}
	}
	return swept, nil
}
