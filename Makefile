# Two commands matter: `make demo` and `make test`. Both set up what they need first.

PYTHON ?= python3
PY := .venv/bin/python
# The toolchain wrappers find Node and Foundry by themselves; a Node from a wheel lives in the virtual environment.
export PATH := $(CURDIR)/.venv/bin:$(PATH)

.DEFAULT_GOAL := help
.PHONY: help setup demo test test-python test-contracts check format lock export clean \
	fuzz fuzz-contracts flat-costs differential differential-onchain campaign campaign-ci soak audit \
	bench-verify bench-garbage bench-gas \
	bench-relay check-gas slither halmos sizes

help: ## Show this list
	@sed -n 's/^\([a-z-]*\):.*## /  make \1|/p' Makefile | awk -F'|' '{printf "%-30s %s\n", $$1, $$2}'

setup: ## Set up .venv and node_modules (pinned, checked by hash)
	@command -v $(PYTHON) >/dev/null || { echo "setup: $(PYTHON) is missing: install Python 3.11 or newer" >&2; exit 6; }
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || { \
		echo "setup: Python 3.11 or newer is needed, this is $$($(PYTHON) --version 2>&1): make PYTHON=python3.12 …" >&2; exit 6; }
	@$(PYTHON) scripts/setup.py

demo: setup ## From a genuine quote to a dApp's callback, in a minute
	@$(PY) -m quotary demo $(DEMO_ARGS)

test: setup test-contracts test-python ## Run every test

test-contracts: setup
	@toolchain/forge test --root contracts

test-python: setup
	@$(PY) -m pytest -n auto --dist worksteal $(PYTEST_ARGS)

check: setup ## Formatting, lint, types, import rules, exported artefacts
	@$(PY) -m ruff format --check .
	@$(PY) -m ruff check .
	@$(PY) -m mypy
	@$(PY) -c "from importlinter.cli import lint_imports_command; lint_imports_command()"
	@toolchain/forge fmt --check --root contracts
	@toolchain/forge build --root contracts
	@$(PY) scripts/export_abi.py --check
	@$(PY) scripts/build_docs.py --check

format: setup ## Format Python and Solidity
	@$(PY) -m ruff format .
	@$(PY) -m ruff check --fix .
	@toolchain/forge fmt --root contracts

export: setup ## Recompile the contracts and write what the bridge package ships
	@$(PY) scripts/export_abi.py

sizes: setup ## Print how many bytes each contract has left of what a chain takes
	@$(PY) scripts/compile.py

# Slither and Halmos bring packages that nothing else needs: they stay apart.
build/analysis/installed: requirements/analysis.txt
	@$(PYTHON) -m venv --clear build/analysis
	@build/analysis/bin/python -m pip --disable-pip-version-check install --quiet --no-deps --require-hashes -r $<
	@touch $@

slither: setup build/analysis/installed ## Analyse the contracts statically: fails on a finding that nobody answered for
	@$(PY) scripts/static_analysis.py

halmos: setup build/analysis/installed ## Prove one-way states, guardian power and assembly for all inputs
	@$(PY) scripts/symbolic_proofs.py

fuzz: setup ## Fuzz every parser by coverage (SECONDS=3600)
	@$(PY) -m pip --disable-pip-version-check install --quiet --no-deps --require-hashes -r requirements/fuzz.txt \
		|| echo "fuzz: no atheris for this Python, so our own engine fuzzes" >&2
	@$(PY) scripts/fuzz.py --seconds $(or $(SECONDS),3600)

fuzz-contracts: setup ## Fuzz the contracts and their invariants longer, by a new seed each time (RUNS=2000)
	@seed=0x$$(od -An -N8 -tx8 /dev/urandom | tr -d ' '); echo "seed $$seed"; \
		FOUNDRY_FUZZ_RUNS=$(or $(RUNS),2000) FOUNDRY_INVARIANT_RUNS=$(or $(RUNS),2000) \
		toolchain/forge test --root contracts --fuzz-seed $$seed --no-match-contract Gas

flat-costs: setup ## Show that ten thousand workers cost as one does (WORKERS=10000)
	@QUOTARY_FLAT_WORKERS=$(or $(WORKERS),10000) toolchain/forge test --root contracts \
		--match-test HoweverManyWorkers

differential: setup ## Compare with dcap-qvl on many mutants (MUTANTS=100000)
	@$(PY) scripts/differential.py --mutants $(or $(MUTANTS),100000)

differential-onchain: setup ## Compare with the contracts on many mutants (MUTANTS=100000)
	@$(PY) scripts/differential_onchain.py --mutants $(or $(MUTANTS),100000)

bench-verify: setup ## Compare the verifier's speed with dcap-qvl's: build/bench/verify.json
	@$(PY) scripts/bench_verify.py

bench-garbage: setup ## Measure what refusing garbage costs: build/bench/garbage.json
	@$(PY) scripts/fuzz.py --measure

bench-gas: setup ## Measure gas in whole transactions: build/bench/gas.json
	@$(PY) scripts/bench_gas.py
	@$(PY) scripts/bench_gas_zk.py
	@$(PY) scripts/bench_gas_registry.py

bench-relay: setup ## Measure the relayer beside a bare loop: build/bench/relay.json
	@$(PY) scripts/bench_relay.py

campaign: setup ## Kill relayers 3,900 times, judge, and write docs/reliability.md (CAMPAIGN_ARGS=--rounds=1000)
	@$(PY) scripts/soak.py --report --daemon 60 --steady 1500 $(CAMPAIGN_ARGS)

campaign-ci: setup ## The same, and write no report
	@$(PY) scripts/soak.py $(CAMPAIGN_ARGS)

check-gas: setup ## Fail where on-chain verification costs more than contracts/snapshots says
	@$(PY) scripts/bench_gas.py --check

soak: setup ## Break the bridge for hours (HOURS=8)
	@$(PY) scripts/soak.py --daemon 60 --steady 10000 --hours $(or $(HOURS),8)

audit: setup ## Rebuild the contracts' state from events after a long random run (STEPS=1000)
	@QUOTARY_AUDIT_STEPS=$(or $(STEPS),1000) $(PY) -m pytest -q tests/bridge/test_admission.py

lock: ## Pin the newest Python packages anew
	@$(PYTHON) -m venv build/lock && build/lock/bin/pip install --quiet uv
	@build/lock/bin/python scripts/lock.py

clean: ## Remove everything that set-up and builds made
	rm -rf .venv node_modules build dist contracts/out contracts/cache
