//! From a request's last byte to its tenant's cell, and from the cell's word to a provider or a refusal.

use std::mem;
use std::rc::Rc;

use super::input::Input;
use super::offer::{Offer, Wish, chain};
use super::sent::Sent;
use super::{Around, AskedFor, Exchange, Incoming, Open, Phase, Step, content, kept, tools};
use crate::attempt::blame::Who;
use crate::content::{Placeholders, Prompt};
use crate::limit::{Admitted, Ask, Audited, Beside, Bound, Decision, Held, ModelsIx};
use crate::limit::{Reservation, Shares, Standing, SwapLost};
use crate::llm::estimate::density::Density;
use crate::llm::offered::Offers;
use crate::llm::request::{Edit, Request, merged};
use crate::llm::schema::BoundField;
use crate::outcome::{Outcome, Rejection, Reply};
use crate::policy::{OnContention, Policy, TenantIx, TenantPolicy};
use crate::price::Tariff;
use crate::record::Instead;
use crate::route::{BySight, ProviderIx};
use crate::tools::{Callable, Judged};
use crate::units::{Tokens, UnixNanos};

/// A request that may be sent on, if the cell has room.
struct Plan {
    request: Request,
    /// What rules take out of its body, and write into it.
    edits: Vec<Edit>,
    placeholders: Option<Box<Placeholders>>,
    callable: Option<Box<Callable>>,
    /// Never empty.
    legs: Vec<Leg>,
    bound: Bound,
    /// Whether they were chosen here: then each attempt edits for itself.
    routed: bool,
    input: Input,
    /// What of it the body only points at, as reserved.
    hidden: Tokens,
}

/// The model that a request was taken for.
struct Taken {
    model: String,
    /// The name of which that is a variant.
    split: Option<Rc<str>>,
    instead: Option<Box<Instead>>,
}

/// A provider that a request may go to, and what it is called and costs there.
pub(super) struct Leg {
    pub(super) provider: Option<ProviderIx>,
    /// The model's name there.
    pub(super) model: String,
    /// The group that it is in there.
    pub(super) models: Option<ModelsIx>,
    pub(super) path: String,
    /// The `model` label.
    pub(super) label: String,
    pub(super) tariff: Rc<Tariff>,
    pub(super) bound_field: BoundField,
    /// The most that the model writes at once.
    pub(super) max_output: Option<Tokens>,
    /// The most that it reads, if that is known.
    pub(super) context: Option<Tokens>,
    pub(super) density: Density,
    /// Whether a stream is to be asked for its usage.
    pub(super) ask_usage: bool,
}

/// A question to the tenant's cell: [`crate::limit::cell::Cell::admit`] answers it.
pub struct Demand {
    pub tenant: Rc<TenantPolicy>,
    pub ask: Ask,
    /// The groups of the models that may serve it, as far as anybody has limits for them.
    pub models: Vec<ModelsIx>,
    asked: AskedFor,
    plan: Box<Plan>,
}

impl Exchange {
    /// The request has ended: what must the tenant's cell be asked? `None`, if it was decided before.
    pub fn end_of_request(&mut self, policy: &Policy, around: Around<'_>) -> Option<Result<Demand, Reply>> {
        match mem::replace(&mut self.phase, Phase::Deciding) {
            Phase::Reading(reading) => Some(self.demand(policy, reading, around)),
            other => {
                self.phase = other;
                None
            }
        }
    }

    fn demand(&mut self, policy: &Policy, reading: Incoming, around: Around<'_>) -> Result<Demand, Reply> {
        let Incoming { tenant, reader, prompt, offers, conversation, received, inflated } = reading;
        if let Some(conversation) = conversation {
            self.sticks_to.conversation = conversation.end();
        }
        let request = reader.finish(received).map_err(|invalid| {
            // Envoy says nothing of what it could not inflate, and leaves it out.
            let cut = if inflated {
                " Its body was compressed; it may be broken, or grow more than a hundredfold."
            } else {
                ""
            };
            let message = format!("The request can't be read: {invalid}.{cut}");
            self.refuse(Rejection::plain(Outcome::InvalidRequest, message))
        })?;
        let mut asked = AskedFor { model: request.model.clone(), stream: request.stream, ..AskedFor::default() };
        match self.plan(policy, tenant, request, (prompt, offers), around) {
            Ok((plan, tenant, ask, Taken { model, split, instead })) => {
                (asked.chosen, asked.split, asked.instead) = (Some(model), split, instead);
                let models = models_of(&tenant, &plan.legs);
                Ok(Demand { tenant, ask, models, asked, plan: Box::new(plan) })
            }
            Err(rejection) => Err(self.refuse_asked(rejection, Some(asked), Audited::default())),
        }
    }

    /// Where it may go, what that may cost at most, and what it was taken for.
    fn plan(
        &mut self,
        policy: &Policy,
        tenant: TenantIx,
        mut request: Request,
        (prompt, offers): (Option<Box<Prompt>>, Option<Box<Offers>>),
        around: Around<'_>,
    ) -> Result<(Plan, Rc<TenantPolicy>, Ask, Taken), Rejection> {
        self.hear(policy, &request)?;
        let Some(tenant) = policy.tenant_policy(tenant) else {
            return Err(Rejection::plain(Outcome::InternalError, "The tenant is gone."));
        };
        let screened = match prompt {
            Some(prompt) => self.screen(*prompt, &request, &tenant.name)?.map(Some),
            None => BySight::default(),
        };
        let judged_as = self.judged_as(tenant.ix);
        let judged = match offers.zip(tools::rules(policy, judged_as)) {
            Some((offers, rules)) => Some((self.offered(&offers, rules, &mut request)?, rules)),
            None => None,
        };
        self.flags(policy, &request)?;
        if self.copied.is_some() {
            request.store = None;
        }
        kept::judge(self.stored(policy), self.schema, &mut request, |id| (around.knows)(&tenant.name, id))?;
        kept::weigh(&mut request, |ids| (around.sizes)(&tenant.name, ids));
        let defined = judged.as_ref().map_or(&[][..], |(judged, _)| &judged.edits);
        let sent = screened.map(|screened| Sent::of(&request, screened, defined));
        let shadow = self.copied_to();
        let wish = Wish {
            policy,
            tenant,
            request: &request,
            sent: &sent,
            schema: self.schema,
            path: &self.path,
            role: self.role.as_deref(),
            sensitivity: self.sensitivity(policy, tenant),
            copied_to: shadow.as_ref().map(|shadow| &*shadow.model),
            as_long_as: self.bound_of_original(),
            // Of a copy, who may serve the tenant whose request it is.
            listed: policy.tenant_policy(judged_as).and_then(|tenant| tenant.rules.providers.as_deref()),
            sticks_to: self.sticks_to,
            leans: kept::leans(self.stored(policy), self.schema, &request),
            request_id: &self.request_id,
            around,
        };
        let fields = wish.unknown_fields()?;
        let best = wish.best()?;
        let ask = wish.ask(&best);
        let Offer { model, split, instead, legs, sight, noted, reckoned, hidden, bound, .. } = best;
        noted.iter().chain(fields).for_each(|name| self.cut.left_out.unknown_field(name));
        if let Some(leg) = legs.first() {
            self.labels.model = leg.label.clone().into();
        }
        let Sent { edits, placeholders, seen, refused, .. } = sent.into_at(sight);
        if let (Some(looked), Some(seen)) = (&mut self.looked, seen) {
            looked.request = seen;
        }
        if let Some(refused) = refused {
            return Err(content::request_refused(&refused, " to those who serve this model"));
        }
        let content = policy.contents.of(judged_as);
        let own = || content.map(|content| Placeholders::new(content.key.clone(), Rc::clone(&tenant.name)));
        let placeholders = placeholders.or_else(own).map(Box::new);
        let callable = judged.and_then(|(Judged { strict, kinds, .. }, rules)| {
            let rules = Rc::clone(rules);
            rules.looks_at_calls().then(|| Box::new(Callable { rules, strict, kinds }))
        });
        let plan = Plan {
            edits,
            placeholders,
            callable,
            request,
            legs,
            bound,
            routed: policy.models.are_listed(),
            input: reckoned,
            hidden,
        };
        Ok((plan, Rc::clone(tenant), ask, Taken { model, split, instead }))
    }

    /// The cell has answered, or the swap lost every race.
    pub fn decided(
        &mut self,
        policy: &Policy,
        demand: Demand,
        decision: Result<Decision, SwapLost>,
        now: UnixNanos,
    ) -> Step {
        let Demand { tenant, models, asked, plan, .. } = demand;
        let (admitted, standing, audit) = match (decision, policy.on_contention) {
            (Ok(Decision { verdict: Ok(admitted), standing, audit, audit_beside }), _) => {
                let mut audited = Audited::default();
                tenant.audited(&mut audited, &models, audit, &audit_beside);
                (admitted, standing, audited)
            }
            (Ok(Decision { verdict: Err(refusal), standing, audit, audit_beside }), _) => {
                let mut audited = Audited::default();
                tenant.audited(&mut audited, &models, audit, &audit_beside);
                let refuser = tenant.refuser_of(&refusal, &models);
                let mut rejection = Rejection::limit(&refusal, &standing, refuser.as_ref());
                if let Some(field) = plan.request.hidden.field() {
                    rejection.blame_hidden(field, plan.hidden);
                }
                return Step::Refuse(self.refuse_asked(rejection, Some(asked), audited));
            }
            (Err(SwapLost), OnContention::Deny) => {
                let message = "The tenant's limits could not be checked just now; try again.";
                let rejection = Rejection::plain(Outcome::InternalError, message);
                return Step::Refuse(self.refuse_asked(rejection, Some(asked), Audited::default()));
            }
            // Sent on without a reservation; its cost is charged all the same when it is over.
            (Err(SwapLost), OnContention::Allow) => {
                let nothing = Held::nothing(now);
                let beside = tenant.beside(&models).map(|account| Beside { held: nothing, of: account.of });
                let reservation = Reservation { own: nothing, beside: beside.collect() };
                (Admitted { reservation, per_choice: plan.bound.most() }, Standing::default(), Audited::default())
            }
        };
        let Plan { request, edits: of_rules, placeholders, callable, legs, bound, routed, input, .. } = *plan;
        let open_bound = request.bound().is_none();
        let most_of = |leg: &Leg| leg.max_output.map_or(admitted.per_choice, |most| admitted.per_choice.min(most));
        let edits = |leg: &Leg| {
            let most = most_of(leg);
            let writes = open_bound || request.is_bound_elsewhere(leg.bound_field);
            let bound = writes.then_some((leg.bound_field, most));
            let name = request.needs_name(&leg.model).then_some(leg.model.as_str());
            merged(request.edits(name, bound, leg.ask_usage), &of_rules)
        };
        let step = match legs.first() {
            Some(leg) if !routed => Step::Forward(edits(leg)),
            _ => {
                let tenant = Who::of(&self.labels.tenant);
                Step::Route(chain(policy, self.schema, &self.cut.kept, &legs, &request, tenant, edits))
            }
        };
        let stored = self.stored(policy);
        let model = asked.chosen.as_deref().unwrap_or_default();
        let given = legs.first().filter(|_| matches!(bound, Bound::Open { .. })).map(most_of);
        let copied_for = self.copied_for(policy, &tenant, &request, (model, given), now);
        self.phase = Phase::Open(Box::new(Open {
            tenant,
            schema: self.schema,
            asked,
            audit,
            reservation: admitted.reservation,
            legs,
            models,
            routed,
            items: request.items(&input.sizes),
            most_output: admitted.per_choice.times(request.choices),
            choices: request.choices,
            detached: request.background,
            standing,
            hide_usage: request.stream && !request.wants_usage(),
            input,
            note_ids: kept::may_be_kept(stored, self.schema, &request),
            note_sizes: kept::may_be_gone_on_from(stored, self.schema, &request),
            rates: request.rates,
            answer: None,
            placeholders,
            callable,
            copied_for,
            withdrawn: None,
        }));
        step
    }
}

impl Wish<'_> {
    /// What its accounts are asked for it.
    pub(super) fn ask(&self, offer: &Offer) -> Ask {
        let Policy { expensive, lease_seconds, replicas, .. } = self.policy;
        let service_unavailable = self.around.service_unavailable;
        Ask {
            input: offer.input,
            ceiling: offer.ceiling,
            bound: offer.bound,
            choices: self.request.choices,
            expensive_model: expensive.is_model(&offer.model),
            expensive_over: expensive.over,
            lease_seconds: *lease_seconds,
            shares: replicas.as_ref().map_or(Shares::WHOLE, |shared| shared.shares(service_unavailable)),
        }
    }
}

/// The groups of these legs' models for which somebody has limits.
pub(super) fn models_of(tenant: &TenantPolicy, legs: &[Leg]) -> Vec<ModelsIx> {
    let mut models = Vec::new();
    for of in legs.iter().filter_map(|leg| leg.models) {
        if !models.contains(&of) && tenant.has_account_for(of) {
            models.push(of);
        }
    }
    models
}
