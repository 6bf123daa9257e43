# `make demo` and `make test` need nothing but Python >= 3.11 and a network for the packages.

PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
DEMO := demo
KINESTREAM := $(BIN)/kinestream

.PHONY: setup demo test check style types suite docs bench lock clean

setup: $(VENV)/.installed

# The pinned packages first, then this one; again whenever either changes.
$(VENV)/.installed: requirements.lock pyproject.toml
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --requirement requirements.lock
	$(BIN)/python -m pip install --quiet --no-deps --no-build-isolation --editable .
	touch $@

demo: setup
	rm -rf $(DEMO)
	$(KINESTREAM) demo --out $(DEMO)

# The types, which take a minute of one core, are checked while the tests run.
test: style
	$(MAKE) --jobs=2 types suite

style: setup
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .

check: style types

types: setup
	$(BIN)/mypy

# Each process has one thread (tests/conftest.py), so as many processes as cores, up to 8. Compiled files are kept also
# where the environment says otherwise: tests start many processes, each of which would compile everything anew.
suite: setup
	PYTHONDONTWRITEBYTECODE= $(BIN)/python -m pytest --numprocesses auto --maxprocesses 8 --dist worksteal

# The site, into site/: warnings and broken links are errors. site/index.html opens from disk;
# its search needs a server: .venv/bin/python -m http.server --directory site
docs: setup
	NO_MKDOCS_2_WARNING=1 $(BIN)/python -m mkdocs build

bench: setup
	$(BIN)/python -m benchmarks

# Writes the pins anew from what pyproject.toml allows; torch is kept at the version everything is tested with.
lock:
	rm -rf $(VENV)-lock
	$(PYTHON) -m venv $(VENV)-lock
	$(VENV)-lock/bin/python -m pip install --quiet torch==2.13.0 hatchling editables
	$(VENV)-lock/bin/python -m pip install --quiet --editable '.[dev]'
	$(VENV)-lock/bin/python -m pip freeze --exclude-editable --exclude kinestream | sed "s/+cpu//" > requirements.lock
	rm -rf $(VENV)-lock

clean:
	rm -rf $(VENV) $(DEMO) site dist .pytest_cache .mypy_cache .ruff_cache .hypothesis
