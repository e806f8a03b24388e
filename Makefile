# A fresh machine needs Python 3.11 or newer, make and the package index; everything else is installed into .venv.
PYTHON ?= python3
BIN := .venv/bin
INSTALLED := .venv/.installed
UV := .venv-uv/bin/uv
PATHS := src tests integration_tests benchmarks
# Versions of dbt beside the one in .venv, each in an environment of its own.
OLDER_DBT := 1.8 1.9 1.10
# Environments of dbt-osmosis that `make test` has beside .venv: without its openai extra, and with it.
OSMOSIS := 1.5.0 1.5.0-openai
OLDER_OSMOSIS := 1.3.0 1.4.0
OSMOSIS_DEMO := .osmosis/demo_duckdb/dbt_project.yml
# What `make bench` compares with, each without dbt-describe beside it; `BENCH=quick` takes a minute or two.
BENCH ?= full
BENCHED := .venv-bench-osmosis/.installed .venv-bench-scribe/.installed .venv-osmosis-1.5.0-openai/.installed
OSMOSIS_INSTALLED := $(OSMOSIS:%=.venv-osmosis-%/.installed) $(OSMOSIS_DEMO)

.DEFAULT_GOAL := help
# Environments and stamps are kept, though only pattern rules name them.
.SECONDARY:
.PHONY: help demo test test-slow test-matrix check fast bench bench-parts bench-scale bench-targets format clean

help:
	@echo "make demo   document a small shop project on DuckDB, with no key and no network"
	@echo "make test   everything CI runs: checks, fast tests, integration tests"
	@echo "make test-matrix  the tests of what differs between versions of dbt, with dbt 1.8, 1.9, 1.10 and 1.11, and of dbt-osmosis"
	@echo "make test-slow  the tests that CI leaves out as they take long: whole stories, all selections, drafts of the large real projects"
	@echo "make fast   the fast tests alone"
	@echo "make check  ruff and mypy"
	@echo "make bench  dbt-osmosis, dbt-scribe and dbt-describe on the same work: a quarter of an hour; BENCH=quick: some minutes"
	@echo "make bench-parts  how near a run is to the least time that the DAG allows, what the gateway adds to the SDK, and how fast files are edited"
	@echo "make bench-scale  time and memory of each stage for 1,000, 5,000 and 20,000 models: about 20 minutes"
	@echo "make bench-targets  what start-up, plans of 737 and 10,000 models and edits of 1,000 schema files take, and may take"
	@echo "make clean  remove the environments and what was made"

# uv installs in seconds what pip takes a minute or two for, and there are several environments.
$(UV): constraints.txt
	$(PYTHON) -m venv .venv-uv
	.venv-uv/bin/python -m pip install --quiet --disable-pip-version-check -c constraints.txt uv
	@touch $@

$(INSTALLED): pyproject.toml constraints.txt $(UV)
	$(UV) venv --quiet --clear --python $(PYTHON) .venv
	$(UV) pip install --quiet --compile-bytecode --python .venv -c constraints.txt -e ".[dev,duckdb]"
	@touch $@

# dbt-osmosis pins packages below what .venv has, so that it needs environments of its own.
.venv-osmosis-%/.installed: pyproject.toml constraints/osmosis-%.txt $(UV)
	$(UV) venv --quiet --clear --python $(PYTHON) $(@D)
	$(UV) pip install --quiet --compile-bytecode --python $(@D) -c constraints/osmosis-$*.txt \
		-e . "dbt-osmosis$(if $(filter %-openai,$*),[openai])==$(firstword $(subst -, ,$*))" dbt-duckdb
	@touch $@

# Its demo project is in its source distribution alone, which uv unpacks into its cache to build from.
$(OSMOSIS_DEMO): $(UV)
	@rm -rf .osmosis
	$(UV) pip install --quiet --no-deps --no-binary dbt-osmosis --cache-dir .osmosis/cache --target .osmosis/built \
		"dbt-osmosis==$(firstword $(OSMOSIS))"
	@mv "$$(find .osmosis/cache -type d -name demo_duckdb)" .osmosis/demo_duckdb
	@rm -rf .osmosis/cache .osmosis/built
	@touch $@

demo: $(INSTALLED)
	@PATH="$(CURDIR)/$(BIN):$$PATH" bash demo/run.sh

check: $(INSTALLED)
	$(BIN)/ruff check $(PATHS)
	$(BIN)/ruff format --check $(PATHS)
	$(BIN)/mypy

fast: $(INSTALLED)
	$(BIN)/pytest -n auto --dist worksteal tests

# mypy has a core of its own for a minute, beside tests that wait for one another.
test: $(INSTALLED) $(OSMOSIS_INSTALLED)
	$(BIN)/ruff check $(PATHS)
	$(BIN)/ruff format --check $(PATHS)
	@$(BIN)/mypy & types=$$!; \
	$(BIN)/pytest -n auto --dist worksteal -m "not slow" --durations=30 tests integration_tests; tests=$$?; \
	wait $$types && exit $$tests

test-slow: $(INSTALLED) $(OSMOSIS_INSTALLED)
	$(BIN)/pytest -n auto --dist worksteal -m slow tests integration_tests

# Apart, as it takes minutes, and more of them where the environments aren't there yet.
test-matrix: $(OLDER_DBT:%=test-dbt-%) $(INSTALLED) $(OLDER_OSMOSIS:%=.venv-osmosis-%/.installed) $(OSMOSIS_INSTALLED)
	$(BIN)/pytest -n auto --dist worksteal -m engine integration_tests

test-dbt-%: .venv-dbt-%/.installed
	.venv-dbt-$*/bin/python -m pytest -n auto --dist worksteal -m engine integration_tests

.venv-dbt-%/.installed: pyproject.toml constraints/dbt-%.txt $(UV)
	$(UV) venv --quiet --clear --python $(PYTHON) $(@D)
	$(UV) pip install --quiet --compile-bytecode --python $(@D) -c constraints/dbt-$*.txt -e ".[duckdb,test]"
	@touch $@

.venv-bench-osmosis/.installed: constraints/osmosis-1.5.0-openai.txt $(UV)
	$(UV) venv --quiet --clear --python $(PYTHON) $(@D)
	$(UV) pip install --quiet --compile-bytecode --python $(@D) -c constraints/osmosis-1.5.0-openai.txt \
		"dbt-osmosis[openai]==1.5.0" "dbt-core<1.12" dbt-duckdb
	@touch $@

.venv-bench-scribe/.installed: constraints/scribe-0.2.1.txt $(UV)
	$(UV) venv --quiet --clear --python $(PYTHON) $(@D)
	$(UV) pip install --quiet --compile-bytecode --python $(@D) -c constraints/scribe-0.2.1.txt dbt-scribe==0.2.1
	@touch $@

bench: $(INSTALLED) $(BENCHED) $(OSMOSIS_DEMO)
	$(BIN)/python -m benchmarks.side_by_side $(if $(filter quick,$(BENCH)),--quick)

bench-parts: $(INSTALLED)
	$(BIN)/python -m benchmarks.dag_lower_bound
	$(BIN)/python -m benchmarks.gateway_throughput
	$(BIN)/python -m benchmarks.schema_files

# Apart, as it takes minutes.
bench-scale: $(INSTALLED)
	$(BIN)/python -m benchmarks.scale

bench-targets: $(INSTALLED)
	$(BIN)/python -m benchmarks.targets

format: $(INSTALLED)
	$(BIN)/ruff check --fix $(PATHS)
	$(BIN)/ruff format $(PATHS)

clean:
	rm -rf .venv .venv-* .bench .demo .osmosis build dist .mypy_cache .pytest_cache .ruff_cache .hypothesis
