# The front door. `make run` and `make test` prepare by themselves whatever they need.
PYTHON ?= python3
BIN := .venv/bin
SOURCES := $(wildcard collector tests e2e bench)

.DEFAULT_GOAL := help
.PHONY: help setup run test lint snippet matrix bench table crash lock

help: ## list the targets
	@sed -n 's/^\([a-z-]*\):.*## \(.*\)/make \1\t\2/p' $(MAKEFILE_LIST)

setup: .venv/.ok ## create .venv with everything pinned; leaves .venv/bin/collector

.venv/.ok: pyproject.toml requirements.lock .ci/setup
	@PYTHON="$(PYTHON)" .ci/setup

run: .venv/.ok ## play shop, collector and ad platform on this machine; prints the campaign link
	@$(BIN)/collector demo

# The browser's driver keeps an event loop running in pytest's own thread, so it gets a run of its own.
test: .venv/.ok ## lint, snippet checks and all tests, on both databases and in a real browser
	@.ci/ensure-browser
	@.ci/ensure-postgres
	@command -v curl >/dev/null || .ci/apt-install curl "the published contract is tried with it"
	@$(MAKE) --no-print-directory lint
	@.ci/check-snippet
	@echo "test: pytest, all that needs no browser"
	@$(BIN)/pytest tests --ignore=tests/snippet
	@echo "test: pytest, in a real browser"
	@$(BIN)/pytest tests/snippet
	@echo "test: pytest, the whole way in a real browser"
	@$(BIN)/pytest e2e

lint: .venv/.ok ## style and types
	@echo "lint: ruff and mypy --strict on $(SOURCES)"
	@$(BIN)/ruff check --quiet $(SOURCES)
	@$(BIN)/ruff format --check --quiet $(SOURCES)
	@$(BIN)/mypy --no-error-summary $(SOURCES)

snippet: ## rebuild snippet/dist from snippet/cnct.js (needs node and npm)
	@command -v npm >/dev/null || .ci/apt-install npm "it brings the compiler that minifies the snippet"
	@echo "snippet: building snippet/dist"
	@cd snippet && npm ci --silent --no-audit --no-fund && npm run --silent build

matrix: .venv/.ok ## delivery, cookies and consent in real browsers of three engines (half an hour); writes its tables into snippet/README.md
	@.ci/ensure-engines
	@$(BIN)/python -m e2e.matrix --write
	@$(BIN)/python -m e2e.trials --write

bench: .venv/.ok ## measure durable acknowledgements and the store (minutes; needs wrk and strace)
	@command -v wrk >/dev/null || .ci/apt-install wrk "it makes the load"
	@command -v strace >/dev/null || .ci/apt-install strace "it counts the syncs"
	@.ci/ensure-postgres
	@$(BIN)/python -m bench.idle
	@$(BIN)/python -m bench.ack
	@$(BIN)/python -m bench.delivery
	@$(BIN)/python -m bench.hung
	@$(BIN)/python -m bench.store

table: .venv/.ok ## fill in the table of delivery: every figure with what it must reach (nine minutes; needs wrk)
	@command -v wrk >/dev/null || .ci/apt-install wrk "it makes the load"
	@.ci/ensure-postgres
	@$(BIN)/python -m bench.delivery

crash: .venv/.ok ## kill a collector 200 times under load on each database, and compare (quarter of an hour)
	@.ci/ensure-postgres
	@$(BIN)/python -m tests.integration.campaign

lock: .venv/.ok ## renew requirements.lock from pyproject.toml
	@$(BIN)/uv pip compile pyproject.toml --all-extras --group dev --universal --python-version 3.11 \
		--generate-hashes --no-header --no-annotate --upgrade --quiet --output-file requirements.lock
