# Two commands do all the set-up on a machine with Python 3.11, 3.12 or 3.13 and make: `make demo` and `make test`.
PYTHON ?= $(firstword $(foreach p,python3.11 python3.12 python3.13 python3,$(shell command -v $(p) 2>/dev/null)))
VENV   := .venv
BIN    := $(VENV)/bin
READY  := $(VENV)/.ready

.DEFAULT_GOAL := help
# With another Python: make PYTHON=python3.13 test-latest
.PHONY: help env demo test test-fast coverage test-latest test-lowest test-spark test-soma test-writers stress simulation lint bench oracle lock clean

help: ## this list
	@awk -F':.*## ' '/^[a-z-]+:.*## /{printf "  make %-11s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

env: $(READY) ## create .venv with the locked dependencies and this project

$(READY): requirements.txt pyproject.toml
	@$(PYTHON) -c 'import sys; sys.exit(0 if sys.version_info >= (3, 11) else "Python 3.11 or newer is needed; got " + sys.version.split()[0] + ". Try: make PYTHON=python3.12 env")'
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --no-compile --require-hashes -r requirements.txt
	@$(BIN)/python -m compileall -qq -j 0 $(VENV)/lib || true # half of an install, were it pip's: that uses one core
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --no-deps --no-build-isolation -e .
	@touch $@

demo: $(READY) ## run the main job on a small synthetic world (DATA=DIR: on the real files there)
	$(BIN)/featurestore demo $(if $(DATA),--data $(DATA))

test: $(READY) ## run the tests
	$(BIN)/pytest -n 3 --dist loadfile --no-loadscope-reorder

test-fast: $(READY) ## the tests that neither ingest nor fit, in about a minute
	$(BIN)/pytest -n 3 --dist loadfile --no-loadscope-reorder -m "not slow"

coverage: $(READY) ## which lines the tests of make test-fast reach, with a floor
	$(BIN)/pytest -n 3 --dist loadfile --no-loadscope-reorder -m "not slow" --cov --cov-report=term:skip-covered

test-latest test-lowest: test-%: .venv-%/.ready ## run the tests with the newest (the lowest declared) version of every dependency
	.venv-$*/bin/pytest -n 3 --dist loadfile --no-loadscope-reorder

# uv resolves; the tools of the tests are the newest that go with it.
RESOLUTION_latest := highest
RESOLUTION_lowest := lowest-direct
EXTRAS := chemistry cloud cluster enrichment excel filters r ui
.venv-latest/.ready .venv-lowest/.ready: .venv-%/.ready: pyproject.toml
	$(PYTHON) -m venv $(@D)
	$(@D)/bin/python -m pip install --quiet --disable-pip-version-check uv
	$(@D)/bin/uv pip compile --quiet --no-deps --python $(@D) --resolution $(RESOLUTION_$*) $(EXTRAS:%=--extra %) pyproject.toml -o $(@D)/versions.txt
	$(@D)/bin/uv pip install --quiet --python $(@D) -r $(@D)/versions.txt --group dev -e .
	@touch $@

test-spark: .venv-spark/.ready ## the worked questions on a small Spark cluster: the answers of DuckDB (needs Java 17)
	.venv-spark/bin/pytest tests/spark

test-soma: .venv-soma/.ready ## experiments of TileDB-SOMA, as its own library writes them
	.venv-soma/bin/pytest tests/soma

test-writers: .venv-writers/.ready ## files of the programs that count reads, run on simulated reads: those that are installed
	PATH="$(CURDIR)/.venv-writers/bin:$$PATH" .venv-writers/bin/pytest tests/writers

.venv-spark/.ready .venv-soma/.ready .venv-writers/.ready: .venv-%/.ready: requirements.txt tests/%/requirements.txt pyproject.toml
	$(PYTHON) -m venv $(@D)
	$(@D)/bin/python -m pip install --quiet --disable-pip-version-check --require-hashes -r requirements.txt -r tests/$*/requirements.txt
	$(@D)/bin/python -m pip install --quiet --disable-pip-version-check --no-deps --no-build-isolation -e .
	@touch $@

# Where 4 GB of memory can be had as a disk, nothing waits for one: a process that is killed loses nothing by it.
MEMORY = $(shell df -k --output=avail /dev/shm 2>/dev/null | awk 'NR > 1 && $$1 > 4000000 {print "/dev/shm"}')
stress: $(READY) ## all trials of crashes, concurrency and bad input, with a table of what survived
	FEATURESTORE_STRESS=1 $(MEMORY:%=TMPDIR=%) $(BIN)/pytest -n 3 --dist worksteal --durations 8 \
		-o tmp_path_retention_policy=failed tests/trust

simulation: $(READY) ## what external signatures add, in simulation from cells to scores, on five seeds
	FEATURESTORE_STRESS=1 $(BIN)/pytest -n 2 --dist load tests/featurestore/evaluation/test_simulation.py

lint: $(READY) ## style, types, known weaknesses and import rules
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/bandit -q -c pyproject.toml -r featurestore ingest
	$(BIN)/lint-imports

bench: $(READY) .venv-peers/.ready ## measure against the tools a user would pick instead, in about ten minutes
	$(BIN)/python tests/benchmarks/run.py

bench-full: $(READY) .venv-peers/.ready ## the same at full size: an hour, 40 GB of disk
	$(BIN)/python tests/benchmarks/run.py --full --runs 5

oracle: $(READY) .venv-peers/.ready ## every metric and test against the tools that it is checked with (limma where R has it): the differences
	$(BIN)/python tests/benchmarks/metrics.py
	$(BIN)/python tests/benchmarks/challenge.py
	$(BIN)/python tests/benchmarks/limma.py
	$(BIN)/python tests/benchmarks/significance.py
	$(BIN)/python tests/benchmarks/search.py oracle

.venv-peers/.ready: tests/benchmarks/peers.txt
	$(PYTHON) -m venv .venv-peers
	.venv-peers/bin/python -m pip install --quiet --disable-pip-version-check --require-hashes -r tests/benchmarks/peers.txt
	@touch $@

lock: $(READY) ## rewrite what is pinned, from pyproject.toml, tests/*/requirements.in and tests/benchmarks/peers.in (needs uv in .venv: pip install uv)
	$(BIN)/uv pip compile --quiet --universal --python-version 3.11 --generate-hashes --no-header $(EXTRAS:%=--extra %) --group dev pyproject.toml -o requirements.txt
	for extra in spark soma writers; do $(BIN)/uv pip compile --quiet --universal --python-version 3.11 --generate-hashes --no-header -c requirements.txt tests/$$extra/requirements.in -o tests/$$extra/requirements.txt; done
	$(BIN)/uv pip compile --quiet --universal --python-version 3.11 --generate-hashes --no-header tests/benchmarks/peers.in -o tests/benchmarks/peers.txt

clean: ## remove the environment and caches
	rm -rf $(VENV) .venv-latest .venv-lowest .venv-peers .venv-spark .venv-soma .venv-writers .mypy_cache .ruff_cache .pytest_cache .import_linter_cache
