# Two commands for newcomers: `make demo` and `make test`. Each makes its own environment and needs only Python and make.

PYTHON ?= python3
VENV ?= .venv
BIN := $(VENV)/bin
CONFIG ?= configs/movielens-100k.yaml
DATASET ?= ml-100k
PIP_INSTALL := $(BIN)/python -m pip install --quiet --disable-pip-version-check --constraint constraints.txt

.DEFAULT_GOAL := help
.PHONY: help demo test test-all download-data process-data build-features train serve retrain ui dashboard up images lint format check clean

help: ## Show this list
	@awk -F ':.*## ' '/^[a-z-]+:.*## / {printf "  make %-16s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

demo: $(VENV)/.installed ## From built-in data to recommendations, in under a minute
	$(BIN)/foretaste demo

test: $(VENV)/.installed-dev ## The fast tests
	$(BIN)/python -m pytest -m "not slow and not real_data" -n auto

test-all: $(VENV)/.installed-dev ## All tests; those on real data need FORETASTE_DATA
	$(BIN)/python -m pytest -n auto --dist loadfile

download-data: $(VENV)/.installed ## Fetch a data set: DATASET=ml-100k
	$(BIN)/foretaste data download $(DATASET)

process-data: $(VENV)/.installed ## Clean, filter and encode the data of CONFIG
	$(BIN)/foretaste data prepare $(CONFIG)

build-features: $(VENV)/.installed ## Fit the user and item features of CONFIG on its train part
	$(BIN)/foretaste data features $(CONFIG)

train: $(VENV)/.installed ## Train, compare and publish: CONFIG=configs/movielens-100k.yaml
	$(BIN)/foretaste run $(CONFIG)

serve: $(VENV)/.installed ## Serve the live bundle at http://127.0.0.1:8000
	$(BIN)/foretaste serve

retrain: $(VENV)/.installed ## What people did with the service's answers becomes a new model, if it is no worse
	$(BIN)/foretaste retrain configs/retrain.yaml

ui: $(VENV)/.installed ## The web app, on top of a running `make serve`, at http://127.0.0.1:8502
	$(BIN)/foretaste ui

dashboard: $(VENV)/.installed ## The monitoring dashboard at http://127.0.0.1:8501
	$(BIN)/foretaste dashboard

up: $(VENV)/.installed-up ## The whole loop, as deploy/compose.yaml has it, without Docker; Ctrl-C stops it
	$(BIN)/python deploy/up.py

images: $(VENV)/.installed-dev ## Build the images with Podman, as root, and try each; ten minutes and more
	FORETASTE_IMAGES=1 $(BIN)/python -m pytest tests/deploy/test_images.py

lint: $(VENV)/.installed-dev ## Style, types and import layers
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports

format: $(VENV)/.installed-dev ## Put the code into the house style
	$(BIN)/ruff format .
	$(BIN)/ruff check --fix .

check: lint test ## What a commit must pass

clean: ## Remove the environment, caches and builds; data and artifacts stay
	rm -rf $(VENV) build dist src/*.egg-info .mypy_cache .ruff_cache .pytest_cache .hypothesis .import_linter_cache
	find src tests benchmarks -name __pycache__ -type d -prune -exec rm -rf {} +

$(VENV)/bin/python:
	$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11) and "foretaste needs Python 3.11 or newer; name one with make PYTHON=python3.12")'
	$(PYTHON) -m venv $(VENV)

$(VENV)/.installed: $(VENV)/bin/python pyproject.toml constraints.txt
	$(PIP_INSTALL) --editable .
	@touch $@

$(VENV)/.installed-up: $(VENV)/.installed
	$(PIP_INSTALL) --editable '.[postgres,tracking,ui]'
	@touch $@

$(VENV)/.installed-dev: $(VENV)/.installed
	$(PIP_INSTALL) --editable '.[dev,neural,ann,postgres,ranking,spark,tracking,tuning,ui]'
	@touch $@
