# Everything a newcomer runs. Needs Python >= 3.11 and make; the environment is made in .venv/ from the locked requirements.
SHELL := /bin/sh
PYTHON ?= $(shell for p in python3 python3.13 python3.12 python3.11; do \
	command -v $$p >/dev/null 2>&1 && $$p -c 'import sys; sys.exit(not (3, 11) <= sys.version_info[:2] < (3, 14))' 2>/dev/null \
	&& { echo $$p; break; }; done)
VENV := .venv
BIN := $(VENV)/bin
STAMP := $(VENV)/.installed
WORKERS ?= 2
# The tests start the program some thousand times; an interpreter that may not keep what it has compiled does it anew each time.
export PYTHONDONTWRITEBYTECODE =

.PHONY: help demo test lint unit chaos bench golden clean

help:
	@echo "make demo    the whole pipeline against the bundled sandbox, under a minute"
	@echo "make test    every check: ruff, mypy, import-linter, pytest"
	@echo "make chaos   the crash and fault tests with many more seeds"
	@echo "make bench   speed and memory, with their floors"
	@echo "make clean   remove the environment and what runs left behind"

$(STAMP): requirements/dev.txt pyproject.toml
	@test -n "$(PYTHON)" || { echo "syncd needs Python 3.11, 3.12 or 3.13 (python3 on the PATH)."; exit 1; }
	@test -x "$(BIN)/python" || "$(PYTHON)" -m venv "$(VENV)"
	@echo "Installing the locked requirements into $(VENV) ..."
	@"$(BIN)/python" -m pip install --quiet --disable-pip-version-check --require-hashes -r requirements/dev.txt
	@"$(BIN)/python" -m pip install --quiet --disable-pip-version-check --no-deps --no-build-isolation -e .
	@touch "$(STAMP)"

demo: $(STAMP)
	@"$(BIN)/syncd" demo

test: lint unit

lint: $(STAMP)
	"$(BIN)/ruff" check .
	"$(BIN)/ruff" format --check .
	"$(BIN)/mypy"
	"$(BIN)/lint-imports"

unit: $(STAMP)
	"$(BIN)/pytest" -n $(WORKERS) --dist worksteal

chaos: $(STAMP)
	SYNCD_CHAOS=1 "$(BIN)/pytest" -n $(WORKERS) --dist worksteal tests/crash

bench: $(STAMP)
	@for script in bench/*.py; do echo "== $$script"; "$(BIN)/python" "$$script" || exit 1; done

clean:
	rm -rf "$(VENV)" demo-run dist build .pytest_cache .mypy_cache .ruff_cache .hypothesis .import_linter_cache
