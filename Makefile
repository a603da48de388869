# Muster. `make help` says what there is. PYTHON=... names the Python to use; settings come from the environment.

VENV := .venv
PY := $(VENV)/bin/python
.DEFAULT_GOAL := help
.NOTPARALLEL:
.PHONY: help run demo test test-postgres test-ldap test-package test-api test-oidc quick faults package lint format lock screens bench bench-peers clean venv dev

help: ## Say what there is
	@sed -n 's/^\([a-z-]*\):.*## \(.*\)/  make \1|\2/p' $(MAKEFILE_LIST) | awk -F'|' '{printf "%-22s%s\n", $$1, $$2}'

run: venv ## Start Muster: queue, database, workers, web
	@exec $(PY) -m webapp.supervisor

demo: venv ## Start Muster with an example school, in a folder of its own that each start fills again
	@exec $(PY) -m demo

# A file is played by one process. Three keep two processors busy: each waits a fifth of the time for others. Python keeps what it has compiled, whatever the environment says: here it starts a hundred times.
BY_FILE := -n 3 --dist loadfile --no-loadscope-reorder
test test-postgres test-ldap quick faults: export PYTHONDONTWRITEBYTECODE :=

# Without a browser everything else is run, and it fails in the end. TESTS="tests/core tests/browser/test_grid.py" names a part.
test: dev ## Run every test, those in a real browser included
	@if path="$$($(PY) -m tests.chromium)"; then CHROMIUM_PATH="$$path" exec $(PY) -m pytest $(BY_FILE) --durations=10 $(TESTS); fi; \
	$(PY) -m pytest $(BY_FILE) --durations=10 --ignore=tests/browser $(filter-out tests/browser%,$(TESTS)); \
	$(PY) -m tests.chromium --why

test-postgres: dev ## Run the tests of what touches database or queue, on PostgreSQL and a queue server over TCP
	@$(PY) -m pytest $(BY_FILE) --postgres --ignore=tests/browser $(TESTS)

# What is pinned is downloaded; then everything is installed from files alone, into empty environments.
test-package: dev ## Install the wheel as others do, without an index, and import files
	@$(PY) -m pytest -m package tests/run/test_package.py

test-ldap: dev ## Run the tests against a real directory server, which they install as root on Debian
	@$(PY) -m tests.directory_server && $(PY) -m pytest -m ldap tests/ldap

# schemathesis brings many packages, in other versions than ours.
CONTRACT := .venv-contract
test-api: dev ## Try the API against its document, with whatever schemathesis makes up
	@cmp -s tests/contract/requirements.txt $(CONTRACT)/requirements.txt || { \
		rm -rf $(CONTRACT) && $(PY) -m venv $(CONTRACT) && \
		$(CONTRACT)/bin/python -m pip install --quiet --disable-pip-version-check --require-hashes -r tests/contract/requirements.txt && \
		cp tests/contract/requirements.txt $(CONTRACT)/requirements.txt; }
	@$(PY) -m pytest -m contract tests/contract

NODE := tests/node_provider
test-oidc: dev ## Sign in through a strict provider, which takes Node.js
	@cmp -s $(NODE)/package-lock.json $(NODE)/node_modules/installed.json || { \
		npm ci --prefix $(NODE) --no-audit --no-fund --loglevel=error && cp $(NODE)/package-lock.json $(NODE)/node_modules/installed.json; }
	@$(PY) -m pytest -m node $(NODE)

quick: dev ## Run the tests that take no browser and no processes
	@$(PY) -m pytest -q -n 2 -m "not slow" --ignore=tests/browser --ignore=tests/run

faults: dev ## Play every fault against the real processes, and try many examples: about an hour; MUSTER_FAULTS_SEED repeats a run
	@MUSTER_FAULTS_SEED="$${MUSTER_FAULTS_SEED:-$$($(PY) -c 'import random; print(random.randrange(1, 100_000))')}" && export MUSTER_FAULTS_SEED && \
		echo "MUSTER_FAULTS_SEED=$$MUSTER_FAULTS_SEED" && $(PY) -m pytest $(BY_FILE) -m "" tests/faults && \
		$(PY) -m pytest $(BY_FILE) -m hypothesis --hypothesis-profile=many --ignore=tests/browser

# With requirements.txt pip checks each hash; constraints.txt has the same pins for uv and pipx, which do not.
DIST := dist
package: dev ## Build the wheel, and the pins to install it with, into dist
	@$(PY) -m hatchling build --target wheel --directory $(DIST)
	@cp requirements.txt requirements-ldap.txt $(DIST)
	@sed -n 's/^\([a-z].*\) \\$$/\1/p' requirements.txt requirements-ldap.txt >$(DIST)/constraints.txt

lint: dev ## Check format, rules, types, layers, templates, scripts and styles
	$(PY) -m ruff format --check
	$(PY) -m ruff check
	$(PY) -m mypy
	$(VENV)/bin/lint-imports
	$(PY) -m djlint --lint --quiet templates
	$(VENV)/bin/oxlint --quiet --deny-warnings static
	@$(PY) -m tests.density

format: dev ## Put the code into shape
	$(PY) -m ruff format
	$(PY) -m ruff check --fix

PIN := $(VENV)/bin/uv pip compile --universal --generate-hashes --python-version 3.11 --no-emit-index-url --no-header -q
lock: dev ## Pin what pyproject.toml and the other lists ask for
	$(PIN) pyproject.toml -o requirements.txt
	$(PIN) requirements-build.in -o requirements-build.txt
	$(PIN) requirements-dev.in -o requirements-dev.txt
	$(PIN) requirements-ldap.in -o requirements-ldap.txt
	$(PIN) tests/contract/requirements.in -o tests/contract/requirements.txt
	$(PIN) bench/peers/requirements.in -o bench/peers/requirements.txt

screens: dev ## Take the pictures of every page
	@CHROMIUM_PATH="$$($(PY) -m tests.chromium)" && export CHROMIUM_PATH && $(PY) -m tests.screens

bench: dev ## Measure: each figure beside a floor in the same run
	@$(PY) -m bench

# Those have an environment of their own, made once: Muster itself needs nothing of them.
PEERS := .venv-peers
bench-peers: dev ## Measure Muster beside django-import-export, in an environment of its own
	@cmp -s bench/peers/requirements.txt $(PEERS)/requirements.txt || { \
		rm -rf $(PEERS) && $(PY) -m venv $(PEERS) && \
		$(PEERS)/bin/python -m pip install --quiet --disable-pip-version-check --require-hashes -r bench/peers/requirements.txt && \
		cp bench/peers/requirements.txt $(PEERS)/requirements.txt; }
	@$(PY) -m bench.peers $(PEERS)/bin/python

clean: ## Remove what can be made again; never the data folder
	rm -rf $(VENV) $(PEERS) $(CONTRACT) .mypy_cache .ruff_cache .pytest_cache .hypothesis .import_linter_cache
	find . -name __pycache__ -type d -prune -exec rm -rf {} +

# The virtual environment holds a copy of the requirements that it was made from: nothing is done while they are the same.
venv:
	@cmp -s requirements.txt $(VENV)/requirements.txt && $(PY) -c "" 2>/dev/null || { $(call make_venv) && $(call install,requirements.txt,-r requirements.txt); }
	@cmp -s packaging/muster $(VENV)/bin/muster || install packaging/muster $(VENV)/bin/muster

dev: venv
	@cmp -s requirements-dev.txt $(VENV)/requirements-dev.txt || { $(call install,requirements-dev.txt,-r requirements.txt -r requirements-dev.txt); }

define make_venv
{ \
	if $(PY) -c "import sys, pip; sys.exit(sys.version_info < (3, 11))" 2>/dev/null; then true; else \
		python=""; \
		for candidate in $(or $(PYTHON),python3 python3.14 python3.13 python3.12 python3.11 python); do \
			if "$$candidate" -c "import sys; sys.exit(sys.version_info < (3, 11))" 2>/dev/null; then python="$$candidate"; break; fi; \
		done; \
		if [ -z "$$python" ]; then \
			echo "Muster needs Python 3.11 or newer, and $(or $(PYTHON),python3) is not. Install one, or name it: make run PYTHON=/path/to/python3" >&2; exit 1; \
		fi; \
		if ! "$$python" -c "import venv, ensurepip" 2>/dev/null; then \
			echo "This Python cannot make virtual environments. Install its venv module (Debian: apt-get install python3-venv), then try again." >&2; exit 1; \
		fi; \
		echo "Making $(VENV) with $$("$$python" --version) ..." >&2; \
		rm -rf $(VENV) && "$$python" -m venv $(VENV); \
	fi; \
}
endef

define install
echo "Installing what $(1) lists ..." >&2; \
if $(PY) -m pip install --quiet --disable-pip-version-check --require-hashes $(2); then cp $(1) $(VENV)/$(1); else \
	echo "Not everything could be installed; what pip said stands above." >&2; exit 1; \
fi
endef
