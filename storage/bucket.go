package storage

import (
	"bytes"
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"iter"
	"net"
	"net/http"
	"strings"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/aws/retry"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/aws/aws-sdk-go-v2/service/s3/types"
	"github.com/aws/smithy-go/logging"
)

// Bucket is one bucket of an S3 service.
type Bucket struct {
	client    *s3.Client
	presigner *s3.PresignClient
	transport *http.Transport
	name      string
	region    string
	timeout   time.Duration
	maxObject int64
	pageSize  int32 // of listings
}

// maxTries is how often a call is tried in all, within its timeout.
const maxTries = 4

// Open returns the bucket of a configuration, without touching the network; [Bucket.Ping] does. The error joins every
// [*ConfigError].
func Open(ctx context.Context, c Config) (*Bucket, error) {
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	if err := c.validate(); err != nil {
		return nil, fmt.Errorf("storage: the configuration is not usable: %w", err)
	}
	if c.Timeout == 0 {
		c.Timeout = defaultTimeout
	}
	if c.MaxObject == 0 {
		c.MaxObject = defaultMaxObject
	}
	transport := &http.Transport{
		Proxy:       http.ProxyFromEnvironment,
		DialContext: (&net.Dialer{Timeout: 3 * time.Second, KeepAlive: 30 * time.Second}).DialContext,
		// One connection per call in flight, kept: a new one costs more than the small objects that we move.
		MaxIdleConns:          256,
		MaxIdleConnsPerHost:   256,
		IdleConnTimeout:       60 * time.Second,
		TLSHandshakeTimeout:   5 * time.Second,
		TLSClientConfig:       &tls.Config{MinVersion: tls.VersionTLS12},
		ResponseHeaderTimeout: max(c.Timeout/2, 100*time.Millisecond), // leaves room for a second try
		// A PDF hardly shrinks, and a length that is not the object's could not be checked.
		DisableCompression: true,
	}
	client := s3.New(s3.Options{
		Region:       c.Region,
		BaseEndpoint: endpoint(c.Endpoint),
		UsePathStyle: c.PathStyle,
		Credentials:  aws.CredentialsProviderFunc(func(context.Context) (aws.Credentials, error) { return c.credentials(), nil }),
		HTTPClient: &http.Client{Transport: transport, CheckRedirect: func(*http.Request, []*http.Request) error {
			return http.ErrUseLastResponse // a redirect means a wrong region or endpoint, and would carry a signature elsewhere
		}},
		Logger:                       logging.Nop{}, // the SDK's log lines hold keys
		ContinueHeaderThresholdBytes: -1,            // "Expect: 100-continue" is answered late or never by some servers
		// The SDK's default, a CRC32 trailer in aws-chunked encoding, is refused by servers older than 2025. The x-amz-content-sha256
		// of Signature Version 4 already covers the whole body, is sent by us as one SHA-256 of it, and every server must check it.
		RequestChecksumCalculation: aws.RequestChecksumCalculationWhenRequired,
		ResponseChecksumValidation: aws.ResponseChecksumValidationWhenRequired,
		Retryer: retry.NewStandard(func(o *retry.StandardOptions) {
			o.MaxAttempts = maxTries
			o.MaxBackoff = time.Second
			o.Retryables = append(o.Retryables, retry.RetryableErrorCode{Codes: map[string]struct{}{
				"ConditionalRequestConflict": {}, // 409: another conditional write was under way
				"OperationAborted":           {},
				"ExistingObjectIsDirectory":  {}, // versitygw: the folder went with its last object as we wrote; no key of ours is a folder
			}}, retry.RetryableHTTPStatusCode{Codes: map[int]struct{}{http.StatusTooManyRequests: {}}})
		}),
	})
	public := client
	if c.PublicEndpoint != "" {
		public = s3.New(client.Options(), func(o *s3.Options) { o.BaseEndpoint = endpoint(c.PublicEndpoint) })
	}
	return &Bucket{
		client: client, presigner: s3.NewPresignClient(public), transport: transport,
		name: c.Bucket, region: c.Region, timeout: c.Timeout, maxObject: c.MaxObject, pageSize: 1000,
	}, nil
}

func endpoint(address string) *string {
	if address == "" {
		return nil
	}
	return aws.String(strings.TrimRight(address, "/"))
}

func (c Config) credentials() aws.Credentials {
	return aws.Credentials{AccessKeyID: c.AccessKey, SecretAccessKey: c.SecretKey, Source: "configuration"}
}

// Close drops idle connections. The bucket can still be used.
func (b *Bucket) Close() { b.transport.CloseIdleConnections() }

// Create writes an object that must not exist, and returns its ETag. [ErrExists] when the key is taken — also when an
// earlier try of this very call may have taken it, see "A lost reply".
func (b *Bucket) Create(ctx context.Context, key string, body []byte, p Put) (etag string, err error) {
	return b.put(ctx, "create", key, body, p, condition{absent: true})
}

// Write writes an object whatever is there. It is for objects whose content follows from their key, where the last of
// two writers may win.
func (b *Bucket) Write(ctx context.Context, key string, body []byte, p Put) (etag string, err error) {
	return b.put(ctx, "write", key, body, p, condition{})
}

// Replace writes an object only if the one there has this ETag, and returns the new ETag. [ErrChanged] when it is another
// one by now or gone — also when an earlier try of this very call may have changed it, see "A lost reply".
// On many servers an ETag is a digest of the content: going back to an earlier content brings its ETag back.
func (b *Bucket) Replace(ctx context.Context, key, etag string, body []byte, p Put) (newETag string, err error) {
	// Without an ETag the write would be unconditional; "*" would accept any object.
	if etag == "" || etag == "*" {
		return "", errors.New("storage: replace needs the ETag of the object that it replaces")
	}
	return b.put(ctx, "replace", key, body, p, condition{etag: etag})
}

// condition is what must hold for a write.
type condition struct {
	absent bool
	etag   string
	once   bool // no second try, so that a refusal is never our own doing; for Prove
}

func (b *Bucket) put(ctx context.Context, op, key string, body []byte, p Put, c condition) (string, error) {
	if err := CheckKey(key); err != nil {
		return "", err
	}
	if err := p.Check(); err != nil {
		return "", err
	}
	if int64(len(body)) > b.maxObject {
		return "", fmt.Errorf("storage: %s: the object has %d bytes, at most %d are allowed", op, len(body), b.maxObject)
	}
	in := &s3.PutObjectInput{
		Bucket: &b.name, Key: &key, Body: bytes.NewReader(body), ContentLength: aws.Int64(int64(len(body))),
		ContentType: aws.String("application/octet-stream"), Metadata: p.Metadata,
	}
	if p.ContentType != "" {
		in.ContentType = &p.ContentType
	}
	precondition := ErrChanged
	switch {
	case c.absent:
		in.IfNoneMatch, precondition = aws.String("*"), ErrExists
	case c.etag != "":
		in.IfMatch = &c.etag
	}
	limited, cancel := context.WithTimeout(ctx, b.timeout)
	defer cancel()
	out, err := b.client.PutObject(limited, in, func(o *s3.Options) {
		if c.once {
			o.Retryer = aws.NopRetryer{}
		}
	})
	if err != nil {
		err = failure(ctx, op, err, precondition)
		if c.etag != "" && errors.Is(err, ErrNotFound) {
			f := *err.(*Failure)
			f.sentinel = ErrChanged // Amazon answers 404 to If-Match on nothing
			err = &f
		}
		return "", err
	}
	if aws.ToString(out.ETag) == "" {
		return "", fmt.Errorf("storage: %s: the server gave no ETag", op)
	}
	return *out.ETag, nil
}

// Get reads an object. [ErrNotFound] when there is none. What comes is as long as was announced, or it is an error; an
// object larger than MaxObject is an error.
func (b *Bucket) Get(ctx context.Context, key string) (Object, error) {
	if err := CheckKey(key); err != nil {
		return Object{}, err
	}
	limited, cancel := context.WithTimeout(ctx, b.timeout)
	defer cancel()
	for try := 1; ; try++ {
		object, err := b.get(limited, key)
		// The SDK tries again until the header is there; a body that breaks off is ours to fetch again.
		if cut := (*cutOff)(nil); errors.As(err, &cut) && try < maxTries && limited.Err() == nil {
			continue
		}
		if size := (*tooLarge)(nil); errors.As(err, &size) {
			return Object{}, fmt.Errorf("storage: get: %w", err)
		}
		return object, failure(ctx, "get", err, nil)
	}
}

type tooLarge struct{ size, most int64 }

func (t *tooLarge) Error() string {
	return fmt.Sprintf("the object has %d bytes, at most %d are allowed", t.size, t.most)
}

func (b *Bucket) get(ctx context.Context, key string) (Object, error) {
	out, err := b.client.GetObject(ctx, &s3.GetObjectInput{Bucket: &b.name, Key: &key})
	if err != nil {
		return Object{}, err
	}
	defer out.Body.Close()
	if out.ContentLength == nil || *out.ContentLength < 0 {
		return Object{}, &cutOff{errors.New("no length was announced")}
	}
	size := *out.ContentLength
	if size > b.maxObject {
		return Object{}, &tooLarge{size, b.maxObject}
	}
	body := make([]byte, size)
	if _, err := io.ReadFull(out.Body, body); err != nil {
		return Object{}, &cutOff{err}
	}
	// Reading to the end gives the connection back, and shows what is more than announced.
	if n, err := io.Copy(io.Discard, io.LimitReader(out.Body, 1)); n != 0 || err != nil {
		return Object{}, &cutOff{errors.New("more than was announced")}
	}
	return Object{
		Info: Info{Key: key, ETag: aws.ToString(out.ETag), Size: size, LastModified: aws.ToTime(out.LastModified), Metadata: lower(out.Metadata)},
		Body: body,
	}, nil
}

// lower makes the names of metadata lower case, as they were written; some servers send them capitalised.
func lower(metadata map[string]string) map[string]string {
	out := make(map[string]string, len(metadata))
	for name, value := range metadata {
		out[strings.ToLower(name)] = value
	}
	return out
}

// Head returns what is known of an object without its content. [ErrNotFound] when there is none; that costs a second
// request, as an answer to HEAD has no body in which to say whether it is the object that is missing, the bucket, or
// (versitygw) the account.
func (b *Bucket) Head(ctx context.Context, key string) (Info, error) {
	if err := CheckKey(key); err != nil {
		return Info{}, err
	}
	limited, cancel := context.WithTimeout(ctx, b.timeout)
	defer cancel()
	out, err := b.client.HeadObject(limited, &s3.HeadObjectInput{Bucket: &b.name, Key: &key})
	if err != nil {
		err = failure(ctx, "head", err, nil)
		if f := (*Failure)(nil); !errors.As(err, &f) || f.Status != http.StatusNotFound {
			return Info{}, err
		}
		object, err := b.get(limited, key)
		if big := (*tooLarge)(nil); errors.As(err, &big) {
			err = &cutOff{err} // it came into being just now: let the caller look again
		}
		return object.Info, failure(ctx, "head", err, nil)
	}
	return Info{Key: key, ETag: aws.ToString(out.ETag), Size: aws.ToInt64(out.ContentLength),
		LastModified: aws.ToTime(out.LastModified), Metadata: lower(out.Metadata)}, nil
}

// Delete removes an object. That it is gone already is success. It is never conditional: few servers keep that promise.
func (b *Bucket) Delete(ctx context.Context, key string) error {
	if err := CheckKey(key); err != nil {
		return err
	}
	limited, cancel := context.WithTimeout(ctx, b.timeout)
	defer cancel()
	_, err := b.client.DeleteObject(limited, &s3.DeleteObjectInput{Bucket: &b.name, Key: &key})
	if err = failure(ctx, "delete", err, nil); errors.Is(err, ErrNotFound) {
		return nil
	}
	return err
}

// DeleteVersions removes what a bucket with versions still keeps of an object besides its present content: everything
// that was replaced or deleted. On a bucket without versions it changes nothing. Nothing that was there before the call
// can be read after it; it is repeated until it succeeds. A key that ends in "/" stands for everything below it.
func (b *Bucket) DeleteVersions(ctx context.Context, key string) error {
	if err := CheckKey(strings.TrimSuffix(key, "/")); err != nil {
		return err
	}
	meant := func(other string) bool {
		return other == key || strings.HasSuffix(key, "/") && strings.HasPrefix(other, key)
	}
	input := &s3.ListObjectVersionsInput{Bucket: &b.name, Prefix: &key}
	for {
		limited, cancel := context.WithTimeout(ctx, b.timeout)
		page, err := b.client.ListObjectVersions(limited, input)
		cancel()
		if err = failure(ctx, "list versions", err, nil); errors.Is(err, ErrNotFound) {
			return nil
		} else if err != nil {
			return err
		}
		for _, v := range page.Versions {
			if other := aws.ToString(v.Key); meant(other) && !aws.ToBool(v.IsLatest) {
				if err := b.deleteVersion(ctx, other, v.VersionId); err != nil {
					return err
				}
			}
		}
		// A prefix lists longer keys too, and they come after the key itself.
		if next := aws.ToString(page.NextKeyMarker); !aws.ToBool(page.IsTruncated) || next > key && !meant(next) {
			return nil
		}
		input.KeyMarker, input.VersionIdMarker = page.NextKeyMarker, page.NextVersionIdMarker
	}
}

func (b *Bucket) deleteVersion(ctx context.Context, key string, version *string) error {
	limited, cancel := context.WithTimeout(ctx, b.timeout)
	defer cancel()
	_, err := b.client.DeleteObject(limited, &s3.DeleteObjectInput{Bucket: &b.name, Key: &key, VersionId: version})
	if err = failure(ctx, "delete a version", err, nil); errors.Is(err, ErrNotFound) {
		return nil
	}
	return err
}

// List yields the objects whose keys begin with prefix and come strictly after the key after (both may be empty), in
// ascending order of their bytes. Pages are fetched as they are needed; what is written meanwhile may or may not appear.
// An error ends the sequence.
func (b *Bucket) List(ctx context.Context, prefix, after string) iter.Seq2[Info, error] {
	return func(yield func(Info, error) bool) {
		last := after
		for page, err := range b.pages(ctx, "list", prefix, after, "") {
			if err != nil {
				yield(Info{}, err)
				return
			}
			for _, object := range page.Contents {
				key := aws.ToString(object.Key)
				if key == after && last == after {
					continue // some servers count the start itself in
				}
				if key <= last || !strings.HasPrefix(key, prefix) {
					yield(Info{}, errors.New("storage: list: the server does not list keys in ascending order"))
					return
				}
				last = key
				if !yield(Info{Key: key, ETag: aws.ToString(object.ETag), Size: aws.ToInt64(object.Size),
					LastModified: aws.ToTime(object.LastModified)}, nil) {
					return
				}
			}
		}
	}
}

// Folders yields what comes next after prefix up to a slash, slash included, each once and in ascending order: of
// requests/2026/, the months. Objects directly under prefix are not among them.
func (b *Bucket) Folders(ctx context.Context, prefix string) iter.Seq2[string, error] {
	return func(yield func(string, error) bool) {
		last := ""
		for page, err := range b.pages(ctx, "list folders", prefix, "", "/") {
			if err != nil {
				yield("", err)
				return
			}
			for _, folder := range page.CommonPrefixes {
				name := aws.ToString(folder.Prefix)
				if name <= last || !strings.HasPrefix(name, prefix) {
					yield("", errors.New("storage: list folders: the server does not list folders in ascending order"))
					return
				}
				last = name
				if !yield(name, nil) {
					return
				}
			}
		}
	}
}

func (b *Bucket) pages(ctx context.Context, op, prefix, after, delimiter string) iter.Seq2[*s3.ListObjectsV2Output, error] {
	return func(yield func(*s3.ListObjectsV2Output, error) bool) {
		in := &s3.ListObjectsV2Input{Bucket: &b.name, MaxKeys: &b.pageSize}
		for _, field := range []struct {
			to    **string
			value string
		}{{&in.Prefix, prefix}, {&in.StartAfter, after}, {&in.Delimiter, delimiter}} {
			if field.value != "" {
				*field.to = aws.String(field.value)
			}
		}
		for {
			limited, cancel := context.WithTimeout(ctx, b.timeout)
			page, err := b.client.ListObjectsV2(limited, in)
			cancel()
			if err != nil {
				yield(nil, failure(ctx, op, err, nil))
				return
			}
			if !yield(page, nil) || !aws.ToBool(page.IsTruncated) {
				return
			}
			next := aws.ToString(page.NextContinuationToken)
			if next == "" || next == aws.ToString(in.ContinuationToken) {
				yield(nil, fmt.Errorf("storage: %s: the server says that there is more, but not where", op))
				return
			}
			in.ContinuationToken = &next
			in.StartAfter = nil // the token says where
		}
	}
}

// Presign returns an address under the public endpoint by which anyone can fetch an object for a while, from 1 s to
// [MaxPresign]. It does not look whether the object exists, and does not touch the network. The address is a secret.
func (b *Bucket) Presign(ctx context.Context, key string, expires time.Duration, d Download) (string, error) {
	if err := CheckKey(key); err != nil {
		return "", err
	}
	if err := d.Check(expires); err != nil {
		return "", err
	}
	in := &s3.GetObjectInput{
		Bucket: &b.name, Key: &key,
		ResponseContentDisposition: aws.String(d.Disposition()),
		ResponseCacheControl:       aws.String("private, no-store"), // a shared computer must not keep it
	}
	if d.ContentType != "" {
		in.ResponseContentType = &d.ContentType
	}
	out, err := b.presigner.PresignGetObject(ctx, in, s3.WithPresignExpires(expires))
	if err != nil {
		return "", failure(ctx, "presign", err, nil)
	}
	return out.URL, nil
}

// Ping asks the server whether the bucket is there and ours. A missing bucket is [ErrNotFound]
// (versitygw says the same of an unknown access key).
func (b *Bucket) Ping(ctx context.Context) error {
	limited, cancel := context.WithTimeout(ctx, b.timeout)
	defer cancel()
	_, err := b.client.HeadBucket(limited, &s3.HeadBucketInput{Bucket: &b.name})
	err = failure(ctx, "reach the bucket", err, nil)
	if f := (*Failure)(nil); errors.As(err, &f) && f.Status == http.StatusNotFound {
		f.sentinel = ErrNotFound
	}
	return err
}

// MakeBucket creates the bucket, for sandbox and tests. That it exists and is ours is success.
func (b *Bucket) MakeBucket(ctx context.Context) error {
	limited, cancel := context.WithTimeout(ctx, b.timeout)
	defer cancel()
	in := &s3.CreateBucketInput{Bucket: &b.name}
	if b.region != "us-east-1" { // the one region that must not be named
		in.CreateBucketConfiguration = &types.CreateBucketConfiguration{LocationConstraint: types.BucketLocationConstraint(b.region)}
	}
	_, err := b.client.CreateBucket(limited, in)
	var ours *types.BucketAlreadyOwnedByYou
	var taken *types.BucketAlreadyExists
	switch {
	case errors.As(err, &ours):
		return nil
	case errors.As(err, &taken):
		return b.Ping(ctx) // some servers say this of our own bucket too
	}
	return failure(ctx, "make the bucket", err, nil)
}
