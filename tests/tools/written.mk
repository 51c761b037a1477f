# What tools say of the alerts, the manifests, the prices, the detectors and the dashboards, and what they write from them.

generate_prices = $(PRICES_VENV)/bin/python envoy/prices/generate.py
PYTHON_OF_PRICES = PYTHONPATH=envoy/prices $(PRICES_VENV)/bin/python
ask_prices = $(PYTHON_OF_PRICES) tests/tools/prices/oracle.py

##@ Written and checked by tools

ALERT_TESTS := $(wildcard tests/tools/prometheus/*.test.yml)
.PHONY: check-prometheus
check-prometheus: $(PROMTOOL) ## Scrape configuration, rules and alerts through promtool; each alert fires, and doesn't, and has its page
	@for alert in $$(sed -n 's/^ *- alert: //p' envoy/prometheus/alerts.yml); do \
		holds() { grep -q "$$1" $$2 || { echo "$$alert: $$3" >&2; exit 1; }; }; \
		holds "runbook: RUNBOOK.md#$${alert,,}$$" envoy/prometheus/alerts.yml "it doesn't name its section of the runbook"; \
		holds "^## $$alert$$" envoy/prometheus/RUNBOOK.md "the runbook has no section"; \
		holds "^    alertname: $$alert$$" "$(ALERT_TESTS)" "no case where it fires"; \
		holds "alertname: $$alert, exp_alerts: \[\]" "$(ALERT_TESTS)" "no case where it doesn't fire"; \
	done
	@# promtool evaluates a group that the order doesn't name before the others.
	@for group in $$(sed -n 's/^- name: //p' envoy/prometheus/rules.yml envoy/prometheus/alerts.yml); do \
		for file in $(ALERT_TESTS); do \
			grep -qE "^group_eval_order: .*[[ ]$$group[],]" $$file || { echo "$$file: group_eval_order doesn't name $$group" >&2; exit 1; }; \
		done; \
	done
	@[ ! -x $(PROMTOOL) ] || $(PROMTOOL) check config envoy/prometheus/prometheus.yml
	@[ ! -x $(PROMTOOL) ] || $(PROMTOOL) test rules $(ALERT_TESTS)

.PHONY: check-shapes
check-shapes: checker $(VENV)/tests.stamp ## Every count and every parameter in the types of seven official SDKs is in a table of the filter, or listed with a reason
	@$(VENV)/bin/python tests/tools/shapes.py $(CHECK)
	@$(VENV)/bin/python tests/tools/parameters.py $(CHECK)
	@$(VENV)/bin/python tests/tools/paths.py $(CHECK)
	@$(VENV)/bin/python tests/tools/invented.py $(CHECK)

.PHONY: istio
istio: $(PILOT) ## Hold the manifests against the schemas that Istio and Envoy Gateway publish, and write what Istio's pilot makes of them
	@mkdir -p tests/fixtures/istio
	@cd tests/tools/istio && $(PILOT) ../../../envoy ../../fixtures/istio >$(CURDIR)/target/pilot.log 2>&1 || { grep -v '	info	' $(CURDIR)/target/pilot.log >&2; exit 1; }

.PHONY: envoy-gateway
envoy-gateway: into ?= tests/fixtures/envoy-gateway
envoy-gateway: $(ENVOY_GATEWAY) $(ENVOY_PATH) $(REGISTRY) $(ORAS) $(IMAGE)/index.json | need-python ## Write what Envoy Gateway makes of its manifests, with the filter's image from a registry
	@mkdir -p $(into)
	@$(with_envoy) ENVOY_GATEWAY=$(ENVOY_GATEWAY) REGISTRY=$(REGISTRY) ORAS=$(ORAS) IMAGE=$(IMAGE):$(VERSION) \
		python3 tests/tools/envoy-gateway/translate.py $(into)

.PHONY: check-envoy-gateway
check-envoy-gateway: ## The same, and that nothing of it has changed (building Envoy Gateway takes minutes, once)
	@$(MAKE) envoy-gateway into=target/fixtures/envoy-gateway
	@diff -ru tests/fixtures/envoy-gateway target/fixtures/envoy-gateway || { echo "tests/fixtures/envoy-gateway is not what make envoy-gateway writes" >&2; exit 1; }

.PHONY: check-istio
check-istio: $(PILOT) ## The same, and that nothing of it has changed (building pilot takes minutes, once)
	@mkdir -p target/istio
	@cd tests/tools/istio && $(PILOT) ../../../envoy $(CURDIR)/target/istio >$(CURDIR)/target/pilot.log 2>&1 || { grep -v '	info	' $(CURDIR)/target/pilot.log >&2; exit 1; }
	@diff -ru tests/fixtures/istio target/istio || { echo "tests/fixtures/istio is not what make istio writes" >&2; exit 1; }

.PHONY: prices
prices: $(PRICES_VENV)/prices.stamp ## Write the price catalogue and the costs that the unit tests read, and a report to target/prices
	@mkdir -p $(PRICES)
	@$(generate_prices) --into envoy/prices --report $(PRICES)/REPORT.md
	@$(ask_prices) envoy/prices/catalogue.json --cases $(PRICES)/oracle-cases.json --fixture tests/fixtures/oracle.json

.PHONY: check-prices
check-prices: $(PRICES_VENV)/prices.stamp ## The catalogue is what its sources say, and costs are theirs or differ for a known reason, and no price of theirs is passed over
	@$(PYTHON_OF_PRICES) tests/tools/prices/keys.py
	@$(generate_prices) --into $(PRICES) --report $(PRICES)/REPORT.md
	@$(ask_prices) $(PRICES)/catalogue.json --cases $(PRICES)/oracle-cases.json --fixture $(PRICES)/oracle.json
	@for file in envoy/prices/catalogue.json tests/fixtures/oracle.json; do \
		diff -u $$file $(PRICES)/$${file##*/} || { echo "$$file is not what make prices writes" >&2; exit 1; }; \
	done

.PHONY: check-detectors
check-detectors: $(DETECTORS)/texts.jsonl | need-rust ## Recall and precision of the built-in detectors beside presidio's, over 14,000 labelled texts (KIND=email: what is missed and wrong)
	@cargo run $(LOCKED) --quiet --profile test --package check-detectors -- $< $(KIND)

.PHONY: dashboards
dashboards: $(GRAFANA_VENV)/grafana.stamp ## Write Grafana's dashboards
	@$(GRAFANA_VENV)/bin/python envoy/grafana/generate.py --into envoy/grafana

.PHONY: check-grafana
check-grafana: $(GRAFANA_VENV)/grafana.stamp $(PROMTOOL) ## The dashboards are what their code says, and promtool accepts each query
	@mkdir -p $(GRAFANA)
	@$(GRAFANA_VENV)/bin/python envoy/grafana/generate.py --into $(GRAFANA)
	@for board in sre finance developer compare models; do \
		diff -u envoy/grafana/$$board.json $(GRAFANA)/$$board.json || { echo "envoy/grafana/$$board.json is not what make dashboards writes" >&2; exit 1; }; \
	done
	@python3 tests/tools/grafana/queries.py --rules $(GRAFANA)/queries.yml
	@[ ! -x $(PROMTOOL) ] || $(PROMTOOL) check rules $(GRAFANA)/queries.yml

.PHONY: grafana-pictures
grafana-pictures: $(GRAFANA_VENV)/pictures.stamp $(DEBIAN_STAMP) ## Draw the dashboards of a make demo that runs (PICTURE_MINUTES=5)
	@DEBIAN=$(DEBIAN) $(GRAFANA_VENV)/bin/python tests/tools/grafana/pictures.py --minutes $(or $(PICTURE_MINUTES),5) \
		--prometheus http://127.0.0.1:$(or $(PROMETHEUS_PORT),9090) --postgresql postgresql://ai_gateway@127.0.0.1:$(or $(POSTGRES_PORT),15432)/ai_gateway
