# Two commands do all the set-up: `make demo` and `make test`. Everything else is for people who work on Accord.

PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
READY := $(VENV)/.ready

.PHONY: demo test lint types unit soak explore bench format clean

demo: $(READY)
	$(BIN)/accord demo

test: $(READY) lint types unit

lint: $(READY)
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .

types: $(READY)
	$(BIN)/mypy

unit: $(READY)
	$(BIN)/pytest -n 2 --dist worksteal -m "not soak and not bench"

soak: $(READY)
	$(BIN)/pytest -m soak --timeout 3600

explore: $(READY)
	$(BIN)/pytest -n 2 --dist worksteal --hypothesis-profile explore --timeout 3600 tests/unit

bench: $(READY)
	$(BIN)/pytest -m bench -s --timeout 3600 tests/bench

format: $(READY)
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

$(READY): pyproject.toml
	$(PYTHON) -c "import sys; sys.exit('Accord needs Python 3.11 or newer; name one with: make PYTHON=python3.12') if sys.version_info < (3, 11) else None"
	$(PYTHON) -m venv $(VENV)
	$(BIN)/pip install --quiet --disable-pip-version-check -e '.[test]'
	touch $(READY)

clean:
	rm -rf $(VENV) .pytest_cache .mypy_cache .ruff_cache .hypothesis
