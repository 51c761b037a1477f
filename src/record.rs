//! The one line an exchange leaves behind: what the stats count, the access log shows and finance reads.
//! Never a prompt, an answer or a key.

use crate::limit::Guards;
use crate::limit::budget::rfc3339;
use crate::llm::usage::{Usage, UsageSource};
use crate::outcome::Outcome;
use crate::units::{NanoUsd, UnixNanos};
use serde::Serialize;

/// Values for labels: from the configuration only, so that no client can add a series.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Labels {
    pub tenant: String,
    pub role: String,
    /// The price's name, or `other`.
    pub model: String,
    /// The provider's name, `other`, or `none` where nothing was sent on.
    pub provider: String,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Record {
    pub labels: Labels,
    pub outcome: Outcome,
    /// When its first header came.
    pub started: UnixNanos,
    pub request_id: String,
    /// The API that was called.
    pub api: &'static str,
    pub model_asked: String,
    /// What that was taken for: an alias's or a role's model, or the cheapest of several.
    pub model_chosen: String,
    pub model_answered: String,
    pub stream: bool,
    pub status: u64,
    pub attempts: u64,
    pub usage: Usage,
    pub usage_source: UsageSource,
    /// The provider's counts don't add up to its own total.
    pub usage_mismatch: bool,
    /// Of what was served, if the answer said so.
    pub service_tier: Option<String>,
    /// Of the answer.
    pub cost: NanoUsd,
    /// Attempts before it that cost something.
    pub failed_attempts: Vec<FailedAttempt>,
    /// What the provider says it will bill.
    pub provider_cost: Option<NanoUsd>,
    /// By more than a rounding from what the prices here say.
    pub provider_cost_differs: bool,
    pub reserved: NanoUsd,
    /// The limit or budget that had no room.
    pub refused_by: Option<&'static str>,
    pub audit: Guards,
    pub duration_ms: u64,
    /// Until the answer's first body byte reached the filter.
    pub first_byte_ms: Option<u64>,
    /// Whether the request was sent on (and so holds a gauge and a reservation).
    pub admitted: bool,
}

/// An attempt that failed, and that its provider billed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FailedAttempt {
    pub provider: String,
    /// The `model` label of its price.
    pub model: String,
    pub usage: Usage,
    pub cost: NanoUsd,
}

#[derive(Serialize)]
struct FailedLine<'a> {
    provider: &'a str,
    model: &'a str,
    input_tokens: u64,
    output_tokens: u64,
    cost_nanousd: u64,
}

/// The layout's version: a field may be added within one, never renamed or removed.
const VERSION: u8 = 1;

#[derive(Serialize)]
struct Line<'a> {
    v: u8,
    time: String,
    request_id: &'a str,
    api: &'static str,
    tenant: &'a str,
    role: &'a str,
    provider: &'a str,
    model: &'a str,
    model_asked: &'a str,
    model_chosen: &'a str,
    model_answered: &'a str,
    stream: bool,
    outcome: &'static str,
    status: u64,
    attempts: u64,
    input_tokens: u64,
    output_tokens: u64,
    total_tokens: u64,
    cached_input_tokens: u64,
    cache_creation_input_tokens: u64,
    cache_creation_1h_input_tokens: u64,
    reasoning_tokens: u64,
    audio_input_tokens: u64,
    image_input_tokens: u64,
    audio_output_tokens: u64,
    image_output_tokens: u64,
    images: u64,
    search_units: u64,
    web_searches: u64,
    usage_source: &'static str,
    usage_mismatch: bool,
    service_tier: Option<&'a str>,
    cost_nanousd: u64,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    failed_attempts: Vec<FailedLine<'a>>,
    provider_cost_nanousd: Option<u64>,
    reserved_nanousd: u64,
    refused_by: Option<&'static str>,
    audit: Vec<&'static str>,
    duration_ms: u64,
    first_byte_ms: Option<u64>,
}

impl FailedAttempt {
    fn line(&self) -> FailedLine<'_> {
        FailedLine {
            provider: &self.provider,
            model: &self.model,
            input_tokens: self.usage.input_tokens.0,
            output_tokens: self.usage.output_tokens.0,
            cost_nanousd: self.cost.0,
        }
    }
}

impl Record {
    pub fn usage_is_reported(&self) -> bool {
        self.usage_source == UsageSource::Reported
    }

    /// What the tenant is charged: the answer, and what failed before it.
    pub fn charged(&self) -> NanoUsd {
        self.failed_attempts.iter().fold(self.cost, |sum, failed| sum.plus(failed.cost))
    }

    /// One line of JSON, without the line's end.
    pub fn to_json(&self) -> String {
        let line = Line {
            v: VERSION,
            time: rfc3339(self.started),
            request_id: &self.request_id,
            api: self.api,
            tenant: &self.labels.tenant,
            role: &self.labels.role,
            provider: &self.labels.provider,
            model: &self.labels.model,
            model_asked: &self.model_asked,
            model_chosen: &self.model_chosen,
            model_answered: &self.model_answered,
            stream: self.stream,
            outcome: self.outcome.code(),
            status: self.status,
            attempts: self.attempts,
            input_tokens: self.usage.input_tokens.0,
            output_tokens: self.usage.output_tokens.0,
            total_tokens: self.usage.total_tokens.0,
            cached_input_tokens: self.usage.cached_input_tokens.0,
            cache_creation_input_tokens: self.usage.cache_creation_input_tokens.0,
            cache_creation_1h_input_tokens: self.usage.cache_creation_1h_input_tokens.0,
            reasoning_tokens: self.usage.reasoning_tokens.0,
            audio_input_tokens: self.usage.audio_input_tokens.0,
            image_input_tokens: self.usage.image_input_tokens.0,
            audio_output_tokens: self.usage.audio_output_tokens.0,
            image_output_tokens: self.usage.image_output_tokens.0,
            images: self.usage.images,
            search_units: self.usage.search_units,
            web_searches: self.usage.web_searches,
            usage_source: self.usage_source.name(),
            usage_mismatch: self.usage_mismatch,
            service_tier: self.service_tier.as_deref(),
            cost_nanousd: self.charged().0,
            failed_attempts: self.failed_attempts.iter().map(FailedAttempt::line).collect(),
            provider_cost_nanousd: self.provider_cost.map(|cost| cost.0),
            reserved_nanousd: self.reserved.0,
            refused_by: self.refused_by,
            audit: self.audit.iter().map(|guard| guard.name()).collect(),
            duration_ms: self.duration_ms,
            first_byte_ms: self.first_byte_ms,
        };
        // Strings and integers always serialise.
        serde_json::to_string(&line).unwrap_or_default()
    }
}
