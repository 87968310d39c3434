# Everything a newcomer types. `make run` needs python3 (3.11 or later) and make, and nothing else.
SHELL := /bin/sh
.DEFAULT_GOAL := help
.PHONY: help run test check migrate demo load bench soak hostile lock clean

PYTHON ?= python3
PORT ?= 8000
LOAD_USERS ?= 50
LOAD_SECONDS ?= 60
LOAD_REPORT ?= .data/load.html
MINUTES ?= 10
SIZE ?= small
ARGS ?=
BIN := .venv/bin
PIP := $(BIN)/python -m pip --quiet --disable-pip-version-check
export PORT

help: ## Say what there is to type
	@sed -n 's/^\([a-z]*\):.*## \(.*\)/make \1|\2/p' Makefile | while IFS='|' read -r name does; do printf '  %-14s%s\n' "$$name" "$$does"; done

run: .venv/installed-run ## Start everything here (PORT and DATA_DIR are honoured); Ctrl-C stops it
	@exec $(BIN)/inkfold up

# In the order of tests/conftest.py: by number of tests, files with a single long one would come last, next to nothing.
test: .venv/installed-dev ## Run the tests with branch coverage (ARGS="-k likes" chooses)
	@$(BIN)/python -m pytest --numprocesses=auto --dist=loadfile --no-loadscope-reorder --cov --cov-report=term $(ARGS)

check: .venv/installed-dev ## Lint, types, import contracts, then the tests
	$(BIN)/ruff check
	$(BIN)/ruff format --check
	$(BIN)/mypy
	$(BIN)/lint-imports
	@$(MAKE) --no-print-directory test

migrate: .venv/installed-run ## Bring the database up to date
	@$(BIN)/inkfold migrate

demo: .venv/installed-run ## Fill the running system with a made-up blog (ARGS="--posts 500")
	@$(BIN)/inkfold demo $(ARGS)

load: .venv/installed-dev ## Load-test the running system, then verify it (LOAD_USERS, LOAD_SECONDS, ARGS="--most-p95 200")
	@mkdir -p $(dir $(LOAD_REPORT))
	@$(BIN)/locust -f loadtests/locustfile.py --headless --only-summary --host http://127.0.0.1:$(PORT) --html $(LOAD_REPORT) \
		--users $(LOAD_USERS) --spawn-rate 10 --run-time $(LOAD_SECONDS)s $(ARGS); load=$$?; \
	$(BIN)/inkfold projections verify && exit $$load

bench: .venv/installed-dev ## Measure an own system against its limits (SIZE=large, ARGS="--only first_page --seconds 5")
	@SIZE=$(SIZE) $(BIN)/python -m loadtests.bench $(ARGS)

lock: ## Resolve the locked requirements anew
	@tools=$$(mktemp -d) && trap 'rm -rf "$$tools"' EXIT && \
	$(PYTHON) -m venv "$$tools" && "$$tools/bin/pip" install --quiet --disable-pip-version-check uv && \
	lock() { \
		echo 'setuptools>=80' | "$$tools/bin/uv" --quiet pip compile --universal --python-version 3.11 \
			--generate-hashes --no-emit-index-url --no-annotate --no-header --upgrade "$$@"; \
	} && \
	lock pyproject.toml - --extra embedded --extra dev --extra load -o requirements-dev.txt && \
	lock pyproject.toml - --extra embedded -c requirements-dev.txt -o requirements.txt && \
	lock pyproject.toml - -c requirements-dev.txt -o requirements-image.txt

soak: .venv/installed-dev ## People, faults, rebuilds and repairs at random for MINUTES; nothing may differ
	@$(BIN)/python -m tests.soak --minutes $(MINUTES) $(ARGS)

hostile: .venv/installed-dev ## Good and bad requests made up from the OpenAPI document for MINUTES; no answer may surprise
	@$(BIN)/python -m tests.hostile --minutes $(MINUTES) $(ARGS)

clean: ## Remove what was built and cached; .data stays
	@rm -rf .venv .coverage .coverage.* .mypy_cache .ruff_cache .pytest_cache .import_linter_cache .hypothesis build *.egg-info
	@find app projections migrations tests loadtests -name __pycache__ -type d -prune -exec rm -rf {} +

# Setuptools is among the locked requirements, so installing Inkfold itself fetches nothing.
.venv/installed-run: requirements.txt pyproject.toml
	$(call install,requirements.txt)

.venv/installed-dev: requirements-dev.txt pyproject.toml
	$(call install,requirements-dev.txt)
	@touch .venv/installed-run

define install
@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null || { \
	echo "Inkfold needs Python 3.11 or later, and '$(PYTHON)' is not: install it, or name it: make PYTHON=python3.12 ..." >&2; exit 1; }
@$(PYTHON) -c 'import ensurepip, venv' 2>/dev/null || { \
	echo "'$(PYTHON)' cannot make virtual environments: install its venv module (Debian, Ubuntu: apt install python3-venv)." >&2; exit 1; }
@$(BIN)/python -m pip --version >/dev/null 2>&1 || $(PYTHON) -m venv --clear .venv
@echo "Installing the requirements into .venv (once) ..."
@$(PIP) install --require-hashes -r $(1)
@$(PIP) install --no-deps --no-build-isolation --no-index -e .
@touch $@
endef
