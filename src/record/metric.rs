//! The stats, each with its form and its labels: what the manual's table says, in one place.

use StatKind::{Counter, Gauge, Histogram};

/// What Envoy keeps of a stat.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum StatKind {
    Counter,
    Gauge,
    Histogram,
}

/// A stat of the gateway, without the values of its labels.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Metric {
    Requests,
    Tokens,
    TokensByKind,
    Cost,
    Duration,
    TimeToFirstToken,
    TimePerOutputToken,
    StreamDuration,
    ActiveConnections,
    BreakerState,
    SpentToday,
    SpentThisMonth,
    Reserved,
    BudgetToday,
    BudgetThisMonth,
    Usage,
    Spend,
    Retries,
    AccountRefusals,
    LimitRefusals,
    AuditRefusals,
    Dropped,
    UnknownBetas,
    UnknownFields,
    Estimated,
    EstimatedReported,
    EstimateError,
    UsageMismatch,
    UsageImplausible,
    UsageUnreported,
    ProviderCost,
    ProviderCostDiffers,
    AnsweredModelDiffers,
    CellRaces,
    CellStarved,
    CellUnknownVersion,
    SettlementsLost,
    StatusPollsFailed,
    SharedLimitsAway,
    VmMemory,
    FilterTime,
}

/// The most labels that one has.
pub const LABELS: usize = 5;

impl Metric {
    /// Its form, its name, and its labels in the order in which their values are given.
    pub const fn spec(self) -> (StatKind, &'static str, &'static [&'static str]) {
        match self {
            Self::Requests => {
                (Counter, "ai_gateway_requests_total", &["provider", "model", "role", "tenant", "status"])
            }
            Self::Tokens => (Counter, "ai_gateway_tokens_total", &["direction", "provider", "model", "tenant"]),
            Self::TokensByKind => (Counter, "ai_gateway_tokens_by_kind_total", &["kind", "provider", "model"]),
            Self::Cost => (Counter, "ai_gateway_cost_nanousd_total", &["provider", "model", "tenant"]),
            Self::Duration => (Histogram, "ai_gateway_request_duration_ms", &["provider", "model", "status"]),
            Self::TimeToFirstToken => (Histogram, "ai_gateway_time_to_first_token_ms", PROVIDER_MODEL),
            Self::TimePerOutputToken => (Histogram, "ai_gateway_time_per_output_token_us", PROVIDER_MODEL),
            Self::StreamDuration => (Histogram, "ai_gateway_stream_duration_ms", PROVIDER_MODEL),
            Self::ActiveConnections => (Gauge, "ai_gateway_active_connections", &["provider"]),
            Self::BreakerState => (Gauge, "ai_gateway_circuit_breaker_state", &["provider"]),
            Self::SpentToday => (Gauge, "ai_gateway_spent_today_nanousd", &["tenant"]),
            Self::SpentThisMonth => (Gauge, "ai_gateway_spent_this_month_nanousd", &["tenant"]),
            Self::Reserved => (Gauge, "ai_gateway_reserved_nanousd", &["tenant"]),
            Self::BudgetToday => (Gauge, "ai_gateway_budget_today_nanousd", &["tenant"]),
            Self::BudgetThisMonth => (Gauge, "ai_gateway_budget_this_month_nanousd", &["tenant"]),
            Self::Usage => (Counter, "ai_gateway_usage_total", &["source", "provider", "model"]),
            Self::Spend => (Counter, "ai_gateway_spend_nanousd_total", &["source", "provider", "model"]),
            Self::Retries => (Counter, "ai_gateway_retries_total", PROVIDER_MODEL),
            Self::AccountRefusals => (Counter, "ai_gateway_provider_account_refusals_total", &["code", "provider"]),
            Self::LimitRefusals => (Counter, "ai_gateway_limit_refusals_total", &["code", "tenant"]),
            Self::AuditRefusals => (Counter, "ai_gateway_audit_refusals_total", &["code", "tenant"]),
            Self::Dropped => (Counter, "ai_gateway_dropped_total", &["kind"]),
            Self::UnknownBetas => (Counter, "ai_gateway_unknown_betas_total", &[]),
            Self::UnknownFields => (Counter, "ai_gateway_unknown_fields_total", &[]),
            Self::Estimated => (Counter, "ai_gateway_estimate_tokens_total", DIRECTION_MODEL),
            Self::EstimatedReported => (Counter, "ai_gateway_estimate_reported_tokens_total", DIRECTION_MODEL),
            Self::EstimateError => (Counter, "ai_gateway_estimate_error_tokens_total", DIRECTION_MODEL),
            Self::UsageMismatch => (Counter, "ai_gateway_usage_mismatch_total", PROVIDER_MODEL),
            Self::UsageImplausible => (Counter, "ai_gateway_usage_implausible_total", PROVIDER_MODEL),
            Self::UsageUnreported => (Counter, "ai_gateway_usage_unreported_total", PROVIDER_MODEL),
            Self::ProviderCost => (Counter, "ai_gateway_provider_cost_nanousd_total", PROVIDER_MODEL),
            Self::ProviderCostDiffers => (Counter, "ai_gateway_provider_cost_differs_total", PROVIDER_MODEL),
            Self::AnsweredModelDiffers => (Counter, "ai_gateway_answered_model_differs_total", PROVIDER_MODEL),
            Self::CellRaces => (Counter, "ai_gateway_cell_races_total", &[]),
            Self::CellStarved => (Counter, "ai_gateway_cell_starved_total", &[]),
            Self::CellUnknownVersion => (Counter, "ai_gateway_cell_unknown_version_total", &[]),
            Self::SettlementsLost => (Counter, "ai_gateway_settlements_lost_total", &[]),
            Self::StatusPollsFailed => (Counter, "ai_gateway_status_polls_failed_total", &[]),
            Self::SharedLimitsAway => (Gauge, "ai_gateway_shared_limits_away", &[]),
            Self::VmMemory => (Gauge, "ai_gateway_vm_memory_bytes", &[]),
            Self::FilterTime => (Histogram, "ai_gateway_filter_time_us", &[]),
        }
    }
}

const PROVIDER_MODEL: &[&str] = &["provider", "model"];
const DIRECTION_MODEL: &[&str] = &["direction", "model"];
