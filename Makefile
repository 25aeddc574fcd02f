# One command each. `make` alone lists them.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin

.DEFAULT_GOAL := help
.PHONY: help install demo test check chaos soak bench accuracy frameworks clean

help:  # List the commands
	@grep -E '^[a-z]+:.*#' $(MAKEFILE_LIST) | sed -E 's/:.*# /\t/' | expand -t 12

$(VENV)/collector: pyproject.toml
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --upgrade pip
	$(BIN)/python -m pip install --quiet --editable '.[collector]'
	@touch $@

$(VENV)/test: $(VENV)/collector
	$(BIN)/python -m pip install --quiet --editable '.[test]'
	@touch $@

install: $(VENV)/test  # Make .venv with everything a developer needs

demo: $(VENV)/collector  # Start the collector, run an example agent, show its runs; DEMO_EXIT=1 ends by itself
	@$(BIN)/python examples/demo.py $(if $(DEMO_EXIT),--exit)

test: $(VENV)/test  # Run every test and every check
	@$(MAKE) --no-print-directory check
	$(BIN)/python -m pytest

check: $(VENV)/test  # Lint, format, types, import rules
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports

chaos: $(VENV)/test  # Break it for many rounds: kills, full disks, overload; CHAOS_ROUNDS=10, CHAOS_SECONDS=60
	AGENTTRACER_CHAOS_ROUNDS=$(or $(CHAOS_ROUNDS),10) AGENTTRACER_CHAOS_SECONDS=$(or $(CHAOS_SECONDS),60) \
		$(BIN)/python -m pytest tests/integration/chaos

soak: $(VENV)/test  # 20 minutes at 70 % of capacity: flat memory, bounded journal, fresh data; SOAK_MINUTES=20
	$(BIN)/python -m tests.integration.chaos.soak --minutes $(or $(SOAK_MINUTES),20)

bench: $(VENV)/test  # Measure CPU per span, beside the fastest collector there is; prints, asserts nothing
	$(BIN)/python -m tests.benchmarks

accuracy: $(VENV)/test  # How much of the labelled captures comes out right, by dialect, and every miss
	$(BIN)/python -m tests.accuracy

frameworks: $(VENV)/test  # Pin the newest versions of the frameworks that are tested
	for set in current older; do $(BIN)/uv pip compile --quiet --upgrade --no-header --no-annotate \
		--python-version 3.11 tests/frameworks/$$set.in --output-file tests/frameworks/$$set.txt; done

clean:  # Remove .venv, caches and the demo's data
	rm -rf $(VENV) .venv-frameworks data build .pytest_cache .mypy_cache .ruff_cache .import_linter_cache .hypothesis
