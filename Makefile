# Everything a developer does, by name. Needs Python >= 3.11 and make; the rest it fetches itself, into .venv.
.DEFAULT_GOAL := help
SHELL := /bin/sh
.DELETE_ON_ERROR:

PYTHON  ?= python3
UV      ?= uv
HOST    ?= 127.0.0.1
PORT    ?= 8000
WORKERS ?= 1
ARGS    ?=
DIFFERENTIAL_EXAMPLES ?= 10000
# Two processes at least: the tests must not come to depend on being alone.
JOBS    ?= $(shell $(PYTHON) -c 'import os; print(max(2, os.cpu_count() or 2))' 2>/dev/null || echo 2)

VENV := .venv
BIN  := $(VENV)/bin
PIP  := $(BIN)/python -m pip --disable-pip-version-check --quiet

help: ## list the targets
	@awk -F ':.*## ' '/^[a-z-]+:.*## / {printf "  make %-12s %s\n", $$1, $$2}' Makefile

setup: $(VENV)/dev.stamp ## create .venv with everything for development

demo: $(VENV)/demo.stamp ## start everything on demo data, at PORT (8000); Ctrl-C ends it
	@exec $(BIN)/fullon-graphql demo --port $(PORT) $(ARGS)

run: $(VENV)/demo.stamp ## serve with the engines that the environment names (HOST, PORT, WORKERS)
	@exec $(BIN)/fullon-graphql serve --host $(HOST) --port $(PORT) --workers $(WORKERS) $(ARGS)

web: $(VENV)/demo.stamp ## build the pages for browsers (GraphiQL and the desk); the demo does so by itself
	@$(BIN)/python web/build.py

test: $(VENV)/dev.stamp ## run the tests, on engines they start themselves (ARGS="-k candles")
	@$(BIN)/pytest -n $(JOBS) $(ARGS)

differential: $(VENV)/dev.stamp ## hold plans against the reference, with many drawn operations
	@DIFFERENTIAL_EXAMPLES=$(DIFFERENTIAL_EXAMPLES) $(BIN)/pytest tests/engine/test_differential.py $(ARGS)

torture: $(VENV)/dev.stamp ## restart, kill and cut everything under streams (ARGS="--seconds 600 --clients 200")
	@$(BIN)/python -m tests.torture $(ARGS)

test-cov: $(VENV)/dev.stamp ## the same, and say which lines no test reaches
	@$(BIN)/pytest -n $(JOBS) --cov --cov-report=term --cov-report=html $(ARGS)

check: $(VENV)/dev.stamp ## everything that reads the code: format, lint, types, imports
	$(BIN)/ruff format --check .
	@$(MAKE) --no-print-directory lint types imports

format: $(VENV)/dev.stamp ## put the code into its format and mend what can be mended
	$(BIN)/ruff check --fix-only .
	$(BIN)/ruff format .

lint: $(VENV)/dev.stamp ## look for mistakes
	$(BIN)/ruff check .

types: $(VENV)/dev.stamp ## check the types
	$(BIN)/mypy

imports: $(VENV)/dev.stamp ## check that imports point one way
	$(BIN)/lint-imports

bench: $(VENV)/dev.stamp ## measure ourselves against the peers
	@$(BIN)/python -m benchmarks $(ARGS)

schema: $(VENV)/dev.stamp ## print the schema into schema.graphql
	@$(BIN)/fullon-graphql schema > schema.graphql.new && mv schema.graphql.new schema.graphql

# demo.txt first, and dev.txt on top of it: the same versions in both.
LOCK := pip compile --quiet --upgrade --universal --python-version 3.11 --generate-hashes \
	--no-emit-index-url --no-emit-find-links --custom-compile-command "make lock"
PROJECT := --extra embedded --group build pyproject.toml

lock: ## renew the pinned versions in requirements/ (needs uv)
	@command -v $(UV) >/dev/null || { echo "make lock needs uv: https://docs.astral.sh/uv/ (or UV=/path/to/uv)"; exit 1; }
	$(UV) $(LOCK) $(PROJECT) --output-file requirements/demo.txt
	$(UV) $(LOCK) $(PROJECT) --group dev --constraints requirements/demo.txt --output-file requirements/dev.txt
	$(UV) $(LOCK) --group web --output-file requirements/web.txt

clean: ## remove .venv and everything the tools have left, but no data
	rm -rf $(VENV) web/node_modules web/.node web/src/gql fullon_graphql/static* tests/e2e/*/node_modules .mypy_cache .pytest_cache .ruff_cache .import_linter_cache .hypothesis .coverage* htmlcov dist
	find . -name __pycache__ -prune -exec rm -rf {} +

$(VENV)/made.stamp:
	@$(PYTHON) -c 'import sys; sys.version_info >= (3, 11) or sys.exit( \
	  "This needs Python 3.11 or newer, and %s is %d.%d. Name another: make PYTHON=python3.12" \
	  % ((sys.executable,) + sys.version_info[:2]))'
	@$(PYTHON) -m venv --clear $(VENV)
	@touch $@

# $(1) the requirements to install: all there are, so that pip has nothing to resolve, which old ones do wrongly once a
# newer release of something wanted with an extra is out. The package itself is built without isolation, with the pinned
# tools among them.
define install
	@echo "installing $(1) into $(VENV) …"
	@$(PIP) install --require-hashes --no-deps -r $(1)
	@$(PIP) install --no-deps --no-build-isolation -e .
	@touch $@
endef

$(VENV)/demo.stamp: requirements/demo.txt pyproject.toml | $(VENV)/made.stamp
	$(call install,$<)

$(VENV)/dev.stamp: requirements/dev.txt pyproject.toml | $(VENV)/made.stamp
	$(call install,$<)
	@touch $(VENV)/demo.stamp

.PHONY: help setup demo run web test differential torture test-cov check format lint types imports bench schema lock clean
