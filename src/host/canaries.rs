//! Variants that are watched, shared between the workers: counted here, merged in shared data once a second, as densities are.

use super::lines;
use super::shared_data::{self, Change};
use super::stats::Stats;
use crate::canary::{self, Counts, Watched};
use crate::policy::Policy;
use crate::record::Record;
use crate::route::Canary;
use crate::units::UnixNanos;
use log::Level;
use std::cell::Cell;
use std::rc::Rc;

/// Those of the configuration.
pub struct Canaries(Box<[Watch]>);

struct Watch {
    split: Rc<str>,
    model: Rc<str>,
    bounds: Canary,
    key: String,
    /// Since the last tick.
    fresh: Cell<Counts>,
    is_out: Cell<bool>,
}

/// Rounds of the swap; counts that lose them all wait for the next tick.
const ATTEMPTS: u32 = 8;

impl Canaries {
    /// A worker that starts, or starts again, knows what the others know.
    pub fn of(policy: &Policy) -> Self {
        let mut all = Vec::new();
        for split in policy.models.splits() {
            let fingerprint = canary::fingerprint(split);
            for variant in split.variants() {
                let Some(bounds) = variant.canary else { continue };
                let key = format!("nexus:canary:{fingerprint:016x}:{}", variant.model);
                let is_out = Cell::new(read(&key).out_since.is_some());
                let (split, model) = (Rc::clone(&split.name), Rc::clone(&variant.model));
                all.push(Watch { split, model, bounds, key, fresh: Cell::default(), is_out });
            }
        }
        Self(all.into())
    }

    fn named(&self, split: &str, model: &str) -> Option<&Watch> {
        self.0.iter().find(|canary| *canary.split == *split && *canary.model == *model)
    }

    /// Whether it is known to have passed its bounds.
    pub fn is_out(&self, split: &str, model: &str) -> bool {
        self.named(split, model).is_some_and(|canary| canary.is_out.get())
    }

    /// Takes in what a request came to.
    pub fn note(&self, record: &Record) {
        let Some(split) = &record.split else { return };
        if let Some(canary) = self.named(split, &record.model_chosen)
            && let Some(counts) = Counts::of(record)
        {
            let mut fresh = canary.fresh.get();
            fresh.add(counts);
            canary.fresh.set(fresh);
        }
    }

    /// At each tick: shares what was counted, and learns which are out.
    pub fn merge(&self, stats: &Stats, now: UnixNanos) {
        for canary in &self.0 {
            canary.merge(now);
            if canary.is_out.get() {
                stats.canary_out(&canary.split, &canary.model, now);
            }
        }
    }
}

impl Watch {
    fn merge(&self, now: UnixNanos) {
        let fresh = self.fresh.get();
        if fresh == Counts::default() {
            self.is_out.set(read(&self.key).out_since.is_some());
            return;
        }
        let merged = shared_data::swap(&self.key, ATTEMPTS, |bytes| {
            let mut known = Watched::decode(&bytes.unwrap_or_default());
            let was_out = known.out_since.is_some();
            known.add(fresh, &self.bounds, now);
            Change::Store((was_out, known.out_since.is_some()), known.encode())
        });
        let Some((was_out, is_out)) = merged.value else { return };
        self.fresh.set(Counts::default());
        self.is_out.set(is_out);
        if is_out && !was_out {
            lines::say(
                Level::Warn,
                "canary_out",
                format_args!(
                    "{} of {} has passed its bounds, and gets only what no other variant can take. See the runbook, \
                     AiGatewayCanaryOut",
                    self.model, self.split
                ),
            );
        }
    }
}

fn read(key: &str) -> Watched {
    Watched::decode(&shared_data::read(key).unwrap_or_default())
}
