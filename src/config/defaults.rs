//! What holds where nothing is written: all default figures of the configuration.

use super::{
    Budget, Budgets, Config, Content, Expensive, Forward, HeaderName, HiddenInput, InRange, LeastRequests, Limit,
    Limits, Metrics, Named, OnContention, Output, Percent, Tier, Tools, UnknownTenants, Unpriced, UnpricedPolicy,
};
use crate::kept::StoredResponses;
use crate::llm::stance::Stances;
use crate::route::Sensitivity;
use crate::units::NanoUsd;

/// What every tier starts from.
pub const LIMITS: Limits = Limits {
    requests_per_minute: Some(Limit(60)),
    requests_per_hour: Some(Limit(1_000)),
    requests_per_day: Some(Limit(10_000)),
    tokens_per_minute: None,
    expensive_per_minute: Some(Limit(10)),
    in_flight: None,
};

/// A turn of a coding agent has a context of up to 200,000 tokens, all of it written into a cache for an hour, and a bound of 32,000
/// or 64,000, of a model for $5 and $25; its assistants ask at the same time, and each of their requests is a dear one.
const AGENT: Limits = Limits {
    requests_per_minute: Some(Limit(120)),
    requests_per_hour: Some(Limit(3_000)),
    requests_per_day: Some(Limit(20_000)),
    tokens_per_minute: None,
    expensive_per_minute: Some(Limit(60)),
    in_flight: None,
};

const NO_LIMITS: Limits = Limits {
    requests_per_minute: None,
    requests_per_hour: None,
    requests_per_day: None,
    tokens_per_minute: None,
    expensive_per_minute: None,
    in_flight: None,
};

const OUTPUT: Output = Output { default_max_tokens: InRange::of::<4_096>(), min_tokens: InRange::of::<16>() };
const HIDDEN_INPUT: HiddenInput = HiddenInput { default_context_tokens: InRange::of::<1_000_000>(), most_tokens: None };

/// All of it.
pub const fn in_flight_percent() -> Percent {
    InRange::of::<100>()
}

/// Of ten requests, one that fails says nothing of the others.
pub const fn least_requests() -> LeastRequests {
    InRange::of::<50>()
}

/// The last fifth.
pub const fn from_percent() -> Percent {
    InRange::of::<80>()
}

/// The tiers that need not be written: of each its name, what a request and a day may cost in nano-USD, and its limits.
const TIERS: [(&str, u64, u64, Limits); 4] = [
    ("low", 2_000_000, 100_000_000, NO_LIMITS),
    ("standard", 10_000_000, 1_000_000_000, NO_LIMITS),
    ("premium", 50_000_000, 10_000_000_000, NO_LIMITS),
    ("agent", 6_000_000_000, 50_000_000_000, AGENT),
];

pub fn tiers() -> Named<Tier> {
    let tier = |(name, request, day, limits): (&str, u64, u64, Limits)| {
        let budget = |nano_usd| Some(Budget(NanoUsd(nano_usd)));
        let budgets = Budgets { request_usd: budget(request), day_usd: budget(day), month_usd: None };
        (name.into(), Tier { budgets, limits, ..Tier::default() })
    };
    TIERS.into_iter().map(tier).collect()
}

impl Default for Config {
    fn default() -> Self {
        let Stances { unknown_fields, unknown_tools, unpriced_levers } = Stances::default();
        Self {
            tenant_header: HeaderName("x-tenant-id".to_owned()),
            unknown_tenants: UnknownTenants::Refuse,
            role_header: HeaderName("x-ai-role".to_owned()),
            roles: Vec::new(),
            sensitivity_header: HeaderName("x-ai-sensitivity".to_owned()),
            default_sensitivity: Sensitivity::Internal,
            providers: Named::default(),
            models: Vec::new(),
            virtual_models: Named::default(),
            user_header: HeaderName("x-ai-user".to_owned()),
            session_header: HeaderName("x-ai-session".to_owned()),
            role_models: Named::default(),
            paths: Vec::new(),
            forward: Forward::default(),
            prices: Vec::new(),
            unpriced: Unpriced { policy: UnpricedPolicy::Deny, model: None },
            aliases: Named::default(),
            tiers: Named::default(),
            groups: Named::default(),
            model_groups: Named::default(),
            opening: None,
            tenants: Named::default(),
            limits: LIMITS,
            expensive: Expensive::default(),
            output: OUTPUT,
            hidden_input: HIDDEN_INPUT,
            hold_headers: true,
            max_request_bytes: InRange::of::<4_194_304>(),
            max_waiting_bodies: InRange::of::<256>(),
            max_waiting_bytes: InRange::of::<33_554_432>(),
            max_refused_bytes: InRange::of::<33_554_432>(),
            stored_responses: StoredResponses::Own,
            unknown_fields,
            unknown_tools,
            unpriced_levers,
            content: Content::default(),
            tools: Tools::default(),
            reservation_lease_seconds: InRange::of::<900>(),
            on_contention: OnContention::Deny,
            status: None,
            metrics: Metrics::default(),
            shadows: Named::default(),
            mirror: None,
            replicas: None,
        }
    }
}

impl Default for HiddenInput {
    fn default() -> Self {
        HIDDEN_INPUT
    }
}

impl Default for Output {
    fn default() -> Self {
        OUTPUT
    }
}
