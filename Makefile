# Every target does its own set-up: all it needs is python 3.11+ with pip and venv, and make.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
export PIP_DISABLE_PIP_VERSION_CHECK := 1

.PHONY: help demo test test-deep coverage targets bench package lint format clean
.DEFAULT_GOAL := help

help:
	@echo "make demo       real queries over 336,776 flights: as written, optimized, cached, explained, exported"
	@echo "make test       the tests"
	@echo "make test-deep  the long property, soak and fault runs"
	@echo "make coverage   the tests, with the lines and branches they reach"
	@echo "make targets    the five targets measured, and what is published of them"
	@echo "make bench      all benchmarks at full size, against the peers, and the targets"
	@echo "make package    a wheel and an sdist in dist/, tried in an empty environment"
	@echo "make lint       ruff, mypy --strict, import-linter"
	@echo "make clean      remove everything that was made here"

$(VENV)/.created:
	@$(PYTHON) -c 'import sys; v = sys.version_info; sys.exit(0 if v >= (3, 11) else "python 3.11 or newer is needed, $(PYTHON) is %d.%d; try make PYTHON=python3.12" % v[:2])'
	$(PYTHON) -m venv $(VENV)
	@# dependency groups came with pip 25.1
	@$(BIN)/python -c 'import pip, sys; sys.exit(tuple(map(int, pip.__version__.split(".")[:2])) < (25, 1))' \
		|| $(BIN)/python -m pip install --quiet --upgrade 'pip>=25.1'
	@touch $@

$(VENV)/.group-%: $(VENV)/.created pyproject.toml
	@echo "installing the $* tools into $(VENV) (once)"
	@$(BIN)/python -m pip install --quiet --editable . --group $*
	@touch $@

demo: $(VENV)/.group-demo
	@$(BIN)/python examples/demo.py

test: $(VENV)/.group-test
	@$(BIN)/python -m pytest -q -m "not deep"

test-deep: $(VENV)/.group-test
	@$(BIN)/python -m pytest -q --hypothesis-profile=deep -m "deep or hypothesis"

coverage: $(VENV)/.group-test
	@$(BIN)/python -m coverage run -m pytest -q -m "not deep"
	@$(BIN)/python -m coverage report --fail-under=95

targets: $(VENV)/.group-test
	@$(BIN)/python benchmarks/bench_targets.py

BENCHES := $(filter-out benchmarks/bench_targets.py,$(wildcard benchmarks/bench_*.py))
bench: $(VENV)/.group-test
	@for bench in $(BENCHES); do echo; echo "== $$bench"; $(BIN)/python $$bench || exit 1; done
	@echo; echo "== the targets"; $(BIN)/python benchmarks/bench_targets.py

package: $(VENV)/.group-test
	@rm -rf dist
	@$(BIN)/python -m build --quiet --no-isolation --outdir dist .
	@$(BIN)/python tests/wheel_in_empty_environment.py dist README.md

lint: $(VENV)/.group-lint
	@$(BIN)/ruff check .
	@$(BIN)/ruff format --check .
	@$(BIN)/mypy
	@$(BIN)/lint-imports

format: $(VENV)/.group-lint
	@$(BIN)/ruff check --fix .
	@$(BIN)/ruff format .

clean:
	rm -rf $(VENV) .cache .mypy_cache .ruff_cache .pytest_cache .import_linter_cache .hypothesis .coverage htmlcov dist
