##@ Shadows

.PHONY: compare-shadow
compare-shadow: | need-python ## How a shadow's model compares with those that answered, from the records in PostgreSQL (DATABASE=postgresql://…; SHADOW=name, DAYS=30)
	@[ -n "$(DATABASE)" ] || $(call missing,the database with the records: make compare-shadow DATABASE=postgresql://ai_gateway@localhost/ai_gateway)
	@envoy/postgres/compare "$(DATABASE)" --days $(or $(DAYS),30) $(if $(SHADOW),--shadow "$(SHADOW)")
