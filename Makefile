# Six commands. Everything they install is in .venv; the files .venv/.stamp-* say what is there already, so that a second
# run costs nothing. On a machine where root runs them, `test` also installs the system packages that the tests drive.

PYTHON ?= $(firstword $(foreach python,python3 python3.13 python3.12 python3.11,$(shell \
	$(python) -c 'import sys, ensurepip; (3, 11) <= sys.version_info[:2] < (3, 14) and print("$(python)")' 2>/dev/null)))
BIN := .venv/bin
PIP := $(BIN)/python -m pip --disable-pip-version-check install --quiet
ARGS ?=

.PHONY: run install check test bench docs
.DEFAULT_GOAL := run

## Start the server on 127.0.0.1:8765 with the offline voice. ARGS="--port 9000" is passed on.
run: .venv/.stamp-run
	@exec $(BIN)/tenuto serve $(ARGS)

## Install Tenuto, the offline voice and the tools of development into .venv.
install: .venv/.stamp-dev

## Lint, format, types and layers.
check: .venv/.stamp-dev
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/python -m pytest -q -p no:cacheprovider tests/test_layers.py

## Every test: unit, contracts, integration, acceptance, the page's own, and the coverage of the pure modules.
## ARGS="-k name" is passed on to pytest.
test: .venv/.stamp-dev .venv/.stamp-system
	node --test $$(find tests -name '*.test.js' -o -name '*.test.mjs')
	$(BIN)/python -m pytest -q tests $(ARGS)

## Measure, one file a question, each figure beside a floor of the same run. Results as JSON in bench/results/.
bench: .venv/.stamp-dev
	$(BIN)/python -m bench $(ARGS)

## Write what of the documentation is generated: schemas, diagrams, the command line.
docs: .venv/.stamp-dev
	$(BIN)/python -m docs.generate

.venv/bin/python:
	@test -n "$(PYTHON)" || { echo "error: Tenuto needs Python 3.11, 3.12 or 3.13 with venv." \
		"On Debian and Ubuntu: apt-get install python3-venv" >&2; exit 1; }
	@echo "Making .venv with $$($(PYTHON) --version)"
	@$(PYTHON) -m venv .venv

.venv/.stamp-run: pyproject.toml | .venv/bin/python
	@echo "Installing Tenuto with the offline voice"
	@$(PIP) --editable '.[local,insight,redaction]'
	@touch $@

.venv/.stamp-dev: pyproject.toml | .venv/bin/python
	@echo "Installing Tenuto with the offline voice and the tools of development"
	@$(PIP) --editable '.[local,dev]'
	@touch .venv/.stamp-run $@

.venv/.stamp-system: | .venv/bin/python
	@missing=; \
	for pair in chromium:chromium node:nodejs; do \
		command -v $${pair%%:*} >/dev/null 2>&1 || missing="$$missing $${pair##*:}"; \
	done; \
	if [ -n "$$missing" ]; then \
		if [ "$$(id -u)" = 0 ] && command -v apt-get >/dev/null 2>&1; then \
			echo "Installing$$missing"; \
			apt-get update -qq && DEBIAN_FRONTEND=noninteractive apt-get install -y -qq \
				--no-install-recommends $$missing >/dev/null; \
		else \
			echo "error: the tests need:$$missing. Install them, as root: apt-get install$$missing" >&2; \
			exit 1; \
		fi; \
	fi
	@touch $@
