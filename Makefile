# tfpose: everything happens in .venv, which is made on first use. `make` alone says what there is.
PYTHON ?= python3
BIN := .venv/bin
INSTALL = $(BIN)/python -m pip install --quiet --retries 10 --timeout 60
# Each worker imports TensorFlow once and keeps whole files, so that what a file builds is built once.
WORKERS ?= 2

SUITS = import sys; sys.exit(not (3, 11) <= sys.version_info < (3, 14))
export PIP_DISABLE_PIP_VERSION_CHECK = 1
export TF_CPP_MIN_LOG_LEVEL ?= 2

.DEFAULT_GOAL := help
.PHONY: help quickstart test test-slow test-long lint clean

help:
	@echo "make quickstart   install, then train, evaluate, export and draw on synthetic people (minutes on 2 cores)"
	@echo "make test         install, then lint and the tests"
	@echo "make test-slow    the same with the tests that take minutes each"
	@echo "make test-long    the same with every test there is: an hour or two"
	@echo "make lint         ruff only: formatting and rules"
	@echo "make clean        remove .venv and caches; runs/ and data/ stay"
	@echo "make PYTHON=/path/to/python3.12 ...   another Python, 3.11 to 3.13"

quickstart: .venv/.ready
	$(BIN)/tfpose quickstart

test: lint
	$(BIN)/pytest -n $(WORKERS) --dist loadfile

test-slow: lint
	$(BIN)/pytest -n $(WORKERS) --dist loadfile --slow

test-long: lint
	$(BIN)/pytest -n $(WORKERS) --dist loadfile --long

lint: .venv/.tools
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .

# The tests need more than the quickstart.
.venv/.tools: .venv/.ready
	$(INSTALL) -e '.[train,edge,serve,quantize,test]'
	@touch $@

.venv/.ready: setup.py
	@for python in "$(PYTHON)" python3.12 python3.11 python3.13 ""; do \
		if [ -n "$$python" ] && "$$python" -c "$(SUITS)" 2>/dev/null; then break; fi; \
	done; \
	if [ -z "$$python" ]; then \
		echo "tfpose needs Python 3.11, 3.12 or 3.13; found $$("$(PYTHON)" --version 2>&1 | tail -n 1)." >&2; \
		echo "Install one of them, or name it: make PYTHON=/path/to/python3.12" >&2; exit 1; \
	fi; \
	"$$python" -c "import ensurepip, venv" 2>/dev/null || { \
		echo "$$python cannot make virtual environments: it lacks venv or ensurepip." >&2; \
		echo "On Debian or Ubuntu: apt install python3-venv; or name another: make PYTHON=/path/to/python3.12" >&2; exit 1; \
	}; \
	echo "installing with $$("$$python" --version) into .venv: about 2 GB, a few minutes"; \
	"$$python" -m venv .venv
	$(INSTALL) -e '.[train,edge]'
	@touch $@

clean:
	rm -rf .venv .pytest_cache .ruff_cache *.egg-info
	find . -name __pycache__ -type d -prune -exec rm -rf {} +
