# One command a job, the same ones that CI runs. It needs git, make and Python 3.11 to 3.13; uv is installed when absent.

.DEFAULT_GOAL := help
.PHONY: help demo test test-faults lint format types imports docs fuzz bench load
MAKEFLAGS += --no-print-directory
SHELL := /bin/sh

# An environment that is already there keeps its Python; otherwise the newest one that fits.
PYTHONS := .venv/bin/python python3.13 python3.12 python3.11 python3 python
FITS := import sys; sys.exit(not (3, 11) <= sys.version_info[:2] < (3, 14))
PYTHON = $(eval PYTHON := $(shell for python in $(PYTHONS); do \
	if $$python -c '$(FITS)' 2>/dev/null; then command -v $$python; break; fi; done))$(PYTHON)

# A uv that is too old for this project (pyproject.toml, required-version) counts as absent.
UV_OF_ITS_OWN := .uv/bin/uv
UV := $(shell case "$$(uv --version 2>/dev/null)" in \
	(""|"uv 0."[0-7].*) echo $(UV_OF_ITS_OWN) ;; (*) command -v uv ;; esac)

# Never another Python than the one found: downloading one is a surprise, and impossible behind many firewalls.
export UV_PYTHON_DOWNLOADS := never
# `make demo` after `make test` must not take the development tools away again.
# Compiled once here, not by each of the demo's processes at its first start.
SYNC = UV_PYTHON="$(PYTHON)" $(UV) sync --quiet --frozen --inexact --compile-bytecode

help: ## Show this help
	@echo "Clickpulse: real-time clickstream analytics. Usage: make TARGET [ARGS=\"...\"]"
	@echo
	@sed -n 's/^\([a-z-]*\):.*## \(.*\)/  \1|\2/p' $(firstword $(MAKEFILE_LIST)) | awk -F'|' '{ printf "%-14s%s\n", $$1, $$2 }'

demo: install-demo ## Run everything on this machine; Ctrl-C stops it. ARGS="--rate 50", ARGS=--help
	@PATH="$$PATH:$(CURDIR)/.uv/bin" exec .venv/bin/clickpulse demo $(ARGS)

# Most of the time tests wait for processes; each worker starts servers of its own.
IN_PARALLEL := -n auto --maxprocesses 4 --dist worksteal

test: install ## Run the tests. ARGS="-k redis" runs some
	@.venv/bin/pytest $(IN_PARALLEL) $(ARGS)

lint: install ## Check the code's style and format
	@.venv/bin/ruff check .
	@.venv/bin/ruff format --check .

format: install ## Format the code and mend what can be mended
	@.venv/bin/ruff check --fix .
	@.venv/bin/ruff format .

types: install ## Check the types, tests included
	@.venv/bin/mypy

imports: install ## Check which module may import which
	@.venv/bin/lint-imports --no-cache --no-logo

docs: install ## Generate the key tables of docs/redis.md
	@.venv/bin/python -m tools.redis_keys

fuzz: install ## Send a million mutated events through enrich. ARGS="--seed 7 --events 20000"
	@.venv/bin/python -m tests.fuzz_enrich $(ARGS)

test-faults: install ## Kill, crash and cut everything, a thousand times. ARGS="--seed 7 --kills 100"
	@.venv/bin/python -m tests.faults $(ARGS)

bench: install ## Measure against the design's bars; at most five minutes
	@.venv/bin/python -m benchmarks $(ARGS)

load: install ## Find the sustained rate and the latency on Kafka. ARGS="--minutes 30" also half of it for so long
	@.venv/bin/python -W ignore -m benchmarks.load $(ARGS)

.PHONY: install install-demo python
install: python $(filter $(UV_OF_ITS_OWN),$(UV))
	@$(SYNC)

install-demo: python $(filter $(UV_OF_ITS_OWN),$(UV))
	@test -x .venv/bin/clickpulse || echo "Installing Clickpulse into .venv; this takes a minute or two."
	@$(SYNC) --no-dev --extra demo

python:
	@test -n "$(PYTHON)" || { echo "Clickpulse needs Python 3.11, 3.12 or 3.13, and found none of them." \
		"Install one (apt install python3, brew install python@3.13) and try again." >&2; exit 2; }

# A private environment first. Where Python comes without venv, pip alone does: --target touches no system package.
$(UV_OF_ITS_OWN): | python
	@echo "Installing uv into .uv"
	@{ $(PYTHON) -m venv .uv && .uv/bin/python -m pip install --quiet 'uv>=0.8,<1'; } >/dev/null 2>&1 \
		|| { rm -rf .uv && $(PYTHON) -m pip install --quiet --target .uv 'uv>=0.8,<1'; } \
		|| { rm -rf .uv; echo "uv could not be installed. Install it by hand (it is on the Python package index)," \
			"or install Python's venv module (apt install python3-venv), and try again." >&2; exit 1; }
