# The project's commands. `make` alone lists them.

PYTHON ?= python3
BIN := .venv/bin
ARGS ?=

# Tests start some hundred commands; where no bytecode is kept, each compiles every module again: 1.5 s of its 2.5.
export PYTHONDONTWRITEBYTECODE :=

.DEFAULT_GOAL := help
.PHONY: help setup demo test interop fuzz check bench format docs clean with-mypy with-pyright with-ruff with-lint-imports

help: ## list the commands
	@sed -n 's/^\([a-z]*\):.*## \(.*\)/make \1\t\2/p' $(MAKEFILE_LIST) | expand -t 14

setup: ## make .venv and the peers' environments, or do nothing when they are up to date
	@$(PYTHON) tools/environment.py

demo: setup ## start simulated meters, collect them into one SQLite file, show the result
	@$(BIN)/cosem demo $(ARGS)

test: setup ## run every test; a choice of them with ARGS="tests/unit -k obis"
	@$(BIN)/python -m pytest -n 2 --dist worksteal $(ARGS)

interop: setup ## ask the peers about every feature in both roles, and print the matrix
	@$(BIN)/python -m pytest -n 2 tests/interop --matrix $(ARGS)

fuzz: ## let a fuzzer at every boundary for 30 seconds each; others with ARGS="--seconds 600 hdlc"
	@$(PYTHON) tools/environment.py fuzz
	@PYTHONPATH=tests $(BIN)/python -m fuzz $(ARGS)

check: setup ## lint, formatting, types (mypy and pyright, both strict), the floors of the house
	@$(MAKE) --no-print-directory -j 2 with-mypy with-pyright with-ruff with-lint-imports

with-mypy:
	$(BIN)/mypy --strict src/cosem

with-pyright:
	$(BIN)/pyright --pythonpath $(BIN)/python

with-ruff:
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .

with-lint-imports:
	$(BIN)/lint-imports

bench: setup ## print the table of speed ratios against the peers
	@$(BIN)/python -m benchmarks $(ARGS)

format: setup ## put the sources into their form
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

docs: setup ## write what documents take from declarations: the interface classes, the gateway's tables, the reasons of the interop matrix
	@$(BIN)/python tools/classes.py
	@$(BIN)/python tools/gateway_tables.py
	@PYTHONPATH=tests $(BIN)/python -m interop.matrix

clean: ## remove what the other commands made
	rm -rf .venv .peers .mypy_cache .ruff_cache .pytest_cache .hypothesis .import_linter_cache build
