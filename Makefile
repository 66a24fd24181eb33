# What a newcomer needs is `make run` and `make test`. `make help` lists the rest.

PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
STAMP := $(VENV)/.installed

.DEFAULT_GOAL := help
.PHONY: help setup run test lint check fix bench nlu docs lock migration clean

help:  ## List these commands
	@awk 'BEGIN {FS = ":.*## "} /^[a-z]+:.*## / {printf "  make %-10s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

$(STAMP): requirements.lock pyproject.toml
	@$(PYTHON) -c 'import sys; sys.exit("Doorstep needs Python 3.11 or newer.") if sys.version_info < (3, 11) else None'
	@test -x $(BIN)/python || $(PYTHON) -m venv $(VENV) || { echo "On Debian or Ubuntu: apt install python3-venv"; exit 1; }
	@echo "Installing the locked dependencies (a minute or two, once) …"
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --require-hashes --no-deps -r requirements.lock
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --no-deps --no-build-isolation --editable .
	@touch $@

setup: $(STAMP)  ## Install everything into .venv and train the classifier; quick when nothing changed
	@$(BIN)/doorstep train

run: export DOORSTEP_DEV ?= 1
run: setup  ## Serve Doorstep on http://127.0.0.1:8080, with no account anywhere
	@$(BIN)/doorstep migrate
	@exec $(BIN)/doorstep serve

test: setup  ## Pass every test that can run on this machine, and say which could not and why
	@$(BIN)/python -m pytest --numprocesses auto --dist loadfile

lint: setup  ## Formatting, lint, types, layers, and the data that people edit
	@$(BIN)/ruff format --check . && $(BIN)/ruff check . && $(BIN)/mypy && $(BIN)/lint-imports
	@DOORSTEP_DEV=1 $(BIN)/doorstep check

check: lint  ## The same, with unit and contract tests: run it before every commit
	@$(BIN)/python -m pytest -q --numprocesses auto --dist loadfile tests/unit tests/contract

fix: setup  ## Format, and mend what the linter can
	@$(BIN)/ruff format . && $(BIN)/ruff check --fix .

bench: setup  ## Messages a second beside a bare floor; a sweep over few and many open promises
	@$(BIN)/python -m bench
	@$(BIN)/python -m bench.sweep

nlu: setup  ## How well messages are understood, on messages never trained on
	@$(BIN)/python -m bench.understanding

lock: $(STAMP)  ## Resolve the dependencies anew (needs uv)
	@uv pip compile --quiet --universal --python-version 3.11 --generate-hashes --no-emit-index-url --no-header --no-annotate \
		--all-extras pyproject.toml -o requirements.lock --upgrade

migration: setup  ## Draft the next schema migration: make migration m="what changes"
	@$(BIN)/python -c 'import sys; from bot.store import open_store, schema; s = open_store("sqlite:///data/draft.db"); \
		schema.migrate(s); schema.draft(s, sys.argv[1]); s.close_now()' "$(m)" && rm -f data/draft.db*

clean:  ## Remove what was installed and built (never data/)
	@rm -rf $(VENV) build *.egg-info .pytest_cache .mypy_cache .ruff_cache .import_linter_cache
