# The commands for people who work on this project. `make` lists them.
PYTHON ?= python3
WORKERS ?= 2
HOST ?= 127.0.0.1
PORT ?= 7860
VENV := .venv
BIN := $(VENV)/bin
# Tools that are not needed to run or test the program, in an environment of their own.
TOOLS := .tools
# The tests of one file run in one process and share its browser, its server and its models. The longest come first.
PARALLEL = -n $(WORKERS) --dist loadfile --no-loadscope-reorder
RESEARCH_DATA = $(or $(TIKTOK_RETRIEVAL_SHARED_DATA),../shared/data)
DEMO := --data data/demo
DEMO_INDEXES := --indexes indexes/demo

.DEFAULT_GOAL := help
.PHONY: help demo test test-heavy test-faults test-fuzz test-cluster test-research lint serve clean sample requirements audit

help: ## List these commands
	@grep -hE '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | sed -E 's/^([a-z-]+):.*## (.*)/  make \1\t\2/' | expand -t 22

demo: $(VENV)/.installed indexes/demo/CURRENT ## Set up, index the sample corpus, open the page (PORT=7860)
	$(BIN)/tiktok-retrieval serve $(DEMO) $(DEMO_INDEXES) --examples data/sample/queries.json --open --host $(HOST) --port $(PORT)

test: $(VENV)/.installed-test ## Set up and run the tests (WORKERS=2 processes)
	$(BIN)/python -m pytest $(PARALLEL)

test-heavy: $(VENV)/.installed-test ## Run the tests that download large weights or take minutes
	$(BIN)/python -m pytest -m heavy --timeout 3600

test-faults: $(VENV)/.installed-test ## Break disks, files and connections; 8 tries of each kind (FAULTS_MAX_EACH=8)
	FUZZ_SECONDS=$${FUZZ_SECONDS:-20} $(BIN)/python -m pytest -m faults --timeout 3600

test-cluster: $(VENV)/.installed-test ## Kill nodes of a cluster of Ray on this machine while it reads and answers
	$(BIN)/python -m pytest -m 'faults or not faults' -v --durations=5 tests/ingest/cluster tests/retrieval/cluster

test-fuzz: $(VENV)/.installed-test ## Give every reader broken files for ten minutes (FUZZ_SECONDS=600)
	FUZZ_SECONDS=$${FUZZ_SECONDS:-600} $(BIN)/python -m pytest -m faults --timeout 3600 tests/fuzz tests/retrieval/server/test_fuzz.py

test-research: $(VENV)/.installed-test ## Run the tests of real data, which is not shipped
	@test -d "$(RESEARCH_DATA)" || { echo "There is no research data in $(RESEARCH_DATA): TIKTOK_RETRIEVAL_SHARED_DATA names the folder."; exit 1; }
	$(BIN)/python -m pytest $(PARALLEL) -m 'research_data and not heavy' --timeout 1800

lint: $(VENV)/.installed-test ## Check style, types and import contracts
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports

serve: $(VENV)/.installed ## Open the page on your own corpus in data/ and indexes/ (PORT=7860)
	$(BIN)/tiktok-retrieval serve --host $(HOST) --port $(PORT)

sample: $(VENV)/.installed ## Make the sample corpus again (needs espeak-ng and fonts)
	$(BIN)/python data/make_sample.py

requirements: $(TOOLS)/.installed ## Write requirements/ again, after a change of pyproject.toml or constraints.txt
	PATH="$(CURDIR)/$(TOOLS)/bin:$$PATH" $(TOOLS)/bin/python scripts/requirements.py

audit: $(TOOLS)/.installed ## Look for known vulnerabilities in the packages (needs the internet)
	PATH="$(CURDIR)/$(TOOLS)/bin:$$PATH" $(TOOLS)/bin/python scripts/audit.py

clean: ## Delete the virtual environment and the demo; your data/ and indexes/ stay
	rm -rf $(VENV) $(TOOLS) data/demo indexes/demo .pytest_cache .mypy_cache .ruff_cache .import_linter_cache *.egg-info

# The index of the sample corpus is built once, and again when the corpus changes. A killed run resumes.
indexes/demo/CURRENT: $(wildcard data/sample/info/*.json) | $(VENV)/.installed
	$(BIN)/tiktok-retrieval import data/sample $(DEMO)
	$(BIN)/tiktok-retrieval run $(DEMO)
	$(BIN)/tiktok-retrieval build $(DEMO) $(DEMO_INDEXES)
	@touch $@

$(VENV)/.installed: pyproject.toml constraints.txt requirements/packages.txt requirements/torch.txt scripts/install scripts/install-torch
	sh scripts/system-packages tesseract:tesseract-ocr
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || { echo "Python 3.11 or newer is needed: make PYTHON=python3.12 ..."; exit 1; }
	@$(PYTHON) -c 'import ensurepip, venv' 2>/dev/null || sh scripts/system-packages :python3-venv
	$(PYTHON) -m venv $(VENV)
	sh scripts/install $(BIN)
	@touch $@

$(VENV)/.installed-test: $(VENV)/.installed requirements/test.txt
	sh scripts/system-packages chromium:chromium
	$(BIN)/pip install --disable-pip-version-check -q --no-deps --require-hashes -r requirements/test.txt
	@touch $@

$(TOOLS)/.installed:
	$(PYTHON) -m venv $(TOOLS)
	$(TOOLS)/bin/pip install --disable-pip-version-check -q uv pip-audit packaging
	@touch $@
