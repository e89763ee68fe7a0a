# `make bench` and `make test` are all a fresh machine needs: each installs what it uses.

PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin

.PHONY: bench test lint clean
.DEFAULT_GOAL := bench

bench: $(VENV)/installed
	$(BIN)/python run_bench.py $(ARGS)

test: $(VENV)/installed-test
	$(BIN)/python -m pytest -n 2 --dist loadfile $(ARGS)

lint: $(VENV)/installed-lint
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy

$(VENV)/installed: pyproject.toml constraints.txt
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' \
		|| { echo "Python 3.11 or newer is needed: name one, as in make PYTHON=python3.12 $(MAKECMDGOALS)"; exit 2; }
	$(PYTHON) -m venv $(VENV)
	@echo "Installing into $(VENV): where torch comes with CUDA, 2 to 3 GB are downloaded."
	$(BIN)/python -m pip install -c constraints.txt -e .
	@touch $@

$(VENV)/installed-%: $(VENV)/installed
	$(BIN)/python -m pip install -c constraints.txt -e '.[$*]'
	@touch $@

clean:
	rm -rf $(VENV) *.egg-info .pytest_cache .mypy_cache .ruff_cache
