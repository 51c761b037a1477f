//! What may stand in an access log where a record should be.

use serde_json::{Value, json};

pub struct Line {
    pub bytes: Vec<u8>,
    /// Of a line that is a record. None: it is to be kept as unread.
    pub cost: Option<u64>,
}

/// Names as they stand in JSON.
pub const ODD: &[&str] = &[
    r"\u0000",
    r"a\u0000\u0000b",
    r"\\u0000",
    r"\\\u0000",
    r"\ud800",
    r"\udc00\ud800",
    r"\ud83d\ude00",
    r"\u0001\u001f\u007f\u0085",
    r"\u2028\u2029\ufffd\ufeff",
    r#"\"'$$''\\"#,
    r"\r\n\t",
    "'; drop table ai_gateway.exchanges; --",
    r"\\",
    "%s%n{}#011",
    "漢字🦀é",
];

fn record(round: usize, nth: usize) -> Value {
    // Of three months, so that there are new ones to be made.
    let time = format!("2026-{:02}-01T00:00:{round:02}.{nth:03}Z", 1 + nth % 3);
    json!({"v": 1, "time": time, "request_id": format!("{round}-{nth}"), "api": "openai_chat", "tenant": "acme", "role": "none",
        "provider": "p", "model": "m", "model_asked": "m", "model_chosen": "m", "model_answered": "m", "stream": false,
        "outcome": "success", "status": 200, "attempts": 1, "input_tokens": 1, "output_tokens": 1, "usage_source": "reported",
        "cost_nanousd": 7, "duration_ms": 3, "failed_attempts": []})
}

/// Records, odd ones and none, the same kinds in each round, of which no two lines are the same.
pub fn of(round: usize) -> Vec<Line> {
    let mut lines = Vec::new();
    let mut nth = 0;
    let mut next = || {
        nth += 1;
        record(round, nth)
    };
    let readable = |line: &Value, cost| Line { bytes: line.to_string().into_bytes(), cost: Some(cost) };
    let with = |mut line: Value, field: &str, value: Value| {
        line[field] = value;
        line
    };
    lines.push(readable(&next(), 7));
    for odd in ODD {
        let line = with(next(), "model_asked", json!("ODD")).to_string().replace("ODD", odd);
        lines.push(Line { bytes: line.into_bytes(), cost: Some(7) });
    }
    lines.push(readable(&with(next(), "model_answered", json!("x".repeat(10_000))), 7));
    lines.push(readable(&with(next(), "cost_nanousd", json!(u64::MAX)), u64::MAX));
    lines.push(readable(&with(next(), "input_tokens", json!(u64::MAX)), 7));
    let failed =
        json!({"provider": "q", "model": "m", "input_tokens": 5, "output_tokens": u64::MAX, "cost_nanousd": 3});
    lines.push(readable(&with(next(), "failed_attempts", json!([failed, failed])), 7));
    lines.push(readable(&with(next(), "of_a_later_filter", json!({"a": [1, null]})), 7));

    let mut unreadable = |bytes: Vec<u8>| lines.push(Line { bytes, cost: None });
    let names: Vec<String> = next().as_object().unwrap().keys().cloned().collect();
    for name in names
        .iter()
        .filter(|name| !["model_chosen", "model_answered", "stream", "failed_attempts"].contains(&name.as_str()))
    {
        for value in [json!(null), json!([]), json!({}), json!(true)] {
            unreadable(with(next(), name, value).to_string().into_bytes());
        }
        let mut without = next();
        without.as_object_mut().unwrap().remove(name);
        unreadable(without.to_string().into_bytes());
    }
    for name in ["status", "attempts", "input_tokens", "output_tokens", "cost_nanousd", "duration_ms"] {
        for value in [json!(-1), json!(0.5), json!("7"), json!(1e300)] {
            unreadable(with(next(), name, value).to_string().into_bytes());
        }
        let huge = with(next(), name, json!(77_777)).to_string().replace("77777", "1e999999999");
        unreadable(huge.into_bytes());
        unreadable(with(next(), name, json!(77_777)).to_string().replace("77777", "18446744073709551616").into_bytes());
    }
    for time in [
        "",
        "now",
        "infinity",
        "tomorrow",
        "2026-02-30T00:00:00Z",
        "1970-01-01T00:00:00Z",
        "2999-01-01T00:00:00Z",
        "2026-01-01",
    ] {
        unreadable(with(next(), "time", json!(time)).to_string().into_bytes());
    }
    for version in [json!(2), json!(0), json!("1"), json!(1.5)] {
        unreadable(with(next(), "v", version).to_string().into_bytes());
    }
    for failed in
        [json!({}), json!([1]), json!([{"cost_nanousd": 3}]), json!([with(failed.clone(), "cost_nanousd", json!(8))])]
    {
        unreadable(with(next(), "failed_attempts", failed).to_string().into_bytes());
    }
    // Half a line, and one that was begun before another.
    let whole = next().to_string().into_bytes();
    unreadable(whole[..whole.len() - 10].to_vec());
    unreadable([&whole[..100], &whole].concat());
    let of_round = |bytes: &[u8]| [bytes, round.to_string().as_bytes()].concat();
    for bytes in [
        &b"nonsense"[..],
        b"[]",
        b"\"x\"",
        b"{\"v\":1,",
        b"\xff\xfe\x80",
        b"\0\0",
        b"{\"v\":1,\"a\":\"\0\xed\xa0\x80",
        b"'",
        b"\\'",
        b"\x1b[31m",
        b"BEGIN TRANSACTION",
        b"commit;",
        b"\\q",
        b"\r",
    ] {
        unreadable(of_round(bytes));
    }
    unreadable(of_round(&b"[".repeat(1_100_000)));
    unreadable(of_round("漢".repeat(400_000).as_bytes()));
    lines.push(readable(&next(), 7));
    lines
}
