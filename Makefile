# Every target sets up what it needs by itself. `make` alone lists them.
SHELL := /bin/bash
.SHELLFLAGS := -eu -o pipefail -c
.DEFAULT_GOAL := help

UV_VERSION := 0.13.9
UV := .tools/uv/bin/uv
PY := .venv/bin/python
SYNCED := .venv/.synced
ACTIONLINT_VERSION := 1.7.12
ACTIONLINT := .tools/actionlint/actionlint
INFRA := PYTHONPATH=infra $(PY)
EVALS := $(PY) -m dm_evals
path = $(subst $() $(),\ ,$(1))
needs_stack = $(if $(STACK),,$(error say which stack: make $@ STACK=dev))
# A variable typed for a target that does not take it: a typo is refused, another target's is told. Those of another make that
# calls this one are its own affair.
ifeq ($(MAKELEVEL),0)
typed := $(foreach name,$(.VARIABLES),$(if $(filter command,$(origin $(name))),'$(subst ','\'',$(name))'))
wrong := $(if $(strip $(typed)),$(shell python3 $(call path,$(dir $(abspath $(lastword $(MAKEFILE_LIST)))))tools/make_variables.py '$(MAKECMDGOALS)' $(typed) 2>/dev/null))
$(if $(wrong),$(if $(filter note:,$(firstword $(wrong))),$(warning $(wrong)),$(error $(wrong))))
endif
export PYTHONUNBUFFERED := 1
# Of uv's own variables those that say where packages come from; the others are another project's, and would have this
# environment put elsewhere, or left without its tools.
unexport $(filter-out UV_%INDEX UV_INDEX% UV_EXTRA_INDEX_URL UV_FIND_LINKS UV_CONFIG_FILE UV_CACHE_DIR UV_OFFLINE UV_LINK_MODE \
  UV_INSECURE_HOST UV_KEYRING_PROVIDER UV_SYSTEM_CERTS UV_NATIVE_TLS UV_HTTP_% UV_PYTHON_% UV_CONCURRENT_% UV_NO_CACHE, \
  $(filter UV_%,$(.VARIABLES)))
# uv caches in the person's folder, or in .tools where that can't be written to.
cache := $(or $(XDG_CACHE_HOME),$(HOME)/.cache)
ifneq ($(and $(HOME),$(shell mkdir -p "$(cache)" 2>&1 && test -w "$(cache)" || echo no)),)
export UV_CACHE_DIR ?= $(CURDIR)/.tools/uv-cache
endif
# Compiled modules are kept: without them each process that a test starts compiles everything anew, 1 to 4 s of it.
unexport PYTHONDONTWRITEBYTECODE

.PHONY: help setup dev chat screenshots demo test check bench fuzz chaos simulate interleavings mutants \
	evals evals-record evals-refresh evals-live evals-local evals-history evals-mutants evals-held-out evals-agreement \
	scenarios-from scenarios-reviewed scenario-from admin \
	bundle pulumi-cli actionlint doctor secrets preview up down smoke drift switch deploy costs format lock clean

help: ## list the targets
	@grep -hE '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/' | awk -F'\t' '{printf "  make %-13s %s\n", $$1, $$2}'

setup: $(SYNCED) ## install uv into .tools and the locked environment into .venv

$(UV):
	@echo "setting up uv $(UV_VERSION) in .tools"
	@command -v python3 >/dev/null || { echo "python3 is missing: install Python 3 and run this again"; exit 1; }
	@python3 -m venv .tools/uv || { echo "python3 -m venv failed: install your system's python3-venv package"; exit 1; }
	@.tools/uv/bin/python -m pip install --quiet --disable-pip-version-check uv==$(UV_VERSION) \
	  || { echo "uv could not be installed: is the Python package index reachable?"; exit 1; }

$(SYNCED): $(UV) uv.lock pyproject.toml libs/core/pyproject.toml libs/admin/pyproject.toml libs/sandbox/pyproject.toml functions/webhook/pyproject.toml functions/processor/pyproject.toml infra/pyproject.toml evals/pyproject.toml
	@echo "installing the locked environment into .venv"
	@$(UV) sync --locked $(if $(MAKE_TERMOUT),,--quiet) \
	  || { echo "the environment could not be installed: see above; if uv.lock is out of date run 'make lock'"; exit 1; }
	@touch $@

dev: $(SYNCED) ## the whole system on this machine, and the studio on http://127.0.0.1:8080 [PORT=8080 STORE=firestore MODEL=local FRESH=1]
	@$(if $(filter local,$(MODEL)),$(UV) sync --locked --quiet --group local-model)
	@$(PY) -m dm_sandbox dev

screenshots: $(SYNCED) ## six pictures of the studio into docs/images, with the installed Chromium
	@$(PY) -m tests.e2e.screenshots

chat: $(SYNCED) ## the page's conversation as plain lines, beside a running 'make dev' [PORT=8080]
	@$(PY) -m dm_sandbox chat

demo: $(SYNCED) ## one scripted conversation, printed; exits 0 only if every expected effect was seen [STORE=firestore]
	@$(PY) -m dm_sandbox demo

test: $(SYNCED) ## every test
	@$(PY) -m pytest -n 2 --dist worksteal

check: $(SYNCED) ## lint, format, types (pyright strict), lock file and import rules
	@echo "ruff"; .venv/bin/ruff check . || { echo "fix the above, or run 'make format'"; exit 1; }
	@.venv/bin/ruff format --check . || { echo "run 'make format'"; exit 1; }
	@echo "lock file"; $(UV) lock --check --quiet || { echo "uv.lock is out of date: run 'make lock' and commit it"; exit 1; }
	@echo "import rules"; PYTHONPATH=infra .venv/bin/lint-imports --no-cache
	@echo "pyright"; .venv/bin/pyright --warnings

bench: $(SYNCED) ## measure each budget, beside rivals; quiet machine wanted [QUICK=1 STRICT=1]
	@$(PY) -m benchmarks $(if $(QUICK),--quick) $(if $(STRICT),--strict)

fuzz: $(SYNCED) ## hostile bytes at every border [TARGET=webhook RUNS=100000 SEED=1 ENGINE=atheris]
	@$(if $(filter atheris,$(ENGINE)),$(UV) sync --locked --quiet --group fuzz)
	@$(PY) -m dm_sandbox fuzz --target $(or $(TARGET),all) --seed $(or $(SEED),1) $(if $(RUNS),--runs $(RUNS)) $(if $(ENGINE),--engine $(ENGINE))

chaos: $(SYNCED) ## real processes on Google's Firestore emulator, killed at random [KILLS=200 SECONDS=300 SEED=1]
	@$(PY) -m dm_sandbox chaos --kills $(or $(KILLS),200) --seconds $(or $(SECONDS),300) --seed $(or $(SEED),1)

simulate: $(SYNCED) ## random schedules of DMs and faults in simulated time [SEEDS=10000, or SEED=x ONLY=a0,f1 to see one]
	@$(PY) -m dm_sandbox simulate $(if $(SEED),--seed $(SEED) $(if $(ONLY),--only $(ONLY)),--seeds $(or $(SEEDS),10000))

interleavings: $(SYNCED) ## every order of the calls of two deliveries, a DM and a crash [SWITCHES=2]
	@$(PY) -m dm_sandbox simulate interleavings $(if $(SWITCHES),--switches $(SWITCHES))

mutants: $(SYNCED) ## each deliberate defect of the protocol, and which check catches it [NAMES="no_follow_up ..."]
	@$(PY) -m tests.simulation.mutants $(NAMES)

evals: $(SYNCED) ## replay the recorded DM scenarios, check, and decide by the gate [SCENARIO="..." TAGS=a,b BEFORE=report.json]
	@mkdir -p .state/evals
	@$(EVALS) run $(if $(SCENARIO),--scenario $(SCENARIO)) $(if $(TAGS),--tags $(TAGS)) \
	  --html $(call path,$(or $(HTML),.state/evals/report.html)) $(if $(BEFORE),--before $(call path,$(BEFORE))) \
	  $(addprefix --held-out ,$(wildcard .state/evals/held_out.json)) --junit .state/evals/junit.xml \
	  --json .state/evals/report.json --markdown .state/evals/summary.md

evals-record: $(SYNCED) ## record Gemini's answers anew, with GEMINI_API_KEY [SCENARIO="..."]
	@$(EVALS) record $(SCENARIO)

evals-refresh: $(SYNCED) ## bring recordings up to a change that is only in these parts [PARTS=system,tools SCENARIO="..."]
	@$(EVALS) refresh $(SCENARIO) --parts $(or $(PARTS),$(error say which parts changed: make evals-refresh PARTS=system))

evals-live: $(SYNCED) ## K trials of each scenario against the real Gemini, with GEMINI_API_KEY [K=4 MODEL=a,b PROMPT=dir JUDGE=... TAGS=... BUDGET=usd RATE=10 RESUME=last BASELINE=update]
	@mkdir -p .state/evals/live
	@$(EVALS) live $(if $(K),--trials $(K)) $(if $(MODEL),--model $(MODEL)) \
	  $(if $(PROMPT),--compare-prompt $(call path,$(PROMPT))) $(if $(JUDGE),--judge $(JUDGE)) $(if $(TAGS),--tags $(TAGS)) \
	  $(if $(SCENARIO),--scenario $(SCENARIO)) $(if $(BUDGET),--budget-usd $(BUDGET)) $(if $(RATE),--rate $(RATE)) \
	  $(if $(RESUME),--resume $(RESUME)) $(if $(filter update,$(BASELINE)),--update-baseline) \
	  --html .state/evals/live/report.html --junit .state/evals/live/junit.xml \
	  --json .state/evals/live/report.json --markdown .state/evals/live/summary.md

evals-local: $(SYNCED) ## every scenario against a real, small, bad model on this machine [SCENARIO="..." TAGS=... RESUME=last]
	@$(UV) sync --locked --quiet --group local-model
	@mkdir -p .state/evals/local
	@$(EVALS) local $(if $(SCENARIO),--scenario $(SCENARIO)) $(if $(TAGS),--tags $(TAGS)) $(if $(RESUME),--resume $(RESUME)) \
	  --html .state/evals/local/report.html --junit .state/evals/local/junit.xml --json .state/evals/local/report.json

evals-history: $(SYNCED) ## note the last run of `make evals` in evals/history.jsonl, as a deployment [COMMIT=...]
	@$(EVALS) history --report .state/evals/report.json --commit $(or $(COMMIT),$(GITHUB_SHA),$(shell git rev-parse HEAD))

evals-mutants: $(SYNCED) ## evaluate the evals: bad agents must be caught, reworded good ones must pass [NAMES="wrong_date ..."]
	@$(EVALS) mutants $(NAMES)

evals-held-out: $(SYNCED) ## detection and false alarms of the checks by code alone, on strangers' agents [NAMES="half_six ..."]
	@$(EVALS) held-out $(NAMES) $(if $(NAMES),,--json .state/evals/held_out.json)

evals-agreement: $(SYNCED) ## how far a judge agrees with what people ruled, with GEMINI_API_KEY [JUDGE=model]
	@$(EVALS) rulings --agreement --model $(or $(JUDGE),$(error say which judge: make evals-agreement JUDGE=gemini-3.8-flash))

scenarios-from: $(SYNCED) ## a sample of a deployment's threads, anonymised and queued for review [STACK=dev SINCE=7d SAMPLE=20, or STORE_URL=sqlite:///path]
	@$(if $(STORE_URL),$(EVALS) scenarios-from --store-url $(call path,$(STORE_URL)),$(if $(STACK),$(INFRA) -m operations scenarios --stack $(STACK) --,$(error say which stack: make scenarios-from STACK=dev))) \
	  --since $(or $(SINCE),7d) --sample $(or $(SAMPLE),20)

scenarios-reviewed: $(SYNCED) ## what was reviewed in evals/queue/ becomes scenarios, and labels for the judge
	@$(EVALS) scenarios-reviewed

scenario-from: $(SYNCED) ## a stored thread as a scenario to be reviewed [THREAD=id STORE_URL=sqlite:///path]
	@$(EVALS) scenario-from --thread $(or $(THREAD),$(error say which thread: make scenario-from THREAD=...)) \
	  $(if $(STORE_URL),--store-url $(call path,$(STORE_URL))) $(if $(NAME),--name $(NAME))

admin: $(SYNCED) ## the operator's tool: see, explain, pause, retry, answer, erase [ARGS="threads" STACK=dev, or STORE_URL=... for the sandbox]
	@$(if $(STACK),$(INFRA) -m operations admin --stack $(STACK) -- $(ARGS),$(if $(STORE_URL),$(PY) -m dm_admin $(ARGS),$(error say which: make admin STACK=dev ARGS="threads", or STORE_URL=... as make dev prints it)))

bundle: $(SYNCED) ## the zips of both functions, deterministic [INTO=DIR]
	@$(INFRA) -m bundling $(if $(INTO),--into $(call path,$(INTO)))

preview: $(SYNCED) ## what `pulumi up` would change [STACK=dev]
	$(needs_stack)@$(INFRA) -m operations preview --stack $(STACK) $(if $(INTO),--into $(call path,$(INTO))) $(if $(POLICIES),--policies)

up: $(SYNCED) ## provision everything [STACK=dev YES=1]
	$(needs_stack)@$(INFRA) -m operations up --stack $(STACK) $(if $(YES),--yes) $(if $(POLICIES),--policies)

down: $(SYNCED) ## remove everything, except what is protected [STACK=dev YES=1]
	$(needs_stack)@$(INFRA) -m operations down --stack $(STACK) $(if $(YES),--yes)

deploy: $(SYNCED) ## the first deployment, step by step; goes on where it was stopped [STACK=dev LOCK=gcpkms://… FILE=values.env YES=1]
	$(needs_stack)@$(INFRA) -m operations deploy --stack $(STACK) $(if $(LOCK),--lock $(LOCK)) $(if $(FILE),--from-file $(call path,$(FILE))) $(if $(YES),--yes)

smoke: $(SYNCED) ## is what is deployed alive, and does it store a DM [STACK=dev]
	$(needs_stack)@$(INFRA) -m operations smoke --stack $(STACK)

drift: $(SYNCED) ## what is no longer as deployed, by asking Google for everything [STACK=dev]
	$(needs_stack)@$(INFRA) -m operations drift --stack $(STACK) $(if $(INTO),--into $(call path,$(INTO)))

switch: $(SYNCED) ## another database in place of the stack's own, in its state [STACK=prod DATABASE=dm-agent-2]
	$(needs_stack)@$(INFRA) -m operations switch --stack $(STACK) --database $(or $(DATABASE),$(error say which: make switch STACK=$(STACK) DATABASE=dm-agent-2))

secrets: $(SYNCED) ## add secret values out of band, prompted or from a file [STACK=dev NAMES="..." FILE=.env PIN=1]
	$(needs_stack)@$(INFRA) -m operations secrets --stack $(STACK) $(NAMES) $(if $(FILE),--from-file $(call path,$(FILE))) $(if $(PIN),--pin)

doctor: $(SYNCED) ## what a deployment needs from this machine, checked [STACK=dev]
	$(needs_stack)@$(INFRA) -m operations doctor --stack $(STACK)

costs: $(SYNCED) ## count tokens, look up prices, and write the cost table of docs/deploy.md#9-what-a-month-costs [MODEL=... only prints]
	@$(INFRA) -m costs $(if $(MODEL),--model $(MODEL))

pulumi-cli: $(SYNCED) ## the Pulumi CLI: the one on PATH, or built from its Go module into .tools
	@$(PY) tools/pulumi_cli.py

actionlint: $(ACTIONLINT) ## the linter of the workflows, built from its Go module into .tools

$(ACTIONLINT):
	@command -v go >/dev/null || { echo "Go is missing: install Go 1.24 or newer, see https://go.dev/dl"; exit 1; }
	@echo "building actionlint $(ACTIONLINT_VERSION) in .tools"
	@GOBIN="$(CURDIR)/.tools/actionlint" go install github.com/rhysd/actionlint/cmd/actionlint@v$(ACTIONLINT_VERSION)

format: $(SYNCED) ## rewrite the code in the house format
	@.venv/bin/ruff check --fix-only --quiet . || true
	@.venv/bin/ruff format .

lock: $(UV) ## bring uv.lock up to date with the pyproject files
	@$(UV) lock

clean: ## remove the environment, tools and caches
	rm -rf .venv .tools .state .pytest_cache .ruff_cache .hypothesis
