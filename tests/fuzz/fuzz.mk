##@ Fuzzing

FUZZ_TARGETS := scanner request form answer exchange content tools configuration
FUZZ_SECONDS ?= 600
# `make test` holds the same promises against the seeds and what is near them (seeds.rs): building these takes minutes.

# Inputs of each target in `fuzz-short`, beside its seeds: a number of seconds would make a slow machine try others than a fast one.
SHORT_RUNS = $(strip $(patsubst $(1)=%,%,$(filter $(1)=%,\
	scanner=50000 request=20000 form=80000 answer=8000 exchange=40000 content=8000 tools=10000 configuration=50000)))
# Each by one processor.
at_once = $(MAKE) -j$$(nproc) --keep-going --output-sync

.PHONY: fuzz
fuzz: fuzz-build ## Every parser against its promises, ten minutes each (FUZZ_SECONDS=…), on from what earlier runs found
	@$(at_once) $(FUZZ_TARGETS:%=fuzz-long-%)

.PHONY: fuzz-short
fuzz-short: fuzz-build ## The same from the seeds alone, some seconds each: as many inputs on any machine
	@rm -rf $(FUZZ)/short
	@$(at_once) $(FUZZ_TARGETS:%=fuzz-short-%)

fuzz-long-%:
	@$(call fuzz_one,$*,$(FUZZ)/corpus/$*,$(FUZZ_SECONDS),0)

fuzz-short-%:
	@$(call fuzz_one,$*,$(FUZZ)/short/$*,0 -runs=$(call SHORT_RUNS,$*),1)

.PHONY: check-texts
check-texts: | need-rust ## 100,000 generated requests and as many answers under rules about texts, against a reader of another making; a gigabyte of almost matches (an hour)
	@CONVERSATIONS=$(or $(CONVERSATIONS),100000) cargo test $(LOCKED) --lib content::tests::oracle
	@cargo test $(LOCKED) --lib content::tests::hostile -- --ignored --nocapture

# What cargo-fuzz would pass: all of it stable, so neither that nor a nightly toolchain is needed. Without --target, build
# scripts would get these flags too.
FUZZ := $(CURDIR)/target/fuzz
FUZZ_FLAGS := -Cpasses=sancov-module $(addprefix -Cllvm-args=, \
	-sanitizer-coverage-level=4 -sanitizer-coverage-inline-8bit-counters -sanitizer-coverage-pc-table \
	-sanitizer-coverage-trace-compares -simplifycfg-branch-fold-threshold=0)
fuzz_cargo = env RUSTFLAGS="$(FUZZ_FLAGS)" CARGO_TARGET_DIR=$(FUZZ)/build cargo
fuzz_arguments = $(LOCKED) --profile fuzz --package nexus-fuzz --features guided --bin guided --target "$$(rustc --print host-tuple)"
# $(1) target, $(2) where the inputs go that found something new, $(3) seconds, $(4) the seed of chance (0: another each time).
# What broke a promise stays in findings.
fuzz_one = mkdir -p $(2) $(FUZZ)/findings/$(1); log=$(FUZZ)/$(1).log; \
	if TARGET=$(1) $(FUZZ)/guided -max_total_time=$(3) -seed=$(4) -max_len=32768 -timeout=10 -dict=$(FUZZ)/seeds/words.dict \
		-artifact_prefix=$(FUZZ)/findings/$(1)/ -print_final_stats=1 $(2) $(FUZZ)/seeds/$(1) >$$log 2>&1; then \
		echo "fuzz $(1): $$(sed -n 's/^Done //p' $$log), $$(sed -n 's/^.[0-9]*[[:space:]]DONE *//p' $$log)"; \
	else \
		grep -a -A3 'panicked at' $$log | cut -c -400 >&2 || tail -n 20 $$log >&2; \
		echo "fuzz $(1): a promise is broken. Again: TARGET=$(1) $(FUZZ:$(CURDIR)/%=%)/guided $$(sed -n 's|.*written to $(CURDIR)/||p' $$log)" >&2; \
		exit 1; \
	fi

.PHONY: fuzz-build
fuzz-build: | need-rust need-python need-c++
	@$(fuzz_cargo) build --quiet $(fuzz_arguments)
	@cp $(FUZZ)/build/$$(rustc --print host-tuple)/fuzz/guided $(FUZZ)/guided
	@rm -rf $(FUZZ)/seeds && python3 tests/fuzz/seeds.py $(FUZZ)/seeds
