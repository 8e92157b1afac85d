package main

import (
	"bufio"
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os"
	"strings"
	"time"

	"golang.org/x/term"
	"rsc.io/qr"

	"segell/ledger"
	desk "segell/staff"
)

// staffCmd keeps the accounts of the console's own. Passwords and codes come from
// the terminal or from standard input: arguments can be read by everybody on the
// machine, and stay in histories.
type staffCmd struct {
	Add      staffAddCmd      `cmd:"" help:"Make an account; its password is read, or drawn with --draw."`
	List     staffListCmd     `cmd:"" help:"Who may log in to the console, and as what."`
	Password staffPasswordCmd `cmd:"" help:"Give an account another password, read or drawn; its sessions and tokens end."`
	Roles    staffRolesCmd    `cmd:"" help:"Give an account other roles: look, act, audit."`
	Disable  staffDisableCmd  `cmd:"" help:"Let somebody in no more: sessions end, tokens are revoked."`
	Enable   staffEnableCmd   `cmd:"" help:"Let somebody in again."`
	TOTP     staffTOTPCmd     `cmd:"" name:"totp" help:"Set up an account's second factor, or take it away with --drop; its sessions and tokens end."`
	Token    staffTokenCmd    `cmd:"" help:"Personal tokens for the staff API: make, list and revoke them."`
	End      staffEndCmd      `cmd:"" name:"end-sessions" help:"End every session and token of an account."`
	Release  staffReleaseCmd  `cmd:"" help:"Let the person of an issuer's account come back under another login, which the issuer gives them now; this account is disabled."`
}

// accounts is what these commands speak with.
type accounts struct {
	*desk.Desk
	settings *Settings
	out      *output
	words    words
	zone     *time.Location
}

// accounts opens the accounts of staff.
func (s *Settings) accounts(out *output, log *slog.Logger) (*accounts, error) {
	f := s.faults(groupsOf["staff"]...)
	language := s.language(f)
	config := desk.Config{Log: log, Now: time.Now, Random: rand.Reader, RequireTOTP: s.boolean(f, "SEGELL_STAFF_REQUIRE_TOTP", s.RequireTOTP), Institution: s.Institution}
	if err := f.err(); err != nil {
		return nil, err
	}
	zone, err := time.LoadLocation("Europe/Andorra") // linked in by the ledger
	if err != nil {
		return nil, err
	}
	if config.Ledger, err = s.ledger(); err != nil {
		return nil, err
	}
	d, err := desk.New(config)
	return &accounts{d, s, out, wordsOf(language, []map[string]words{accountWords}), zone}, err
}

// changing is what the commands that change an account have in common.
type changing struct {
	Login  string `arg:"" help:"The account's login, such as maria.puig."`
	Reason string `help:"Why, for the audit trail. No personal data."`
}

func (c changing) actor() desk.Actor {
	act := actor(c.Reason)
	return desk.Actor{Who: act.Who, From: act.From, Why: act.Why}
}

// change does one thing to the account, and says so by a word of accountWords.
func (c changing) change(s *Settings, out *output, log *slog.Logger, act func(*desk.Desk, context.Context, desk.Actor, string) error, word string) error {
	a, err := s.accounts(out, log)
	if err != nil {
		return err
	}
	if err := act(a.Desk, background(), c.actor(), c.Login); err != nil {
		return a.fault(c.Login, err)
	}
	return a.answer(c.Login, a.words[word], c.Login)
}

// fault words an error of the accounts for whom it concerns.
func (a *accounts) fault(login string, err error) error {
	hinted := func(word, hint string, code exitCode, args ...any) error {
		return errorWithHint{fmt.Errorf(a.words[word], args...), a.words[hint], code}
	}
	switch {
	case err == nil:
		return nil
	case errors.Is(err, desk.ErrNotFound):
		return hinted("no account", "list hint", failed, login)
	case errors.Is(err, desk.ErrExists):
		return hinted("exists", "list hint", failed, login)
	case errors.Is(err, desk.ErrLogin):
		return hinted("bad login", "add hint", askedWrong, login)
	case errors.Is(err, desk.ErrPassword):
		return errorWithHint{err, a.words["password hint"], askedWrong}
	case errors.Is(err, desk.ErrAccount):
		return errorWithHint{err, a.words["add hint"], askedWrong}
	case errors.Is(err, desk.ErrExternal):
		return hinted("external", "external hint", failed, login)
	case errors.Is(err, desk.ErrNoToken):
		return hinted("no token", "token hint", failed)
	case errors.Is(err, ledger.ErrAuditEntry):
		return errorWithHint{err, a.words["why hint"], askedWrong}
	}
	return a.settings.away(err)
}

// answer tells what an account is now, to programs, or a sentence to people.
func (a *accounts) answer(login, sentence string, args ...any) error {
	if !a.out.json {
		_, err := fmt.Fprintf(a.out.w, sentence+"\n", args...)
		return err
	}
	account, err := a.Account(background(), login)
	if err != nil {
		return a.fault(login, err)
	}
	return a.out.encode(account)
}

// handOver gives a password that was drawn to whoever is to pass it on.
func (a *accounts) handOver(login, sentence, drawn string) error {
	if drawn == "" {
		return a.answer(login, sentence, login)
	}
	if a.out.json {
		return a.out.encode(map[string]string{"login": login, "password": drawn})
	}
	_, err := fmt.Fprintf(a.out.w, sentence+"\n"+a.words["drawn"]+"\n", login, drawn)
	return err
}

// newPassword reads a new password: twice without showing it at a terminal, or
// one line of standard input. With draw there is none to read.
func (a *accounts) newPassword(draw bool) (string, error) {
	if draw {
		return "", nil
	}
	password, err := a.hidden("new password")
	if err == nil && password == "" {
		err = errorWithHint{errors.New(a.words["no password"]), a.words["password hint"], askedWrong}
	}
	if err != nil || !terminal(os.Stdin) {
		return password, err
	}
	again, err := a.hidden("once more")
	if err == nil && again != password {
		err = errorWithHint{errors.New(a.words["not the same"]), a.words["password hint"], askedWrong}
	}
	return password, err
}

// hidden asks for a secret.
func (a *accounts) hidden(word string) (string, error) {
	if !terminal(os.Stdin) {
		return line(os.Stdin)
	}
	fmt.Fprint(a.out.stderr, a.words[word])
	text, err := term.ReadPassword(int(os.Stdin.Fd()))
	fmt.Fprintln(a.out.stderr)
	if err != nil {
		return "", fmt.Errorf("reading a password: %w", err)
	}
	return string(text), nil
}

const lineMost = 4096 // bytes

// line reads a line, and never says what it read.
func line(r io.Reader) (string, error) {
	text, err := bufio.NewReader(io.LimitReader(r, lineMost)).ReadString('\n')
	if err != nil && !errors.Is(err, io.EOF) {
		return "", fmt.Errorf("reading standard input: %w", err)
	}
	return strings.TrimRight(text, "\r\n"), nil
}

type staffAddCmd struct {
	changing
	Name     string   `required:"" help:"The person's name, as the console shows it."`
	Role     []string `required:"" help:"look, act or audit; several with commas between."`
	Language string   `name:"console-language" help:"Language of the console for this person: ca, es, fr, pt-PT or en; without it the browser's."`
	Draw     bool     `help:"Draw a password and print it, instead of reading one."`
}

func rolesNamed(names []string) []desk.Role {
	out := make([]desk.Role, len(names))
	for i, name := range names {
		out[i] = desk.Role(name)
	}
	return out
}

func (c staffAddCmd) Run(s *Settings, out *output, log *slog.Logger) error {
	a, err := s.accounts(out, log)
	if err != nil {
		return err
	}
	password, err := a.newPassword(c.Draw)
	if err != nil {
		return err
	}
	drawn, err := a.Add(background(), c.actor(), desk.Account{Login: c.Login, Name: c.Name, Roles: rolesNamed(c.Role), Language: c.Language}, password)
	if err != nil {
		return a.fault(c.Login, err)
	}
	return a.handOver(c.Login, a.words["added"], drawn)
}

type staffListCmd struct{}

func (staffListCmd) Run(s *Settings, out *output, log *slog.Logger) error {
	a, err := s.accounts(out, log)
	if err != nil {
		return err
	}
	all, err := a.Accounts(background())
	if err != nil {
		return s.away(err)
	}
	if out.json {
		return out.encode(all)
	}
	if len(all) == 0 {
		_, err := fmt.Fprintln(out.w, a.words["nobody"])
		return err
	}
	rows := [][]string{}
	for _, one := range all {
		var names []string
		for _, role := range one.Roles {
			names = append(names, string(role))
		}
		last := "–"
		if !one.LastLogin.IsZero() {
			last = one.LastLogin.In(a.zone).Format("02/01/2006 15:04")
		}
		rows = append(rows, []string{one.Login, one.Name, strings.Join(names, ", "), a.words[proof(one)], a.words[standing(one)], last})
	}
	return out.table([]string{a.words["login"], a.words["name"], a.words["roles"], a.words["proof"], a.words["standing"], a.words["last"]}, rows)
}

// proof names how somebody proves who they are.
func proof(a desk.Account) string {
	switch {
	case a.External:
		return "by issuer"
	case a.HasTOTP:
		return "by two"
	}
	return "by password"
}

func standing(a desk.Account) string {
	if a.Disabled {
		return "disabled"
	}
	return "enabled"
}

type staffPasswordCmd struct {
	changing
	Draw bool `help:"Draw a password and print it, instead of reading one."`
}

func (c staffPasswordCmd) Run(s *Settings, out *output, log *slog.Logger) error {
	a, err := s.accounts(out, log)
	if err != nil {
		return err
	}
	password, err := a.newPassword(c.Draw)
	if err != nil {
		return err
	}
	drawn, err := a.SetPassword(background(), c.actor(), c.Login, password)
	if err != nil {
		return a.fault(c.Login, err)
	}
	return a.handOver(c.Login, a.words["password set"], drawn)
}

type staffRolesCmd struct {
	changing
	Roles []string `arg:"" help:"look, act or audit; those that it shall have from now on."`
}

func (c staffRolesCmd) Run(s *Settings, out *output, log *slog.Logger) error {
	a, err := s.accounts(out, log)
	if err != nil {
		return err
	}
	if err := a.SetRoles(background(), c.actor(), c.Login, rolesNamed(c.Roles)...); err != nil {
		return a.fault(c.Login, err)
	}
	return a.answer(c.Login, a.words["roles set"], c.Login, strings.Join(c.Roles, ", "))
}

type staffDisableCmd struct{ changing }

func (c staffDisableCmd) Run(s *Settings, out *output, log *slog.Logger) error {
	return c.change(s, out, log, (*desk.Desk).Disable, "is disabled")
}

type staffEnableCmd struct{ changing }

func (c staffEnableCmd) Run(s *Settings, out *output, log *slog.Logger) error {
	return c.change(s, out, log, (*desk.Desk).Enable, "is enabled")
}

type staffEndCmd struct{ changing }

func (c staffEndCmd) Run(s *Settings, out *output, log *slog.Logger) error {
	return c.change(s, out, log, (*desk.Desk).EndAll, "sessions ended")
}

type staffReleaseCmd struct{ changing }

func (c staffReleaseCmd) Run(s *Settings, out *output, log *slog.Logger) error {
	a, err := s.accounts(out, log)
	if err != nil {
		return err
	}
	err = a.Release(background(), c.actor(), c.Login)
	if errors.Is(err, desk.ErrAccount) {
		return errorWithHint{fmt.Errorf(a.words["not external"], c.Login), a.words["list hint"], failed}
	}
	if err != nil {
		return a.fault(c.Login, err)
	}
	return a.answer(c.Login, a.words["released"], c.Login)
}

type staffTOTPCmd struct {
	changing
	Drop bool `help:"Take the second factor away, as when the telephone is lost; sessions and tokens end."`
}

func (c staffTOTPCmd) Run(s *Settings, out *output, log *slog.Logger) error {
	a, err := s.accounts(out, log)
	if err != nil {
		return err
	}
	if c.Drop {
		if err := a.DropTOTP(background(), c.actor(), c.Login); err != nil {
			return a.fault(c.Login, err)
		}
		return a.answer(c.Login, a.words["totp dropped"], c.Login)
	}
	e, err := a.BeginTOTP(background(), c.Login)
	if err != nil {
		return a.fault(c.Login, err)
	}
	if err := a.show(e); err != nil {
		return err
	}
	fmt.Fprint(out.stderr, a.words["code"])
	code, err := line(os.Stdin)
	if err != nil {
		return err
	}
	err = a.ConfirmTOTP(background(), c.actor(), c.Login, e.Reference, code)
	if errors.Is(err, desk.ErrWrong) || errors.Is(err, desk.ErrEnrolment) {
		return errorWithHint{errors.New(a.words["wrong code"]), a.words["code hint"], failed}
	}
	if err != nil {
		return a.fault(c.Login, err)
	}
	return a.answer(c.Login, a.words["totp set"], c.Login)
}

// show prints what the authenticator program needs. It is a secret, and not the
// answer of the command.
func (a *accounts) show(e desk.Enrolment) error {
	if terminal(os.Stderr) {
		code, err := qr.Encode(e.URI, qr.M)
		if err != nil {
			return fmt.Errorf("drawing the QR code: %w", err)
		}
		fmt.Fprint(a.out.stderr, blocks(code))
	}
	_, err := fmt.Fprintf(a.out.stderr, a.words["totp begun"]+"\n", e.Secret, e.URI)
	return err
}

// blocks draws a QR code for a terminal, two rows to a line, in black and white
// whatever the terminal's colours, with the quiet zone that readers need.
func blocks(code *qr.Code) string {
	const quiet = 4
	var out strings.Builder
	for y := -quiet; y < code.Size+quiet; y += 2 {
		out.WriteString("\x1b[30;47m")
		for x := -quiet; x < code.Size+quiet; x++ {
			switch above, below := code.Black(x, y), code.Black(x, y+1); {
			case above && below:
				out.WriteRune('█')
			case above:
				out.WriteRune('▀')
			case below:
				out.WriteRune('▄')
			default:
				out.WriteRune(' ')
			}
		}
		out.WriteString("\x1b[0m\n")
	}
	return out.String()
}

type staffTokenCmd struct {
	New    staffTokenNewCmd    `cmd:"" help:"Make a token, which is printed once."`
	List   staffTokenListCmd   `cmd:"" help:"The tokens of an account that are good."`
	Revoke staffTokenRevokeCmd `cmd:"" help:"End a token."`
}

type staffTokenNewCmd struct {
	changing
	Name string   `required:"" help:"What the token is for, such as 'nightly report'."`
	Role []string `help:"What it may do, no more than the account; without it all that the account may."`
	Days int      `default:"90" help:"How long it is good: 1 to 366 days."`
}

func (c staffTokenNewCmd) Run(s *Settings, out *output, log *slog.Logger) error {
	a, err := s.accounts(out, log)
	if err != nil {
		return err
	}
	lifetime := time.Duration(c.Days) * 24 * time.Hour
	if c.Days < 1 || lifetime > desk.TokenLifetimeMost {
		return errorWithHint{errors.New(a.words["days"]), a.words["token hint"], askedWrong}
	}
	bearer, token, err := a.NewToken(background(), c.actor(), c.Login, c.Name, rolesNamed(c.Role), lifetime)
	if err != nil {
		return a.fault(c.Login, err)
	}
	if out.json {
		return out.encode(struct {
			Bearer string `json:"token"`
			desk.Token
		}{bearer, token})
	}
	_, err = fmt.Fprintf(out.w, a.words["token made"]+"\n", bearer, token.ID, token.ExpiresAt.In(a.zone).Format("02/01/2006 15:04"))
	return err
}

type staffTokenListCmd struct {
	Login string `arg:"" help:"The account's login."`
}

func (c staffTokenListCmd) Run(s *Settings, out *output, log *slog.Logger) error {
	a, err := s.accounts(out, log)
	if err != nil {
		return err
	}
	tokens, err := a.Tokens(background(), c.Login)
	if err != nil {
		return a.fault(c.Login, err)
	}
	if out.json {
		return out.encode(tokens)
	}
	if len(tokens) == 0 {
		_, err := fmt.Fprintln(out.w, a.words["no tokens"])
		return err
	}
	rows := [][]string{}
	for _, t := range tokens {
		var names []string
		for _, role := range t.Roles {
			names = append(names, string(role))
		}
		rows = append(rows, []string{t.ID, t.Name, strings.Join(names, ", "), t.CreatedAt.In(a.zone).Format("02/01/2006"), t.ExpiresAt.In(a.zone).Format("02/01/2006 15:04")})
	}
	return out.table([]string{"ID", a.words["purpose"], a.words["roles"], a.words["made"], a.words["ends"]}, rows)
}

type staffTokenRevokeCmd struct {
	changing
	ID string `arg:"" help:"The token's id, as 'token list' shows it."`
}

func (c staffTokenRevokeCmd) Run(s *Settings, out *output, log *slog.Logger) error {
	a, err := s.accounts(out, log)
	if err != nil {
		return err
	}
	if err := a.RevokeToken(background(), c.actor(), c.Login, c.ID); err != nil {
		return a.fault(c.Login, err)
	}
	return a.answer(c.Login, a.words["token revoked"], c.ID)
}
