package ledger_test

import (
	"encoding/base64"
	"errors"
	"strings"
	"sync"
	"testing"
	"time"

	"segell/ledger"
	"segell/storage"
	"segell/storage/storagetest"
)

func TestABucketOpensNoDownload(t *testing.T) {
	s := newSetting(t)
	id := accept(t, s.Ledger, "k").ID
	secret, ticket, err := s.IssueTicket(t.Context(), ledger.TicketOrder{Request: id, Language: "ca"})
	if err != nil {
		t.Fatal(err)
	}
	if bits, err := base64.RawURLEncoding.DecodeString(secret); err != nil || len(bits) < 16+16 {
		t.Errorf("the secret has %d bytes, %v", len(bits), err)
	}
	if !ticket.ExpiresAt.Equal(noon.Add(ledger.TicketLifetime)) || ticket.Most != ledger.TicketDownloads {
		t.Errorf("ticket %+v", ticket)
	}
	again, _, err := s.IssueTicket(t.Context(), ledger.TicketOrder{Request: id})
	if err != nil || again == secret {
		t.Errorf("two tickets are one: %v", err)
	}
	for _, key := range keys(t, s.bucket, "") {
		object, err := s.bucket.Get(t.Context(), key)
		if err != nil {
			t.Fatal(err)
		}
		if text := key + string(object.Body); strings.Contains(text, secret) || strings.Contains(text, secret[22:]) {
			t.Errorf("%s holds the secret", key)
		}
	}
	for _, wrong := range []string{"", "x", secret[:42], secret + "A", ticket.ID, strings.ToLower(secret), base64.RawURLEncoding.EncodeToString(make([]byte, 32))} {
		if _, err := s.Ticket(t.Context(), wrong); !errors.Is(err, ledger.ErrNotFound) {
			t.Errorf("%q: %v", wrong, err)
		}
	}
	for _, o := range []ledger.TicketOrder{{Request: "x"}, {Request: id, Lifetime: ledger.TicketLifetimeMost + 1}, {Request: id, Lifetime: -1}, {Request: id, Most: ledger.TicketDownloadsMost + 1}} {
		if _, _, err := s.IssueTicket(t.Context(), o); err == nil {
			t.Errorf("%+v is issued", o)
		}
	}
}

// However many follow a ticket at once, and whatever replies are lost, it allows
// what it says.
func TestATicketIsPunchedExactly(t *testing.T) {
	s := newSetting(t)
	now := noon
	var mu sync.Mutex
	s.config.Now = func() time.Time { // each who asks is a minute later: no download is the same as the last
		mu.Lock()
		defer mu.Unlock()
		now = now.Add(time.Minute)
		return now
	}
	l := open(t, s.config)
	id := accept(t, l, "k").ID
	secret, _, err := l.IssueTicket(t.Context(), ledger.TicketOrder{Request: id, Lifetime: time.Hour, Most: 4})
	if err != nil {
		t.Fatal(err)
	}
	var all sync.WaitGroup
	allowed, refused := 0, 0
	for range 12 {
		all.Go(func() {
			ticket, err := l.Ticket(t.Context(), secret)
			if err == nil {
				_, err = l.Punch(t.Context(), ticket)
			}
			mu.Lock()
			defer mu.Unlock()
			switch {
			case err == nil:
				allowed++
			case errors.Is(err, ledger.ErrTicketUsedUp):
				refused++
			default:
				t.Error(err)
			}
		})
	}
	all.Wait()
	if ticket, err := l.Ticket(t.Context(), secret); err != nil || len(ticket.Downloads) != 4 || allowed != 4 || refused != 8 {
		t.Errorf("allowed %d, refused %d; the ledger has %+v, %v", allowed, refused, ticket, err)
	}
}

func TestTicketsAreRevoked(t *testing.T) {
	s := newSetting(t)
	id, other := accept(t, s.Ledger, "k").ID, accept(t, s.Ledger, "other").ID
	var tickets []ledger.Ticket
	for _, request := range []string{id, id, id, other} {
		_, ticket, err := s.IssueTicket(t.Context(), ledger.TicketOrder{Request: request})
		if err != nil {
			t.Fatal(err)
		}
		tickets = append(tickets, ticket)
	}
	for range 2 {
		if err := s.RevokeTicket(t.Context(), id, tickets[0].ID); err != nil {
			t.Fatal(err)
		}
	}
	for _, wrong := range []struct{ request, ticket string }{{id, tickets[3].ID}, {other, tickets[0].ID}, {id, "x"}, {id, "../" + tickets[0].ID}, {id, strings.ToUpper(tickets[1].ID)}} {
		if err := s.RevokeTicket(t.Context(), wrong.request, wrong.ticket); !errors.Is(err, ledger.ErrNotFound) {
			t.Errorf("%+v: %v", wrong, err)
		}
	}
	if n, err := s.RevokeTickets(t.Context(), id); err != nil || n != 2 {
		t.Errorf("revoked %d, %v", n, err)
	}
	all, err := s.Tickets(t.Context(), id)
	if err != nil || len(all) != 3 {
		t.Fatalf("%+v, %v", all, err)
	}
	for _, ticket := range all {
		if err := ticket.Check(noon); !errors.Is(err, ledger.ErrTicketRevoked) {
			t.Errorf("%+v: %v", ticket, err)
		}
	}
	if left, err := s.Tickets(t.Context(), other); err != nil || left[0].Check(noon) != nil {
		t.Errorf("another's: %+v, %v", left, err)
	}
}

// What expired is known for a day, so that its holder reads so, and is then gone.
func TestExpiredTicketsAreSwept(t *testing.T) {
	now := noon
	s := newSetting(t)
	s.bucket = &storagetest.Memory{Now: func() time.Time { return now }}
	s.config.Objects, s.config.Now = s.bucket, func() time.Time { return now }
	l := open(t, s.config)
	id := accept(t, l, "k").ID
	old, _, err := l.IssueTicket(t.Context(), ledger.TicketOrder{Request: id, Lifetime: time.Hour})
	if err != nil {
		t.Fatal(err)
	}
	now = noon.Add(24 * time.Hour)
	young, _, err := l.IssueTicket(t.Context(), ledger.TicketOrder{Request: id})
	if err != nil {
		t.Fatal(err)
	}
	if n, err := l.SweepTickets(t.Context(), now); err != nil || n != 0 {
		t.Errorf("after a day %d were swept, %v", n, err)
	}
	if ticket, err := l.Ticket(t.Context(), old); err != nil || !errors.Is(ticket.Check(now), ledger.ErrTicketExpired) {
		t.Errorf("after a day: %+v, %v", ticket, err)
	}
	now = now.Add(time.Hour + time.Minute)
	if n, err := l.SweepTickets(t.Context(), now); err != nil || n != 1 {
		t.Errorf("swept %d, %v", n, err)
	}
	if _, err := l.Ticket(t.Context(), old); !errors.Is(err, ledger.ErrNotFound) {
		t.Errorf("the old one: %v", err)
	}
	if _, err := l.Ticket(t.Context(), young); err != nil {
		t.Errorf("the young one: %v", err)
	}
	s.bucket.Fault = func(op, key string) error { return storage.ErrUnavailable }
	if _, err := l.SweepTickets(t.Context(), now); !errors.Is(err, storage.ErrUnavailable) {
		t.Errorf("without a bucket: %v", err)
	}
}
