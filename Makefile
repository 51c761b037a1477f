# Everything is installed under target/, except the Rust target, which belongs to the toolchain. See `make help`.

SHELL := bash
.SHELLFLAGS := -euo pipefail -c
.DELETE_ON_ERROR:
.DEFAULT_GOAL := help
MAKEFLAGS += --no-print-directory

VERSION := $(shell sed -n '/^version = /{s/.*"\(.*\)"/\1/p;q}' Cargo.toml)

CARGO_TARGET_DIR ?= $(CURDIR)/target
export CARGO_TARGET_DIR
# A build from nothing is a third faster without. Cargo builds the workspace anew where it is called with and without by turns.
export CARGO_INCREMENTAL ?= 0
# Cargo takes `make -j`'s places for its own, and a recipe's don't reach it: it is told of none.
export CARGO_MAKEFLAGS :=
# CI builds what the lock file says, or not at all.
LOCKED := $(if $(CI),--locked)

include tests/tools/tools.mk

print_size = printf '%s  %d bytes, %d gzipped\n' $(WASM:$(CURDIR)/%=%) $$(wc -c <$(WASM)) $$(gzip -9c $(WASM) | wc -c)

##@ The two commands

.PHONY: run
run: $(WASM) provider $(FUNC_E) $(ENVOY_PATH) | need-python ## Start the gateway and a simulated provider (OPENAI_BASE_URL=… for a real one)
	@$(with_envoy) envoy/start/run

.PHONY: production
production: $(WASM) $(FUNC_E) $(ENVOY_PATH) | need-python ## Start the gateway with envoy/production.yaml, for the providers whose keys are set
	@$(with_envoy) envoy/start/production

.PHONY: demo
demo: $(WASM) provider $(FUNC_E) $(ENVOY_PATH) $(DEBIAN_STAMP) $(PROMETHEUS) | need-python ## All of it with Prometheus, PostgreSQL and minutes of traffic in which everything happens (DEMO_MINUTES=5)
	@$(with_envoy) DEBIAN=$(DEBIAN) PROMETHEUS=$(PROMETHEUS) envoy/start/demo

.PHONY: run-cluster
run-cluster: $(WASM) provider checker $(FUNC_E) $(ENVOY_PATH) $(RATELIMIT) $(DEBIAN_STAMP) | need-python ## Start two Envoys that share limits and budgets by envoyproxy/ratelimit and Redis
	@$(with_envoy) DEBIAN=$(DEBIAN) CHECK=$(CHECK) RATELIMIT=$(RATELIMIT) envoy/start/cluster

.PHONY: test
test: ## lint, check-prometheus, check-grafana, unit, check-shapes, cost and e2e
	@# The .wasm is linked by one processor, and builds wait for each other: so all of these come together. The end-to-end tests need both processors.
	@$(MAKE) -j6 TOGETHER=1 lint unit check-prometheus check-grafana check-shapes cost $(PARTS)
	@$(MAKE) TOGETHER=1 e2e

##@ The parts

.PHONY: build
build: $(WASM) ## Build target/nexus_ai_gateway.wasm and print its size
	@$(print_size)

.PHONY: check-config
check-config: checker ## What Envoy would say of a configuration, without Envoy (FILE=… of Envoy, Istio, Envoy Gateway or the plugin alone)
	@[ -n "$(FILE)" ] || $(call missing,the files to check: make check-config FILE=envoy.yaml)
	@$(CHECK) $(FILE)

.PHONY: schema
schema: checker ## Write the JSON Schema of the plugin's configuration
	@$(CHECK) --schema >envoy/schema.json

.PHONY: configuration-reference
configuration-reference: | need-python ## Write the reference of the manual's page on configuration, from the schema
	@python3 envoy/manual/configuration.py

.PHONY: ratelimit-config
ratelimit-config: checker ## Print envoyproxy/ratelimit's configuration for the limits in FILE=… (what check-config reads)
	@[ -n "$(FILE)" ] || $(call missing,the file with the limits: make ratelimit-config FILE=envoy.yaml)
	@$(CHECK) --ratelimit $(FILE)

.PHONY: opening
opening: | need-python ## What was spent this month, as `opening` of the configuration of the Envoy that comes next (FILE=access.log or DATABASE=postgresql://…)
	@[ -n "$(FILE)$(DATABASE)" ] || $(call missing,where the records are: make opening FILE=access.log (or DATABASE=postgresql://ai_gateway@localhost/ai_gateway))
	@envoy/start/opening $(if $(DATABASE),--database "$(DATABASE)",$(FILE))

.PHONY: fmt
fmt: | need-rust ## Format the sources
	@cargo fmt --all
	@cargo fmt --manifest-path tests/cost/Cargo.toml --all

.PHONY: lint
lint: $(WASM) clippy checker $(FUNC_E) $(ENVOY_PATH) | need-rust need-python ## Formatting, clippy, the documents, the schema, every Envoy configuration through Envoy
	@python3 tests/tools/documents.py --check-config $(CHECK)
	@$(CHECK) --schema | diff -u envoy/schema.json - || { echo "envoy/schema.json is not what make schema writes" >&2; exit 1; }
	@$(CHECK) $(wildcard envoy/*.yaml) envoy/istio/wasmplugin.yaml envoy/istio/envoyfilter.yaml envoy/envoy-gateway/extension.yaml
	@for config in $(wildcard envoy/*.yaml); do \
		sed 's/key: ""}/key: nexus-of-nobody}/' $$config >$(CURDIR)/target/validate.yaml; \
		OPENAI_API_KEY=none OPENROUTER_API_KEY=none ANTHROPIC_API_KEY=none LOCAL_API_KEY=none $(with_envoy) $(FUNC_E) run --mode validate -c target/validate.yaml >$(CURDIR)/target/validate.log 2>&1 \
			|| { grep -E '\[(warning|error|critical)\]' $(CURDIR)/target/validate.log || tail -n 5 $(CURDIR)/target/validate.log; \
				echo "$$config: refused by Envoy" >&2; exit 1; }; \
		echo "$$config: accepted by Envoy $(ENVOY_VERSION)"; \
	done

.PHONY: clippy
clippy: | need-rust
	@cargo fmt --all --check
	@cargo fmt --manifest-path tests/cost/Cargo.toml --all --check
	@cargo clippy $(LOCKED) --workspace --all-targets -- -D warnings

# Not a part of `lint`, for each of the two checks all its dependencies anew. The filter for wasm differs from the native one by a function.
.PHONY: clippy-wasm
clippy-wasm: | need-wasm ## Clippy of the filter for wasm, and of what counts its costs
	@cargo clippy $(LOCKED) --lib --target wasm32-wasip1 -- -D warnings
	@cargo clippy $(LOCKED) --manifest-path tests/cost/Cargo.toml --workspace -- -D warnings

.PHONY: unit
unit: | need-rust need-python ## Unit and property tests of the core and the adapter, the corpus, the checker's and the simulated provider's own
	@python3 tests/fixtures/expected.py
	@cargo test $(LOCKED) --lib
	@cargo test $(LOCKED) --profile dev $(BESIDE) --lib --bins --test socket --test seeds

# Asked for together, so that what they all need is built once. The gateway's own tests are not among them: they run with what its
# .wasm is built with.
BESIDE := --package simulated-provider --package check-config --package gateway-tests --package nexus-fuzz
# Most of a test is waiting, for answers or for its turn at a gateway that several share.
TEST_THREADS ?= $(shell expr $$(nproc) \* 2 + 1)
.PHONY: e2e
e2e: $(PARTS) empty provider checker | need-rust ## End to end: func-e, real Envoy, the official SDKs, real servers
	@$(with_parts) RUST_TEST_THREADS=$(TEST_THREADS) cargo test $(LOCKED) --profile dev $(BESIDE) --test gateway $(TESTS)

.PHONY: crowd
crowd: ## 20,000 requests of all APIs and levers, one of ten leaving, against the ledger of the simulated provider (CROWD=… for another number)
	@CROWD=$(or $(CROWD),20000) $(MAKE) e2e TESTS="-- --nocapture crowd::"

.PHONY: crowd-shadowed
crowd-shadowed: ## 20,000 requests, a quarter copied, one of ten leaving, against both ledgers; and a shadow's provider that hangs for a minute (CROWD=… for another number)
	@SHADOWED=$(or $(CROWD),20000) SHADOW_HANGS=60 $(MAKE) e2e TESTS="-- --nocapture shadows::"

# Twice as many busy loops as there are processors, so that each waits for the other two thirds of its time.
STRESS := 2
.PHONY: test-stress
test-stress: ## e2e with every processor busy with something else, by itself and bounded (TESTS=… for a part, TIMES=5 for several)
	@python3 tests/tools/stress.py --per-processor $(STRESS) --times $(or $(TIMES),1) $(MAKE) e2e

.PHONY: cluster-outages
cluster-outages: $(PARTS) provider checker | need-rust ## Two Envoys that share limits, with their service and its Redis killed and slow for 20 s
	@$(with_parts) cargo test $(LOCKED) --profile dev $(BESIDE) --test gateway -- --ignored --nocapture cluster::outages

.PHONY: clients
clients: $(PARTS) $(SLOWER_PARTS) provider | need-rust ## opencode, Gemini CLI, aider, LangChain and OpenAI's SDK for Go: a task, and every refusal (minutes, and a gigabyte once)
	@$(with_parts) $(with_slower_parts) cargo test $(LOCKED) --profile dev $(BESIDE) --test gateway -- --ignored $(or $(TESTS),agents::slower)

.PHONY: matrix
matrix: ## e2e on older Envoys, one after another, without what needs 1.40 (make matrix-1.36.4 for one)
	@$(MAKE) --keep-going $(OLDER_ENVOYS:$(TOOLS)/envoy-%/envoy=matrix-%)

matrix-%: $(TOOLS)/envoy-%/envoy
	@echo "== Envoy $*"
	@$(MAKE) e2e ENVOY_PATH=$< TESTS="-- $(patsubst %,--skip %,$(SINCE_1_40) $(CRASHES_$*) $(LACKS_$*))"

.PHONY: cost
cost: $(WASM) empty $(if $(VERBOSE),$(NAMED)) | need-rust ## Host calls, bytes, instructions and memory of an exchange, exactly, held to budgets (VERBOSE=1: by callback and function)
	@WASM=$(WASM) EMPTY=$(EMPTY) $(if $(VERBOSE),NAMED=$(NAMED)) cargo run $(LOCKED) --quiet --manifest-path tests/cost/Cargo.toml

.PHONY: clean
clean: ## Remove everything that was built or installed here
	@rm -rf $(CURDIR)/target $(CARGO_TARGET_DIR)

include tests/tools/written.mk
include envoy/postgres/compare.mk
include envoy/release/release.mk
include tests/bench/bench.mk
include tests/fuzz/fuzz.mk

.PHONY: help
help: ## This list
	@awk 'BEGIN {FS = ":.*?## "} \
		/^##@/ {printf "\n%s\n", substr($$0, 5)} \
		/^[a-z0-9-]+:.*## / {printf "  make %-16s %s\n", $$1, $$2}' $(MAKEFILE_LIST)
	@printf '\nPorts: GATEWAY_PORT=10000 ADMIN_PORT=9901 PROVIDER_PORT=18080; of the demo also PROMETHEUS_PORT=9090 POSTGRES_PORT=15432. Tools of your own: ENVOY_PATH=… FUNC_E=…\n'

# Messages in the .wasm name the sources of crates, and where those lie on this machine would make it another one than elsewhere.
nowhere = target.'cfg(target_family = \"wasm\")'.rustflags = [$$(printf '\"--remap-path-prefix=%s=/crates\",' "$${CARGO_HOME:-$$HOME/.cargo}"/registry/src/*)]

$(WASM): $(shell find src -name '*.rs') Cargo.toml $(wildcard Cargo.lock) .cargo/config.toml | need-wasm
	@cargo fetch $(LOCKED) --quiet --target wasm32-wasip1
	@cargo wasm $(LOCKED) --config "$(nowhere)"
	@mkdir -p $(@D) && cp $(CARGO_TARGET_DIR)/wasm32-wasip1/release/nexus_ai_gateway.wasm $@

# Cargo builds a crate anew for other company, which may want more of it: `make test` asks for the same wherever it asks.
built = cargo build $(LOCKED) --quiet $(if $(TOGETHER),$(BESIDE) --bins --test socket --test seeds --test gateway,--package $(1))

# Always asked, because cargo knows better than make what the provider is built from. As the tests build it: what is hot in it is
# optimised there, too.
.PHONY: provider
provider: | need-rust
	@$(call built,simulated-provider)

# The same code, but functions keep their names. In a folder of its own, or each build would undo the other's.
$(NAMED): $(WASM)
	@CARGO_PROFILE_RELEASE_STRIP=debuginfo cargo wasm $(LOCKED) --quiet --target-dir $(CURDIR)/target/cost/named
	@touch $@

# The filter that does nothing.
.PHONY: empty
empty: | need-wasm
	@cargo build $(LOCKED) --quiet --manifest-path tests/cost/Cargo.toml --package empty-filter --release --target wasm32-wasip1

.PHONY: checker
checker: | need-rust
	@$(call built,check-config)
