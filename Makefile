# Two commands on a fresh machine: make demo, make test.
PYTHON ?= python3
BIN := .venv/bin
DEMO := --config configs/pets.yaml --config configs/overrides/demo.yaml

.PHONY: demo test survival docs lint format tutorials clean

.venv/installed: pyproject.toml constraints.txt
	$(PYTHON) -c 'import sys; sys.exit("lightning_seg needs Python 3.11.4 or newer, $(PYTHON) is " + sys.version.split()[0] if sys.version_info < (3, 11, 4) else 0)'
	$(PYTHON) -m venv .venv
	$(BIN)/python -m pip install --constraint constraints.txt --editable '.[dev]'
	touch $@

# Trains on synthetic pets, tests the best checkpoint and says where to look.
demo: .venv/installed
	$(BIN)/lightning-seg fit $(DEMO)
	$(BIN)/lightning-seg test --run runs/pets
	@echo "Look at samples/ and curves.png in the folder above, or: $(BIN)/tensorboard --logdir runs"

test: .venv/installed
	$(BIN)/ruff check
	$(BIN)/ruff format --check
	$(BIN)/mypy
	$(BIN)/pytest --numprocesses auto --dist loadfile --max-worker-restart 0

# Kills, signals, full disks, broken files and several machines, for as long as it takes: the tests marked slow.
survival: .venv/installed
	$(BIN)/pytest -m slow

# The site in build/site; a link that leads nowhere ends it with an error.
docs: .venv/installed
	NO_MKDOCS_2_WARNING=1 $(BIN)/python -m mkdocs build --strict
	@echo "Open build/site/index.html in a browser."

lint: .venv/installed
	$(BIN)/ruff check
	$(BIN)/mypy

format: .venv/installed
	$(BIN)/ruff check --fix
	$(BIN)/ruff format

# The pictures of docs/tutorials and the outputs of the notebooks, by running all of them: half an hour on two cores.
tutorials: .venv/installed
	$(BIN)/python -m tools.tutorials build/tutorials
	$(BIN)/python -m tools.notebooks build/notebooks

clean:
	rm -rf .venv build *.egg-info .mypy_cache .pytest_cache .ruff_cache
