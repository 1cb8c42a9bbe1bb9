# make demo and make test set themselves up: a virtual environment in .venv, with what they need.
PYTHON ?= python3
WORKERS ?= 2
VENV := .venv
BIN := $(VENV)/bin
BENCHMARKS := overhead capture filtered text sparse fusion pairs matryoshka maps versions codes scale

.PHONY: demo test test-slow lint types sql sql-check docs bench picture clean

demo: $(VENV)/demo.stamp
	@$(BIN)/pgsim demo

# Tests start programs, which would compile pgsim each time anew where bytecode is not kept.
test test-slow: export PYTHONDONTWRITEBYTECODE =

test: $(VENV)/dev.stamp
	$(BIN)/python -m pytest --numprocesses $(WORKERS) --dist worksteal -m "not slow" $(TESTS)

# What takes longest: the benchmarks' smoke runs, the demo, storms, random histories, fifty rounds of faults.
test-slow: $(VENV)/dev.stamp
	PGSIM_FAULT_ROUNDS=$${PGSIM_FAULT_ROUNDS:-40} $(BIN)/python -m pytest --numprocesses $(WORKERS) --dist worksteal -m slow $(TESTS)

lint: $(VENV)/dev.stamp
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .

types: $(VENV)/dev.stamp
	$(BIN)/mypy

sql: $(VENV)/dev.stamp
	$(BIN)/pgsim sql build

sql-check: $(VENV)/dev.stamp
	$(BIN)/pgsim sql build --check

docs: $(VENV)/dev.stamp
	$(BIN)/pgsim sql reference > docs/sql.md

bench: $(VENV)/bench.stamp
	@broken=0; for each in $(BENCHMARKS); do $(BIN)/python -m benchmarks.$$each || broken=1; done; exit $$broken

picture: $(VENV)/dev.stamp
	$(BIN)/python -m benchmarks.picture

clean:
	rm -rf $(VENV) .mypy_cache .pytest_cache .ruff_cache .hypothesis

$(VENV)/bin/python:
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || \
		{ echo "error: $(PYTHON) is older than 3.11; name a newer one: make PYTHON=python3.12"; exit 1; }
	@$(PYTHON) -m venv $(VENV) || \
		{ rm -rf $(VENV); echo "error: no virtual environment; on Debian: apt install python3-venv"; exit 1; }
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --upgrade "pip>=25.1"

$(VENV)/demo.stamp: $(VENV)/bin/python pyproject.toml
	@echo "Installing pgsim into $(VENV) ..."
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --editable ".[demo]"
	@touch $@

$(VENV)/dev.stamp: $(VENV)/demo.stamp
	@echo "Installing what the tests need into $(VENV) ..."
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --editable ".[all]" --group dev
	@touch $@

$(VENV)/bench.stamp: $(VENV)/dev.stamp
	@echo "Installing what the benchmarks compare with into $(VENV) ..."
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --group bench
	@touch $@
