# Everything runs from a fresh clone with Python >= 3.11 and make: each target makes .venv first.
.DEFAULT_GOAL := help
.DELETE_ON_ERROR:
.PHONY: help venv demo demo-aws test check format bench examples engines soak mutation parity secure audit sbom lock clean

WORKERS ?= 2
PYTEST_ARGS ?=
LOCK_ARGS ?=
SOAK_PROGRAMS ?= 5000
MODULES ?=
SOAK_SHOP := tests/e2e/crash tests/e2e/test_races.py tests/e2e/test_schema.py tests/e2e/test_shop_machine.py
SOAK_AWS := tests/contract/test_aws.py tests/e2e/aws/test_interrupted.py

VENV := .venv
BIN := $(VENV)/$(if $(filter Windows_NT,$(OS)),Scripts,bin)
PY := $(BIN)/python
PIP := $(PY) -m pip --quiet --disable-pip-version-check --no-input
NEW_ENOUGH := import sys; sys.exit(sys.version_info < (3, 11))
LOCK := $(PY) -m uv pip compile --quiet --universal --generate-hashes --no-header \
	--no-emit-index-url --system-certs --python-version 3.11

LOCKED := --extra all --extra dev

# A candidate is run, not just looked up: a version manager's shim can exist and still fail.
FIND_PYTHON = for candidate in $(PYTHON) python3.13 python3.12 python3.11 python3 python; do \
	if $$candidate -c 'import ensurepip, venv; $(NEW_ENOUGH)' >/dev/null 2>&1; then \
	echo $$candidate; break; fi; done

help: ## Print this list
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  make %-10s %s\n", $$1, $$2 }' Makefile

venv: $(VENV)/.project ## Make the development environment from the lock

demo: $(VENV)/.project ## Play a customer's day on the embedded shop, end to end
	@$(BIN)/shopctl demo

demo-aws: $(VENV)/.project engines ## Play the same day on the shop deployed to ministack, which stands in for AWS
	@$(PY) -m pytest -q -s -n 0 tests/e2e/aws/test_day.py -k the_day_has_the_story

test: $(VENV)/.project ## Run every test this machine can run, then list what was skipped
	@$(PY) -m pytest -n $(WORKERS) --dist loadfile $(PYTEST_ARGS)

check: $(VENV)/.project ## Lint, check the format, the types and the layers
	$(PY) -m ruff check .
	$(PY) -m ruff format --check .
	$(PY) -m mypy
	$(BIN)/lint-imports --no-logo

format: $(VENV)/.project ## Format the code and sort its imports
	$(PY) -m ruff check --select I --fix .
	$(PY) -m ruff format .

bench: $(VENV)/.bench ## Measure and print the table of ratios
	@$(PY) -m tests.benchmarks

examples: $(VENV)/.project ## Run each example's own check
	@ran=0; for check in examples/*/check.sh; do \
	  [ -e "$$check" ] || continue; \
	  echo "== $$check"; \
	  PATH="$(CURDIR)/$(BIN):$$PATH" PYTHON="$(CURDIR)/$(PY)" "./$$check" || exit 1; \
	  ran=$$((ran + 1)); \
	done; echo "$$ran example(s) checked"

engines: $(VENV)/.project ## Install the workflow engines that the compilers are tested on
	@for setup in tests/engines/*/setup.py tests/engines/*/setup.sh; do \
	  case "$$setup" in \
	    *\**) ;; \
	    *.py) $(PY) "$$setup" || exit 1 ;; \
	    *) sh "$$setup" || exit 1 ;; \
	  esac; \
	done

soak: $(VENV)/.project engines ## Play random programs on every engine, the shop at full count, all of AWS
	@CARTWHEEL_RANDOM_PROGRAMS=$(SOAK_PROGRAMS) $(PY) -m pytest -n $(WORKERS) -s \
	  --timeout 0 tests/engines/test_random.py $(PYTEST_ARGS)
	@CARTWHEEL_SOAK=1 $(PY) -m pytest -n $(WORKERS) -rP --timeout 0 $(SOAK_SHOP) $(PYTEST_ARGS)
	@CARTWHEEL_SOAK=1 $(PY) -m pytest -n $(WORKERS) --dist loadfile --timeout 0 $(SOAK_AWS) $(PYTEST_ARGS)

mutation: $(VENV)/.project ## Count which mutants of the domain the tests notice (an hour; MODULES=... for some)
	@$(PY) -m tests.mutation $(MODULES)

parity: $(VENV)/.project ## Write docs/parity.md anew from what the engines are held to
	@$(PY) -m tests.engines.parity

secure: $(VENV)/.project ## Look for what is known to be unsafe in our own code (no network)
	@$(PY) -m bandit --quiet --recursive --severity-level high core workflows adapters cli
	@echo "bandit: no finding of high severity"

audit: secure ## Look the locked dependencies up among known vulnerabilities (asks the public package index)
	@$(PY) .ci/audit.py requirements-dev.lock

sbom: $(VENV)/.project ## Write dist/sbom.json, what a distribution is made of (CycloneDX)
	@mkdir -p dist
	@$(PY) .ci/sbom.py requirements-dev.lock dist/sbom.json

lock: $(PY) ## Write the lock files anew from pyproject.toml (LOCK_ARGS=--upgrade to move on)
	@$(PY) -m uv --version >/dev/null 2>&1 || $(PIP) install 'uv>=0.13'
	$(LOCK) $(LOCK_ARGS) $(LOCKED) -o requirements-dev.lock pyproject.toml
	$(LOCK) $(LOCK_ARGS) --extra bench -c requirements-dev.lock --no-annotate -o requirements-bench.lock pyproject.toml

clean: ## Remove the environment, caches and build output
	rm -rf $(VENV) dist build .pytest_cache .mypy_cache .ruff_cache .hypothesis .import_linter_cache
	find . -name __pycache__ -type d -prune -exec rm -rf {} +

# An environment that still runs is kept; one without a working Python is made anew.
$(PY):
	@python="$$($(FIND_PYTHON))"; \
	if [ -z "$$python" ]; then \
	  echo "cartwheel needs Python 3.11 or newer with venv and ensurepip; found none of" >&2; \
	  echo "python3.13, python3.12, python3.11, python3, python that has them." >&2; \
	  echo "Install one (on Debian: python3-venv), or name it: make PYTHON=/path/to/python" >&2; \
	  exit 1; \
	fi; \
	echo "Making $(VENV) with $$($$python --version)"; \
	$$python -m venv --clear $(VENV)

$(VENV)/.locked: requirements-dev.lock | $(PY)
	@$(PY) -c '$(NEW_ENOUGH)' || { echo "$(VENV) has an old Python: run make clean" >&2; exit 1; }
	@echo "Installing the locked dependencies into $(VENV) (once; about a minute)"
	@$(PIP) install --require-hashes -r requirements-dev.lock
	@touch $@

$(VENV)/.project: pyproject.toml $(VENV)/.locked
	@$(PIP) install --no-deps --no-build-isolation -e .
	@touch $@

$(VENV)/.bench: requirements-bench.lock $(VENV)/.project
	@echo "Installing what the benchmarks compare with"
	@$(PIP) install --require-hashes -r requirements-bench.lock
	@touch $@
