//! The corpus of `tests/fixtures` through the core: each case whole, in pieces of many lengths which begin anywhere, and cut at
//! every byte. What a case is, its README says.

use crate::exchange::*;
use crate::limit::cell::Cell;
use crate::llm::usage::UsageSource;
use crate::record::Record;
use serde::Deserialize;
use serde_json::Value;
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

/// 2026-11-01, when every dated price of the corpus has begun.
const NOW: UnixNanos = UnixNanos(1_793_491_200_000_000_000);

#[derive(Deserialize)]
struct Case {
    path: String,
    request: Value,
    status: u16,
    headers: BTreeMap<String, String>,
    answer: String,
    expect: Expect,
    #[serde(skip)]
    name: String,
    #[serde(skip)]
    folder: PathBuf,
}

#[derive(Deserialize)]
struct Expect {
    outcome: String,
    source: String,
    #[serde(default)]
    usage: BTreeMap<String, u64>,
    cost_nanousd: Option<u64>,
    model_answered: Option<String>,
    #[serde(default)]
    mismatch: bool,
    service_tier: Option<String>,
    provider_cost_nanousd: Option<u64>,
    output_between: Option<[u64; 2]>,
}

fn fixtures() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures")
}

fn cases() -> Vec<Case> {
    let folders = |path: &Path| {
        let entries = std::fs::read_dir(path).unwrap().map(|entry| entry.unwrap().path());
        let mut folders: Vec<PathBuf> = entries.filter(|path| path.is_dir()).collect();
        folders.sort();
        folders
    };
    let folders = folders(&fixtures()).iter().flat_map(|api| folders(api)).collect::<Vec<_>>();
    let cases: Vec<Case> = folders.into_iter().filter(|folder| folder.join("case.json").exists()).map(case).collect();
    assert!(cases.len() >= 120, "the corpus was not found");
    cases
}

fn case(folder: PathBuf) -> Case {
    let text = std::fs::read_to_string(folder.join("case.json")).unwrap();
    let case: Case = serde_json::from_str(&text).unwrap_or_else(|error| panic!("{}: {error}", folder.display()));
    let name = folder.strip_prefix(fixtures()).unwrap().display().to_string();
    Case { name, folder, ..case }
}

fn policy() -> Policy {
    let prices: Value =
        serde_json::from_str(&std::fs::read_to_string(fixtures().join("prices.json")).unwrap()).unwrap();
    let policy = serde_json::json!({
        "tenants": {"t": {"unlimited": ["request_usd", "day_usd"]}},
        // What is counted is the question here, of tools without a price, too.
        "unpriced_levers": "pass",
        "prices": prices,
    });
    Policy::read(policy.to_string().as_bytes()).unwrap_or_else(|error| panic!("{error}"))
}

impl Case {
    /// As sent; AWS's frames are kept readable, and put together here.
    fn bytes(&self) -> Vec<u8> {
        let text = std::fs::read(self.folder.join(&self.answer)).unwrap();
        if !self.answer.ends_with(".frames") {
            return text;
        }
        let lines = std::str::from_utf8(&text).unwrap().lines();
        lines.flat_map(|line| frame(&serde_json::from_str(line).unwrap())).collect()
    }

    /// `None`: the gateway refuses, by itself, what the provider would have.
    fn sent(&self, policy: &Policy) -> Option<Exchange> {
        let headers = [(":method", "POST"), (":path", &self.path), ("x-tenant-id", "t")];
        let headers = Headers::of(&headers);
        let Opening::Read(mut exchange) = Exchange::open(policy, &headers, NOW) else {
            panic!("{}: {} is not an API", self.name, self.path)
        };
        assert_eq!(exchange.body(policy, self.request.to_string().as_bytes()), None);
        let demand = exchange.end_of_request(policy, Around { now: NOW, ..tests::around(None) }).unwrap();
        let demand = match demand {
            Err(_) if self.expect.outcome == "provider_rejected" => return None,
            Err(reply) => panic!("{}: {}", self.name, String::from_utf8_lossy(&reply.body)),
            Ok(demand) => demand,
        };
        let decision = Cell::default().admit(&demand.tenant.rules, &demand.ask, NOW);
        assert!(matches!(exchange.decided(policy, demand, Ok(decision), NOW), Step::Forward(_)), "{}", self.name);
        let status = (":status".to_owned(), self.status.to_string());
        let headers = self.headers.iter().map(|(name, value)| (name.to_lowercase(), value.clone()));
        let headers = Headers::of(&headers.chain([status]).collect::<Vec<_>>());
        exchange.answer_head(
            policy,
            &AnswerHead { headers: &headers, from_provider: true, cluster: None, end_of_stream: false },
        );
        Some(exchange)
    }

    /// What the exchange comes to when its answer comes in these pieces, and ends with the last.
    fn record(&self, policy: &Policy, pieces: &[&[u8]], whole: bool) -> Option<Record> {
        let mut exchange = self.sent(policy)?;
        for (nth, piece) in pieces.iter().enumerate() {
            exchange.answer_body(piece, whole && nth + 1 == pieces.len(), || NOW);
        }
        const ABORTED: u64 = 1 << 23;
        let (flags, status) = (if whole { 0 } else { ABORTED }, self.status.into());
        Some(
            exchange.close(policy, &Ending { status, flags, sent: true, attempts: 1, ..Ending::default() }, NOW).record,
        )
    }
}

fn frame(line: &Value) -> Vec<u8> {
    let mut headers = Vec::new();
    for (name, value) in line["headers"].as_object().unwrap() {
        let value = value.as_str().unwrap();
        headers.push(u8::try_from(name.len()).unwrap());
        headers.extend(name.as_bytes());
        headers.push(7);
        headers.extend(u16::try_from(value.len()).unwrap().to_be_bytes());
        headers.extend(value.as_bytes());
    }
    let payload = line["payload"].to_string();
    let total = u32::try_from(headers.len() + payload.len() + 16).unwrap();
    // The checksums are the client's to check.
    [
        &total.to_be_bytes()[..],
        &u32::try_from(headers.len()).unwrap().to_be_bytes(),
        &[0; 4],
        &headers,
        payload.as_bytes(),
        &[0; 4],
    ]
    .concat()
}

const PIECES: [&str; 6] =
    ["images", "search_units", "web_searches", "file_searches", "container_sessions", "audio_seconds"];

/// The record's usage by name, without zeros.
fn usage(record: &Record) -> BTreeMap<String, u64> {
    let line: Value = serde_json::from_str(&record.to_json()).unwrap();
    let line = line.as_object().unwrap();
    let counts = line.iter().filter(|(name, _)| name.ends_with("_tokens") || PIECES.contains(&name.as_str()));
    counts.filter_map(|(name, count)| Some((name.clone(), count.as_u64().filter(|count| *count > 0)?))).collect()
}

fn faults(case: &Case, record: &Record) -> Vec<String> {
    let expect = &case.expect;
    let mut faults = Vec::new();
    let mut check = |what: &str, got: String, wanted: String| {
        if got != wanted {
            faults.push(format!("{}: {what}: {got} instead of {wanted}", case.name));
        }
    };
    check("outcome", record.outcome.code().to_owned(), expect.outcome.clone());
    check("source", record.bill.usage_source.name().to_owned(), expect.source.clone());
    if expect.source != "estimated" {
        check("usage", format!("{:?}", usage(record)), format!("{:?}", expect.usage));
        check("cost", record.bill.cost.0.to_string(), expect.cost_nanousd.unwrap_or(0).to_string());
    }
    if expect.source == "estimated" && !input_is_likely(case, record) {
        check("input", record.bill.usage.input_tokens.0.to_string(), "what the request says".to_owned());
    }
    if let Some([least, most]) = expect.output_between {
        let output = record.bill.usage.output_tokens.0;
        check(
            "output",
            if (least..=most).contains(&output) { "between".to_owned() } else { output.to_string() },
            "between".to_owned(),
        );
    }
    if let Some(model) = &expect.model_answered {
        check("model", record.bill.model.clone(), model.clone());
    }
    check("mismatch", record.bill.usage_mismatch.to_string(), expect.mismatch.to_string());
    if let Some(tier) = &expect.service_tier {
        check("service tier", format!("{:?}", record.bill.service_tier.as_deref()), format!("{:?}", Some(&**tier)));
    }
    let theirs = record.bill.provider_cost.map(|cost| cost.0);
    check("provider's cost", format!("{theirs:?}"), format!("{:?}", expect.provider_cost_nanousd));
    faults
}

/// Whether the input is what this request may come to, or what the answer tells: from a token for twelve bytes of what it says
/// to one for each byte of it. Of pictures and files, which are not text, nothing is said here.
fn input_is_likely(case: &Case, record: &Record) -> bool {
    fn text(value: &Value) -> u64 {
        match value {
            Value::String(text) => text.len() as u64,
            Value::Array(items) => items.iter().map(text).sum(),
            Value::Object(fields) => fields.values().map(text).sum(),
            _ => 0,
        }
    }
    let whole = case.request.to_string();
    let input = record.bill.usage.input_tokens.0;
    let holds_more = ["\"data\"", "image", "audio", "\"file"].iter().any(|word| whole.contains(word));
    // Bedrock's frames hold the model's own words in base64.
    let holds_more = holds_more || case.name.starts_with("bedrock_invoke");
    // A whole number of the answer, and no part of another one.
    let told = String::from_utf8_lossy(&case.bytes()).into_owned();
    let is_told = told.split(|letter: char| !letter.is_ascii_digit()).any(|number| number == input.to_string());
    holds_more || is_told || (input >= text(&case.request) / 12 && input <= whole.len() as u64)
}

/// One of a kind is shown for each case: the next byte mostly has the same.
fn assert_none(faults: &[String]) {
    let mut faults = faults.to_vec();
    faults.dedup_by_key(|fault| fault.replace(|char: char| char.is_ascii_digit(), ""));
    assert!(faults.is_empty(), "{} faults:\n{}", faults.len(), faults.join("\n"));
}

#[test]
fn every_case_is_counted_and_priced_as_it_says() {
    let policy = policy();
    let (mut all, mut refused) = (Vec::new(), 0);
    for case in cases() {
        match case.record(&policy, &[&case.bytes()], true) {
            Some(record) => all.extend(faults(&case, &record)),
            None => refused += 1,
        }
    }
    assert_none(&all);
    assert!(refused < 10, "{refused} cases were not tried at all");
}

#[test]
fn no_chunking_changes_what_a_case_comes_to() {
    let policy = policy();
    let mut faults = Vec::new();
    for case in cases() {
        let bytes = case.bytes();
        let Some(whole) = case.record(&policy, &[&bytes], true) else { continue };
        let mut check = |how: String, record: Option<Record>| {
            if record.as_ref() != Some(&whole) {
                faults.push(format!("{}: {how}: {record:?}\ninstead of {whole:?}", case.name));
            }
        };
        // Each length splits at every byte, once with each first piece; the last ones leave long pieces on both sides of a split.
        for length in [1, 2, 3, 5, 7, 11, 19, 37, 79, bytes.len().div_ceil(16).max(80)] {
            for first in 0..length.min(bytes.len()) {
                let (head, rest) = bytes.split_at(first);
                let pieces: Vec<&[u8]> = std::iter::once(head).chain(rest.chunks(length)).collect();
                check(format!("{first} bytes, then {length} at a time"), case.record(&policy, &pieces, true));
            }
        }
    }
    assert_none(&faults);
}

/// What was reported may be corrected downwards by what a cut takes away, so only an unreported whole bounds its parts.
#[test]
fn a_case_cut_anywhere_is_never_free_after_output_nor_more_than_its_whole() {
    let policy = policy();
    let mut faults = Vec::new();
    for case in cases().iter().filter(|case| case.expect.outcome == "success") {
        let bytes = case.bytes();
        let whole = case.record(&policy, &[&bytes], true).unwrap();
        let corrected =
            ["glm_sse_correction", "openai_json_duplicate_usage"].iter().any(|name| case.name.ends_with(name));
        let mut shown = Tokens(0);
        for cut in 0..bytes.len() {
            let record = case.record(&policy, &[&bytes[..cut]], false).unwrap();
            // A first byte is taken for a token until it is known better; and what is sold by the second needs none.
            if shown > Tokens(1)
                && record.bill.usage.audio_seconds == 0
                && record.bill.usage.output_tokens == Tokens(0)
                && whole.bill.usage.output_tokens > Tokens(0)
            {
                faults.push(format!("{}: cut at {cut}: output is forgotten", case.name));
            }
            shown = shown.max(record.bill.usage.output_tokens);
            // Of those that tell nothing. Until eight have come, snapshots are summed, and a line of NDJSON
            // counts by its bytes until it is over.
            let (output, in_pieces) = (record.bill.usage.output_tokens.0, !case.answer.ends_with(".json"));
            let most =
                case.expect.output_between.filter(|[least, most]| in_pieces && least < most).map(|[_, most]| most);
            if most.is_some_and(|most| output > 2 * most + 32) {
                faults
                    .push(format!("{}: cut at {cut}: {output} of output, far more than the whole may have", case.name));
            }
            let reported = record.bill.usage_source == UsageSource::Reported;
            if reported && !corrected && record.bill.usage.total_tokens > whole.bill.usage.total_tokens {
                faults.push(format!("{}: cut at {cut}: more than the whole", case.name));
            }
            if cut > 0
                && record.bill.usage.total_tokens == Tokens(0)
                && record.bill.usage.images + record.bill.usage.search_units + record.bill.usage.audio_seconds == 0
                && whole.bill.usage.total_tokens > Tokens(0)
            {
                faults.push(format!("{}: cut at {cut}: free", case.name));
            }
        }
    }
    assert_none(&faults);
}
