//! How the stream at hand ended, as far as Envoy knows.

use super::attributes::{attempts, cluster, number, status};
use super::filter_state::{begun, failed};
use super::properties::property;
use crate::exchange::{Ending, SoFar};

/// In `on_log`: how the stream ended. An attribute costs as much as a good part of the decision, so none is asked for that
/// is known already. `first` is the cluster of the first attempt, `last` that of the answer, if they are known; attempts
/// leave what they cost only where there was a choice of providers.
pub fn ending(so_far: SoFar, first: Option<&str>, last: Option<String>, routed: bool) -> Ending {
    if let SoFar::Refused { status } = so_far {
        return Ending { status, ..Ending::default() };
    }
    let failed = if routed { failed() } else { Vec::new() };
    let (status, complete, sent) = match so_far {
        SoFar::Answered { status, complete } => (status, complete, true),
        _ => (status(), false, property("upstream\0address").is_some_and(|address| !address.is_empty())),
    };
    let flags = if complete { 0 } else { number("response\0flags").unwrap_or(0) };
    // Of a client that resets its stream with NO_ERROR Envoy says nothing, and all else that ends an answer early has a flag.
    let was_answered = matches!(so_far, SoFar::Answered { .. });
    let was_reset = !complete && flags == 0 && sent && (was_answered || status == 0);
    let flags = if was_reset { Ending::RESET } else { flags };
    let attempts = attempts();
    let begun = if routed && attempts > 1 { begun() } else { Vec::new() };
    let first = || first.map(str::to_owned);
    let cluster = match last {
        Some(last) => Some(last),
        None if attempts <= 1 && !routed => first().or_else(cluster),
        // A retry may have chosen another.
        None => cluster().or_else(first),
    };
    Ending { failed, begun, status, flags, cluster, sent, attempts }
}
