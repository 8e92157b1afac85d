package main

import (
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"strings"

	"segell/cmd/internal/press"
	"segell/ledger"
	"segell/queue"
	"segell/templates"
)

// pauseCmd and resumeCmd are for staff. The word lies in the bucket: every worker
// obeys it within seconds, and it outlives them and Redis.
type pauseCmd struct {
	Kind   string `help:"Leave documents of this kind alone."`
	Queue  string `help:"Take nothing from this queue: interactive, batch or quarantine."`
	Reason string `help:"The reason, which others read: required to pause. No personal data."`
}

type resumeCmd struct {
	Kind   string `help:"Go on with documents of this kind."`
	Queue  string `help:"Take from this queue again."`
	Reason string `help:"The reason, for the audit trail."`
}

var pauseWords = map[string]map[string]string{
	"ca": {"scope": "ABAST", "name": "NOM", "since": "DES DE", "who": "QUI", "why": "MOTIU", "kind": "tipus", "queue": "cua", "none": "No hi ha res en pausa.",
		"paused": "En pausa. Les sol·licituds s'accepten i esperen; per continuar: segell resume --%s %s\n", "resumed": "Es reprèn.", "not paused": "no està en pausa: %s",
		"one": "digueu què: --kind TIPUS o --queue CUA", "needs why": "digueu el motiu amb --reason", "no kind": "no hi ha cap tipus %q: són %s", "no queue": "no hi ha cap cua %q: són %s",
		"hint": "`segell pause` mostra el que està en pausa"},
	"en": {"scope": "SCOPE", "name": "NAME", "since": "SINCE", "who": "WHO", "why": "WHY", "kind": "kind", "queue": "queue", "none": "Nothing is paused.",
		"paused": "Paused. Requests are accepted and wait; to go on: segell resume --%s %s\n", "resumed": "It goes on.", "not paused": "is not paused: %s",
		"one": "say what: --kind KIND or --queue QUEUE", "needs why": "say why, with --reason", "no kind": "there is no kind %q: they are %s", "no queue": "there is no queue %q: they are %s",
		"hint": "`segell pause` shows what is paused"},
}

// pausable says what is meant, or what would be right.
func pausable(kind, name string, words map[string]string) (ledger.PauseScope, string, error) {
	wrong := func(word string, args ...any) error {
		return errorWithHint{fmt.Errorf(words[word], args...), words["hint"], askedWrong}
	}
	switch {
	case (kind == "") == (name == ""):
		return "", "", wrong("one")
	case kind != "":
		if _, ok := templates.Lookup(kind); !ok {
			var known []string
			for _, k := range templates.Kinds() {
				known = append(known, k.ID)
			}
			return "", "", wrong("no kind", kind, strings.Join(known, ", "))
		}
		return ledger.PauseKind, kind, nil
	}
	queues := append(slices.Clone(queue.Names), queue.Quarantine)
	if !slices.Contains(queues, name) {
		return "", "", wrong("no queue", name, strings.Join(queues, ", "))
	}
	return ledger.PauseQueue, name, nil
}

func (c pauseCmd) Run(s *Settings, out *output, log *slog.Logger) error {
	p, done, err := s.open(log)
	if err != nil {
		return err
	}
	defer done()
	words := pauseWords[p.language]
	if c == (pauseCmd{}) {
		return p.listPauses(s, out, words)
	}
	scope, name, err := pausable(c.Kind, c.Queue, words)
	if err != nil {
		return err
	}
	if strings.TrimSpace(c.Reason) == "" {
		return errorWithHint{errors.New(words["needs why"]), words["hint"], askedWrong}
	}
	who := actor(c.Reason)
	if err := p.writeDown(s, who, "work.pause", scope, name); err != nil {
		return err
	}
	if err := p.Ledger.Pause(background(), ledger.Pause{Scope: scope, Name: name, Who: who.Who, Why: c.Reason}); err != nil {
		return s.away(err)
	}
	if out.json {
		return p.listPauses(s, out, words)
	}
	_, err = fmt.Fprintf(out.w, words["paused"], scope, name)
	return err
}

// writeDown puts in the audit trail what is about to be done.
func (p *staff) writeDown(s *Settings, act press.Act, what string, scope ledger.PauseScope, name string) error {
	err := p.Ledger.Audit(background(), ledger.AuditEntry{Who: act.Who, What: what, ID: string(scope) + "." + name, Why: act.Why, From: act.From})
	if errors.Is(err, ledger.ErrAuditEntry) {
		return errorWithHint{err, p.words["why hint"], askedWrong}
	}
	return s.away(err)
}

func (p *staff) listPauses(s *Settings, out *output, words map[string]string) error {
	pauses, err := p.Ledger.Pauses(background())
	if err != nil {
		return s.away(err)
	}
	if out.json {
		return out.encode(append([]ledger.Pause{}, pauses...))
	}
	if len(pauses) == 0 {
		_, err := fmt.Fprintln(out.w, words["none"])
		return err
	}
	rows := [][]string{}
	for _, one := range pauses {
		rows = append(rows, []string{words[string(one.Scope)], one.Name, p.minute(one.Since), one.Who, one.Why})
	}
	return out.table([]string{words["scope"], words["name"], words["since"], words["who"], words["why"]}, rows)
}

func (c resumeCmd) Run(s *Settings, out *output, log *slog.Logger) error {
	p, done, err := s.open(log)
	if err != nil {
		return err
	}
	defer done()
	words := pauseWords[p.language]
	scope, name, err := pausable(c.Kind, c.Queue, words)
	if err != nil {
		return err
	}
	pauses, err := p.Ledger.Pauses(background())
	if err != nil {
		return s.away(err)
	}
	if !slices.ContainsFunc(pauses, func(one ledger.Pause) bool { return one.Scope == scope && one.Name == name }) {
		return errorWithHint{fmt.Errorf(words["not paused"], name), words["hint"], failed}
	}
	if err := p.writeDown(s, actor(c.Reason), "work.resume", scope, name); err != nil {
		return err
	}
	if _, err := p.Ledger.Resume(background(), scope, name); err != nil {
		return s.away(err)
	}
	if out.json {
		return p.listPauses(s, out, words)
	}
	_, err = fmt.Fprintln(out.w, words["resumed"])
	return err
}
