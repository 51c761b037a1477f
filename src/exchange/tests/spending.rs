//! Streams that go on beyond their bound, held against the money that there is for them.

use super::*;
use crate::limit::Shares;
use crate::limit::accounts::{self, Cells, Effort, Whose};
use proptest::prelude::*;
use serde_json::{Value, json};
use std::cell::RefCell;

/// What the cell reserves for the stream below: 62 tokens of input at 150 nano-USD, and 50 of output at 600.
const RESERVED: u64 = 39_300;

/// The books of a tenant without groups.
struct Own<'a>(RefCell<&'a mut Cell>);

impl Cells for Own<'_> {
    fn change<T>(
        &self,
        _: Whose<'_>,
        _: Effort,
        mut change: impl FnMut(&mut Cell) -> (T, bool),
    ) -> Result<T, SwapLost> {
        let mut changed = self.0.borrow().clone();
        let (value, store) = change(&mut changed);
        if store {
            **self.0.borrow_mut() = changed;
        }
        Ok(value)
    }
}

/// A limit of the tenant's own.
fn by(guard: &'static str) -> crate::outcome::RefusedBy {
    crate::outcome::RefusedBy { guard, group: None, model_group: None }
}

/// With a day's budget of so many nano-USD.
fn house(overrun: &str, day: u64) -> Policy {
    adjusted(|policy| {
        policy["tenants"]["acme"] = json!({
            "overrun": overrun, "budgets": {"day_usd": NanoUsd(day).to_string()}, "unlimited": ["request_usd"],
        });
    })
}

fn body() -> String {
    BODY.replace("\"model\"", "\"stream\":true,\"stream_options\":{\"include_usage\":true},\"model\"")
}

/// A stream that is under way, on the books of `cell`.
fn begun(policy: &Policy, cell: &mut Cell) -> Exchange {
    let (mut exchange, demand) = asked(policy, "acme", &body());
    let demand = demand.unwrap();
    let decision = cell.admit(&demand.tenant.rules, &demand.ask, NOON);
    let Step::Forward(_) = exchange.decided(policy, demand, Ok(decision), NOON) else { panic!("was not sent on") };
    let headers = Headers::of(&[(":status", "200"), ("content-type", "text/event-stream")]);
    let head = AnswerHead { headers: &headers, from_provider: true, cluster: None, end_of_stream: false };
    exchange.answer_head(policy, &head);
    exchange
}

/// What the client gets of a chunk, and whether the answer was ended with it: as the filter does it.
fn passed(exchange: &mut Exchange, cell: &mut Cell, chunk: &[u8]) -> (Vec<u8>, bool) {
    let mut out = match exchange.answer_body(chunk, false, || NOON) {
        Passage::Unchanged => chunk.to_vec(),
        Passage::Replaced(bytes) => bytes,
    };
    assert!(exchange.interest().unwrap().follows);
    let Some(More { tenant, reservation, seen, .. }) = exchange.wants_more() else { return (out, false) };
    assert!(seen > reservation.cost);
    let own = Own(RefCell::new(cell));
    let extended = accounts::extend(&own, tenant.accounts(&[]), reservation, (seen, None), (Shares::WHOLE, 900), NOON);
    let Some(rejection) = exchange.extended(extended) else { return (out, false) };
    out.extend(exchange.end_answer(&rejection));
    assert!(exchange.is_ended());
    assert_eq!(exchange.answer_body(b"data: more\n\n", false, || NOON), Passage::Replaced(Vec::new()));
    assert!(exchange.wants_more().is_none());
    (out, true)
}

/// The whole of a stream, in chunks of so many bytes.
fn streamed(exchange: &mut Exchange, cell: &mut Cell, stream: &str, size: usize) -> (String, bool) {
    let mut out = Vec::new();
    for chunk in stream.as_bytes().chunks(size) {
        let (bytes, ended) = passed(exchange, cell, chunk);
        out.extend(bytes);
        if ended {
            return (String::from_utf8(out).unwrap(), true);
        }
    }
    (String::from_utf8(out).unwrap(), false)
}

fn closed(policy: &Policy, exchange: Exchange, cell: &mut Cell) -> crate::record::Record {
    let ending = Ending { status: 200, flags: Ending::RESET, sent: true, attempts: 1, ..Ending::default() };
    let Closed { settlement, record, experience } = exchange.close(policy, &ending, NOON);
    assert!(experience.is_none(), "nothing is learned of what was not reported to its end");
    let Settlement { reservation, came, .. } = settlement.unwrap();
    assert_eq!(reservation.cost, record.reserved);
    came.settle(cell, &reservation, 900, NOON);
    record
}

/// Eight bytes of text: a token at the least.
fn event() -> String {
    "data: {\"choices\":[{\"delta\":{\"content\":\"12345678\"}}],\"usage\":null}\n\n".to_owned()
}

/// The same, with what it came to so far.
fn counting(input: u64, nth: u64) -> String {
    format!(
        "data: {{\"choices\":[{{\"delta\":{{\"content\":\"four\"}}}}],\"usage\":{{\"prompt_tokens\":{input},\"completion_tokens\":{nth},\"total_tokens\":{}}}}}\n\n",
        nth + input
    )
}

#[test]
fn a_stream_without_money_is_ended_between_two_events_however_it_is_cut() {
    let policy = house("end", 40_000);
    let stream = event().repeat(100);
    for size in (1..200).chain([1_000, 3_000]) {
        let mut cell = Cell::default();
        let mut exchange = begun(&policy, &mut cell);
        assert_eq!(cell.levels(NOON, 900).reserved, NanoUsd(RESERVED));
        let (out, ended) = streamed(&mut exchange, &mut cell, &stream, size);
        assert!(ended, "in chunks of {size}");
        let (sent, last) = out.split_at(out.rfind("data: {\"error\"").unwrap());
        assert!(stream.starts_with(sent) && sent.ends_with("\n\n"), "in chunks of {size}");
        let error: Value = serde_json::from_str(last.trim_end().strip_prefix("data: ").unwrap()).unwrap();
        assert_eq!(error["error"]["code"], "budget_exhausted");
        assert_eq!(error["error"]["detail"]["guard"], "day_usd");
        // 35 tokens of input and 57 of output are what the money is for.
        let events = sent.len() / event().len();
        assert!((57..=58 + size.div_ceil(event().len())).contains(&events), "{events} in chunks of {size}");
        let record = closed(&policy, exchange, &mut cell);
        assert_eq!((record.outcome, record.overrun), (Outcome::BudgetExhausted, Some(by("day_usd"))));
        assert_eq!(record.bill.usage_source, UsageSource::Estimated);
        // What was seen, an unfinished event included, by what usually makes a token.
        let output = record.bill.usage.output_tokens.0;
        assert!((2 * events as u64..=2 * events as u64 + 2).contains(&output), "{output} for {events} events");
        let levels = cell.levels(NOON, 900);
        assert_eq!((levels.reserved, levels.spent_today), (NanoUsd(0), record.bill.cost));
    }
}

#[test]
fn with_money_it_goes_on_and_its_reservation_with_it() {
    for overrun in ["end", "audit"] {
        let policy = house(overrun, 1_000_000_000);
        let (mut cell, stream) = (Cell::default(), event().repeat(300));
        let mut exchange = begun(&policy, &mut cell);
        assert_eq!(streamed(&mut exchange, &mut cell, &stream, 100), (stream, false));
        let record = closed(&policy, exchange, &mut cell);
        assert_eq!((record.outcome, record.overrun), (Outcome::ClientClosed, None));
        // 185,250 nano-USD are certain.
        assert!((185_250..=4 * 185_250).contains(&record.reserved.0), "{}", record.reserved);
        let levels = cell.levels(NOON, 900);
        assert_eq!((levels.reserved, levels.spent_today), (NanoUsd(0), record.bill.cost));
    }
}

#[test]
fn an_audit_changes_no_byte_and_says_what_would_have_been() {
    let policy = house("audit", 40_000);
    let stream = event().repeat(100);
    for size in [1, 7, 64, 5_000] {
        let mut cell = Cell::default();
        let mut exchange = begun(&policy, &mut cell);
        assert!(!exchange.edits_answer());
        for chunk in stream.as_bytes().chunks(size) {
            assert_eq!(passed(&mut exchange, &mut cell, chunk), (chunk.to_vec(), false));
        }
        let record = closed(&policy, exchange, &mut cell);
        assert_eq!((record.outcome, record.overrun), (Outcome::ClientClosed, Some(by("day_usd"))));
    }
    // Where nobody asked for it, nobody looks.
    let policy = house("pass", 40_000);
    let mut exchange = begun(&policy, &mut Cell::default());
    exchange.answer_body(stream.as_bytes(), false, || NOON);
    assert!(exchange.interest() == Some(Interest { edits: false, follows: false }) && exchange.wants_more().is_none());
}

#[test]
fn what_has_said_that_it_is_over_is_not_ended() {
    let policy = house("end", RESERVED);
    let over = "data: {\"choices\":[{\"delta\":{},\"finish_reason\":\"stop\"}]}\n\n";
    let usage =
        "data: {\"choices\":[],\"usage\":{\"prompt_tokens\":10,\"completion_tokens\":900,\"total_tokens\":910}}\n\n";
    let mut cell = Cell::default();
    let mut exchange = begun(&policy, &mut cell);
    let stream = [&event().repeat(40), over, usage, "data: [DONE]\n\n"].concat();
    let (out, ended) = streamed(&mut exchange, &mut cell, &stream, 50);
    assert!(!ended && out.ends_with("data: [DONE]\n\n"), "{out}");
    // Whoever says so and goes on is ended all the same.
    let mut cell = Cell::default();
    let mut exchange = begun(&policy, &mut cell);
    assert!(streamed(&mut exchange, &mut cell, &[over, &event().repeat(100)].concat(), 50).1);
}

/// The rule holds it back: an address may go on behind it.
#[test]
fn what_a_rule_holds_back_is_dropped_with_the_rest() {
    let policy = adjusted(|policy| {
        policy["tenants"]["acme"] = json!({"overrun": "end", "budgets": {"day_usd": NanoUsd(40_000).to_string()}, "unlimited": ["request_usd"]});
        policy["content"] =
            json!({"rules": [{"name": "mails", "find": ["email"], "action": "mask", "on": ["answer"]}]});
    });
    let text = |said: &str| event().replace("12345678", said);
    for said in ["jo.doe@exam", "jo.doe@example.org"] {
        let long = "word ".repeat(200);
        let stream = [text("Mail "), text(said), text("ple.org"), text(&long)].concat();
        for size in [1, 9, 1_000, 10_000] {
            let mut cell = Cell::default();
            let mut exchange = begun(&policy, &mut cell);
            let (out, ended) = streamed(&mut exchange, &mut cell, &stream, size);
            assert!(ended && !out.contains("jo.doe"), "{size}: {out}");
            let events: Vec<_> = out.split_terminator("\n\n").collect();
            let is_json = |event: &&str| serde_json::from_str::<Value>(event.strip_prefix("data: ").unwrap()).is_ok();
            assert!(events.iter().all(is_json), "{size}: {out}");
            assert!(events.last().unwrap().contains("budget_exhausted"), "{size}: {out}");
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    /// Whatever a provider that keeps its bound says of what it counts, be its input a hundred times what was thought, and however its
    /// text is cut: it is not ended, and does not even ask, though nothing is left beside what was reserved for it.
    #[test]
    fn a_stream_within_its_bound_is_never_ended(
        tokens in prop::collection::vec(0..8_usize, 0..50),
        counts in any::<bool>(),
        input in 1..16_000_u64,
        size in 1..300_usize,
    ) {
        let policy = house("end", RESERVED);
        let mut cell = Cell::default();
        let mut exchange = begun(&policy, &mut cell);
        let events = (1..).zip(&tokens).map(|(nth, length)| {
            let event = if counts { counting(input, nth) } else { event() };
            event.replace("12345678", "12345678".get(..*length).unwrap()).replace("four", "12345678".get(..*length).unwrap())
        });
        let stream: String = events.collect();
        for chunk in stream.as_bytes().chunks(size) {
            exchange.answer_body(chunk, false, || NOON);
            prop_assert!(exchange.wants_more().is_none());
        }
    }

    /// Two streams of one tenant that count what they come to: together they cost no more than there was, but for the chunk in which
    /// each was ended; and what is settled is that, to the nano-USD.
    #[test]
    fn two_streams_pass_their_accounts_money_by_one_chunk_each_at_the_most(
        turns in prop::collection::vec((any::<bool>(), 1..6_u64), 1..200),
        day in 79_000..200_000_u64,
    ) {
        let policy = house("end", day);
        let mut cell = Cell::default();
        let mut streams = [0, 1].map(|_| Some((begun(&policy, &mut cell), 0)));
        let (mut spent, mut beyond) = (0, 0);
        for (which, events) in turns {
            let Some((exchange, sent)) = &mut streams[usize::from(which)] else { continue };
            let chunk: String = (1..=events).map(|nth| counting(10, *sent + nth)).collect();
            *sent += events;
            let (out, ended) = passed(exchange, &mut cell, chunk.as_bytes());
            prop_assert!(out.starts_with(chunk.as_bytes()));
            if ended {
                let (exchange, sent) = streams[usize::from(which)].take().unwrap();
                let record = closed(&policy, exchange, &mut cell);
                prop_assert_eq!(record.bill.cost, NanoUsd(10 * 150 + sent * 600));
                spent += record.bill.cost.0;
                beyond += events * 600;
            }
        }
        let under_way: u64 = streams.iter().flatten().map(|(_, sent)| 10 * 150 + sent * 600).sum();
        prop_assert!(spent + under_way <= day + beyond, "{} and {} of {}, {} beyond", spent, under_way, day, beyond);
        prop_assert_eq!(cell.levels(NOON, 900).spent_today, NanoUsd(spent));
    }
}

/// Whoever was sent on without a reservation asks for one as soon as it passes its bound.
#[test]
fn a_stream_without_a_reservation_gets_one() {
    let mut policy = house("end", 1_000_000);
    policy.on_contention = OnContention::Allow;
    let (mut exchange, demand) = asked(&policy, "acme", &body());
    exchange.decided(&policy, demand.unwrap(), Err(SwapLost), NOON);
    let headers = Headers::of(&[(":status", "200"), ("content-type", "text/event-stream")]);
    let head = AnswerHead { headers: &headers, from_provider: true, cluster: None, end_of_stream: false };
    exchange.answer_head(&policy, &head);
    let mut cell = Cell::default();
    assert!(!passed(&mut exchange, &mut cell, event().repeat(50).as_bytes()).1);
    assert_eq!(cell.levels(NOON, 900).reserved, NanoUsd(0));
    assert!(!passed(&mut exchange, &mut cell, event().as_bytes()).1);
    assert!(cell.levels(NOON, 900).reserved > NanoUsd(0));
    // A race that was lost ends nothing.
    exchange.answer_body(event().repeat(200).as_bytes(), false, || NOON);
    assert!(exchange.wants_more().is_some() && exchange.extended(Err(SwapLost)).is_none());
    assert!(!exchange.is_ended() && exchange.wants_more().is_some());
    let record = closed(&policy, exchange, &mut cell);
    assert_eq!(cell.levels(NOON, 900).reserved, NanoUsd(0));
    assert!(record.reserved > NanoUsd(0));
}
