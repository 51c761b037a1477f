//! Providers of a model that each serve a share of it, instead of one before the other.

use super::draw::{Sticky, drawn};
use super::{Hop, ProviderIx};
use crate::order;
use std::rc::Rc;

/// All the providers of a model, each with its weight.
#[derive(Debug)]
pub struct Weights {
    pub sticky: Sticky,
    pub of: Box<[Weighted]>,
}

#[derive(Debug)]
pub struct Weighted {
    pub provider: ProviderIx,
    /// Draws for it: its place may be another in the next configuration.
    pub name: Rc<str>,
    pub weight: u64,
}

/// All models draw under this name, so a conversation that changes its model finds what its provider keeps. No split has it.
const UNDER: &str = "";

impl Weights {
    /// Puts them in the order in which they serve whoever has this key.
    pub(super) fn order(&self, chain: &mut [Hop], key: u64) {
        let drawn = drawn(&self.of, UNDER, key, |it| (&it.name, it.weight));
        order::sort_by_key(chain, |hop| drawn.iter().position(|it| it.provider == hop.provider));
    }
}

#[cfg(test)]
mod tests;
