//! Pairs of requests and their copies: what SQL and the report make of a set of records whose true values are known.

use serde_json::{Value, json};

use super::{Database, debian, skipped};
use crate::prometheus::panels;

/// Milliseconds after yesterday at this time.
struct At(u64, Value);

fn record(more: &Value) -> Value {
    let mut record = json!({"v": 1, "time": "", "api": "openai_chat", "tenant": "acme", "role": "chat",
        "provider": "openai", "model": "large", "model_asked": "large", "outcome": "success", "status": 200, "attempts": 1,
        "input_tokens": 100, "output_tokens": 40, "usage_source": "reported", "cost_nanousd": 1_000, "first_byte_ms": 200,
        "duration_ms": 1_000});
    for (key, value) in more.as_object().unwrap() {
        record[key] = value.clone();
    }
    record
}

/// A request and its copy, which came three milliseconds later.
fn pair(shadow: &str, nth: u64, original: &Value, copy: &Value) -> [At; 2] {
    let id = format!("{shadow}-{nth}");
    let mut mine = record(original);
    mine["request_id"] = json!(id);
    mine["shadowed"] = json!(shadow);
    let mut other =
        record(&json!({"leg": "shadow", "shadow": shadow, "tenant": format!("shadow:{shadow}"), "provider": "local",
        "model": "small", "request_id": id}));
    for (key, value) in copy.as_object().unwrap() {
        other[key] = value.clone();
    }
    [At(10 * nth, mine), At(10 * nth + 3, other)]
}

fn bring(database: &Database, records: &[At]) {
    for some in records.chunks(100) {
        let lines = some.iter().map(|At(milliseconds, record)| {
            let time = format!("(now() - interval '1 day' + {milliseconds} * interval '1 ms') at time zone 'UTC'");
            format!(
                r#"select ai_gateway.record(jsonb_set('{record}', '{{time}}', to_jsonb(to_char({time}, 'YYYY-MM-DD"T"HH24:MI:SS.MS"Z"')))::text)"#
            )
        });
        database.ask("ai_gateway", &lines.collect::<Vec<_>>().join("; "));
    }
    assert_eq!((database.rows(), database.unread()), (records.len() as u64, 0));
}

fn answer(finish: &str, bytes: u64, text: &str, calls: [Option<&str>; 2]) -> Value {
    let [tools, arguments] = calls.map(|print| print.map(|digit| digit.repeat(16)));
    json!({"finish": finish, "text_bytes": bytes, "text_print": text, "calls": u64::from(tools.is_some()),
        "tools_print": tools, "arguments_print": arguments})
}

const NONE: [Option<&str>; 2] = [None, None];

/// 120 pairs: the copy costs half, each tenth fails, of prompts below 500 tokens it takes half the time and of others twice as much,
/// 20 of 108 end for another reason, half of the calls have other arguments, and of the prints of texts a quarter of the bits differ.
fn known() -> Vec<At> {
    let pairs = (0..120).flat_map(|nth| {
        let (cost, short) = (1_000 + 10 * (nth % 3), nth % 2 == 1);
        let calls = |arguments| if nth % 4 == 0 { [Some("a"), Some(arguments)] } else { NONE };
        let original = json!({"input_tokens": if short { 100 } else { 1_000 }, "cost_nanousd": cost,
            "answer": answer("stop", 100, "0000000000000000", calls("b"))});
        let copy = json!({"cost_nanousd": cost / 2, "outcome": if nth % 10 == 7 { "provider_error" } else { "success" },
            "first_byte_ms": 100, "duration_ms": if short { 500 } else { 2_000 }, "output_tokens": 20,
            "answer": answer(if nth % 6 == 0 { "length" } else { "stop" }, 50, "000000000000ffff", calls(if nth % 8 == 0 { "c" } else { "b" }))});
        pair("cheap", nth, &original, &copy)
    });
    pairs.collect()
}

#[test]
fn the_figures_of_a_comparison_are_those_of_its_data() {
    let Some(debian) = debian() else { return skipped() };
    let database = Database::start_new(&debian, "pairs");
    let mut records = known();
    // Five pairs are the fewest of which a mean has an interval.
    records.extend((1..=5).flat_map(|nth| pair("few", nth, &json!({}), &json!({"cost_nanousd": 100 * nth}))));
    records.extend((1..=4).flat_map(|nth| pair("fewer", nth, &json!({}), &json!({"cost_nanousd": 100 * nth}))));
    bring(&database, &records);
    let one =
        |sql: &str| database.ask("ai_gateway", &format!("select {sql} from ai_gateway.pairs where shadow = 'cheap'"));
    for (sql, value) in [
        ("count(*), sum(cost_nanousd), sum(shadow_cost_nanousd)", "120|121200|60600"),
        ("count(*) filter (where both_answered), min(time) > now() - interval '25 hours'", "108|t"),
        ("count(*) filter (where both_answered and same_finish), count(same_finish)", "88|120"),
        ("count(same_tools), count(*) filter (where same_tools), count(*) filter (where same_arguments)", "30|30|15"),
        ("round(min(similarity)::numeric, 6), round(max(similarity)::numeric, 6)", "0.707107|0.707107"),
        ("min(length_ratio)::float8, max(length_ratio)::float8", "0.5|0.5"),
        ("sum(first_token_ms), sum(shadow_first_token_ms)", "24000|12000"),
        ("count(*) filter (where prompt_tokens_from = 0), count(*) filter (where prompt_tokens_from = 500)", "60|60"),
        (
            "string_agg(distinct concat(tenant, ' ', model, ' ', shadow_model, ' ', provider, ' ', shadow_provider), ',')",
            "acme large small openai local",
        ),
    ] {
        assert_eq!(one(sql), value, "{sql}");
    }
    let report = database.comparison("cheap");
    for line in [
        "## `cheap`: small beside large",
        "120 pairs; both models answered in 108.",
        // Wilson's intervals.
        "| Answered | 100.0 % (96.9 % to 100.0 %) of 120 | 90.0 % (83.3 % to 94.2 %) of 120 |  |",
        "| Ended for the same reason | 81.5 % (73.1 % to 87.7 %) of 108 |",
        "| and with the same arguments | 50.0 % (33.2 % to 66.8 %) of 30 |",
        // Whatever a request costs, its copy costs half.
        "| Cost per request | $1.01e-06 ($1.01e-06 to $1.01e-06) | $5.05e-07 ($5.04e-07 to $5.06e-07) | 0.5 × (0.5 × to 0.5 ×) |",
        // exp(ln 2 · 12/108 ± 1.982 · ln 2 · √((1 - 1/81) · 108/107) / √108)
        "| Duration, median | 1,000 ms | 2,000 ms | 1.08 × (0.946 × to 1.23 ×) |",
        "| Similarity of the texts (1: the same words, 0: none in common) | 0.71 (0.71 to 0.71) |",
    ] {
        assert!(report.lines().any(|said| said == line), "{line}\n{report}");
    }
    let sized = |size: &str| {
        report.lines().find(|line| line.starts_with(&format!("| {size} |"))).unwrap_or_else(|| panic!("{report}"))
    };
    assert!(
        sized("below 500")
            .contains("| 80.0 % (68.2 % to 88.2 %) of 60 | 0.5 × (0.5 × to 0.5 ×) | 0.5 × (0.5 × to 0.5 ×) |")
    );
    assert!(
        sized("500 to 1,999")
            .contains("| 100.0 % (94.0 % to 100.0 %) of 60 | 0.5 × (0.5 × to 0.5 ×) | 2 × (2 × to 2 ×) |")
    );
    // Each panel of the dashboard finds something.
    let panels: Vec<_> = panels("postgresql").into_iter().filter(|panel| panel["board"] == "compare").collect();
    assert!(panels.len() > 15, "{}", panels.len());
    for panel in panels {
        let found = database.ask("ai_gateway", panel["query"].as_str().unwrap());
        assert!(found.contains(|letter: char| letter.is_ascii_alphanumeric()), "{}: {found}", panel["panel"]);
    }
    // 300 ± 2.776 · 158.1 / √5
    let few = database.comparison("few");
    assert!(few.contains("| $3e-07 ($1.04e-07 to $4.96e-07) | 0.3 × (0.104 × to 0.496 ×) |"), "{few}");
    let fewer = database.comparison("fewer");
    assert!(fewer.contains("| $1e-06 | $2.5e-07 | 0.25 × |"), "{fewer}");
}

/// Who asks again with the same id has another pair; what has no other half is none; and whatever stands in a line, the view reads it.
#[test]
fn a_copy_belongs_to_the_last_request_before_it() {
    let Some(debian) = debian() else { return skipped() };
    let database = Database::start_new(&debian, "pairs-odd");
    let mut records = Vec::new();
    let again = |later: u64, cost: u64| {
        let both = pair("cheap", 1, &json!({"cost_nanousd": cost}), &json!({"cost_nanousd": cost + 1}));
        both.map(|At(milliseconds, record)| At(milliseconds + later, record))
    };
    records.extend(again(0, 10));
    records.extend(again(500, 20));
    let [alone, _] = pair("cheap", 2, &json!({}), &json!({}));
    let [_, orphan] = pair("cheap", 3, &json!({}), &json!({}));
    let [of_another, _] = pair("dear", 4, &json!({"request_id": "cheap-4"}), &json!({}));
    let [_, not_its] = pair("cheap", 4, &json!({}), &json!({}));
    records.extend([alone, orphan, of_another, not_its]);
    for (nth, odd) in [
        json!("text"),
        json!([1]),
        json!({"calls": "many", "text_print": "zz", "text_bytes": -1, "finish": 7}),
        json!({"calls": -1, "text_bytes": 1e300}),
        json!({"calls": 1, "text_print": ["0"], "text_bytes": "x"}),
        Value::Null,
    ]
    .iter()
    .enumerate()
    {
        records.extend(pair(
            "odd",
            nth as u64,
            &json!({"answer": odd, "first_byte_ms": "soon"}),
            &json!({"answer": odd}),
        ));
    }
    bring(&database, &records);
    let ask = |sql: &str| database.ask("ai_gateway", sql);
    let costs = "select string_agg(cost_nanousd || ' ' || shadow_cost_nanousd, ', ' order by time) from ai_gateway.pairs where shadow = 'cheap'";
    assert_eq!(ask(costs), "10 11, 20 21");
    assert_eq!(
        ask(
            "select count(*), count(similarity), count(first_token_ms), count(same_tools) from (select * from ai_gateway.pairs where shadow = 'odd' offset 0) as all_of_it"
        ),
        "6|0|0|0"
    );
    let report = database.comparison("cheap");
    assert!(report.contains("Of 1 copies more there is no record"), "{report}");
    database.comparison("odd");
}
