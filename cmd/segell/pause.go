package main

import (
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"strings"

	"segell/acts"
	"segell/ledger"
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

var pauseWords = map[string]words{
	"ca": {"scope": "ABAST", "name": "NOM", "since": "DES DE", "who": "QUI", "pause why": "MOTIU", "scope kind": "tipus", "scope queue": "cua", "none": "No hi ha res en pausa.",
		"paused": "En pausa. Les sol·licituds s'accepten i esperen; per continuar: segell resume --%s %s\n", "resumed": "Es reprèn.", "not paused": "no està en pausa: %s",
		"one": "digueu què: --kind TIPUS o --queue CUA", "needs why": "digueu el motiu amb --reason", "no queue": "no hi ha cap cua %q: són %s",
		"pause hint": "`segell pause` mostra el que està en pausa"},
	"en": {"scope": "SCOPE", "name": "NAME", "since": "SINCE", "who": "WHO", "pause why": "WHY", "scope kind": "kind", "scope queue": "queue", "none": "Nothing is paused.",
		"paused": "Paused. Requests are accepted and wait; to go on: segell resume --%s %s\n", "resumed": "It goes on.", "not paused": "is not paused: %s",
		"one": "say what: --kind KIND or --queue QUEUE", "needs why": "say why, with --reason", "no queue": "there is no queue %q: they are %s",
		"pause hint": "`segell pause` shows what is paused"},
}

// pausable says what is meant, or what would be right.
func (p *staff) pausable(kind, name string) (ledger.PauseScope, string, error) {
	switch {
	case (kind == "") == (name == ""):
		return "", "", p.errorf("pause hint", askedWrong, "one")
	case kind != "":
		return ledger.PauseKind, kind, p.pauseKnown("no such kind", kind, kindNames())
	}
	return ledger.PauseQueue, name, p.pauseKnown("no queue", name, acts.PausableQueues())
}

func (p *staff) pauseKnown(word, given string, all []string) error {
	if slices.Contains(all, given) {
		return nil
	}
	return p.errorf("pause hint", askedWrong, word, given, strings.Join(all, ", "))
}

func (c pauseCmd) Run(s *Settings, out *output, log *slog.Logger) error {
	p, done, err := s.open(log, pauseWords)
	if err != nil {
		return err
	}
	defer done()
	if c == (pauseCmd{}) {
		return p.listPauses(out)
	}
	scope, name, err := p.pausable(c.Kind, c.Queue)
	if err != nil {
		return err
	}
	who := actor(c.Reason)
	switch err := p.acts.Pause(background(), who.Actor, scope, name, who.Why); {
	case errors.Is(err, acts.ErrWhy):
		return p.errorf("pause hint", askedWrong, "needs why")
	case err != nil:
		return p.refused(err, name)
	}
	if out.json {
		return p.listPauses(out)
	}
	_, err = fmt.Fprintf(out.w, p.words["paused"], scope, name)
	return err
}

func (p *staff) listPauses(out *output) error {
	pauses, err := p.Ledger.Pauses(background())
	if err != nil {
		return p.settings.away(err)
	}
	if out.json {
		return out.encode(append([]ledger.Pause{}, pauses...))
	}
	if len(pauses) == 0 {
		_, err := fmt.Fprintln(out.w, p.words["none"])
		return err
	}
	rows := [][]string{}
	for _, one := range pauses {
		rows = append(rows, []string{p.words["scope "+string(one.Scope)], one.Name, p.minute(one.Since), one.Who, one.Why})
	}
	return out.table([]string{p.words["scope"], p.words["name"], p.words["since"], p.words["who"], p.words["pause why"]}, rows)
}

func (c resumeCmd) Run(s *Settings, out *output, log *slog.Logger) error {
	p, done, err := s.open(log, pauseWords)
	if err != nil {
		return err
	}
	defer done()
	scope, name, err := p.pausable(c.Kind, c.Queue)
	if err != nil {
		return err
	}
	who := actor(c.Reason)
	switch err := p.acts.Resume(background(), who.Actor, scope, name, who.Why); {
	case errors.Is(err, acts.ErrNotPaused):
		return p.errorf("pause hint", failed, "not paused", name)
	case err != nil:
		return p.refused(err, name)
	}
	if out.json {
		return p.listPauses(out)
	}
	_, err = fmt.Fprintln(out.w, p.words["resumed"])
	return err
}
