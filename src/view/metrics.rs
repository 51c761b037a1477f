//! Envoy's counters of the gateway in their own units: dollars and seconds, as the original gateway named them.
//!
//! Trade-off: Envoy's stats are whole numbers, so the filter counts nano-dollars and milliseconds. Here the point is moved in
//! the text of each figure: no float comes between, and no figure is parsed that needn't be.

/// Larger answers are not read: such a gateway is scraped at Envoy's admin itself.
pub const MOST_BYTES: usize = 16 << 20;

/// All lines that are the gateway's, in their own units, each metric with a word of help.
pub fn page(stats: &str) -> String {
    let mut page = String::with_capacity(stats.len());
    for line in stats.lines() {
        // A line that is not what Envoy writes is left out.
        let _ =
            if let Some(rest) = line.strip_prefix("# TYPE ") { kind(rest, &mut page) } else { sample(line, &mut page) };
    }
    page
}

const OURS: &str = "ai_gateway_";

/// Units of the stats, by how names end (but for the parts of a histogram), and what they are shown in: so many places down.
const UNITS: [(&str, &str, u32); 5] = [
    ("_nanousd", "_usd", 9),
    ("_duration_ms", "_duration_seconds", 3),
    ("_token_ms", "_token_seconds", 3),
    ("_token_us", "_token_seconds", 6),
    ("_filter_time_us", "_filter_time_seconds", 6),
];

/// How many places the point moves for a metric's own unit, and the metric's name there.
fn unit(name: &str) -> (u32, String) {
    for (theirs, ours, places) in UNITS {
        if let Some((before, behind)) = name.split_once(theirs) {
            return (places, [before, ours, behind].concat());
        }
    }
    (0, name.to_owned())
}

fn kind(rest: &str, page: &mut String) -> Option<()> {
    let (name, kind) = rest.split_once(' ')?;
    let (_, named) = unit(name.strip_prefix(OURS).map(|_| name)?);
    page.push_str("# HELP ");
    page.push_str(&named);
    page.push(' ');
    page.push_str(help(&named));
    page.push_str("\n# TYPE ");
    page.push_str(&named);
    page.push(' ');
    page.push_str(kind);
    page.push('\n');
    Some(())
}

fn sample(line: &str, page: &mut String) -> Option<()> {
    let name_ends = line.find(['{', ' '])?;
    let (name, rest) = line.split_at_checked(name_ends)?;
    let (labels, value) = rest.rsplit_once(' ')?;
    let (places, named) = unit(name.strip_prefix(OURS).map(|_| name)?);
    // Of a histogram, the sum and the borders are in its unit; how many there were is not.
    let (is_bucket, counts) = (name.ends_with("_bucket"), name.ends_with("_bucket") || name.ends_with("_count"));
    let labels = if is_bucket { moved_border(labels, places)? } else { labels.to_owned() };
    let value = moved(value, if counts { 0 } else { places })?;
    page.push_str(&named);
    // Envoy writes an empty pair of braces where there are no labels.
    page.push_str(if labels == "{}" { "" } else { &labels });
    page.push(' ');
    page.push_str(&value);
    page.push('\n');
    Some(())
}

/// The border stands last, and is a number: no label before it can be taken for it.
fn moved_border(labels: &str, places: u32) -> Option<String> {
    let (before, border) = labels.rsplit_once("le=\"")?;
    let border = border.strip_suffix("\"}")?;
    let border = if border == "+Inf" { border.to_owned() } else { moved(border, places)? };
    Some([before, "le=\"", &border, "\"}"].concat())
}

/// A decimal number divided by a power of ten, exactly.
fn moved(number: &str, places: u32) -> Option<String> {
    let (digits, exponent) = match number.split_once(['e', 'E']) {
        Some((digits, exponent)) => (digits, exponent.parse::<i32>().ok()?),
        None => (number, 0),
    };
    let (whole, fraction) = digits.split_once('.').unwrap_or((digits, ""));
    if !whole.bytes().chain(fraction.bytes()).all(|byte| byte.is_ascii_digit()) || whole.is_empty() {
        return None;
    }
    if places == 0 {
        return Some(number.to_owned());
    }
    let exponent = exponent.checked_sub(i32::try_from(places).ok()?)?;
    if exponent.unsigned_abs() > 64 {
        return None;
    }
    // Where the point comes to stand, counted from the first digit.
    let point = i64::try_from(whole.len()).ok()?.checked_add(exponent.into())?;
    let mut all = [whole, fraction].concat();
    if let Ok(missing) = usize::try_from(point.saturating_neg()) {
        all.insert_str(0, &"0".repeat(missing));
    }
    let point = usize::try_from(point.max(0)).ok()?;
    if all.len() < point {
        all.push_str(&"0".repeat(point.saturating_sub(all.len())));
    }
    let (whole, fraction) = all.split_at_checked(point)?;
    let (whole, fraction) = (whole.trim_start_matches('0'), fraction.trim_end_matches('0'));
    let whole = if whole.is_empty() { "0" } else { whole };
    Some(if fraction.is_empty() { whole.to_owned() } else { [whole, ".", fraction].concat() })
}

/// What each metric is, by its name on the page.
const HELP: [(&str, &str); 39] = [
    ("ai_gateway_requests_total", "Requests, by how they ended."),
    ("ai_gateway_tokens_total", "Tokens of input and output."),
    ("ai_gateway_cost_usd_total", "What was charged."),
    ("ai_gateway_request_duration_seconds", "From the first header to the end of the answer."),
    ("ai_gateway_circuit_breaker_state", "1 while a provider's circuit breaker is open."),
    ("ai_gateway_active_connections", "Requests under way."),
    ("ai_gateway_reserved_usd", "Reserved for requests under way."),
    ("ai_gateway_spent_today_usd", "Spent since midnight, UTC."),
    ("ai_gateway_spent_this_month_usd", "Spent since the first of the month, UTC."),
    ("ai_gateway_budget_today_usd", "What the day's budget is."),
    ("ai_gateway_budget_this_month_usd", "What the month's budget is."),
    ("ai_gateway_time_to_first_token_seconds", "Of streams, until their first output."),
    ("ai_gateway_time_per_output_token_seconds", "Of streams, for each token behind the first."),
    ("ai_gateway_stream_duration_seconds", "Of streams, from their first output to their end."),
    ("ai_gateway_tokens_by_kind_total", "Parts of the tokens of input and output."),
    ("ai_gateway_usage_total", "Answers, by where their usage comes from."),
    ("ai_gateway_spend_usd_total", "What was charged, by where the usage comes from."),
    ("ai_gateway_usage_mismatch_total", "Answers whose counts don't add up to the provider's own total."),
    ("ai_gateway_usage_implausible_total", "Answers that report more than their request could have come to."),
    ("ai_gateway_usage_unreported_total", "Whole answers without a usage, of APIs that always report it."),
    ("ai_gateway_provider_cost_usd_total", "What providers say that they will bill."),
    ("ai_gateway_provider_cost_differs_total", "Answers whose provider says another price."),
    ("ai_gateway_answered_model_differs_total", "Answers of another model than was asked, at another price."),
    ("ai_gateway_limit_refusals_total", "Refused requests, by the limit or budget that had no room."),
    ("ai_gateway_audit_refusals_total", "What audited limits would have refused."),
    ("ai_gateway_retries_total", "Attempts beyond the first, by who answered in the end."),
    ("ai_gateway_provider_account_refusals_total", "Attempts that a provider refused for the gateway's own account."),
    ("ai_gateway_unknown_fields_total", "Fields, tools and tiers of requests that passed without a price."),
    ("ai_gateway_cell_races_total", "Races for a tenant's cell that were lost and run again."),
    ("ai_gateway_cell_starved_total", "Decisions that lost every race."),
    ("ai_gateway_cell_unknown_version_total", "Cells that could not be read and began anew."),
    ("ai_gateway_settlements_lost_total", "Settlements that were never written."),
    ("ai_gateway_estimate_tokens_total", "What estimates would have said of reported answers."),
    ("ai_gateway_estimate_reported_tokens_total", "What those answers reported."),
    ("ai_gateway_estimate_error_tokens_total", "By how much the estimates were off."),
    ("ai_gateway_filter_time_seconds", "Of one request in 64, the time spent in the filter's callbacks."),
    ("ai_gateway_vm_memory_bytes", "Linear memory of the largest VM."),
    ("ai_gateway_shared_limits_away", "1 while the rate limit service is away."),
    ("ai_gateway_status_polls_failed_total", "Questions to Envoy's admin that it didn't answer."),
];

fn help(name: &str) -> &'static str {
    HELP.iter().find(|(known, _)| *known == name).map_or("A figure of the gateway.", |(_, help)| help)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn money_and_time_are_shown_in_their_own_units() {
        let stats = "\
# TYPE ai_gateway_cost_nanousd_total counter
ai_gateway_cost_nanousd_total{tenant=\"a b\",model=\"gpt le=\\\"4\"} 12345
ai_gateway_cost_nanousd_total{tenant=\"b\"} 9007199254740993
# TYPE envoy_cluster_upstream_rq counter
envoy_cluster_upstream_rq{} 4
# TYPE ai_gateway_vm_memory_bytes gauge
ai_gateway_vm_memory_bytes{} 1179648
# TYPE ai_gateway_request_duration_ms histogram
ai_gateway_request_duration_ms_bucket{status=\"success\",le=\"10\"} 1
ai_gateway_request_duration_ms_bucket{status=\"success\",le=\"2500\"} 3
ai_gateway_request_duration_ms_bucket{status=\"success\",le=\"+Inf\"} 4
ai_gateway_request_duration_ms_sum{status=\"success\"} 1.05e+12
ai_gateway_request_duration_ms_count{status=\"success\"} 4
nonsense
ai_gateway_cost_nanousd_total{tenant=\"c\"} NaN
";
        let said = "\
# HELP ai_gateway_cost_usd_total What was charged.
# TYPE ai_gateway_cost_usd_total counter
ai_gateway_cost_usd_total{tenant=\"a b\",model=\"gpt le=\\\"4\"} 0.000012345
ai_gateway_cost_usd_total{tenant=\"b\"} 9007199.254740993
# HELP ai_gateway_vm_memory_bytes Linear memory of the largest VM.
# TYPE ai_gateway_vm_memory_bytes gauge
ai_gateway_vm_memory_bytes 1179648
# HELP ai_gateway_request_duration_seconds From the first header to the end of the answer.
# TYPE ai_gateway_request_duration_seconds histogram
ai_gateway_request_duration_seconds_bucket{status=\"success\",le=\"0.01\"} 1
ai_gateway_request_duration_seconds_bucket{status=\"success\",le=\"2.5\"} 3
ai_gateway_request_duration_seconds_bucket{status=\"success\",le=\"+Inf\"} 4
ai_gateway_request_duration_seconds_sum{status=\"success\"} 1050000000
ai_gateway_request_duration_seconds_count{status=\"success\"} 4
";
        assert_eq!(page(stats), said);
    }

    proptest! {
        #[test]
        fn moving_the_point_is_exact(number: u64, places in 1_u32..=9) {
            let moved = moved(&number.to_string(), places).unwrap();
            let (whole, fraction) = moved.split_once('.').unwrap_or((&moved, ""));
            let scale = 10_u64.pow(places);
            prop_assert_eq!(whole.parse::<u64>().unwrap(), number / scale);
            let width = places as usize;
            prop_assert_eq!(format!("{fraction:0<width$}").parse::<u64>().unwrap(), number % scale);
        }

        #[test]
        fn nothing_of_envoys_answer_can_break_the_page(stats in "(ai_gateway_[a-z_]{0,9}(nanousd|duration_ms)?(_bucket)?|# TYPE |[a-z{}\" .=0-9e+-]{0,12}|\n){0,20}") {
            for line in page(&stats).lines() {
                prop_assert!(line.starts_with("ai_gateway_") || line.starts_with("# "), "{}", line);
            }
        }
    }
}
