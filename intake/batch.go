package intake

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"reflect"
	"strconv"
	"time"

	"github.com/danielgtaylor/huma/v2"
	"github.com/danielgtaylor/huma/v2/adapters/humago"
	"golang.org/x/sync/errgroup"

	"segell/access"
	"segell/templates"
	"segell/wire"
)

const (
	// batchLines is how many requests one call may hold.
	batchLines = 1000
	// batchBytes is how long the body of one call may be.
	batchBytes = 64 << 20
	// batchLine is how long a line may be: longer requests come one by one.
	batchLine = 4<<20 + 4<<10
	// batchAtOnce is how many lines are dealt with at a time. With batchLine it
	// bounds the memory that a batch costs.
	batchAtOnce = 8
	// batchWithin is how long a batch may take in all.
	batchWithin = 5 * time.Minute
	// batchFaults is how many faults of one line are told; they are many where a
	// line is quite another thing than it says.
	batchFaults = 25
)

// The media types of JSON Lines: neither is registered, both are used.
var jsonLines = []string{"application/jsonl", "application/x-ndjson"}

// BatchLine is a line of a batch.
type BatchLine struct {
	Kind    string          `json:"kind" doc:"Kind of document" example:"coverage_certificate"`
	Request json.RawMessage `json:"request" doc:"The request, as POST /v1/documents/{kind} takes it"`
}

// BatchResult is what became of a line.
type BatchResult struct {
	_       struct{}      `json:"-" additionalProperties:"true"`
	Line    int           `json:"line" minimum:"1" doc:"Number of the line, from 1" example:"1"`
	Status  int           `json:"status" doc:"The HTTP status that the line would have had alone: 202, or that of its problem" example:"202"`
	Request *RequestState `json:"request,omitempty" doc:"Where the request stands, if it was accepted"`
	Problem *Problem      `json:"problem,omitempty" doc:"Why it was refused, if it was"`
}

type batchInput struct {
	IdempotencyKey  string `header:"Idempotency-Key" required:"true" minLength:"1" maxLength:"255" pattern:"^[!-~]+$" doc:"A name of your own for this batch. Together with its number it is the key of each line: after a lost answer send the same batch with the same key" example:"2026-03-payroll"`
	ContentType     string `header:"Content-Type" hidden:"true"`
	ContentEncoding string `header:"Content-Encoding" hidden:"true"`
}

func (a *API) registerBatch() {
	schemas := a.api.OpenAPI().Components.Schemas
	line := fmt.Sprintf("One object per line: %s", `{"kind": "coverage_certificate", "request": {…}}`)
	body, results := map[string]*huma.MediaType{}, map[string]*huma.MediaType{}
	for _, media := range jsonLines {
		body[media] = &huma.MediaType{Schema: &huma.Schema{Type: huma.TypeString, Description: line}, Example: batchExample()}
	}
	each := schemas.Schema(reflect.TypeFor[BatchResult](), true, "BatchResult")
	results[jsonLines[0]] = &huma.MediaType{Schema: &huma.Schema{Type: huma.TypeString, Description: "A BatchResult per line, in the order of the lines",
		Extensions: map[string]any{"contentMediaType": "application/jsonl", "contentSchema": each}},
		Example: `{"line":1,"status":202,"request":{"id":"0199e0a0-5b7c-7c1e-9a54-3f1d2b6c7d8e","kind":"coverage_certificate","state":"accepted"}}` + "\n"}
	register(a, huma.Operation{OperationID: "request-batch", Method: http.MethodPost, Path: "/v1/documents/batch", Tags: []string{tagDocuments},
		Security: needs(access.ScopeRequest), Summary: "Ask for many documents at once",
		Description: fmt.Sprintf("Up to %d requests as JSON Lines, %d MiB together and %d MiB a line. Each is judged on its own: the answer has one line per request, in their order. "+
			"They have the priority batch, unless a request says interactive in its options. If the body ends before its time, or is too large, the last line of the answer says so; "+
			"what the lines before it accepted stays accepted.", batchLines, batchBytes>>20, batchLine>>20),
		RequestBody:        &huma.RequestBody{Required: true, Description: line, Content: body},
		Responses:          map[string]*huma.Response{"200": {Description: "What became of each line", Content: results}},
		SkipValidateParams: true,
		Errors:             refusals(400, 415)}, a.batch)
}

func (a *API) batch(ctx context.Context, in *batchInput) (*huma.StreamResponse, error) {
	if p := a.checkMedia(in.ContentType, in.ContentEncoding, jsonLines...); p != nil {
		return nil, p
	}
	if !usableKey(in.IdempotencyKey) {
		return nil, a.problem("idempotency-key-missing", "The header Idempotency-Key must hold 1 to 255 printable ASCII characters.")
	}
	return &huma.StreamResponse{Body: func(c huma.Context) {
		r, w := humago.Unwrap(c)
		control := http.NewResponseController(w)
		_ = control.SetReadDeadline(time.Now().Add(batchWithin)) // else the server's own, which is for one request
		_ = control.SetWriteDeadline(time.Now().Add(batchWithin + time.Minute))
		results := a.takeBatch(ctx, in.IdempotencyKey, http.MaxBytesReader(w, r.Body, batchBytes))
		// Written when all is read: a client that sends all before it reads would
		// otherwise wait for us as we for it.
		w.Header().Set("Content-Type", jsonLines[0])
		w.Header().Set("Content-Length", strconv.Itoa(results.Len()))
		_, _ = w.Write(results.Bytes()) // the client may be gone; it repeats with the same key
	}}, nil
}

// takeBatch reads the lines one after the other, deals with a few at a time, and
// returns the lines of the answer.
func (a *API) takeBatch(ctx context.Context, key string, body io.Reader) *bytes.Buffer {
	lines := bufio.NewReaderSize(body, 64<<10)
	results := make([]*BatchResult, 0, 16)
	var group errgroup.Group
	group.SetLimit(batchAtOnce)
	for number := 1; ; number++ {
		line, err := readLine(lines, batchLine)
		if err == nil && number > batchLines {
			line, err = nil, errBatchLines
		}
		if result, ended := a.endOfBatch(number, line, err); ended {
			if result != nil {
				results = append(results, result)
			}
			break
		}
		result := &BatchResult{Line: number}
		if len(line) == 0 && err == nil {
			continue // an empty line is nobody's request
		}
		results = append(results, result)
		if errors.Is(err, errLineLong) {
			result.refuse(a.problem("too-large", fmt.Sprintf("A line of a batch may have %d bytes; send longer requests one by one.", batchLine)))
			continue
		}
		group.Go(func() error {
			a.takeLine(ctx, key, line, result)
			return nil
		})
	}
	_ = group.Wait() // what went wrong is in the results
	out := &bytes.Buffer{}
	encoder := json.NewEncoder(out)
	encoder.SetEscapeHTML(false)
	for _, result := range results {
		if err := encoder.Encode(result); err != nil {
			panic("intake: a result cannot be encoded: " + err.Error()) // it has no field that could fail
		}
	}
	return out
}

// endOfBatch says whether a batch ends here, and how if not well.
func (a *API) endOfBatch(number int, line []byte, err error) (result *BatchResult, ended bool) {
	if err == nil || errors.Is(err, errLineLong) || errors.Is(err, io.EOF) && len(line) > 0 {
		return nil, false
	}
	if errors.Is(err, io.EOF) {
		return nil, true
	}
	result = &BatchResult{Line: number}
	var large *http.MaxBytesError
	switch {
	case errors.Is(err, errBatchLines):
		result.refuse(a.problem("too-large", fmt.Sprintf("A batch may have %d lines. This line and those after it were not read.", batchLines)))
	case errors.As(err, &large):
		result.refuse(a.problem("too-large", fmt.Sprintf("A batch may have %d bytes. This line and those after it were not read.", batchBytes)))
	default:
		result.refuse(a.problem("bad-request", "The body could not be read to its end. Send the same batch again with the same key."))
	}
	return result, true
}

// takeLine deals with one line.
func (a *API) takeLine(ctx context.Context, key string, line []byte, result *BatchResult) {
	defer func() {
		if value := recover(); value != nil {
			a.Log.Error("a panic was caught", "route", "a line of a batch", "type", fmt.Sprintf("%T", value))
			result.refuse(a.problem("internal", ""))
		}
	}()
	asked, err := wire.Decode[BatchLine](line)
	if err != nil {
		result.refuse(a.unreadableBody(err))
		return
	}
	kind, ok := templates.Lookup(asked.Kind)
	if !ok {
		result.refuse(a.unknownKind())
		return
	}
	if int64(len(asked.Request)) > kind.BodyLimit() {
		result.refuse(a.problem("too-large", fmt.Sprintf("A request for this kind may have %d bytes.", kind.BodyLimit())))
		return
	}
	// No header can hold a line feed: a line's key is nobody else's.
	receipt, refused := a.take(ctx, submission{kind: kind, key: key + "\n" + strconv.Itoa(result.Line), body: asked.Request, batch: true})
	if refused != nil {
		for i := range refused.Errors {
			pointer := "/request" + *refused.Errors[i].Pointer // a line has no parameters
			refused.Errors[i].Pointer = &pointer
		}
		result.refuse(refused)
		return
	}
	state, _ := a.stateAfter(ctx, receipt, 0)
	result.Status, result.Request = http.StatusAccepted, &state
}

func (r *BatchResult) refuse(p *Problem) {
	p.Errors = p.Errors[:min(len(p.Errors), batchFaults)]
	r.Status, r.Problem = p.Status, p
}

var (
	errLineLong   = errors.New("the line is too long")
	errBatchLines = errors.New("there are too many lines")
)

// readLine reads a line of at most most bytes, without its end and the blanks
// around it. A longer one is passed over, with errLineLong. The last line may end
// with io.EOF.
func readLine(from *bufio.Reader, most int) ([]byte, error) {
	var line []byte
	long := false
	for {
		part, err := from.ReadSlice('\n')
		if len(line)+len(part) > most+2 {
			long, line = true, nil
		}
		if !long {
			line = append(line, part...)
		}
		if errors.Is(err, bufio.ErrBufferFull) {
			continue
		}
		if long && (err == nil || errors.Is(err, io.EOF)) {
			return nil, errLineLong
		}
		return bytes.TrimSpace(line), err
	}
}
