# The developer's commands. All of them work in .venv, which the first one makes; nothing is installed elsewhere.
# How the demo works is in dev/demo.py. `.ci/run` is all that has to hold for a landing.

PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
AIRFLOW := 3.3.2
CONSTRAINTS := constraints/airflow-$(AIRFLOW).txt
DEPENDENCIES := $(VENV)/.dependencies
INSTALLED := $(VENV)/.installed
# With its folders, which change when a file is removed.
PACKAGE := README.md LICENSE $(shell find airflow_provider_twinsync -name __pycache__ -prune -o -print)
# Benchmarks have an environment of their own: what they compare with must not be there when the tests run.
BENCH_VENV := .venv-bench
# Earlier releases of Airflow, each with the day that its constraints are of: the one after it came out.
RELEASED := 2.11.2=2026-03-15 3.0.6=2025-08-30 3.1.8=2026-03-12 3.2.2=2026-05-30
# The newest pre-release, which needs Python 3.11.
PRERELEASE := 3.4.0b2
SITE := $(VENV)/.site
# The lowest versions that pyproject.toml allows are tested with what else there was on this day, soon after the
# youngest of them came out (the fonts apart).
LOWEST := 2026-02-01
# The one of `make browser`. Each older Airflow that is run as a whole has an environment of its own.
OLD_AIRFLOW := 2.11.2
# The one of `make chaos`.
ON ?= $(AIRFLOW)
ON_VENV := $(if $(filter $(AIRFLOW),$(ON)),$(VENV),.venv-$(ON))
# The simulator needs Python 3.12, of pyenv or on the PATH.
SIMULATION_VENV := .venv-simulation
PYTHON_3_12 ?= $(firstword $(wildcard $(or $(PYENV_ROOT),$(HOME)/.pyenv)/versions/3.12.*/bin/python3.12) python3.12)

# The demo's arguments go through the environment as they were typed: make must not expand a `$` in a text, and no
# shell sees it.
export DEMO_TEXT := $(value TEXT)
export DEMO_PHOTO := $(value PHOTO)
export DEMO_VOICE := $(value VOICE)
export DEMO_SHEET := $(value SHEET)
unexport TEXT PHOTO VOICE SHEET
export PYTHONUTF8 := 1
# Every `uv pip install` below, and in noxfile.py, compiles what it installs. Without bytecode each process compiles
# Airflow anew where PYTHONDONTWRITEBYTECODE is set, and `import airflow.sdk` costs 4.3 CPU seconds instead of 1.3.
export UV_COMPILE_BYTECODE := 1

.DEFAULT_GOAL := help
.DELETE_ON_ERROR:
.PHONY: help demo airflow chaos crashes simulate browser test test-all coverage mutants matrix lint check dist docs format bench install constraints audit clean asked-python

help:
	@echo 'make demo          make a talking photo on a real Airflow, with the emulator as TwinSync'
	@echo '                   TEXT="..." or TEXT=@file, PHOTO=file-or-address VOICE=zh-CN-XiaohanNeural'
	@echo '                   SHEET=example_dags/scripts.csv makes a video for each row, and a report'
	@echo 'make airflow       the same Airflow, left running with its web UI, until Ctrl-C'
	@echo 'make chaos         hundreds of videos while workers, triggerers, the service and the database are killed'
	@echo '                   SEEDS="1 2 3" VIDEOS=200; needs PostgreSQL (apt-get install postgresql)'
	@echo '                   ON=2.11.2 or ON=3.1.8 is on that Airflow, with a ledger; LEDGER=1 has one on $(AIRFLOW) too'
	@echo 'make simulate      200 universes of waits, faults and clock steps on a simulated clock; UNIVERSES=10000 JOBS=2'
	@echo '                   SEED=17 replays and shrinks one, DEFECTS=1 finds the planted defects; needs Python 3.12'
	@echo 'make crashes       every death of a submit task in all histories of 3 runs, and their number; RUNS=4 has more'
	@echo 'make browser       look at the web UI of Airflow $(AIRFLOW) and $(OLD_AIRFLOW) with a browser, and make the pictures of the'
	@echo '                   docs; needs Chromium (apt-get install chromium); ONLY=3, ONLY=2 or ONLY=report does one of them'
	@echo 'make test          the quick tests: three minutes'
	@echo 'make test-all      all tests, the demo and whole Airflows among them'
	@echo 'make coverage      the quick tests, and the lines and branches that they do not reach'
	@echo 'make mutants       the tests of _api, _records, _wait and text against 300 small changes of functions; SAMPLE=1000 tries more'
	@echo 'make matrix        the tests but for those of whole Airflows, from the built wheel, with each release of Airflow'
	@echo '                   and each Python that is there; CELLS="2.11.2-3.10 3.3.2-3.13" JOBS=2'
	@echo 'make lint          ruff, codespell, the check of words, zizmor: a minute with the install, which has no Airflow'
	@echo 'make check         make lint, then mypy --strict'
	@echo 'make dist          build the wheel, the sdist and the SBOM of a release into dist/, and check them; TAG=v1.2.3'
	@echo 'make docs          the docs as a site, in docs/_build/html; a warning or a broken link fails it'
	@echo '.ci/run            everything that has to hold for a landing'
	@echo 'make format        let ruff rewrite what it can'
	@echo 'make bench         the benchmarks, with other providers beside: 45 minutes'
	@echo 'make install       make .venv with all that these need, as the first of them does; PYTHON=python3.12 picks one'
	@echo 'make constraints   bring constraints/ up to date with pyproject.toml; UPGRADE=1 takes newest versions'
	@echo 'make audit         ask the package index for known holes in what constraints/ pins for Airflow $(AIRFLOW)'
	@echo 'make clean         remove what these commands made, but not demo-output/'

demo: $(INSTALLED)
	@$(BIN)/python -m dev

airflow: $(INSTALLED)
	@$(BIN)/python -m dev --stay

# SEEDS="1 2 3" VIDEOS=200 ON=2.11.2 LEDGER=1; longer than the tests, and not one of them.
chaos: $(INSTALLED) $(ON_VENV)/.installed
	@$(BIN)/python -m dev chaos --python $(ON_VENV)/bin/python $(if $(SEEDS),--seeds $(SEEDS)) \
		$(if $(VIDEOS),--videos $(VIDEOS)) $(if $(LEDGER),--ledger)

# PYTHONHASHSEED, so that a seed gives the same universe in each process.
simulate: $(SIMULATION_VENV)/.installed
	@PYTHONHASHSEED=0 $(SIMULATION_VENV)/bin/python -m dev.simulation $(if $(UNIVERSES),--universes $(UNIVERSES)) \
		$(if $(SEED),--seed $(SEED)) $(if $(JOBS),--jobs $(JOBS)) $(if $(DEFECTS),--defects search)

# The tests have histories of two runs.
crashes: $(INSTALLED)
	@TWINSYNC_TEST_INSTALLED=1 TWINSYNC_CRASH_DEPTH=$(or $(RUNS),3) $(BIN)/pytest --quiet --capture no --show-capture no \
		tests/_records/test_crash_points.py

# Not one of the tests: it needs a browser and a second Airflow, and takes minutes.
browser: $(INSTALLED) $(VENV)/.browser .venv-$(OLD_AIRFLOW)/.installed
	@$(BIN)/python -m dev browser --airflow2 .venv-$(OLD_AIRFLOW)/bin/python $(if $(ONLY),--only $(ONLY))

PROCESSES = 2
PYTEST = TWINSYNC_TEST_INSTALLED=1 $(BIN)/pytest --numprocesses $(PROCESSES) --dist loadgroup --no-loadscope-reorder

test: $(INSTALLED)
	@$(PYTEST) -m 'not slow'

# A whole Airflow waits more than it computes: three share two cores.
test-all: PROCESSES = 3
test-all: $(INSTALLED)
	@$(PYTEST)

# The floor is in pyproject.toml.
coverage: $(INSTALLED)
	@$(PYTEST) -m 'not slow' --cov --cov-report term:skip-covered

# SAMPLE=1000, which make hands on in the environment, tries more mutants.
mutants: $(INSTALLED)
	@$(BIN)/python -m dev.mutants

# CELLS="2.11.2-3.10 3.3.2-3.13" picks some, JOBS=1 runs one at a time, BRIEF=1 leaves out what hardly depends on Airflow.
matrix: $(INSTALLED)
	@$(BIN)/python -m dev.matrix $(CELLS) $(if $(JOBS),--jobs $(JOBS))

# What .pre-commit-config.yaml checks in the files of a commit, in all files.
lint: $(VENV)/.lint
	@$(BIN)/ruff check .
	@$(BIN)/ruff format --check .
	@$(BIN)/codespell . .github
	@$(BIN)/python -m dev.words
	@$(BIN)/zizmor --offline --pedantic --quiet .github

check: lint $(INSTALLED)
	@$(BIN)/python -m mypy -p airflow_provider_twinsync -p dev

# TAG is compared with the version and the changelog.
dist: $(DEPENDENCIES)
	@$(BIN)/python -m dev.release --constraints $(CONSTRAINTS) $${TAG:+--tag "$$TAG"}

# All is made anew: only then is every warning given. Links to other sites are not followed.
docs: $(INSTALLED) $(SITE)
	@rm -rf docs/_build
	@$(BIN)/python -m sphinx --quiet --fail-on-warning --keep-going --builder html docs docs/_build/html
	@$(BIN)/lychee --offline --include-fragments --no-progress --quiet *.md 'docs/**/*.md' 'docs/_build/html/**/*.html'
	@echo 'docs/_build/html/index.html'

format: $(VENV)/.lint
	@$(BIN)/ruff check --fix .
	@$(BIN)/ruff format .

# Imports are measured without the other providers, which make Airflow itself import HTTP libraries.
bench: $(BENCH_VENV)/.installed
	@echo '== benchmarks/bench_imports.py'; $(BIN)/python benchmarks/bench_imports.py
	@for script in $(filter-out benchmarks/bench_imports.py,$(sort $(wildcard benchmarks/bench_*.py))); do \
		echo "== $$script"; $(BENCH_VENV)/bin/python "$$script" || exit 1; \
	done

install: $(INSTALLED)

$(BENCH_VENV)/.installed: $(INSTALLED)
	@echo 'Installing this package and what the benchmarks compare with into $(BENCH_VENV) ...'
	@test -x $(BENCH_VENV)/bin/python || $(BIN)/uv venv --quiet --python $(BIN)/python $(BENCH_VENV)
	@$(BIN)/uv pip install --quiet --python $(BENCH_VENV)/bin/python --reinstall-package airflow-provider-twinsync \
		--constraint $(CONSTRAINTS) $(VENV)/wheel/*.whl --requirement pyproject.toml --extra content --extra emulator \
		--group test --group bench
	@touch $@

$(VENV)/.browser: $(DEPENDENCIES)
	@echo 'Installing what drives the browser into $(VENV) ...'
	@$(BIN)/uv pip install --quiet --python $(BIN)/python --constraint $(CONSTRAINTS) --group browser
	@touch $@

$(SIMULATION_VENV)/.installed: $(CONSTRAINTS) $(INSTALLED)
	@echo 'Installing this package and the simulator into $(SIMULATION_VENV) ...'
	@test -x $(SIMULATION_VENV)/bin/python || \
		$(BIN)/uv venv --quiet --no-python-downloads --python $(PYTHON_3_12) $(SIMULATION_VENV) || { \
		echo 'make simulate needs Python 3.12, and $(PYTHON_3_12) is none: make simulate PYTHON_3_12=/path/to/python3.12' >&2; \
		exit 1; }
	@$(BIN)/uv pip install --quiet --python $(SIMULATION_VENV)/bin/python --reinstall-package airflow-provider-twinsync \
		--constraint $(CONSTRAINTS) $(VENV)/wheel/*.whl --requirement pyproject.toml --extra content --extra emulator --group test
	@touch $@

# Airflow 2 knows no Python after 3.12.
.venv-%/.installed: constraints/airflow-%.txt $(INSTALLED)
	@echo 'Installing Airflow $* and this package into .venv-$* ...'
	@test -x .venv-$*/bin/python || \
		$(BIN)/uv venv --quiet --no-python-downloads --python '>=3.10,<3.13' .venv-$*
	@$(BIN)/uv pip install --quiet --python .venv-$*/bin/python --reinstall-package airflow-provider-twinsync \
		--constraint $< $(VENV)/wheel/*.whl apache-airflow==$* --group database
	@touch $@

$(VENV)/.lint: pyproject.toml $(CONSTRAINTS) $(VENV)/.uv
	@$(BIN)/uv pip install --quiet --python $(BIN)/python --constraint $(CONSTRAINTS) --group lint
	@touch $@

$(SITE): $(DEPENDENCIES)
	@echo 'Installing what makes the docs into $(VENV) ...'
	@$(BIN)/uv pip install --quiet --python $(BIN)/python --constraint $(CONSTRAINTS) --group docs
	@touch $@

# The wheel, as users get it: what is not in it is missed by the tests, the demo and the benchmarks.
$(INSTALLED): $(DEPENDENCIES) $(PACKAGE)
	@echo 'Installing this package into $(VENV) ...'
	@rm -rf $(VENV)/wheel
	@$(BIN)/uv build --quiet --wheel --no-build-isolation --python $(BIN)/python --out-dir $(VENV)/wheel
	@$(BIN)/uv pip install --quiet --python $(BIN)/python --no-deps --reinstall $(VENV)/wheel/*.whl
	@touch $@

$(DEPENDENCIES): pyproject.toml $(CONSTRAINTS) $(VENV)/.uv
	@echo 'Installing Airflow $(AIRFLOW) and all tools into $(VENV) ...'
	@$(BIN)/uv pip install --quiet --python $(BIN)/python --constraint $(CONSTRAINTS) \
		--requirement pyproject.toml --extra content --extra emulator --group dev --group release
	@touch $@

$(VENV)/.uv: constraints/uv.txt | asked-python
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 10))' 2>/dev/null || { \
		echo '$(PYTHON) is missing or older than Python 3.10: try `make PYTHON=python3.12 ...`' >&2; exit 1; }
	@$(PYTHON) -c 'import ensurepip, venv' 2>/dev/null || { \
		echo '$(PYTHON) cannot make a virtual environment: install its venv module (on Debian: python3-venv)' >&2; \
		exit 1; }
	@$(PYTHON) -m venv $(VENV)
	@$(BIN)/python -m pip install --quiet --quiet --disable-pip-version-check --requirement constraints/uv.txt
	@touch $@

# A .venv stays of the Python that it was made with: one that was asked for and is another is not passed over.
asked-python:
ifneq ($(origin PYTHON),file)
	@test ! -x $(BIN)/python || test "$$($(PYTHON) -V 2>&1)" = "$$($(BIN)/python -V)" || { \
		echo "$(VENV) is of $$($(BIN)/python -V), PYTHON=$(PYTHON) is not: run make clean first" >&2; exit 1; }
endif

COMPILE = $(BIN)/uv pip compile --quiet --universal --python-version 3.10 --no-header --no-annotate \
	--constraint $(VENV)/airflow.txt $(if $(UPGRADE),--upgrade) pyproject.toml

# Of an earlier release's day there are no fonts, no sentences and no simulator yet, and of that of 3.0 no common-compat that is new
# enough.
constraints: $(VENV)/.uv
	@echo 'apache-airflow==$(AIRFLOW)' > $(VENV)/airflow.txt
	@$(COMPILE) --all-extras --group dev --group bench --group release --group docs --group browser -o $(CONSTRAINTS)
	@sed -i '1i # Airflow $(AIRFLOW), and the newest of all else when this was made, by `make constraints`.' $(CONSTRAINTS)
	@set -e; for release in $(RELEASED); do \
		airflow=$${release%=*}; day=$${release#*=}; pins=constraints/airflow-$$airflow.txt; newer='manimgx-fonts-cjk sentencex simloom'; \
		case $$airflow in 3.0.*) newer="$$newer apache-airflow-providers-common-compat";; esac; \
		echo "apache-airflow==$$airflow" > $(VENV)/airflow.txt; \
		$(COMPILE) --extra content --extra emulator --group test --group database --exclude-newer "$${day}T00:00:00Z" \
			$$(printf -- '--exclude-newer-package %s=false ' $$newer) -o $$pins; \
		sed -i "1i # Airflow $$airflow, and of all else what was there before $$day (newer: $$newer), by \`make constraints\`." $$pins; \
	done
	@# The two open bounds let uv take the pre-releases that this one asks for, and of nothing else.
	@printf '%s\n' apache-airflow==$(PRERELEASE) 'apache-airflow-core>=0b0' 'apache-airflow-task-sdk>=0b0' > $(VENV)/airflow.txt
	@$(subst version 3.10,version 3.11,$(COMPILE)) --extra content --extra emulator --group test -o constraints/airflow-$(PRERELEASE).txt
	@sed -i '1i # Airflow $(PRERELEASE), and the newest of all else when this was made, by `make constraints`.' \
		constraints/airflow-$(PRERELEASE).txt
	@echo 'universal-pathlib<0.3' > $(VENV)/airflow.txt  # of which Airflow 2.11.0 does not know yet
	@for step in "--resolution lowest-direct -o $(VENV)/lowest.txt" \
		"--group test --constraint $(VENV)/lowest.txt -o constraints/lowest.txt"; do \
		$(BIN)/uv pip compile --quiet --python-version 3.10 --no-header --no-annotate --extra content --extra emulator \
			--constraint $(VENV)/airflow.txt $(if $(UPGRADE),--upgrade) \
			--exclude-newer $(LOWEST)T00:00:00Z --exclude-newer-package manimgx-fonts-cjk=false --exclude-newer-package sentencex=false $$step pyproject.toml || exit 1; \
	done
	@sed -i '1i # The lowest versions that pyproject.toml allows, and of all else what was there before $(LOWEST), by `make constraints`.' constraints/lowest.txt

# Known holes in what is pinned, by the package index's list of them. `--strict`: what could not be asked about is
# an error, and not passed over. A hole that does not concern us is left out with `--ignore-vuln` and the reason.
audit: $(VENV)/.uv
	@$(BIN)/uv tool run --from pip-audit==2.10.1 pip-audit --strict --disable-pip --no-deps --requirement $(CONSTRAINTS)

clean:
	rm -rf $(VENV) .venv-[0-9]* $(BENCH_VENV) $(SIMULATION_VENV) .nox .airflow .cache build dist docs/_build .mypy_cache .pytest_cache .ruff_cache .hypothesis
	find . -name __pycache__ -type d -prune -exec rm -rf {} +
