//! Envoy's counters of the gateway in their own units: dollars and seconds, as the original gateway named them.
//!
//! Envoy's stats are whole numbers, so the filter counts nano-dollars and milliseconds. Here the point is moved in
//! the text of each figure: no float comes between, and no figure is parsed that needn't be.

use crate::record::metric::Metric;

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
    // Envoy keeps what another version of the filter counted: of that, nothing is known here.
    if let Some(metric) = Metric::ALL.iter().find(|metric| metric.spec().1 == name) {
        page.push_str("# HELP ");
        page.push_str(&named);
        page.push(' ');
        page.push_str(metric.help());
        page.push('\n');
    }
    page.push_str("# TYPE ");
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

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn every_metric_says_on_the_page_what_it_is() {
        for metric in Metric::ALL {
            let (_, name, _) = metric.spec();
            let said = page(&format!("# TYPE {name} counter\n"));
            let (help, kind) = said.split_once('\n').unwrap();
            assert!(help.starts_with("# HELP ai_gateway_") && help.ends_with(metric.help()), "{said}");
            assert!(kind.starts_with("# TYPE ai_gateway_") && kind.ends_with(" counter\n"), "{said}");
        }
        assert_eq!(
            page("# TYPE ai_gateway_of_another_version counter\n"),
            "# TYPE ai_gateway_of_another_version counter\n"
        );
    }

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
