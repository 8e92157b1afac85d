package intake_test

import (
	"fmt"
	"net/http"
	"strings"
	"testing"
	"time"

	"segell/ledger"
	"segell/queue"
)

func TestTickets(t *testing.T) {
	d := newDoor(t)
	id := d.accepted()
	place := "/v1/requests/" + id + "/tickets"
	d.ask("POST", place, "").problem(t, 409, "not-issued")
	d.issue(id)

	plain := d.ask("POST", place, "", without("Content-Type"))
	if plain.status != http.StatusCreated || plain.text("max_downloads") != 5.0 || plain.text("expires_at") != now.Add(15*time.Minute).Format(time.RFC3339) {
		t.Fatalf("answered %d %s", plain.status, plain.body)
	}
	secret, ok := strings.CutPrefix(fmt.Sprint(plain.text("url")), "https://segell.example/d/")
	ticket, err := d.ledger.Ticket(t.Context(), secret)
	if !ok || err != nil || ticket.Request != id || ticket.ID != plain.text("id") || ticket.Language != "" {
		t.Errorf("led to %+v, %v", ticket, err)
	}
	ordered := d.ask("POST", place, `{"language":"pt","minutes":60,"max_downloads":1}`)
	if ordered.status != http.StatusCreated || ordered.text("max_downloads") != 1.0 || ordered.text("expires_at") != now.Add(time.Hour).Format(time.RFC3339) {
		t.Errorf("answered %d %s", ordered.status, ordered.body)
	}

	if _, err := d.ledger.Punch(t.Context(), ticket); err != nil {
		t.Fatal(err)
	}
	if a := d.ask("DELETE", place+"/"+fmt.Sprint(ordered.text("id")), ""); a.status != http.StatusNoContent || a.body != "" {
		t.Errorf("revoking answered %d %s", a.status, a.body)
	}
	list := d.ask("GET", place, "")
	tickets, _ := list.text("tickets").([]any)
	states := map[any]map[string]any{}
	for _, one := range tickets {
		states[one.(map[string]any)["id"]] = one.(map[string]any)
	}
	if first, second := states[plain.text("id")], states[ordered.text("id")]; len(tickets) != 2 || first["state"] != "valid" || len(first["downloads"].([]any)) != 1 ||
		second["state"] != "revoked" || second["revoked_at"] == nil || strings.Contains(list.body, "/d/") {
		t.Errorf("listed %s", list.body)
	}
	if a := d.ask("DELETE", place, ""); a.status != http.StatusNoContent {
		t.Errorf("revoking all answered %d %s", a.status, a.body)
	}
	if ticket, err = d.ledger.Ticket(t.Context(), secret); err != nil || ticket.RevokedAt.IsZero() {
		t.Errorf("it is not revoked: %+v, %v", ticket, err)
	}
	if text := d.log.String(); strings.Contains(text, secret) || strings.Contains(text, secret[22:]) {
		t.Errorf("the log holds the ticket:\n%s", text)
	}

	d.ask("DELETE", place+"/nothing", "").problem(t, 404, "not-found")
	d.ask("DELETE", place+"/"+strings.Repeat("0", 64), "").problem(t, 404, "not-found")
	for body, pointer := range map[string]string{`{"language":"de"}`: "/language", `{"minutes":0}`: "/minutes", `{"minutes":61}`: "/minutes", `{"minutes":"15"}`: "/minutes",
		`{"max_downloads":101}`: "/max_downloads", `{"holder":"x"}`: "/holder"} {
		a := d.ask("POST", place, body)
		a.problem(t, 422, "invalid-request")
		if !strings.Contains(a.body, `"pointer":"`+pointer+`"`) {
			t.Errorf("%s: %s", body, a.body)
		}
	}
	d.ask("POST", place, "{").problem(t, 400, "malformed-json")
	d.ask("POST", place, "{}", with("Content-Type", "text/plain")).problem(t, 415, "unsupported-media-type")

	if _, err := d.ledger.Withdraw(t.Context(), id, ledger.WithdrawnFraud); err != nil {
		t.Fatal(err)
	}
	d.ask("POST", place, "").problem(t, 410, "gone")
}

func TestNoTicketForAnothersDocument(t *testing.T) {
	d := newDoor(t)
	receipt, err := d.ledger.Accept(t.Context(), ledger.Submission{Client: "office", IdempotencyKey: "k", Kind: "coverage_certificate", Code: "COB", CASSNumber: "000000A", Queue: queue.Batch, Body: []byte(standard(t)), At: now})
	if err != nil {
		t.Fatal(err)
	}
	d.issue(receipt.ID)
	place := "/v1/requests/" + receipt.ID + "/tickets"
	for _, a := range []answer{d.ask("POST", place, ""), d.ask("GET", place, ""), d.ask("DELETE", place, ""), d.ask("DELETE", place+"/"+strings.Repeat("0", 64), "")} {
		a.problem(t, 404, "not-found")
	}
}
