# On a fresh machine: `make demo`, then `make test`. Both make their own .venv first.
PYTHON ?= python3
BIN := .venv/bin
INSTALLED := .venv/.installed

.PHONY: help install demo lint test test-slow clean

help:  ## this list
	@grep -E '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/' | expand -t 14

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

lint: $(INSTALLED)  ## ruff and mypy
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy

test: lint  ## lint, and all tests but the slow ones
	$(BIN)/pytest

test-slow: $(INSTALLED)  ## the slow tests alone
	$(BIN)/pytest -m slow

clean:  ## remove caches and builds; .venv and runs stay
	rm -rf build dist .pytest_cache .mypy_cache .ruff_cache
	find src tests notebooks -name __pycache__ -type d -prune -exec rm -rf {} +
