//! Envoy stats with labels: `tenant=.=acme;.;…;.;ai_gateway_…`, taken apart by the `stats_tags` of the shipped configs.
//!
//! Trade-off: Envoy never forgets a stat and gives a new id for each definition, so a series is defined once per
//! worker and its id kept. Label values come from the configuration only, which bounds both.

use super::cells::Swap;
use crate::exchange::Checked;
use crate::limit::Levels;
use crate::llm::usage::UsageSource;
use crate::record::{FailedAttempt, Record};

use hashbrown::HashMap;
use proxy_wasm::hostcalls;
use proxy_wasm::types::MetricType;
use std::cell::{Cell, RefCell};

#[cfg(target_arch = "wasm32")]
fn linear_memory() -> u64 {
    const PAGE: u64 = 64 * 1024;
    (core::arch::wasm32::memory_size(0) as u64).saturating_mul(PAGE)
}

/// Natively there are only tests, and memory that is not ours alone.
#[cfg(not(target_arch = "wasm32"))]
const fn linear_memory() -> u64 {
    0
}

#[derive(Default)]
pub struct Stats {
    ids: RefCell<HashMap<String, u32>>,
    /// As last told.
    memory: Cell<u64>,
}

impl Stats {
    fn id(&self, kind: MetricType, labels: &[(&str, &str)], metric: &str) -> Option<u32> {
        let mut name = String::with_capacity(128);
        for (label, value) in labels {
            name.push_str(label);
            name.push_str("=.=");
            name.push_str(value);
            name.push_str(";.;");
        }
        name.push_str(metric);
        let mut ids = self.ids.try_borrow_mut().ok()?;
        if let Some(id) = ids.get(&name) {
            return Some(*id);
        }
        let id = hostcalls::define_metric(kind, &name).ok()?;
        ids.insert(name, id);
        Some(id)
    }

    /// The host refuses an increment by zero.
    fn add(&self, labels: &[(&str, &str)], metric: &str, amount: u64) {
        if amount == 0 {
            return;
        }
        if let Some(id) = self.id(MetricType::Counter, labels, metric) {
            let _ = hostcalls::increment_metric(id, i64::try_from(amount).unwrap_or(i64::MAX));
        }
    }

    fn shift(&self, labels: &[(&str, &str)], metric: &str, by: i64) {
        if by != 0
            && let Some(id) = self.id(MetricType::Gauge, labels, metric)
        {
            let _ = hostcalls::increment_metric(id, by);
        }
    }

    pub fn opened(&self, provider: &str) {
        self.shift(&[("provider", provider)], "ai_gateway_active_connections", 1);
    }

    pub fn closed(&self, provider: &str) {
        self.shift(&[("provider", provider)], "ai_gateway_active_connections", -1);
    }

    /// `budgets`: of the day and of the month, where there are any.
    pub fn levels(&self, tenant: &str, levels: Levels, budgets: [Option<u64>; 2]) {
        let Levels { spent_today, spent_this_month, reserved } = levels;
        let [today, this_month] = budgets;
        for (metric, amount) in [
            ("ai_gateway_spent_today_nanousd", Some(spent_today.0)),
            ("ai_gateway_spent_this_month_nanousd", Some(spent_this_month.0)),
            ("ai_gateway_reserved_nanousd", Some(reserved.0)),
            ("ai_gateway_budget_today_nanousd", today),
            ("ai_gateway_budget_this_month_nanousd", this_month),
        ] {
            if let Some(amount) = amount
                && let Some(id) = self.id(MetricType::Gauge, &[("tenant", tenant)], metric)
            {
                let _ = hostcalls::record_metric(id, amount);
            }
        }
    }

    pub fn swapped<T>(&self, swap: &Swap<T>) {
        self.add(&[], "ai_gateway_cell_races_total", u64::from(swap.lost));
        self.add(&[], "ai_gateway_cell_starved_total", u64::from(swap.outcome.is_err()));
        self.add(&[], "ai_gateway_cell_unknown_version_total", u64::from(swap.forgot));
    }

    /// The linear memory of the largest VM so far: it never shrinks, so what a stream once took shows for good.
    pub fn memory(&self) {
        let bytes = linear_memory();
        let gauge = self.id(MetricType::Gauge, &[], "ai_gateway_vm_memory_bytes");
        if let Some(id) = gauge
            && self.memory.replace(bytes) != bytes
            && hostcalls::get_metric(id).is_ok_and(|largest| largest < bytes)
        {
            let _ = hostcalls::record_metric(id, bytes);
        }
    }

    pub fn breaker(&self, provider: &str, open: bool) {
        let gauge = self.id(MetricType::Gauge, &[("provider", provider)], "ai_gateway_circuit_breaker_state");
        if let Some(id) = gauge {
            let _ = hostcalls::record_metric(id, u64::from(open));
        }
    }

    pub fn poll_failed(&self) {
        self.add(&[], "ai_gateway_status_polls_failed_total", 1);
    }

    pub fn lost_settlement(&self) {
        self.add(&[], "ai_gateway_settlements_lost_total", 1);
    }

    /// What would have been charged had no usage come, beside what was told: the estimates' error, signed and not.
    pub fn checked(&self, model: &str, direction: &str, checked: &Checked) {
        let labels = [("direction", direction), ("model", model)];
        self.add(&labels, "ai_gateway_estimate_tokens_total", checked.estimated.0);
        self.add(&labels, "ai_gateway_estimate_reported_tokens_total", checked.reported.0);
        self.add(&labels, "ai_gateway_estimate_error_tokens_total", checked.off_by.0);
    }

    /// The provider's own bill, beside ours.
    fn compared(&self, record: &Record, provider: (&str, &str), model: (&str, &str)) {
        let Some(cost) = record.provider_cost else { return };
        self.add(&[provider, model], "ai_gateway_provider_cost_nanousd_total", cost.0);
        let differs = u64::from(record.provider_cost_differs);
        self.add(&[provider, model], "ai_gateway_provider_cost_differs_total", differs);
    }

    /// Whoever billed it, before another answered.
    fn failed(&self, failed: &FailedAttempt, tenant: (&str, &str)) {
        let FailedAttempt { provider, model, usage, cost } = failed;
        let (provider, model) = (("provider", provider.as_str()), ("model", model.as_str()));
        for (direction, tokens) in [("input", usage.input_tokens), ("output", usage.output_tokens)] {
            let labels = [("direction", direction), provider, model, tenant];
            self.add(&labels, "ai_gateway_tokens_total", tokens.0);
        }
        self.add(&[provider, model, tenant], "ai_gateway_cost_nanousd_total", cost.0);
        let source = ("source", UsageSource::Reported.name());
        self.add(&[source, provider, model], "ai_gateway_spend_nanousd_total", cost.0);
    }

    fn sample(&self, labels: &[(&str, &str)], metric: &str, value: u64) {
        if let Some(id) = self.id(MetricType::Histogram, labels, metric) {
            let _ = hostcalls::record_metric(id, value);
        }
    }

    /// Of a watched stream.
    pub fn filter_time(&self, microseconds: u64) {
        self.sample(&[], "ai_gateway_filter_time_us", microseconds);
    }

    /// How a stream came: when it began, how long it went on, and what each token took.
    fn pace(&self, record: &Record, of: &[(&str, &str)]) {
        let Some(first) = record.first_byte_ms.filter(|_| record.stream) else { return };
        self.sample(of, "ai_gateway_time_to_first_token_ms", first);
        let streamed = record.duration_ms.saturating_sub(first);
        self.sample(of, "ai_gateway_stream_duration_ms", streamed);
        // The first token came with the beginning.
        let rest = record.usage.output_tokens.0.saturating_sub(1);
        if let Some(each) = streamed.saturating_mul(1_000).checked_div(rest).filter(|_| record.usage_is_reported()) {
            self.sample(of, "ai_gateway_time_per_output_token_us", each);
        }
    }

    /// Parts of the input and the output that have names of their own.
    fn kinds(&self, record: &Record, provider: (&str, &str), model: (&str, &str)) {
        let usage = &record.usage;
        for (kind, tokens) in [
            ("cached_input", usage.cached_input_tokens),
            ("cache_creation_input", usage.cache_creation_input_tokens),
            ("audio_input", usage.audio_input_tokens),
            ("image_input", usage.image_input_tokens),
            ("reasoning", usage.reasoning_tokens),
            ("audio_output", usage.audio_output_tokens),
            ("image_output", usage.image_output_tokens),
        ] {
            self.add(&[("kind", kind), provider, model], "ai_gateway_tokens_by_kind_total", tokens.0);
        }
    }

    /// `tenant` is what the configuration has the stats call the tenant.
    pub fn count(&self, record: &Record, tenant: &str) {
        let labels = &record.labels;
        let provider = ("provider", labels.provider.as_str());
        let model = ("model", labels.model.as_str());
        let tenant = ("tenant", tenant);
        let status = ("status", record.outcome.code());
        self.add(&[provider, model, ("role", &labels.role), tenant, status], "ai_gateway_requests_total", 1);
        for (direction, tokens) in [("input", record.usage.input_tokens), ("output", record.usage.output_tokens)] {
            let labels = [("direction", direction), provider, model, tenant];
            self.add(&labels, "ai_gateway_tokens_total", tokens.0);
        }
        self.add(&[provider, model, tenant], "ai_gateway_cost_nanousd_total", record.cost.0);
        if record.admitted {
            let source = ("source", record.usage_source.name());
            self.add(&[source, provider, model], "ai_gateway_usage_total", 1);
            self.add(&[source, provider, model], "ai_gateway_spend_nanousd_total", record.cost.0);
        }
        self.add(&[provider, model], "ai_gateway_retries_total", record.attempts.saturating_sub(1));
        for failed in &record.failed_attempts {
            self.failed(failed, tenant);
        }
        self.add(&[provider, model], "ai_gateway_usage_mismatch_total", u64::from(record.usage_mismatch));
        self.compared(record, provider, model);
        if let Some(limit) = record.refused_by {
            self.add(&[("code", limit), tenant], "ai_gateway_limit_refusals_total", 1);
        }
        for guard in record.audit.iter() {
            self.add(&[("code", guard.name()), tenant], "ai_gateway_audit_refusals_total", 1);
        }
        self.kinds(record, provider, model);
        self.pace(record, &[provider, model]);
        self.sample(&[provider, model, status], "ai_gateway_request_duration_ms", record.duration_ms);
    }
}
