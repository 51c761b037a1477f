//! What an exchange came to: its charge, its record, and what becomes of its reservation.

mod attempts;
mod weighed;

use std::rc::Rc;

use super::charge::{Charge, Evidence, Foreseen};
use super::ending::{self, Ending, unanswered};
use super::{Answer, AskedFor, Exchange, Leg, Open, Phase, Refused, offer};
use crate::limit::{Audited, ModelsIx, Reservation, accounts};
use crate::llm::estimate::experience::Experience;
use crate::llm::schema::Dialect;
use crate::llm::usage::UsageSource;
use crate::outcome::{Outcome, RefusedBy};
use crate::policy::{AnsweredModel, OTHER, Policy, ReportedCost, TenantPolicy};
use crate::price::Tariff;
use crate::record::{Bill, Record};
use crate::units::{NanoUsd, UnixNanos};
use attempts::{began, of_models};
use weighed::{Read, Weighed, is_near};

/// The money of an exchange, to be written to its tenant's cell. It consumed the reservation.
#[derive(Debug, PartialEq, Eq)]
pub struct Settlement {
    pub tenant: Rc<TenantPolicy>,
    /// The model groups whose accounts have something set aside for it.
    pub models: Vec<ModelsIx>,
    pub reservation: Reservation,
    pub came: accounts::Came,
    /// What of it is of a model group. The others have theirs back.
    pub of_models: Vec<(ModelsIx, accounts::Came)>,
}

/// What a phase came to, for the record and the books.
pub(super) struct Came {
    pub outcome: Outcome,
    /// If the body was read.
    pub asked: Option<AskedFor>,
    /// Limits that would have refused it, were they not audited only.
    pub audit: Audited,
    /// The limit or budget that had no room.
    pub refused_by: Option<RefusedBy>,
    /// The budget that had no more for a stream.
    pub overrun: Option<RefusedBy>,
    /// Where the client got another than Envoy says.
    pub status: Option<u64>,
    /// The label of whoever was asked, if anybody was.
    pub provider: Option<String>,
    pub sent: Option<Sent>,
    pub bill: Bill,
    pub settlement: Option<Settlement>,
    pub experience: Option<Experience>,
}

/// Of a request that was sent on.
pub(super) struct Sent {
    pub reserved: NanoUsd,
    /// Nanoseconds until the answer's first byte, and until its first output.
    pub first_byte: Option<u64>,
    pub first_output: Option<u64>,
    /// The label of the model that was asked last.
    pub model: Option<String>,
    /// The group that it is in.
    pub model_group: Option<Rc<str>>,
}

impl Came {
    pub(super) fn of(outcome: Outcome) -> Self {
        Self {
            outcome,
            asked: None,
            audit: Audited::default(),
            refused_by: None,
            overrun: None,
            status: None,
            provider: None,
            sent: None,
            bill: Bill::default(),
            settlement: None,
            experience: None,
        }
    }
}

pub struct Closed {
    pub settlement: Option<Settlement>,
    pub experience: Option<Experience>,
    pub record: Record,
}

impl Exchange {
    /// The stream is over, however it ended.
    pub fn close(self, policy: &Policy, ending: &Ending, now: UnixNanos) -> Closed {
        let pair = self.pair();
        let tenant = self.tenant.and_then(|ix| policy.tenant_policy(ix));
        let groups =
            tenant.map_or_else(Vec::new, |tenant| tenant.groups().map(|group| Rc::clone(&group.name)).collect());
        let Self { started, schema, mut labels, cut, request_id, phase, mut looked, mut tools, .. } = self;
        let answer = if let Phase::Open(open) = &phase { open.answer.as_ref() } else { None };
        let finish = answer.and_then(|answer| answer.meter.finish());
        let mut answered = None;
        if let Some(eyes) = answer.and_then(|answer| answer.eyes.as_ref()) {
            answered = eyes.likeness.as_ref().map(|likeness| likeness.answered(finish));
            if let Some(texts) = &eyes.texts {
                looked.get_or_insert_default().answer = texts.seen();
            }
            if let Some(calling) = &eyes.calling {
                tools.get_or_insert_default().add(calling.seen());
            }
        }
        let Came { outcome, asked, audit, refused_by, overrun, status, provider, sent, bill, settlement, experience } =
            match phase {
                Phase::Refused(refused) => {
                    let Refused { outcome, limit, asked, audit } = *refused;
                    Came { asked, audit, refused_by: limit, ..Came::of(outcome) }
                }
                Phase::Early { outcome, refused } => {
                    let provider = ending.cluster.as_deref().map(|cluster| policy.provider(Some(cluster)));
                    let label = provider.map(|provider| provider.map_or(OTHER, |provider| &provider.name).to_owned());
                    let account_refusals = label.clone().zip(refused).into_iter().collect();
                    let status = refused.map(|_| outcome.status().into());
                    let bill = Bill { account_refusals, ..Bill::default() };
                    Came { provider: label, status, bill, ..Came::of(outcome) }
                }
                Phase::Reading(_) | Phase::Deciding => Came::of(ending::unread(ending)),
                Phase::Open(open) => open.close(policy, ending, started, now),
            };
        let AskedFor { model: model_asked, chosen, split, instead, stream } = asked.unwrap_or_default();
        if let Some(provider) = provider {
            labels.provider = provider.into();
        }
        let admitted = sent.is_some();
        let (mut reserved, mut first_byte_ms, mut first_token_ms) = (NanoUsd::ZERO, None, None);
        let mut model_group = None;
        if let Some(Sent { reserved: held, first_byte, first_output, model, model_group: served }) = sent {
            model_group = served;
            reserved = held;
            first_byte_ms = first_byte.map(|nanos| nanos / 1_000_000);
            first_token_ms = first_output.map(|nanos| nanos / 1_000_000);
            labels.model = model.map_or(labels.model, Into::into);
        }
        let record = Record {
            labels,
            outcome,
            started,
            request_id,
            pair,
            groups,
            model_group,
            api: schema.name,
            model_asked,
            model_chosen: chosen.unwrap_or_default(),
            split,
            instead,
            stream,
            status: status.unwrap_or(ending.status),
            attempts: ending.attempts,
            bill,
            reserved,
            refused_by,
            audit,
            overrun,
            left_out: cut.left_out,
            content: looked,
            tools,
            answered,
            finish,
            duration_ms: now.since(started) / 1_000_000,
            first_byte_ms,
            first_token_ms,
            admitted,
        };
        Closed { settlement, experience, record }
    }
}

impl Open {
    /// What was reserved for a request that was never sent on is given back, with its places in the windows.
    fn given_back(self, outcome: Outcome) -> Came {
        let Self { tenant, models, reservation, asked, audit, .. } = self;
        let of_models = Vec::new();
        let settlement = Settlement { tenant, models, reservation, came: accounts::Came::NOTHING, of_models };
        Came { asked: Some(asked), audit, settlement: Some(settlement), ..Came::of(outcome) }
    }

    /// What the exchange came to: the last thing that happens to a reservation.
    pub(super) fn close(mut self, policy: &Policy, ending: &Ending, started: UnixNanos, now: UnixNanos) -> Came {
        if let Some((outcome, refused_by)) = self.withdrawn.take() {
            let status = Some(outcome.status().into());
            return Came { refused_by, status, ..self.given_back(outcome) };
        }
        if self.answer.is_none()
            && let Some(outcome) = ending.unsent()
        {
            return self.given_back(outcome);
        }
        let provider = policy.provider(ending.cluster.as_deref());
        let leg = offer::leg(&self.legs, policy, ending.cluster.as_deref());
        let served = leg.and_then(|leg| leg.models);
        let sent = Sent {
            reserved: self.reservation.cost,
            first_byte: self.answer.as_ref().and_then(|answer| answer.first_byte).map(|at| at.since(started)),
            first_output: self.answer.as_ref().and_then(|answer| answer.first_output).map(|at| at.since(started)),
            model: leg.map(|leg| leg.label.clone()),
            model_group: served.and_then(|ix| policy.model_groups.name(ix)).cloned(),
        };
        let provider_name = provider.map_or(OTHER, |provider| &provider.name).to_owned();
        let charged = provider.map_or(ReportedCost::Compare, |provider| provider.reported_cost);
        let tariff = leg.map(|leg| Rc::clone(&leg.tariff)).unwrap_or_default();
        let request = self.foreseen(leg);
        let overrun = self.answer.as_ref().and_then(Answer::overrun);
        let status = self.answer.as_ref().and_then(|answer| answer.instead);
        let sent_at = began(&self.reservation, ending, ending.attempts);
        let failed_attempts = self.failed(policy, ending, &request);
        let mut account_refusals = self.account_refusals(policy, ending);
        let Weighed { outcome, evidence, read, experience } = match self.answer {
            Some(Answer { refused: Some(status), .. }) => {
                account_refusals.push((provider_name.clone(), status));
                Weighed::without_answer(Outcome::ProviderUnavailable, Evidence::AccountRefused)
            }
            Some(answer) => answer.weighed(self.schema, ending, &self.input, &request, [sent_at, now]),
            None => Weighed::without_answer(unanswered(ending), ending.left_under_way(now.since(sent_at))),
        };
        let counted = evidence.counted(&request);
        let charge = counted.drawn(&request);
        let (usage, usage_source) = (charge.usage(), charge.source());
        let Read { model, served: said, provider_cost, usage_mismatch } = read;
        let may_have_read = evidence.may_have_read(&request);
        let cost = |tariff: &Tariff| tariff.cost_as(&usage, may_have_read, &said, &self.rates);
        let of_asked = cost(&tariff);
        let of_answered = leg.map_or(of_asked, |leg| {
            let named = provider.map(|provider| provider.name.as_str());
            policy.prices.of_answered(named, &leg.model, &model, now).map_or(of_asked, |price| cost(&price.tariff))
        });
        let ours = match provider.map_or(AnsweredModel::Compare, |provider| provider.answered_model) {
            AnsweredModel::Compare => of_asked,
            AnsweredModel::Charge => of_answered,
        };
        let believes = provider_cost.is_none_or(|theirs| is_near(theirs, ours));
        // Who doesn't tell the tokens of its pictures may tell what they cost.
        let cost = match (&counted, provider_cost, charged) {
            (Charge::Nothing, ..) => NanoUsd::ZERO,
            (Charge::Reported(_), Some(theirs), ReportedCost::Charge) if believes => theirs,
            _ => ours,
        };
        let usage_implausible =
            matches!(charge, Charge::Implausible(_)) || (charged == ReportedCost::Charge && !believes);
        // Providers round, too; and an estimate is no price to hold theirs against.
        let provider_cost_differs =
            usage_source == UsageSource::Reported && provider_cost.is_some_and(|theirs| theirs.0.abs_diff(ours.0) > 1);
        let bill = Bill {
            model,
            usage,
            usage_source,
            usage_mismatch,
            usage_implausible,
            usage_unreported: matches!(charge, Charge::Unreported(_)),
            service_tier: said.name(),
            cost,
            failed_attempts,
            account_refusals,
            provider_cost,
            provider_cost_differs,
            answered_model_differs: of_answered != of_asked && usage_source != UsageSource::None,
        };
        let of_models = if self.models.is_empty() { Vec::new() } else { of_models(policy, &self.legs, served, &bill) };
        let settlement = Settlement {
            tenant: self.tenant,
            models: self.models,
            reservation: self.reservation,
            came: accounts::Came { cost: bill.charged(), tokens: bill.tokens(), withdrawn: false },
            of_models,
        };
        Came {
            asked: Some(self.asked),
            audit: self.audit,
            provider: Some(provider_name),
            sent: Some(sent),
            bill,
            settlement: Some(settlement),
            experience,
            overrun,
            status,
            ..Came::of(outcome)
        }
    }

    /// What it could have come to, where this leg leads.
    pub(super) fn foreseen(&self, leg: Option<&Leg>) -> Foreseen {
        let request = Foreseen {
            most_output: self.most_output,
            items: self.items,
            choices: self.choices,
            stream: self.asked.stream,
            detached: self.detached,
            reports: self.schema.always_reports,
            late: self.schema.dialect == Dialect::Gemini,
            reads_on: self.schema.dialect == Dialect::Anthropic,
            ..Foreseen::default()
        };
        leg.map_or(request, |leg| request.at(leg, &self.input))
    }
}
