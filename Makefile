# `make demo` sets everything up and runs the main job; `make test` sets everything up and runs the tests.
PYTHON ?= python3
VENV ?= .venv
BIN := $(VENV)/bin

.PHONY: demo test test-fast test-engines test-long supply-chain fuzz check install install-dev lint types imports lock clean

$(VENV)/.installed: pyproject.toml requirements.lock
	$(PYTHON) -m venv $(VENV)
	$(BIN)/pip install --quiet --upgrade pip
	$(BIN)/pip install --quiet -c requirements.lock torch
	$(BIN)/pip install --quiet -c requirements.lock -e '.[hf]'
	touch $@

$(VENV)/.installed-dev: $(VENV)/.installed
	$(BIN)/pip install --quiet -c requirements.lock -e '.[hf,dev]'
	touch $@

install: $(VENV)/.installed

install-dev: $(VENV)/.installed-dev

demo: install
	$(BIN)/mmeval run -m tiny -t demo

# Two at a time: most of the time goes to child processes, which find mmeval compiled even where PYTHONDONTWRITEBYTECODE is set.
test: install-dev
	$(BIN)/python -m compileall -q mmeval
	$(BIN)/pytest -n 2 --dist worksteal

test-fast: install-dev
	$(BIN)/pytest -m 'not slow and not model and not browser'

$(VENV)-vllm/.installed: scripts/engines/environment.py
	$(PYTHON) scripts/engines/environment.py vllm $(VENV)-vllm
	touch $@

$(VENV)-lmdeploy/.installed: scripts/engines/environment.py
	$(PYTHON) scripts/engines/environment.py lmdeploy $(VENV)-lmdeploy
	touch $@

# The real vLLM (CPU build) and LMDeploy, each in an environment of its own.
test-engines: install-dev $(VENV)-vllm/.installed $(VENV)-lmdeploy/.installed
	MMEVAL_VLLM_PYTHON=$(abspath $(VENV)-vllm/bin/python) \
	MMEVAL_LMDEPLOY_PYTHON=$(abspath $(VENV)-lmdeploy/bin/python) $(BIN)/pytest -m engine

# Every fault at every point (minutes); `make test` has the short ones.
test-long: install-dev
	MMEVAL_LONG_TESTS=1 $(BIN)/pytest -n 2 --dist worksteal tests/faults tests/on_ray tests/reports/test_hostile_page.py tests/reports/test_accessibility.py tests/analysis/test_diagnose_truth.py

lint: install-dev
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .

types: install-dev
	$(BIN)/mypy

imports: install-dev
	$(BIN)/lint-imports

# Bill of materials, licences, known vulnerabilities; the tools have an environment of their own.
$(VENV)-audit/.installed: Makefile
	$(PYTHON) -m venv $(VENV)-audit
	$(VENV)-audit/bin/pip install --quiet 'pip-licenses>=5.0' 'cyclonedx-bom>=5.0' 'pip-audit>=2.7' 'license-expression>=30'
	touch $@

supply-chain: install-dev $(VENV)-audit/.installed
	$(VENV)-audit/bin/python scripts/supply_chain.py --python $(BIN)/python

# Ten million inputs take about an hour on two cores.
fuzz: install-dev
	$(BIN)/pip install --quiet 'atheris>=3.0'
	$(BIN)/python -m tests.fuzz.run --inputs $(or $(INPUTS),10000000)

check: lint types imports test

clean:
	rm -rf $(VENV) $(VENV)-audit $(VENV)-vllm $(VENV)-lmdeploy build dist *.egg-info
