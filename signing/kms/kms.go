// Package kms seals with a key that AWS KMS keeps.
//
// The key is asymmetric, of usage SIGN_VERIFY and specification ECC_NIST_P256, RSA_3072 or RSA_4096. KMS ties each curve to
// one hash, so that a key ECC_NIST_P384 cannot sign with SHA-256, which is what seals are made with. Requests are of
// MessageType RAW: KMS is given the signed attributes (about 200 bytes, digests alone, nothing of a person) and digests
// them itself. The caller needs kms:DescribeKey, kms:GetPublicKey and kms:Sign for the key.
//
// Credentials are found as AWS's own programs find them: the variables AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, the
// file that AWS_SHARED_CREDENTIALS_FILE names, a web identity, the role of the container or of the machine.
package kms

import (
	"context"
	"crypto"
	"crypto/ecdsa"
	"crypto/rsa"
	"crypto/x509"
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"sync/atomic"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/aws/retry"
	awshttp "github.com/aws/aws-sdk-go-v2/aws/transport/http"
	"github.com/aws/aws-sdk-go-v2/config"
	awskms "github.com/aws/aws-sdk-go-v2/service/kms"
	"github.com/aws/aws-sdk-go-v2/service/kms/types"
	"github.com/aws/smithy-go"

	"segell/signing"
)

// Config says which key. KeyID, Region and Certificate are needed.
type Config struct {
	KeyID    string // key ID, key ARN, alias (alias/…) or alias ARN
	Region   string // such as eu-south-2
	Endpoint string // another address of the service, such as that of a VPC endpoint; https, or http on loopback

	Certificate *x509.Certificate
	// Chain holds the authorities above the certificate. The root may be left out.
	Chain []*x509.Certificate

	// Timeout bounds one signature with its retries; 10 s when zero.
	Timeout time.Duration
}

const (
	defaultTimeout = 10 * time.Second
	attempts       = 3
	maxBackoff     = time.Second
	// Within Timeout there is time for a second attempt when the first one hangs.
	attemptShare = 2
)

func (c *Config) check() error {
	var faults []error
	fault := func(format string, args ...any) { faults = append(faults, fmt.Errorf(format, args...)) }
	if c.KeyID == "" {
		fault("KeyID: the key's ID, ARN or alias is needed")
	}
	if c.Region == "" {
		fault("Region: the key's region is needed")
	}
	if c.Endpoint != "" && !endpointOK(c.Endpoint) {
		fault("Endpoint: must be an address such as https://kms.eu-south-2.amazonaws.com (http:// is for loopback alone)")
	}
	if c.Certificate == nil {
		fault("Certificate: the certificate of the key is needed: KMS keeps none")
	}
	if c.Timeout < 0 {
		fault("Timeout: must not be negative")
	}
	if c.Timeout == 0 {
		c.Timeout = defaultTimeout
	}
	return errors.Join(faults...)
}

func endpointOK(address string) bool {
	u, err := url.Parse(address)
	if err != nil || u.Host == "" || u.User != nil {
		return false
	}
	ip := net.ParseIP(u.Hostname())
	return u.Scheme == "https" || u.Scheme == "http" && (u.Hostname() == "localhost" || ip != nil && ip.IsLoopback())
}

// key is a key in KMS.
type key struct {
	config Config
	client *awskms.Client
	id     string // what KeyID stood for at the start: an alias may be pointed at another key later
	closed atomic.Bool
}

// Open asks KMS for the key and proves that it is enabled, can make seals, and belongs to the certificate. The error wraps
// signing.ErrKeyUnavailable when KMS does not answer.
func Open(ctx context.Context, c Config) (signing.Key, error) {
	if err := c.check(); err != nil {
		return nil, err
	}
	// Credentials are not fetched before the first request, so nothing is waited for here.
	settings, err := config.LoadDefaultConfig(ctx, config.WithRegion(c.Region),
		config.WithHTTPClient(awshttp.NewBuildableClient().WithTimeout(c.Timeout/attemptShare)),
		config.WithRetryer(func() aws.Retryer {
			return retry.NewStandard(func(o *retry.StandardOptions) { o.MaxAttempts, o.MaxBackoff = attempts, maxBackoff })
		}))
	if err != nil {
		return nil, fmt.Errorf("AWS KMS: read the settings of AWS: %w", err)
	}
	k := &key{config: c, client: awskms.NewFromConfig(settings, func(o *awskms.Options) {
		if c.Endpoint != "" {
			o.BaseEndpoint = aws.String(c.Endpoint)
		}
	})}
	if err := k.prove(ctx); err != nil {
		return nil, err
	}
	return k, nil
}

// prove asks what the key is, and compares it with the certificate.
func (k *key) prove(ctx context.Context) error {
	var described *awskms.DescribeKeyOutput
	var public *awskms.GetPublicKeyOutput
	err := k.within(ctx, func(ctx context.Context) (err error) {
		if described, err = k.client.DescribeKey(ctx, &awskms.DescribeKeyInput{KeyId: &k.config.KeyID}); err != nil {
			return err
		}
		public, err = k.client.GetPublicKey(ctx, &awskms.GetPublicKeyInput{KeyId: described.KeyMetadata.Arn})
		return err
	})
	if err != nil {
		return err
	}
	data := described.KeyMetadata
	k.id = aws.ToString(data.Arn)
	refuse := func(format string, args ...any) error {
		return fmt.Errorf("AWS KMS: the key %s %s", k.id, fmt.Sprintf(format, args...))
	}
	if data.KeyState != types.KeyStateEnabled {
		return refuse("is not enabled: its state is %s", data.KeyState)
	}
	if data.KeyUsage != types.KeyUsageTypeSignVerify {
		return refuse("is of usage %s: SIGN_VERIFY is needed", data.KeyUsage)
	}
	found, err := x509.ParsePKIXPublicKey(public.PublicKey)
	if err != nil {
		return refuse("has a public key that cannot be read: %v", err)
	}
	wanted, ok := k.config.Certificate.PublicKey.(interface{ Equal(crypto.PublicKey) bool })
	if !ok || !wanted.Equal(found) {
		return refuse("does not belong to the certificate of %q", k.config.Certificate.Subject.CommonName)
	}
	if algorithm, err := k.algorithm(crypto.SHA256); err != nil || !slices.Contains(public.SigningAlgorithms, algorithm) {
		return refuse("(%s) cannot sign with SHA-256: make one of ECC_NIST_P256, RSA_3072 or RSA_4096", data.KeySpec)
	}
	return nil
}

func (k *key) algorithm(hash crypto.Hash) (types.SigningAlgorithmSpec, error) {
	var prefix string
	switch k.config.Certificate.PublicKey.(type) {
	case *rsa.PublicKey:
		prefix = "RSASSA_PKCS1_V1_5_"
	case *ecdsa.PublicKey:
		prefix = "ECDSA_"
	default:
		return "", fmt.Errorf("AWS KMS: a certificate for a key of type %T: RSA or ECDSA are accepted", k.config.Certificate.PublicKey)
	}
	return types.SigningAlgorithmSpec(prefix + strings.ReplaceAll(hash.String(), "-", "_")), nil
}

func (k *key) Certificate() *x509.Certificate { return k.config.Certificate }
func (k *key) Chain() []*x509.Certificate     { return k.config.Chain }

// Close lets no more requests begin.
func (k *key) Close() error {
	k.closed.Store(true)
	return nil
}

func (k *key) Sign(ctx context.Context, message []byte, hash crypto.Hash) ([]byte, error) {
	if err := signing.CheckMessage(message, hash); err != nil {
		return nil, err
	}
	if k.closed.Load() {
		return nil, signing.ErrKeyClosed
	}
	if err := ctx.Err(); err != nil {
		return nil, fmt.Errorf("AWS KMS: %w", err)
	}
	algorithm, err := k.algorithm(hash)
	if err != nil {
		return nil, err
	}
	var made *awskms.SignOutput
	err = k.within(ctx, func(ctx context.Context) (err error) {
		made, err = k.client.Sign(ctx, &awskms.SignInput{KeyId: &k.id, Message: message, MessageType: types.MessageTypeRaw, SigningAlgorithm: algorithm})
		return err
	})
	if err != nil {
		return nil, err
	}
	return made.Signature, nil
}

// within asks KMS, and says of what it answers whether trying again can help.
func (k *key) within(ctx context.Context, ask func(context.Context) error) error {
	limited, cancel := context.WithTimeout(ctx, k.config.Timeout)
	defer cancel()
	err := ask(limited)
	switch {
	case err == nil:
		return nil
	case limited.Err() != nil:
		return signing.Unanswered(ctx, "AWS KMS", k.config.Timeout)
	case lasting(err):
		return fmt.Errorf("%w: AWS KMS: %w", signing.ErrKeyRefused, err)
	}
	// In words: that an attempt was too slow must not be taken for a time limit of the caller's.
	return fmt.Errorf("%w: AWS KMS: %v", signing.ErrKeyUnavailable, err)
}

// refusals are the answers of KMS that stay until somebody changes the key, its policy, the credentials or the
// configuration. All else is load, a fault of the service or the way to it.
var refusals = []string{
	"AccessDeniedException", "DisabledException", "KMSInvalidStateException", "NotFoundException", "InvalidKeyUsageException",
	"InvalidArnException", "InvalidGrantTokenException", "UnsupportedOperationException", "ValidationException", "ValidationError",
	"UnrecognizedClientException", "InvalidClientTokenId", "InvalidSignatureException", "SignatureDoesNotMatch", "IncompleteSignature",
	"MissingAuthenticationToken", "MissingAuthenticationTokenException", "OptInRequired", "NotAuthorized",
}

func lasting(err error) bool {
	var answer smithy.APIError
	if errors.As(err, &answer) {
		return slices.Contains(refusals, answer.ErrorCode())
	}
	// Not in the words of KMS: something on the way to it refuses, or stands in its place.
	var response *awshttp.ResponseError
	return errors.As(err, &response) && slices.Contains([]int{http.StatusUnauthorized, http.StatusForbidden, http.StatusNotFound}, response.HTTPStatusCode())
}
