# Segell. `make` lists what can be done; `make sandbox` needs Go (1.21 or newer)
# and make alone, everything else gets what it needs by `make tools`.

.DEFAULT_GOAL := help
MAKEFLAGS += --no-print-directory

# go.mod names the toolchain; an older Go fetches it by itself, also where the
# environment says GOTOOLCHAIN=local.
export GOTOOLCHAIN := auto
export GOFLAGS := $(strip $(filter-out -buildvcs=%,$(shell cd / && go env GOFLAGS)) -buildvcs=false)

VERSION ?= $(shell git describe --tags --always --dirty 2>/dev/null)
SANDBOX_FLAGS ?=
TEST_FLAGS ?=
BENCH ?= .
FUZZTIME ?= 30s

bin := $(CURDIR)/.cache/bin
sources := find . -name '*.go' -not -path './.cache/*' -not -path './sandbox-data/*'
# Every module but tools, which is other people's programs only.
modules = $(patsubst %/go.mod,%,$(shell find . -name go.mod -not -path './.cache/*' -not -path './sandbox-data/*' -not -path './tools/*' -not -path '*/testdata/*'))
# $(call in_each,COMMAND): runs it in every module and stops at the first that fails.
in_each = @set -e; for module in $(modules); do echo "== $$module: $(1)"; (cd $$module && $(1)); done

.PHONY: help sandbox build test test-long conformance golden check bench tools packages

help: ## list what can be done
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "make %-10s %s\n", $$1, $$2 }' $(firstword $(MAKEFILE_LIST))

sandbox: ## try everything on this machine: issue the samples, then serve (SANDBOX_FLAGS="-once -dir DIR")
	@go run ./cmd/sandbox $(SANDBOX_FLAGS)

build: ## bin/segell, one static binary
	CGO_ENABLED=0 go build -trimpath -ldflags "-s -w -X main.version=$(VERSION)" -o bin/segell ./cmd/segell

test: tools check ## all that proves a change: formats, vets, lints, every test with the race detector and real servers
	$(call in_each,go test -race -timeout 15m $(TEST_FLAGS) ./...)

test-long: tools check ## test three times over in random order, then fuzz each target for FUZZTIME (30s)
	$(call in_each,go test -race -count 3 -shuffle on -timeout 90m $(TEST_FLAGS) ./...)
	@set -e; for module in $(modules); do cd $(CURDIR)/$$module; \
	  for package in $$(grep -rlE '^func Fuzz' --include='*_test.go' . | xargs -r -n1 dirname | sort -u); do \
	    for target in $$(go test -list '^Fuzz' $$package | grep '^Fuzz'); do \
	      echo "== $$module: fuzzing $$target in $$package"; \
	      go test -run '^$$' -fuzz "^$$target\$$" -fuzztime $(FUZZTIME) -fuzzminimizetime 1x $$package; \
	    done; \
	  done; \
	done

conformance: tools ## every issued document before veraPDF, qpdf, pdfsig and two readers of text: a line per document and judge
	go test -count 1 -timeout 20m -v ./conformance

golden: packages ## renew the pictures that pages are compared with; look at them before you commit
	SEGELL_RENEW_PICTURES=1 go test -count 1 -run PagesLook ./conformance

# Formats, vets and lints; a part of test.
check: $(bin)/staticcheck
	@unformatted=$$("$$(go env GOROOT)/bin/gofmt" -l $$($(sources))); if [ -n "$$unformatted" ]; then echo "gofmt -w is needed for:"; echo "$$unformatted"; exit 1; fi
	$(call in_each,go vet ./...)
	$(call in_each,$(bin)/staticcheck ./...)

bench: ## all benchmarks (BENCH=PATTERN picks some)
	$(call in_each,go test -run '^$$' -bench '$(BENCH)' -benchmem -timeout 60m ./...)

tools: packages $(bin)/versitygw $(bin)/staticcheck $(bin)/timestamp-server .cache/venv/installed ## what test needs: Debian packages, an S3 server, linter, TSA, pyHanko

# Each program is built once, and again when its pin changes.
pin = tools/go.mod tools/go.sum
build_tool = @echo "building $(@F)"; mkdir -p $(bin) && CGO_ENABLED=0 go build -C tools -trimpath -o $@ $(1) && touch $@

$(bin)/versitygw: $(pin)
	$(call build_tool,github.com/versity/versitygw/cmd/versitygw)

$(bin)/staticcheck: $(pin)
	$(call build_tool,honnef.co/go/tools/cmd/staticcheck)

$(bin)/timestamp-server: $(pin)
	$(call build_tool,github.com/sigstore/timestamp-authority/v2/cmd/timestamp-server)

.cache/venv/installed: internal/judges/requirements.txt | packages
	@[ -x .cache/venv/bin/pip ] || python3 -m venv .cache/venv
	.cache/venv/bin/pip install --quiet --disable-pip-version-check -r $<
	touch $@

# Commands that the tests start, and the Debian packages that hold them.
packaged := gcc:gcc javac:openjdk-17-jdk-headless mvn:maven redis-server:redis-server pdfsig:poppler-utils pdftotext:poppler-utils qpdf:qpdf \
            certutil:libnss3-tools zbarimg:zbar-tools openssl:openssl python3:python3

packages:
	@missing=; for pair in $(packaged); do command -v $${pair%%:*} >/dev/null 2>&1 || missing="$$missing $${pair##*:}"; done; \
	python3 -c 'import ensurepip' >/dev/null 2>&1 || missing="$$missing python3-venv"; \
	[ -n "$$missing" ] || exit 0; \
	missing=$$(echo $$missing | tr ' ' '\n' | sort -u | tr '\n' ' '); \
	sudo=; [ "$$(id -u)" = 0 ] || sudo=sudo; \
	if ! command -v apt-get >/dev/null 2>&1; then echo "missing, to be installed by your package manager (the names are Debian's): $$missing"; exit 1; fi; \
	echo "installing: $$missing"; \
	$$sudo apt-get update -qq && DEBIAN_FRONTEND=noninteractive $$sudo apt-get install -y -qq --no-install-recommends $$missing
