# Two commands: `make run` and `make test`. Both make what they need and are quick the second time. `make grown` is for
# trying out how it runs on several machines.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin

# Whoever keeps Python from writing what it compiled compiles all of it in every process.
export PYTHONDONTWRITEBYTECODE :=

.PHONY: run test test-embedded test-beside test-grown lint lock sbom grown pictures clean

run: $(VENV)/.run-installed
	@$(BIN)/python -m core up --demo

# Side by side: what lies beside the tests takes about one processor.
test: $(VENV)/.test-installed
	@$(MAKE) --no-print-directory -j 2 test-embedded test-beside

test-embedded: $(VENV)/.test-installed
	$(BIN)/python -m pytest -n 3

test-beside: lint
	$(BIN)/python -m pytest -q -p no:cacheprovider -n 1 --on grown @tests/on_both > $(VENV)/on-both.log 2>&1; \
		ended=$$?; cat $(VENV)/on-both.log; exit $$ended

# All of core and db on PostgreSQL and an S3, of which `make test` runs what is likeliest to differ.
test-grown: $(VENV)/.test-installed
	$(BIN)/python -m pytest -n 3 --on grown tests/core tests/db tests/dashboard/test_outages.py tests/dashboard/api

lint: $(VENV)/.test-installed
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports

$(VENV)/bin/python:
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' \
		|| { echo "Longview needs Python 3.11 or newer; set PYTHON=/path/to/python3.11"; exit 1; }
	$(PYTHON) -m venv $(VENV)

$(VENV)/.run-installed: requirements.txt | $(VENV)/bin/python
	$(BIN)/python -m pip install --quiet --disable-pip-version-check -r requirements.txt
	@touch $@

$(VENV)/.test-installed: requirements.txt requirements-grown.txt requirements-dev.txt | $(VENV)/bin/python
	$(BIN)/python -m pip install --quiet --disable-pip-version-check -r requirements-dev.txt
	@touch $@ $(VENV)/.run-installed

COMPILE := $(BIN)/uv pip compile --universal --python-version 3.11 --quiet --no-header --no-annotate --generate-hashes \
	--no-emit-index-url --no-emit-find-links pyproject.toml

# Every file is named by its sha256: pip takes no other, whoever hands it out.
lock: $(VENV)/.test-installed
	$(BIN)/python -m pip install --quiet --disable-pip-version-check uv
	$(COMPILE) -o requirements.txt
	$(COMPILE) --extra grown -c requirements.txt -o $(VENV)/grown.txt
	$(COMPILE) --extra dev -c requirements.txt -c $(VENV)/grown.txt -o $(VENV)/dev.txt
	@{ echo "-r requirements.txt"; $(BIN)/python -m tests.locked $(VENV)/grown.txt requirements.txt; } > requirements-grown.txt
	@{ echo "-r requirements-grown.txt"; $(BIN)/python -m tests.locked $(VENV)/dev.txt $(VENV)/grown.txt; } > requirements-dev.txt

# What runs is made of, in CycloneDX.
sbom: $(VENV)/.test-installed
	@$(BIN)/cyclonedx-py requirements requirements-grown.txt --pyproject pyproject.toml --output-format JSON \
		--output-reproducible --output-file longview.cdx.json
	@echo "longview.cdx.json"

grown: $(VENV)/.test-installed
	@$(BIN)/python -m tests.grown

pictures: $(VENV)/.test-installed
	$(BIN)/python -m tests.readme_pictures

clean:
	rm -rf $(VENV) .pytest_cache .ruff_cache .mypy_cache .hypothesis
