package check

import (
	"bytes"
	"context"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/compose-spec/compose-go/v2/loader"
	"github.com/compose-spec/compose-go/v2/types"
)

const root = "../.."

// asked are the variables an operator must give, with values such as his.
var asked = types.Mapping{
	"SEGELL_PUBLIC_URL":         "https://documents.example.ad",
	"SEGELL_CONSOLE_URL":        "https://console.example.ad",
	"SEGELL_S3_PUBLIC_ENDPOINT": "https://downloads.example.ad",
	"SEGELL_TSA_URLS":           "https://tsa.example.ad",
	"SEGELL_STORAGE_DEVICE":     "/dev/disk/by-label/segell",
}

// load reads docker-compose.yml as Compose does: schema, interpolation, merges,
// and that what is referred to exists.
func load(env types.Mapping) (*types.Project, error) {
	dir, err := filepath.Abs(root)
	if err != nil {
		return nil, err
	}
	return loader.LoadWithContext(context.Background(), types.ConfigDetails{
		WorkingDir:  dir,
		ConfigFiles: []types.ConfigFile{{Filename: filepath.Join(dir, "docker-compose.yml")}},
		Environment: maps.Clone(env), // the loader adds to it
	}, func(o *loader.Options) { o.SkipNormalization = false })
}

func project(t *testing.T) *types.Project {
	t.Helper()
	p, err := load(asked)
	if err != nil {
		t.Fatal(err)
	}
	return p
}

func TestComposeFitsTheSchema(t *testing.T) {
	p := project(t)
	if got := strings.Join(slices.Sorted(slices.Values(p.ServiceNames())), " "); got != "console intake redis storage storage-setup worker" {
		t.Errorf("services: %s", got)
	}
}

func TestTheCheckNoticesFaults(t *testing.T) {
	good, err := os.ReadFile(filepath.Join(root, "docker-compose.yml"))
	if err != nil {
		t.Fatal(err)
	}
	for name, change := range map[string][2]string{
		"an unknown key":     {"stop_grace_period: 60s", "stop_grace_time: 60s"},
		"a wrong type":       {"read_only: true", "read_only: perhaps"},
		"an unknown secret":  {"secrets: [redis_users]", "secrets: [redis_user]"},
		"an unknown network": {"networks: [inside, outside]", "networks: [inside, elsewhere]"},
		"an unknown volume":  {`volumes: ["redis:/data"]`, `volumes: ["rediss:/data"]`},
		"an unknown service": {"storage-setup: { condition", "storage-set: { condition"},
		"a wrong condition":  {"condition: service_healthy", "condition: service_happy"},
	} {
		bad := strings.Replace(string(good), change[0], change[1], 1)
		if bad == string(good) {
			t.Fatalf("%s: the test changes nothing", name)
		}
		_, err := loader.LoadWithContext(context.Background(), types.ConfigDetails{
			WorkingDir: root, ConfigFiles: []types.ConfigFile{{Filename: "bad.yml", Content: []byte(bad)}}, Environment: maps.Clone(asked),
		})
		if err == nil {
			t.Errorf("%s is not noticed", name)
		}
	}
}

func TestWhatAnOperatorMustGiveIsAskedFor(t *testing.T) {
	for name := range asked {
		env := types.Mapping{}
		for other, value := range asked {
			if other != name {
				env[other] = value
			}
		}
		if _, err := load(env); err == nil || !strings.Contains(err.Error(), name) {
			t.Errorf("without %s: %v", name, err)
		}
	}
}

var pinned = regexp.MustCompile(`:v?\d+\.\d+\.\d+(-[a-z]+)?(@sha256:[0-9a-f]{64})?$`)

func TestEveryServiceIsHardened(t *testing.T) {
	for name, s := range project(t).Services {
		fault := func(bad bool, what string) {
			if bad {
				t.Errorf("%s: %s", name, what)
			}
		}
		once := s.Restart == "no"
		fault(s.Build == nil && !pinned.MatchString(s.Image), "its image "+s.Image+" is not pinned")
		fault(!s.ReadOnly, "its root can be written to")
		fault(!slices.Contains(s.SecurityOpt, "no-new-privileges:true"), "it may gain privileges")
		fault(!slices.Equal(s.CapDrop, []string{"ALL"}), "it keeps capabilities")
		fault(len(s.CapAdd) > 0 && !once, "it adds capabilities")
		fault(s.Privileged, "it is privileged")
		fault(s.Restart != "unless-stopped" && !once, "it is not restarted")
		fault(!once && (s.HealthCheck == nil || s.HealthCheck.Disable || len(s.HealthCheck.Test) < 2), "it has no health check")
		fault(!once && s.StopGracePeriod == nil, "it has no time to end")
		fault(!once && s.MemLimit == 0, "its memory has no limit")
		fault(s.Logging == nil || s.Logging.Options["max-size"] == "", "its log grows without end")
		for _, p := range s.Ports {
			fault(p.HostIP != "127.0.0.1", "it publishes port "+p.Published+" beyond loopback")
		}
		for _, v := range s.Volumes {
			fault(strings.Contains(v.Source, "docker.sock"), "it reaches the Docker daemon")
		}
	}
}

func TestRedisCannotBeReachedFromOutside(t *testing.T) {
	p := project(t)
	redis := p.Services["redis"]
	if len(redis.Ports) > 0 || len(redis.Networks) != 1 || !bool(p.Networks["inside"].Internal) {
		t.Errorf("ports %v, networks %v, inside is internal: %v", redis.Ports, redis.NetworksByPriority(), p.Networks["inside"].Internal)
	}
	if _, ok := redis.Networks["inside"]; !ok {
		t.Error("redis is not inside")
	}
}

// The console has an account of Redis of its own, a port of its own, and neither
// the seal's key nor the portal's tokens.
func TestTheConsoleHasWhatItNeedsAndNoMore(t *testing.T) {
	s := project(t).Services["console"]
	for _, c := range s.Secrets {
		if slices.Contains([]string{"seal_p12", "seal_password", "api_tokens", "redis_url", "redis_users"}, c.Source) {
			t.Errorf("the console has the secret %s", c.Source)
		}
	}
	if len(s.Ports) != 1 || s.Ports[0].Published != "8082" || s.Ports[0].HostIP != "127.0.0.1" {
		t.Errorf("ports %+v", s.Ports)
	}
	made, err := os.ReadFile(filepath.Join(root, "deploy/make-secrets"))
	if err != nil {
		t.Fatal(err)
	}
	// TestTheAccountsOfRedisMayDoWhatTheirRolesDo, in cmd/internal/press, tries them.
	for _, user := range []string{"segell", "console", "health"} {
		if !regexp.MustCompile(`(?m)^user ` + user + ` on `).Match(made) {
			t.Errorf("deploy/make-secrets makes no account %s of Redis", user)
		}
	}
	for _, secret := range project(t).Secrets {
		name := filepath.Base(secret.File)
		if !bytes.Contains(made, []byte(name)) && !bytes.Contains(made, []byte(strings.TrimSuffix(name, ".json"))) {
			t.Errorf("deploy/make-secrets neither makes nor asks for %s", name)
		}
	}
}

// Every process writes the heads of the audit trail down, where the bucket is not.
func TestTheHeadsOfTheAuditTrailAreKeptOutsideTheBucket(t *testing.T) {
	p := project(t)
	for _, name := range []string{"intake", "worker", "console"} {
		s := p.Services[name]
		file := deref(s.Environment["SEGELL_AUDIT_HEADS_FILE"])
		if !slices.ContainsFunc(s.Volumes, func(v types.ServiceVolumeConfig) bool {
			return v.Source == "heads" && !v.ReadOnly && strings.HasPrefix(file, v.Target+"/")
		}) {
			t.Errorf("%s keeps the heads in %q, which is no volume of theirs", name, file)
		}
	}
	if text := string(dockerfile(t)); !strings.Contains(text, "--chown=65532:65532 /out/heads /heads") {
		t.Error("the image has no place of its account's for the volume of heads")
	}
}

func TestRedisKeepsWhatItAccepts(t *testing.T) {
	text, err := os.ReadFile(filepath.Join(root, "deploy/redis/redis.conf"))
	if err != nil {
		t.Fatal(err)
	}
	settings := map[string]string{}
	for line := range strings.Lines(string(text)) {
		if name, value, ok := strings.Cut(strings.TrimSpace(line), " "); ok && name != "#" {
			settings[name] = value
		}
	}
	for name, want := range map[string]string{"appendonly": "yes", "appendfsync": "always", "maxmemory-policy": "noeviction", "aclfile": "/run/secrets/redis_users"} {
		if settings[name] != want {
			t.Errorf("%s %q, want %q", name, settings[name], want)
		}
	}
	var limit int64
	if _, err := fmt.Sscanf(settings["maxmemory"], "%dmb", &limit); err != nil {
		t.Fatalf("maxmemory %q", settings["maxmemory"])
	}
	if container := int64(project(t).Services["redis"].MemLimit) / (1 << 20); limit*100 > container*75 {
		t.Errorf("maxmemory is %d of the container's %d MB: more than 75 %% leaves no room to rewrite the AOF", limit, container)
	}
}

// TestVariablesAreThoseOfTheProgram keeps the file and cmd/segell in step.
func TestVariablesAreThoseOfTheProgram(t *testing.T) {
	sources, err := filepath.Glob(filepath.Join(root, "cmd/segell/*.go"))
	if err != nil || len(sources) == 0 {
		t.Fatalf("no source of cmd/segell: %v", err)
	}
	known := map[string]bool{}
	tag := regexp.MustCompile(`env:"(SEGELL_[A-Z0-9_]+)"`)
	for _, path := range sources {
		text, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		for _, m := range tag.FindAllStringSubmatch(string(text), -1) {
			known[m[1]] = true
		}
	}
	if len(known) < 20 {
		t.Fatalf("only %d variables were found in cmd/segell", len(known))
	}
	p := project(t)
	for _, name := range []string{"intake", "worker", "console"} {
		s := p.Services[name]
		for variable, value := range s.Environment {
			if !known[variable] && !known[strings.TrimSuffix(variable, "_FILE")] {
				t.Errorf("%s: cmd/segell knows no %s", name, variable)
			}
			secret, mounted := strings.CutPrefix(deref(value), "/run/secrets/")
			if mounted && !slices.ContainsFunc(s.Secrets, func(c types.ServiceSecretConfig) bool { return c.Source == secret }) {
				t.Errorf("%s: %s names the secret %s, which is not mounted", name, variable, secret)
			}
			for _, word := range []string{"PASSWORD", "SECRET", "TOKENS", "KEYSET", "HMAC"} {
				if strings.Contains(variable, word) && !mounted {
					t.Errorf("%s: %s is a secret in the environment", name, variable)
				}
			}
		}
		for _, c := range s.Secrets {
			if !slices.ContainsFunc(environment(s), func(v string) bool { return v == "/run/secrets/"+c.Source }) {
				t.Errorf("%s: the secret %s is mounted, but not used", name, c.Source)
			}
		}
	}
}

func environment(s types.ServiceConfig) (values []string) {
	for _, value := range s.Environment {
		values = append(values, deref(value))
	}
	return values
}

func deref(s *string) string {
	if s == nil {
		return ""
	}
	return *s
}
