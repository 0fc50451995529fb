# The two main commands are `make rehearse` and `make test`. Both set up what they need.
PYTHON ?= python3
BIN := .venv/bin
READY := .venv/.ready
# The virtual environment has its own Node, and jsii finds it on the PATH.
export PATH := $(CURDIR)/$(BIN):$(PATH)
# Compiling libraries is half of the start-up time: keep their bytecode, whatever the caller's
# setting.
unexport PYTHONDONTWRITEBYTECODE

.PHONY: help setup rehearse test check unit lock hooks clean

help:
	@echo "make rehearse  play a release, a rollback, a pipeline change and a refusal, end to end"
	@echo "make test      run every check and every test, the rehearsal included"
	@echo "make check     only the checks without tests (style, types, imports, security)"
	@echo "make unit      only the tests that take seconds"
	@echo "make setup     create the virtual environment and the command .venv/bin/pithead"
	@echo "make lock      compile requirements/*.txt from pyproject.toml"
	@echo "make hooks     run the checks before every commit"

setup: $(READY)
	@if [ "$(MAKECMDGOALS)" = setup ]; then \
	  echo "Ready. Next: make rehearse, or to work with it day by day:"; \
	  echo '  export PATH="$$PWD/$(BIN):$$PATH"'; \
	  echo "  pithead up --detach --speed 60"; \
	fi

$(READY): requirements/dev.txt requirements/uv.txt pyproject.toml
	@command -v git >/dev/null || { echo "pithead: git is missing; install it, e.g. apt-get install git"; exit 1; }
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || \
	  { echo "pithead: $(PYTHON) is `$(PYTHON) -V 2>&1`; Python 3.11 or newer is needed, e.g. make PYTHON=python3.12 $(MAKECMDGOALS)"; exit 1; }
	@$(PYTHON) -c 'import ensurepip' 2>/dev/null || \
	  { echo "pithead: $(PYTHON) cannot make virtual environments; install its venv package, e.g. apt-get install python3-venv"; exit 1; }
	@echo "Setting up .venv from requirements/dev.txt …"
	@$(PYTHON) -m venv --clear .venv
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --require-hashes --requirement requirements/uv.txt
	@VIRTUAL_ENV=$(CURDIR)/.venv $(BIN)/uv pip sync --quiet --require-hashes requirements/dev.txt
	@VIRTUAL_ENV=$(CURDIR)/.venv $(BIN)/uv pip install --quiet --no-deps --no-build-isolation --editable .
	@touch $@

rehearse: setup
	@$(BIN)/pithead rehearse --report reports/rehearsal.json

check: setup
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy benchmarks console environments localcloud pipeline service tests
	$(BIN)/lint-imports
	$(BIN)/python -m pipeline.gates.security

unit: setup
	$(BIN)/python -m pytest --numprocesses 2 -m "not rehearsal"

# The rehearsal runs alone, because its canary and its load gate measure times.
test: check unit
	$(BIN)/python -m pytest -m rehearsal

lock: setup
	@for group in service release scanners supply template integration load synth dev; do \
	  $(BIN)/uv pip compile --quiet --universal --python-version 3.11 --generate-hashes --no-emit-index-url \
	    --no-header --group $$group --output-file requirements/$$group.txt || exit 1; \
	done
	@grep -E '^uv==' requirements/dev.txt | cut -d' ' -f1 | $(BIN)/uv pip compile --quiet --universal --python-version 3.11 \
	  --generate-hashes --no-emit-index-url --no-header --output-file requirements/uv.txt -

hooks: setup
	$(BIN)/pre-commit install

clean:
	rm -rf .venv .pithead cdk.out reports .mypy_cache .ruff_cache .pytest_cache .hypothesis .import_linter_cache
