# `make help` lists the verbs. Each does its own set-up, once.

SHELL := bash
.SHELLFLAGS := -euo pipefail -c
MAKEFLAGS += --no-builtin-rules
.DELETE_ON_ERROR:
.DEFAULT_GOAL := help

PYTHON ?= python3.11
OHIF_VERSION := 3.13.2
NODE_VERSION := 20

DEMO_PACKAGES := orthanc orthanc-dicomweb curl nginx libnginx-mod-http-js nodejs npm
DEMO_PACKAGES += $(if $(REDIS),redis-server)
# Of pytest, each with an archive and services of its own; the tests with a browser need the machine for themselves.
TEST_PROCESSES ?= 2
NONE_SELECTED = $(if $(ARGS),|| [ $$? -eq 5 ])
TEST_PACKAGES := $(DEMO_PACKAGES) chromium redis-server dcmtk dicom3tools plastimatch

VENV := .venv
INSTALLED := $(VENV)/.installed
OHIF := .cache/ohif/dist/index.html
NODE_MODULES := node_modules/.package-lock.json
READERS := tests/readers/node_modules/.package-lock.json
EXTENSION := ohif-extension/dist/extension.js
EXTENSION_RUN := npm run --silent --workspace ohif-extension

.PHONY: help
help: ## list the verbs
	@awk -F ':.*## ' '/^[a-z0-9]+:.*## / { printf "%-8s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)
	@echo "Ports of the demo: DEMO_PORT, DEMO_ARCHIVE_PORT, DEMO_SERVICE_PORT, as in: make demo DEMO_PORT=9000"
	@echo "With a Redis (DEMO_REDIS_PORT), as several processes of the service share it: make demo REDIS=1"

.PHONY: demo
demo: demo-packages $(INSTALLED) $(OHIF) $(EXTENSION) ## Orthanc, the service and stock OHIF with a head MRI, until Ctrl-C
	@DEMO_REDIS=$(REDIS) exec $(VENV)/bin/delineate demo

.PHONY: test
test: test-packages $(INSTALLED) $(OHIF) $(EXTENSION) $(READERS) ## all tests but the long ones; ARGS="-k word" selects
	$(EXTENSION_RUN) test
	$(VENV)/bin/pytest -m "not soak" --ignore tests/e2e -n $(TEST_PROCESSES) --dist loadfile --no-loadscope-reorder $(ARGS) $(NONE_SELECTED)
	$(VENV)/bin/pytest -m "not soak" tests/e2e $(ARGS) $(NONE_SELECTED)

.PHONY: e2e
e2e: test-packages $(INSTALLED) $(OHIF) $(EXTENSION) ## the tests with a browser
	$(VENV)/bin/pytest tests/e2e $(ARGS)

.PHONY: soak
soak: test-packages $(INSTALLED) $(OHIF) $(EXTENSION) $(READERS) ## the long form of the tests
	$(VENV)/bin/pytest -m soak $(ARGS)

.PHONY: bench
bench: test-packages $(INSTALLED) $(OHIF) $(EXTENSION) ## compare with the bare nnInteractive session; time viewer and preloading
	$(VENV)/bin/python bench $(ARGS)
	$(VENV)/bin/python bench/viewer.py
	$(VENV)/bin/python bench/preloading.py

.PHONY: lint
lint: $(INSTALLED) $(NODE_MODULES) ## style and the direction of imports
	$(VENV)/bin/ruff check .
	$(VENV)/bin/ruff format --check .
	$(VENV)/bin/lint-imports
	$(EXTENSION_RUN) lint

.PHONY: types
types: $(INSTALLED) $(NODE_MODULES) ## mypy --strict, tsc --strict
	$(VENV)/bin/mypy
	$(EXTENSION_RUN) types

.PHONY: client
client: $(INSTALLED) $(NODE_MODULES) ## write the viewer's types anew, after a change of the HTTP interface
	ohif-extension/client/generate

.PHONY: check
check: lint types test ## everything that continuous integration runs

.PHONY: env
env: ## .env with fresh secrets for docker-compose.yml, unless there is one
	@docker/make-env

.PHONY: clean
clean: ## remove what make has made, the demo's archive included
	rm -rf $(VENV) .cache .demo node_modules ohif-extension/dist tests/readers/node_modules .pytest_cache .mypy_cache .ruff_cache .hypothesis .import_linter_cache
	find service tests -name __pycache__ -prune -exec rm -rf {} +
	rm -rf service/*.egg-info

# Set-up

.PHONY: demo-packages test-packages
demo-packages:
	@orthanc/install-packages $(DEMO_PACKAGES)
test-packages:
	@orthanc/install-packages $(TEST_PACKAGES)

$(VENV)/bin/python:
	@$(PYTHON) -c 'import ensurepip' 2>/dev/null || orthanc/install-packages python3.11 python3.11-venv
	$(PYTHON) -m venv $(VENV)

# The constraints keep a dependency from pulling another torch; as a variable, they hold for what builds packages too.
$(INSTALLED): pyproject.toml constraints.txt | $(VENV)/bin/python
	PIP_CONSTRAINT=constraints.txt $(VENV)/bin/pip install --quiet --editable '.[dev,demo]'
	touch $@

# OHIF's own build as published, checked against the hash in the repository.
$(OHIF): orthanc/ohif/ohif-app.sha512
	rm -rf .cache/ohif .cache/ohif.new
	mkdir -p .cache/ohif.new
	npm pack --silent --pack-destination .cache/ohif.new @ohif/app@$(OHIF_VERSION) >/dev/null
	cd .cache/ohif.new && sha512sum --check --quiet ../../$<
	tar -xzf .cache/ohif.new/ohif-app-$(OHIF_VERSION).tgz -C .cache/ohif.new --strip-components=1 --no-same-owner --touch
	rm .cache/ohif.new/ohif-app-$(OHIF_VERSION).tgz
	mv .cache/ohif.new .cache/ohif

.PHONY: node-version
node-version:
	@node -e 'process.exit(parseInt(process.versions.node) < $(NODE_VERSION) ? 1 : 0)' || { \
	  echo "Node.js $(NODE_VERSION) or newer is needed, and $$(command -v node) is $$(node --version)." >&2; exit 1; }

$(NODE_MODULES): package.json package-lock.json ohif-extension/package.json | node-version
	npm ci --silent --ignore-scripts
	touch $@

# The viewer's extension: ES modules that stock OHIF imports at run time.
EXTENSION_SOURCES := $(shell find ohif-extension/src -type f ! -name '*.test.*')

$(EXTENSION): $(NODE_MODULES) ohif-extension/build.mjs ohif-extension/tsconfig.json $(EXTENSION_SOURCES)
	$(EXTENSION_RUN) build

$(READERS): tests/readers/package.json tests/readers/package-lock.json | node-version
	cd tests/readers && npm ci --silent --ignore-scripts
	touch $@
