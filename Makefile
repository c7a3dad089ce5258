# The commands of development. They need Python >= 3.11 and make; everything else is installed into .venv.
.DEFAULT_GOAL := help
SHELL := /bin/sh
.DELETE_ON_ERROR:

PYTHON  ?= python3
UV      ?= uv
PORT    ?= 8000
WORKERS ?= 1
ARGS    ?=
TESTS   ?=
IMAGE   ?= fullon-graphql
DIFFERENTIAL_EXAMPLES ?= 10000
# At least two processes, so that tests cannot depend on running alone.
JOBS    ?= $(shell $(PYTHON) -c 'import os; print(max(2, os.cpu_count() or 2))' 2>/dev/null || echo 2)
# Each process begins with tests that follow one another, so that most modules, and their servers, are in one of them.
PARALLEL = -n $(JOBS) --dist worksteal

VENV := .venv
BIN  := $(VENV)/bin
PIP  := $(BIN)/python -m pip --disable-pip-version-check --quiet

help: ## list the targets
	@awk -F ':.*## ' '/^[a-z -]+:.*## / {printf "  make %-38s %s\n", $$1, $$2}' Makefile

setup install: $(VENV)/dev.stamp ## create .venv with the development dependencies

# --market needs the extra `exchanges`.
demo: $(VENV)/$(if $(findstring --market,$(ARGS)),exchanges,demo).stamp ## start the platform with demo data on PORT (8000); Ctrl-C stops it
	@exec $(BIN)/fullon-graphql demo --port $(PORT) $(ARGS)

run dev: $(VENV)/demo.stamp ## serve the stores that the settings name, and reload on changes (HOST, PORT)
	@exec $(BIN)/fullon-graphql serve --reload $(ARGS)

run-prod: $(VENV)/demo.stamp ## serve the stores that the settings name (HOST, PORT, WORKERS)
	@exec $(BIN)/fullon-graphql serve --workers $(WORKERS) $(ARGS)

prod: $(VENV)/demo.stamp ## the same with 4 workers
	@exec $(BIN)/fullon-graphql serve --workers 4 $(ARGS)

daemon-start: $(VENV)/demo.stamp ## start a server in the background, with PID and log in FULLON_HOME (WORKERS)
	@$(BIN)/fullon-graphql daemon start --workers $(WORKERS) $(ARGS)

daemon-stop daemon-status daemon-logs: $(VENV)/demo.stamp ## stop it, print its state, print its log
	@$(BIN)/fullon-graphql daemon $(@:daemon-%=%) $(ARGS)

# PORT is the gateway's; PLANNER=rust and STREAMS=sse are those of deploy/federation/gateway.config.mjs, GATEWAY=apollo.
federation: $(VENV)/demo.stamp deploy/federation/node_modules/installed ## start three subgraphs and a gateway over a demo (PORT, GATEWAY); Ctrl-C stops them
	@exec env PORT=$(if $(filter 8000,$(PORT)),4000,$(PORT)) $(BIN)/python deploy/federation/run.py

deploy/federation/node_modules/installed: deploy/federation/package.json deploy/federation/package-lock.json
	@command -v npm >/dev/null || { echo "make federation needs Node 20 or newer with npm"; exit 1; }
	@cd deploy/federation && npm ci --ignore-scripts --no-audit --no-fund --loglevel=error
	@cp deploy/federation/package.json $@

examples: $(VENV)/dev.stamp ## run every example against a demo of its own
	@$(BIN)/python -m examples $(ARGS)

web: $(VENV)/demo.stamp ## build the pages for browsers (GraphiQL and the desk); the demo builds them too
	@$(BIN)/python web/build.py

test: $(VENV)/dev.stamp ## run the tests on engines that they start (ARGS="-k candles")
	@$(BIN)/pytest $(PARALLEL) $(ARGS)

differential: $(VENV)/dev.stamp ## compare plans with the reference on 10 000 generated operations
	@DIFFERENTIAL_EXAMPLES=$(DIFFERENTIAL_EXAMPLES) $(BIN)/pytest tests/engine/test_differential.py $(ARGS)

torture: $(VENV)/dev.stamp ## inject faults into stores and workers under open streams (ARGS="--seconds 600 --clients 200")
	@$(BIN)/python -m tests.torture $(ARGS)

scale: $(VENV)/dev.stamp ## the same with two servers behind HAProxy; servers, Redis and PostgreSQL fail over (ARGS="--seconds 600")
	@$(BIN)/python -m tests.torture --scaled $(ARGS)

fuzz: $(VENV)/dev.stamp ## send hostile input of every kind for five minutes (ARGS="--seconds 600 --seed 1")
	@$(BIN)/python -m tests.fuzz $(ARGS)

test-cov: $(VENV)/dev.stamp ## run the tests, report uncovered lines, and fail below the threshold of coverage
	@$(BIN)/pytest $(PARALLEL) --cov --cov-report=term --cov-report=html $(ARGS)

test-wheel: $(VENV)/dev.stamp ## build the wheel and run tests against it, installed (TESTS="tests/rest" for others)
	@.ci/test-wheel "$(BIN)/python" $(TESTS)

check: $(VENV)/dev.stamp ## check format, lint, types and imports
	$(BIN)/ruff format --check .
	@$(MAKE) --no-print-directory lint types imports

format: $(VENV)/dev.stamp ## format the code and apply automatic fixes
	$(BIN)/ruff check --fix-only .
	$(BIN)/ruff format .

lint ruff: $(VENV)/dev.stamp ## run the linter
	$(BIN)/ruff check .

types type-check: $(VENV)/dev.stamp ## check the types
	$(BIN)/mypy

imports: $(VENV)/dev.stamp ## check the import contract
	$(BIN)/lint-imports

bench: $(VENV)/dev.stamp ## compare this server with other GraphQL servers
	@$(BIN)/python -m benchmarks $(ARGS)

docker-build: ## build the image of the server (needs Docker; IMAGE)
	@docker build -f deploy/Dockerfile -t $(IMAGE) .

docker-run: ## serve the stores that .env names from the image, on PORT
	@exec docker run --rm --init --read-only --tmpfs /tmp --env-file .env -e HOST=0.0.0.0 -e PORT=8000 -p 127.0.0.1:$(PORT):8000 $(IMAGE) serve $(ARGS)

schema: $(VENV)/dev.stamp ## write schema.graphql
	@$(BIN)/fullon-graphql schema > schema.graphql.new && mv schema.graphql.new schema.graphql

# demo.txt first; dev.txt is constrained by it, and exchanges.txt and server.txt by dev.txt, so that all pin the same versions.
LOCK := pip compile --quiet --upgrade --universal --python-version 3.11 --generate-hashes \
	--no-emit-index-url --no-emit-find-links --custom-compile-command "make lock"
PROJECT := --extra embedded --group build pyproject.toml
# The dependencies of an installation: all extras without the engines.
SERVER := --extra exchanges --extra mcp --extra nats --extra tracing --group build pyproject.toml

lock: ## renew the pinned versions in requirements/ (needs uv)
	@command -v $(UV) >/dev/null || { echo "make lock needs uv: https://docs.astral.sh/uv/ (or UV=/path/to/uv)"; exit 1; }
	$(UV) $(LOCK) $(PROJECT) --output-file requirements/demo.txt
	$(UV) $(LOCK) $(PROJECT) --group dev --constraints requirements/demo.txt --output-file requirements/dev.txt
	$(UV) $(LOCK) $(PROJECT) --extra exchanges --constraints requirements/dev.txt --output-file requirements/exchanges.txt
	$(UV) $(LOCK) $(SERVER) --constraints requirements/dev.txt --output-file requirements/server.txt
	$(UV) $(LOCK) --group web --output-file requirements/web.txt

settings: $(VENV)/dev.stamp ## write docs/configuration.md and .env.example
	@$(BIN)/python .ci/settings_pages.py .

clean: ## remove .venv and the files of the tools; keeps data
	rm -rf $(VENV) web/node_modules web/.node web/src/gql fullon_graphql/static* tests/e2e/*/node_modules deploy/*/node_modules .mypy_cache .pytest_cache .ruff_cache .import_linter_cache .hypothesis .coverage* htmlcov dist
	find . -name __pycache__ -prune -exec rm -rf {} +

$(VENV)/made.stamp:
	@$(PYTHON) -c 'import sys; sys.version_info >= (3, 11) or sys.exit( \
	  "This needs Python 3.11 or newer, and %s is %d.%d. Name another: make PYTHON=python3.12" \
	  % ((sys.executable,) + sys.version_info[:2]))'
	@$(PYTHON) -m venv --clear $(VENV)
	@touch $@

# $(1) is a complete list of requirements, so pip resolves nothing: old versions of pip resolve extras wrongly once a
# newer release exists. The package is built without isolation, with the pinned build tools of the same list.
define install
	@echo "installing $(1) into $(VENV) …"
	@$(PIP) install --require-hashes --no-deps -r $(1)
	@$(PIP) install --no-deps --no-build-isolation -e .
	@touch $@
endef

$(VENV)/demo.stamp: requirements/demo.txt pyproject.toml | $(VENV)/made.stamp
	$(call install,$<)

$(VENV)/exchanges.stamp: requirements/exchanges.txt pyproject.toml | $(VENV)/made.stamp
	$(call install,$<)
	@touch $(VENV)/demo.stamp $@

$(VENV)/dev.stamp: requirements/dev.txt pyproject.toml | $(VENV)/made.stamp
	$(call install,$<)
	@touch $(VENV)/demo.stamp $(VENV)/exchanges.stamp

.PHONY: help setup install demo federation run dev run-prod prod daemon-start daemon-stop daemon-status daemon-logs examples web test differential torture scale fuzz test-cov test-wheel check format lint ruff types type-check imports bench docker-build docker-run schema
.PHONY: lock settings clean
