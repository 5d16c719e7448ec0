# Ten targets, one line each. Every one sets up what it needs by itself.
.DEFAULT_GOAL := help
.PHONY: help demo up test lint format bench lock clean
SVITLO := .venv/bin/svitlo

help: ## show this list
	@sed -n 's/^\([a-z]*\):.*## \(.*\)/  make \1\t\2/p' Makefile | expand -t 16

demo: ## three simulated houses lose power and get it back, for real
	@scripts/setup && exec $(SVITLO) demo $(ARGS)

up: ## the stack for real boards on this network
	@scripts/setup && exec $(SVITLO) up --lan $(ARGS)

test: lint ## all checks and all tests
	@.venv/bin/python -m pytest -n 3 $(ARGS)

lint: ## ruff, mypy --strict, import-linter
	@scripts/setup
	@.venv/bin/ruff check . && .venv/bin/ruff format --check -q . && .venv/bin/mypy && .venv/bin/lint-imports

format: ## put the code in order
	@scripts/setup && .venv/bin/ruff check -q --fix . ; .venv/bin/ruff format -q .

bench: ## measure (minutes; not part of the tests)
	@scripts/setup && .venv/bin/python -m bench $(ARGS)

lock: ## renew the locked versions
	@scripts/setup && scripts/lock

clean: ## remove what was made here
	@rm -rf .venv dist build .mypy_cache .ruff_cache .pytest_cache .import_linter_cache .hypothesis
