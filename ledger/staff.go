package ledger

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"iter"
	"regexp"
	"slices"
	"strings"
	"time"

	"segell/storage"
)

// What the console keeps of the members of staff lies in the bucket too, so that
// they can log in while Redis is away. Of passwords, cookies and tokens it holds
// hashes alone; the secret of a second factor, which must be read again, is
// encrypted under the keyset.
const (
	staffPrefix        = "staff/"
	staffTOTPPrefix    = "staff-totp/"
	staffTokensPrefix  = "staff-tokens/v1/"
	staffSessionPrefix = "sessions/v1/"
	staffSubjectPrefix = "staff-subject/v1/"
)

var (
	// ErrStaffLogin: what shall be a login cannot be one.
	ErrStaffLogin = errors.New("a login is 2 to 40 of a-z, 0-9 and . _ - between them, begins with a letter, and is no CASS number")
	// ErrStaffExists: there is an account of this login already.
	ErrStaffExists = errors.New("there is an account of this login already")
)

// StaffAccount is what the ledger keeps of a member of staff.
type StaffAccount struct {
	Login     string       `json:"login"`
	Name      string       `json:"name"`
	Roles     []string     `json:"roles"`
	Language  string       `json:"language,omitempty"`
	Disabled  bool         `json:"disabled,omitempty"`
	Password  string       `json:"password,omitempty"` // its hash, which says how it was made; empty: there is none
	Issuer    string       `json:"issuer,omitempty"`   // the OpenID Connect issuer that knows this person, and as whom
	Subject   string       `json:"subject,omitempty"`
	TOTP      bool         `json:"totp,omitempty"`      // a second factor is set up
	TOTPStep  int64        `json:"totp_step,omitempty"` // the last step whose code was used (RFC 6238)
	Epoch     int64        `json:"epoch"`               // sessions and tokens of another one have ended
	Sessions  []StaffLogin `json:"sessions,omitempty"`  // of this epoch, oldest first; those that ended by themselves may be among them
	CreatedAt time.Time    `json:"created_at"`
	LastLogin time.Time    `json:"last_login,omitzero"`
	etag      string
}

// StaffLogin names a session of an account, and does not open it.
type StaffLogin struct {
	ID    string    `json:"id"`
	Begun time.Time `json:"begun"`
}

// EndAll ends every session and token of an account, when it is written.
func (a *StaffAccount) EndAll() { a.Epoch, a.Sessions = a.Epoch+1, nil }

var staffLogin = regexp.MustCompile(`^[a-z][a-z0-9]*([._-][a-z0-9]+)*$`)

// CheckStaffLogin returns ErrStaffLogin for what cannot be a login. What it lets
// through may stand in keys, logs and the audit trail.
func CheckStaffLogin(login string) error {
	if len(login) < 2 || len(login) > 40 || !staffLogin.MatchString(login) || personal.MatchString(login) {
		return ErrStaffLogin
	}
	return nil
}

func staffKey(login string) string { return staffPrefix + login }

// AddStaff makes an account, or returns ErrStaffExists.
func (l *Ledger) AddStaff(ctx context.Context, a StaffAccount) error {
	if err := CheckStaffLogin(a.Login); err != nil {
		return err
	}
	body, err := json.Marshal(a)
	if err != nil {
		return fmt.Errorf("encoding an account of staff: %w", err)
	}
	_, err = l.objects.Create(ctx, staffKey(a.Login), body, storage.Put{ContentType: jsonType})
	if errors.Is(err, storage.ErrExists) {
		// It is ours if a reply was lost: a salt tells two apart.
		there, reading := l.objects.Get(ctx, staffKey(a.Login))
		if reading == nil && bytes.Equal(there.Body, body) {
			return nil
		}
		return ErrStaffExists
	}
	if err != nil {
		return fmt.Errorf("writing an account of staff: %w", err)
	}
	return nil
}

// Staff reads an account: ErrNotFound if there is none of this login.
func (l *Ledger) Staff(ctx context.Context, login string) (StaffAccount, error) {
	var a StaffAccount
	if CheckStaffLogin(login) != nil {
		return a, fmt.Errorf("reading an account of staff: %w", ErrNotFound)
	}
	object, err := l.readJSON(ctx, staffKey(login), &a)
	if err != nil {
		return StaffAccount{}, fmt.Errorf("reading an account of staff: %w", err)
	}
	if a.Login != login {
		return StaffAccount{}, fmt.Errorf("%w: an account of staff is another's", ErrDamaged)
	}
	a.etag = object.ETag
	return a, nil
}

// ChangeStaff changes an account by If-Match; after a lost race it is read and
// judged again, so change may be called several times. An error of change is
// returned as it is, and nothing is written.
func (l *Ledger) ChangeStaff(ctx context.Context, login string, change func(*StaffAccount) error) (StaffAccount, error) {
	for range amendMost {
		a, err := l.Staff(ctx, login)
		if err != nil {
			return a, err
		}
		if err := change(&a); err != nil {
			return a, err
		}
		body, err := json.Marshal(a)
		if err != nil {
			return a, fmt.Errorf("encoding an account of staff: %w", err)
		}
		a.etag, err = l.objects.Replace(ctx, staffKey(login), a.etag, body, storage.Put{ContentType: jsonType})
		if err == nil {
			return a, nil
		}
		if !errors.Is(err, storage.ErrChanged) {
			return a, fmt.Errorf("changing an account of staff: %w", err)
		}
	}
	return StaffAccount{}, fmt.Errorf("changing an account of staff: %w: others change it all the time", storage.ErrUnavailable)
}

// AllStaff yields every account, by login. One that cannot be read is yielded
// with an error that wraps ErrDamaged, and the others follow.
func (l *Ledger) AllStaff(ctx context.Context) iter.Seq2[StaffAccount, error] {
	return func(yield func(StaffAccount, error) bool) {
		for info, err := range l.objects.List(ctx, staffPrefix, "") {
			if err != nil {
				yield(StaffAccount{}, fmt.Errorf("listing the accounts of staff: %w", err))
				return
			}
			a, err := l.Staff(ctx, strings.TrimPrefix(info.Key, staffPrefix))
			if errors.Is(err, ErrNotFound) {
				continue // no account's key
			}
			if !yield(a, err) || err != nil && !errors.Is(err, ErrDamaged) {
				return
			}
		}
	}
}

// staffSubject is what lies under the hash of an issuer and a subject.
type staffSubject struct {
	Login string `json:"login"`
}

func staffSubjectKey(issuer, subject string) string {
	return secretKey(staffSubjectPrefix, issuer+"\x00"+subject) // no address holds that character
}

// ClaimStaffSubject binds a person of an issuer to a login, unless they are bound to
// one already, and returns the login that they are bound to.
func (l *Ledger) ClaimStaffSubject(ctx context.Context, issuer, subject, login string) (string, error) {
	if err := CheckStaffLogin(login); err != nil {
		return "", err
	}
	body, err := json.Marshal(staffSubject{login})
	if err != nil {
		return "", fmt.Errorf("encoding a subject of an issuer: %w", err)
	}
	_, err = l.objects.Create(ctx, staffSubjectKey(issuer, subject), body, storage.Put{ContentType: jsonType})
	if errors.Is(err, storage.ErrExists) {
		return l.StaffSubject(ctx, issuer, subject)
	}
	if err != nil {
		return "", fmt.Errorf("writing a subject of an issuer: %w", err)
	}
	return login, nil
}

// StaffSubject returns the login that a person of an issuer is bound to: ErrNotFound
// if to none.
func (l *Ledger) StaffSubject(ctx context.Context, issuer, subject string) (string, error) {
	var s staffSubject
	if _, err := l.readJSON(ctx, staffSubjectKey(issuer, subject), &s); err != nil {
		return "", fmt.Errorf("reading a subject of an issuer: %w", err)
	}
	if err := CheckStaffLogin(s.Login); err != nil {
		return "", fmt.Errorf("%w: a subject of an issuer: %w", ErrDamaged, err)
	}
	return s.Login, nil
}

// ReleaseStaffSubject unbinds a person of an issuer. One who is bound to nothing is no
// fault.
func (l *Ledger) ReleaseStaffSubject(ctx context.Context, issuer, subject string) error {
	if err := l.objects.Delete(ctx, staffSubjectKey(issuer, subject)); err != nil {
		return fmt.Errorf("deleting a subject of an issuer: %w", err)
	}
	return nil
}

// KeepStaffTOTP keeps the secret of an account's second factor, in place of the
// one before.
func (l *Ledger) KeepStaffTOTP(ctx context.Context, login string, secret []byte) error {
	if err := CheckStaffLogin(login); err != nil {
		return err
	}
	key := staffTOTPPrefix + login
	sealed, err := l.keyset.seal(secret, key)
	if err != nil {
		return fmt.Errorf("encrypting a second factor: %w", err)
	}
	_, err = l.objects.Write(ctx, key, sealed, storage.Put{Metadata: map[string]string{metadataKeyID: l.keyset.primaryID()}})
	if err != nil {
		return fmt.Errorf("writing a second factor: %w", err)
	}
	return nil
}

// StaffTOTP reads the secret of an account's second factor: ErrNotFound if there
// is none, ErrKeyUnknown if it waits for another keyset.
func (l *Ledger) StaffTOTP(ctx context.Context, login string) ([]byte, error) {
	object, err := l.objects.Get(ctx, staffTOTPPrefix+login)
	if errors.Is(err, storage.ErrNotFound) {
		return nil, fmt.Errorf("reading a second factor: %w", ErrNotFound)
	}
	if err != nil {
		return nil, fmt.Errorf("reading a second factor: %w", err)
	}
	secret, err := l.keyset.open(object.Body, object.Key)
	if err != nil {
		return nil, fmt.Errorf("reading a second factor: %w", err)
	}
	return secret, nil
}

// DropStaffTOTP deletes the secret of an account's second factor.
func (l *Ledger) DropStaffTOTP(ctx context.Context, login string) error {
	if err := l.objects.Delete(ctx, staffTOTPPrefix+login); err != nil {
		return fmt.Errorf("deleting a second factor: %w", err)
	}
	return nil
}

// StaffSession is what the ledger keeps of a login to the console.
type StaffSession struct {
	Login  string    `json:"login"`
	Epoch  int64     `json:"epoch"` // of the account when it began
	Begun  time.Time `json:"begun"`
	Seen   time.Time `json:"seen"` // about when it was last used
	From   string    `json:"from,omitempty"`
	Issued bool      `json:"issued,omitempty"` // an issuer vouched for it, not a password
	key    string
	etag   string
}

// secretKey is where something lies that only who knows a secret can find.
func secretKey(prefix, secret string) string {
	sum := sha256.Sum256([]byte(secret))
	return prefix + hex.EncodeToString(sum[:])
}

// StaffSessionID names the session of a cookie.
func StaffSessionID(cookie string) string { return secretKey("", cookie) }

// BeginStaffSession keeps a session under a cookie that was drawn for it.
func (l *Ledger) BeginStaffSession(ctx context.Context, cookie string, s StaffSession) error {
	body, err := json.Marshal(s)
	if err != nil {
		return fmt.Errorf("encoding a session: %w", err)
	}
	if _, err := l.objects.Write(ctx, secretKey(staffSessionPrefix, cookie), body, storage.Put{ContentType: jsonType}); err != nil {
		return fmt.Errorf("writing a session: %w", err)
	}
	return nil
}

// StaffSession reads the session of a cookie: ErrNotFound if there is none.
// Whether it has ended is for the caller to judge.
func (l *Ledger) StaffSession(ctx context.Context, cookie string) (StaffSession, error) {
	var s StaffSession
	key := secretKey(staffSessionPrefix, cookie)
	object, err := l.readJSON(ctx, key, &s)
	if err != nil {
		return StaffSession{}, fmt.Errorf("reading a session: %w", err)
	}
	s.key, s.etag = key, object.ETag
	return s, nil
}

// SeeStaffSession notes that a session was used at a time. One that ended
// meanwhile stays so.
func (l *Ledger) SeeStaffSession(ctx context.Context, s StaffSession, at time.Time) error {
	s.Seen = at
	body, err := json.Marshal(s)
	if err != nil {
		return fmt.Errorf("encoding a session: %w", err)
	}
	_, err = l.objects.Replace(ctx, s.key, s.etag, body, storage.Put{ContentType: jsonType})
	if err != nil && !errors.Is(err, storage.ErrChanged) { // noted by another page, or ended
		return fmt.Errorf("writing a session: %w", err)
	}
	return nil
}

// EndStaffSession deletes a session by its id. One that is none is no fault.
func (l *Ledger) EndStaffSession(ctx context.Context, id string) error {
	if err := l.objects.Delete(ctx, staffSessionPrefix+id); err != nil {
		return fmt.Errorf("deleting a session: %w", err)
	}
	return nil
}

// SweepStaffSessions deletes the sessions that nobody used since a time, and
// returns how many. It reads none: a session that is used is written.
func (l *Ledger) SweepStaffSessions(ctx context.Context, since time.Time) (int, error) {
	swept := 0
	for info, err := range l.objects.List(ctx, staffSessionPrefix, "") {
		if err == nil && info.LastModified.Before(since) {
			if err = l.objects.Delete(ctx, info.Key); err == nil {
				swept++
			}
		}
		if err != nil {
			return swept, fmt.Errorf("sweeping sessions: %w", err)
		}
	}
	return swept, nil
}

// StaffToken is what the ledger keeps of a personal token for the staff API.
type StaffToken struct {
	ID        string    `json:"-"` // the first digits of its hash: names it, opens nothing
	Login     string    `json:"login"`
	Name      string    `json:"name"`
	Roles     []string  `json:"roles"`
	Epoch     int64     `json:"epoch"` // of the account when it was made
	CreatedAt time.Time `json:"created_at"`
	ExpiresAt time.Time `json:"expires_at"`
}

// staffTokenID is what an id looks like: groups, because a long row of digits in
// the audit trail would pass for a number that names a person.
var staffTokenID = regexp.MustCompile(`^[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}$`)

// StaffTokenMark is what tells a token that was drawn here from one that was made up,
// without a look into the bucket: 16 digits, which only who has the HMAC key can make.
func (l *Ledger) StaffTokenMark(secret string) string { return l.mac("staff token", secret)[:16] }

func staffTokenIDOf(key string) string {
	hash := strings.TrimPrefix(key, staffTokensPrefix)
	if len(hash) < 12 {
		return ""
	}
	return hash[:4] + "-" + hash[4:8] + "-" + hash[8:12]
}

// KeepStaffToken keeps a token that was drawn for an account, and returns it
// with its id.
func (l *Ledger) KeepStaffToken(ctx context.Context, bearer string, t StaffToken) (StaffToken, error) {
	body, err := json.Marshal(t)
	if err != nil {
		return t, fmt.Errorf("encoding a token of staff: %w", err)
	}
	key := secretKey(staffTokensPrefix, bearer)
	if _, err := l.objects.Write(ctx, key, body, storage.Put{ContentType: jsonType}); err != nil {
		return t, fmt.Errorf("writing a token of staff: %w", err)
	}
	t.ID = staffTokenIDOf(key)
	return t, nil
}

// StaffToken reads the token of a bearer: ErrNotFound if there is none.
func (l *Ledger) StaffToken(ctx context.Context, bearer string) (StaffToken, error) {
	return l.staffToken(ctx, secretKey(staffTokensPrefix, bearer))
}

func (l *Ledger) staffToken(ctx context.Context, key string) (StaffToken, error) {
	var t StaffToken
	if _, err := l.readJSON(ctx, key, &t); err != nil {
		return StaffToken{}, fmt.Errorf("reading a token of staff: %w", err)
	}
	t.ID = staffTokenIDOf(key)
	return t, nil
}

// StaffTokens lists the tokens of an account, the expired that were not yet swept
// included, oldest first.
func (l *Ledger) StaffTokens(ctx context.Context, login string) ([]StaffToken, error) {
	var all []StaffToken
	for info, err := range l.objects.List(ctx, staffTokensPrefix, "") {
		if err != nil {
			return nil, fmt.Errorf("listing the tokens of staff: %w", err)
		}
		t, err := l.staffToken(ctx, info.Key)
		switch {
		case errors.Is(err, ErrNotFound): // revoked while we listed
		case err != nil:
			return nil, err
		case t.Login == login:
			all = append(all, t)
		}
	}
	slices.SortStableFunc(all, func(a, b StaffToken) int { return a.CreatedAt.Compare(b.CreatedAt) })
	return all, nil
}

// RevokeStaffToken deletes a token of an account by its id: ErrNotFound if the
// account has none of it.
func (l *Ledger) RevokeStaffToken(ctx context.Context, login, id string) error {
	if !staffTokenID.MatchString(id) {
		return fmt.Errorf("revoking a token of staff: %w", ErrNotFound)
	}
	for info, err := range l.objects.List(ctx, staffTokensPrefix+strings.ReplaceAll(id, "-", ""), "") {
		if err != nil {
			return fmt.Errorf("listing the tokens of staff: %w", err)
		}
		t, err := l.staffToken(ctx, info.Key)
		if err != nil {
			return err
		}
		if t.Login != login {
			break
		}
		if err := l.objects.Delete(ctx, info.Key); err != nil {
			return fmt.Errorf("revoking a token of staff: %w", err)
		}
		return nil
	}
	return fmt.Errorf("revoking a token of staff: %w", ErrNotFound)
}

// SweepStaffTokens deletes the tokens that expired before a time, and returns how
// many.
func (l *Ledger) SweepStaffTokens(ctx context.Context, before time.Time) (int, error) {
	swept := 0
	for info, err := range l.objects.List(ctx, staffTokensPrefix, "") {
		var t StaffToken
		if err == nil {
			t, err = l.staffToken(ctx, info.Key)
		}
		if errors.Is(err, ErrNotFound) || err == nil && !t.ExpiresAt.Before(before) {
			continue
		}
		if err == nil {
			err = l.objects.Delete(ctx, info.Key)
		}
		if err != nil {
			return swept, fmt.Errorf("sweeping the tokens of staff: %w", err)
		}
		swept++
	}
	return swept, nil
}
