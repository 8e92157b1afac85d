package faults

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"math/rand/v2"
	"net/http"
	"strconv"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"segell/samples"
)

// asked is a request that the portal made, with what it was promised.
type asked struct {
	key    string // its Idempotency-Key
	kind   string
	body   []byte
	poison bool // it holds a character that no font has: it must fail, and say why

	id, number string // of the 202
}

// requests makes n of them: of every kind, one in fifty poisoned.
func requests(t testing.TB, n int) []*asked {
	t.Helper()
	var plain []samples.Sample
	for s := range samples.All() {
		if s.Name == "standard" && len(s.Body) < 64<<10 {
			plain = append(plain, s)
		}
	}
	if len(plain) < 8 {
		t.Fatalf("only %d kinds have a plain sample", len(plain))
	}
	made := make([]*asked, n)
	for i := range made {
		s := plain[i%len(plain)]
		a := &asked{key: "fault-" + strconv.Itoa(i), kind: s.Kind, body: bytes.Clone(s.Body)}
		if i%50 == 7 {
			a.poison, a.body = true, poisoned(t, s.Body)
		}
		made[i] = a
	}
	return made
}

// poisoned writes an emoji into the holder's name, wherever that stands.
func poisoned(t testing.TB, body []byte) []byte {
	t.Helper()
	var request struct {
		Holder struct {
			FullName string `json:"full_name"`
		}
	}
	if err := json.Unmarshal(body, &request); err != nil || request.Holder.FullName == "" {
		t.Fatal("a sample without a holder: ", err)
	}
	return bytes.ReplaceAll(body, []byte(request.Holder.FullName), []byte("Puig, Maria \U0001F600"))
}

// portal sends requests as a portal does: whatever it hears but a 202 or a
// refusal means "unknown", and it repeats with the same key.
type portal struct {
	h        *house
	repeats  atomic.Int64 // after no answer or a 5xx
	full     atomic.Int64 // after a 429
	accepted atomic.Int64

	mu      sync.Mutex
	refused []string
}

func (p *portal) send(ctx context.Context, a *asked) {
	for try := 0; ctx.Err() == nil; try++ {
		if try > 0 {
			pause(ctx, time.Duration(50+rand.IntN(200))*time.Millisecond)
		}
		door := p.h.doors[rand.IntN(len(p.h.doors))]
		r, err := http.NewRequestWithContext(ctx, http.MethodPost, "http://"+door+"/v1/documents/"+a.kind, bytes.NewReader(a.body))
		if err != nil {
			panic(err) // the address is ours
		}
		r.Header.Set("Authorization", "Bearer "+p.h.token)
		r.Header.Set("Content-Type", "application/json")
		r.Header.Set("Idempotency-Key", a.key)
		answer, err := p.h.client.Do(r)
		if err != nil {
			p.repeats.Add(1)
			continue
		}
		body, err := io.ReadAll(answer.Body)
		answer.Body.Close()
		switch {
		case err != nil || answer.StatusCode >= 500:
			p.repeats.Add(1)
		case answer.StatusCode == http.StatusTooManyRequests:
			p.full.Add(1)
		case answer.StatusCode == http.StatusAccepted:
			var promise struct{ ID, Number string }
			if err := json.Unmarshal(body, &promise); err != nil || promise.ID == "" || promise.Number == "" {
				p.refuse(fmt.Sprintf("a 202 that promises nothing: %.200s", body))
				return
			}
			a.id, a.number = promise.ID, promise.Number
			p.accepted.Add(1)
			return
		default:
			p.refuse(fmt.Sprintf("%s for a good request: %.300s", answer.Status, body))
			return
		}
	}
}

func (p *portal) refuse(why string) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.refused = append(p.refused, why)
}

// state is what a portal sees of a request.
type state struct {
	State    string
	Number   string
	Document *struct {
		SHA256, Level string
		Size          int64
	}
	Failure *struct{ Cause, Detail string }
}

func (s state) String() string {
	if s.Failure != nil {
		return s.State + " (" + s.Failure.Cause + ")"
	}
	return s.State
}

// ask asks a door where a request stands.
func (h *house) ask(id string) (state, error) {
	var s state
	r, err := http.NewRequest(http.MethodGet, "http://"+h.doors[0]+"/v1/requests/"+id, nil)
	if err != nil {
		return s, err
	}
	r.Header.Set("Authorization", "Bearer "+h.token)
	answer, err := h.client.Do(r)
	if err != nil {
		return s, err
	}
	defer answer.Body.Close()
	if answer.StatusCode != http.StatusOK {
		return s, fmt.Errorf("the door answers %s", answer.Status)
	}
	return s, json.NewDecoder(answer.Body).Decode(&s)
}

// download fetches a document as a person's browser does.
func (h *house) download(id string) ([]byte, error) {
	r, err := http.NewRequest(http.MethodGet, "http://"+h.doors[0]+"/v1/requests/"+id+"/content", nil)
	if err != nil {
		return nil, err
	}
	r.Header.Set("Authorization", "Bearer "+h.token)
	answer, err := h.client.Do(r)
	if err != nil {
		return nil, err
	}
	answer.Body.Close()
	if answer.StatusCode != http.StatusSeeOther {
		return nil, fmt.Errorf("the door answers %s", answer.Status)
	}
	answer, err = http.Get(answer.Header.Get("Location"))
	if err != nil {
		return nil, err
	}
	defer answer.Body.Close()
	if answer.StatusCode != http.StatusOK {
		return nil, fmt.Errorf("the store answers %s", answer.Status)
	}
	return io.ReadAll(answer.Body)
}
