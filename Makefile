# `make help` lists the targets. Every one works on a fresh clone, with Python >= 3.11 (venv), make and git.

VENV := .venv
BIN := $(VENV)/bin
RUNTIME := $(VENV)/.runtime
TOOLS := $(VENV)/.tools
CLIENTS := tests/clients/node_modules/.package-lock.json
CONSOLE := console/node_modules/.package-lock.json
SURFPOOL := tests/surfpool/node_modules/.package-lock.json
TANX := tests/clients/.venvs/tanx/.installed
# Two more than there are cores: tests of whole venues wait more than they work.
PYTEST_FLAGS ?= --numprocesses $$(( $$(getconf _NPROCESSORS_ONLN) + 2 )) --maxprocesses 6 --dist loadfile --no-loadscope-reorder
CODE := src tests $(wildcard benchmarks examples scripts)

# The newest pip wants build requirements pinned by a variable of their own; the older ones ignore it.
export PIP_CONSTRAINT := constraints.txt
export PIP_BUILD_CONSTRAINT := constraints.txt
export PIP_DISABLE_PIP_VERSION_CHECK := 1

.DEFAULT_GOAL := help
.DELETE_ON_ERROR:
.PHONY: help run test ranges package lint format bench docs programs console clean

help: ## Say what each target does.
	@sed -n 's/^\([a-z]*\):[^#]*## \(.*\)/  make \1\t\2/p' $(firstword $(MAKEFILE_LIST)) | expand -t 16

run: $(RUNTIME) ## Start a complete venue on 127.0.0.1:8080; its data goes to .countermand.
	@exec $(BIN)/countermand serve

test: $(TOOLS) $(CLIENTS) $(CONSOLE) $(SURFPOOL) $(TANX) ## Run all the tests.
	$(BIN)/python -m pytest $(PYTEST_FLAGS)

ranges: $(TOOLS) ## Test with the lowest and the newest versions of our dependencies.
	@$(BIN)/python -m scripts.try_ranges $(PYTEST_FLAGS)

package: $(TOOLS) ## Build the wheel and the sdist, and use them beside what a bot may have.
	@$(BIN)/python -m scripts.try_package $(PYTHONS)

lint: $(TOOLS) ## Check style, types and imports between packages.
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy $(CODE)
	$(BIN)/lint-imports

format: $(TOOLS) ## Put the code into the house's format.
	$(BIN)/ruff check --fix-only .
	$(BIN)/ruff format .

bench: $(TOOLS) ## Measure, and write docs/benchmarks.md.
	$(BIN)/python -m benchmarks

docs: $(TOOLS) ## Write again what the documentation repeats of the code.
	$(BIN)/python -m scripts.write_docs

programs: $(TOOLS) ## Compile the programs anew.
	@$(BIN)/python -m pip install --quiet --editable '.[programs]'
	$(BIN)/python -m programs.build

console: $(CONSOLE) ## Build the console anew.
	$(BIN)/python -m console.build

clean: ## Remove what the other targets made, but never a venue's data.
	rm -rf $(VENV) console/node_modules tests/clients/node_modules tests/surfpool/node_modules tests/clients/.venvs .mypy_cache .ruff_cache .pytest_cache .import_linter_cache

# A virtual environment has no fixed time stamp, so each install leaves a stamp of its own.
$(VENV)/.created:
	@scripts/new-venv $(VENV)
	@touch $@

$(RUNTIME): $(VENV)/.created pyproject.toml constraints.txt
	@echo "Installing Countermand into $(VENV)"
	@$(BIN)/python -m pip install --quiet --editable .
	@touch $@

$(TOOLS): $(VENV)/.created pyproject.toml constraints.txt
	@echo "Installing Countermand, the tests' needs and the tools into $(VENV)"
	@$(BIN)/python -m pip install --quiet --editable '.[test,dev]'
	@touch $(RUNTIME) $@

$(CLIENTS): $(TOOLS) tests/clients/package.json tests/clients/package-lock.json
	@echo "Installing the JavaScript clients for the tests"
	@$(BIN)/python -m tests.clients.node install
	@touch $@

$(CONSOLE): $(TOOLS) console/package.json console/package-lock.json
	@echo "Installing what the console is built with"
	@$(BIN)/python -m console.build install
	@touch $@

$(SURFPOOL): $(TOOLS) tests/surfpool/package.json tests/surfpool/package-lock.json
	@echo "Installing Surfpool for the tests, where there is a build of it"
	@$(BIN)/python -m tests.surfpool.surfnet install
	@mkdir -p $(@D) && touch $@

$(TANX): tests/clients/tanx-requirements.txt | $(TOOLS)
	@echo "Installing the Python client of tanX for the tests"
	@$(BIN)/python -m tests.clients.tanx install
	@touch $@
