# Two commands do everything on a fresh machine with Python 3.11, make and gcc:
#   make demo    set up, then prune the shipped model for Loihi 2
#   make test    set up, then run the whole test suite

PYTHON ?= $(shell command -v python3.11 || command -v python3)
VENV   := .venv
BIN    := $(VENV)/bin
PIP    := $(BIN)/python -m pip --disable-pip-version-check install --quiet
# Only what the lock files name, byte for byte as it was when they were written: `make lock` writes them anew.
LOCKED := $(PIP) --require-hashes --no-deps --requirement

.PHONY: help setup demo test lint types tests lock lowest newest evidence evidence-mnist evidence-cifar10 peers bench example clean

help:
	@sed -n 's/^#   //p' Makefile

setup: $(VENV)/.ready

# torch first: a build for the CPU, where one is offered, needs none of the gigabytes of CUDA that the default needs.
$(VENV)/.ready: pyproject.toml $(wildcard requirements/*.lock)
	@$(PYTHON) -c 'import sys; sys.exit("Python 3.11 or newer is needed, found " + sys.version.split()[0] + "; name one with make PYTHON=/path/to/python3.11" if sys.version_info < (3, 11) else 0)'
	$(PYTHON) -m venv $(VENV)
	$(LOCKED) requirements/torch-cpu.lock 2> /dev/null || $(LOCKED) requirements/torch.lock
	@if $(BIN)/python -c 'import sys, importlib.metadata as m; sys.exit(not any("nvidia" in each for each in m.requires("torch") or ()))'; \
	then $(LOCKED) requirements/cuda.lock; fi
	$(LOCKED) requirements/run.lock
	$(LOCKED) requirements/lava.lock --ignore-requires-python
	$(PIP) --no-deps --no-build-isolation --editable .
	$(BIN)/spear-deploy lava status
	@$(BIN)/python -c 'import torch; print("torch", torch.__version__, "with CUDA" if torch.version.cuda else "for CPU")'
	@touch $@

$(VENV)/.dev: $(VENV)/.ready
	$(LOCKED) requirements/dev.lock
	@touch $@

demo: setup
	$(BIN)/spear-deploy --target loihi2 examples/digits.pt

test: lint types tests

lint: $(VENV)/.dev
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .

# mypy does not know setuptools' package-dir: it gets a tree in which exporters/ is spear_deploy.exporters.
types: $(VENV)/.dev
	@rm -rf build/types && mkdir -p build/types/spear_deploy
	@ln -s $(CURDIR)/spear_deploy/* build/types/spear_deploy/ && ln -sfn $(CURDIR)/exporters build/types/spear_deploy/
	@ln -s $(CURDIR)/benchmarks $(CURDIR)/examples build/types/
	cd build/types && $(CURDIR)/$(BIN)/mypy --config-file ../../pyproject.toml --cache-dir ../../.mypy_cache/types

# A file's tests run in one process, so that what they share is made once; in their order, so that small files end it.
BY_FILE := --dist loadfile --no-loadscope-reorder

tests: $(VENV)/.dev
	$(BIN)/python -m pytest --numprocesses 2 $(BY_FILE)

lock:
	$(PYTHON) -m venv build/lock
	build/lock/bin/python -m pip --disable-pip-version-check install --quiet uv
	build/lock/bin/python requirements/lock.py

# The suite under the oldest and under the newest releases that pyproject.toml allows, each in a venv of its own.
# Old releases use what newer ones of their own dependencies deprecate: that fails no test there.
# TORCH=torch==2.13.0 takes that one instead, where no other build is at hand.
lowest newest:
	$(PYTHON) -m venv build/$@
	build/$@/bin/python -m pip --disable-pip-version-check install --quiet uv
	build/$@/bin/python -m uv pip install --quiet --python build/$@ \
	  --resolution $(if $(filter lowest,$@),lowest-direct,highest) $(TORCH) --editable '.[dev,onnx,oracles,ray]'
	build/$@/bin/spear-deploy lava install
	build/$@/bin/python -m pytest --numprocesses 2 $(BY_FILE) $(if $(filter lowest,$@),-W ignore::DeprecationWarning)

# Resumable: what stands in docs/evidence/raw is not made again. MNIST=folder of idx files, or an npz.
MNIST ?= ../shared/cases/mnist

evidence: setup
	OMP_NUM_THREADS=1 $(BIN)/python -W ignore::UserWarning -m benchmarks.evidence digits

evidence-mnist: setup
	OMP_NUM_THREADS=1 $(BIN)/python -W ignore::UserWarning -m benchmarks.evidence mnist --source $(MNIST)

# SPEAR's networks and budgets on what is at hand: with a GPU (DEVICE=cuda) VGG16 at full width, else a quarter of it on few images.
# Resumable too: dense networks and finished steps stay in build/cifar10. CIFAR10=folder of train.npz and test.npz, or torchvision's.
CIFAR10 ?= ../shared/cases/cifar10
DEVICE ?= cpu
ON_CPU := --width 0.25 --images 4000 --tuned-images 4000 --test-images 2000 --epochs 10

evidence-cifar10: setup
	PYTHONPATH=. $(BIN)/python -W ignore -m benchmarks.cifar10 --data $(CIFAR10) --device $(DEVICE) \
	  $(if $(filter cpu,$(DEVICE)),$(ON_CPU),--amp)
	PYTHONPATH=. $(BIN)/python -W ignore -m benchmarks.cifar10 --table

# Libraries that `bench` measures beside ours, without what they would replace: they ask for other releases of torch and nir.
peers: setup
	$(PIP) --no-deps spikingjelly==2.0.0 sinabs==3.1.3 norse==1.1.0 nirtorch loguru pbr

# At most 15 minutes; spikingjelly, sinabs and norse are measured too where they are installed (make peers bench).
bench: setup
	mkdir -p build
	OMP_NUM_THREADS=1 $(BIN)/python -W ignore -m benchmarks.speed --json build/bench.json --tables docs/performance.md

example: setup
	$(BIN)/python examples/train_digits.py

clean:
	rm -rf $(VENV) build *.egg-info .mypy_cache .ruff_cache .pytest_cache .hypothesis
