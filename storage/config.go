package storage

import (
	"errors"
	"fmt"
	"net"
	"net/url"
	"regexp"
	"strings"
	"time"
)

// Config says where a bucket is and how it is reached.
type Config struct {
	Endpoint       string        // address of the S3 service, "https://s3.example.org"; empty: Amazon's of the region
	PublicEndpoint string        // address under which browsers reach it, for presigned addresses; Endpoint when empty
	Region         string        // such as "eu-west-1"; many servers other than Amazon's want "us-east-1"
	Bucket         string        //
	AccessKey      string        //
	SecretKey      string        //
	PathStyle      bool          // endpoint/bucket/key instead of bucket.endpoint/key
	Timeout        time.Duration // of one call, all its tries together; 20 s when 0
	MaxObject      int64         // largest object that is written or read, in bytes; 64 MiB when 0
}

const (
	defaultTimeout   = 20 * time.Second
	defaultMaxObject = 64 << 20
)

// ConfigError is one fault of a [Config].
type ConfigError struct {
	Field  string // name of the field
	Detail string // what would be right; never a secret
}

func (e *ConfigError) Error() string { return e.Field + " " + e.Detail }

var bucketName = regexp.MustCompile(`^[a-z0-9][a-z0-9.-]{1,61}[a-z0-9]$`)

// validate returns every fault at once, as joined [*ConfigError]s.
func (c Config) validate() error {
	var faults []error
	fault := func(field, format string, args ...any) {
		faults = append(faults, &ConfigError{field, fmt.Sprintf(format, args...)})
	}
	for _, e := range []struct{ field, value string }{{"Endpoint", c.Endpoint}, {"PublicEndpoint", c.PublicEndpoint}} {
		if e.value == "" {
			continue
		}
		u, err := url.Parse(e.value)
		switch {
		case err != nil || u.Scheme != "http" && u.Scheme != "https" || u.Hostname() == "":
			fault(e.field, "must be an address such as https://s3.example.org")
		case u.User != nil:
			fault(e.field, "must not hold a user or password")
		case strings.Trim(u.Path, "/") != "" || u.RawQuery != "" || u.Fragment != "":
			fault(e.field, "must be only scheme, host and port")
		case !c.PathStyle && net.ParseIP(u.Hostname()) != nil:
			fault(e.field, "is an IP address, to which a bucket cannot be prefixed: use path style or a name")
		}
	}
	if c.Region == "" {
		fault("Region", "is missing; most servers other than Amazon's want us-east-1")
	}
	if !bucketName.MatchString(c.Bucket) || strings.Contains(c.Bucket, "..") {
		fault("Bucket", "must be 3 to 63 lower-case letters, digits, hyphens or points")
	}
	if c.AccessKey == "" {
		fault("AccessKey", "is missing")
	}
	if c.SecretKey == "" {
		fault("SecretKey", "is missing")
	}
	if c.Timeout < 0 || c.Timeout > 0 && c.Timeout < 100*time.Millisecond {
		fault("Timeout", "must be at least 100 ms")
	}
	if c.MaxObject < 0 {
		fault("MaxObject", "must not be negative")
	}
	return errors.Join(faults...)
}
