//! A limit or budget that had no room: whose it is, and the words in which its caller learns of it.

use std::rc::Rc;

use crate::calendar::Calendar;
use crate::limit::accounts::{Account, Holder, Whose};
use crate::limit::guard::{Counted, Kind};
use crate::limit::{Guard, Refusal};
use crate::units::NanoUsd;

/// The limit or budget that had no room, as the operator writes it, and whose it is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RefusedBy {
    pub guard: &'static str,
    /// `None`: the tenant's own.
    pub group: Option<String>,
    /// `None`: it is about all models.
    pub model_group: Option<String>,
}

impl RefusedBy {
    pub fn of(guard: Guard, refuser: Option<&Refuser>) -> Self {
        let name = |of: fn(&Refuser) -> Option<&Rc<str>>| refuser.and_then(of).map(|name| name.to_string());
        Self {
            guard: guard.name(),
            group: name(|refuser| refuser.group.as_ref()),
            model_group: name(|refuser| refuser.model_group.as_ref()),
        }
    }
}

/// Whose limit had no room, if it is not the tenant's own for all models: as its caller may know it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Refuser {
    pub group: Option<Rc<str>>,
    pub model_group: Option<Rc<str>>,
    pub shows_figures: bool,
}

impl Refuser {
    pub fn of_account(account: &Account<'_>) -> Option<Self> {
        let (group, model_group) = match account.whose {
            Whose::Tenant(_) => return None,
            Whose::Group(group) => (Some(group), None),
            Whose::Models { of: Holder::Tenant(_), models } => (None, Some(models)),
            Whose::Models { of: Holder::Group(group), models } => (Some(group), Some(models)),
        };
        let shows_figures = account.shows_figures;
        Some(Self { group: group.map(Rc::from), model_group: model_group.map(Rc::from), shows_figures })
    }

    fn of(&self) -> String {
        let models = self.model_group.as_ref().map_or_else(String::new, |name| format!(" of the model group `{name}`"));
        match &self.group {
            None => models,
            Some(group) if models.is_empty() => format!(" of the group `{group}`"),
            Some(group) => format!("{models} in the group `{group}`"),
        }
    }
}

/// What is said of a group whose figures its members don't see.
fn without_figures(refusal: &Refusal, refuser: &Refuser) -> String {
    let Refusal { guard, needed, .. } = *refusal;
    let (of, usd) = (refuser.of(), NanoUsd(needed));
    let wait =
        |says: &str| refusal.retry_seconds().map_or_else(String::new, |seconds| format!(" {says} in {seconds} s."));
    let spent = |period: &str| {
        let wait = wait("It resets");
        format!("The {period} budget{of} has no room for this request, which may cost up to ${usd}.{wait}")
    };
    match guard.kind() {
        Kind::Window(Counted::Tokens, span) if refusal.retry_ms.is_none() => format!(
            "This request may use up to {needed} tokens, more than the tokens per {}{of} that are allowed. Shorten it or lower its \
             output bound.",
            span.name()
        ),
        Kind::Window(counted, span) => {
            let what = match counted {
                Counted::Requests => "requests",
                Counted::Expensive => "expensive requests",
                Counted::Tokens => "tokens",
            };
            format!("Rate limit{of} reached: {what} per {}.{}", span.name(), wait("Try again"))
        }
        Kind::InFlight => format!("As many requests{of} are in flight as may be. Try again when one has ended."),
        Kind::Request => format!(
            "This request may cost up to ${usd}, more than a single request{of} may cost. Shorten it, lower its output bound or choose \
             a cheaper model."
        ),
        Kind::Budget(Calendar::Day) => spent("daily"),
        Kind::Budget(Calendar::Month) => spent("monthly"),
    }
}

pub(super) fn message(refusal: &Refusal, refuser: Option<&Refuser>) -> String {
    if let Some(refuser) = refuser.filter(|refuser| !refuser.shows_figures) {
        return without_figures(refusal, refuser);
    }
    let Refusal { limit, used, reserved, left, needed, .. } = *refusal;
    let of = refuser.map_or_else(String::new, Refuser::of);
    let usd = |value| format!("${}", NanoUsd(value));
    let wait = refusal.retry_seconds().map_or_else(String::new, |seconds| format!(" It resets in {seconds} s."));
    let spent = |period: &str| {
        format!(
            "The {period} budget{of} of {} has no room for this request: {} spent, {} reserved by requests under way, \
             {} left, and this request may cost up to {}.{wait}",
            usd(limit),
            usd(used),
            usd(reserved),
            usd(left),
            usd(needed)
        )
    };
    let rate = |what: &str| {
        let wait = refusal.retry_seconds().map_or_else(String::new, |seconds| format!(" Try again in {seconds} s."));
        format!("Rate limit{of} reached: {limit} {what}, {used} used, {left} left.{wait}")
    };
    match refusal.guard.kind() {
        _ if refusal.in_flight => format!(
            "Requests under way hold {} of the budget of {}, all that they may. Try again when one has ended.",
            usd(reserved),
            usd(limit)
        ),
        Kind::Window(Counted::Requests, span) => rate(&format!("requests per {}", span.name())),
        Kind::Window(Counted::Expensive, span) => rate(&format!("expensive requests per {}", span.name())),
        Kind::Window(Counted::Tokens, span) if refusal.retry_ms.is_none() => format!(
            "This request may use up to {needed} tokens, more than the {limit} tokens per {}{of} that are allowed. \
             Shorten it or lower its output bound.",
            span.name()
        ),
        Kind::Window(Counted::Tokens, span) => {
            format!("{} This request may use up to {needed}.", rate(&format!("tokens per {}", span.name())))
        }
        Kind::InFlight => {
            format!("{used} requests{of} are in flight, and {limit} may be at once. Try again when one has ended.")
        }
        Kind::Request => format!(
            "This request may cost up to {}, more than the {} a single request{of} may cost. Shorten it, lower its \
             output bound or choose a cheaper model.",
            usd(needed),
            usd(limit)
        ),
        Kind::Budget(Calendar::Day) => spent("daily"),
        Kind::Budget(Calendar::Month) => spent("monthly"),
    }
}

/// The same of an answer that has begun.
pub(super) fn exhausted(refusal: &Refusal, refuser: Option<&Refuser>) -> String {
    let Refusal { guard, limit, needed, left, .. } = *refusal;
    let [limit, needed, left] = [limit, needed, left].map(NanoUsd);
    let what = match guard.kind() {
        Kind::Budget(Calendar::Day) => "the daily budget",
        Kind::Budget(Calendar::Month) => "the monthly budget",
        Kind::Request | Kind::Window(..) | Kind::InFlight => "what a single request may cost",
    };
    let whose = refuser.map_or_else(String::new, Refuser::of);
    let left = if refuser.is_none_or(|refuser| refuser.shows_figures) {
        format!("{what}{whose}, ${limit}, has ${left} left for it")
    } else {
        format!("{what}{whose} has not that much left for it")
    };
    let wait = refusal.retry_seconds().map_or_else(String::new, |seconds| format!(" It resets in {seconds} s."));
    format!(
        "The answer was ended here: it went on beyond its bound and costs ${needed} by now, more than was reserved for it, and \
         {left}.{wait} What was sent is charged."
    )
}
