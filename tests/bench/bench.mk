##@ Measuring

# What stands beside the gateway on the same processors is to take as little of them as it can.
bench bench-scale bench-crowd bench-shadows: PROVIDER := $(CARGO_TARGET_DIR)/release/simulated-provider
.PHONY: fast-provider
fast-provider: | need-rust
	@cargo build $(LOCKED) --quiet --release --package simulated-provider

# Others of its kind, and other gateways.
BENCH_OTHERS := $(if $(BENCH_PEERS),$(PEERS)/stamp) $(BENCH_PROXIES:%=$(PROXIES)/%/stamp)
.PHONY: bench
bench: $(WASM) empty fast-provider $(ENVOY_PATH) $(H2LOAD) $(BENCH_OTHERS) | need-python ## What the filter costs beside a bare Envoy and an empty filter (BENCH_PEERS=1, BENCH_PROXIES="…": and others)
	@$(with_envoy) EMPTY=$(EMPTY) H2LOAD=$(H2LOAD) BENCH_PEERS=$(if $(BENCH_PEERS),$(PEERS)) BENCH_PROXIES="$(BENCH_PROXIES)" PROXIES=$(PROXIES) \
		python3 tests/bench/bench.py

.PHONY: bench-scale
bench-scale: $(WASM) fast-provider $(ENVOY_PATH) $(H2LOAD) | need-python ## The same with 10, 1,000 and 100,000 tenants: a request, and a worker's start and memory
	@$(with_envoy) H2LOAD=$(H2LOAD) python3 tests/bench/scale.py

.PHONY: bench-crowd
bench-crowd: $(WASM) empty fast-provider $(ENVOY_PATH) $(H2LOAD) | need-python ## What 5,000 open streams cost, and one tenant on all workers
	@$(with_envoy) EMPTY=$(EMPTY) H2LOAD=$(H2LOAD) python3 tests/bench/crowd.py

.PHONY: bench-shadows
bench-shadows: $(WASM) fast-provider $(ENVOY_PATH) $(H2LOAD) | need-python ## What requests notice of their copies: processor time and latency, beside a gateway without shadows
	@$(with_envoy) H2LOAD=$(H2LOAD) python3 tests/bench/shadows.py

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
