package main

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"math"
	"os"
	"reflect"
	"slices"
	"strings"
	"time"

	"segell/cmd/internal/press"
	"segell/ledger"
	"segell/queue"
	"segell/signing"
	"segell/storage"
	"segell/worker"
)

func isAway(err error) bool { return errors.Is(err, queue.ErrAway) }

func (s *Settings) redis(f *faults, parts *press.Parts) {
	if !f.require("SEGELL_REDIS_URL", s.RedisURL, "the address of Redis, such as redis://127.0.0.1:6379/0") {
		return
	}
	client, err := queue.Open(s.RedisURL)
	if err != nil {
		f.add("SEGELL_REDIS_URL", "%v", err)
		return
	}
	parts.Redis = client
}

// bucketFault names the setting that is most likely wrong where the bucket
// cannot be used.
func (s *Settings) bucketFault(err error) string {
	switch {
	case noSuchBucket(err):
		return fmt.Sprintf("SEGELL_S3_BUCKET: there is no bucket %q at %s that these keys can see: make it first", s.S3Bucket, withoutPasswords(s.S3Endpoint))
	case errors.Is(err, storage.ErrDenied):
		return fmt.Sprintf("SEGELL_S3_ACCESS_KEY, SEGELL_S3_SECRET_KEY: %s refuses them for the bucket %q (%v)", withoutPasswords(s.S3Endpoint), s.S3Bucket, err)
	case errors.Is(err, storage.ErrUnfit):
		return fmt.Sprintf("SEGELL_S3_BUCKET: the bucket %q cannot be the ledger: %v", s.S3Bucket, err)
	}
	return fmt.Sprintf("SEGELL_S3_ENDPOINT: %s does not serve the bucket %q (%v)", withoutPasswords(s.S3Endpoint), s.S3Bucket, err)
}

// noSuchBucket tells a store that answers, without the bucket, from one that is
// away.
func noSuchBucket(err error) bool {
	var failure *storage.Failure
	return errors.As(err, &failure) && failure.Code == "NoSuchBucket"
}

// strangeVariables are the names in environ that begin like a setting's and are
// none, sorted: SEGELL_RETENTON would else be no setting in silence.
func strangeVariables(environ []string) (strange []string) {
	settings := map[string]bool{}
	kind := reflect.TypeFor[Settings]()
	for i := range kind.NumField() {
		if variable := kind.Field(i).Tag.Get("env"); strings.HasSuffix(variable, "_FILE") {
			settings[variable] = true
		} else if variable != "" {
			settings[variable], settings[variable+"_FILE"] = true, true
		}
	}
	for _, entry := range environ {
		name, _, _ := strings.Cut(entry, "=")
		if strings.HasPrefix(name, "SEGELL_") && !settings[name] && !ofKubernetes(name) {
			strange = append(strange, name)
		}
	}
	slices.Sort(strange)
	return strange
}

// ofKubernetes tells the variables that Kubernetes gives every container where a
// service is named segell.
func ofKubernetes(name string) bool {
	return strings.HasPrefix(name, "SEGELL_SERVICE_") || name == "SEGELL_PORT" || strings.HasPrefix(name, "SEGELL_PORT_")
}

// checkCmd proves everything that a running Segell depends on.
type checkCmd struct{}

// checked is one line of the answer.
type checked struct {
	What   string `json:"what"`
	Result string `json:"result"` // ok, warning, failed
	Detail string `json:"detail"`
}

func (checkCmd) Run(s *Settings, out *output) error {
	ctx, cancel := context.WithTimeout(background(), 2*time.Minute)
	defer cancel()
	var results []checked
	add := func(what, result, format string, args ...any) {
		results = append(results, checked{what, result, fmt.Sprintf(format, args...)})
	}
	f := s.faults(groupsOf["check"]...)
	var parts press.Parts
	s.logLevel(f)
	s.listeners(f, roles{doors: true, console: s.ConsoleListen != ""})
	bucket := s.bucket(f)
	keyset, hmacKey := s.keys(f)
	s.publicURL(f)
	s.logo(f)
	callbacks := s.callbacks(f)
	gate := s.access(f)
	s.concurrency(f)
	s.tls(f)
	s.renewWithin(f)
	s.renewRate(f)
	s.upkeepEvery(f)
	s.reconcileEvery(f)
	s.retention(f)
	s.nice(f)
	s.language(f)
	s.shutdownWithin(f)
	s.mostUnfinished(f)
	s.auditHeads(f)
	staffed := s.console(f)
	s.consoleTLS(f)
	seal := s.sealing(f)
	s.redis(f, &parts)
	for _, fault := range f.all {
		add("configuration", "failed", "%s %s", fault.Variable, fault.Detail)
	}
	if len(f.all) == 0 {
		add("configuration", "ok", "every setting can be used")
	}
	for _, name := range strangeVariables(os.Environ()) {
		add("configuration", "warning", "%s is no setting and is passed over: is it misspelled?", name)
	}
	for _, client := range strangers(callbacks, gate.Clients) {
		add("callbacks", "warning", "SEGELL_CALLBACKS names the client %q, which SEGELL_API_TOKENS does not know: it is never told anything", client)
	}

	if parts.Redis != nil {
		server, err := queue.Check(ctx, parts.Redis)
		switch {
		case err != nil:
			add("redis", "failed", "SEGELL_REDIS_URL: %v", err)
		case !server.AOF:
			add("redis", "warning", "version %s, %s; it keeps nothing on disk (set appendonly yes): after a restart the reconciler enqueues everything again", server.Version, server.Policy)
		default:
			add("redis", "ok", "version %s, %s, append-only file on", server.Version, server.Policy)
		}
		if err == nil && server.MaxMemory == 0 {
			add("redis", "warning", "maxmemory is not set: a full machine ends Redis instead of refusing writes")
		}
		parts.Redis.Close()
	}
	if gate.Issuer != nil {
		if err := gate.Issuer.Prepare(ctx); err != nil {
			add("issuer of access tokens", "warning", "SEGELL_OIDC_ISSUER: %v; calls with its tokens get 503 until it answers", err)
		} else {
			add("issuer of access tokens", "ok", "its keys were read")
		}
	}
	checkConsole(ctx, s, staffed, add)
	if bucket != nil {
		proof, err := storage.Prove(ctx, bucket)
		for _, c := range proof.Properties {
			if c.OK {
				add("bucket: "+c.Name, "ok", "%s", c.Detail)
			} else {
				add("bucket: "+c.Name, "failed", "%s", c.Detail)
			}
		}
		if err != nil && proof.OK() || err != nil && len(proof.Properties) == 0 {
			add("bucket", "failed", "%s", s.bucketFault(err)) // it could not be tried to the end
		} else {
			s.checkClock(ctx, add)
			if keyset != nil && hmacKey != nil {
				checkOwnKeys(ctx, ledger.Config{Objects: bucket, Keyset: keyset, HMACKey: hmacKey, Now: time.Now, Random: rand.Reader}, add)
			}
		}
	}
	if seal != nil {
		certificate := seal.highest.Certificate()
		days := int(math.Floor(worker.DaysLeft(certificate.NotAfter, time.Now())))
		if days < worker.WarnDays {
			add("seal certificate", "warning", "%s; %d days left: order the next one now (docs/sealing.md, A new key)", certificate.Subject.CommonName, days)
		} else {
			add("seal certificate", "ok", "%s; %d days left", certificate.Subject.CommonName, days)
		}
		s.checkSeal(ctx, add)
		_ = seal.Close()
	}

	rows, wrong := [][]string{}, 0
	for _, r := range results {
		if r.Result == "failed" {
			wrong++
		}
		rows = append(rows, []string{r.Result, r.What, r.Detail})
	}
	var err error
	if out.json {
		err = out.encode(results)
	} else {
		err = out.table(nil, rows)
		verdict := "Segell can run."
		if wrong == 1 {
			verdict = "Segell cannot run: one check failed."
		} else if wrong > 1 {
			verdict = fmt.Sprintf("Segell cannot run: %d checks failed.", wrong)
		}
		fmt.Fprintln(out.w, "\n"+verdict)
	}
	if err == nil && wrong > 0 {
		err = failed
	}
	return err
}

// checkOwnKeys compares the keys with those of the bucket, and writes nothing.
func checkOwnKeys(ctx context.Context, c ledger.Config, add func(what, result, format string, args ...any)) {
	l, err := ledger.New(c)
	var missing []string
	if err == nil {
		missing, err = l.CompareKeys(ctx)
	}
	switch {
	case err != nil:
		add("keys of the ledger", "failed", "SEGELL_LEDGER_KEYSET, SEGELL_LEDGER_HMAC_KEY: %v", err)
	case len(missing) > 0:
		add("keys of the ledger", "warning", "the bucket knows %s of encryption that this keyset does not hold (%s): what was written with them has to wait",
			counted(len(missing), "key", "keys"), strings.Join(missing, ", "))
	default:
		add("keys of the ledger", "ok", "no others than those of the bucket")
	}
}

// checkSeal seals with each time-stamping authority alone: the first that
// answers would hide that the others do not.
func (s *Settings) checkSeal(ctx context.Context, add func(what, result, format string, args ...any)) {
	alone := []Settings{*s}
	if byDefault, byKind := s.sealLevels(&faults{}); highestOf(byDefault, byKind) != signing.BB {
		alone = alone[:0]
		for _, address := range s.tsaURLs() {
			one := *s
			one.TSAURLs = address
			alone = append(alone, one)
		}
	}
	for _, settings := range alone {
		what := "seal"
		if len(alone) > 1 {
			what += ", " + settings.TSAURLs
		}
		seal := settings.sealing(&faults{})
		if seal == nil {
			add(what, "failed", "the key could be used a moment ago, and no longer can")
			continue
		}
		sealer := seal.highest
		began := time.Now()
		switch sealed, err := sealer.Seal(ctx, probePDF); {
		case errors.Is(err, signing.ErrTSAUnavailable):
			add(what, "failed", "SEGELL_TSA_URLS: %v", err)
		case err != nil:
			add(what, "failed", "%v", err)
		default:
			add(what, "ok", "a document was sealed at level %s and passed inspection", sealer.Level())
			s.checkStampedTime(ctx, sealed, began, time.Now(), add)
		}
		_ = seal.Close() // tokens have few sessions
	}
}

// probePDF is sealed by check and thrown away: one empty page.
var probePDF = func() []byte {
	pdf := []byte("%PDF-1.7\n%\xe2\xe3\xcf\xd3\n")
	var at []int
	for _, object := range []string{
		"<< /Type /Catalog /Pages 2 0 R >>",
		"<< /Type /Pages /Kids [3 0 R] /Count 1 >>",
		"<< /Type /Page /Parent 2 0 R /MediaBox [0 0 595 842] /Resources << >> >>",
	} {
		at = append(at, len(pdf))
		pdf = fmt.Appendf(pdf, "%d 0 obj\n%s\nendobj\n", len(at), object)
	}
	start := len(pdf)
	pdf = append(pdf, "xref\n0 4\n0000000000 65535 f \n"...)
	for _, offset := range at {
		pdf = fmt.Appendf(pdf, "%010d 00000 n \n", offset)
	}
	return fmt.Appendf(pdf, "trailer\n<< /Size 4 /Root 1 0 R /ID [<00000000000000000000000000000000> <00000000000000000000000000000000>] >>\nstartxref\n%d\n%%%%EOF\n", start)
}()
