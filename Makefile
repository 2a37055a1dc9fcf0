# The front door. `make run` and `make test` prepare by themselves whatever they need.
PYTHON ?= python3
BIN := .venv/bin

.DEFAULT_GOAL := help
.PHONY: help setup lock

help: ## list the targets
	@sed -n 's/^\([a-z-]*\):.*## /make \1#/p' $(MAKEFILE_LIST) | column -t -s '#'

setup: .venv/.ok ## create .venv with everything pinned; leaves .venv/bin/collector

.venv/.ok: pyproject.toml requirements.lock .ci/setup
	@PYTHON="$(PYTHON)" .ci/setup

lock: .venv/.ok ## renew requirements.lock from pyproject.toml
	$(BIN)/uv pip compile pyproject.toml --all-extras --group dev --universal --python-version 3.11 \
		--generate-hashes --no-header --no-annotate --upgrade --quiet --output-file requirements.lock
