package audit

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os"
	"regexp"
	"strconv"
	"strings"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"segell/ledger"
)

// Heads keeps the heads of chains outside the bucket: in a file, best on another
// volume than the bucket's, and in the log. Whoever can write to the bucket can cut
// off the end of a chain; with its head kept elsewhere `segell audit verify --heads`
// finds that.
type Heads struct {
	Ledger *ledger.Ledger
	Reader *Reader // also the heads that other processes made, such as commands; may be nil
	File   string  // appended to, one line of JSON each; empty: the log alone
	Log    *slog.Logger
	Now    func() time.Time
	Every  time.Duration // a minute when 0

	Metrics prometheus.Registerer // may be nil
}

// keptHead is a line of the file.
type keptHead struct {
	At time.Time `json:"at"`
	ledger.AuditHead
}

// logged is what the log says of a head; ReadHeads finds it there.
const logged = "head of the audit trail"

// Run writes down every head that changed, each minute and once more when ctx
// ends. It ends last: what is audited after it is not kept before the next start
// of a process with a Reader. A file that cannot be written is told in the log and
// tried again.
func (h Heads) Run(ctx context.Context) {
	every := h.Every
	if every <= 0 {
		every = time.Minute
	}
	k := &keeping{Heads: h, kept: map[string]ledger.AuditHead{}}
	if h.File != "" {
		if before, err := ReadHeadsFile(h.File); err == nil {
			for _, head := range before.Heads {
				k.kept[head.Writer] = head
			}
		}
	}
	if h.Metrics != nil {
		k.unsaved = prometheus.NewGauge(prometheus.GaugeOpts{Name: "segell_audit_heads_unsaved",
			Help: "Heads of the audit trail that could not be written to the file outside the bucket."})
		h.Metrics.MustRegister(k.unsaved)
	}
	tick := time.NewTicker(every)
	defer tick.Stop()
	for {
		k.keep()
		select {
		case <-ctx.Done():
			k.keep()
			return
		case <-tick.C:
		}
	}
}

// Keep writes the head of this process's chain down once, to the file alone: for
// commands, which end before a minute is over. It does nothing where this process
// has audited nothing, or File is empty.
func (h Heads) Keep() error {
	head, begun := h.Ledger.AuditHead()
	if !begun || h.File == "" {
		return nil
	}
	return h.write([]ledger.AuditHead{head})
}

// Check returns an error if heads cannot be written to the file.
func (h Heads) Check() error {
	if h.File == "" {
		return nil
	}
	file, err := openHeads(h.File)
	if err != nil {
		return fmt.Errorf("opening the file of the audit trail's heads: %w", err)
	}
	return file.Close()
}

// keeping is Heads at work.
type keeping struct {
	Heads
	kept    map[string]ledger.AuditHead // in the file
	told    ledger.AuditHead            // in the log
	unsaved prometheus.Gauge
}

func (k *keeping) keep() {
	own, begun := k.Ledger.AuditHead()
	if begun && own != k.told {
		k.Log.Info(logged, "writer", own.Writer, "sequence", own.Sequence, "sha256", own.SHA256)
		k.told = own
	}
	if k.File == "" {
		return
	}
	var heads []ledger.AuditHead
	if begun {
		heads = append(heads, own)
	}
	if k.Reader != nil {
		heads = append(heads, k.Reader.Heads()...)
	}
	var changed []ledger.AuditHead
	for _, head := range heads {
		if head.Sequence > k.kept[head.Writer].Sequence {
			changed = append(changed, head)
			k.kept[head.Writer] = head
		}
	}
	err := k.write(changed)
	if err != nil {
		for _, head := range changed {
			delete(k.kept, head.Writer) // they are written the next time
		}
		k.Log.Error("the heads of the audit trail could not be kept outside the bucket; it is tried again", "why", err)
	}
	if k.unsaved != nil {
		k.unsaved.Set(0)
		if err != nil {
			k.unsaved.Set(float64(len(changed)))
		}
	}
}

// write appends heads to the file, all in one write: several processes may share it.
func (h Heads) write(heads []ledger.AuditHead) (err error) {
	if len(heads) == 0 {
		return nil
	}
	file, err := openHeads(h.File)
	if err != nil {
		return fmt.Errorf("opening the file of the audit trail's heads: %w", err)
	}
	defer func() {
		if closing := file.Close(); err == nil && closing != nil {
			err = fmt.Errorf("closing the file of the audit trail's heads: %w", closing)
		}
	}()
	var lines bytes.Buffer
	if torn(file) {
		lines.WriteByte('\n')
	}
	for _, head := range heads {
		line, err := json.Marshal(keptHead{h.Now().UTC().Truncate(time.Second), head})
		if err != nil {
			return fmt.Errorf("encoding a head of the audit trail: %w", err)
		}
		lines.Write(append(line, '\n'))
	}
	if _, err = file.Write(lines.Bytes()); err == nil {
		err = file.Sync()
	}
	if err != nil {
		return fmt.Errorf("writing the heads of the audit trail: %w", err)
	}
	return nil
}

func openHeads(path string) (*os.File, error) {
	return os.OpenFile(path, os.O_RDWR|os.O_CREATE|os.O_APPEND, 0o640)
}

// torn reports whether the last line was not written to its end.
func torn(file *os.File) bool {
	end, err := file.Seek(0, io.SeekEnd)
	if err != nil || end == 0 {
		return false
	}
	var last [1]byte
	_, err = file.ReadAt(last[:], end-1)
	return err == nil && last[0] != '\n'
}

// ErrNoHeads says that a text holds no head of the audit trail.
var ErrNoHeads = errors.New("no heads of the audit trail are there")

// KeptHeads is what ReadHeads found.
type KeptHeads struct {
	Heads []ledger.AuditHead // of a chain several, oldest first
	// Torn is how many lines were begun and cannot be read, as where the power failed.
	Torn int
}

// ReadHeadsFile reads the heads in a file; see ReadHeads.
func ReadHeadsFile(path string) (KeptHeads, error) {
	file, err := os.Open(path)
	if errors.Is(err, os.ErrNotExist) {
		return KeptHeads{}, fmt.Errorf("%w: %w", ErrNoHeads, err)
	}
	if err != nil {
		return KeptHeads{}, fmt.Errorf("opening the file of the audit trail's heads: %w", err)
	}
	defer file.Close()
	return ReadHeads(file)
}

// ReadHeads reads heads in each form in which they leave Segell: the file that
// Heads appends to, what `segell audit verify --json` prints, and the log. It
// returns ErrNoHeads if there are none.
func ReadHeads(from io.Reader) (KeptHeads, error) {
	text, err := io.ReadAll(from)
	if err != nil {
		return KeptHeads{}, fmt.Errorf("reading heads of the audit trail: %w", err)
	}
	var kept KeptHeads
	var report ledger.AuditReport
	if json.Unmarshal(text, &report) == nil && report.Heads != nil {
		kept.Heads = report.Heads
	} else {
		lines := bufio.NewScanner(bytes.NewReader(text))
		lines.Buffer(nil, len(text)+1)
		for lines.Scan() {
			kept.line(strings.TrimSpace(lines.Text()))
		}
	}
	for _, head := range kept.Heads {
		if !usable(head) {
			return KeptHeads{}, fmt.Errorf("%w: one of them is none", ErrNoHeads)
		}
	}
	if len(kept.Heads) == 0 {
		return kept, ErrNoHeads
	}
	return kept, nil
}

// inLog is how log/slog writes a head as text.
var inLog = regexp.MustCompile(`\bmsg="` + logged + `" writer=(\S+) sequence=(\d+) sha256=([0-9a-f]{64})\b`)

// line reads a line of the file, or of a log, most of whose lines are of other things.
func (k *KeptHeads) line(text string) {
	if found := inLog.FindStringSubmatch(text); found != nil {
		sequence, err := strconv.ParseInt(found[2], 10, 64)
		if err == nil {
			k.Heads = append(k.Heads, ledger.AuditHead{Writer: found[1], Sequence: sequence, SHA256: found[3]})
		}
		return
	}
	if !strings.HasPrefix(text, "{") {
		return
	}
	var head ledger.AuditHead
	switch err := json.Unmarshal([]byte(text), &head); {
	case err != nil:
		k.Torn++
	case usable(head):
		k.Heads = append(k.Heads, head)
	}
}

var digest = regexp.MustCompile(`^[0-9a-f]{64}$`)

func usable(h ledger.AuditHead) bool {
	return ledger.CheckID(h.Writer) == nil && h.Sequence > 0 && digest.MatchString(h.SHA256)
}
