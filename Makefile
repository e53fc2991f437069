# Every target creates the environment in .venv if need be. `make` alone lists the targets.
PYTHON ?= python3
VENV ?= .venv
# Empty for the newest torch: make CONSTRAINTS= ...
CONSTRAINTS ?= constraints.txt
# What a figure is made from: auto is paper on a machine with a GPU and quick on one without.
SCALE ?= auto
# Whose corpora: authors, substitutes, auto (the authors' if they can be had), or names.
CORPORA ?= auto
# Where `make benchmark` writes its table.
OUT ?= multirun/benchmark

BIN := $(VENV)/bin
INSTALLED := $(VENV)/.installed

.DEFAULT_GOAL := help
.PHONY: help setup reproduce-fig9 data tensorboard test lint format benchmark clean

help: ## list the targets
	@grep -E '^[a-z0-9-]+:.*## ' $(MAKEFILE_LIST) | sed -E 's/^([a-z0-9-]+):.*## /\1\t/' | expand -t 18

setup: $(INSTALLED) ## create the environment in .venv and install into it

reproduce-fig9: $(INSTALLED) ## train what is missing of Figure 9 and draw it (SCALE=, CORPORA=)
	@status=0; $(BIN)/python src/train.py experiment=fig9 scale=$(SCALE) 'corpora="$(CORPORA)"' || status=$$?; \
	if [ $$status -eq 2 ]; then exit 2; fi; \
	$(BIN)/python -m analysis.fig9 --scale $(SCALE) && exit $$status

data: $(INSTALLED) ## fetch all corpora that this machine can reach, and say what they are
	$(BIN)/charrnn data list

tensorboard: $(INSTALLED) ## serve what has been trained, on 127.0.0.1
	$(BIN)/tensorboard --logdir multirun --host 127.0.0.1

test: lint ## run the linters and the tests
	$(BIN)/python -m pytest -n 2

lint: $(INSTALLED) ## check style, formatting and types
	$(BIN)/ruff check
	$(BIN)/ruff format --check
	$(BIN)/mypy

format: $(INSTALLED) ## format the code
	$(BIN)/ruff check --fix
	$(BIN)/ruff format

benchmark: $(INSTALLED) ## compare the training step's speed with torch.nn.LSTM (OUT=)
	$(BIN)/python -m charrnn.benchmark --out $(OUT)

clean: ## remove the environment; runs stay
	rm -rf $(VENV)

# The marker comes last: a set-up that was cut short is done again.
$(INSTALLED): pyproject.toml $(CONSTRAINTS)
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || { echo "error: $(PYTHON) is older than Python 3.11; name a newer one with PYTHON=."; exit 1; }
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet $(CONSTRAINTS:%=--constraint %) --editable '.[dev]'
	@touch $@
