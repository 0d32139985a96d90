# Every target does all its set-up: Python 3.11+, make and the package registry are enough.
PYTHON ?= python3
VENV   ?= .venv
BIN    := $(VENV)/bin
READY  := $(VENV)/.ready
# What the tools and tests are developed with; `make venv LOCKED=` takes the newest instead.
LOCKED ?= --constraint requirements-dev.txt

.PHONY: venv test browser fuzz audit compat lock docs docs-serve matrix release image-steps protections runbooks chaos chaos-short soak load bench lint format demo clean

venv: $(READY)

$(READY): pyproject.toml requirements-dev.txt
	@$(PYTHON) -c 'import sys; v = sys.version_info; sys.exit(v < (3, 11) and f"mixrelay needs Python 3.11 or newer; {sys.executable} is {v.major}.{v.minor}. Try: make PYTHON=python3.12 $(MAKECMDGOALS)")'
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check $(LOCKED) --editable '.[dev]'
	@touch $@

# Several at once: they wait for servers more than they compute. Ends with what failed and what was
# skipped, and why. Its limits follow the machine: it may be busy, and Ctrl-C may be ignored.
test: $(READY)
	$(BIN)/python -m pytest -n 3 --dist loadfile --no-loadscope-reorder -rsfE

# The dashboard in a real Chromium.
browser: $(READY)
	$(BIN)/python -m pytest tests/browser -n 2 --dist loadfile

# 50,000 cases for each reader; what fails is kept in .fuzz/.
fuzz: $(READY)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --editable '.[fuzz]'
	$(BIN)/python -m tests.fuzz.run --runs 50000

# Known vulnerabilities of what is installed; says so where nobody could be asked.
audit: $(READY)
	$(BIN)/python -m tests.support.audit

# The producer's tests with each redis-py that mixrelay runs with: 5.2, 5.3, 6, 7 and the newest.
compat: $(READY)
	$(BIN)/python -m tests.support.compat

# Writes requirements-dev.txt anew: the newest versions of what development uses, on each Python.
lock:
	$(PYTHON) -m venv $(VENV)/lock
	$(VENV)/lock/bin/python -m pip install --quiet --disable-pip-version-check uv
	$(VENV)/lock/bin/uv pip compile --quiet --upgrade --universal --python-version 3.11 pyproject.toml \
	  --extra dev --no-emit-package mixrelay --no-annotate --custom-compile-command 'make lock' \
	  --output-file requirements-dev.txt

# The site, into .site/: every warning is an error, so each link and anchor leads somewhere.
docs: $(VENV)/docs/.ready
	NO_MKDOCS_2_WARNING=1 $(VENV)/docs/bin/mkdocs build --strict

docs-serve: $(VENV)/docs/.ready
	NO_MKDOCS_2_WARNING=1 $(VENV)/docs/bin/mkdocs serve

$(VENV)/docs/.ready: pyproject.toml
	$(PYTHON) -m venv $(VENV)/docs
	$(VENV)/docs/bin/python -m pip install --quiet --disable-pip-version-check --editable '.[docs]'
	@touch $@

# Unit, integration and acceptance tests on each Python that is here, with the newest and the oldest
# dependencies; some two hours on two cores. MATRIX chooses: make matrix MATRIX='--suites unit'
matrix: $(READY)
	$(BIN)/python -m tests.release.matrix $(MATRIX)

# Builds wheel and sdist twice, proves them on every Python that is here, and leaves all in dist/.
# `make release REHEARSE=1` goes on where version, changelog or tag are not ready.
release: $(READY)
	$(PYTHON) -m venv $(VENV)/release
	$(VENV)/release/bin/python -m pip install --quiet --disable-pip-version-check --editable '.[release]'
	$(VENV)/release/bin/python -m tests.release $(if $(REHEARSE),--rehearse)

# The Dockerfile's steps in a clean Debian, where no engine is; as root, with debootstrap.
image-steps: $(READY)
	$(BIN)/python -m tests.release.image $(or $(IMAGE_FOLDER),/var/tmp/mixrelay-image)

# Takes each protection away and sees its test fail.
protections: $(READY)
	$(BIN)/python -m tests.protections

# docs/runbooks.md, followed to the letter with traffic going on.
runbooks: $(READY)
	$(BIN)/python -m pytest tests/runbooks -v

# Kills, signals, outages and failovers, at full size: about half an hour. Ends with a table.
chaos: $(READY)
	MIXRELAY_CHAOS=full $(BIN)/python -m pytest tests/chaos -v -s -m 'not load and not soak'

# The same attacks with fewer messages and repetitions, which CI runs.
chaos-short: $(READY)
	$(BIN)/python -m pytest tests/chaos -v -n 3 --dist loadfile --no-loadscope-reorder -m 'not load and not soak'

# A steady rate with random faults for MIXRELAY_SOAK_MINUTES (30).
soak: $(READY)
	$(BIN)/python -m pytest tests/chaos -v -s -m soak

# The producer inside gunicorn, uvicorn and Celery; MIXRELAY_LOAD_REQUESTS=20000 for the full size.
load: $(READY)
	$(BIN)/python -m pytest tests/chaos -v -s -m load

# Beside what one would use otherwise, in some twenty minutes; writes docs/performance.md and the
# tables of docs/scale.md anew.
# An environment of its own: one of the others wants an older Celery than the tests use.
bench: $(READY)
	$(BIN)/python -m venv $(VENV)/bench
	$(VENV)/bench/bin/python -m pip install --quiet --disable-pip-version-check --editable '.[bench]'
	$(VENV)/bench/bin/python -m benchmarks
	$(VENV)/bench/bin/python -m benchmarks.scale --write

lint: $(READY)
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/python -m tests.support.lint_imports

format: $(READY)
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

demo: $(READY)
	$(BIN)/mixrelay demo

clean:
	rm -rf $(VENV) .compat .site .site-source dist .mypy_cache .ruff_cache .pytest_cache .hypothesis .import_linter_cache
