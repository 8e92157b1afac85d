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

.PHONY: help sandbox build build-pkcs11 test test-long conformance api clients faults e2e screenshots golden check bench tools packages

help: ## list what can be done
	@awk -F ':.*## ' '/^[a-z0-9-]+:.*## / { printf "make %-12s %s\n", $$1, $$2 }' $(firstword $(MAKEFILE_LIST))

sandbox: ## try everything on this machine: issue the samples, then serve (SANDBOX_FLAGS="-once -dir DIR")
	@go run ./cmd/sandbox $(SANDBOX_FLAGS)

build: ## bin/segell, one static binary
	CGO_ENABLED=0 go build -trimpath -ldflags "-s -w -X main.version=$(VERSION)" -o bin/segell ./cmd/segell

build-pkcs11: ## bin/segell for a key on a PKCS#11 token: with cgo, for this machine's C library
	CGO_ENABLED=1 go build -tags pkcs11 -trimpath -ldflags "-s -w -X main.version=$(VERSION)" -o bin/segell ./cmd/segell

test: tools check ## all that proves a change: formats, vets, lints, every test with the race detector and real servers
	$(call in_each,go test -race -tags pkcs11 -timeout 15m $(TEST_FLAGS) ./...)

test-long: export SEGELL_EVERY_SEAL := 1
test-long: tools check ## test three times over in random order, every seal too, then fuzz each target for FUZZTIME (30s)
	$(call in_each,go test -race -tags pkcs11 -count 3 -shuffle on -timeout 90m $(TEST_FLAGS) ./...)
	@set -e; for module in $(modules); do cd $(CURDIR)/$$module; \
	  for package in $$(grep -rlE '^func Fuzz' --include='*_test.go' . | xargs -r -n1 dirname | sort -u); do \
	    for target in $$(go test -list '^Fuzz' $$package | grep '^Fuzz'); do \
	      echo "== $$module: fuzzing $$target in $$package"; \
	      go test -run '^$$' -fuzz "^$$target\$$" -fuzztime $(FUZZTIME) -fuzzminimizetime 1x $$package; \
	    done; \
	  done; \
	done

conformance: export SEGELL_EVERY_SEAL := 1
conformance: tools ## every issued document and every seal before veraPDF, qpdf, pdfsig, EU DSS, pyHanko and readers of text: a line per document and judge
	go test -count 1 -timeout 20m -v ./conformance

api: export SEGELL_API_EXAMPLES ?= 100
api: tools ## the running API against its own description: Spectral, and Schemathesis with every check (SEGELL_API_EXAMPLES=100)
	go test -count 1 -timeout 60m -v -run TestTheServiceIsWhatItsDescriptionSays ./cmd/segell

clients: tools ## clients in TypeScript and Java, generated from the running API, compiled, all the way to the PDF
	go test -count 1 -timeout 20m -v ./clients

faults: tools ## 5,000 requests while everything around several processes breaks, 60 times and more; nothing may be lost or come twice
	SEGELL_FAULT_REQUESTS=5000 SEGELL_FAULTS=66 SEGELL_FAULT_OPEN=1000 go test -count 1 -timeout 60m -v ./faults

e2e: tools ## the console of staff in a real Chromium, with and without scripts; axe-core judges every page
	go test -count 1 -timeout 20m -v ./cmd/internal/e2e

screenshots: export SEGELL_SCREENSHOTS := $(CURDIR)/docs/images/console
screenshots: tools ## renew the pictures of docs/console.md; look at them before you commit
	go test -count 1 -timeout 20m -run TestConsole/pages ./cmd/internal/e2e

golden: packages ## renew the pictures that pages are compared with; look at them before you commit
	SEGELL_RENEW_PICTURES=1 go test -count 1 -run PagesLook ./conformance

# Formats, vets and lints; a part of test.
check: $(bin)/staticcheck
	@unformatted=$$("$$(go env GOROOT)/bin/gofmt" -l $$($(sources))); if [ -n "$$unformatted" ]; then echo "gofmt -w is needed for:"; echo "$$unformatted"; exit 1; fi
	$(call in_each,go vet -tags pkcs11 ./...)
	$(call in_each,$(bin)/staticcheck -tags pkcs11 ./...)

bench: ## all benchmarks (BENCH=PATTERN picks some)
	$(call in_each,go test -run '^$$' -bench '$(BENCH)' -benchmem -timeout 60m ./...)

tools: packages $(bin)/versitygw $(bin)/staticcheck $(bin)/timestamp-server .cache/venv/installed .cache/node/installed .cache/judges/installed .cache/clients/typescript/installed .cache/clients/java/installed ## what test needs: Debian packages, an S3 server, linter, TSA, pyHanko, moto for KMS, an OIDC issuer, judges from npm, generators of clients

# Each program is built once, and again when its pin changes.
pin = tools/go.mod tools/go.sum
build_tool = @echo "building $(@F)"; mkdir -p $(bin) && CGO_ENABLED=0 go build -C tools -trimpath -o $@ $(1) && touch $@

$(bin)/versitygw: $(pin)
	$(call build_tool,github.com/versity/versitygw/cmd/versitygw)

$(bin)/staticcheck: $(pin)
	$(call build_tool,honnef.co/go/tools/cmd/staticcheck)

$(bin)/timestamp-server: $(pin)
	$(call build_tool,github.com/sigstore/timestamp-authority/v2/cmd/timestamp-server)

.cache/venv/installed: internal/judges/requirements.txt internal/servers/requirements.txt | packages
	@[ -x .cache/venv/bin/pip ] || python3 -m venv .cache/venv
	.cache/venv/bin/pip install --quiet --disable-pip-version-check $(addprefix -r ,$^)
	touch $@

# The npm packages that tests run, from a lock file, without their scripts.
node := internal/servers/issuer
.cache/node/installed: $(node)/package.json $(node)/package-lock.json | packages
	@mkdir -p .cache/node && cp $^ .cache/node/
	cd .cache/node && npm ci --silent --ignore-scripts --no-audit --no-fund
	touch $@

.cache/judges/installed: internal/judges/package.json internal/judges/package-lock.json | packages
	@mkdir -p .cache/judges && cp $^ .cache/judges/
	cd .cache/judges && npm ci --silent --ignore-scripts --no-audit --no-fund
	touch $@

# What generates clients, and what these need: fetched once, and again when a pin changes.
.cache/clients/typescript/installed: clients/typescript/package.json clients/typescript/package-lock.json | packages
	@mkdir -p $(@D) && cp $^ $(@D)/
	cd $(@D) && npm ci --silent --ignore-scripts --no-audit --no-fund
	touch $@

.cache/clients/java/installed: clients/java/pom.xml | packages
	@rm -rf $(@D)
	mvn -q -B -f $< package
	touch $@

# Commands that the tests start, and the Debian packages that hold them.
packaged := gcc:gcc javac:openjdk-17-jdk-headless mvn:maven redis-server:redis-server pdfsig:poppler-utils pdftotext:poppler-utils qpdf:qpdf \
            certutil:libnss3-tools zbarimg:zbar-tools openssl:openssl python3:python3 softhsm2-util:softhsm2 p11-kit:p11-kit node:nodejs npm:npm chromium:chromium

packages:
	@missing=; for pair in $(packaged); do command -v $${pair%%:*} >/dev/null 2>&1 || missing="$$missing $${pair##*:}"; done; \
	python3 -c 'import ensurepip' >/dev/null 2>&1 || missing="$$missing python3-venv"; \
	ls /usr/lib/*/pkcs11/p11-kit-client.so >/dev/null 2>&1 || missing="$$missing p11-kit-modules"; \
	[ -n "$$missing" ] || exit 0; \
	missing=$$(echo $$missing | tr ' ' '\n' | sort -u | tr '\n' ' '); \
	sudo=; [ "$$(id -u)" = 0 ] || sudo=sudo; \
	if ! command -v apt-get >/dev/null 2>&1; then echo "missing, to be installed by your package manager (the names are Debian's): $$missing"; exit 1; fi; \
	echo "installing: $$missing"; \
	$$sudo apt-get update -qq && DEBIAN_FRONTEND=noninteractive $$sudo apt-get install -y -qq --no-install-recommends $$missing
