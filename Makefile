# Everything a checkout needs; each target sets up what it uses. Python >= 3.11 is all that must be there before.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
READY := $(VENV)/.ready

.PHONY: help setup demo test lint format mutation bench screenshots testbed testbed-down docs lock clean catalog

help: ## show this
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  make %-14s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

setup: $(READY) ## make .venv with everything at its pinned version

$(READY): requirements.lock pyproject.toml
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || \
	  { echo "underlay needs Python 3.11 or newer; $(PYTHON) is $$($(PYTHON) --version 2>&1); set PYTHON=..." >&2; exit 1; }
	@echo "underlay: setting up $(VENV); the first time takes a minute or two" >&2
	@test -x $(BIN)/python || $(PYTHON) -m venv $(VENV) || \
	  { echo "$(PYTHON) has no venv module; on Debian: apt-get install python3-venv" >&2; exit 1; }
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --require-hashes -r requirements.lock
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --no-deps --no-build-isolation --editable .
	@touch $@

demo: $(READY) ## open the embedded demo cluster; INCIDENT=flannel-missing-after-upgrade for a broken one
	@$(BIN)/underlay --demo $(or $(INCIDENT),healthy)

test: $(READY) ## run every test; as root on Debian the testbed's as well
	@$(BIN)/python -m tests.system
	@$(BIN)/python -m pytest -q

catalog: $(READY) ## every runbook from found to cleared, and cut at every step, on the testbed (root on Debian; 25 minutes)
	@$(BIN)/python -m tests.system
	@$(BIN)/python -m pytest -q -m whole tests/testbed

lint: $(READY) ## ruff, mypy --strict and the import contracts
	@$(BIN)/ruff check .
	@$(BIN)/ruff format --check --quiet .
	@$(BIN)/mypy .
	@$(BIN)/lint-imports

format: $(READY) ## put every file into its form
	@$(BIN)/ruff format .
	@$(BIN)/ruff check --fix .

mutation: $(READY) ## change every condition of the rules, one at a time, and print how many changes tests notice; minutes
	@$(BIN)/python -m tests.mutation

bench: $(READY) ## measure, and print ratios; as root on Debian on the testbed as well
	@$(BIN)/python -m tests.bench

screenshots: $(READY) ## draw every screen anew, from the demo incidents
	@$(BIN)/python -m screenshots.export

testbed: $(READY) ## bring up the real cluster of namespaces (root on Debian) and say how to use it
	@$(BIN)/python -m tests.testbed up

testbed-down: $(READY) ## take it down
	@$(BIN)/python -m tests.testbed down

docs: $(READY) ## make again what is generated from the code
	@$(BIN)/python -m tests.generate_docs

lock: $(READY) ## pin the newest versions that pyproject.toml allows
	@$(BIN)/python -m pip install --quiet uv
	@$(BIN)/uv pip compile pyproject.toml --group dev --universal --python-version 3.11 --upgrade \
	  --generate-hashes --no-emit-index-url --no-header --no-annotate --quiet --output-file requirements.lock

clean: ## remove what setup made
	@rm -rf $(VENV) .mypy_cache .ruff_cache .pytest_cache .hypothesis .import_linter_cache
