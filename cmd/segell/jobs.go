package main

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"strings"
	"time"

	"segell/cmd/internal/press"
	"segell/ledger"
	"segell/queue"
	"segell/storage"
)

// jobsCmd is for staff: it speaks Catalan unless SEGELL_LANGUAGE says English.
type jobsCmd struct {
	List   jobsListCmd   `cmd:"" help:"Requests that were given up, with their cause, oldest first."`
	Show   jobsShowCmd   `cmd:"" help:"Everything known of one request."`
	Retry  jobsRetryCmd  `cmd:"" help:"Try failed requests again, afresh from the ledger."`
	Cancel jobsCancelCmd `cmd:"" help:"Take back a request that is not issued, such as one that failed for good."`
}

type jobsListCmd struct {
	Cause string `help:"Only this cause."`
	Kind  string `help:"Only this kind of document."`
}

type jobsShowCmd struct {
	Request string `arg:"" help:"Id of the request."`
}

type jobsRetryCmd struct {
	Requests []string `arg:"" optional:"" help:"Ids of requests."`
	Cause    string   `help:"Every failed request with this cause."`
	All      bool     `help:"Every failed request."`
	Reason   string   `help:"Why, for the audit trail: no names or numbers of persons. Needed where more than one request is meant."`
}

// jobsWords are the words of the tables, by language.
var jobsWords = map[string]map[string]string{
	"ca": {"id": "SOL·LICITUD", "number": "DOCUMENT", "kind": "TIPUS", "failed": "ATURADA EL", "what": "QUÈ HA PASSAT", "do": "QUÈ CAL FER", "none": "Tot bé: no hi ha cap sol·licitud aturada.",
		"none of these": "Cap de les sol·licituds aturades no és d'aquestes; `segell jobs list` les mostra totes.", "no such cause": "no hi ha cap causa %q: són %s", "no such kind": "no hi ha cap tipus %q: són %s",
		"count": "%d sol·licituds aturades.", "one": "Una sol·licitud aturada.", "causes": "Per causa:", "state": "ESTAT", "accepted": "ACCEPTADA EL", "stage": "PAS", "cause": "CAUSA", "detail": "DETALL TÈCNIC", "tries": "INTENTS",
		"next": "PROPER INTENT", "retried": "%d sol·licituds tornades a provar.", "retried1": "Una sol·licitud tornada a provar.", "retried0": "No s'ha tornat a provar cap sol·licitud.", "job": "EN CUA", "level": "SEGELL", "pages": "PÀGINES",
		"not failed": "no és cap de les aturades", "unknown": "no hi ha cap sol·licitud %s", "unknown hint": "`segell jobs list` mostra les que s'han aturat", "no id": "%q no és l'identificador d'una sol·licitud, com ara 0199e0a0-5b7c-7c1e-9a54-3f1d2b6c7d8e",
		"which": "digueu quines: identificadors de sol·licituds, o --cause CAUSA, o --all", "no cause": "cap sol·licitud s'ha aturat per %q",
		"cancelled": "La sol·licitud %s queda anul·lada.\n", "issued already": "la sol·licitud %s ja té document, i no es pot anul·lar", "issued hint": "un document emès es retira des del portal que el va demanar",
		"why": "digueu per què es tornen a provar: --reason RAÓ", "why hint": "la raó queda al registre d'auditoria per sempre: una línia, sense noms ni números de cap persona",
		"state accepted": "acceptada", "state failed": "aturada", "state issued": "emesa", "state withdrawn": "retirada", "state replaced": "substituïda", "state cancelled": "anul·lada", "state erased": "esborrada",
		"stage read": "llegir", "stage render": "compondre", "stage seal": "segellar", "stage store": "desar",
		"job pending": "espera torn", "job active": "en curs", "job delayed": "espera el proper intent", "job dead": "abandonada (es reprendrà sola)", "no job": "encara no (s'hi posarà sola)", "queue away": "la cua no respon"},
	"en": {"id": "REQUEST", "number": "DOCUMENT", "kind": "KIND", "failed": "FAILED AT", "what": "WHAT HAPPENED", "do": "WHAT TO DO", "none": "All is well: no request has failed.",
		"none of these": "No request that failed is one of these; `segell jobs list` shows them all.", "no such cause": "there is no cause %q: they are %s", "no such kind": "there is no kind %q: they are %s",
		"count": "%d requests have failed.", "one": "One request has failed.", "causes": "By cause:", "state": "STATE", "accepted": "ACCEPTED AT", "stage": "STEP", "cause": "CAUSE", "detail": "TECHNICAL DETAIL", "tries": "TRIES",
		"next": "NEXT TRY", "retried": "%d requests are tried again.", "retried1": "One request is tried again.", "retried0": "No request was tried again.", "job": "IN THE QUEUE", "level": "SEAL", "pages": "PAGES",
		"not failed": "is not one of the failed", "unknown": "there is no request %s", "unknown hint": "`segell jobs list` shows those that failed", "no id": "%q is not the id of a request, such as 0199e0a0-5b7c-7c1e-9a54-3f1d2b6c7d8e",
		"which": "say which: ids of requests, or --cause CAUSE, or --all", "no cause": "no request failed for %q",
		"cancelled": "The request %s is cancelled.\n", "issued already": "the request %s has a document, and cannot be cancelled", "issued hint": "an issued document is withdrawn by the portal that asked for it",
		"why": "say why they are tried again: --reason REASON", "why hint": "the reason stays in the audit trail for ever: one line, without names or numbers of persons",
		"state accepted": "accepted", "state failed": "failed", "state issued": "issued", "state withdrawn": "withdrawn", "state replaced": "replaced", "state cancelled": "cancelled", "state erased": "erased",
		"stage read": "read", "stage render": "render", "stage seal": "seal", "stage store": "store",
		"job pending": "waits its turn", "job active": "under way", "job delayed": "waits for its next try", "job dead": "given up by the queue (taken up again by itself)", "no job": "not yet (it gets there by itself)", "queue away": "the queue does not answer"},
}

// staff is what the commands of staff speak with.
type staff struct {
	*press.Press
	log      *slog.Logger
	language string
	words    map[string]string
	zone     *time.Location
}

func (p *staff) errorf(hint string, code exitCode, word string, args ...any) error {
	return errorWithHint{fmt.Errorf(p.words[word], args...), p.words[hint], code}
}

func (p *staff) minute(t time.Time) string { return t.In(p.zone).Format("02/01/2006 15:04") }
func (p *staff) second(t time.Time) string { return t.In(p.zone).Format("02/01/2006 15:04:05") }

// checkIDs refuses what is no id of a request.
func (p *staff) checkIDs(ids ...string) error {
	for _, id := range ids {
		if ledger.CheckID(id) != nil {
			return p.errorf("unknown hint", askedWrong, "no id", id)
		}
	}
	return nil
}

// open gives the commands of staff the ledger and the queue.
func (s *Settings) open(log *slog.Logger) (p *staff, done func(), err error) {
	f := s.faults(groupsOf["jobs"]...)
	parts := press.Parts{Log: log, Now: time.Now}
	bucket := s.bucket(f)
	parts.Keyset, parts.HMACKey = s.keys(f)
	parts.Callbacks = s.callbacks(f)
	s.redis(f, &parts)
	language := s.language(f)
	if err := f.err(); err != nil {
		return nil, nil, err
	}
	parts.Bucket = bucket
	zone, err := time.LoadLocation("Europe/Andorra") // linked in by the ledger
	if err != nil {
		return nil, nil, err
	}
	opened, err := press.New(parts)
	if err == nil {
		err = s.ownKeys(opened.Ledger)
	}
	if err != nil {
		parts.Redis.Close()
		return nil, nil, err
	}
	return &staff{opened, log, language, jobsWords[language], zone}, func() { parts.Redis.Close() }, nil
}

// away words an error of the bucket as the setting that is most likely wrong.
func (s *Settings) away(err error) error {
	if errors.Is(err, storage.ErrUnavailable) || errors.Is(err, storage.ErrDenied) {
		return errorWithHint{errors.New(s.bucketFault(err)), "`segell check` tells all that is wrong", failed}
	}
	return err
}

// failureView is a failure as programs read it.
type failureView struct {
	ledger.Failure
	What string `json:"what"`
	Do   string `json:"do"`
}

func viewOf(f ledger.Failure, language string) failureView {
	wording := ledger.CauseOf(f.Cause).Wording(language)
	return failureView{f, wording.What, wording.Do}
}

// known refuses a cause or a kind that does not exist: a slip would read as "all
// is well".
func (c jobsListCmd) known(p *staff) error {
	var causes []string
	for _, cause := range ledger.Causes {
		causes = append(causes, cause.ID)
	}
	if c.Cause != "" && !slices.Contains(causes, c.Cause) {
		return p.errorf("unknown hint", askedWrong, "no such cause", c.Cause, strings.Join(causes, ", "))
	}
	if kinds := kindNames(); c.Kind != "" && !slices.Contains(kinds, c.Kind) {
		return p.errorf("unknown hint", askedWrong, "no such kind", c.Kind, strings.Join(kinds, ", "))
	}
	return nil
}

func (c jobsListCmd) Run(s *Settings, out *output, log *slog.Logger) error {
	p, done, err := s.open(log)
	if err != nil {
		return err
	}
	defer done()
	ctx := background()
	if err := c.known(p); err != nil {
		return err
	}
	views, all := []failureView{}, 0
	for failure, err := range p.Ledger.Failures(ctx) {
		if err != nil {
			return s.away(err)
		}
		all++
		if (c.Cause == "" || c.Cause == failure.Cause) && (c.Kind == "" || c.Kind == failure.Kind) {
			views = append(views, viewOf(failure, p.language))
		}
	}
	if out.json {
		return out.encode(views)
	}
	words := p.words
	if len(views) == 0 {
		none := words["none"]
		if all > 0 {
			none = words["none of these"]
		}
		fmt.Fprintln(out.w, none)
		return nil
	}
	rows := [][]string{}
	var order []string
	causes := map[string]int{}
	for _, v := range views {
		if causes[v.Cause]++; causes[v.Cause] == 1 {
			order = append(order, v.Cause)
		}
		rows = append(rows, []string{v.ID, v.Number, p.minute(v.FailedAt), v.What})
	}
	if err := out.table([]string{words["id"], words["number"], words["failed"], words["what"]}, rows); err != nil {
		return err
	}
	if len(views) == 1 {
		fmt.Fprintln(out.w, "\n"+words["one"], words["causes"])
	} else {
		fmt.Fprintf(out.w, "\n"+words["count"]+" %s\n", len(views), words["causes"])
	}
	for _, id := range order {
		wording := ledger.CauseOf(id).Wording(p.language)
		fmt.Fprintf(out.w, "  %s (%d)  %s\n     → %s\n", id, causes[id], wording.What, wording.Do)
	}
	return nil
}

func (c jobsShowCmd) Run(s *Settings, out *output, log *slog.Logger) error {
	p, done, err := s.open(log)
	if err != nil {
		return err
	}
	defer done()
	ctx := background()
	if err := p.checkIDs(c.Request); err != nil {
		return err
	}
	standing, err := p.Ledger.Look(ctx, c.Request)
	if errors.Is(err, ledger.ErrNotFound) {
		return p.errorf("unknown hint", failed, "unknown", c.Request)
	}
	if err != nil {
		return s.away(err)
	}
	var job queue.Job
	queued := ""
	if standing.State == ledger.StateAccepted {
		asked, cancel := context.WithTimeout(ctx, 3*time.Second)
		defer cancel()
		switch job, _, err = p.Queue.Find(asked, standing.ID); {
		case err != nil:
			queued = p.words["queue away"]
			log.Warn("the queue does not answer", "why", err)
		case job.State == queue.NoJob:
			queued = p.words["no job"]
		default:
			queued = p.words["job "+string(job.State)]
			if job.Step != "" {
				queued += ": " + p.words["stage "+job.Step]
			}
		}
	}
	if out.json {
		answer := map[string]any{"id": standing.ID, "kind": standing.Kind, "number": standing.Number, "state": standing.State, "accepted_at": standing.IssuedAt}
		if standing.Failure != nil {
			answer["failure"] = viewOf(*standing.Failure, p.language)
		}
		if standing.Record != nil {
			answer["record"] = standing.Record
		}
		if job.State != queue.NoJob {
			answer["job"] = job
		}
		return out.encode(answer)
	}
	words := p.words
	rows := [][]string{{words["id"], standing.ID}, {words["number"], standing.Number}, {words["kind"], standing.Kind},
		{words["state"], words["state "+string(standing.State)]}, {words["accepted"], p.second(standing.IssuedAt)}}
	tried := func(i int, at time.Time, stage, cause string) {
		rows = append(rows, []string{heading(words["tries"], i), p.second(at) + "  " + words["stage "+stage] + "  " + cause})
	}
	if queued != "" {
		rows = append(rows, []string{words["job"], queued})
	}
	if job.State != queue.NoJob {
		if !job.NextAt.IsZero() {
			rows = append(rows, []string{words["next"], p.second(job.NextAt)})
		}
		for i, try := range job.Tries {
			tried(i, try.At, try.Stage, try.Cause)
		}
	}
	if f := standing.Failure; f != nil {
		view := viewOf(*f, p.language)
		rows = append(rows, []string{words["failed"], p.second(f.FailedAt)}, []string{words["what"], view.What},
			[]string{words["do"], view.Do}, []string{words["cause"], f.Cause}, []string{words["stage"], words["stage "+string(f.Stage)]}, []string{words["detail"], f.Detail})
		for i, try := range f.Tries {
			tried(i, try.At, string(try.Stage), try.Cause)
		}
	}
	if r := standing.Record; r != nil {
		rows = append(rows, []string{words["level"], r.Level}, []string{words["pages"], fmt.Sprint(r.Pages)})
	}
	return out.table(nil, rows)
}

func heading(word string, i int) string {
	if i == 0 {
		return word
	}
	return ""
}

func (c jobsRetryCmd) Run(s *Settings, out *output, log *slog.Logger) error {
	p, done, err := s.open(log)
	if err != nil {
		return err
	}
	defer done()
	chosen := 0
	for _, given := range []bool{len(c.Requests) > 0, c.Cause != "", c.All} {
		if given {
			chosen++
		}
	}
	if chosen != 1 {
		return p.errorf("unknown hint", askedWrong, "which")
	}
	if c.Reason == "" && len(c.Requests) != 1 {
		return p.errorf("why hint", askedWrong, "why")
	}
	ctx, act := background(), actor(c.Reason)
	ids := c.Requests
	if err := p.checkIDs(ids...); err != nil {
		return err
	}
	if len(ids) == 0 {
		for failure, err := range p.Ledger.Failures(ctx) {
			if err != nil {
				return s.away(err)
			}
			if c.All || failure.Cause == c.Cause {
				ids = append(ids, failure.ID)
			}
		}
		if len(ids) == 0 && !c.All {
			return p.errorf("unknown hint", failed, "no cause", c.Cause)
		}
	}
	type result struct {
		ID    string `json:"id"`
		Error string `json:"error,omitempty"`
	}
	results := []result{}
	retried := 0
	for _, id := range ids {
		switch err = p.Retry(ctx, id, act); {
		case errors.Is(err, ledger.ErrNotFound):
			results = append(results, result{id, p.words["not failed"]})
			continue
		case errors.Is(err, ledger.ErrAuditEntry):
			return errorWithHint{err, p.words["why hint"], askedWrong}
		case err != nil:
			results = append(results, result{id, s.away(err).Error()})
		default:
			results = append(results, result{id, ""})
			retried++
			continue
		}
		break // what was retried until here is still told
	}
	if out.json {
		if err := out.encode(results); err != nil {
			return err
		}
	} else {
		for _, r := range results {
			if r.Error != "" {
				fmt.Fprintf(out.w, "%s: %s\n", r.ID, r.Error)
			}
		}
		switch retried {
		case 0:
			fmt.Fprintln(out.w, p.words["retried0"])
		case 1:
			fmt.Fprintln(out.w, p.words["retried1"])
		default:
			fmt.Fprintf(out.w, p.words["retried"]+"\n", retried)
		}
	}
	if retried < len(ids) {
		return failed
	}
	return nil
}
