//! What a value in an answer means.

use crate::json::{Decimal, Number};
use crate::llm::usage::reported_usd;
use crate::units::NanoUsd;

/// The object of a modality's count, while it is read.
#[derive(Default)]
pub(super) struct Modality {
    pub kind: Option<ModalityKind>,
    pub tokens: Option<u64>,
}

#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum ModalityKind {
    Audio,
    Image,
}

/// The object of what was written into a cache for one lifetime, while it is read.
#[derive(Default)]
pub(super) struct CacheWrites {
    pub for_an_hour: bool,
    pub tokens: Option<u64>,
}

/// What some write for a reason while there is none.
pub(super) fn is_unfinished(reason: &str) -> bool {
    matches!(reason, "" | "null" | "FINISH_REASON_UNSPECIFIED")
}

/// What an answer calls itself that is still to come.
#[inline(never)]
pub(super) fn is_to_come(status: &str) -> bool {
    const WORDS: [&str; 9] =
        ["queued", "in_progress", "pending", "processing", "running", "submitted", "accepted", "starting", "in_queue"];
    WORDS.iter().any(|word| word.eq_ignore_ascii_case(status))
}

/// The answer was as long as it might be.
pub(super) fn is_bound(reason: &str) -> bool {
    matches!(reason, "length" | "max_tokens" | "MAX_TOKENS" | "max_output_tokens")
}

/// Reasons of providers that couldn't go on, each in its own words.
#[inline(never)]
pub(super) fn is_failure(reason: &str) -> bool {
    const WORDS: [&[u8]; 7] = [b"error", b"abort", b"fail", b"timeout", b"overload", b"unavailable", b"insufficient"];
    let reason = reason.as_bytes();
    WORDS.iter().any(|word| reason.windows(word.len()).any(|part| part.eq_ignore_ascii_case(word)))
}

/// Vertex names the tier that served by the kind of traffic, and Google's other APIs by its own name.
pub(super) fn tier_of_traffic(kind: &str) -> Option<&'static str> {
    let kind = kind.to_ascii_lowercase();
    let bare = kind.strip_prefix("on_demand_").or_else(|| kind.strip_prefix("service_tier_")).unwrap_or(&kind);
    ["priority", "flex", "batch", "standard"].into_iter().find(|tier| *tier == bare).or_else(|| {
        // What runs on throughput that was bought before says nothing of a tier.
        (bare == "on_demand" || bare == "default").then_some("standard")
    })
}

/// A begun unit counts.
pub(super) fn whole_units(number: Number) -> Option<u64> {
    match number {
        Number::Whole(units) => Some(units),
        Number::Fraction(Decimal { significand, places }) => {
            let scale = u32::try_from(places).ok().and_then(|places| 10_u64.checked_pow(places));
            Some(scale.map_or(1, |scale| significand.div_ceil(scale)))
        }
        Number::Negative => None,
    }
}

/// Of a number that was written as a text.
pub(super) fn written_seconds(text: &str) -> Option<u64> {
    let (whole, part) = text.split_once('.').unwrap_or((text, ""));
    let begun = part.bytes().any(|digit| digit != b'0');
    let are_digits = part.bytes().all(|digit| digit.is_ascii_digit());
    whole.parse::<u64>().ok().filter(|_| are_digits).map(|seconds| seconds.saturating_add(begun.into()))
}

/// A number of units of 10^-`places` USD.
pub(super) fn cost(number: Number, unit_places: u64) -> Option<NanoUsd> {
    let Decimal { significand, places } = match number {
        Number::Whole(significand) => Decimal { significand, places: 0 },
        Number::Fraction(decimal) => decimal,
        Number::Negative => return None,
    };
    reported_usd(Decimal { significand, places: places.saturating_add(unit_places) })
}
