# What you can do with Chargeline. `make run` and `make test` need nothing but this folder, Python 3 and the network.
.DEFAULT_GOAL := help
SHELL := bash
PYTHON := .venv/bin/python
export RASA_TELEMETRY_ENABLED := false
export PYTHONUNBUFFERED := 1

.PHONY: help setup run train chat desk test test-fast test-nlu lint format lock widget bench bench-% score storm clean

help:  ## this list
	@grep -hE '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | awk -F ':.*## ' '{printf "  make %-10s %s\n", $$1, $$2}'

setup:
	@tools/setup services rasa

run: setup  ## set up, train if needed, start everything with a sandbox network of simulated chargers
	@exec $(PYTHON) -m chargeline.run

train: setup  ## train the language model if its data changed
	@tools/train

chat:  ## talk to it in the terminal (while `make run` runs)
	@tools/setup services
	@exec $(PYTHON) -m bot.chat $(ARGS)

desk:  ## the trainers' desk beside a product that runs (`make run` starts one too)
	@tools/setup services rasa
	@exec $(PYTHON) -m chargeline.run --only desk

desk-%:  # a command of the desk: make desk-inbox, make desk-check, make desk-responses ...; ARGS="--help" tells more
	@tools/setup services
	@exec $(PYTHON) -m bot.trainer.cli $* $(ARGS)

test:  ## set up, train if needed, run every test
	@tools/setup services rasa mongo
	@tools/train
	@exec $(PYTHON) -m pytest -n 2 --dist loadfile --no-loadscope-reorder $(ARGS)

test-fast:  ## the tests that start no fleet of processes
	@tools/setup services
	@exec $(PYTHON) -m pytest -m "not slow and not mongo" $(ARGS)

test-nlu:  ## how well drivers are understood: by intent and language, dangers, calibration; fails below tests/nlu/floors.yml
	@tools/setup services rasa
	@tools/train
	@TF_CPP_MIN_LOG_LEVEL=3 exec .venv-rasa/bin/python -W ignore -m tests.nlu.measure 2>var/logs/test-nlu.log

lint:  ## ruff and mypy --strict
	@tools/setup services
	$(PYTHON) -m ruff check .
	$(PYTHON) -m ruff format --check .
	$(PYTHON) -m mypy

format:  ## let ruff put the code in shape
	@tools/setup services
	$(PYTHON) -m ruff check --fix .
	$(PYTHON) -m ruff format .

lock:  ## resolve both environments anew into their hash-pinned locks
	@tools/lock

widget:  ## build the chat widget from bot/widget (needs Node; the built script is in the repository)
	@cd bot/widget && npm ci --silent && npm run --silent build

bench:  ## every benchmark in tests/bench, one after the other
	@tools/setup services
	@set -e; for bench in tests/bench/bench_*.py; do [ -e "$$bench" ] || continue; $(PYTHON) -m tests.bench.$$(basename $$bench .py); done

bench-%:
	@tools/setup services
	@exec $(PYTHON) -m tests.bench.bench_$(subst -,_,$*) $(ARGS)

score: setup  ## play every conversation against a network of its own and judge what came of it (ARGS="--only hazards")
	@tools/train
	@exec $(PYTHON) -m sandbox.conversations $(ARGS)

storm: setup  ## 10,000 messages while everything fails and each process is killed once (ARGS="--messages 500", ARGS=--scripted)
	@tools/train
	@exec $(PYTHON) -m tests.channels.storm $(ARGS)

clean:  ## remove stores, logs and models (not the environments)
	rm -rf var models/*.tar.gz models/*.json models/history.jsonl .rasa
