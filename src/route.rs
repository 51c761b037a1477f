//! Role, sensitivity, tenant and cost → a model, and the chain of providers that may serve it.
//!
//! The chain is chosen here once, before anything is sent; Envoy then walks it, one attempt a provider. So
//! who may see a request is decided in one place, by plain data, and a retry can only go where the chain already leads.

mod draw;
mod split;
mod stand_in;
mod weights;

use crate::order;
use hashbrown::HashMap;
use serde::Deserialize;
use std::rc::Rc;

pub use draw::Sticky;
pub use split::{Canary, Split, Variant};
pub use stand_in::{MOST_LINKS, RoleModel, StandIn};
pub use weights::{Weighted, Weights};

use crate::llm::schema::Schema;
use crate::name::Pattern;
use crate::units::Tokens;

/// How far data may travel: a provider sees what is at most as sensitive as it may see.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Deserialize)]
#[serde(rename_all = "snake_case")]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub enum Sensitivity {
    Public,
    Internal,
    Confidential,
    Restricted,
}

impl Sensitivity {
    pub const ALL: [Self; 4] = [Self::Public, Self::Internal, Self::Confidential, Self::Restricted];

    pub const fn name(self) -> &'static str {
        match self {
            Self::Public => "public",
            Self::Internal => "internal",
            Self::Confidential => "confidential",
            Self::Restricted => "restricted",
        }
    }

    pub fn named(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|level| level.name() == name)
    }
}

/// What differs by what a provider may see: each from its level on.
#[derive(Clone, Debug, Default)]
pub struct BySight<T> {
    lowest: T,
    /// In the order of their levels.
    higher: Vec<(Sensitivity, T)>,
}

impl<T> BySight<T> {
    /// `borders` are the levels where it changes, in their order.
    pub fn new(borders: &[Sensitivity], mut of: impl FnMut(Sensitivity) -> T) -> Self {
        let lowest = of(Sensitivity::Public);
        Self { lowest, higher: borders.iter().map(|level| (*level, of(*level))).collect() }
    }

    /// What holds for one that may see this.
    pub fn at(&self, level: Sensitivity) -> &T {
        let reached = self.higher.iter().rev().find(|(from, _)| *from <= level);
        reached.map_or(&self.lowest, |(_, it)| it)
    }

    pub fn into_at(self, level: Sensitivity) -> T {
        let reached = self.higher.into_iter().rev().find(|(from, _)| *from <= level);
        reached.map_or(self.lowest, |(_, it)| it)
    }

    pub fn map<U>(self, mut of: impl FnMut(T) -> U) -> BySight<U> {
        let lowest = of(self.lowest);
        BySight { lowest, higher: self.higher.into_iter().map(|(from, it)| (from, of(it))).collect() }
    }
}

/// The place of a provider in `Policy::providers`; means nothing to another policy.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ProviderIx(pub u16);

#[derive(Debug, Default)]
pub struct Models {
    /// Names before beginnings, long beginnings before short ones: the first that matches is the closest.
    models: Vec<Model>,
    virtuals: HashMap<String, Virtual>,
    roles: HashMap<Rc<str>, RoleModel>,
    /// Whether others stand in for any of them.
    give_way: bool,
}

/// What a name stands for that nobody serves by itself.
#[derive(Debug)]
pub enum Virtual {
    /// The cheapest of several that fits.
    Cheapest(Cheapest),
    /// One of several, by weight.
    Split(Split),
}

impl Virtual {
    /// Whether any of its models is such a one.
    pub fn any(&self, mut is_such: impl FnMut(&str) -> bool) -> bool {
        match self {
            Self::Cheapest(cheapest) => cheapest.models.iter().any(|model| is_such(model)),
            Self::Split(split) => split.variants().iter().any(|variant| is_such(&variant.model)),
        }
    }
}

#[derive(Debug)]
pub struct Cheapest {
    pub models: Vec<String>,
    pub of: CheapestOf,
}

/// By what the cheapest is judged.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub enum CheapestOf {
    /// Each request by what it may cost itself.
    #[default]
    Request,
    /// All turns of a conversation by what its beginning may cost, so that they stay with one model.
    Conversation,
}

#[derive(Debug)]
pub struct Model {
    pub model: Pattern,
    /// In the order of preference.
    pub serving: Vec<Serving>,
    /// In whose place their order is drawn, where they have weights.
    pub weights: Option<Weights>,
    pub context: Option<Tokens>,
    pub tools: bool,
    pub instead: Option<StandIn>,
}

#[derive(Debug)]
pub struct Serving {
    pub provider: ProviderIx,
    /// What the provider calls the model, with `*` for the gateway's own name.
    pub name: String,
}

/// One provider of a chain, and the model's name there.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Hop {
    pub provider: ProviderIx,
    pub model: String,
}

/// What decides who may serve a request, beside its model.
#[derive(Clone, Copy, Debug)]
pub struct Bounds<'a> {
    pub schema: &'static Schema,
    pub sensitivity: Sensitivity,
    /// The tenant's providers, in the order in which they are asked, if it has a list of them.
    pub listed: Option<&'a [ProviderIx]>,
}

/// What a provider takes.
#[derive(Clone, Debug)]
pub struct Reach {
    /// None at all: any.
    pub sensitivity: Option<Sensitivity>,
    pub apis: Vec<&'static Schema>,
    /// Whether the gateway holds a key for it.
    pub has_key: bool,
}

impl Reach {
    pub fn may_see(&self, sensitivity: Sensitivity) -> bool {
        self.sensitivity.is_none_or(|most| sensitivity <= most)
    }

    fn serves(&self, schema: &Schema) -> bool {
        self.apis.contains(&schema.spoken_as())
    }
}

/// Why nobody may serve a model.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Unserved {
    /// No provider has it at all.
    Unknown,
    /// Those that have it may not serve the tenant.
    Unlisted,
    /// Those that have it don't speak the API.
    Api,
    /// Those that have it may not see data that is so sensitive.
    TooSensitive,
}

impl Models {
    pub fn of(mut models: Vec<Model>) -> Self {
        let exact = |model: &Model| !model.model.as_str().ends_with('*');
        order::sort_by_key(&mut models, |model| std::cmp::Reverse((exact(model), model.model.as_str().len())));
        let give_way = models.iter().any(|model| model.instead.is_some());
        Self { models, give_way, ..Self::default() }
    }

    pub fn with_virtuals(self, virtuals: HashMap<String, Virtual>) -> Self {
        Self { virtuals, ..self }
    }

    pub fn with_roles(self, roles: HashMap<Rc<str>, RoleModel>) -> Self {
        Self { roles, ..self }
    }

    /// Whether they say who serves, so that providers are chosen here and not by Envoy's routes.
    pub const fn are_listed(&self) -> bool {
        !self.models.is_empty()
    }

    pub fn models(&self) -> &[Model] {
        &self.models
    }

    pub fn virtual_names(&self) -> impl Iterator<Item = &str> {
        self.virtuals.keys().map(String::as_str)
    }

    pub fn model(&self, name: &str) -> Option<&Model> {
        self.models.iter().find(|model| model.model.matches(name))
    }

    /// The models that a virtual name stands for. It comes before a model that has the same name.
    pub fn stands_for(&self, name: &str) -> Option<&Virtual> {
        self.virtuals.get(name)
    }

    pub fn splits(&self) -> impl Iterator<Item = &Split> {
        self.virtuals.values().filter_map(|it| if let Virtual::Split(split) = it { Some(split) } else { None })
    }

    /// By what somebody keeps something: a variant, a provider, what was the cheapest.
    pub fn sticks_by(&self, by: Sticky) -> bool {
        let keeps = |it: &Virtual| match it {
            Virtual::Split(split) => split.sticky == by,
            Virtual::Cheapest(cheapest) => cheapest.of == CheapestOf::Conversation && by == Sticky::Conversation,
        };
        let mut weights = self.models.iter().filter_map(|model| model.weights.as_ref());
        self.virtuals.values().any(keeps) || weights.any(|weights| weights.sticky == by)
    }

    /// What stands in for a model. One that only a pattern names may be what stands in for all of that.
    pub fn instead_of(&self, model: &str) -> Option<&StandIn> {
        let instead = if self.give_way { self.model(model)?.instead.as_ref() } else { None };
        instead.filter(|instead| *instead.model != *model)
    }

    /// Whether it is the name of one of them, or of what stands for some.
    pub fn has(&self, name: &str) -> bool {
        !name.contains('*') && (self.model(name).is_some() || self.virtuals.contains_key(name))
    }

    pub fn model_of_role(&self, role: &str) -> Option<&RoleModel> {
        self.roles.get(role)
    }

    /// Who may serve `model` within `bounds`, in the order of preference: the tenant's own, else as drawn by `key`, else as written.
    pub fn chain<'a>(
        &self,
        model: &str,
        bounds: &Bounds<'_>,
        reach: impl Fn(ProviderIx) -> Option<&'a Reach>,
        key: impl FnOnce(Sticky) -> u64,
    ) -> Result<Vec<Hop>, Unserved> {
        let Some(known) = self.model(model) else { return Err(Unserved::Unknown) };
        let mut why = Unserved::Unknown;
        let mut chain = Vec::with_capacity(known.serving.len());
        for Serving { provider, name } in &known.serving {
            let Some(reach) = reach(*provider).filter(|reach| reach.has_key) else { continue };
            if bounds.listed.is_some_and(|listed| !listed.contains(provider)) {
                why = why.max(Unserved::Unlisted);
            } else if !reach.serves(bounds.schema) {
                why = why.max(Unserved::Api);
            } else if !reach.may_see(bounds.sensitivity) {
                why = Unserved::TooSensitive;
            } else {
                chain.push(Hop { provider: *provider, model: name.replace('*', model) });
            }
        }
        if let Some(listed) = bounds.listed {
            order::sort_by_key(&mut chain, |hop| listed.iter().position(|provider| *provider == hop.provider));
        } else if let Some(weights) = &known.weights {
            weights.order(&mut chain, key(weights.sticky));
        }
        if chain.is_empty() { Err(why) } else { Ok(chain) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_differs_by_sight_holds_from_its_level_on() {
        use Sensitivity::{Confidential, Internal, Public, Restricted};
        for (borders, expected) in [
            (&[][..], [Public; 4]),
            (&[Confidential][..], [Public, Public, Confidential, Confidential]),
            (&[Internal, Restricted][..], [Public, Internal, Internal, Restricted]),
        ] {
            let by_sight = BySight::new(borders, |level| level);
            assert_eq!(Sensitivity::ALL.map(|level| *by_sight.at(level)), expected);
            assert_eq!(Sensitivity::ALL.map(|level| by_sight.clone().map(Some).into_at(level)), expected.map(Some));
        }
    }
}
