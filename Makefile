# make demo and make test set themselves up; Python >= 3.11 with venv and pip is all they assume.
PYTHON ?= python3
VENV ?= .venv
BIN := $(VENV)/bin

.PHONY: install setup browser demo test team-test lint types docs site notebooks bench models audit lock clean

# What users need, and what developers need beside it.
install: $(VENV)/.installed
setup: $(VENV)/.developers

$(VENV)/.installed: requirements.lock pyproject.toml
	@$(PYTHON) -c 'import sys; sys.exit(0 if sys.version_info >= (3, 11) else "nbrelapse needs Python >= 3.11; say make PYTHON=python3.12 ...")'
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --require-hashes -r requirements.lock
	$(BIN)/python -m pip install --quiet --no-deps --no-build-isolation -e .
	@touch $@

$(VENV)/.developers: requirements-dev.lock $(VENV)/.installed
	$(BIN)/python -m pip install --quiet --require-hashes -r requirements-dev.lock
	@touch $@

demo: install
	$(BIN)/nbrelapse quickstart --overwrite

# The tests of the pages want Chromium; without one they are skipped and say so.
browser:
	@command -v chromium || command -v chromium-browser || command -v google-chrome || { \
	  [ "$$(id -u)" = 0 ] && command -v apt-get && apt-get update -qq && \
	  DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends chromium fonts-liberation; \
	} >/dev/null 2>&1 || echo "Chromium could not be installed: the tests of the pages in a browser will be skipped."

test: setup browser
	$(BIN)/python -m pytest -n auto --dist loadfile

# A tracking server with PostgreSQL, users and S3, from nothing; says why where it cannot run.
team-test: setup
	$(BIN)/python tools/team_test.py

lint: setup
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .

types: setup
	$(BIN)/mypy

# What stands in the pages is true and runs; the site is built of them, without a warning.
docs: site
	$(BIN)/python docs/check.py

# To be read from a folder: build/site/index.html.
site: setup
	$(BIN)/python -m sphinx --builder html --fresh-env --fail-on-warning --keep-going --nitpicky --quiet \
	  --doctree-dir build/doctrees docs build/site

notebooks: setup
	$(BIN)/python notebooks/run.py

bench: setup
	@for file in benchmarks/[a-z]*.py; do $(BIN)/python $$file || exit 1; done

# Writes the reference models anew, those of real patients where NBRELAPSE_DATA (default ../shared/data) has the cohorts;
# the same code and libraries give the same bytes. models/quickstart alone: .venv/bin/python tools/models.py quickstart
models: setup
	$(BIN)/python tools/models.py

# Advisories, licences and weight of the packages of requirements.lock.
audit: setup
	$(BIN)/python tools/audit.py

COMPILE := $(BIN)/uv pip compile --universal --python-version 3.11 --generate-hashes --no-emit-index-url \
  --no-emit-find-links --no-header --quiet

lock: setup
	$(COMPILE) --extra build --extra dask --extra postgres --extra s3 --output-file requirements.lock pyproject.toml
	$(COMPILE) --all-extras --constraints requirements.lock --output-file requirements-dev.lock pyproject.toml

clean:
	rm -rf $(VENV) build dist demo
