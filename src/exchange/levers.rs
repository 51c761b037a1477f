//! What a request asks for beside tokens, held against the prices of who may serve it: hosted tools, dearer rates, models that
//! work inside of tools.
//!
//! What has no price is refused by its name, unless the operator says otherwise. A provider without the price is left
//! out of the chain, as long as another has it.

use super::Leg;
use super::offer::Wish;
use crate::kept::StoredResponses;
use crate::llm::request::{InnerModel, OF_NAME};
use crate::llm::stance::{Stance, Stances};
use crate::llm::tools::ToolKind;
use crate::outcome::{Outcome, Rejection, shown};
use crate::price::{Schedule, Tariff};
use crate::units::Tokens;

/// A lever that some leg's price says nothing of.
enum Lever<'a> {
    Tool {
        name: &'a str,
        kind: ToolKind,
    },
    Rate {
        field: &'static str,
        name: &'a str,
    },
    /// What no price has a key for.
    Unsold {
        field: &'static str,
        name: &'a str,
    },
}

impl Lever<'_> {
    fn has_price(&self, tariff: &Tariff) -> bool {
        match self {
            Self::Tool { kind: ToolKind::Free, .. } => true,
            // A model that searches with every request has its searches in the price of one.
            Self::Tool { name: "web_search_options", .. } if tariff.sells_requests() => true,
            Self::Tool { kind: ToolKind::Sold(piece), .. } => tariff.sells(*piece),
            Self::Tool { kind: ToolKind::Unsold, .. } => tariff.is_free(),
            Self::Rate { name, .. } => tariff.rates_as(name),
            Self::Unsold { .. } => false,
        }
    }

    fn is_of_name(&self) -> bool {
        matches!(self, Self::Unsold { field: OF_NAME, .. })
    }

    fn note(&self) -> String {
        match self {
            Self::Tool { name, .. } => format!("tool:{}", shown(name)),
            Self::Rate { field, name } | Self::Unsold { field, name } => format!("{field}:{}", shown(name)),
        }
    }

    fn refused(&self, model: &str) -> Rejection {
        let model = shown(model);
        let message = match self {
            Self::Tool { name, kind: ToolKind::Sold(piece) } => format!(
                "The tool `{}` is sold by the piece, and the price of the model `{model}` has no `{}` here: leave the tool out, or \
                 have the operator write that price, or `unpriced_levers: count`.",
                shown(name),
                piece.key()
            ),
            Self::Tool { name, .. } => format!(
                "The tool `{}` is sold by what no price here can say: leave it out, or have the operator write `unpriced_levers: \
                 count`.",
                shown(name)
            ),
            Self::Unsold { field, name } if *field == OF_NAME => format!(
                "The model's name has `{}`, which may have a dearer one serve: leave it out, or have the operator write a price for \
                 the whole name, or `unpriced_levers: count`.",
                shown(name)
            ),
            Self::Unsold { field, name } => format!(
                "`{field}: {}` is dearer, and no price here can say by how much: leave `{field}` out, or have the operator write \
                 `unpriced_levers: count`.",
                shown(name)
            ),
            Self::Rate { field, name } => format!(
                "`{field}: {}` may be dearer, and the price of the model `{model}` has no rates under `service_tiers.{0}` here: leave \
                 `{field}` out, or have the operator write those rates, or `unpriced_levers: count`.",
                shown(name)
            ),
        };
        Rejection::plain(Outcome::InvalidRequest, message)
    }
}

impl Wish<'_> {
    /// The legs that have a price for all that is asked for, and what passes without one.
    pub(super) fn priced(&self, model: &str, legs: Vec<Leg>) -> Result<(Vec<Leg>, Vec<String>), Rejection> {
        let request = self.request;
        let rates = &request.rates;
        if request.hosted.is_empty()
            && request.tool_models.is_empty()
            && rates.unsold.is_none()
            && rates.dearer().next().is_none()
        {
            return Ok((legs, Vec::new()));
        }
        let Stances { unknown_tools, unpriced_levers, .. } = self.tenant.rules.stances;
        let mut noted = Vec::new();
        for tool in request.hosted.iter().filter(|tool| tool.kind.is_none()) {
            match unknown_tools {
                Stance::Refuse => return Err(unknown(&tool.name)),
                Stance::Count => noted.push(format!("tool:{}", shown(&tool.name))),
                Stance::Pass => {}
            }
        }
        let levers: Vec<_> = self.levers().collect();
        self.inner_models(&legs)?;
        let missing = |leg: &Leg| levers.iter().find(|lever| !self.has_price(lever, leg));
        match unpriced_levers {
            Stance::Refuse => {
                let first = legs.first().and_then(missing).map(|lever| lever.refused(model));
                let priced: Vec<Leg> = legs.into_iter().filter(|leg| missing(leg).is_none()).collect();
                match first {
                    Some(refused) if priced.is_empty() => return Err(refused),
                    _ => return Ok((priced, noted)),
                }
            }
            Stance::Count => {
                let unpriced = |lever: &&Lever<'_>| legs.iter().any(|leg| !self.has_price(lever, leg));
                noted.extend(levers.iter().filter(unpriced).map(Lever::note));
            }
            Stance::Pass => {}
        }
        Ok((legs, noted))
    }

    /// All that is known to be sold beside tokens, or at other rates.
    fn levers(&self) -> impl Iterator<Item = Lever<'_>> {
        let request = self.request;
        let tools = request.hosted.iter().filter_map(|tool| Some(Lever::Tool { name: &tool.name, kind: tool.kind? }));
        let rates = request.rates.dearer().map(|(field, name)| Lever::Rate { field, name });
        let unsold =
            request.rates.unsold.as_ref().filter(|(field, _)| *field != OF_NAME || !self.names(&request.model));
        let unsold = unsold.map(|(field, name)| Lever::Unsold { field, name });
        tools.chain(rates).chain(unsold)
    }

    fn has_price(&self, lever: &Lever<'_>, leg: &Leg) -> bool {
        if lever.is_of_name() { self.has_price_of_name(leg) } else { lever.has_price(&leg.tariff) }
    }

    /// Whether its price is of this very name, with all that it ends in, there or anywhere: another provider's says nothing of this one.
    fn has_price_of_name(&self, leg: &Leg) -> bool {
        let provider = leg.provider.and_then(|ix| self.policy.provider_at(ix));
        let own = provider.and_then(|provider| leg.label.strip_prefix(&*provider.name)?.strip_prefix('/'));
        !leg.label.contains('*') && (leg.label == leg.model || own == Some(&*leg.model))
    }

    /// Whether the configuration routes this very name, or has it stand for another.
    fn names(&self, model: &str) -> bool {
        let policy = self.policy;
        let routed = policy.models.model(model).is_some_and(|routed| routed.model.as_str() == model);
        routed || policy.aliases.contains_key(model) || policy.models.stands_for(model).is_some()
    }

    /// Whether these have a price for all that those have one for.
    pub(super) fn price_as_much(&self, these: &[Leg], those: &[Leg]) -> bool {
        let priced = |legs: &[Leg], lever: &Lever<'_>| legs.iter().all(|leg| self.has_price(lever, leg));
        self.levers().all(|lever| priced(these, &lever) || !priced(those, &lever))
    }

    /// A model that works inside of a tool is one that the tenant may ask for, and no dearer than the price that it is charged by:
    /// at drawing, or at all that the others do.
    fn inner_models(&self, legs: &[Leg]) -> Result<(), Rejection> {
        for InnerModel { name, draws } in &self.request.tool_models {
            let price = self.policy.prices.find(name, self.around.now).filter(|_| self.tenant.allows(name));
            // A model group's limits count what serves, and nobody would see this one: it must be in the same group, if there are any.
            let is_seen = |leg: &Leg| {
                let provider = leg.provider.and_then(|ix| self.policy.provider_at(ix));
                let models = self.group_of(provider, [name, name], name);
                models.is_none_or(|of| leg.models == Some(of) || !self.tenant.has_account_for(of))
            };
            let fits =
                |inner: &Tariff, leg: &Leg| is_no_dearer(&inner.standard, &leg.tariff.standard, *draws) && is_seen(leg);
            if !price.is_some_and(|price| legs.iter().all(|leg| fits(&price.tariff, leg))) {
                let message = format!(
                    "The tool's `model`, `{}`, must be left out: it would work and be billed beside the model that is priced, and \
                     it is not one that this tenant may use, with a price that is no dearer and no limits of its own.",
                    shown(name)
                );
                return Err(Rejection::plain(Outcome::InvalidRequest, message));
            }
        }
        Ok(())
    }
}

/// Whether no rate is higher, however long the input is: at drawing, or at all that other models do.
fn is_no_dearer(inner: &Schedule, outer: &Schedule, draws: bool) -> bool {
    let at = |input: Tokens| {
        let (inner, outer) = (inner.rates(input), outer.rates(input));
        if draws {
            inner.image_input <= outer.image_input && inner.image_output <= outer.image_output
        } else {
            inner.input <= outer.input
                && inner.cached_input <= outer.cached_input
                && inner.cache_creation <= outer.cache_creation
                && inner.cache_creation_1h <= outer.cache_creation_1h
                && inner.output <= outer.output
                && inner.reasoning <= outer.reasoning
        }
    };
    let borders = inner.above.iter().chain(&outer.above).map(|(border, _)| border.plus(Tokens(1)));
    std::iter::once(Tokens(0)).chain(borders).all(at)
}

impl Wish<'_> {
    /// What passes of the fields that no table knows.
    pub(super) fn unknown_fields(&self) -> Result<&[String], Rejection> {
        let unknown = &self.request.unknown;
        let stance = self.tenant.rules.stances.unknown_fields;
        // Whoever chooses an answer's id chooses another's: what came back under it would be this tenant's.
        let noted = self.schema.keeps && self.policy.stored_responses == StoredResponses::Own;
        if let Some(field) = unknown.names_answer.filter(|_| noted && stance == Stance::Pass) {
            let message = format!(
                "The field `{field}` would name the answer, and answers that are kept are told apart by their names here: leave it out."
            );
            return Err(Rejection::plain(Outcome::InvalidRequest, message));
        }
        if unknown.fields.is_empty() && unknown.suspect.is_none() || stance == Stance::Pass {
            return Ok(&[]);
        }
        let refused = |field: &str, why: &str, stance: &str| {
            let message = format!(
                "The field `{}` is not known here{why}: leave it out, or have the operator write `unknown_fields: {stance}`.",
                shown(field)
            );
            Err(Rejection::plain(Outcome::InvalidRequest, message))
        };
        if let Some((field, what)) = &unknown.suspect {
            return refused(field, &format!(", and it speaks of {what}"), "pass");
        }
        let named = unknown.texts.iter().find(|(_, text)| self.is_model(text));
        if let Some((at, model)) = named {
            let field = unknown.fields.get(*at).map_or("", |field| field);
            return refused(field, &format!(", and it names the model `{}`", shown(model)), "pass");
        }
        match unknown.fields.first() {
            Some(field) if stance == Stance::Refuse => refused(field, "", "count"),
            _ => Ok(&unknown.fields),
        }
    }

    /// Whether a text is the name of a model here, with or without that of its provider. What matches every name says nothing.
    fn is_model(&self, text: &str) -> bool {
        let policy = self.policy;
        let bare = text.rsplit('/').next().unwrap_or(text);
        [text, bare].into_iter().any(|name| {
            let priced = policy.prices.find(name, self.around.now).is_some_and(|price| price.model.as_str() != "*");
            let routed = policy.models.model(name).is_some_and(|model| model.model.as_str() != "*");
            priced || routed || policy.aliases.contains_key(name) || policy.models.stands_for(name).is_some()
        })
    }
}

fn unknown(name: &str) -> Rejection {
    let name = shown(name);
    let message = format!(
        "The tool `{name}` is of no kind that is known here, so what it costs can't be known: leave it out, or have the operator \
         write `unknown_tools: count`."
    );
    Rejection::plain(Outcome::InvalidRequest, message)
}

#[cfg(test)]
mod tests;
