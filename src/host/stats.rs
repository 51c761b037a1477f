//! Envoy stats with labels: `tenant=.=acme;.;…;.;ai_gateway_…`, taken apart by the `stats_tags` of the shipped configs.
//!
//! Trade-off: a stat that stays at zero is never defined, so that what doesn't happen costs Envoy no series. A dashboard
//! must therefore take a missing series for zero.

mod metric;
mod series;

use super::cells::Swap;
use crate::forward::{Kind, LeftOut};
use crate::limit::Levels;
use crate::llm::estimate::experience::Checked;
use crate::llm::usage::UsageSource;
use crate::record::{FailedAttempt, Record};
use metric::Metric;
use proxy_wasm::hostcalls;
use series::{Series, Value};
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
    series: RefCell<Series>,
    /// As last told.
    memory: Cell<u64>,
}

impl Series {
    /// The host refuses an increment by zero.
    fn add(&mut self, metric: Metric, labels: &[Value], amount: u64) {
        if amount == 0 {
            return;
        }
        if let Some(id) = self.id(metric, labels) {
            let _ = hostcalls::increment_metric(id, i64::try_from(amount).unwrap_or(i64::MAX));
        }
    }

    fn shift(&mut self, metric: Metric, labels: &[Value], by: i64) {
        if let Some(id) = self.id(metric, labels) {
            let _ = hostcalls::increment_metric(id, by);
        }
    }

    /// Sets a gauge, or takes a histogram's sample.
    fn record(&mut self, metric: Metric, labels: &[Value], value: u64) {
        if let Some(id) = self.id(metric, labels) {
            let _ = hostcalls::record_metric(id, value);
        }
    }
}

impl Stats {
    fn with(&self, count: impl FnOnce(&mut Series)) {
        if let Ok(mut series) = self.series.try_borrow_mut() {
            count(&mut series);
        }
    }

    pub fn opened(&self, provider: &str) {
        self.active(provider, 1);
    }

    pub fn closed(&self, provider: &str) {
        self.active(provider, -1);
    }

    fn active(&self, provider: &str, by: i64) {
        self.with(|series| {
            let provider = series.value(provider);
            series.shift(Metric::ActiveConnections, &[provider], by);
        });
    }

    /// `budgets`: of the day and of the month, where there are any.
    pub fn levels(&self, tenant: &str, levels: Levels, budgets: [Option<u64>; 2]) {
        let Levels { spent_today, spent_this_month, reserved } = levels;
        let [today, this_month] = budgets;
        self.with(|series| {
            let tenant = series.value(tenant);
            for (metric, amount) in [
                (Metric::SpentToday, Some(spent_today.0)),
                (Metric::SpentThisMonth, Some(spent_this_month.0)),
                (Metric::Reserved, Some(reserved.0)),
                (Metric::BudgetToday, today),
                (Metric::BudgetThisMonth, this_month),
            ] {
                if let Some(amount) = amount {
                    series.record(metric, &[tenant], amount);
                }
            }
        });
    }

    pub fn swapped<T>(&self, swap: &Swap<T>) {
        self.with(|series| {
            series.add(Metric::CellRaces, &[], u64::from(swap.lost));
            series.add(Metric::CellStarved, &[], u64::from(swap.outcome.is_err()));
            series.add(Metric::CellUnknownVersion, &[], u64::from(swap.forgot));
        });
    }

    /// The linear memory of the largest VM so far: it never shrinks, so what a stream once took shows for good.
    pub fn memory(&self) {
        let bytes = linear_memory();
        self.with(|series| {
            if let Some(id) = series.id(Metric::VmMemory, &[])
                && self.memory.replace(bytes) != bytes
                && hostcalls::get_metric(id).is_ok_and(|largest| largest < bytes)
            {
                let _ = hostcalls::record_metric(id, bytes);
            }
        });
    }

    pub fn breaker(&self, provider: &str, open: bool) {
        self.with(|series| {
            let provider = series.value(provider);
            series.record(Metric::BreakerState, &[provider], u64::from(open));
        });
    }

    /// The service by which Envoys share limits.
    pub fn service_away(&self, away: bool) {
        self.with(|series| series.record(Metric::SharedLimitsAway, &[], u64::from(away)));
    }

    pub fn poll_failed(&self) {
        self.with(|series| series.add(Metric::StatusPollsFailed, &[], 1));
    }

    pub fn lost_settlement(&self) {
        self.with(|series| series.add(Metric::SettlementsLost, &[], 1));
    }

    /// Of a watched stream.
    pub fn filter_time(&self, microseconds: u64) {
        self.with(|series| series.record(Metric::FilterTime, &[], microseconds));
    }

    /// What would have been charged had no usage come, beside what was told: the estimates' error, signed and not.
    pub fn checked(&self, model: &str, direction: &str, checked: &Checked) {
        self.with(|series| {
            let labels = [series.value(direction), series.value(model)];
            series.add(Metric::Estimated, &labels, checked.estimated.0);
            series.add(Metric::EstimatedReported, &labels, checked.reported.0);
            series.add(Metric::EstimateError, &labels, checked.off_by.0);
        });
    }

    /// `tenant` is what the configuration has the stats call the tenant.
    pub fn count(&self, record: &Record, tenant: &str) {
        self.with(|series| {
            let labels = &record.labels;
            let [provider, model, role, tenant, status] =
                [&labels.provider, &labels.model, &labels.role, tenant, record.outcome.code()]
                    .map(|text| series.value(text));
            let of = [provider, model];
            series.add(Metric::Requests, &[provider, model, role, tenant, status], 1);
            series.charged(record, of, tenant);
            series.add(Metric::Retries, &of, record.attempts.saturating_sub(1));
            for failed in &record.failed_attempts {
                series.failed(failed, tenant);
            }
            for (provider, status) in &record.account_refusals {
                let labels = [series.value(&status.to_string()), series.value(provider)];
                series.add(Metric::AccountRefusals, &labels, 1);
            }
            series.refused(record, tenant);
            series.left_out(&record.left_out);
            series.kinds(record, of);
            series.pace(record, of);
            series.record(Metric::Duration, &[provider, model, status], record.duration_ms);
        });
    }
}

impl Series {
    fn tokens(&mut self, [input, output]: [u64; 2], [provider, model]: [Value; 2], tenant: Value) {
        for (direction, tokens) in [("input", input), ("output", output)] {
            let direction = self.value(direction);
            self.add(Metric::Tokens, &[direction, provider, model, tenant], tokens);
        }
    }

    fn charged(&mut self, record: &Record, of: [Value; 2], tenant: Value) {
        let [provider, model] = of;
        self.tokens([record.usage.input_tokens.0, record.usage.output_tokens.0], of, tenant);
        self.add(Metric::Cost, &[provider, model, tenant], record.cost.0);
        if record.admitted {
            let source = self.value(record.usage_source.name());
            self.add(Metric::Usage, &[source, provider, model], 1);
            self.add(Metric::Spend, &[source, provider, model], record.cost.0);
        }
        self.add(Metric::UsageMismatch, &of, u64::from(record.usage_mismatch));
        // The provider's own bill, beside ours.
        if let Some(cost) = record.provider_cost {
            self.add(Metric::ProviderCost, &of, cost.0);
            self.add(Metric::ProviderCostDiffers, &of, u64::from(record.provider_cost_differs));
        }
    }

    /// Whoever billed it, before another answered.
    fn failed(&mut self, failed: &FailedAttempt, tenant: Value) {
        let FailedAttempt { provider, model, usage, cost } = failed;
        let of = [self.value(provider), self.value(model)];
        let [provider, model] = of;
        self.tokens([usage.input_tokens.0, usage.output_tokens.0], of, tenant);
        self.add(Metric::Cost, &[provider, model, tenant], cost.0);
        let source = self.value(UsageSource::Reported.name());
        self.add(Metric::Spend, &[source, provider, model], cost.0);
    }

    fn refused(&mut self, record: &Record, tenant: Value) {
        if let Some(limit) = record.refused_by {
            let limit = self.value(limit);
            self.add(Metric::LimitRefusals, &[limit, tenant], 1);
        }
        for guard in record.audit.iter() {
            let limit = self.value(guard.name());
            self.add(Metric::AuditRefusals, &[limit, tenant], 1);
        }
    }

    /// Parts of a head that no provider gets.
    fn left_out(&mut self, left_out: &LeftOut) {
        if left_out == &LeftOut::default() {
            return;
        }
        for (kind, count) in Kind::ALL.into_iter().zip(left_out.dropped) {
            let kind = self.value(kind.name());
            self.add(Metric::Dropped, &[kind], count.into());
        }
        self.add(Metric::UnknownBetas, &[], left_out.unknown_betas.len() as u64);
    }

    /// How a stream came: when it began, how long it went on, and what each token took.
    fn pace(&mut self, record: &Record, of: [Value; 2]) {
        let Some(first) = record.first_byte_ms.filter(|_| record.stream) else { return };
        self.record(Metric::TimeToFirstToken, &of, first);
        let streamed = record.duration_ms.saturating_sub(first);
        self.record(Metric::StreamDuration, &of, streamed);
        // The first token came with the beginning.
        let rest = record.usage.output_tokens.0.saturating_sub(1);
        if let Some(each) = streamed.saturating_mul(1_000).checked_div(rest).filter(|_| record.usage_is_reported()) {
            self.record(Metric::TimePerOutputToken, &of, each);
        }
    }

    /// Parts of the input and the output that have names of their own.
    fn kinds(&mut self, record: &Record, [provider, model]: [Value; 2]) {
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
            if tokens.0 > 0 {
                let kind = self.value(kind);
                self.add(Metric::TokensByKind, &[kind, provider, model], tokens.0);
            }
        }
    }
}
