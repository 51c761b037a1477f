//! Who can take a request, and at what price: the cheapest of what a name stands for.
//!
//! The worst case of each candidate is computed as the reservation would be, over every provider of its chain.
//! So the choice needs no second notion of "cheap", and what was chosen is what is reserved.

use crate::order;
use std::rc::Rc;

use super::input::{InContext, Input};
use super::sent::Sent;
use super::sticky::SticksTo;
use super::{Around, Leg};
use crate::attempt::{self, Chain, blame::Who};
use crate::limit::{Bound, Guard, ModelsIx};
use crate::llm::brings::{Brings, Items};
use crate::llm::estimate::Sizes;
use crate::llm::estimate::density::Density;
use crate::llm::request::{Edit, Request};
use crate::llm::schema::{BoundField, OutputBound, Schema, is_anthropics};
use crate::name::BY_ROLE;
use crate::outcome::{Outcome, Rejection, shown};
use crate::policy::{Policy, ProviderPolicy, TenantPolicy};
use crate::price::{Ceiling, Quote, Tariff};
use crate::record::Instead;
use crate::route::{
    Bounds, BySight, Cheapest, CheapestOf, ProviderIx, RoleModel, Sensitivity, Split, Sticky, Unserved, Virtual,
};
use crate::units::{NanoUsd, Tokens};

/// A request and all that decides where it may go.
pub(super) struct Wish<'a> {
    pub(super) policy: &'a Policy,
    pub(super) tenant: &'a TenantPolicy,
    pub(super) request: &'a Request,
    /// Its body as it is sent to those who may see so much.
    pub(super) sent: &'a BySight<Sent>,
    pub(super) schema: &'static Schema,
    /// As the client called it.
    pub(super) path: &'a str,
    pub(super) role: Option<&'a str>,
    pub(super) sensitivity: Sensitivity,
    /// The model that it goes to, whatever it asks for: a shadow's.
    pub(super) copied_to: Option<&'a str>,
    /// What its original may say at most, if it is a copy, and its client wrote no bound.
    pub(super) as_long_as: Option<Tokens>,
    /// Who may serve it, in the order in which they are asked, if its tenant says so.
    pub(super) listed: Option<&'a [ProviderIx]>,
    pub(super) sticks_to: SticksTo,
    /// It needs what only one provider has, or makes what later ones may need.
    pub(super) leans: bool,
    pub(super) request_id: &'a str,
    pub(super) around: Around<'a>,
}

/// A model that can take it.
pub(super) struct Offer {
    pub(super) model: String,
    /// The name of which that is a variant.
    pub(super) split: Option<Rc<str>>,
    /// Why it serves in another's place, if it does.
    pub(super) instead: Option<Box<Instead>>,
    /// Never empty.
    pub(super) legs: Vec<Leg>,
    /// What each of them may see.
    pub(super) sight: Sensitivity,
    /// What it asks for that has no price, where that passes.
    pub(super) noted: Vec<String>,
    pub(super) input: Tokens,
    pub(super) reckoned: Input,
    /// What of it the body only points at.
    pub(super) hidden: Tokens,
    /// Of the dearest leg.
    pub(super) ceiling: Ceiling,
    pub(super) bound: Bound,
    worst: NanoUsd,
}

/// How long a client may wait before it asks for a provider again whose breaker is open.
const UNAVAILABLE_SECONDS: u64 = 1;

impl Wish<'_> {
    /// The offer for the model that was asked for, or of what that stands for. One that a rule about texts refuses is taken where there
    /// is no other.
    pub(super) fn best(&self) -> Result<Offer, Rejection> {
        if let Some(model) = self.copied_to {
            return self.offer(model).and_then(|offer| self.fits(offer));
        }
        let mut offer = self.named(self.name()?)?;
        self.near_the_end(&mut offer);
        Ok(offer)
    }

    /// The offer for that name, of a model or of what stands for some.
    pub(super) fn named(&self, name: &str) -> Result<Offer, Rejection> {
        match self.policy.models.stands_for(name) {
            None => self.offer(name),
            Some(Virtual::Cheapest(cheapest)) => self.cheapest(name, cheapest),
            Some(Virtual::Split(split)) => self.drawn(split),
        }
    }

    /// Of two equal ones, the first in the configuration.
    fn cheapest(&self, name: &str, Cheapest { models, of }: &Cheapest) -> Result<Offer, Rejection> {
        let mut best: Option<Offer> = None;
        let mut refusals = Vec::new();
        let beginning = if *of == CheapestOf::Conversation { self.beginning() } else { None };
        let rank = |offer: &Offer| match beginning {
            None => (self.is_refused(offer), self.may_be_too_long(offer), false, offer.worst),
            Some(bytes) => (
                self.is_refused(offer),
                self.may_be_too_long(offer),
                self.is_too_expensive(offer),
                self.worst_of(bytes, offer),
            ),
        };
        for candidate in models {
            match self.offer(candidate).and_then(|offer| self.fits(offer)) {
                Ok(offer) if best.as_ref().is_none_or(|best| rank(&offer) < rank(best)) => best = Some(offer),
                Ok(_) => {}
                Err(rejection) => refusals.push((candidate.as_str(), rejection)),
            }
        }
        best.ok_or_else(|| none_of(name, refusals))
    }

    /// How long the conversation's beginning is, if it has one. Of what goes on from a provider's own, it isn't there any more.
    fn beginning(&self) -> Option<u64> {
        if self.leans { Some(0) } else { self.sticks_to.conversation.begins }
    }

    /// What so long a request may come to there. It is the same in each turn of a conversation, whatever has been learned meanwhile.
    fn worst_of(&self, bytes: u64, offer: &Offer) -> NanoUsd {
        let input = Sizes { body_bytes: bytes, ..Sizes::default() }.text_at_most(Density::PRIOR);
        let bound =
            self.bound(&offer.model, &offer.legs, &|_| InContext { certain: input, likely: input, sized: input });
        let ceiling = self.ceiling(&offer.legs, input, false, Items::default());
        ceiling.worst_case(input, bound.most().times(self.request.choices))
    }

    /// Whether it is more than a single request may cost, however short its answer.
    fn is_too_expensive(&self, offer: &Offer) -> bool {
        let least = offer.ceiling.worst_case(offer.input, offer.bound.least().times(self.request.choices));
        self.tenant.rules.enforced(Guard::RequestUsd).is_some_and(|most| least > NanoUsd(most))
    }

    /// Of the dearest of these.
    fn ceiling(&self, legs: &[Leg], input: Tokens, attachments: bool, items: Items) -> Ceiling {
        let tier = self.request.rates.name();
        let brings = |leg: &Leg| Brings { attachments, writes: self.request.writes(&leg.model), items };
        let ceilings = legs.iter().map(|leg| leg.tariff.ceiling(input, tier.as_deref(), brings(leg)));
        ceilings.fold(Ceiling::default(), Ceiling::max)
    }

    /// The variant of whoever asks; where that can't take the request, the next that he would get without it. Canaries that are out come
    /// last.
    fn drawn(&self, split: &Split) -> Result<Offer, Rejection> {
        let Self { tenant, request_id, around, .. } = self;
        let mut refused: Option<Offer> = None;
        let mut refusals = Vec::new();
        let mut variants = split.ranked(self.sticks_to.key(split.sticky, tenant, request_id, around.now));
        order::sort_by_key(&mut variants, |variant| {
            variant.canary.is_some() && (around.is_out)(&split.name, &variant.model)
        });
        for variant in variants {
            let offer = self.offer(&variant.model);
            // What the client named itself is its own choice.
            let offer = if variant.model == split.name { offer } else { offer.and_then(|offer| self.fits(offer)) };
            match offer.map(|offer| Offer { split: Some(Rc::clone(&split.name)), ..offer }) {
                Ok(offer) if !self.is_refused(&offer) => return Ok(offer),
                Ok(offer) => refused = refused.or(Some(offer)),
                Err(rejection) => refusals.push((&*variant.model, rejection)),
            }
        }
        refused.ok_or_else(|| none_of(&split.name, refusals))
    }

    /// Whether a rule about texts refuses it for those who would serve it.
    pub(super) fn is_refused(&self, offer: &Offer) -> bool {
        self.sent.at(offer.sight).refused.is_some()
    }

    /// What the client wrote, or the model of its role, with aliases followed.
    fn name(&self) -> Result<&str, Rejection> {
        let asked = self.request.model.as_str();
        let name = if asked == BY_ROLE { self.of_role()? } else { asked };
        Ok(self.policy.resolve(name))
    }

    /// The model of its role, if it names none itself.
    pub(super) fn role_model(&self) -> Option<&RoleModel> {
        let role = self.role.filter(|_| self.request.model == BY_ROLE)?;
        self.policy.model_of_role(self.tenant, role)
    }

    fn of_role(&self) -> Result<&str, Rejection> {
        let invalid = |message: String| Rejection::plain(Outcome::InvalidRequest, message);
        if self.role.is_none() {
            let header = &self.policy.role_header;
            return Err(invalid(format!(
                "The request names neither a `model` nor, by `{header}`, a role that has one."
            )));
        }
        self.role_model().map(|role| &*role.model).ok_or_else(|| {
            let known: Vec<_> = self.policy.roles.iter().map(|role| format!("`{role}`")).collect();
            invalid(format!("No model is set for this role; name a `model`, or one of the roles {}.", known.join(", ")))
        })
    }

    /// A model that was named is the client's choice; one that is chosen for it must be able to.
    pub(super) fn fits(&self, offer: Offer) -> Result<Offer, Rejection> {
        let invalid = |message: &str| Err(Rejection::plain(Outcome::InvalidRequest, message));
        let Some(known) = self.policy.models.model(&offer.model) else { return Ok(offer) };
        if self.request.tools && !known.tools {
            return invalid("It can't call tools.");
        }
        let input = offer.legs.iter().map(|leg| offer.reckoned.needs(leg)).max().unwrap_or_default();
        if known.context.is_some_and(|context| input.plus(offer.bound.least()) > context) {
            return invalid("The request is longer than its context.");
        }
        Ok(offer)
    }

    /// It fits only if its text is no denser, and what is beside it no longer, than is likely: a larger context is surer.
    fn may_be_too_long(&self, offer: &Offer) -> bool {
        let context = self.policy.models.model(&offer.model).and_then(|known| known.context);
        let takes = |leg: &Leg| offer.reckoned.in_context(leg).certain.plus(offer.bound.least());
        context.is_some_and(|context| offer.legs.iter().any(|leg| takes(leg) > context))
    }

    fn offer(&self, model: &str) -> Result<Offer, Rejection> {
        if !self.tenant.allows(model) {
            if !self.exists(model) {
                return Err(self.unserved(model, Unserved::Unknown));
            }
            let message = format!("The model `{}` is not among those that this tenant may use.", shown(model));
            return Err(Rejection::plain(Outcome::ModelNotAllowed, message));
        }
        let legs = if self.policy.models.are_listed() { self.chosen(model)? } else { vec![self.given(model)?] };
        let (mut legs, noted) = self.priced(model, legs)?;
        let Self { request, .. } = self;
        let sight = legs.iter().map(|leg| self.sight(leg)).min().unwrap_or(Sensitivity::Public);
        let reckoned = Input::of(request, self.sent.at(sight).sizes, self.policy.hidden_input);
        if !reckoned.is_plain() {
            let context = self.policy.models.model(model).and_then(|model| model.context);
            legs.iter_mut().for_each(|leg| leg.context = leg.context.or(context));
        }
        let shown = legs.iter().map(|leg| reckoned.shown(leg)).max().unwrap_or_default();
        let hidden = legs.iter().map(|leg| reckoned.hidden(leg, reckoned.shown(leg)));
        let hidden = if request.hidden.is_nothing() { Tokens(0) } else { hidden.max().unwrap_or_default() };
        let input = shown.plus(hidden);
        let ceiling = self.ceiling(&legs, input, !reckoned.is_plain(), request.items(&reckoned.sizes));
        // A context that may turn out empty leaves all its room to the output.
        let bound = self.bound(model, &legs, &|leg| reckoned.in_context(leg));
        let worst = ceiling.worst_case(input, bound.most().times(request.choices));
        Ok(Offer {
            model: model.to_owned(),
            split: None,
            instead: None,
            legs,
            sight,
            noted,
            input,
            reckoned,
            hidden,
            ceiling,
            bound,
            worst,
        })
    }

    /// What is not known to be one of the providers may see what everybody may.
    fn sight(&self, leg: &Leg) -> Sensitivity {
        let provider = leg.provider.and_then(|ix| self.policy.provider_at(ix));
        provider.and_then(|provider| provider.reach.sensitivity).unwrap_or(Sensitivity::Public)
    }

    /// What is known of the output before it is made.
    fn bound(&self, model: &str, legs: &[Leg], input: &dyn Fn(&Leg) -> InContext) -> Bound {
        match (self.schema.output, self.request.bound()) {
            (OutputBound::None, _) => Bound::Client(Tokens(0)),
            (OutputBound::Fixed(tokens), _) => Bound::Client(Tokens(tokens)),
            (_, Some(bound)) if bound > Tokens(0) || legs.iter().all(|leg| is_anthropics(&leg.model)) => {
                Bound::Client(bound)
            }
            (OutputBound::Unwritten, _) => Bound::Client(self.most_output(model, legs, input)),
            // A bound of nothing that a server may take for none is left as it is, and reserved for.
            (OutputBound::Field(_), _) => {
                let at_most = self.most_output(model, legs, input);
                Bound::Open { at_least: self.policy.min_tokens.min(at_most), at_most }
            }
        }
    }

    /// The bound of a request that brings none. Of these, the first that is written: its original's, if it is a copy; the tenant's or
    /// its tier's; what the model writes at most; that of all. It is never more than the model writes, nor than its context has room
    /// for beside the input: a provider would refuse it.
    fn most_output(&self, model: &str, legs: &[Leg], input: &dyn Fn(&Leg) -> InContext) -> Tokens {
        let Policy { default_max_tokens, min_tokens, models, .. } = self.policy;
        let own = self.as_long_as.or(self.tenant.rules.default_max_tokens);
        let listed = models.model(model).and_then(|model| model.context);
        let of = |leg: &Leg| {
            let output = own.or(leg.max_output).unwrap_or(*default_max_tokens);
            let output = leg.max_output.map_or(output, |max| output.min(max));
            let Some(context) = listed.or(leg.context) else { return output };
            // What is certain to fit would leave a long prompt next to no answer, and a document that may be long none at all: then it
            // is half of what is likely to be left.
            let InContext { certain, likely, sized } = input(leg);
            let half = |taken: Tokens| Tokens(context.less(taken).0 / 2);
            let least = half(sized).min(*default_max_tokens).max(*min_tokens);
            output.min(context.less(certain).max(half(likely)).max(least))
        };
        legs.iter().map(of).max().unwrap_or(*default_max_tokens)
    }

    /// Whether anybody might be served by it.
    fn exists(&self, model: &str) -> bool {
        let Policy { models, prices, providers, .. } = self.policy;
        if models.are_listed() {
            return models.model(model).is_some();
        }
        let has_price = |provider: Option<&str>| prices.quote(provider, model, self.around.now) != Quote::Denied;
        has_price(None) || providers.iter().any(|provider| has_price(Some(&provider.name)))
    }

    /// Where Envoy's route leads.
    fn given(&self, model: &str) -> Result<Leg, Rejection> {
        let provider = self.around.cluster.and_then(|cluster| self.policy.provider_of(cluster));
        let policy = provider.and_then(|ix| self.policy.provider_at(ix));
        if self.policy.sees_at_most(policy).is_some_and(|most| self.sensitivity > most) {
            return Err(self.unserved(model, Unserved::TooSensitive));
        }
        if !self.request.can_be_named_in_body(model) {
            return Err(self.unnamed(model));
        }
        self.leg(provider, policy, model, model.to_owned(), String::new()).ok_or_else(|| unpriced(model))
    }

    /// What was written would be served at the price of what it was taken for.
    fn unnamed(&self, model: &str) -> Rejection {
        let message = if self.request.model == model {
            "The form's `model` must be left out, or be what the path names: who serves it may read the form."
                .to_owned()
        } else {
            let (asked, model) = (shown(&self.request.model), shown(model));
            format!(
                "`{asked}` stands for `{model}` here, and nothing can be written over it in a form or in this path: write `{model}`."
            )
        };
        Rejection::plain(Outcome::InvalidRequest, message)
    }

    /// The providers that may serve it; those whose breakers are open come last, for what is known of them is a second old.
    fn chosen(&self, model: &str) -> Result<Vec<Leg>, Rejection> {
        let bounds = Bounds { schema: self.schema, sensitivity: self.sensitivity, listed: self.listed };
        let reach = |ix| self.policy.provider_at(ix).map(|provider| &provider.reach);
        let chain = self.policy.models.chain(model, &bounds, reach, |sticky| self.key_of_provider(sticky));
        let mut hops = chain.map_err(|why| self.unserved(model, why))?;
        let is_open = |leg: &Leg| leg.provider.is_some_and(self.around.is_open);
        let leg = |hop: crate::route::Hop| {
            let policy = self.policy.provider_at(hop.provider)?;
            let renamed = (self.request.model_in_path).then_some((self.request.model.as_str(), hop.model.as_str()));
            let path = policy.path(self.schema, self.path, &hop.model, renamed)?;
            self.leg(Some(hop.provider), Some(policy), model, hop.model, path)
        };
        hops.retain(|hop| (self.around.is_attended)(hop.provider));
        if hops.is_empty() {
            let message = "The gateway is not set up to send this to a provider. Envoy's log says why.";
            return Err(Rejection::plain(Outcome::InternalError, message));
        }
        hops.retain(|hop| {
            let provider = self.policy.provider_at(hop.provider);
            provider
                .is_some_and(|provider| self.request.can_be_named(&hop.model, provider.path_names_model(self.schema)))
        });
        if hops.is_empty() {
            return Err(self.unnamed(model));
        }
        let mut legs: Vec<Leg> = hops.into_iter().filter_map(leg).collect();
        if legs.is_empty() {
            return Err(unpriced(model));
        }
        if legs.iter().all(is_open) {
            let message = "All providers of this model are failing, and are left alone for a while.";
            let mut rejection = Rejection::plain(Outcome::ProviderUnavailable, message);
            rejection.retry_after = Some(UNAVAILABLE_SECONDS);
            rejection.headers.push(("retry-after", UNAVAILABLE_SECONDS.to_string()));
            return Err(rejection);
        }
        order::sort_by_key(&mut legs, is_open);
        Ok(legs)
    }

    fn key_of_provider(&self, sticky: Sticky) -> u64 {
        let Self { sticks_to, tenant, request_id, around, .. } = self;
        if self.leans {
            sticks_to.key_of_kept(sticky, tenant)
        } else {
            sticks_to.key(sticky, tenant, request_id, around.now)
        }
    }

    /// `None` if the model has no price there. `listed`: what it is called here.
    fn leg(
        &self,
        provider: Option<ProviderIx>,
        policy: Option<&ProviderPolicy>,
        listed: &str,
        model: String,
        path: String,
    ) -> Option<Leg> {
        let quote = self.policy.prices.quote(policy.map(|policy| policy.name.as_str()), &model, self.around.now);
        let (tariff, bound_field, max_output, context) = match quote {
            Quote::Priced { price } => (Rc::clone(&price.tariff), price.bound_field, price.max_output, price.context),
            // Another model's price, not its length.
            Quote::PricedAs { price } => (Rc::clone(&price.tariff), price.bound_field, None, None),
            Quote::Free => (Rc::new(Tariff::free()), BoundField::default(), None, None),
            Quote::Denied => return None,
        };
        let label = quote.label().to_owned();
        let density = (self.around.density)(&label, &self.tenant.name);
        let ask_usage = self.schema.usage_option && policy.is_none_or(|policy| policy.stream_usage_option);
        let models = self.group_of(policy, [&model, &label], listed);
        Some(Leg { provider, model, models, path, label, tariff, bound_field, max_output, context, density, ask_usage })
    }

    /// The group of a model that is served as `model` at the price `label`: by what it is called there, with and without who serves it
    /// or made it; and only if that is in none, by what it is called here.
    pub(super) fn group_of(
        &self,
        provider: Option<&ProviderPolicy>,
        [model, label]: [&str; 2],
        listed: &str,
    ) -> Option<ModelsIx> {
        let groups = &self.policy.model_groups;
        if groups.is_empty() {
            return None;
        }
        let there = |name: &str| provider.map(|provider| [&provider.name, "/", name].concat());
        let [of_model, of_listed] = [model, listed].map(there);
        let bare = model.rsplit_once('/').map_or(model, |(_, bare)| bare);
        let of = |names: &[&str], there: &Option<String>| groups.of(names.iter().copied().chain(there.as_deref()));
        of(&[model, bare, label], &of_model).or_else(|| of(&[listed], &of_listed))
    }

    fn unserved(&self, model: &str, why: Unserved) -> Rejection {
        let model = shown(model);
        let (outcome, message) = match why {
            Unserved::Unknown => (Outcome::ModelNotFound, format!("No provider here serves the model `{model}`.")),
            Unserved::Unlisted => {
                let message = format!("No provider that may serve this tenant serves the model `{model}`.");
                (Outcome::ModelNotAllowed, message)
            }
            Unserved::Api => {
                (Outcome::ModelNotFound, format!("No provider here serves the model `{model}` by this API."))
            }
            Unserved::TooSensitive => {
                let level = self.sensitivity.name();
                (Outcome::ModelNotAllowed, format!("No provider that may see {level} data serves the model `{model}`."))
            }
        };
        Rejection::plain(outcome, message)
    }
}

fn unpriced(model: &str) -> Rejection {
    let model = shown(model);
    let message = format!("The model `{model}` has no price here, and requests without a price are not sent on.");
    Rejection::plain(Outcome::ModelUnpriced, message)
}

/// Says of each candidate why not, under the outcome that most likely passes.
fn none_of(name: &str, refusals: Vec<(&str, Rejection)>) -> Rejection {
    let mut message = format!("No model that `{}` stands for can take this request.", shown(name));
    for (candidate, rejection) in &refusals {
        message.push_str(&format!(" {candidate}: {}", rejection.message));
    }
    let unavailable = |rejection: &Rejection| rejection.outcome == Outcome::ProviderUnavailable;
    let at = refusals.iter().position(|(_, rejection)| unavailable(rejection)).unwrap_or(0);
    match refusals.into_iter().nth(at) {
        Some((_, rejection)) => Rejection { message, ..rejection },
        None => Rejection::plain(Outcome::InternalError, message),
    }
}

/// The chain as Envoy and the attempts read it.
pub(super) fn chain(
    policy: &Policy,
    schema: &Schema,
    kept: &[(String, String)],
    legs: &[Leg],
    request: &Request,
    tenant: Who,
    edits: impl Fn(&Leg) -> Vec<Edit>,
) -> Chain {
    let body_bytes = request.sizes.body_bytes;
    let stream = legs.first().filter(|_| request.stream).map(|leg| leg.label.clone());
    let (mut clusters, mut plan) = (Vec::with_capacity(legs.len()), Vec::with_capacity(legs.len()));
    for leg in legs {
        let Some(provider) = leg.provider.and_then(|ix| policy.provider_at(ix)) else { continue };
        let edits = edits(leg);
        let length = edits.iter().fold(body_bytes, |length, Edit { place, text }| {
            length.saturating_add(text.len() as u64).saturating_sub(place.to.saturating_sub(place.from))
        });
        clusters.push(provider.cluster.clone());
        plan.push(attempt::PlannedLeg { provider: provider.name.clone(), path: leg.path.clone(), length, edits });
    }
    Chain { clusters, plan: attempt::plan(schema, kept, &plan, tenant), stream }
}

/// The leg that leads to this cluster; the first while none is known to have been taken.
pub(super) fn leg<'a>(legs: &'a [Leg], policy: &Policy, cluster: Option<&str>) -> Option<&'a Leg> {
    let taken = cluster.and_then(|cluster| policy.provider_of(cluster));
    legs.iter().find(|leg| taken.is_some() && leg.provider == taken).or_else(|| legs.first())
}
