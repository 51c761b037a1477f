//! The one line an exchange leaves behind: what the stats count, the access log shows and finance reads.
//! Never a prompt, an answer or a key.

pub mod answered;
pub mod content;
pub mod metric;
pub mod performance;
pub mod series;
pub mod tools;

use crate::calendar::rfc3339;
use crate::forward::LeftOut;
use crate::json::object::{Object, name, quoted};
use crate::limit::{Audited, AuditedBeside};
use crate::llm::meter::Finish;
use crate::llm::usage::{Usage, UsageSource};
use crate::outcome::{Outcome, RefusedBy};
use crate::units::{NanoUsd, Tokens, UnixNanos};
use std::borrow::Cow;
use std::rc::Rc;

/// A label's value: of the configuration, or one of a few words of the gateway's own.
pub type Label = Cow<'static, str>;

/// Values for labels: from the configuration only, so that no client can add a series.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Labels {
    pub tenant: Label,
    pub role: Label,
    /// The price's name, or `other`.
    pub model: Label,
    /// The provider's name, `other`, or `none` where nothing was sent on.
    pub provider: Label,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Record {
    pub labels: Labels,
    pub outcome: Outcome,
    /// When its first header came.
    pub started: UnixNanos,
    pub request_id: String,
    /// If there is a copy of it, or it is one; both have one id.
    pub pair: Option<Pair>,
    /// The groups above its tenant, the nearest first.
    pub groups: Vec<Rc<str>>,
    /// That of the model that served it, or was asked last, if it is in one.
    pub model_group: Option<Rc<str>>,
    /// The API that was called.
    pub api: &'static str,
    pub model_asked: String,
    /// What that was taken for: an alias's or a role's model, or the cheapest of several.
    pub model_chosen: String,
    /// The name that is split among variants, of which that is one.
    pub split: Option<Rc<str>>,
    /// Why that was in another's place, if it was.
    pub instead: Option<Box<Instead>>,
    pub stream: bool,
    pub status: u64,
    pub attempts: u64,
    pub bill: Bill,
    pub reserved: NanoUsd,
    /// The limit or budget that had no room.
    pub refused_by: Option<RefusedBy>,
    pub audit: Audited,
    /// The budget that had no more for a stream that passed what was reserved for it. The outcome says whether it was ended.
    pub overrun: Option<RefusedBy>,
    /// What of its head did not go on, and what went on unknown.
    pub left_out: LeftOut,
    /// What rules about texts have seen, where there are any.
    pub content: Option<Box<content::Looked>>,
    /// What rules about tools have seen, where there are any.
    pub tools: Option<Box<tools::Seen>>,
    /// What is compared of the answers of a pair.
    pub answered: Option<answered::Answered>,
    /// Why the answer ended, if it said so. Not in the line: it is counted.
    pub finish: Option<Finish>,
    pub duration_ms: u64,
    /// Until the answer's first body byte reached the filter.
    pub first_byte_ms: Option<u64>,
    /// Until its first output did: a comment, a ping or a role is none.
    pub first_token_ms: Option<u64>,
    /// Whether the request was sent on (and so holds a gauge and a reservation).
    pub admitted: bool,
}

/// The money for the model that would have served was near its end.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Instead {
    /// That model.
    pub of: String,
    /// The tightest budget.
    pub by: RefusedBy,
}

/// A request and its copy for a shadow.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Pair {
    pub shadow: Rc<str>,
    pub leg: Leg,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Leg {
    Original,
    Shadow,
}

/// What was used, and what it cost. Nothing, where no request was sent on.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Bill {
    /// As the answer names it.
    pub model: String,
    pub usage: Usage,
    pub usage_source: UsageSource,
    /// The provider's counts don't add up to its own total.
    pub usage_mismatch: bool,
    /// More was reported than the request could have come to, or a cost far from ours: what was charged stands in its place.
    pub usage_implausible: bool,
    /// An API that always reports its usage didn't, on a whole answer.
    pub usage_unreported: bool,
    /// Of what was served, if the answer said so.
    pub service_tier: Option<String>,
    /// Of the answer.
    pub cost: NanoUsd,
    /// Attempts before it that cost something.
    pub failed_attempts: Vec<FailedAttempt>,
    /// Providers that refused the gateway's own account, each by its status. Not in the line: they are counted.
    pub account_refusals: Vec<(String, u64)>,
    /// What the provider says it will bill.
    pub provider_cost: Option<NanoUsd>,
    /// By more than a rounding from what the prices here say.
    pub provider_cost_differs: bool,
    /// It named another model than was asked, and that one's price comes to another cost.
    pub answered_model_differs: bool,
}

/// An attempt that failed or was given up, and that its provider billed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FailedAttempt {
    pub provider: String,
    /// The `model` label of its price.
    pub model: String,
    /// That which the model is in.
    pub model_group: Option<Rc<str>>,
    pub usage: Usage,
    /// Estimated, where it was given up.
    pub source: UsageSource,
    pub cost: NanoUsd,
}

/// The layout's version: a field may be added within one, never renamed or removed.
const VERSION: u64 = 1;
/// What most lines fit into without growing.
const TYPICAL_BYTES: usize = 1_024;

impl FailedAttempt {
    fn write(&self, out: &mut String) {
        let mut line = Object::begin(out);
        line.text(name!("provider"), &self.provider);
        line.text(name!("model"), &self.model);
        line.text_if_any(name!("model_group"), self.model_group.as_deref());
        line.number(name!("input_tokens"), self.usage.input_tokens.0);
        line.number(name!("output_tokens"), self.usage.output_tokens.0);
        line.text(name!("usage_source"), self.source.name());
        line.number(name!("cost_nanousd"), self.cost.0);
        line.end();
    }
}

impl Bill {
    /// What the tenant is charged: the answer, and what failed before it.
    pub fn charged(&self) -> NanoUsd {
        self.failed_attempts.iter().fold(self.cost, |sum, failed| sum.plus(failed.cost))
    }

    /// Its tokens, those of failed attempts included.
    pub fn tokens(&self) -> Tokens {
        let tokens = |sum: Tokens, failed: &FailedAttempt| sum.plus(failed.usage.total_tokens);
        self.failed_attempts.iter().fold(self.usage.total_tokens, tokens)
    }
}

impl Record {
    pub fn usage_is_reported(&self) -> bool {
        self.bill.usage_source == UsageSource::Reported
    }

    /// One line of JSON, without the line's end.
    pub fn to_json(&self) -> String {
        let mut out = String::with_capacity(TYPICAL_BYTES);
        let mut line = Object::begin(&mut out);
        line.number(name!("v"), VERSION);
        line.text(name!("time"), &rfc3339(self.started));
        line.text(name!("request_id"), &self.request_id);
        match &self.pair {
            None => {}
            Some(Pair { shadow, leg: Leg::Original }) => line.text(name!("shadowed"), shadow),
            Some(Pair { shadow, leg: Leg::Shadow }) => {
                line.text(name!("leg"), "shadow");
                line.text(name!("shadow"), shadow);
            }
        }
        line.text(name!("api"), self.api);
        line.text(name!("tenant"), &self.labels.tenant);
        if !self.groups.is_empty() {
            line.list(name!("groups"), self.groups.iter(), |out, group| quoted(out, group));
        }
        line.text(name!("role"), &self.labels.role);
        line.text(name!("provider"), &self.labels.provider);
        line.text(name!("model"), &self.labels.model);
        line.text(name!("model_asked"), &self.model_asked);
        line.text(name!("model_chosen"), &self.model_chosen);
        if let Some(split) = &self.split {
            line.text(name!("split"), split);
            line.text(name!("variant"), &self.model_chosen);
        }
        if let Some(Instead { of, by: RefusedBy { guard, group, model_group } }) = self.instead.as_deref() {
            line.text(name!("instead_of"), of);
            line.text(name!("instead_by"), guard);
            line.text_if_any(name!("instead_group"), group.as_deref());
            line.text_if_any(name!("instead_model_group"), model_group.as_deref());
        }
        line.text_if_any(name!("model_group"), self.model_group.as_deref());
        line.text(name!("model_answered"), &self.bill.model);
        line.flag(name!("stream"), self.stream);
        line.text(name!("outcome"), self.outcome.code());
        line.number(name!("status"), self.status);
        line.number(name!("attempts"), self.attempts);
        self.bill.usage.each_recorded(|name, count| line.number(name, count));
        line.text(name!("usage_source"), self.bill.usage_source.name());
        line.flag(name!("usage_mismatch"), self.bill.usage_mismatch);
        for (name, flag) in [
            (name!("usage_implausible"), self.bill.usage_implausible),
            (name!("usage_unreported"), self.bill.usage_unreported),
        ] {
            if flag {
                line.flag(name, true);
            }
        }
        line.maybe_text(name!("service_tier"), self.bill.service_tier.as_deref());
        line.number(name!("cost_nanousd"), self.bill.charged().0);
        if !self.bill.failed_attempts.is_empty() {
            line.list(name!("failed_attempts"), self.bill.failed_attempts.iter(), |out, failed| failed.write(out));
        }
        line.maybe_number(name!("provider_cost_nanousd"), self.bill.provider_cost.map(|cost| cost.0));
        line.number(name!("reserved_nanousd"), self.reserved.0);
        line.maybe_text(name!("refused_by"), self.refused_by.as_ref().map(|by| by.guard));
        if let Some(RefusedBy { group, model_group, .. }) = &self.refused_by {
            line.text_if_any(name!("refused_group"), group.as_deref());
            line.text_if_any(name!("refused_model_group"), model_group.as_deref());
        }
        line.list(name!("audit"), self.audit.own.iter(), |out, guard| quoted(out, guard.name()));
        if !self.audit.beside.is_empty() {
            line.list(
                name!("group_audit"),
                self.audit.beside.iter(),
                |out, AuditedBeside { group, model_group, guard }| {
                    let mut line = Object::begin(out);
                    line.text_if_any(name!("group"), group.as_deref());
                    line.text_if_any(name!("model_group"), model_group.as_deref());
                    line.text(name!("limit"), guard.name());
                    line.end();
                },
            );
        }
        if let Some(RefusedBy { guard, group, model_group }) = &self.overrun {
            line.text(name!("overrun"), guard);
            line.text_if_any(name!("overrun_group"), group.as_deref());
            line.text_if_any(name!("overrun_model_group"), model_group.as_deref());
        }
        let LeftOut { dropped_names, unknown_betas, unknown_fields, .. } = &self.left_out;
        for (name, texts) in [
            (name!("dropped"), dropped_names),
            (name!("unknown_betas"), unknown_betas),
            (name!("unknown_fields"), unknown_fields),
        ] {
            if !texts.is_empty() {
                line.list(name, texts.iter(), |out, text| quoted(out, text));
            }
        }
        if let Some(looked) = &self.content {
            line.object(name!("content"), |out| looked.write(out));
        }
        if let Some(seen) = &self.tools {
            line.object(name!("tools"), |out| seen.write(out));
        }
        if let Some(answered) = &self.answered {
            line.object(name!("answer"), |out| answered.write(out));
        }
        line.number(name!("duration_ms"), self.duration_ms);
        line.maybe_number(name!("first_byte_ms"), self.first_byte_ms);
        if let Some(first) = self.first_token_ms.filter(|first| Some(*first) != self.first_byte_ms) {
            line.number(name!("first_token_ms"), first);
        }
        line.end();
        out
    }
}
