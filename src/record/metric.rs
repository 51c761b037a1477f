//! The stats, each with its form, its labels and what it is: what the manual's table says, in one place.

/// What Envoy keeps of a stat.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum StatKind {
    Counter,
    Gauge,
    Histogram,
}

macro_rules! metrics {
    ($($metric:ident: $kind:ident $name:literal [$($label:literal),*] $help:literal;)*) => {
        /// A stat of the gateway, without the values of its labels.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
        pub enum Metric {
            $(#[doc = $help] $metric,)*
        }

        impl Metric {
            pub const ALL: &[Self] = &[$(Self::$metric),*];

            /// Its form, its name, and its labels in the order in which their values are given.
            pub const fn spec(self) -> (StatKind, &'static str, &'static [&'static str]) {
                match self {
                    $(Self::$metric => (StatKind::$kind, $name, &[$($label),*]),)*
                }
            }

            /// For whoever reads it on a page.
            pub const fn help(self) -> &'static str {
                match self {
                    $(Self::$metric => $help,)*
                }
            }
        }
    };
}

metrics! {
    Requests: Counter "ai_gateway_requests_total" ["provider", "model", "role", "tenant", "status"]
        "Requests, by how they ended.";
    Tokens: Counter "ai_gateway_tokens_total" ["direction", "provider", "model", "tenant"]
        "Tokens of input and output.";
    TokensByKind: Counter "ai_gateway_tokens_by_kind_total" ["kind", "provider", "model"]
        "Parts of the tokens of input and output.";
    Cost: Counter "ai_gateway_cost_nanousd_total" ["provider", "model", "tenant"]
        "What was charged.";
    Answers: Counter "ai_gateway_answers_total" ["finish", "provider", "model"]
        "Successful answers, by why they ended.";
    PromptAnswers: Counter "ai_gateway_prompt_answers_total" ["prompt", "provider", "model"]
        "Successful answers, by the size of their prompt.";
    PromptDuration: Counter "ai_gateway_prompt_duration_ms_total" ["prompt", "provider", "model"]
        "What these took together, from the first header to the end.";
    PromptStreams: Counter "ai_gateway_prompt_streams_total" ["prompt", "provider", "model"]
        "Those of them that were streams with an output.";
    PromptFirstToken: Counter "ai_gateway_prompt_first_token_ms_total" ["prompt", "provider", "model"]
        "What these streams took together until their first output.";
    ToolArguments: Counter "ai_gateway_tool_arguments_total" ["kind", "provider", "model"]
        "Calls of tools whose arguments were held against a schema, by whether they are valid.";
    VariantRequests: Counter "ai_gateway_variant_requests_total" ["split", "variant", "status"]
        "Requests of names that are split among models, by whose variant they got.";
    VariantCost: Counter "ai_gateway_variant_cost_nanousd_total" ["split", "variant"]
        "What was charged for those requests, failed attempts included.";
    Instead: Counter "ai_gateway_instead_total" ["code", "kind", "model", "tenant"]
        "Requests that went to another model near the end of the money, by whose budget that was.";
    CanaryOut: Gauge "ai_gateway_canary_out_seconds" ["split", "variant"]
        "When a canary was last out of its split, in seconds since 1970.";
    Duration: Histogram "ai_gateway_request_duration_ms" ["provider", "model", "status"]
        "From the first header to the end of the answer.";
    TimeToFirstToken: Histogram "ai_gateway_time_to_first_token_ms" ["provider", "model"]
        "Of streams, until their first output.";
    TimePerOutputToken: Histogram "ai_gateway_time_per_output_token_us" ["provider", "model"]
        "Of streams, for each token behind the first.";
    StreamDuration: Histogram "ai_gateway_stream_duration_ms" ["provider", "model"]
        "Of streams, from their first output to their end.";
    ActiveConnections: Gauge "ai_gateway_active_connections" ["provider"]
        "Requests under way.";
    BreakerState: Gauge "ai_gateway_circuit_breaker_state" ["provider"]
        "1 while a provider's circuit breaker is open.";
    SpentToday: Gauge "ai_gateway_spent_today_nanousd" ["tenant"]
        "Spent since midnight, UTC.";
    SpentThisMonth: Gauge "ai_gateway_spent_this_month_nanousd" ["tenant"]
        "Spent since the first of the month, UTC.";
    Reserved: Gauge "ai_gateway_reserved_nanousd" ["tenant"]
        "Reserved for requests under way.";
    BudgetToday: Gauge "ai_gateway_budget_today_nanousd" ["tenant"]
        "What the day's budget is.";
    BudgetThisMonth: Gauge "ai_gateway_budget_this_month_nanousd" ["tenant"]
        "What the month's budget is.";
    OpeningToday: Counter "ai_gateway_opening_today_nanousd_total" ["tenant"]
        "Spent on the day before this Envoy began, and taken over.";
    OpeningThisMonth: Counter "ai_gateway_opening_this_month_nanousd_total" ["tenant"]
        "Spent in the month before this Envoy began, and taken over.";
    GroupSpentToday: Gauge "ai_gateway_group_spent_today_nanousd" ["group"]
        "Spent by a group's members since midnight, UTC.";
    GroupSpentThisMonth: Gauge "ai_gateway_group_spent_this_month_nanousd" ["group"]
        "Spent by a group's members since the first of the month, UTC.";
    GroupReserved: Gauge "ai_gateway_group_reserved_nanousd" ["group"]
        "Reserved for a group's requests under way.";
    GroupBudgetToday: Gauge "ai_gateway_group_budget_today_nanousd" ["group"]
        "What a group's budget of the day is.";
    GroupBudgetThisMonth: Gauge "ai_gateway_group_budget_this_month_nanousd" ["group"]
        "What a group's budget of the month is.";
    InFlight: Gauge "ai_gateway_in_flight" ["tenant"]
        "A tenant's requests in flight, where they are limited.";
    GroupInFlight: Gauge "ai_gateway_group_in_flight" ["group"]
        "A group's requests in flight, where they are limited.";
    Usage: Counter "ai_gateway_usage_total" ["source", "provider", "model"]
        "Answers, by where their usage comes from.";
    Spend: Counter "ai_gateway_spend_nanousd_total" ["source", "provider", "model"]
        "What was charged, by where the usage comes from.";
    Retries: Counter "ai_gateway_retries_total" ["provider", "model"]
        "Attempts beyond the first, by who answered in the end.";
    AccountRefusals: Counter "ai_gateway_provider_account_refusals_total" ["code", "provider"]
        "Attempts that a provider refused for the gateway's own account.";
    LimitRefusals: Counter "ai_gateway_limit_refusals_total" ["code", "tenant"]
        "Refused requests, by the limit or budget that had no room.";
    AuditRefusals: Counter "ai_gateway_audit_refusals_total" ["code", "tenant"]
        "What audited limits would have refused.";
    GroupRefusals: Counter "ai_gateway_group_refusals_total" ["code", "group"]
        "Refused requests, by the limit or budget of a group that had no room.";
    GroupAuditRefusals: Counter "ai_gateway_group_audit_refusals_total" ["code", "group"]
        "What audited limits of groups would have refused.";
    ModelGroupRefusals: Counter "ai_gateway_model_group_refusals_total" ["code", "group"]
        "Refused requests, by the limit or budget for a model group that had no room.";
    ModelGroupAuditRefusals: Counter "ai_gateway_model_group_audit_refusals_total" ["code", "group"]
        "What audited limits for model groups would have refused.";
    Overruns: Counter "ai_gateway_overruns_total" ["kind", "code", "tenant"]
        "Streams that passed what was reserved for them and found no more: ended, or passed in audit.";
    Dropped: Counter "ai_gateway_dropped_total" ["kind"]
        "What clients sent and no provider got, by its kind.";
    UnknownBetas: Counter "ai_gateway_unknown_betas_total" []
        "Beta flags that passed and that no table knows.";
    UnknownFields: Counter "ai_gateway_unknown_fields_total" []
        "Fields, tools and tiers of requests that passed without a price.";
    ContentTexts: Counter "ai_gateway_content_texts_total" ["direction", "tenant"]
        "Texts that rules have looked at.";
    ContentFound: Counter "ai_gateway_content_found_total" ["rule", "kind", "direction", "tenant"]
        "What rules about texts have found.";
    ContentRestored: Counter "ai_gateway_content_restored_total" ["tenant"]
        "Placeholders that became the client's own words again.";
    ContentUnscanned: Counter "ai_gateway_content_unscanned_total" ["kind", "direction", "tenant"]
        "What rules about texts could not look at, by its kind.";
    Tools: Counter "ai_gateway_tools_total" ["direction", "tenant"]
        "Tools that were offered, and calls of tools, where there are rules about them.";
    ToolsDenied: Counter "ai_gateway_tools_denied_total" ["code", "kind", "direction", "tenant"]
        "Tools, and calls of them, that rules don't let through, or would not.";
    Estimated: Counter "ai_gateway_estimate_tokens_total" ["direction", "model"]
        "What estimates would have said of reported answers.";
    EstimatedReported: Counter "ai_gateway_estimate_reported_tokens_total" ["direction", "model"]
        "What those answers reported.";
    EstimateError: Counter "ai_gateway_estimate_error_tokens_total" ["direction", "model"]
        "By how much the estimates were off.";
    UsageMismatch: Counter "ai_gateway_usage_mismatch_total" ["provider", "model"]
        "Answers whose counts don't add up to the provider's own total.";
    UsageImplausible: Counter "ai_gateway_usage_implausible_total" ["provider", "model"]
        "Answers that report more than their request could have come to.";
    UsageUnreported: Counter "ai_gateway_usage_unreported_total" ["provider", "model"]
        "Whole answers without a usage, of APIs that always report it.";
    ProviderCost: Counter "ai_gateway_provider_cost_nanousd_total" ["provider", "model"]
        "What providers say that they will bill.";
    ProviderCostDiffers: Counter "ai_gateway_provider_cost_differs_total" ["provider", "model"]
        "Answers whose provider says another price.";
    AnsweredModelDiffers: Counter "ai_gateway_answered_model_differs_total" ["provider", "model"]
        "Answers of another model than was asked, at another price.";
    CellRaces: Counter "ai_gateway_cell_races_total" []
        "Races for a tenant's cell that were lost and run again.";
    CellStarved: Counter "ai_gateway_cell_starved_total" []
        "Decisions that lost every race.";
    CellUnknownVersion: Counter "ai_gateway_cell_unknown_version_total" []
        "Cells that could not be read and began anew.";
    SettlementsLost: Counter "ai_gateway_settlements_lost_total" []
        "Settlements that were never written.";
    StatusPollsFailed: Counter "ai_gateway_status_polls_failed_total" []
        "Questions to Envoy's admin that it didn't answer.";
    SharedLimitsAway: Gauge "ai_gateway_shared_limits_away" []
        "1 while the rate limit service is away.";
    VmMemory: Gauge "ai_gateway_vm_memory_bytes" []
        "Linear memory of the largest VM.";
    FilterTime: Histogram "ai_gateway_filter_time_us" []
        "Of one request in 64, the time spent in the filter's callbacks.";
}

impl Metric {
    /// Whose requests they are shows in its labels.
    pub fn is_by_tenant(self) -> bool {
        let (_, _, labels) = self.spec();
        labels.contains(&"tenant")
    }
}

/// The label that a shadow's copies have in series without a tenant, behind all others.
pub const LEG: &str = "leg";

/// The most labels that one has.
pub const LABELS: usize = 5;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_metric_has_a_name_a_help_and_no_more_labels_than_there_is_room_for() {
        for (at, metric) in Metric::ALL.iter().enumerate() {
            let (_, name, labels) = metric.spec();
            let with_leg = labels.len() + usize::from(!metric.is_by_tenant());
            assert!(name.starts_with("ai_gateway_") && with_leg <= LABELS, "{name}");
            assert!(metric.help().ends_with('.'), "{name}: {}", metric.help());
            let again = |other: &Metric| other.spec().1 == name || other.help() == metric.help();
            assert!(!Metric::ALL.iter().skip(at + 1).any(again), "{name}");
        }
    }
}
