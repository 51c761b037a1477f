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

$(IMAGE)/index.json: $(WASM) envoy/release/image.py $(ORAS) | need-python
	@python3 envoy/release/image.py $(WASM) $(VERSION) --oras $(ORAS) --into $(@D)

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
