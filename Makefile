# One command each, the same for people and for CI. `make PYTHON=python3.12 test` picks another interpreter.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
STAMP := $(VENV)/.installed

# Chromium for the tests of the page comes from the system; without it they are skipped.
.PHONY: install page demo test check format clean

install: $(STAMP)

$(STAMP): pyproject.toml hatch_build.py web-page/package-lock.json
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --disable-pip-version-check -e ".[dev]"
	touch $@

page: $(STAMP)
	$(BIN)/python -m pip install --disable-pip-version-check --no-deps -e .

demo: $(STAMP)
	$(BIN)/shibori demo --out demo-output

test: $(STAMP)
	$(BIN)/python -m pytest

check: $(STAMP)
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy
	$(BIN)/python -m pytest tests/test_layers.py tests/test_api.py
	$(BIN)/python -m pytest

format: $(STAMP)
	$(BIN)/ruff format .
	$(BIN)/ruff check --fix .

clean:
	rm -rf $(VENV) build dist .mypy_cache .ruff_cache .pytest_cache
