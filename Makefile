# Every target sets up what it needs by itself. What is installed goes to .venv, and only when pyproject.toml or
# constraints.txt changed since; so a second run needs no network.
SHELL := /bin/bash
.DEFAULT_GOAL := help
.PHONY: help demo up test check format bench load fuzz chaos k8s-check studio clean

demo: .venv/.local ## make pictures with the whole service and show them: out/demo/contact-sheet.png
	@.venv/bin/spade-serve demo --out out/demo

up: .venv/.local ## run the service on this machine until Ctrl-C; ARGS="--port 8080" passes options on
	@.venv/bin/spade-serve up $(ARGS)

test: check ## all checks, then all tests with coverage; what a change has to pass
	@rm -f .coverage .coverage.*
	.venv/bin/coverage run -m pytest -m "not alone" --numprocesses 4 --dist loadfile
	.venv/bin/coverage run -m pytest -m alone
	@.venv/bin/coverage combine --quiet
	.venv/bin/coverage report --fail-under=90

check: .venv/.dev ## formatting, lint, types, direction of imports
	.venv/bin/ruff format --check .
	.venv/bin/ruff check .
	.venv/bin/mypy
	.venv/bin/lint-imports

format: .venv/.dev ## put the code into its form
	.venv/bin/ruff format .
	.venv/bin/ruff check --fix .

bench: .venv/.dev ## run all benchmarks and write BENCHMARKS.md; ARGS="--coco DIR --camvid DIR" names data sets
	@.venv/bin/spade-serve bench report $(ARGS)

chaos: .venv/.dev ## 200 faults against real processes under load; ARGS="--faults 50 --seed 7 --json" changes that
	@PYTHONPATH=tests .venv/bin/python -m chaos $(ARGS)

load: .venv/.dev ## measure the service under load, which takes eight minutes; ARGS="--json" for programs
	@.venv/bin/spade-serve bench load $(ARGS)

fuzz: .venv/.dev ## send 10,000 malformed requests to a real API; ARGS="--requests 600 --seed 7"
	@PYTHONPATH=tests .venv/bin/python -m support.fuzz $(ARGS)

k8s-check: .venv/.dev ## check the manifests of k8s/ without a cluster; a part of `make test`
	.venv/bin/python -m pytest tests/k8s

studio: ## build the page /studio from its sources in api/studio; needs Node.js
	npm ci --ignore-scripts --prefix api/studio
	npm run build --prefix api/studio

clean: ## remove what was made, except .venv
	rm -rf out build dist htmlcov .coverage .coverage.* .mypy_cache .ruff_cache .pytest_cache .hypothesis .import_linter_cache

help: ## this list
	@grep -E '^[a-z0-9-]+:.*## ' $(MAKEFILE_LIST) | sed -E 's/^([a-z0-9-]+):.*## (.*)/  make \1\t\2/' | expand -t 18

.venv/.local: pyproject.toml constraints.txt
	@deploy/setup.sh local
	@touch $@

.venv/.dev: pyproject.toml constraints.txt api/studio/package-lock.json
	@deploy/setup.sh dev
	@touch .venv/.local $@
