# One command per job, the same ones CI runs. Needs git, make and Python 3.11 to 3.13; installs uv if missing.

.DEFAULT_GOAL := help
.PHONY: help demo test test-faults lint format types imports docs script sbom fuzz attack soak bench bench-history load
MAKEFLAGS += --no-print-directory
SHELL := /bin/sh

# An existing environment keeps its Python; otherwise use the newest supported one.
PYTHONS := .venv/bin/python python3.13 python3.12 python3.11 python3 python
FITS := import sys; sys.exit(not (3, 11) <= sys.version_info[:2] < (3, 14))
PYTHON = $(eval PYTHON := $(shell for python in $(PYTHONS); do \
	if $$python -c '$(FITS)' 2>/dev/null; then command -v $$python; break; fi; done))$(PYTHON)

# A uv older than pyproject.toml's required-version counts as missing.
OWN_UV := .uv/bin/uv
UV := $(shell case "$$(uv --version 2>/dev/null)" in \
	(""|"uv 0."[0-7].*) echo $(OWN_UV) ;; (*) command -v uv ;; esac)

# Use only the Python found above: a download would surprise users and fail behind many firewalls.
export UV_PYTHON_DOWNLOADS := never
# --inexact: `make demo` after `make test` must not uninstall the development tools.
# --compile-bytecode: compile once here, not in each of the demo's processes at the first start.
SYNC = UV_PYTHON="$(PYTHON)" $(UV) sync --quiet --frozen --inexact --compile-bytecode

help: ## Show this help
	@echo "Clickpulse: real-time clickstream analytics. Usage: make TARGET [ARGS=\"...\"]"
	@echo
	@sed -n 's/^\([a-z-]*\):.*## \(.*\)/  \1|\2/p' $(firstword $(MAKEFILE_LIST)) | awk -F'|' '{ printf "%-14s%s\n", $$1, $$2 }'

demo: install-demo ## Run everything on this machine; Ctrl-C stops it. ARGS="--rate 50", ARGS=--help
	@PATH="$$PATH:$(CURDIR)/.uv/bin" exec .venv/bin/clickpulse demo $(ARGS)

# Two workers per core (tests/conftest.py), each with its own servers. A file stays on one worker, so that its tests
# share them; the longest files come first.
IN_PARALLEL := -n auto --maxprocesses 4 --dist loadfile --no-loadscope-reorder

# With bytecode, because otherwise every service that a test starts would compile its modules again.
test: install ## Run the tests. ARGS="-k redis" selects some
	@PYTHONDONTWRITEBYTECODE= .venv/bin/pytest $(IN_PARALLEL) $(ARGS)

lint: install ## Check style and formatting
	@.venv/bin/ruff check .
	@.venv/bin/ruff format --check .

format: install ## Format the code and fix what can be fixed
	@.venv/bin/ruff check --fix .
	@.venv/bin/ruff format .

types: install ## Check the types, including tests
	@.venv/bin/mypy

imports: install ## Check the import rules
	@.venv/bin/lint-imports --no-cache --no-logo

docs: install ## Generate the tables of docs/
	@.venv/bin/python -m tools.redis_keys
	@.venv/bin/python -m tools.access_tables
	@.venv/bin/python -m tools.licences

script: install ## Build the script of web pages; needs npm
	@.venv/bin/python -m tools.browser_script

sbom: install ## Write a CycloneDX bill of materials, sbom.cdx.json. ARGS=FILE
	@.venv/bin/python -m tools.sbom $(ARGS)

fuzz: install ## Send a million mutated events through enrich, and as many requests to collect. ARGS="--seed 7 --events 20000"
	@.venv/bin/python -m tests.fuzz.enrich $(ARGS)
	@.venv/bin/python -m tests.fuzz.collect $(ARGS)

test-faults: install ## Inject a thousand crashes and outages. ARGS="--seed 7 --kills 100"
	@.venv/bin/python -m tests.faults $(ARGS)

attack: install ## Attack a running site: floods, bombs and lies, at full size; the tests run short versions
	@ATTACK_LONG=1 .venv/bin/pytest tests/attacks $(ARGS)

soak: install ## A million pages an hour and an attacker with new names only, on Kafka. ARGS="--minutes 10"
	@.venv/bin/python -W ignore -m tests.attacks.soak $(ARGS)

bench: install ## Measure against the design's limits; at most five minutes
	@.venv/bin/python -m benchmarks $(ARGS)

bench-history: install ## Measure history with 20 million events; half an hour. ARGS="--events 200000" takes a minute
	@.venv/bin/python -W ignore -m benchmarks.history $(ARGS)

load: install ## Find the sustained rate and the latency on Kafka. ARGS="--minutes 30" adds 30 min at half that rate
	@.venv/bin/python -W ignore -m benchmarks.load $(ARGS)

.PHONY: install install-demo python
install: python $(filter $(OWN_UV),$(UV))
	@$(SYNC)

install-demo: python $(filter $(OWN_UV),$(UV))
	@test -x .venv/bin/clickpulse || echo "Installing Clickpulse into .venv; this takes a minute or two."
	@$(SYNC) --no-dev --extra demo --extra history

python:
	@test -n "$(PYTHON)" || { echo "Clickpulse needs Python 3.11, 3.12 or 3.13, but found none." \
		"Install one (apt install python3, brew install python@3.13) and try again." >&2; exit 2; }

# Try a private environment first. Without venv, pip --target works too and changes no system package.
$(OWN_UV): | python
	@echo "Installing uv into .uv"
	@{ $(PYTHON) -m venv .uv && .uv/bin/python -m pip install --quiet 'uv>=0.8,<1'; } >/dev/null 2>&1 \
		|| { rm -rf .uv && $(PYTHON) -m pip install --quiet --target .uv 'uv>=0.8,<1'; } \
		|| { rm -rf .uv; echo "cannot install uv. Install it manually (from the Python package index)," \
			"or install Python's venv module (apt install python3-venv), and try again." >&2; exit 1; }
