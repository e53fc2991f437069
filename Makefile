# Every target creates the environment in .venv if need be. `make` alone lists the targets.
PYTHON ?= python3
VENV ?= .venv
# Empty for the newest torch: make CONSTRAINTS= ...
CONSTRAINTS ?= constraints.txt
# What a figure is made from: auto is paper on a machine with a GPU and quick on one without.
SCALE ?= auto
# Whose corpora: authors, substitutes, auto (the authors' if they can be had), or names.
CORPORA ?= auto
# Seeds of the initial weights: 0,1,2 gives figures bands.
SEEDS ?= 0
# Runs at once: a number, or auto (see python src/train.py --help).
JOBS ?= auto
# Where they are trained: local, slurm or ray.
LAUNCHER ?= local
# Where TensorBoard listens: at 127.0.0.1 only this machine is answered. Taken from the command line
# alone, since shells export names such as HOST for their own ends.
BIND = 127.0.0.1
PORT = 6006
# Where the benchmarks write their tables.
OUT ?= multirun/benchmark

BIN := $(VENV)/bin
# The marks of what is installed: what running needs, an extra of pyproject.toml, and a launcher's.
BASE := $(VENV)/.installed
FOR_TESTS := $(BASE)-test
FOR_DOCS := $(BASE)-docs
INSTALLED := $(BASE)$(addprefix -,$(filter joblib slurm ray,$(LAUNCHER:submitit_local=slurm)))
FIGURES := fig7 fig8 fig9 fig10 fig11
# What every sweep is told.
SWEEP = scale=$(SCALE) 'corpora="$(CORPORA)"' seed=$(SEEDS) jobs=$(JOBS) launcher=$(LAUNCHER)
# What is drawn of all that sweeps of this name have trained.
DRAWN = $(if $(filter-out auto,$(CORPORA)),--corpora $(CORPORA))

.DEFAULT_GOAL := help
.PHONY: help setup $(FIGURES:%=reproduce-%) reproduce-table4 reproduce-all reproduce-bptt reproduce-k3 reproduce-decay reproduce-carry $(FIGURES:%=plan-%) plan-all status claims report data tensorboard test test-all lint format docs benchmark benchmark-quick benchmark-growth clean

help: ## list the targets
	@grep -E '^[a-z0-9 -]+:.*## ' $(MAKEFILE_LIST) | \
	  sed -E 's/^([^ :]+) [^:]* ([^ :]+):.*## /\1 to \2\t/; s/^([^:]+):.*## /\1\t/' | expand -t 34

setup: $(INSTALLED) ## create the environment in .venv, and install what running needs (LAUNCHER=)

reproduce-fig7 reproduce-fig8 reproduce-fig9 reproduce-fig10 reproduce-fig11: reproduce-%: $(INSTALLED) ## train what is missing of a figure and draw it (SCALE=, CORPORA=, SEEDS=, JOBS=)
	@failed=0; $(call train-and-draw,$*); exit $$failed

reproduce-table4: $(INSTALLED) ## measure the speed of the schemes beside the paper's (SCALE=, CORPORA=)
	@$(measure)

reproduce-all: $(INSTALLED) ## the table and all figures; a run that fails leaves the rest
	@failed=0; $(measure) || failed=1; $(call train-and-draw,$(FIGURES)); exit $$failed

reproduce-bptt reproduce-k3 reproduce-decay: reproduce-%: $(INSTALLED) ## the same beyond the paper: Section 2.1 itself; the loss over positions
	@failed=0; $(call train-and-draw,$*); exit $$failed

reproduce-carry: $(INSTALLED) ## what makes scheme 4 unstable: train what is missing, verdict and figure
	@failed=0; $(call train-and-draw,carry suspects); \
	  $(BIN)/python -m analysis.instability --scale $(SCALE) $(DRAWN) || failed=1; exit $$failed

plan-fig7 plan-fig8 plan-fig9 plan-fig10 plan-fig11: plan-%: $(INSTALLED) ## the runs that a figure needs, and the time they take here; trains nothing
	@$(BIN)/charrnn plan $* $(SWEEP)

plan-all: $(INSTALLED) ## the same of all figures together; what they share counts once
	@$(BIN)/charrnn plan $(FIGURES) $(SWEEP)

status: $(INSTALLED) ## how far every cell of every grid is
	@$(BIN)/charrnn status

measure = $(BIN)/python -m analysis.speed.table4 scale=$(SCALE) 'corpora="$(CORPORA)"'

# A sweep's status is 1 if runs of it failed, and what there is is drawn; any other ends it all.
train = $(BIN)/python src/train.py experiment=$$figure $(SWEEP) || { status=$$?; [ $$status -eq 1 ] || exit $$status; failed=1; }

define train-and-draw
for figure in $(1); do \
	  $(train); \
	  $(BIN)/python -m analysis.drawing.figure $$figure --scale $(SCALE) $(DRAWN) || failed=1; \
	done
endef

claims: $(INSTALLED) ## what the runs say of the paper's claims (SCALE=; auto: the largest that has been started)
	@$(BIN)/python -m analysis.claims --scale $(SCALE)

report: $(INSTALLED) ## write all that the runs say as one HTML page, multirun/report.html (SCALE=, as above)
	@$(BIN)/python -m analysis.report --scale $(SCALE)

data: $(INSTALLED) ## fetch all corpora that this machine can reach, and say what they are
	$(BIN)/charrnn data list

tensorboard: $(INSTALLED) ## look at what has been trained, in a browser (BIND=, PORT=)
	@$(BIN)/charrnn tensorboard --host $(BIND) --port $(PORT)

test: lint ## run the linters and the fast tests, in a few minutes
	$(BIN)/python -m pytest -n 2 --dist loadgroup -m "not slow"

test-all: $(FOR_TESTS) ## run the slow tests: Ray, browsers, real fetches, long tests that kill
	$(BIN)/python -m pytest -n 2 --dist loadgroup -m slow

lint: $(FOR_TESTS) ## check style, formatting and types
	$(BIN)/ruff check
	$(BIN)/ruff format --check
	$(BIN)/mypy

format: $(FOR_TESTS) ## format the code
	$(BIN)/ruff check --fix
	$(BIN)/ruff format

docs: $(FOR_DOCS) ## build the documentation in site/; a broken link is an error
	$(BIN)/mkdocs build --strict

benchmark: $(INSTALLED) ## time every loop beside its matrix products and its peers (OUT=)
	$(BIN)/python -m charrnn.benchmark --out $(OUT)

benchmark-quick: $(INSTALLED) ## the core rows of the same, in under a minute (OUT=)
	$(BIN)/python -m charrnn.benchmark --quick --out $(OUT)

benchmark-growth: $(INSTALLED) ## time a training step over k2, gamma, r and |V|, and draw it (OUT=)
	$(BIN)/python -m charrnn.benchmark --growth --out $(OUT)
	$(BIN)/python -m analysis.speed.growth --table $(OUT)/growth.csv

clean: ## remove the environment; runs stay
	rm -rf $(VENV)

# A mark is made last: a set-up that was cut short is done again.
$(BASE): pyproject.toml $(CONSTRAINTS)
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || { echo "error: $(PYTHON) is older than Python 3.11; name a newer one with PYTHON=."; exit 1; }
	$(PYTHON) -m venv $(VENV)
	$(call install,.)

$(BASE)-%: $(BASE)
	$(call install,.[$*])

# The size is printed since pip is silent for as long as it unpacks torch.
define install
@echo "installing $(1) into $(VENV), which takes a few minutes"
@{ while sleep 20 > /dev/null 2>&1 && kill -0 $$$$; do du -sh $(VENV); done; } & \
  $(BIN)/python -m pip install --progress-bar off $(CONSTRAINTS:%=--constraint %) --editable '$(1)'; \
  status=$$?; kill $$!; exit $$status
@touch $@
endef
