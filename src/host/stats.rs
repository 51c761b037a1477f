//! Envoy stats with labels: `tenant=.=acme;.;…;.;ai_gateway_…`, taken apart by the `stats_tags` of the shipped configs.
//!
//! Trade-off: a stat that stays at zero is never defined, so that what doesn't happen costs Envoy no series. A dashboard
//! must therefore take a missing series for zero.

mod series;

use super::cells::Swap;
use crate::limit::Levels;
use crate::limit::accounts::Whose;
use crate::llm::estimate::experience::Compared;
use crate::record::Record;
use crate::record::metric::Metric;
use crate::record::performance::{Alike, Sums};
use crate::record::series::{self as counted, Sink};
use crate::units::{NanoUsd, UnixNanos};
use hashbrown::HashMap;
use proxy_wasm::hostcalls;
use series::{LabelValue, Series};
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

/// Where an account stands: spent of the day and of the month, reserved, the budgets of both, and what is in flight.
const OF_A_TENANT: [Metric; 6] = [
    Metric::SpentToday,
    Metric::SpentThisMonth,
    Metric::Reserved,
    Metric::BudgetToday,
    Metric::BudgetThisMonth,
    Metric::InFlight,
];
const OF_A_GROUP: [Metric; 6] = [
    Metric::GroupSpentToday,
    Metric::GroupSpentThisMonth,
    Metric::GroupReserved,
    Metric::GroupBudgetToday,
    Metric::GroupBudgetThisMonth,
    Metric::GroupInFlight,
];

#[derive(Default)]
pub struct Stats {
    series: RefCell<Series>,
    /// Since the last tick.
    performance: RefCell<Performance>,
    /// As last published.
    memory: Cell<u64>,
}

/// How models did, until the worker publishes it.
#[derive(Default)]
struct Performance(HashMap<Performing, Sums>);

#[derive(PartialEq, Eq, Hash)]
struct Performing {
    /// The provider, and the model.
    of: [LabelValue; 2],
    leg: Option<LabelValue>,
    alike: Alike,
}

/// Where a record counts: in Envoy's series, but for what waits for the tick.
struct Counted<'s> {
    series: &'s mut Series,
    performance: &'s mut Performance,
}

impl Sink for Counted<'_> {
    type Label = LabelValue;

    fn label(&mut self, text: &str) -> LabelValue {
        self.series.label(text)
    }

    fn add(&mut self, metric: Metric, labels: &[LabelValue], amount: u64) {
        self.series.add(metric, labels, amount);
    }

    fn record(&mut self, metric: Metric, labels: &[LabelValue], value: u64) {
        self.series.record(metric, labels, value);
    }

    fn perform(&mut self, of: [LabelValue; 2], leg: Option<LabelValue>, alike: Alike, sums: &Sums) {
        let Performance(waiting) = &mut self.performance;
        waiting.entry(Performing { of, leg, alike }).or_default().add(sums);
    }
}

impl Sink for Series {
    type Label = LabelValue;

    fn label(&mut self, text: &str) -> LabelValue {
        self.value(text)
    }

    /// The host refuses an increment by zero.
    fn add(&mut self, metric: Metric, labels: &[LabelValue], amount: u64) {
        if amount == 0 {
            return;
        }
        if let Some(id) = self.id(metric, labels) {
            let _ = hostcalls::increment_metric(id, i64::try_from(amount).unwrap_or(i64::MAX));
        }
    }

    fn record(&mut self, metric: Metric, labels: &[LabelValue], value: u64) {
        if let Some(id) = self.id(metric, labels) {
            let _ = hostcalls::record_metric(id, value);
        }
    }
}

impl Series {
    fn shift(&mut self, metric: Metric, labels: &[LabelValue], by: i64) {
        if let Some(id) = self.id(metric, labels) {
            let _ = hostcalls::increment_metric(id, by);
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

    /// `budgets`: of the day and of the month, where there are any; `counted`: whether what is in flight is limited.
    pub fn levels(&self, whose: Whose<'_>, levels: Levels, budgets: [Option<u64>; 2], counted: bool) {
        let Levels { spent_today, spent_this_month, reserved, in_flight } = levels;
        let [today, this_month] = budgets;
        let (name, gauges) = match whose {
            Whose::Tenant(name) => (name, &OF_A_TENANT),
            Whose::Group(name) => (name, &OF_A_GROUP),
            Whose::Models { .. } => return,
        };
        let in_flight = counted.then_some(in_flight);
        let amounts = [Some(spent_today.0), Some(spent_this_month.0), Some(reserved.0), today, this_month, in_flight];
        self.with(|series| {
            let name = series.value(name);
            for (metric, amount) in gauges.iter().zip(amounts) {
                if let Some(amount) = amount {
                    series.record(*metric, &[name], amount);
                }
            }
        });
    }

    /// What a tenant had spent before this Envoy began, on the day and in the month.
    pub fn taken_over(&self, tenant: &str, day: NanoUsd, month: NanoUsd) {
        self.with(|series| {
            let tenant = series.value(tenant);
            series.add(Metric::OpeningToday, &[tenant], day.0);
            series.add(Metric::OpeningThisMonth, &[tenant], month.0);
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

    /// When it was last so, not that it is: a gauge would stand for good once the canary is out of the configuration, too.
    pub fn canary_out(&self, split: &str, variant: &str, now: UnixNanos) {
        self.with(|series| {
            let labels = [series.value(split), series.value(variant)];
            series.record(Metric::CanaryOut, &labels, now.0 / 1_000_000_000);
        });
    }

    /// The service by which Envoys share limits.
    pub fn service_unavailable(&self, away: bool) {
        self.with(|series| series.record(Metric::SharedLimitsAway, &[], u64::from(away)));
    }

    /// By a provider, of this gateway, at what leaves no record.
    pub fn account_refused(&self, provider: &str, status: u64) {
        self.with(|series| {
            let labels = [series.value(&status.to_string()), series.value(provider)];
            series.add(Metric::AccountRefusals, &labels, 1);
        });
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

    /// What would have been charged had no usage come, beside what was reported: the estimates' error, signed and not.
    pub fn checked(&self, model: &str, direction: &str, checked: &Compared) {
        self.with(|series| {
            let labels = [series.value(direction), series.value(model)];
            series.add(Metric::Estimated, &labels, checked.estimated.0);
            series.add(Metric::EstimatedReported, &labels, checked.reported.0);
            series.add(Metric::EstimateError, &labels, checked.off_by.0);
        });
    }

    /// `tenant` is what the configuration has the stats call the tenant.
    pub fn count(&self, record: &Record, tenant: &str) {
        let Ok(mut performance) = self.performance.try_borrow_mut() else { return };
        self.with(|series| counted::count(record, tenant, &mut Counted { series, performance: &mut performance }));
    }

    /// At each tick, and when no more comes: how models did since the last.
    pub fn performance(&self) {
        let Ok(mut performance) = self.performance.try_borrow_mut() else { return };
        let Performance(waiting) = &mut *performance;
        self.with(|series| {
            for (Performing { of, leg, alike }, sums) in waiting.drain() {
                series.perform(of, leg, alike, &sums);
            }
        });
    }
}
