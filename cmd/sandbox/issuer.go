package main

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"text/tabwriter"
	"time"

	"segell/samples"
)

// issuer asks for every sample as the portal would: over HTTP, with a token.
type issuer struct {
	api, token, dir string
	out             io.Writer
	client          http.Client
	first           samples.Sample // the plainest of them, to try by hand
	example         string         // where its sealed PDF lies
}

func newIssuer(api, token, dir string, out io.Writer) *issuer {
	// Redirects are followed by hand, without the token: Go would send it to the
	// store as well, which has another port but the same host.
	client := http.Client{Timeout: 30 * time.Second, CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}
	return &issuer{api: api, token: token, dir: dir, out: out, client: client}
}

// order is one document to ask for.
type order struct {
	file, kind string
	body       []byte
	id         string
	before     bool // issued when it was asked for: an earlier run did it
}

// all asks for everything at once, waits until each is issued and puts the
// sealed PDFs where a person finds them.
func (i *issuer) all(ctx context.Context) error {
	if err := os.MkdirAll(i.dir, 0o755); err != nil {
		return err
	}
	var orders []*order
	for sample := range samples.Issued() {
		if i.first.Body == nil && sample.Kind == "coverage_certificate" && sample.Name == samples.Standard {
			i.first, i.example = sample, filepath.Join(i.dir, sample.FileName())
		}
		orders = append(orders, &order{file: sample.FileName(), kind: sample.Kind, body: sample.Body})
	}
	began := time.Now()
	for _, o := range orders {
		if err := i.submit(ctx, o); err != nil {
			return fmt.Errorf("%s: %w", o.file, err)
		}
	}
	table := tabwriter.NewWriter(i.out, 0, 4, 3, ' ', 0)
	fmt.Fprintln(table, "DOCUMENT\tNUMBER\tPAGES\tSEAL\tFILE")
	for _, o := range orders {
		state, err := i.wait(ctx, o)
		if err != nil {
			return fmt.Errorf("%s: %w", o.file, err)
		}
		path := filepath.Join(i.dir, o.file)
		if err := i.download(ctx, o, path); err != nil {
			return fmt.Errorf("%s: %w", o.file, err)
		}
		fmt.Fprintf(table, "%s\t%s\t%d\t%s\t%s\n", o.kind, state.Number, state.Document.Pages, state.Document.Level, path)
	}
	if err := table.Flush(); err != nil {
		return err
	}
	refused, err := i.refuse(ctx)
	if err != nil {
		return err
	}
	earlier := 0
	for _, o := range orders {
		if o.before {
			earlier++
		}
	}
	fmt.Fprintf(i.out, "\n%d documents issued", len(orders)-earlier)
	if earlier > 0 {
		fmt.Fprintf(i.out, ", %d had been before", earlier)
	}
	fmt.Fprintf(i.out, "; %d requests refused, as they must be. It took %s.\n", refused, time.Since(began).Round(10*time.Millisecond))
	return nil
}

// welcome is what a newcomer needs to go on.
type welcome struct{ kind, request, root, dir, settings, desk string }

func (i *issuer) welcome(w welcome) {
	fmt.Fprintf(i.out, `
Segell is up.
  API             %[1]s/v1/documents/%[2]s
  its description %[1]s/openapi.json
  API token       %[3]s
  verification    %[1]s/v
  root to trust   %[4]s
  all is kept in  %[5]s
%[8]s
Ask for a document yourself:

  curl -s %[1]s/v1/documents/%[2]s \
       -H 'Authorization: Bearer %[3]s' -H "Idempotency-Key: $(date +%%s)" \
       -H 'Content-Type: application/json' --data @%[6]s

The answer names its id; put it in the place of ID:

  curl -s  %[1]s/v1/requests/ID -H 'Authorization: Bearer %[3]s'
  curl -sL %[1]s/v1/requests/ID/content -H 'Authorization: Bearer %[3]s' -o document.pdf

Or get an address for a person's browser, good for a quarter of an hour, and open it:

  curl -s -X POST %[1]s/v1/requests/ID/tickets -H 'Authorization: Bearer %[3]s'

Judge one:

  go run ./cmd/segell verify --seal-roots-file %[4]s %[7]s

What staff do in the console, by command:

  . %[9]s && go run ./cmd/segell jobs list

Ctrl-C stops it. Started again on the same folder it goes on where it was; with -v it tells what it does,
-h lists the flags (make sandbox SANDBOX_FLAGS="-v").
`, i.api, w.kind, i.token, w.root, w.dir, w.request, i.example, w.desk, quote(w.settings))
}

type requestState struct {
	Number   string `json:"number"`
	State    string `json:"state"`
	Document struct {
		Pages  int    `json:"pages"`
		Level  string `json:"level"`
		SHA256 string `json:"sha256"`
	} `json:"document"`
	Failure struct {
		Cause  string `json:"cause"`
		Detail string `json:"detail"`
	} `json:"failure"`
}

// ask sends one request to the API and returns the answer's status and body.
func (i *issuer) ask(ctx context.Context, method, path string, body []byte, key string) (int, []byte, error) {
	request, err := http.NewRequestWithContext(ctx, method, i.api+path, bytes.NewReader(body))
	if err != nil {
		return 0, nil, err
	}
	request.Header.Set("Authorization", "Bearer "+i.token)
	if body != nil {
		request.Header.Set("Content-Type", "application/json")
		request.Header.Set("Idempotency-Key", key)
	}
	answer, err := i.client.Do(request)
	if err != nil {
		return 0, nil, err
	}
	defer answer.Body.Close()
	if answer.StatusCode == http.StatusSeeOther {
		if request, err = http.NewRequestWithContext(ctx, http.MethodGet, answer.Header.Get("Location"), nil); err != nil {
			return 0, nil, errors.New("the address of the download cannot be used")
		}
		if answer, err = i.client.Do(request); err != nil {
			return 0, nil, errors.New("the download failed")
		}
		defer answer.Body.Close()
	}
	text, err := io.ReadAll(io.LimitReader(answer.Body, 64<<20))
	return answer.StatusCode, text, err
}

// submit asks for a document. The same sample has the same key, so a sandbox
// that is started again shows the documents it issued before.
func (i *issuer) submit(ctx context.Context, o *order) error {
	digest := sha256.Sum256(o.body)
	return i.submitAs(ctx, o, fmt.Sprintf("sandbox-%x", digest[:16]))
}

// submitAs is submit under an Idempotency-Key.
func (i *issuer) submitAs(ctx context.Context, o *order, key string) error {
	status, text, err := i.ask(ctx, http.MethodPost, "/v1/documents/"+o.kind, o.body, key)
	if err != nil {
		return err
	}
	if status != http.StatusAccepted {
		return fmt.Errorf("it was not accepted (%d): %s", status, text)
	}
	var accepted struct {
		ID    string `json:"id"`
		State string `json:"state"`
	}
	if err := json.Unmarshal(text, &accepted); err != nil {
		return fmt.Errorf("the answer cannot be read: %w", err)
	}
	o.id, o.before = accepted.ID, accepted.State == "issued"
	return nil
}

// patience is how long a sample may take: some wait for their turn.
const patience = 2 * time.Minute

func (i *issuer) wait(ctx context.Context, o *order) (requestState, error) {
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	for {
		status, text, err := i.ask(ctx, http.MethodGet, "/v1/requests/"+o.id, nil, "")
		if err != nil {
			return requestState{}, err
		}
		var state requestState
		if status != http.StatusOK || json.Unmarshal(text, &state) != nil {
			return state, fmt.Errorf("its state cannot be read (%d): %s", status, text)
		}
		switch state.State {
		case "issued":
			return state, nil
		case "failed":
			return state, fmt.Errorf("it failed (%s): %s", state.Failure.Cause, state.Failure.Detail)
		}
		select {
		case <-ctx.Done():
			return state, fmt.Errorf("it is still %s", state.State)
		case <-time.After(20 * time.Millisecond):
		}
	}
}

func (i *issuer) download(ctx context.Context, o *order, path string) error {
	status, pdf, err := i.ask(ctx, http.MethodGet, "/v1/requests/"+o.id+"/content", nil, "")
	if err != nil {
		return err
	}
	if status != http.StatusOK {
		return fmt.Errorf("it could not be downloaded (%d): %.300s", status, pdf)
	}
	return os.WriteFile(path, pdf, 0o644)
}

// refuse sends what must be refused and compares the fields that are named.
func (i *issuer) refuse(ctx context.Context) (int, error) {
	count := 0
	for sample := range samples.AllRefused() {
		count++
		status, text, err := i.ask(ctx, http.MethodPost, "/v1/documents/"+sample.Kind, sample.Body, "sandbox-refused-"+sample.Name)
		if err != nil {
			return 0, err
		}
		var problem struct {
			Errors []struct {
				Pointer string `json:"pointer"`
			} `json:"errors"`
		}
		if json.Unmarshal(text, &problem) != nil {
			return 0, errors.New("a refusal cannot be read")
		}
		var named []string
		for _, fault := range problem.Errors {
			named = append(named, fault.Pointer)
		}
		slices.Sort(named)
		want := slices.Sorted(slices.Values(sample.Faults))
		if status != sample.Status || !slices.Equal(named, want) {
			return 0, fmt.Errorf("sample refused/%s of %s was answered %d naming %q; %d naming %q is right", sample.Name, sample.Kind, status, named, sample.Status, want)
		}
	}
	return count, nil
}
