//! The limits and budgets that a tenant can have, a row each: what is counted, over which time, and what an operator calls it.
//!
//! A new one is a row here and a key of the configuration. Its place in the cell, its refusal's outcome and words, its share of
//! several Envoys and how long to wait for it follow from its row.

use super::window::Span;
use crate::calendar::Calendar;
use serde::Deserialize;
use std::rc::Rc;

/// What a guard bounds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// How many come in any interval of that length.
    Window(Counted, Span),
    /// How many are in flight at once.
    InFlight,
    /// What one request may cost.
    Request,
    /// What the requests of a day, or of a month, may cost together.
    Budget(Calendar),
}

/// What a window counts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Counted {
    Requests,
    Expensive,
    Tokens,
}

macro_rules! guards {
    (windows: [$($window:ident $window_name:literal $counted:ident $span:ident,)*] others: [$($other:ident $other_name:literal $kind:expr,)*]) => {
        /// A limit or budget a tenant can have. The name is what the operator writes under `audit` and `unlimited`.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Deserialize)]
        #[serde(rename_all = "snake_case")]
        #[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
        pub enum Guard {
            $($window,)*
            $($other,)*
        }

        impl Guard {
            /// In the order they are checked: the cheapest fact for a client to act on is named first.
            pub const ALL: [Self; GUARDS] = [$(Self::$window,)* $(Self::$other,)*];

            pub const fn name(self) -> &'static str {
                match self {
                    $(Self::$window => $window_name,)*
                    $(Self::$other => $other_name,)*
                }
            }

            pub const fn kind(self) -> Kind {
                match self {
                    $(Self::$window => Kind::Window(Counted::$counted, Span::$span),)*
                    $(Self::$other => $kind,)*
                }
            }
        }

        /// The windows, in the order in which a cell holds them.
        pub const WINDOWS: [(Guard, Counted, Span); 0 $(+ { let _ = $window_name; 1 })*] =
            [$((Guard::$window, Counted::$counted, Span::$span),)*];
    };
}

// A cell that is stored has its windows in this order: a new one comes last, and begins empty in the cells that there are.
guards! {
    windows: [
        RequestsPerMinute "requests_per_minute" Requests Minute,
        RequestsPerHour "requests_per_hour" Requests Hour,
        RequestsPerDay "requests_per_day" Requests Day,
        ExpensivePerMinute "expensive_per_minute" Expensive Minute,
        TokensPerMinute "tokens_per_minute" Tokens Minute,
    ]
    others: [
        InFlight "in_flight" Kind::InFlight,
        RequestUsd "request_usd" Kind::Request,
        DayUsd "day_usd" Kind::Budget(Calendar::Day),
        MonthUsd "month_usd" Kind::Budget(Calendar::Month),
    ]
}

/// How many there are.
const GUARDS: usize = Guard::MonthUsd as usize + 1;

impl Guard {
    /// Its place among all; a window's is that of its counts in a cell, too.
    pub(super) const fn index(self) -> usize {
        self as usize
    }

    pub const fn is_money(self) -> bool {
        matches!(self.kind(), Kind::Request | Kind::Budget(_))
    }
}

/// How much a guard allows, in requests, tokens or nano-USD; `None` is no limit. In audit it refuses nothing.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Rule {
    pub limit: Option<u64>,
    pub audit: bool,
}

/// One rule for every guard.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Rules([Rule; GUARDS]);

impl Rules {
    pub fn get(&self, guard: Guard) -> Rule {
        self.0.get(guard.index()).copied().unwrap_or_default()
    }

    pub fn set(&mut self, guard: Guard, rule: Rule) {
        if let Some(slot) = self.0.get_mut(guard.index()) {
            *slot = rule;
        }
    }

    /// The limit that really refuses: none where there is no limit or it is only audited.
    pub fn enforced(&self, guard: Guard) -> Option<u64> {
        let rule = self.get(guard);
        rule.limit.filter(|_| !rule.audit)
    }
}

/// A set of guards, for those an audit would have refused by.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Guards([bool; GUARDS]);

impl Guards {
    pub fn insert(&mut self, guard: Guard) {
        if let Some(slot) = self.0.get_mut(guard.index()) {
            *slot = true;
        }
    }

    pub fn iter(self) -> impl Iterator<Item = Guard> {
        Guard::ALL.into_iter().zip(self.0).filter(|(_, is_in)| *is_in).map(|(guard, _)| guard)
    }
}

/// What audited guards would have refused, by whose they are.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Audited {
    /// The tenant's.
    pub own: Guards,
    /// Of the accounts beside it.
    pub beside: Vec<AuditedBeside>,
}

/// What an audited guard of another account than the tenant's own would have refused.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AuditedBeside {
    /// The group whose it is; `None`: the tenant.
    pub group: Option<Rc<str>>,
    /// The model group that it is about; `None`: all models.
    pub model_group: Option<Rc<str>>,
    pub guard: Guard,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_guard_is_found_by_its_place_and_named_once() {
        for (place, guard) in Guard::ALL.into_iter().enumerate() {
            assert_eq!(guard.index(), place);
            let read: Guard = serde_json::from_value(guard.name().into()).unwrap();
            assert_eq!(read, guard);
        }
    }

    #[test]
    fn windows_come_first_and_in_the_cells_order() {
        for ((guard, counted, span), place) in WINDOWS.into_iter().zip(0..) {
            assert_eq!((guard.index(), guard.kind()), (place, Kind::Window(counted, span)));
        }
        assert!(Guard::ALL.into_iter().skip(WINDOWS.len()).all(|guard| guard.is_money() != (guard == Guard::InFlight)));
    }
}
