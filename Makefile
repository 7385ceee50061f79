# Every target sets up what it needs by itself. `make` alone lists them.
SHELL := /bin/bash
.SHELLFLAGS := -eu -o pipefail -c
.DEFAULT_GOAL := help

UV_VERSION := 0.13.9
UV := .tools/uv/bin/uv
PY := .venv/bin/python
SYNCED := .venv/.synced
export PYTHONUNBUFFERED := 1

.PHONY: help setup dev demo test check bench fuzz chaos simulate interleavings mutants format lock clean

help: ## list the targets
	@grep -hE '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/' | awk -F'\t' '{printf "  make %-13s %s\n", $$1, $$2}'

setup: $(SYNCED) ## install uv into .tools and the locked environment into .venv

$(UV):
	@echo "setting up uv $(UV_VERSION) in .tools"
	@command -v python3 >/dev/null || { echo "python3 is missing: install Python 3 and run this again"; exit 1; }
	@python3 -m venv .tools/uv || { echo "python3 -m venv failed: install your system's python3-venv package"; exit 1; }
	@.tools/uv/bin/python -m pip install --quiet --disable-pip-version-check uv==$(UV_VERSION) \
	  || { echo "uv could not be installed: is the Python package index reachable?"; exit 1; }

$(SYNCED): $(UV) uv.lock pyproject.toml libs/core/pyproject.toml libs/sandbox/pyproject.toml functions/webhook/pyproject.toml functions/processor/pyproject.toml
	@echo "installing the locked environment into .venv"
	@$(UV) sync --locked --quiet \
	  || { echo "the environment could not be installed: see above; if uv.lock is out of date run 'make lock'"; exit 1; }
	@touch $@

dev: $(SYNCED) ## the whole system on this machine: chat in the terminal, page on http://127.0.0.1:8080
	@$(PY) -m dm_sandbox.dev

demo: $(SYNCED) ## one scripted conversation, printed; exits 0 only if every expected effect was seen
	@$(PY) -m dm_sandbox.demo

test: $(SYNCED) ## every test
	@$(PY) -m pytest -n 2 --dist worksteal

check: $(SYNCED) ## lint, format, types (pyright strict), lock file and import rules
	@echo "ruff"; .venv/bin/ruff check . || { echo "fix the above, or run 'make format'"; exit 1; }
	@.venv/bin/ruff format --check . || { echo "run 'make format'"; exit 1; }
	@echo "lock file"; $(UV) lock --check --quiet || { echo "uv.lock is out of date: run 'make lock' and commit it"; exit 1; }
	@echo "import rules"; .venv/bin/lint-imports --no-cache
	@echo "pyright"; .venv/bin/pyright --warnings

bench: $(SYNCED) ## measure each budget; quiet machine wanted
	@$(PY) -m benchmarks

fuzz: $(SYNCED) ## hostile bytes at every border [TARGET=webhook RUNS=100000 SEED=1]
	@$(PY) -m dm_sandbox.fuzzing --target $(or $(TARGET),all) --seed $(or $(SEED),1) $(if $(RUNS),--runs $(RUNS))

chaos: $(SYNCED) ## real processes on Google's Firestore emulator, killed at random [KILLS=200 SECONDS=300 SEED=1]
	@$(PY) -m dm_sandbox.chaos --kills $(or $(KILLS),200) --seconds $(or $(SECONDS),300) --seed $(or $(SEED),1)

simulate: $(SYNCED) ## random schedules of DMs and faults in simulated time [SEEDS=10000, or SEED=x ONLY=a0,f1 to see one]
	@$(PY) -m dm_sandbox.simulation $(if $(SEED),--seed $(SEED) $(if $(ONLY),--only $(ONLY)),--seeds $(or $(SEEDS),10000))

interleavings: $(SYNCED) ## every order of the calls of two deliveries, a DM and a crash [SWITCHES=2]
	@$(PY) -m dm_sandbox.simulation interleavings $(if $(SWITCHES),--switches $(SWITCHES))

mutants: $(SYNCED) ## each deliberate defect of the protocol, and which check catches it [NAMES="no_follow_up ..."]
	@$(PY) -m tests.simulation.mutants $(NAMES)

format: $(SYNCED) ## rewrite the code in the house format
	@.venv/bin/ruff check --fix-only --quiet . || true
	@.venv/bin/ruff format .

lock: $(UV) ## bring uv.lock up to date with the pyproject files
	@$(UV) lock

clean: ## remove the environment, tools and caches
	rm -rf .venv .tools .state .pytest_cache .ruff_cache .hypothesis
