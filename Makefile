# `make demo` and `make test` are all the set-up: both build .venv first, from python3 alone.

PYTHON ?= python3
STAMP = .venv/.ready

.PHONY: help venv demo test check fix generate clean

help:
	@echo "make demo      make a small dataset from this repository's own documents"
	@echo "make test      run the whole test suite"
	@echo "make check     format, lint, types, layering"
	@echo "make fix       format, and mend what the linter can mend"
	@echo "make generate  write the grammar's tables and the pinned versions anew"
	@echo "make clean     remove .venv and what was built"

venv: $(STAMP)

$(STAMP): pyproject.toml constraints.txt
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' \
	  || { echo "dpipe needs Python 3.11 or newer; say which one: make PYTHON=python3.12"; exit 2; }
	test -x .venv/bin/python || $(PYTHON) -m venv .venv
	.venv/bin/python -m pip install --quiet --disable-pip-version-check \
	  --constraint constraints.txt setuptools
	.venv/bin/python -m pip install --quiet --disable-pip-version-check \
	  --constraint constraints.txt --no-build-isolation --editable '.[dev]'
	@touch $(STAMP)

demo: $(STAMP)
	@scripts/demo

test: $(STAMP)
	@scripts/test

check: $(STAMP)
	@scripts/check

fix: $(STAMP)
	@scripts/fix

generate: $(STAMP)
	@scripts/generate

clean:
	rm -rf .venv build dist *.egg-info .mypy_cache .ruff_cache .pytest_cache .hypothesis
