# From RNNs to GPT.  Type `make` to see what there is.

# The Python that makes .venv: the first of these that is new enough (a name
# can be on PATH and still not run, so each is tried), or PYTHON=... .
PYTHONS := python3 python3.14 python3.13 python3.12 python3.11 python
ENOUGH := import sys; sys.exit(sys.version_info < (3, 11))
PYTHON ?= $(shell for p in $(PYTHONS); do \
	$$p -c '$(ENOUGH)' >/dev/null 2>&1 && echo $$p && break; done)

JOBS ?= 2
PY := .venv/bin/python
PYTEST := $(PY) -m pytest -q -n $(JOBS) --dist loadfile
NBVAL := --nbval --nbval-current-env --nbval-cell-timeout=1200
export PYDEVD_DISABLE_FILE_VALIDATION := 1

.DEFAULT_GOAL := help
.DELETE_ON_ERROR:
.NOTPARALLEL:
.PHONY: help book test lab run format check unit notebooks-test book-check \
	notebooks clean

help: ## list the targets
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "make %-15s %s\n", $$1, $$2 }' \
		Makefile

book: .venv/.installed ## build the book into _build/html
	@$(PY) -m tools.build_book

test: .venv/.installed ## check, unit, notebooks, book, pages; a summary
	@MAKE='$(MAKE)' $(PY) -m tools.run_tests

lab: .venv/.installed ## open the notebooks in JupyterLab
	@$(PY) -m jupyterlab notebooks $(LAB)

run: .venv/.installed ## one chapter: make run CHAPTER=01 P="-p seed 7"
	@$(PY) -m tools.run_chapter '$(CHAPTER)' $(P)

format: .venv/.installed ## put code and notebooks in the common form
	$(PY) -m ruff check --fix-only .
	$(PY) -m ruff format .

check: .venv/.installed ## form, common errors and types; writes nothing
	$(PY) -m ruff check .
	$(PY) -m ruff format --check .
	$(PY) -m mypy

unit: .venv/.installed ## test the package and the tools
	$(PYTEST) tests --ignore=tests/book

notebooks-test: .venv/.installed ## run every notebook, compare its outputs
	$(PYTEST) $(NBVAL) notebooks

book-check: $(if $(BUILT),.venv/.installed,book) ## test the pages in a browser
	@$(PY) tools/doctor.py browser >/dev/null
	$(PY) -m pytest -q -n $(JOBS) --dist loadgroup tests/book

notebooks: .venv/.installed ## run notebooks in place: all, or NB="a.ipynb ..."
	@$(PY) -m tools.run_notebooks -j $(JOBS) $(NB)

clean: ## remove what was built (.venv stays)
	rm -rf _build .mypy_cache .pytest_cache .ruff_cache .hypothesis

# The doctor says in one sentence why there can be no environment.
.venv/.installed: pyproject.toml constraints.txt
	@python='$(PYTHON)'; \
	if ! command -v "$${python:=python3}" >/dev/null 2>&1; then \
		echo "There is no $$python here, and the course needs Python 3.11" \
			"or newer: install it (on Debian and Ubuntu: sudo apt-get" \
			"install python3 python3-venv), then type make again." >&2; \
		exit 1; \
	fi; \
	"$$python" tools/doctor.py python || exit 1; \
	if ! $(PY) -m pip --version >/dev/null 2>&1; then \
		echo "Making the environment in .venv with $$python ..."; \
		"$$python" -m venv --clear .venv || exit 1; \
	fi
	@echo "Installing the pinned packages into .venv (a few minutes, once) ..."
	@$(PY) -m pip install --disable-pip-version-check -q \
		-c constraints.txt -e '.[book,lab,corpora,dev]'
	@mkdir -p .venv/etc/ipython # each kernel warns of local TCP otherwise
	@echo "c.IPKernelApp.log_level = 'ERROR'" \
		> .venv/etc/ipython/ipython_kernel_config.py
	@touch $@
