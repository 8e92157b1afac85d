package main

import (
	"crypto/rand"
	"errors"
	"fmt"
	"log/slog"
	"maps"
	"slices"
	"strings"

	"segell/access"
	"segell/ledger"
	"segell/notify"
)

// callbacksCmd is for staff: what could not be told to a client, and why.
type callbacksCmd struct {
	List   callbacksListCmd   `cmd:"" help:"Callbacks that were given up, and with --waiting those that are still tried."`
	Replay callbacksReplayCmd `cmd:"" help:"Send callbacks again that were given up, under the same webhook-id."`
	Secret callbacksSecretCmd `cmd:"" help:"Make a secret for a client's callbacks."`
}

type callbacksListCmd struct {
	Client  string `help:"Only this client's."`
	Waiting bool   `help:"Also those that are still to be delivered."`
}

type callbacksReplayCmd struct {
	Callbacks []string `arg:"" optional:"" help:"Callbacks, as list names them."`
	Client    string   `help:"Every one of this client that was given up."`
	All       bool     `help:"Every one that was given up."`
	Reason    string   `help:"The reason, for the audit trail."`
}

type callbacksSecretCmd struct{}

var callbacksWords = map[string]words{
	"ca": {"callback": "AVÍS", "client": "CLIENT", "last": "ÚLTIM RESULTAT", "dead": "abandonat %s", "waits": "proper intent %s", "at once": "de seguida",
		"none": "Tot bé: no hi ha cap avís abandonat.", "none waiting": "Tot bé: no hi ha cap avís abandonat ni pendent.", "which": "digueu quins: avisos, tal com els anomena `list`, o --client CLIENT, o --all",
		"replayed": "%d avisos tornats a enviar.", "replayed1": "Un avís tornat a enviar.", "replayed0": "No s'ha tornat a enviar cap avís.", "not dead": "no és cap dels abandonats", "hint": "`segell callbacks list` mostra els abandonats",
		notify.CauseStatus: "ha respost %d", notify.CauseGone: "ha respost %d: no en vol més", notify.CauseTimeout: "no ha respost a temps", notify.CauseForbidden: "el seu nom duu a una xarxa no permesa",
		notify.CauseTLS: "el seu certificat no és de fiar", notify.CauseUnreachable: "no s'hi ha pogut connectar", notify.CauseNotConfigured: "el client ja no té cap adreça configurada"},
	"en": {"callback": "CALLBACK", "client": "CLIENT", "last": "LAST RESULT", "dead": "given up %s", "waits": "next try %s", "at once": "at once",
		"none": "All is well: no callback was given up.", "none waiting": "All is well: no callback was given up, and none waits.", "which": "say which: callbacks, as `list` names them, or --client CLIENT, or --all",
		"replayed": "%d callbacks are sent again.", "replayed1": "One callback is sent again.", "replayed0": "No callback was sent again.", "not dead": "is not one of those that were given up", "hint": "`segell callbacks list` shows those that were given up",
		notify.CauseStatus: "answered %d", notify.CauseGone: "answered %d: it wants no more", notify.CauseTimeout: "did not answer in time", notify.CauseForbidden: "its name leads to a network that is not allowed",
		notify.CauseTLS: "its certificate cannot be trusted", notify.CauseUnreachable: "could not be reached", notify.CauseNotConfigured: "the client has no address configured any more"},
}

// callbackView is a callback as programs read it.
type callbackView struct {
	Name string `json:"callback"`
	ledger.Notice
	MessageID string `json:"webhook_id"`
}

func (c callbacksListCmd) Run(s *Settings, out *output, log *slog.Logger) error {
	p, done, err := s.open(log, callbacksWords)
	if err != nil {
		return err
	}
	defer done()
	ctx := background()
	views := []callbackView{}
	add := func(n ledger.Notice) {
		if c.Client == "" || c.Client == n.Client {
			views = append(views, callbackView{n.Name(), n, n.MessageID()})
		}
	}
	for n, err := range p.Ledger.Undelivered(ctx) {
		if err != nil {
			return s.away(err)
		}
		add(n)
	}
	if c.Waiting {
		for name, err := range p.Ledger.Notices(ctx) {
			if err != nil {
				return s.away(err)
			}
			n, err := p.Ledger.Notice(ctx, name)
			if errors.Is(err, ledger.ErrNotFound) {
				continue // delivered while we listed
			}
			if err != nil {
				return s.away(err)
			}
			add(n)
		}
	}
	if out.json {
		return out.encode(views)
	}
	words := p.words
	if len(views) == 0 {
		none := words["none"]
		if c.Waiting {
			none = words["none waiting"]
		}
		_, err := fmt.Fprintln(out.w, none)
		return err
	}
	rows := [][]string{}
	for _, v := range views {
		state := words["at once"]
		switch {
		case !v.DeadAt.IsZero():
			state = fmt.Sprintf(words["dead"], p.minute(v.DeadAt))
		case !v.NextAt.IsZero():
			state = fmt.Sprintf(words["waits"], p.minute(v.NextAt))
		}
		rows = append(rows, []string{v.Name, v.Client, v.Number, state, fmt.Sprint(len(v.Tries)), lastResult(v.Notice, words)})
	}
	return out.table([]string{words["callback"], words["client"], words["number"], words["state"], words["tries"], words["last"]}, rows)
}

// lastResult words how the last try ended.
func lastResult(n ledger.Notice, words words) string {
	if len(n.Tries) == 0 {
		return ""
	}
	last := n.Tries[len(n.Tries)-1]
	word := words[last.Cause]
	if strings.Contains(word, "%d") {
		return fmt.Sprintf(word, last.Status)
	}
	return word
}

func (c callbacksReplayCmd) Run(s *Settings, out *output, log *slog.Logger) error {
	p, done, err := s.open(log, callbacksWords)
	if err != nil {
		return err
	}
	defer done()
	if err := p.oneOf("hint", len(c.Callbacks) > 0, c.Client != "", c.All); err != nil {
		return err
	}
	for _, name := range c.Callbacks {
		if err := ledger.CheckNoticeName(name); err != nil {
			return errorWithHint{fmt.Errorf("%q: %w", name, err), p.words["hint"], askedWrong}
		}
	}
	ctx := background()
	names := slices.Clone(c.Callbacks)
	if len(names) == 0 {
		for n, err := range p.Ledger.Undelivered(ctx) {
			if err != nil {
				return s.away(err)
			}
			if c.All || n.Client == c.Client {
				names = append(names, n.Name())
			}
		}
	}
	var outcomes []outcome
	for _, name := range names {
		switch err := p.acts.Replay(ctx, actor("").Actor, name, c.Reason); {
		case errors.Is(err, ledger.ErrNotFound):
			outcomes = append(outcomes, outcome{name, p.words["not dead"]})
			continue
		case errors.Is(err, ledger.ErrAuditEntry):
			return p.refused(err, name)
		case err != nil:
			outcomes = append(outcomes, outcome{name, s.away(err).Error()})
		default:
			outcomes = append(outcomes, outcome{id: name})
			continue
		}
		break // what was sent until here is still told
	}
	return p.tellOutcomes(out, "callback", "replayed", outcomes, len(names))
}

func (callbacksSecretCmd) Run(out *output) error {
	secret, err := notify.NewSecret(rand.Reader)
	if err != nil {
		return err
	}
	if out.json {
		return out.encode(map[string]string{"secret": secret})
	}
	_, err = fmt.Fprintln(out.w, secret)
	return err
}

// strangers are the clients with callbacks of whom nothing is known otherwise,
// such as one whose name was mistyped. Without clients, as in a worker, none is.
func strangers(endpoints notify.Endpoints, clients *access.Clients) []string {
	var names []string
	for _, name := range slices.Sorted(maps.Keys(endpoints)) {
		if clients != nil && !clients.Knows(name) {
			names = append(names, name)
		}
	}
	return names
}

// callbacks are the endpoints of clients; none is no fault.
func (s *Settings) callbacks(f *faults) notify.Endpoints {
	if s.Callbacks == "" {
		return nil
	}
	endpoints, err := notify.ReadEndpoints([]byte(s.Callbacks))
	if err != nil {
		f.add("SEGELL_CALLBACKS", "%s", strings.ReplaceAll(err.Error(), "\n", "; "))
	}
	return endpoints
}
