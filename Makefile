# Two commands: `make run` and `make test`. Both make what they need and are quick the second time. `make grown` is for
# trying out how it runs on several machines.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin

.PHONY: run test lint lock sbom grown pictures clean

run: $(VENV)/.run-installed
	@$(BIN)/python -m core up --demo

test: $(VENV)/.test-installed lint
	$(BIN)/python -m pytest -n 2 --dist loadgroup

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

lock: $(VENV)/.test-installed
	$(BIN)/python -m pip install --quiet --disable-pip-version-check uv
	$(BIN)/uv pip compile --universal --python-version 3.11 --quiet --no-header --no-annotate \
		--no-emit-index-url --no-emit-find-links pyproject.toml -o requirements.txt
	$(BIN)/uv pip compile --universal --python-version 3.11 --quiet --no-header --no-annotate \
		--no-emit-index-url --no-emit-find-links --extra grown -c requirements.txt pyproject.toml -o $(VENV)/grown.txt
	$(BIN)/uv pip compile --universal --python-version 3.11 --quiet --no-header --no-annotate \
		--no-emit-index-url --no-emit-find-links --extra dev -c requirements.txt -c $(VENV)/grown.txt pyproject.toml \
		-o $(VENV)/dev.txt
	@{ echo "-r requirements.txt"; grep -v -x -F -f requirements.txt $(VENV)/grown.txt; } > requirements-grown.txt
	@{ echo "-r requirements-grown.txt"; grep -v -x -F -f $(VENV)/grown.txt $(VENV)/dev.txt; } > requirements-dev.txt

grown: $(VENV)/.test-installed
	@$(BIN)/python -m tests.grown

sbom: $(VENV)/.test-installed
	@$(BIN)/python -m tests.sbom

pictures: $(VENV)/.test-installed
	$(BIN)/python -m tests.readme_pictures

clean:
	rm -rf $(VENV) .pytest_cache .ruff_cache .mypy_cache .hypothesis
