# On a fresh machine: `make demo`, then `make test`. Both make their own .venv first.
PYTHON ?= python3
BIN := .venv/bin
INSTALLED := .venv/.installed

.PHONY: help install constraints demo reproduce reproduce-table1 reproduce-table2 reproduce-table3 reproduce-table4 reproduce-table5 reproduce-segmentation reproduce-severity reproduce-shift reproduce-efficiency reproduce-beyond weights weights-small weights-fast weights-open models bench docs gallery gpu lint test test-slow test-lowest attack dist clean

help:  ## this list
	@grep -E '^[a-z0-9-]+:.*##' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/' | expand -t 18

install: $(INSTALLED)  ## .venv with everything that demo, tests and notebooks need

$(INSTALLED): pyproject.toml constraints.txt
	$(PYTHON) -m venv .venv
	$(BIN)/pip install --quiet --disable-pip-version-check --constraint constraints.txt --editable ".[dev]"
	touch $@

constraints:  ## constraints.txt anew: the newest releases that pyproject.toml allows, in a .venv of their own
	rm -rf build/constraints
	$(PYTHON) -m venv build/constraints
	build/constraints/bin/pip install --quiet --disable-pip-version-check ".[dev]"
	build/constraints/bin/pip freeze --exclude dream-if > constraints.txt
	rm -rf build/constraints

demo: $(INSTALLED)  ## train on generated scenes, test, and draw one picture: minutes on two CPU cores
	rm -rf runs/demo
	$(BIN)/dream-if fit --config experiments/demo.yaml
	$(BIN)/dream-if test --config experiments/demo.yaml --ckpt_path runs/demo/version_0/checkpoints/best.ckpt
	@echo
	@echo "Look at runs/demo/version_1/panels/test_scenes.png"

# DATA=path/to/LLVIP is the paper's setting, for GPUs. Without it tiny networks on generated scenes show the way to the
# table, in a quarter of an hour on two CPU cores. PRESET=small names another of experiments/*.yaml, WORKERS=4 how many
# runs go on at a time. What is finished is not run again. On scenes each run computes with one thread, so that WORKERS
# changes no digit of the results.
PRESET ?= $(if $(DATA),full,table4_scenes)
WORKERS ?= $(if $(DATA),1,2)

reproduce-table4: $(INSTALLED)  ## the ablation: 15 trainings, their tests, and the table; on LLVIP with DATA=path/to/it
	$(BIN)/dream-if sweep sweeps/table4.yaml --workers $(WORKERS) --preset experiments/$(PRESET).yaml -- \
		--trainer.logger.save_dir=runs/table4/$(PRESET) $(if $(DATA),"--data.root=$(DATA)",--threads=1)
	$(BIN)/dream-if tables 4 runs/table4/$(PRESET) --sweep sweeps/table4.yaml

# Tables 1 to 3 and what goes beyond them: on the public sets below DATA, or without it, and with PRESET=demo, on
# generated scenes. WEIGHTS=file names another network than the shipped one, LPIPS=file AlexNet's weights, METHODS=file a YAML of your own, LIMIT=20 so
# many pairs of each set. What is scored is not scored again.
TABLES := $(if $(filter demo,$(PRESET)),demo,$(if $(DATA),paper,demo))
METHODS ?= experiments/tables/$(TABLES).yaml
WEIGHTS ?= small
TABLE = $(BIN)/dream-if tables $(1) $(METHODS) --weights $(WEIGHTS) --out runs/tables/$(TABLES) \
	$(if $(DATA),"--data=$(DATA)") $(if $(LPIPS),"--lpips-weights=$(LPIPS)") $(if $(LIMIT),--limit $(LIMIT))

reproduce-table1: $(INSTALLED)  ## methods on clean pairs; with DATA=folder/of/sets on those that are there
	$(call TABLE,1)

reproduce-table2: $(INSTALLED)  ## methods on corrupted pairs, the others also after a restorer
	$(call TABLE,2)

reproduce-table3: $(INSTALLED)  ## methods on six kinds of corruption
	$(call TABLE,3)

# DETECTOR=yolo has the program of this name, which is your own, train and detect in place of torchvision's.
reproduce-table5: $(INSTALLED)  ## detectors trained on fused images; needs sets with boxes
	$(call TABLE,5) $(if $(DETECTOR),--detector $(DETECTOR))

# Beside `make reproduce`, for it takes nine minutes of processor time on scenes, and on MSRS a GPU.
reproduce-segmentation: METHODS = experiments/tables/$(if $(filter demo,$(TABLES)),demo,segmentation).yaml
reproduce-segmentation: $(INSTALLED)  ## segmentation networks trained on fused images; on MSRS with DATA=folder/of/sets
	$(call TABLE,segmentation)

reproduce-severity: $(INSTALLED)
	$(call TABLE,severity)

reproduce-shift: $(INSTALLED)
	$(call TABLE,shift)

reproduce-efficiency: $(INSTALLED)
	$(call TABLE,efficiency)

reproduce-beyond: reproduce-severity reproduce-shift reproduce-efficiency  ## methods over levels, on unregistered pairs, and what they cost

# A table that fails does not stop the others; those that failed are named in the end. Table 5 fails on real sets none of
# which has boxes. Table 4 is for LLVIP alone: it is looked for in DATA, or DATA itself, in any case.
reproduce: $(INSTALLED)  ## all tables but segmentation; PRESET=demo on generated scenes in 17 minutes on two CPU cores
	@failed=; missing=; \
	for step in table1 table2 table3 severity shift efficiency table5; do \
		$(MAKE) reproduce-$$step || failed="$$failed $$step"; \
	done; \
	if [ $(TABLES) = demo ]; then $(MAKE) reproduce-table4 PRESET=table4_scenes DATA= || failed="$$failed table4"; \
	else \
		llvip=$$(find -L "$(DATA)" -maxdepth 1 -type d -iname llvip | head -n 1); \
		if [ -z "$$llvip" ]; then missing="table 4 left out: no LLVIP in $(DATA), get it from bupt-ai-cz.github.io/LLVIP"; \
		else $(MAKE) reproduce-table4 PRESET=$(PRESET) "DATA=$$llvip" || failed="$$failed table4"; fi; \
	fi; \
	if [ -n "$$missing" ]; then echo "make reproduce: $$missing" >&2; fi; \
	if [ -n "$$failed" ]; then echo "make reproduce: failed:$$failed" >&2; exit 1; fi

# The cards of the weights say which pairs, and how long it took: docs/model_card_small.md, _fast.md, _open.md.
NAME ?= small
PUBLISH = --force --commit "$$(git rev-parse HEAD)" --terms \
	"Trained on $(TRAINED_ON); LLVIP is free for non-commercial use alone, the others state no licence."
SMALL_DATA = --data.root "[$(DATA)/llvip,$(DATA)/roadscene,$(DATA)/msrs]"
FAST_DATA = --data.root "[$(DATA)/llvip,$(DATA)/roadscene,$(DATA)/msrs,$(DATA)/m3fd]"

weights: $(INSTALLED)  ## train the shipped weights NAME=small or fast again, with DATA=path/to/the/sets: about three hours on one CPU core; or NAME=open, without DATA
	$(if $(filter small fast open,$(NAME)),,$(error NAME is small, fast or open, not $(NAME)))
	$(if $(DATA)$(filter open,$(NAME)),,$(error make weights needs DATA=folder with the sets that docs/model_card_$(NAME).md names))
	$(MAKE) weights-$(NAME)

weights-small: TRAINED_ON = LLVIP, RoadScene and MSRS
weights-small: $(INSTALLED)
	$(BIN)/dream-if fit --config experiments/weights_small.yaml $(SMALL_DATA)
	$(BIN)/dream-if publish "$$(ls -td runs/weights/version_* | head -1)" --name small_first --out runs/weights \
		$(PUBLISH)
	$(BIN)/dream-if fit --config experiments/weights_small.yaml --config experiments/weights_small_second.yaml \
		--start_from runs/weights/small_first $(SMALL_DATA)
	$(BIN)/dream-if publish "$$(ls -td runs/weights/version_* | head -1)" --name small $(PUBLISH)

weights-fast: TRAINED_ON = LLVIP, RoadScene, MSRS and M3FD
weights-fast: $(INSTALLED)
	$(BIN)/dream-if fit --config experiments/weights_fast.yaml $(FAST_DATA)
	$(BIN)/dream-if publish "$$(ls -td runs/fast/version_* | head -1)" --name fast_first --out runs/weights $(PUBLISH)
	$(BIN)/dream-if fit --config experiments/weights_fast.yaml --config experiments/weights_fast_second.yaml \
		--start_from runs/weights/fast_first $(FAST_DATA)
	$(BIN)/dream-if publish "$$(ls -td runs/fast/version_* | head -1)" --name fast $(PUBLISH)

weights-open: $(INSTALLED)
	$(BIN)/dream-if fit --config experiments/weights_fast.yaml --config experiments/weights_open.yaml
	$(BIN)/dream-if publish "$$(ls -td runs/open/version_* | head -1)" --name open --force \
		--commit "$$(git rev-parse HEAD)" --terms "Trained on scenes that dream-if generates, on no other data; under Apache 2.0, like the code."

models: $(INSTALLED)  ## docs/models.md and the cards for the hub, from the JSON of each of the shipped weights and trainings
	mkdir -p build
	$(BIN)/python -m benchmarks.models > build/models.md
	mv build/models.md docs/models.md
	for file in src/dream_if/weights/*.json; do \
		name=$$(basename "$$file" .json); $(BIN)/python -m benchmarks.models --card $$name > src/dream_if/weights/$$name.md; \
	done

# On a busy machine add THREADS=1: ratios then come from processor time, which does not depend on who else is at work.
gpu: $(INSTALLED)  ## what only a GPU can show, into runs/gpu: 9 minutes on a CUDA device
	$(BIN)/python -m benchmarks.gpu

bench: $(INSTALLED)  ## speed and memory against plain versions, into runs/bench: half an hour or more on two quiet cores
	mkdir -p runs/bench
	$(BIN)/python benchmarks/metrics.py --size 640x480 --seconds 1 > runs/bench/metrics.txt
	cat runs/bench/metrics.txt
	$(BIN)/python benchmarks/loader.py --seconds 1 --config experiments/$(if $(shell command -v nvidia-smi),full,small).yaml --out runs/bench/loader.json
	$(BIN)/python -m benchmarks.network --limit 90 --out runs/bench $(if $(THREADS),--threads $(THREADS))

# A notebook runs when it has changed; `make clean` has all of them run again.
RUN_NOTEBOOK = PATH="$(abspath $(BIN)):$$PATH" $(BIN)/jupyter-nbconvert --log-level ERROR --execute
build/notebooks/%.ipynb: notebooks/%.ipynb $(INSTALLED)
	$(RUN_NOTEBOOK) --to notebook --output-dir $(@D) $<

docs: $(patsubst %,build/%,$(wildcard notebooks/*.ipynb))  ## the site, into build/site, with the tutorials run; a link that leads nowhere and a command that does not parse are errors
	NO_MKDOCS_2_WARNING=1 $(BIN)/mkdocs build --strict --quiet
	$(BIN)/pytest --quiet tests/test_docs.py -k command

gallery: $(INSTALLED)  ## the gallery of the site, from generated pairs or those in DATA=folder, into build/gallery
	DATA="$(if $(DATA),$(abspath $(DATA)))" $(RUN_NOTEBOOK) --to html --template basic --no-input --output-dir build/gallery notebooks/gallery.ipynb

lint: $(INSTALLED)  ## ruff and mypy
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy

test: lint  ## lint, all tests but the slow ones, two files at a time, and the examples in docstrings
	$(BIN)/pytest -n 2 --dist loadfile
	$(BIN)/pytest --quiet --doctest-modules src

test-slow: $(INSTALLED)  ## the slow tests alone
	$(BIN)/pytest -m slow

test-lowest:  ## the tests with the oldest releases that pyproject.toml allows, in a .venv of their own
	rm -rf build/lowest
	$(PYTHON) -m venv build/lowest
	build/lowest/bin/pip install --quiet --disable-pip-version-check uv
	build/lowest/bin/uv pip install --quiet --python build/lowest --resolution lowest-direct --editable ".[dev]"
	build/lowest/bin/pytest -n 2 --dist loadfile

# ATTACK_SECONDS=60 for less. The kill of a sweep is a slow test of its own.
SEED ?= 1
attack: $(INSTALLED)  ## damaged files, mangled settings and kill -9 at random, SEED=1: about 10 minutes on two CPU cores
	SEED=$(SEED) $(BIN)/pytest -m attack tests/attack
	$(BIN)/pytest -m slow tests/runs/test_real_runs.py -k kill

dist:  ## wheel and sdist into dist, checked as PyPI will
	rm -rf dist build/dist
	$(PYTHON) -m venv build/dist
	build/dist/bin/pip install --quiet --disable-pip-version-check build twine
	build/dist/bin/python -m build
	build/dist/bin/twine check --strict dist/*

clean:  ## remove caches and builds; .venv and runs stay
	rm -rf build dist .pytest_cache .mypy_cache .ruff_cache
	find src tests notebooks -name __pycache__ -type d -prune -exec rm -rf {} +
