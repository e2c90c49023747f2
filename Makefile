# Two commands for a new user: `make demo` and `make test`.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin

.PHONY: demo test lint check-types bench clean

$(VENV)/.installed: pyproject.toml
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --upgrade pip
	$(BIN)/python -m pip install --quiet --editable ".[test]"
	touch $@

demo: $(VENV)/.installed  ## run everything on the sample study; the reports lie in demo/
	$(BIN)/hlhneuro demo demo --study sample_data --jobs 2

test: $(VENV)/.installed  ## style, layers, types and tests
	$(BIN)/ruff check .
	$(BIN)/lint-imports
	$(BIN)/mypy
	$(BIN)/python -m pytest -n 2 --dist loadfile -m "not benchmark"

bench: $(VENV)/.installed  ## speed and accuracy tables (slow; see docs/accuracy.md)
	$(BIN)/python -m pytest -m benchmark tests/benchmarks -s

clean:
	rm -rf $(VENV) demo build dist

.PHONY: settings
settings: $(VENV)/.installed  ## write pipelines/default_settings.toml from the code
	$(BIN)/python -c "import sys; from hlhneuro.settings import settings_as_toml as s; sys.stdout.write(s())" > pipelines/default_settings.toml
