# make help lists the targets. Every target sets up what it needs.
.DEFAULT_GOAL := help
SHELL := /bin/bash

PYTHON ?= $(shell for p in python3.12 python3.11 python3; do \
	$$p -c 'import sys; sys.exit(not (3, 11) <= sys.version_info[:2] <= (3, 12))' 2>/dev/null \
	&& echo $$p && break; done)
BIN := .venv/bin
READY := .venv/.ready
DEMO := outputs/demo

.PHONY: help setup demo test lint bench clean

help: ## list the targets
	@grep -E '^[a-z]+:.*## ' $(MAKEFILE_LIST) | sed -E 's/^([a-z]+):.*## (.*)/  make \1\t\2/' | expand -t 16

setup: $(READY) ## make .venv with carsynth and its tools in it

$(READY): pyproject.toml
	@test -n "$(PYTHON)" || { echo "carsynth needs Python 3.11 or 3.12: install one, or say make PYTHON=/path/to/python"; exit 1; }
	@$(PYTHON) -c 'import venv, ensurepip' 2>/dev/null || { echo "$(PYTHON) has no venv module: install it (on Debian and Ubuntu: apt install python3-venv)"; exit 1; }
	@echo "installing carsynth into .venv (once; torch is large)"
	$(PYTHON) -m venv .venv
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --editable '.[dev]'
	@touch $(READY)

demo: $(READY) ## part maps, photos, a labelled data set and a report, on drawn cars: outputs/demo
	$(BIN)/python -m carsynth.pipeline +experiment=two_stage_demo hydra.run.dir=$(DEMO)
	@echo "look at $(DEMO)/report/index.html"

test: $(READY) ## run every test, the slow ones too
	OMP_NUM_THREADS=1 $(BIN)/python -m pytest -n 2

lint: $(READY) ## ruff and mypy, strict
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy

bench: $(READY) ## measure speed and memory as ratios against plain references
	$(BIN)/python -m benchmarks

clean: ## remove caches and .venv, never outputs
	rm -rf .venv .mypy_cache .ruff_cache .pytest_cache build dist
