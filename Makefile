# Every target makes its own environment on first use; a second run installs nothing.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
READY := $(VENV)/.ready
# These run the command in their own process, away from the handlers that libraries leave on the streams.
COMMAND_TESTS := tests/test_cli.py tests/test_config.py tests/test_runs.py tests/test_command_help.py \
  tests/test_completion.py tests/test_config_command.py tests/test_new_command.py tests/test_plan_command.py
# A process per core, up to four; a file's tests stay together, with what they share.
QUICK := $(BIN)/python -m pytest -m "not slow and not servers and not cluster" --numprocesses=logical --maxprocesses=4 --dist=loadfile
# Of chaos-demo: how often it kills, where its random instants start, and what makes the demo small.
KILLS ?= 5
ROUNDS ?= 200
SECONDS ?= 600
SEED ?= 0
CHAOS ?= dataset.count=12 evaluation.verifiable.count=16 comparison.measured_sets=4

.DEFAULT_GOAL := help
.PHONY: help demo record record-ablations record-evaluation bench bench-quick bench-sampling bench-sweep chaos chaos-demo chaos-spend fuzz test test-slow test-servers test-cluster check audit format lock wheel clean

help:  ## Show the targets
	@grep -hE '^[a-z-]+:.*##' $(MAKEFILE_LIST) | awk -F ':.*## ' '{printf "  make %-14s %s\n", $$1, $$2}'

$(READY): requirements.lock pyproject.toml
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --requirement requirements.lock
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --no-deps --editable .
	@touch $@

demo: $(READY)  ## Run the whole Tuna ablation on the embedded model
	$(BIN)/tuna-exp experiment=demo

record: $(READY)  ## Run the demo and keep its table in experiments/demo and the README
	$(BIN)/tuna-exp experiment=demo hydra.run.dir=runs/demo
	$(BIN)/python experiments/record.py runs/demo demo

ABLATIONS := $(basename $(notdir $(shell grep -l -- '- ablation$$' experiments/*.yaml)))

record-ablations: $(READY)  ## Run every ablation on the embedded model, two seeds, and record what it found; takes hours
	for name in $(ABLATIONS); do $(BIN)/tuna-exp experiment=$$name hydra.sweep.dir=runs/ablations/$$name || exit; done
	$(BIN)/python experiments/record_ablations.py runs/ablations

# What is held of the published benchmarks' data, and what the record of a small model asks of it.
BENCHMARKS ?= benchmarks
FURTHER := [superni_2shot,ifeval,vicuna,translation,summarisation,ambiguity,readings]
SHORT := evaluation.ifeval.max_new_tokens=256 evaluation.vicuna.drawn.max_new_tokens=256
JUDGED := evaluation.vicuna.judging.scheme=verdict evaluation.vicuna.judging.answer=first_token

record-evaluation: $(READY)  ## Score the embedded model on parts of the published benchmarks in the folder BENCHMARKS
	$(BIN)/tuna-exp evaluate model=smollm2_135m evaluation=[lmentry,superni_0shot] evaluation.limit=500 benchmarks=$(BENCHMARKS) hydra.run.dir=runs/evaluation/paper
	$(BIN)/tuna-exp evaluate model=smollm2_135m evaluation=$(FURTHER) $(SHORT) $(JUDGED) evaluation.limit=32 benchmarks=$(BENCHMARKS) hydra.run.dir=runs/evaluation/further
	$(BIN)/python experiments/record.py runs/evaluation/paper evaluation/paper
	$(BIN)/python experiments/record.py runs/evaluation/further evaluation/further
	$(BIN)/python -m experiments.record_scoring $(BENCHMARKS)

bench: $(READY)  ## Measure training steps, their growth and sampling; takes hours (experiments/speed)
	$(BIN)/python -m experiments.speed all

bench-quick: $(READY)  ## The same on two small cases in under 5 minutes; ends with the ratios
	$(BIN)/python -m experiments.speed quick

bench-sampling: $(READY)  ## Measure sampling against plain `generate`
	$(BIN)/python -m experiments.speed sampling

bench-sweep: $(READY)  ## A sweep of 12 runs on two cores, one killed and one failing; needs the extra joblib
	$(BIN)/python -m experiments.sweep_bench joblib

test: $(READY)  ## Run the tests
	$(QUICK) $(addprefix --ignore=,$(COMMAND_TESTS))
	$(QUICK) $(COMMAND_TESTS)

chaos: $(READY)  ## Disturb tiny runs in every way, ROUNDS times, end them, compare; mounts small disks if root
	$(BIN)/python -m tests.slow.chaos --rounds $(ROUNDS) --seed $(SEED) --out experiments/chaos/result.txt

chaos-demo: $(READY)  ## Kill a small demo at random instants, end it, compare with one left alone
	$(BIN)/python -m tests.slow.chaos.kills $$(mktemp -d) $(KILLS) $(SEED) experiment=demo $(CHAOS)

chaos-spend: $(READY)  ## Kill runs that buy answers, 200 times, and count at the server; caps and throughput
	$(BIN)/python -m tests.slow.spend --requests 0 --out experiments/spend/kills.txt
	$(BIN)/python -m tests.slow.spend --kills 0 --kill-couriers 0 --runs 0 --out experiments/spend/throughput.txt

fuzz: $(READY)  ## Try odd texts on every parser of text from outside, SECONDS each
	$(BIN)/python -m tests.slow.fuzz --seconds $(SECONDS) --out experiments/fuzz/result.txt

test-slow: $(READY)  ## Run the tests that take minutes: kills at random moments, the wheel in an empty environment
	$(BIN)/python -m pytest -m "slow and not servers and not cluster"

test-servers: $(READY)  ## Install and start real OpenAI- and Anthropic-compatible servers, test with them
	$(BIN)/python -m pytest -m servers

test-cluster: $(READY)  ## Sweeps under a real SLURM on loopback; needs root, slurm-wlm and the extra submitit
	$(BIN)/python -m pytest -m cluster tests/cluster

check: $(READY)  ## Lint, format and type checks; dependencies as locked, no key in the checkout
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/python -m pip check
	$(BIN)/python -m pytest tests/test_security.py

audit: $(READY)  ## Ask a public service for known weaknesses of the locked dependencies
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check pip-audit && \
	  $(BIN)/pip-audit --strict --requirement requirements.lock --no-deps --disable-pip || \
	  { echo "audit: a weakness was found, or the service could not be asked (see above)"; exit 1; }

format: $(READY)  ## Format the code
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

lock: $(READY)  ## Write requirements.lock anew from pyproject.toml
	$(BIN)/pip-compile --quiet --extra dev --strip-extras --no-emit-index-url --no-emit-find-links \
	  --no-emit-trusted-host --constraint constraints.txt --output-file requirements.lock pyproject.toml
	sed -i 's/+cpu$$//' requirements.lock  # a local build's name is not on the index

wheel: $(READY)  ## Build the wheel into dist/
	$(BIN)/python -m pip wheel --quiet --no-deps --wheel-dir dist .

clean:  ## Remove the environment and caches; artifacts and runs stay
	rm -rf $(VENV) .venv-* dist .pytest_cache .mypy_cache .ruff_cache .hypothesis
