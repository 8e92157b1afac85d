package pki

import (
	"bytes"
	"crypto"
	"crypto/x509"
	"io"
	"math/big"
	"net/http"
	"time"

	"github.com/digitorus/timestamp"
)

// Misbehaviour is a way in which the time-stamping authority lies or fails, for tests of its clients.
type Misbehaviour string

// What a time-stamping authority can do wrong.
const (
	Behave         Misbehaviour = ""
	WrongImprint   Misbehaviour = "wrong imprint"  // a token over other bytes
	WrongNonce     Misbehaviour = "wrong nonce"    // a token that answers another request
	MissingNonce   Misbehaviour = "missing nonce"  // a token that could be a replay
	WrongPolicy    Misbehaviour = "wrong policy"   // a policy nobody asked for
	SkewedAhead    Misbehaviour = "skewed ahead"   // ten minutes ahead
	SkewedBehind   Misbehaviour = "skewed behind"  // ten minutes behind
	ForeignChain   Misbehaviour = "foreign chain"  // signed under a root of its own, with the same names
	NoCertificate  Misbehaviour = "no certificate" // the certificate that was asked for is missing
	BrokenToken    Misbehaviour = "broken token"   // one bit of the signature flipped
	Rejection      Misbehaviour = "rejection"      // status "rejection", no token
	ServerError    Misbehaviour = "server error"   // HTTP 500
	WrongType      Misbehaviour = "wrong type"     // a page in HTML with status 200
	Redirect       Misbehaviour = "redirect"       // to another host
	Hang           Misbehaviour = "hang"           // no answer until the client leaves
	HugeBody       Misbehaviour = "huge body"      // 50 MB
	SlowBody       Misbehaviour = "slow body"      // headers at once, then a byte now and then
	TrailingData   Misbehaviour = "trailing data"  // a good reply with bytes behind it
	SealCertSigned Misbehaviour = "seal as TSA"    // signed by a seal certificate, which is no TSA
	ExpiredSigner  Misbehaviour = "expired TSA"    // signed by a TSA certificate that has ended
)

// Misbehave makes the time-stamping authority fail in one way from now on; [Behave] heals it.
func (a *Authority) Misbehave(m Misbehaviour) {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.misbehaviour = m
}

// fail plays the failures that are not particular to time-stamps; kind is the media type of a good answer.
func (a *Authority) fail(w http.ResponseWriter, r *http.Request, how Misbehaviour, kind string) bool {
	switch how {
	case Hang:
		a.hung.Add(1)
		select {
		case <-r.Context().Done():
		case <-a.stopping:
		}
	case ServerError:
		http.Error(w, "out of order", http.StatusInternalServerError)
	case WrongType:
		w.Header().Set("Content-Type", "text/html")
		io.WriteString(w, "<p>Welcome to our service</p>")
	case Redirect:
		http.Redirect(w, r, "http://localhost.invalid/elsewhere", http.StatusTemporaryRedirect)
	case HugeBody:
		w.Header().Set("Content-Type", kind)
		block := bytes.Repeat([]byte{0x30}, 1<<20)
		for range 50 {
			if _, err := w.Write(block); err != nil {
				break
			}
		}
	case SlowBody:
		w.Header().Set("Content-Type", kind)
		for range 10_000 {
			if _, err := w.Write([]byte{0x30}); err != nil {
				break
			}
			http.NewResponseController(w).Flush()
			select {
			case <-r.Context().Done():
				return true
			case <-a.stopping:
				return true
			case <-time.After(100 * time.Millisecond):
			}
		}
	default:
		return false
	}
	return true
}

const skew = 10 * time.Minute

func (a *Authority) serveTSA(w http.ResponseWriter, r *http.Request) {
	a.mu.Lock()
	how := a.misbehaviour
	a.mu.Unlock()

	body, err := io.ReadAll(io.LimitReader(r.Body, maxRequest))
	if err != nil || r.Method != http.MethodPost || r.Header.Get("Content-Type") != "application/timestamp-query" {
		http.Error(w, "a time-stamp is asked by POST of application/timestamp-query", http.StatusBadRequest)
		return
	}
	if a.fail(w, r, how, "application/timestamp-reply") {
		return
	}
	reply, err := a.stamp(body, how)
	if err != nil {
		http.Error(w, err.Error(), http.StatusInternalServerError)
		return
	}
	if how == TrailingData {
		reply = append(reply, "and more"...)
	}
	w.Header().Set("Content-Type", "application/timestamp-reply")
	w.Write(reply)
}

// stamp answers a time-stamp request (RFC 3161 section 2.4). digitorus/timestamp builds the token.
func (a *Authority) stamp(body []byte, how Misbehaviour) ([]byte, error) {
	req, err := timestamp.ParseRequest(body)
	if err != nil {
		return timestamp.CreateErrorResponse(timestamp.Rejection, timestamp.BadDataFormat)
	}
	switch {
	case how == Rejection:
		return timestamp.CreateErrorResponse(timestamp.Rejection, timestamp.TimeNotAvailable)
	case req.HashAlgorithm != crypto.SHA256 && req.HashAlgorithm != crypto.SHA384 && req.HashAlgorithm != crypto.SHA512,
		len(req.HashedMessage) != req.HashAlgorithm.Size():
		return timestamp.CreateErrorResponse(timestamp.Rejection, timestamp.BadAlgorithm)
	case req.TSAPolicyOID != nil && !req.TSAPolicyOID.Equal(TSAPolicy):
		return timestamp.CreateErrorResponse(timestamp.Rejection, timestamp.UnacceptedPolicy)
	}

	a.mu.Lock()
	tsa := a.tsa
	a.mu.Unlock()
	signer := tsa
	token := timestamp.Timestamp{
		HashAlgorithm:     req.HashAlgorithm,
		HashedMessage:     req.HashedMessage,
		Time:              a.opts.Now().UTC(),
		Accuracy:          time.Second,
		Policy:            TSAPolicy,
		Nonce:             req.Nonce,
		AddTSACertificate: req.Certificates,
	}
	switch how {
	case WrongImprint:
		token.HashedMessage = bytes.Clone(req.HashedMessage)
		token.HashedMessage[0] ^= 1
	case WrongNonce:
		if req.Nonce != nil {
			token.Nonce = new(big.Int).Add(req.Nonce, big.NewInt(1))
		}
	case MissingNonce:
		token.Nonce = nil
	case WrongPolicy:
		token.Policy = append(append([]int{}, TSAPolicy...), 99)
	case SkewedAhead:
		token.Time = token.Time.Add(skew)
	case SkewedBehind:
		token.Time = token.Time.Add(-skew)
	case NoCertificate:
		token.AddTSACertificate = false
	case ForeignChain:
		if signer, err = a.foreignTSA(); err != nil {
			return nil, err
		}
	case SealCertSigned:
		signer = a.seal
	case ExpiredSigner:
		key, err := newKey(P256)
		if err != nil {
			return nil, err
		}
		t := a.tsaTemplate(a.tsaCA, a.opts.Now().Add(-time.Minute))
		cert, err := issue(t, a.tsaCA.cert, key.Public(), a.tsaCA.key)
		if err != nil {
			return nil, err
		}
		signer = &Leaf{Certificate: cert, Key: key, Chain: tsa.Chain}
	}
	if token.AddTSACertificate {
		token.Certificates = signer.Chain
	}
	reply, err := token.CreateResponseWithOpts(signer.Certificate, signer.Key, crypto.SHA256)
	if err != nil {
		return nil, err
	}
	a.stamps.Add(1)
	if how == BrokenToken {
		reply[len(reply)-1] ^= 1 // the signature value ends the token
	}
	return reply, nil
}

// foreignTSA is a TSA with the names of ours under a root of its own.
func (a *Authority) foreignTSA() (*Leaf, error) {
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.foreign != nil {
		return a.foreign, nil
	}
	now := a.opts.Now()
	caKey, err := newKey(P256)
	if err != nil {
		return nil, err
	}
	t := &x509.Certificate{
		Subject: a.tsaCA.cert.Subject, NotBefore: now.Add(-backdate), NotAfter: now.Add(caLife),
		KeyUsage: x509.KeyUsageCertSign, BasicConstraintsValid: true, IsCA: true,
	}
	caCert, err := issue(t, t, caKey.Public(), caKey)
	if err != nil {
		return nil, err
	}
	key, err := newKey(P256)
	if err != nil {
		return nil, err
	}
	cert, err := issue(a.tsaTemplate(a.tsaCA, now.Add(tsaLife)), caCert, key.Public(), caKey)
	if err != nil {
		return nil, err
	}
	a.foreign = &Leaf{Certificate: cert, Key: key, Chain: []*x509.Certificate{caCert}}
	return a.foreign, nil
}
