package main

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"

	"segell/ledger"
)

// The steps of changing the key of encryption. Between two steps every process
// is started again, so that all read with the new file; docs/operation.md tells
// the whole way, and `segell keys rotate` where one stands on it.
type keysRotateCmd struct{}
type keysAddCmd struct{}
type keysPromoteCmd struct{}
type keysReencryptCmd struct{}
type keysRetireCmd struct{}

const keysetVariable = "SEGELL_LEDGER_KEYSET_FILE"

// rotation is a keyset in its file, and the ledger that it opens.
type rotation struct {
	*ledger.Ledger
	keyset *ledger.Keyset
	path   string
	text   []byte
}

func (s *Settings) rotation() (*rotation, error) {
	path := os.Getenv(keysetVariable)
	if path == "" {
		return nil, errorWithHint{fmt.Errorf("%s is not set", keysetVariable), "the keyset must lie in a file, which the steps of a rotation write anew", askedWrong}
	}
	path, err := filepath.EvalSymlinks(path)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", keysetVariable, err)
	}
	text, err := os.ReadFile(path)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", keysetVariable, err)
	}
	l, err := s.ledger()
	if err != nil {
		return nil, err
	}
	keyset, err := ledger.ReadKeyset(text)
	if err != nil {
		return nil, err
	}
	return &rotation{l, keyset, path, text}, nil
}

// write puts another keyset in place of the one in the file, whole or not at
// all, and keeps the one before beside it: who loses a key loses every request
// that waits under it.
func (r *rotation) write(text []byte) error {
	if err := writeWhole(r.path+".before", r.text); err != nil {
		return err
	}
	return writeWhole(r.path, text)
}

func writeWhole(path string, text []byte) error {
	file, err := os.CreateTemp(filepath.Dir(path), ".keyset-*") // readable by its owner alone
	if err != nil {
		return err
	}
	defer os.Remove(file.Name()) // fails where it was renamed
	_, err = file.Write(text)
	if err := errors.Join(err, file.Sync(), file.Close()); err != nil {
		return err
	}
	return os.Rename(file.Name(), path)
}

// audited writes down what is about to be done.
func (r *rotation) audited(what, id string) error {
	act := actor("")
	return r.Audit(background(), ledger.AuditEntry{Who: act.Who, What: what, ID: "key:" + id, From: act.From})
}

// said answers one step.
func (o *output) said(answer map[string]any, format string, args ...any) error {
	if o.json {
		return o.encode(answer)
	}
	_, err := fmt.Fprintf(o.w, format+"\n", args...)
	return err
}

func (keysAddCmd) Run(s *Settings, out *output) error {
	r, err := s.rotation()
	if err != nil {
		return err
	}
	text, id, err := ledger.AddKey(r.text)
	if err != nil {
		return outOfStep(err)
	}
	if err := r.audited("keys.add", id); err != nil {
		return s.away(err)
	}
	if err := r.write(text); err != nil {
		return err
	}
	return out.said(map[string]any{"added": id, "file": r.path}, "The key %s was added to %s: it reads, and does not write yet.\n"+
		"Next: give this file to every intake and worker and start each again, then `segell keys promote`.", id, r.path)
}

func (keysPromoteCmd) Run(s *Settings, out *output) error {
	r, err := s.rotation()
	if err != nil {
		return err
	}
	text, id, err := ledger.PromoteKey(r.text)
	if err != nil {
		return outOfStep(err)
	}
	seen, err := r.KeySeen(background(), id)
	if err != nil {
		return s.away(err)
	}
	if !seen {
		return errorWithHint{fmt.Errorf("no process has started with the key %s yet", id), "give the file to every intake and worker and start each again: who does not have the key could not read what is written with it", failed}
	}
	if err := r.audited("keys.promote", id); err != nil {
		return s.away(err)
	}
	if err := r.write(text); err != nil {
		return err
	}
	return out.said(map[string]any{"primary": id, "file": r.path}, "The key %s writes from now on.\n"+
		"Next: give this file to every intake and worker and start each again, then `segell keys reencrypt`.", id)
}

func (keysReencryptCmd) Run(s *Settings, out *output) error {
	r, err := s.rotation()
	if err != nil {
		return err
	}
	if len(r.keyset.Old()) == 0 {
		return outOfStep(fmt.Errorf("%w: no key was primary before %s, so nothing is to be encrypted again", ledger.ErrKeyStep, r.keyset.Primary()))
	}
	if err := r.audited("keys.reencrypt", r.keyset.Primary()); err != nil {
		return s.away(err)
	}
	n, err := r.Reencrypt(background())
	if errors.Is(err, ledger.ErrKeyUnknown) {
		return errorWithHint{err, "something waits under a key that this file does not hold: find the file that does", failed}
	}
	if err != nil {
		return s.away(err)
	}
	_, next, err := r.next()
	if err != nil {
		return s.away(err)
	}
	when := ""
	if next == nextRetire {
		when = ", when no process runs with the file of before"
	}
	return out.said(map[string]any{"reencrypted": n, "primary": r.keyset.Primary(), "next": next}, "Encrypted again, under the key %s: %s.\nNext: %s%s.",
		r.keyset.Primary(), counted(n, "object", "objects"), next, when)
}

func (keysRetireCmd) Run(s *Settings, out *output) error {
	r, err := s.rotation()
	if err != nil {
		return err
	}
	text, retired, err := ledger.RetireKeys(r.text)
	if err != nil {
		return outOfStep(err)
	}
	use, err := r.KeyUse(background())
	if err != nil {
		return s.away(err)
	}
	for _, id := range append(r.keyset.Old(), "unknown") {
		if use[id] > 0 {
			return errorWithHint{fmt.Errorf("%w %s: %s", ledger.ErrKeyInUse, id, counted(use[id], "object", "objects")), "`segell keys reencrypt` encrypts them under the new one", failed}
		}
	}
	for _, id := range retired {
		if err := r.audited("keys.retire", id); err != nil {
			return s.away(err)
		}
	}
	if err := r.write(text); err != nil {
		return err
	}
	// Looked at once more without the keys: who still wrote with one is found.
	s.LedgerKeyset = string(text)
	l, err := s.ledger()
	if err == nil {
		err = l.Retire(background(), retired)
	}
	if err != nil { // the keys stay: the step can be taken again
		if errors.Is(err, ledger.ErrKeyInUse) {
			err = errorWithHint{err, "a process still writes with the old key: start each again with the new file, then `segell keys reencrypt`; nothing was retired", failed}
		}
		return errors.Join(s.away(err), writeWhole(r.path, r.text))
	}
	return out.said(map[string]any{"retired": retired, "file": r.path}, "Retired: %s.\n"+
		"Next: give this file to every intake and worker and start each again, then destroy %s.before.", counted(len(retired), "key", "keys"), r.path)
}

// nextRetire is the step that waits for something else as well.
const nextRetire = "segell keys retire"

// next says what comes next on the way, and what lies under which key.
func (r *rotation) next() (use map[string]int, next string, err error) {
	ctx := background()
	if use, err = r.KeyUse(ctx); err != nil {
		return nil, "", err
	}
	if use["unknown"] > 0 {
		return use, "find the keyset file with the key under which something lies that this one does not hold", nil
	}
	if coming := r.keyset.Coming(); len(coming) > 0 {
		seen, err := r.KeySeen(ctx, coming[0])
		if err != nil {
			return nil, "", err
		}
		if !seen {
			return use, "start every intake and worker again with this file", nil
		}
		return use, "segell keys promote", nil
	}
	for _, id := range r.keyset.Old() {
		if use[id] > 0 {
			return use, "segell keys reencrypt", nil
		}
	}
	if len(r.keyset.Old()) > 0 {
		return use, nextRetire, nil
	}
	return use, "segell keys add", nil
}

func (keysRotateCmd) Run(s *Settings, out *output) error {
	r, err := s.rotation()
	if err != nil {
		return err
	}
	use, next, err := r.next()
	if err != nil {
		return s.away(err)
	}
	if out.json {
		return out.encode(map[string]any{"primary": r.keyset.Primary(), "coming": r.keyset.Coming(), "old": r.keyset.Old(), "objects": use, "next": next})
	}
	rows := [][]string{}
	row := func(id, what string) { rows = append(rows, []string{id, what, fmt.Sprint(use[id])}) }
	for _, id := range r.keyset.Old() {
		row(id, "reads (old)")
	}
	row(r.keyset.Primary(), "reads and writes")
	for _, id := range r.keyset.Coming() {
		row(id, "reads (to come)")
	}
	if use["unknown"] > 0 {
		row("unknown", "not in this file")
	}
	if err := out.table([]string{"KEY", "WHAT IT DOES", "OBJECTS"}, rows); err != nil {
		return err
	}
	_, err = fmt.Fprintf(out.w, "\nNext: %s\n", next)
	return err
}

func outOfStep(err error) error {
	if errors.Is(err, ledger.ErrKeyStep) {
		return errorWithHint{err, "`segell keys rotate` says where the rotation stands", failed}
	}
	return err
}
