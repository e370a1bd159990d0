# The main targets are `make run` and `make test`. Each installs its requirements first, once.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
UV := $(BIN)/uv pip install --python $(BIN)/python --require-hashes
RUN_READY := $(VENV)/.ready-to-run
DEV_READY := $(VENV)/.ready-to-develop
BENCH_READY := $(VENV)/.ready-to-measure

.PHONY: run test check check-client bench chaos chaos-mutants format docs messages screenshots lock proto client-proto clean help

help:
	@echo "make run     start the whole system on this machine"
	@echo "make test    run the tests; ARGS=tests/gateway runs some"
	@echo "make check   format, linters, types, import layers, wire contract"
	@echo "make check-client   build the Python client, and try its wheel beside other packages"
	@echo "make schemathesis   ask the API what its document says, at length; EXAMPLES=200 for each call"
	@echo "make bench   measure; SCRIPT=live/fanout.py runs one, SIZE=quick a short one"
	@echo "make chaos   faults against real processes; SCENARIO=L1 runs one, SIZE=short a quick one, SEED=7"
	@echo "make chaos-mutants   break the product on purpose; MUTANT=m07 breaks it in one way"
	@echo "make format  format the code"
	@echo "make docs    write the tables of settings in docs/configuration.md"
	@echo "make screenshots   the pictures of the person's pages in docs/pages/"
	@echo "make messages   add new sentences to the catalogues of other languages"
	@echo "make proto   regenerate the protobuf code"
	@echo "make client-proto   regenerate the Python client's copy of it"
	@echo "make lock    compile requirements/*.in to pinned, hashed *.txt"
	@echo "make clean   remove var/, the data of the development system"

run: $(RUN_READY)
	@$(BIN)/python -m sandbox.system

test: $(DEV_READY)
	@$(BIN)/python -m pytest $(or $(ARGS),-n 3)

check: $(DEV_READY)
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy config gateway notifications users runtime sandbox proto/generate.py
	$(BIN)/mypy --config-file clients/python/pyproject.toml clients/python/src/tocsin
	$(BIN)/lint-imports
	$(BIN)/bandit -q -ll -c pyproject.toml -r config gateway notifications users runtime sandbox
	$(BIN)/python -m proto.generate --check
	$(BIN)/python -m config.messages --check
	$(BIN)/buf lint proto
	$(BIN)/buf breaking proto --against proto/baseline

check-client: $(DEV_READY)
	$(BIN)/python clients/python/check_wheel.py

schemathesis: $(DEV_READY)
	@SCHEMATHESIS_EXAMPLES=$(or $(EXAMPLES),50) $(BIN)/python -m pytest -q --timeout 3600 tests/openapi/test_schemathesis.py

LIVE_BENCHMARKS := $(addprefix live/,fanout.py latency.py broadcast.py memory.py confirmed.py)

bench: $(BENCH_READY)
	@for script in $(or $(SCRIPT),publish.py ingest_streams.py ingest/publish_client.py deliveries.py toast.py $(LIVE_BENCHMARKS)); do \
		$(BIN)/python benchmarks/$$script || exit 1; done

chaos: $(DEV_READY)
	@$(BIN)/python -m tests.faults.run $(SCENARIO) --size $(or $(SIZE),full) --seed $(or $(SEED),1); \
		held=$$?; $(BIN)/python -m tests.faults.report && exit $$held

chaos-mutants: $(DEV_READY)
	@$(BIN)/python -m tests.faults.mutants $(MUTANT); \
		noticed=$$?; $(BIN)/python -m tests.faults.report && exit $$noticed

format: $(DEV_READY)
	$(BIN)/ruff format .
	$(BIN)/ruff check --fix .

docs: $(DEV_READY)
	$(BIN)/python -m config.settings_docs

messages: $(DEV_READY)
	$(BIN)/python -m config.messages

screenshots: $(DEV_READY)
	TOCSIN_SCREENSHOTS=1 $(BIN)/python -m pytest -q tests/journeys/test_person_in_browser.py

proto: $(DEV_READY)
	$(BIN)/python -m proto.generate
	$(BIN)/buf format -w proto

client-proto: $(DEV_READY)
	$(BIN)/python clients/python/generate.py

lock: $(DEV_READY)
	cd requirements && for set in dev base embedded bench bootstrap; do \
		constraint=$$( [ $$set = dev ] || echo "-c dev.txt" ); \
		../$(BIN)/uv pip compile --quiet --upgrade --python-version 3.11 --generate-hashes \
			--no-emit-index-url --no-header $$constraint $$set.in -o $$set.txt || exit 1; \
	done

clean:
	rm -rf var

# --- the virtual environment ------------------------------------------------------------------------
$(BIN)/uv: requirements/bootstrap.txt
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || \
		{ echo "Tocsin needs Python 3.11 or later: make PYTHON=/path/to/python3.11 …"; exit 1; }
	@echo "creating $(VENV) …"
	@$(PYTHON) -m venv $(VENV) || { echo "On Debian and Ubuntu: apt install python3-venv"; exit 1; }
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --require-hashes -r requirements/bootstrap.txt
	@touch $@

$(RUN_READY): requirements/embedded.txt $(BIN)/uv
	@echo "installing the requirements …"
	@$(UV) --compile-bytecode -r requirements/embedded.txt
	@touch $@

$(DEV_READY): requirements/dev.txt $(BIN)/uv
	@echo "installing the requirements and the test tools …"
	@$(UV) --compile-bytecode -r requirements/dev.txt
	@touch $@ $(RUN_READY)

$(BENCH_READY): requirements/bench.txt $(DEV_READY)
	@echo "installing what is measured beside ours …"
	@$(UV) --compile-bytecode -r requirements/bench.txt
	@touch $@
