# Everything a checkout needs. `make demo` and `make test` install what they use; nothing else is assumed but Python.

PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
PIP := $(BIN)/python -m pip --disable-pip-version-check install -q -c constraints.txt
DEMO := demo-output

.PHONY: demo test check format bench clean constraints

demo: $(VENV)/.runtime  ## Make a video from the bundled chapter and print where it is
	@MANGAVID_CONFIG= $(BIN)/mangavid --home $(DEMO) run --sample

test: $(VENV)/.dev  ## Run every check and every test
	@$(MAKE) --no-print-directory gates
	$(BIN)/python -m pytest -n 2 --dist loadfile

check: $(VENV)/.dev  ## The fast gate: format, lint, arrows, types, unit and contract tests
	@$(MAKE) --no-print-directory gates
	$(BIN)/python -m pytest -m "not slow" tests/unit tests/contract

.PHONY: gates
gates:
	$(BIN)/ruff format --check -q .
	$(BIN)/ruff check -q .
	$(BIN)/lint-imports --no-logo
	$(BIN)/mypy

format: $(VENV)/.dev
	$(BIN)/ruff format -q .
	$(BIN)/ruff check -q --fix .

bench: $(VENV)/.dev  ## Speed, as ratios against peers in one run
	$(BIN)/python -m tests.bench

constraints:  ## Pin again, without addresses
	$(BIN)/python -m pip install -q uv
	$(BIN)/uv pip compile -q --universal --no-header --no-annotate --python-version 3.11 \
	    --extra test --extra lint pyproject.toml -o constraints.txt
	for group in mangavid/aws/package/locks/*.in; do \
	    $(BIN)/uv pip compile -q --universal --no-header --no-annotate --python-version 3.11 --generate-hashes \
	        -c constraints.txt $$group -o $${group%.in}.txt || exit 1; done

clean:
	rm -rf $(VENV) .bench-venv .checkov-venv .ministack-venv .node build dist $(DEMO)

$(VENV)/bin/python:
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || \
	    { echo "make: Python 3.11 or newer is needed; name one with: make PYTHON=python3.12 …" >&2; exit 1; }
	@echo "creating $(VENV) (some minutes the first time)"
	@$(PYTHON) -m venv $(VENV)

$(VENV)/.runtime: pyproject.toml constraints.txt | $(VENV)/bin/python
	@$(PIP) -e .
	@touch $@

$(VENV)/.dev: pyproject.toml constraints.txt | $(VENV)/bin/python
	@$(PIP) -e '.[test,lint]'
	@touch $@ $(VENV)/.runtime
