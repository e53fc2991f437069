# Every target first creates the environment in .venv if it is missing. `make` alone lists the targets.
PYTHON ?= python3
VENV ?= .venv
# Empty for the newest torch: make CONSTRAINTS= ...
CONSTRAINTS ?= constraints.txt
# The size of the experiments: auto is paper on a machine with a GPU and quick on one without.
SCALE ?= auto
# The corpora: authors, substitutes, auto (the authors' if they are available), or names.
CORPORA ?= auto
# Replicates, which differ in initial weights and data: 0,1,2 adds bands to the figures.
SEEDS ?= 0
# Runs at once: a number, or auto (see charrnn help jobs).
JOBS ?= auto
# Where runs are trained: local, joblib, submitit_local, slurm or ray.
LAUNCHER ?= local
# What they are trained on: cpu, gpu, or auto (see charrnn help device).
DEVICE ?= auto
# Further settings of the sweeps, such as MORE='launcher.partition=gpu launcher.timeout_min=60'.
MORE ?=
# Which part of the programme of runs: a number; make evidence lists them.
PART ?=
# Whose results: own, reference (those that come with the project), or, for figures, both.
RESULTS ?= own
# Where TensorBoard listens: 127.0.0.1 answers this machine only. Taken from the command line alone,
# since shells export names such as HOST for their own use.
BIND = 127.0.0.1
PORT = 6006
# Where the benchmarks write their tables.
OUT ?= multirun/benchmark

# Many processes import the same modules: Python may keep them compiled, whatever the shell says.
unexport PYTHONDONTWRITEBYTECODE

BIN := $(VENV)/bin
# The marks of what is installed: what running needs, an extra of pyproject.toml, and a launcher's.
BASE := $(VENV)/.installed
FOR_TESTS := $(BASE)-test
FOR_DOCS := $(BASE)-docs
INSTALLED := $(BASE)$(addprefix -,$(filter joblib slurm ray,$(LAUNCHER:submitit_local=slurm)))
FIGURES := fig7 fig8 fig9 fig10 fig11
# The overrides of every sweep.
SWEEP = scale=$(SCALE) 'corpora="$(CORPORA)"' seed=$(SEEDS) jobs=$(JOBS) device=$(DEVICE) 'launcher=$(LAUNCHER)' $(MORE)
# Which loops are timed, such as LOOPS=train-step, in how many alternating rounds at least, and where:
# on the CPU unless DEVICE=gpu.
LOOPS ?=
ROUNDS ?=
MEASURED = --device $(DEVICE:auto=cpu) $(LOOPS:%=--loops %) $(ROUNDS:%=--rounds %)
# How many processes train at the same time.
TOGETHER ?= 1,2,4
# Which of the trained corpora are drawn.
DRAWN = $(if $(filter-out auto,$(CORPORA)),--corpora $(CORPORA))

ifneq ($(word 2,$(LAUNCHER)),)
$(error LAUNCHER=$(firstword $(LAUNCHER)) takes no settings: write MORE='$(wordlist 2,99,$(LAUNCHER))' beside it)
endif

.DEFAULT_GOAL := help
.PHONY: help setup $(FIGURES:%=reproduce-%) reproduce-table4 reproduce-all reproduce-bptt reproduce-k3 reproduce-decay reproduce-readings reproduce-carry evidence $(FIGURES:%=plan-%) plan-all status figures claims report numbers data tensorboard test test-all test-long test-gpu lint format docs benchmark benchmark-quick benchmark-growth benchmark-together clean

help: ## list the targets
	@grep -E '^[a-z0-9 -]+:.*## ' $(MAKEFILE_LIST) | \
	  sed -E 's/^([^ :]+) [^:]* ([^ :]+):.*## /\1 to \2\t/; s/^([^:]+):.*## /\1\t/' | expand -t 34

setup: $(INSTALLED) ## create the environment in .venv, and install what running needs (LAUNCHER=)

reproduce-fig7 reproduce-fig8 reproduce-fig9 reproduce-fig10 reproduce-fig11: reproduce-%: $(INSTALLED) ## train the missing runs of a figure and draw it (SCALE=, CORPORA=, SEEDS=, JOBS=, DEVICE=, LAUNCHER=, MORE=)
	@failed=0; $(call train-and-draw,$*); exit $$failed

reproduce-table4: $(INSTALLED) ## measure the speed of the schemes and compare it with the paper's (SCALE=, CORPORA=, DEVICE=, MORE=)
	@$(measure)

reproduce-all: $(INSTALLED) ## the table and all figures; a failing run does not stop the others
	@failed=0; $(measure) || failed=1; $(call train-and-draw,$(FIGURES)); exit $$failed

reproduce-bptt reproduce-k3 reproduce-decay: reproduce-%: $(INSTALLED) ## beyond the paper: truncated backpropagation (Section 2.1); the loss over positions
	@failed=0; $(call train-and-draw,$*); exit $$failed

reproduce-readings: $(INSTALLED) ## each training read both ways, at forget biases 5 and 0: train the missing runs and draw
	@failed=0; $(call train-and-draw,readings); \
	  $(BIN)/python -m analysis.drawing.figure reading-gap --scale $(SCALE) $(DRAWN) || failed=1; exit $$failed

reproduce-carry: $(INSTALLED) ## what makes training unstable: train the missing runs, judge and draw
	@failed=0; $(call train-and-draw,readings carry suspects); \
	  $(BIN)/python -m analysis.instability --scale $(SCALE) $(DRAWN) || failed=1; exit $$failed

evidence: $(INSTALLED) ## train a part of the programme of runs (PART=, SCALE=, JOBS=, DEVICE=, LAUNCHER=, MORE=); without PART= the parts are listed
	@$(BIN)/python -m analysis.programme $(PART) \
	  $(if $(PART),$(if $(filter-out auto,$(SCALE)),scale=$(SCALE)) jobs=$(JOBS) device=$(DEVICE) launcher=$(LAUNCHER) $(MORE))

plan-fig7 plan-fig8 plan-fig9 plan-fig10 plan-fig11: plan-%: $(INSTALLED) ## list the runs that a figure needs and the time they take here; trains nothing
	@$(BIN)/charrnn plan $* $(SWEEP)

plan-all: $(INSTALLED) ## the same for all figures together; shared runs count once
	@$(BIN)/charrnn plan $(FIGURES) $(SWEEP)

status: $(INSTALLED) ## show the state of every cell of every grid
	@$(BIN)/charrnn status

measure = $(BIN)/python -m analysis.speed.table4 scale=$(SCALE) 'corpora="$(CORPORA)"' device=$(DEVICE) $(MORE)

# A sweep exits with 1 if some of its runs failed: the others are drawn. Any other status ends it all.
# The figure is drawn once, after the sweep, of the corpora that were asked for.
train = $(BIN)/python src/train.py experiment=$$figure $(SWEEP) draw=false || { status=$$?; [ $$status -eq 1 ] || exit $$status; failed=1; }

define train-and-draw
for figure in $(1); do \
	  $(train); \
	  $(BIN)/python -m analysis.drawing.figure $$figure --scale $(SCALE) $(DRAWN) || failed=1; \
	done
endef

figures: $(INSTALLED) ## draw every figure that there are results of, and train nothing (RESULTS=, SCALE=)
	@$(BIN)/python -m analysis.drawing.figure all --results $(RESULTS) --scale $(SCALE) $(DRAWN)

claims: $(INSTALLED) ## judge the paper's claims (RESULTS=, SCALE=; auto: the largest that there are results of)
	@$(BIN)/python -m analysis.claims --results $(RESULTS) --scale $(SCALE)

report: $(INSTALLED) ## write the results as one HTML page, multirun/report.html (RESULTS=, SCALE=, as above)
	@$(BIN)/python -m analysis.report --results $(RESULTS) --scale $(SCALE)

numbers: $(INSTALLED) ## write the tables of README.md and docs/ anew from the reference results
	@$(BIN)/python -m analysis.numbers

data: $(INSTALLED) ## fetch every corpus that this machine can reach, and describe it
	$(BIN)/charrnn data list

tensorboard: $(INSTALLED) ## show the runs in a browser (BIND=, PORT=)
	@$(BIN)/charrnn tensorboard --host $(BIND) --port $(PORT)

# Types are checked while the tests run, and what was found is printed after them.
test: $(FOR_TESTS) ## run the linters and the fast tests, in a few minutes
	$(style)
	@failed=0; types=$$(mktemp); $(BIN)/mypy > $$types 2>&1 & mypy=$$!; \
	  $(BIN)/python -m pytest -n 2 -m "not slow and not long and not gpu"; tests=$$?; \
	  wait $$mypy || failed=1; cat $$types; rm $$types; exit $$((tests || failed))

test-long: $(FOR_TESTS) ## run the longest tests, before a release: more kills, corpora read twice, real costs
	$(BIN)/python -m pytest -n 3 -m long

test-all: $(FOR_TESTS) ## run the slow tests: Ray, browsers, real fetches, tests that kill
	$(BIN)/python -m pytest -n 3 -m "slow and not long"

# pytest ends with 5 if it has run no test.
test-gpu: $(FOR_TESTS) ## run the tests of a GPU, in two or three minutes; without one they are skipped
	$(BIN)/python -m pytest -n 3 tests/test_gpu.py || [ $$? -eq 5 ]

lint: $(FOR_TESTS) ## check style, formatting and types
	$(style)
	$(BIN)/mypy

define style
	$(BIN)/ruff check
	$(BIN)/ruff format --check
endef

format: $(FOR_TESTS) ## format the code
	$(BIN)/ruff check --fix
	$(BIN)/ruff format

docs: $(FOR_DOCS) ## build the documentation in site/; a broken link is an error
	NO_MKDOCS_2_WARNING=1 $(BIN)/mkdocs build --strict

benchmark: $(INSTALLED) ## time every loop beside its matrix products and its peers (OUT=, LOOPS=, ROUNDS=, DEVICE=gpu)
	$(BIN)/python -m charrnn.benchmark --out $(OUT) $(MEASURED)

benchmark-quick: $(INSTALLED) ## the core rows of the same, in about two minutes (OUT=, LOOPS=, ROUNDS=, DEVICE=gpu)
	$(BIN)/python -m charrnn.benchmark --quick --out $(OUT) $(MEASURED)

benchmark-growth: $(INSTALLED) ## time a training step over k2, gamma, r and |V|, and draw it (OUT=, ROUNDS=, DEVICE=gpu)
	$(BIN)/python -m charrnn.benchmark --growth --out $(OUT) $(MEASURED)
	$(BIN)/python -m analysis.speed.growth --table $(OUT)/growth.csv

benchmark-together: $(INSTALLED) ## batches per second of several processes at once (OUT=, TOGETHER=1,2,4, DEVICE=gpu)
	$(BIN)/python -m charrnn.benchmark --together $(TOGETHER) --out $(OUT) --device $(DEVICE:auto=cpu)

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
