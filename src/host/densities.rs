//! How dense models' tokens are, shared between the workers: learned here, merged in shared data once a second.
//!
//! Trade-off: a swap at each answer would cost as much as the settlement. What a worker learned waits for its next tick,
//! and what the others did is known a second later; an estimate bears that, money would not.

use super::shared_data::{self, Change};
use super::stats::Stats;
use crate::llm::estimate::density::{self, BUCKETS, Bucket, Density, Learned, Voice};
use crate::llm::estimate::experience::{Compared, Experience};
use crate::record::Labels;
use hashbrown::HashMap;
use std::cell::RefCell;
use std::mem;

#[derive(Default)]
pub struct Densities {
    /// By the `model` label, so the configuration bounds it.
    models: RefCell<HashMap<String, OfModel>>,
}

struct OfModel {
    known: density::Densities,
    /// Since the last tick.
    fresh: [Bucket; BUCKETS],
    input: Compared,
    output: Compared,
    changed: bool,
    /// Other workers' lessons are read even by one that learns nothing, at every so many ticks.
    age: u32,
}

impl Default for OfModel {
    fn default() -> Self {
        Self {
            known: density::Densities::default(),
            fresh: [Bucket::default(); BUCKETS],
            input: Compared::default(),
            output: Compared::default(),
            changed: false,
            age: 0,
        }
    }
}

/// Rounds of the swap; lessons that lose them all wait for the next tick.
const ATTEMPTS: u32 = 8;
const TICKS_TO_READ: u32 = 8;

fn key(model: &str) -> String {
    format!("nexus:density:{model}")
}

impl Densities {
    pub fn of(&self, model: &str, tenant: &str) -> Density {
        let Ok(mut models) = self.models.try_borrow_mut() else { return Density::default() };
        let voice = Voice::of(tenant);
        if let Some(model) = models.get(model) {
            return model.known.of(voice);
        }
        // A worker that starts, or starts again, knows what the others know.
        let known = OfModel { known: read(model).densities(), ..OfModel::default() };
        let density = known.known.of(voice);
        models.insert(model.to_owned(), known);
        density
    }

    pub fn learn(&self, labels: &Labels, experience: &Experience) {
        let Ok(mut models) = self.models.try_borrow_mut() else { return };
        let model = models.entry_ref(&*labels.model).or_default();
        let voice = Voice::of(&labels.tenant);
        if let Some(fresh) = model.fresh.get_mut(voice.bucket) {
            fresh.learn(voice, &experience.lesson);
            model.changed = true;
        }
        model.input.add(experience.input);
        model.output.add(experience.output);
    }

    /// At each tick: shares what was learned, and counts how far the estimates were off.
    pub fn merge(&self, stats: &Stats) {
        let Ok(mut models) = self.models.try_borrow_mut() else { return };
        for (name, model) in models.iter_mut() {
            model.age = model.age.wrapping_add(1);
            if model.changed {
                stats.checked(name, "input", &mem::take(&mut model.input));
                stats.checked(name, "output", &mem::take(&mut model.output));
                model.merge(name);
            } else if model.age.is_multiple_of(TICKS_TO_READ) {
                model.known = read(name).densities();
            }
        }
    }
}

impl OfModel {
    fn merge(&mut self, name: &str) {
        let merged = shared_data::swap(&key(name), ATTEMPTS, |bytes| {
            let mut learned = decoded(bytes);
            for (at, fresh) in self.fresh.iter().enumerate() {
                learned.add(at, fresh);
            }
            Change::Store(learned.densities(), learned.encode())
        });
        if let Some(known) = merged.value {
            *self = Self { known, age: self.age, ..Self::default() };
        }
    }
}

fn read(model: &str) -> Learned {
    decoded(shared_data::read(&key(model)))
}

fn decoded(bytes: Option<Vec<u8>>) -> Learned {
    bytes.as_deref().and_then(Learned::decode).unwrap_or_default()
}
