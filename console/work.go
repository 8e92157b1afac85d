package console

import (
	"context"
	"errors"
	"net/http"
	"slices"
	"strings"
	"time"

	"segell/acts"
	"segell/ledger"
	"segell/queue"
	"segell/staff"
	"segell/templates"
)

func (c *Console) workRoutes() []route {
	return []route{
		{http.MethodGet, "/work", staff.Look, c.work},
		{http.MethodPost, "/pause", staff.Act, c.pause},
		{http.MethodPost, "/resume", staff.Act, c.resume},
	}
}

// workView is what templates/work.html sees. What could not be read is told by the
// word beside it (troubleWord); the rest is shown.
type workView struct {
	Pauses         []pauseRow
	PausesMissing  string
	Queues         []queueRow
	Memory         memory
	QueuesMissing  string
	Workers        []workerRow
	WorkersMissing string
	Kinds          []string // that can be paused and are not
	Names          []string // queues that can be paused and are not
	Target, Why    string   // as they were chosen and typed
	Form           string   // the form that has the faults: "pause", or the target of a resume
	Faults         faults
}

type pauseRow struct {
	ledger.Pause
	Target string // "kind:coverage_certificate"
	ID     string // for the form's elements
}

type queueRow struct {
	queue.Depth
	Pause *ledger.Pause
}

type memory struct {
	Used, Most int64 // MiB
	Percent    int64
}

type workerRow struct {
	queue.Presence
	How      string // well, mind, halt, unknown
	DaysLeft int    // of the certificate that seals
	Ends     bool   // DaysLeft is known
}

// sourcesWithin is how long a page waits for one of its sources.
const sourcesWithin = 3 * time.Second

func (c *Console) work(w http.ResponseWriter, r *http.Request) {
	c.showWork(w, r, http.StatusOK, workView{})
}

func (c *Console) showWork(w http.ResponseWriter, r *http.Request, status int, v workView) {
	ctx, cancel := context.WithTimeout(r.Context(), sourcesWithin)
	defer cancel()
	pauses, err := c.Ledger.Pauses(ctx)
	v.PausesMissing = c.troubleWord(r, "pauses", err)
	v.Pauses = pauseRows(pauses)
	depths, err := c.Queue.Depths(ctx)
	v.QueuesMissing = c.troubleWord(r, "queues", err)
	v.Queues = queueRows(depths, pauses)
	if used, most, err := c.Queue.Memory(ctx); err == nil {
		v.Memory = memory{Used: used >> 20, Most: most >> 20}
		if most > 0 {
			v.Memory.Percent = used * 100 / most
		}
	}
	workers, err := c.Queue.Workers(ctx)
	v.WorkersMissing = c.troubleWord(r, "workers", err)
	v.Workers = c.workerRows(workers)
	v.Kinds, v.Names = pausable(pauses)
	c.page(w, r, status, "work", v)
}

func pauseRows(pauses []ledger.Pause) []pauseRow {
	rows := make([]pauseRow, len(pauses))
	for i, p := range pauses {
		rows[i] = pauseRow{Pause: p, Target: string(p.Scope) + ":" + p.Name, ID: "resume-" + string(p.Scope) + "-" + p.Name}
	}
	return rows
}

func queueRows(depths []queue.Depth, pauses []ledger.Pause) []queueRow {
	rows := make([]queueRow, len(depths))
	for i, depth := range depths {
		rows[i].Depth = depth
		for j, p := range pauses {
			if p.Scope == ledger.PauseQueue && p.Name == depth.Queue {
				rows[i].Pause = &pauses[j]
			}
		}
	}
	return rows
}

// sealMind is how long before its end a seal certificate needs somebody.
const sealMind = 30 * 24 * time.Hour

func (c *Console) workerRows(workers []queue.Presence) []workerRow {
	rows := make([]workerRow, len(workers))
	for i, p := range workers {
		left := p.SealEnds.Sub(c.Now())
		rows[i] = workerRow{Presence: p, How: "well", DaysLeft: int(left / (24 * time.Hour)), Ends: !p.SealEnds.IsZero()}
		switch {
		case p.Host == "": // said in a form that only a later version reads
			rows[i].How = "unknown"
		case slices.ContainsFunc(p.Away, func(a queue.Absence) bool { return a.Resting }) || rows[i].Ends && left <= 0:
			rows[i].How = "halt"
		case len(p.Away) > 0 || p.Stopping || rows[i].Ends && left < sealMind:
			rows[i].How = "mind"
		}
	}
	return rows
}

// pausable are the kinds and the queues of which none is paused.
func pausable(pauses []ledger.Pause) (kinds, queues []string) {
	free := func(scope ledger.PauseScope, name string) bool {
		return !slices.ContainsFunc(pauses, func(p ledger.Pause) bool { return p.Scope == scope && p.Name == name })
	}
	for _, kind := range templates.Kinds() {
		if free(ledger.PauseKind, kind.ID) {
			kinds = append(kinds, kind.ID)
		}
	}
	for _, name := range acts.PausableQueues() {
		if free(ledger.PauseQueue, name) {
			queues = append(queues, name)
		}
	}
	return kinds, queues
}

func (c *Console) pause(w http.ResponseWriter, r *http.Request) {
	scope, name, _ := strings.Cut(r.PostFormValue("target"), ":")
	err := c.Acts.Pause(r.Context(), actorOf(r), ledger.PauseScope(scope), name, r.PostFormValue("why"))
	c.paused(w, r, "pause", "pause-why", "target", err)
}

func (c *Console) resume(w http.ResponseWriter, r *http.Request) {
	target := r.PostFormValue("target")
	scope, name, _ := strings.Cut(target, ":")
	if strings.TrimSpace(r.PostFormValue("why")) == "" {
		c.paused(w, r, target, "resume-"+scope+"-"+name, "", acts.ErrWhy)
		return
	}
	err := c.Acts.Resume(r.Context(), actorOf(r), ledger.PauseScope(scope), name, r.PostFormValue("why"))
	if errors.Is(err, acts.ErrNotPaused) {
		err = nil // somebody else was faster
	}
	c.paused(w, r, target, "resume-"+scope+"-"+name, "", err)
}

// paused answers a form of this page: what was done, or the page with the fault.
func (c *Console) paused(w http.ResponseWriter, r *http.Request, form, why, target string, err error) {
	v := workView{Form: form, Target: r.PostFormValue("target"), Why: r.PostFormValue("why")}
	words := visitOf(r).words
	switch {
	case err == nil && form == "pause":
		c.done(w, r, "/work", "work.pause")
	case err == nil:
		c.done(w, r, "/work", "work.resume")
	case errors.Is(err, acts.ErrWhy):
		v.Faults.add(why, words.text("frame.why.missing"))
	case errors.Is(err, ledger.ErrAuditEntry):
		v.Faults.add(why, words.text("frame.why.unfit"))
	case errors.Is(err, acts.ErrPausable):
		v.Faults.add(target, words.text("work.pause.unknown"))
	default:
		c.problem(w, r, err)
	}
	if len(v.Faults) > 0 {
		c.showWork(w, r, http.StatusUnprocessableEntity, v)
	}
}
