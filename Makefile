# On a fresh machine: `make demo`, then `make test`. Both make their own .venv first.
PYTHON ?= python3
BIN := .venv/bin
INSTALLED := .venv/.installed

.PHONY: help install demo reproduce-table4 bench lint test test-slow clean

help:  ## this list
	@grep -E '^[a-z0-9-]+:.*##' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/' | expand -t 18

install: $(INSTALLED)  ## .venv with everything that demo, tests and notebooks need

$(INSTALLED): pyproject.toml constraints.txt
	$(PYTHON) -m venv .venv
	$(BIN)/pip install --quiet --disable-pip-version-check --constraint constraints.txt --editable ".[dev]"
	touch $@

demo: $(INSTALLED)  ## train on generated scenes, test, and draw one picture: minutes on two CPU cores
	rm -rf runs/demo
	$(BIN)/dream-if fit --config experiments/demo.yaml
	$(BIN)/dream-if test --config experiments/demo.yaml --ckpt_path runs/demo/version_0/checkpoints/best.ckpt
	@echo
	@echo "Look at runs/demo/version_1/panels/test_scenes.png"

# DATA=path/to/LLVIP is the paper's setting, for GPUs. Without it tiny networks on generated scenes show the way to the
# table, in a quarter of an hour on two CPU cores. PRESET=small names another of experiments/*.yaml, WORKERS=4 how many
# runs go on at a time. What is finished is not run again.
PRESET ?= $(if $(DATA),full,table4_scenes)
WORKERS ?= $(if $(DATA),1,2)

reproduce-table4: $(INSTALLED)  ## the ablation: 15 trainings, their tests, and the table; on LLVIP with DATA=path/to/it
	$(BIN)/dream-if sweep sweeps/table4.yaml --workers $(WORKERS) --preset experiments/$(PRESET).yaml -- \
		--trainer.logger.save_dir=runs/table4/$(PRESET) $(if $(DATA),"--data.root=$(DATA)")
	$(BIN)/dream-if tables 4 runs/table4/$(PRESET)

# On a busy machine add THREADS=1: ratios then come from processor time, which does not depend on who else is at work.
bench: $(INSTALLED)  ## speed and memory against plain versions, into runs/bench: about 25 minutes on two quiet cores
	mkdir -p runs/bench
	$(BIN)/python benchmarks/metrics.py --size 640x480 --seconds 1 > runs/bench/metrics.txt
	cat runs/bench/metrics.txt
	$(BIN)/python benchmarks/loader.py --seconds 1 --config experiments/small.yaml --out runs/bench/loader.json
	$(BIN)/python -m benchmarks.network --limit 90 --out runs/bench $(if $(THREADS),--threads $(THREADS))

lint: $(INSTALLED)  ## ruff and mypy
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy

test: lint  ## lint, and all tests but the slow ones, two files at a time
	$(BIN)/pytest -n 2 --dist loadfile

test-slow: $(INSTALLED)  ## the slow tests alone
	$(BIN)/pytest -m slow

clean:  ## remove caches and builds; .venv and runs stay
	rm -rf build dist .pytest_cache .mypy_cache .ruff_cache
	find src tests notebooks -name __pycache__ -type d -prune -exec rm -rf {} +
