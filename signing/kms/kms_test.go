package kms

import (
	"context"
	"crypto"
	"crypto/x509"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/config"
	awskms "github.com/aws/aws-sdk-go-v2/service/kms"
	"github.com/aws/aws-sdk-go-v2/service/kms/types"
	"github.com/aws/smithy-go"

	"segell/internal/servers"
	"segell/pki"
	"segell/signing"
	"segell/signing/keytest"
)

// house is a KMS and a client with every permission.
type house struct {
	*servers.KMS
	client *awskms.Client
}

func newHouse(t *testing.T) *house {
	t.Helper()
	h := &house{KMS: servers.NewKMS(t)}
	settings, err := config.LoadDefaultConfig(t.Context(), config.WithRegion(h.Region))
	if err != nil {
		t.Fatal(err)
	}
	h.client = awskms.NewFromConfig(settings, func(o *awskms.Options) { o.BaseEndpoint = &h.Endpoint })
	return h
}

// make makes a key and has it certified.
func (h *house) make(t *testing.T, authority *pki.Authority, spec types.KeySpec) (id string, leaf *pki.Leaf) {
	t.Helper()
	made, err := h.client.CreateKey(t.Context(), &awskms.CreateKeyInput{KeySpec: spec, KeyUsage: types.KeyUsageTypeSignVerify})
	if err != nil {
		t.Fatal(err)
	}
	got, err := h.client.GetPublicKey(t.Context(), &awskms.GetPublicKeyInput{KeyId: made.KeyMetadata.Arn})
	if err != nil {
		t.Fatal(err)
	}
	public, err := x509.ParsePKIXPublicKey(got.PublicKey)
	if err != nil {
		t.Fatal(err)
	}
	if leaf, err = authority.Certify(public, pki.LeafOptions{}); err != nil {
		t.Fatal(err)
	}
	return aws.ToString(made.KeyMetadata.KeyId), leaf
}

func (h *house) config(id string, leaf *pki.Leaf) Config {
	return Config{KeyID: id, Region: h.Region, Endpoint: h.Endpoint, Certificate: leaf.Certificate, Chain: leaf.Chain, Timeout: 3 * time.Second}
}

func newAuthority(t *testing.T) *pki.Authority {
	t.Helper()
	authority, err := pki.New(t.TempDir(), pki.Options{})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { authority.Close() })
	return authority
}

func TestKMS(t *testing.T) {
	h := newHouse(t)
	keytest.Run(t, keytest.Store{
		Make: func(t *testing.T, authority *pki.Authority, kind pki.KeyKind) keytest.Made {
			id, own := h.make(t, authority, map[pki.KeyKind]types.KeySpec{pki.P256: types.KeySpecEccNistP256, pki.RSA3072: types.KeySpecRsa3072}[kind])
			return keytest.Made{Leaf: own, Open: func(ctx context.Context, leaf *pki.Leaf) (signing.Key, error) {
				return Open(ctx, h.config(id, leaf))
			}}
		},
		Silence: func(*testing.T) { h.Pause() },
		Mend:    func(*testing.T) { h.Continue() },
	})
}

func TestWhatIsWrongAtTheStart(t *testing.T) {
	h, authority := newHouse(t), newAuthority(t)
	id, leaf := h.make(t, authority, types.KeySpecEccNistP256)
	disabled, leafOfDisabled := h.make(t, authority, types.KeySpecEccNistP256)
	if _, err := h.client.DisableKey(t.Context(), &awskms.DisableKeyInput{KeyId: &disabled}); err != nil {
		t.Fatal(err)
	}
	dying, leafOfDying := h.make(t, authority, types.KeySpecEccNistP256)
	if _, err := h.client.ScheduleKeyDeletion(t.Context(), &awskms.ScheduleKeyDeletionInput{KeyId: &dying}); err != nil {
		t.Fatal(err)
	}
	p384, leafOfP384 := h.make(t, authority, types.KeySpecEccNistP384)
	secret, err := h.client.CreateKey(t.Context(), &awskms.CreateKeyInput{})
	if err != nil {
		t.Fatal(err)
	}
	for name, c := range map[string]struct {
		config Config
		says   string
	}{
		"no such key":       {h.config("00000000-0000-0000-0000-000000000000", leaf), "NotFoundException"},
		"disabled":          {h.config(disabled, leafOfDisabled), "its state is Disabled"},
		"to be deleted":     {h.config(dying, leafOfDying), "its state is PendingDeletion"},
		"an encryption key": {h.config(aws.ToString(secret.KeyMetadata.Arn), leaf), "SIGN_VERIFY is needed"},
		"P-384":             {h.config(p384, leafOfP384), "cannot sign with SHA-256"},
		"another's":         {h.config(id, leafOfP384), "does not belong to the certificate"},
		"nothing is given":  {Config{Endpoint: "http://kms.example.org", Timeout: -1}, "Endpoint: must be an address"},
	} {
		key, err := Open(t.Context(), c.config)
		if err == nil || errors.Is(err, signing.ErrKeyUnavailable) || !strings.Contains(err.Error(), c.says) {
			t.Errorf("%s: %v, %v", name, key, err)
		}
	}
}

// An alias names a key at the start; that key seals until the end, since its certificate does.
func TestAlias(t *testing.T) {
	h, authority := newHouse(t), newAuthority(t)
	id, leaf := h.make(t, authority, types.KeySpecEccNistP256)
	other, _ := h.make(t, authority, types.KeySpecEccNistP256)
	alias := aws.String("alias/segell")
	if _, err := h.client.CreateAlias(t.Context(), &awskms.CreateAliasInput{AliasName: alias, TargetKeyId: &id}); err != nil {
		t.Fatal(err)
	}
	key, err := Open(t.Context(), h.config(*alias, leaf))
	if err != nil {
		t.Fatal(err)
	}
	defer key.Close()
	if _, err := h.client.UpdateAlias(t.Context(), &awskms.UpdateAliasInput{AliasName: alias, TargetKeyId: &other}); err != nil {
		t.Fatal(err)
	}
	signature, err := key.Sign(t.Context(), []byte("x"), crypto.SHA256)
	if err != nil {
		t.Fatal(err)
	}
	if err := leaf.Certificate.CheckSignature(x509.ECDSAWithSHA256, []byte("x"), signature); err != nil {
		t.Error(err)
	}
}

// Credentials that KMS does not know stay wrong; a KMS that is gone may come back.
func TestRefusedAndGone(t *testing.T) {
	h, authority := newHouse(t), newAuthority(t)
	id, leaf := h.make(t, authority, types.KeySpecEccNistP256)
	key, err := Open(t.Context(), h.config(id, leaf))
	if err != nil {
		t.Fatal(err)
	}
	// From here on moto asks who calls.
	answer, err := http.Post(h.Endpoint+"/moto-api/reset-auth", "text/plain", strings.NewReader("0"))
	if err != nil || answer.StatusCode != http.StatusOK {
		t.Fatal(answer, err)
	}
	answer.Body.Close()
	if _, err := key.Sign(t.Context(), []byte("x"), crypto.SHA256); !errors.Is(err, signing.ErrKeyRefused) || errors.Is(err, signing.ErrKeyUnavailable) {
		t.Errorf("unknown credentials: %v", err)
	}
	if _, err := Open(t.Context(), h.config(id, leaf)); !errors.Is(err, signing.ErrKeyRefused) || errors.Is(err, signing.ErrKeyUnavailable) {
		t.Errorf("unknown credentials, to open: %v", err)
	}
	h.Kill()
	if _, err := key.Sign(t.Context(), []byte("x"), crypto.SHA256); !errors.Is(err, signing.ErrKeyUnavailable) {
		t.Errorf("gone: %v", err)
	}
	if _, err := Open(t.Context(), h.config(id, leaf)); !errors.Is(err, signing.ErrKeyUnavailable) {
		t.Errorf("gone, to open: %v", err)
	}
}

// What the service can answer and moto cannot be brought to: the errors are those of AWS's own library.
func TestWhichAnswersLast(t *testing.T) {
	for _, err := range []error{&types.DisabledException{}, &types.KMSInvalidStateException{}, &types.NotFoundException{}, &types.InvalidKeyUsageException{},
		&types.InvalidArnException{}, &types.UnsupportedOperationException{}, &smithy.GenericAPIError{Code: "AccessDeniedException"},
		&smithy.GenericAPIError{Code: "UnrecognizedClientException"}, &smithy.GenericAPIError{Code: "InvalidSignatureException"}} {
		if !lasting(fmt.Errorf("operation error: %w", err)) {
			t.Errorf("%v: it is tried again", err)
		}
	}
	for _, err := range []error{&types.KeyUnavailableException{}, &types.KMSInternalException{}, &types.DependencyTimeoutException{}, &types.LimitExceededException{},
		&smithy.GenericAPIError{Code: "ThrottlingException"}, &smithy.GenericAPIError{Code: "ExpiredTokenException"},
		&smithy.GenericAPIError{Code: "ServiceUnavailable"}, errors.New("connection reset")} {
		if lasting(fmt.Errorf("operation error: %w", err)) {
			t.Errorf("%v: it is given up", err)
		}
	}
}
