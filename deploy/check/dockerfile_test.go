package check

import (
	"bytes"
	"context"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/moby/buildkit/client/llb/sourceresolver"
	"github.com/moby/buildkit/frontend/dockerfile/dockerfile2llb"
	"github.com/moby/buildkit/frontend/dockerfile/instructions"
	"github.com/moby/buildkit/frontend/dockerfile/parser"
	"github.com/opencontainers/go-digest"
)

func dockerfile(t *testing.T) []byte {
	t.Helper()
	text, err := os.ReadFile(filepath.Join(root, "Dockerfile"))
	if err != nil {
		t.Fatal(err)
	}
	return text
}

// noRegistry answers for every base image that it is empty, so that BuildKit can
// plan a build without a network.
type noRegistry struct{ asked []string }

func (r *noRegistry) ResolveImageConfig(_ context.Context, ref string, _ sourceresolver.Opt) (string, digest.Digest, []byte, error) {
	r.asked = append(r.asked, ref)
	config := []byte(`{"architecture":"amd64","os":"linux","rootfs":{"type":"layers"},"config":{"Env":["PATH=/usr/local/go/bin:/usr/bin:/bin"]}}`)
	return ref, digest.FromBytes(config), config, nil
}

// lint plans the build of every stage and gives the warnings that `docker build
// --check` would.
func lint(t *testing.T, text []byte) (warnings, images []string, err error) {
	t.Helper()
	registry := &noRegistry{}
	_, err = dockerfile2llb.Dockerfile2LLB(t.Context(), text, dockerfile2llb.ConvertOpt{
		MetaResolver: registry,
		AllStages:    true,
		Warn: func(rule, _, _, detail string, _ []parser.Range) {
			warnings = append(warnings, rule+": "+detail)
		},
	})
	return warnings, registry.asked, err
}

func TestDockerfilePassesBuildKitsChecks(t *testing.T) {
	warnings, images, err := lint(t, dockerfile(t))
	if err != nil {
		t.Fatal(err)
	}
	for _, w := range warnings {
		t.Error(w)
	}
	if len(images) == 0 {
		t.Error("no base image was resolved: the build was not planned")
	}
	for _, image := range images {
		if !pinned.MatchString(image) {
			t.Errorf("the base image %s is not pinned", image)
		}
	}
}

func TestTheLintNoticesFaults(t *testing.T) {
	good := string(dockerfile(t))
	for name, change := range map[string][2]string{
		"an unknown instruction": {"ENTRYPOINT", "ENTRYPOIN"},
		"a stage that is none":   {"COPY --from=build /out/segell", "COPY --from=built: /out/segell"},
		"a shell form":           {`ENTRYPOINT ["/segell"]`, `ENTRYPOINT /segell`},
		"two entry points":       {`CMD ["serve"]`, "CMD [\"serve\"]\nENTRYPOINT [\"/other\"]"},
		"a secret":               {"ENV SEGELL_LISTEN", "ENV SEGELL_SEAL_PASSWORD=x SEGELL_LISTEN"},
	} {
		bad := strings.Replace(good, change[0], change[1], 1)
		if bad == good {
			t.Fatalf("%s: the test changes nothing", name)
		}
		if warnings, _, err := lint(t, []byte(bad)); err == nil && len(warnings) == 0 {
			t.Errorf("%s is not noticed", name)
		}
	}
}

func TestTheImageRunsAsNobodyWithNothingButTheProgram(t *testing.T) {
	ast, err := parser.Parse(bytes.NewReader(dockerfile(t)))
	if err != nil {
		t.Fatal(err)
	}
	stages, _, err := instructions.Parse(ast.AST, nil)
	if err != nil {
		t.Fatal(err)
	}
	last := stages[len(stages)-1]
	if last.BaseName != "scratch" {
		t.Errorf("the image stands on %s", last.BaseName)
	}
	user, health, certificates := "", false, false
	for _, command := range last.Commands {
		switch c := command.(type) {
		case *instructions.UserCommand:
			user = c.User
		case *instructions.HealthCheckCommand:
			health = slices.Equal(c.Health.Test, []string{"CMD", "/segell", "health"})
		case *instructions.CopyCommand:
			certificates = certificates || strings.HasSuffix(c.DestPath, "ca-certificates.crt")
		}
	}
	if user != "65532:65532" || !health || !certificates {
		t.Errorf("user %q, health check %v, certificates %v", user, health, certificates)
	}
}

// TestToolchainOfTheImageIsThatOfTheModule keeps the Dockerfile and go.mod in step.
func TestToolchainOfTheImageIsThatOfTheModule(t *testing.T) {
	text, err := os.ReadFile(filepath.Join(root, "go.mod"))
	if err != nil {
		t.Fatal(err)
	}
	_, rest, ok := strings.Cut(string(text), "\ntoolchain go")
	version, _, _ := strings.Cut(rest, "\n")
	if !ok || !strings.Contains(string(dockerfile(t)), "FROM golang:"+version+"-") {
		t.Errorf("go.mod asks for Go %q", version)
	}
}
