package staff

import (
	"context"
	"crypto/hmac"
	"crypto/sha1"
	"crypto/subtle"
	"encoding/base32"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"net/netip"
	"net/url"
	"strconv"
	"strings"
	"time"

	"segell/ledger"
)

// The second factor is a time-based one-time password (RFC 6238) as every
// authenticator program knows it: HMAC-SHA-1, six digits, 30 seconds.
const (
	totpPeriod  = 30 // seconds
	totpDigits  = 6
	totpSecret  = 20 // bytes, as RFC 4226 section 4 recommends
	totpDrift   = 1  // steps that a telephone's clock may be off, either way
	enrolWithin = 15 * time.Minute
)

var base32Text = base32.StdEncoding.WithPadding(base32.NoPadding)

// totpCode is the code of a step (RFC 4226 section 5.3).
func totpCode(secret []byte, step int64) string {
	h := hmac.New(sha1.New, secret)
	binary.Write(h, binary.BigEndian, step)
	sum := h.Sum(nil)
	offset := sum[len(sum)-1] & 0xF
	number := binary.BigEndian.Uint32(sum[offset:]) & 0x7FFFFFFF
	return fmt.Sprintf("%0*d", totpDigits, number%1_000_000)
}

// totpStep is the step whose code it is, of those later than used; ok is false
// if it is none. It tries each, so that the time does not tell which.
func totpStep(secret []byte, code string, now time.Time, used int64) (step int64, ok bool) {
	at := now.Unix() / totpPeriod
	for n := at - totpDrift; n <= at+totpDrift; n++ {
		if subtle.ConstantTimeCompare([]byte(totpCode(secret, n)), []byte(code)) == 1 && n > used {
			step, ok = n, true
		}
	}
	return step, ok
}

// digits takes blanks out of a code as programs show it, "123 456".
func digits(code string) string {
	out := make([]rune, 0, totpDigits)
	for _, r := range code {
		if r != ' ' && r != '\u00a0' {
			out = append(out, r)
		}
	}
	return string(out)
}

// ErrEnrolment says that a second factor is not set up, because too much time
// passed or the reference is not from BeginTOTP: begin again.
var ErrEnrolment = errors.New("the second factor must be begun to be set up once more")

// Enrolment is a second factor that is being set up. It is a secret.
type Enrolment struct {
	Secret    string // base 32, to be typed into the program
	URI       string // otpauth://, to be shown as a QR code
	Reference string // opaque; ConfirmTOTP wants it back within 15 minutes
}

// enrolment is what the reference holds, encrypted.
type enrolment struct {
	Secret []byte    `json:"secret"`
	Epoch  int64     `json:"epoch"` // of the account: setting it up raises it, so that this serves once
	At     time.Time `json:"at"`
}

const enrolmentPurpose = "staff totp"

// BeginTOTP draws a second factor for a local account. Nothing changes until
// ConfirmTOTP. Whoever does it for themselves must have proved their password
// (Prove) a moment ago.
func (d *Desk) BeginTOTP(ctx context.Context, login string) (Enrolment, error) {
	a, err := d.local(ctx, login)
	if err != nil {
		return Enrolment{}, err
	}
	secret := make([]byte, totpSecret)
	if _, err := io.ReadFull(d.Random, secret); err != nil {
		return Enrolment{}, fmt.Errorf("drawing a second factor: %w", err)
	}
	reference, err := d.Ledger.Refer(enrolmentPurpose, login, enrolment{secret, a.Epoch, d.Now()})
	if err != nil {
		return Enrolment{}, err
	}
	text := base32Text.EncodeToString(secret)
	return Enrolment{Secret: text, URI: otpauth(d.Institution, login, text), Reference: reference}, nil
}

// otpauth is the address that authenticator programs read from a QR code.
func otpauth(institution, login, secret string) string {
	parameters := url.Values{"secret": {secret}, "issuer": {institution}, "algorithm": {"SHA1"}, "digits": {strconv.Itoa(totpDigits)}, "period": {strconv.Itoa(totpPeriod)}}
	// Some programs show the + of a form as it is.
	query := strings.ReplaceAll(parameters.Encode(), "+", "%20")
	return (&url.URL{Scheme: "otpauth", Host: "totp", Path: "/" + institution + ":" + login, RawQuery: query}).String()
}

// ConfirmTOTP sets the second factor up that BeginTOTP drew, in place of one
// before, if code is its code now: ErrWrong if not, ErrEnrolment if it must be
// begun again. The account's sessions and tokens end: they were had without it.
func (d *Desk) ConfirmTOTP(ctx context.Context, by Actor, login, reference, code string) error {
	_, err := d.confirmTOTP(ctx, by, login, reference, code)
	return err
}

// EnrolTOTP is ConfirmTOTP for somebody who is logged in: a fresh session begins.
func (d *Desk) EnrolTOTP(ctx context.Context, login, reference, code string, from netip.Addr) (cookie string, s Session, err error) {
	a, err := d.confirmTOTP(ctx, Actor{Who: login, From: addressText(from)}, login, reference, code)
	if err != nil {
		return "", Session{}, err
	}
	if a.Disabled {
		return "", Session{}, ErrWrong
	}
	return d.begin(ctx, a, from, false)
}

func (d *Desk) confirmTOTP(ctx context.Context, by Actor, login, reference, code string) (ledger.StaffAccount, error) {
	var begun enrolment
	now := d.Now()
	if d.Ledger.Resolve(enrolmentPurpose, login, reference, &begun) != nil || now.Sub(begun.At) > enrolWithin {
		return ledger.StaffAccount{}, ErrEnrolment
	}
	a, err := d.local(ctx, login)
	if err != nil {
		return a, err
	}
	if a.Epoch != begun.Epoch {
		return a, ErrEnrolment
	}
	step, ok := totpStep(begun.Secret, digits(code), now, 0)
	if !ok {
		return a, ErrWrong
	}
	if err := d.wrote(ctx, by, "staff.totp_set", login, ""); err != nil {
		return a, err
	}
	if err := d.Ledger.KeepStaffTOTP(ctx, login, begun.Secret); err != nil {
		return a, err
	}
	a, err = d.Ledger.ChangeStaff(ctx, login, func(a *ledger.StaffAccount) error {
		if a.Epoch != begun.Epoch { // by another at the same time
			return ErrEnrolment
		}
		a.TOTP, a.TOTPStep = true, step
		a.EndAll()
		return nil
	})
	return a, notFound(err)
}

// DropTOTP takes the second factor of an account away, as when the telephone is
// lost, and ends its sessions and its tokens.
func (d *Desk) DropTOTP(ctx context.Context, by Actor, login string) error {
	if _, err := d.local(ctx, login); err != nil {
		return err
	}
	if err := d.wrote(ctx, by, "staff.totp_drop", login, ""); err != nil {
		return err
	}
	err := d.change(ctx, login, func(a *ledger.StaffAccount) error {
		a.TOTP = false // the step stays: a code that was used opens nothing later
		a.EndAll()
		return nil
	})
	if err != nil {
		return err
	}
	return d.Ledger.DropStaffTOTP(ctx, login)
}

// factor judges the code of an account's second factor at a time. It returns the
// step that is used up by it, or ErrCodeNeeded or ErrWrong.
func (d *Desk) factor(ctx context.Context, a ledger.StaffAccount, code string, now time.Time) (step int64, err error) {
	if code = digits(code); code == "" {
		return 0, ErrCodeNeeded
	}
	secret, err := d.Ledger.StaffTOTP(ctx, a.Login)
	if err != nil {
		return 0, err // also ErrNotFound: no account is let in by half of its factors
	}
	step, ok := totpStep(secret, code, now, a.TOTPStep)
	if !ok {
		return 0, ErrWrong
	}
	return step, nil
}
