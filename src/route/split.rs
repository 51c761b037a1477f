//! A name that stands for one of several models, each for its share of those who ask.

use super::draw::{Sticky, drawn};
use crate::order;
use crate::units::NanoUsd;
use std::rc::Rc;

#[derive(Debug)]
pub struct Split {
    pub name: Rc<str>,
    pub sticky: Sticky,
    /// By name: whoever reads the configuration has them in one order.
    variants: Box<[Variant]>,
}

#[derive(Debug)]
pub struct Variant {
    pub model: Rc<str>,
    pub weight: u64,
    /// What it may come to, if it is watched.
    pub canary: Option<Canary>,
}

/// What a variant may come to that is watched, in a window of time.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Canary {
    pub errors_percent: Option<u64>,
    pub mean_cost: Option<NanoUsd>,
    /// With fewer, nothing is concluded.
    pub least_requests: u64,
}

impl Split {
    pub fn new(name: Rc<str>, sticky: Sticky, mut variants: Vec<Variant>) -> Self {
        order::sort_by(&mut variants, |one, other| one.model.cmp(&other.model));
        Self { name, sticky, variants: variants.into() }
    }

    pub fn variants(&self) -> &[Variant] {
        &self.variants
    }

    /// The variants for whoever has this key: the first is his, the others are in its place where it can't be, in their order.
    pub fn ranked(&self, key: u64) -> Vec<&Variant> {
        drawn(&self.variants, &self.name, key, |variant| (&variant.model, variant.weight))
    }
}

#[cfg(test)]
mod tests;
