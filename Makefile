# Everything below works on a machine with only Python >= 3.11 and make: the targets set up .venv themselves.
.DEFAULT_GOAL := help
SHELL := /bin/bash
.SHELLFLAGS := -euo pipefail -c
.DELETE_ON_ERROR:

PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
UV := $(shell command -v uv 2>/dev/null)
# What is compiled is kept, whatever the shell says: each process that starts would compile the project again.
unexport PYTHONDONTWRITEBYTECODE
INPUTS := pyproject.toml requirements.lock requirements-dev.lock requirements-bench.lock
ifdef UV
INSTALL = $(UV) pip install --quiet --python $(BIN)/python
else
INSTALL = $(BIN)/python -m pip install -qq --disable-pip-version-check
endif
# The package itself is linked, not copied, and compiled as a copy would be; its dependencies come from a lock only.
LINK = $(INSTALL) --no-deps --editable . && $(BIN)/python -m compileall -qq recon workers
LOCK = $(UV) pip compile --quiet --universal --python-version 3.11 --generate-hashes --no-header --no-annotate \
	--no-emit-index-url --no-emit-find-links --no-config $(LOCK_FLAGS) pyproject.toml

# Many tests wait for workers and leases: two processes more than there are cores keep the cores busy.
JOBS ?= $(shell $(PYTHON) -c 'import os; print(min(4, 2 + (os.cpu_count() or 1)))')
PYTEST = $(BIN)/python -m pytest
# One process runs all of a file, so that what its tests share is set up once; tests/conftest.py has the order.
TESTS = $(PYTEST) -n $(JOBS) --dist loadfile --no-loadscope-reorder

.PHONY: help demo-loop run test check lint format bench faults soak lock clean down

help: ## say what each target does
	@awk -F ':.*## ' '/^[a-z-]+:.*## / {printf "  make %-9s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

run: $(VENV)/.run ## one cycle over config/recon.yaml (the sample lake, as shipped); ARGS="--json" adds flags
	$(BIN)/recon run $(ARGS)

demo-loop: $(VENV)/.run ## the closed loop, shown: gaps are found, filled by a scraper that is killed once, looked at, closed
	$(BIN)/python examples/demo_loop.py

down: ## stop what a run or daemon left behind (embedded broker, workers)
	@if [ -x $(BIN)/recon ]; then $(BIN)/recon down; fi

check: lint ## ruff, format, import floors, mypy, and the tests that start no whole system
	$(TESTS) --ignore=tests/e2e

test: lint ## everything in check, and every other test; JOBS=2 sets how many processes, ARGS=tests/core chooses
	$(TESTS) $(ARGS)

lint: $(VENV)/.dev
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/lint-imports
	$(BIN)/mypy --num-workers 2

format: $(VENV)/.dev ## rewrite the code in the house format
	$(BIN)/ruff check --fix-only --exit-zero .
	$(BIN)/ruff format .

bench: $(VENV)/.bench ## measure speed and memory (minutes); never part of the tests
	$(PYTEST) tests/bench -o python_files='bench_*.py' -o timeout=3600 -p no:randomly -s $(ARGS)

faults: $(VENV)/.dev ## break everything in the fault matrix, on real processes (minutes), and print what came out; ARGS="--row 6"
	$(BIN)/python tests/fault_matrix.py $(ARGS)

soak: $(VENV)/.dev ## 500 cycles in a row over a changing lake: right answers, and nothing grows (20 minutes); ARGS="--cycles 50"
	$(BIN)/python tests/soak.py $(ARGS)

lock: ## resolve the locks again from pyproject.toml (needs uv on PATH); ARGS=--upgrade takes newer releases
	@command -v uv >/dev/null || { echo "make lock needs uv on PATH: pip install uv" >&2; exit 2; }
	$(LOCK) $(ARGS) -o requirements.lock >/dev/null
	$(LOCK) $(ARGS) --extra dev -c requirements.lock -o requirements-dev.lock >/dev/null
	$(LOCK) $(ARGS) --extra dev --extra bench -c requirements-dev.lock -o requirements-bench.lock >/dev/null

clean: down ## remove .venv, caches and the sample lake; your state (.recon) stays
	rm -rf $(VENV) sample-lake sample-lake.manifest.json build *.egg-info .mypy_cache .ruff_cache .pytest_cache .hypothesis .import_linter_cache
	find . -name __pycache__ -type d -prune -exec rm -rf {} +

# A venv is made anew only when it cannot be used: absent, of another Python, or of a folder that was moved.
$(VENV)/.made: $(INPUTS)
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || { \
		echo "recon needs Python >= 3.11; '$(PYTHON)' is older or missing. Try: make PYTHON=python3.11 $(MAKECMDGOALS)" >&2; exit 2; }
	@if ! $(BIN)/python -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null \
		|| [ "$$(cat $(VENV)/.home 2>/dev/null || pwd)" != "$$(pwd)" ]; then \
		echo "setting up $(VENV) …" >&2; \
		if [ -n "$(UV)" ]; then $(UV) venv --quiet --seed --clear --python "$$(command -v $(PYTHON))" $(VENV); \
		else $(PYTHON) -m venv --clear $(VENV); fi; \
	fi
	@pwd > $(VENV)/.home
	@touch $@

$(VENV)/.run: $(VENV)/.made
	$(INSTALL) --require-hashes -r requirements.lock
	$(LINK)
	@touch $@

$(VENV)/.dev: $(VENV)/.made
	$(INSTALL) --require-hashes -r requirements-dev.lock
	$(LINK)
	@touch $(VENV)/.run $@

$(VENV)/.bench: $(VENV)/.made
	$(INSTALL) --require-hashes -r requirements-bench.lock
	$(LINK)
	@touch $(VENV)/.run $(VENV)/.dev $@
