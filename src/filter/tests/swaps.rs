//! Two workers and one cell: nobody's write is lost, and a lost race decides again.

use super::*;
use proxy_wasm::types::LogLevel;

#[test]
fn the_first_write_of_a_cell_loses_to_a_rival_that_inserted_it() {
    let gateway = Gateway::configured(&configuration());
    rivals(1, 7);
    let stream = admitted(&gateway, BODY);
    assert_eq!((requests(cell()), cell().lifetime()), (2, NanoUsd(7)));
    answered(&stream);
    assert_eq!((cell().lifetime(), reserved()), (NanoUsd(7 + COST), NanoUsd(0)));
    assert_eq!(metric("ai_gateway_cell_races_total"), 1);
}

#[test]
fn every_rivals_write_survives_ours() {
    for times in [1, 2, 10, 63] {
        let gateway = Gateway::configured(&configuration());
        answered(&admitted(&gateway, BODY));
        rivals(times, 1);
        let stream = admitted(&gateway, BODY);
        assert_eq!(requests(cell()), u64::from(times) + 2);
        rivals(times, 1);
        answered(&stream);
        assert_eq!(cell().lifetime(), NanoUsd(2 * COST + 2 * u64::from(times)));
        assert_eq!(reserved(), NanoUsd(0));
        assert_eq!(metric("ai_gateway_cell_races_total"), 2 * u64::from(times));
    }
}

#[test]
fn a_race_lost_to_the_last_place_is_a_refusal() {
    let limited = json!({"acme": {"limits": {"requests_per_minute": 1}}});
    let gateway = Gateway::configured(&with_key("tenants", limited));
    rivals(1, 0);
    let stream = sent(&gateway, BODY);
    assert_eq!(refusal(&stream), ("429".into(), "rate_limited".into()));
    let reply = stream.reply().unwrap();
    assert!(reply.header("retry-after").is_some());
    assert_eq!(reply.json()["error"]["detail"]["used"], 1);
    stream.end();
    assert_eq!((requests(cell()), reserved(), cell().lifetime()), (1, NanoUsd(0), NanoUsd(0)));
    assert_eq!(refused("acme", "gpt-4o-mini", "rate_limited"), 1);
    assert_eq!(active(), 0);
}

#[test]
fn a_race_lost_to_the_last_of_the_money_is_a_refusal() {
    let gateway = Gateway::configured(&configuration());
    rivals(1, 1_000_000_000);
    let stream = sent(&gateway, BODY);
    assert_eq!(refusal(&stream), ("402".into(), "daily_budget_exceeded".into()));
    assert_eq!(stream.reply().unwrap().header("retry-after"), None);
}

#[test]
fn a_refusal_writes_nothing() {
    let limited = json!({"acme": {"limits": {"requests_per_minute": 1}}});
    let gateway = Gateway::configured(&with_key("tenants", limited));
    let first = admitted(&gateway, BODY);
    let before = with(|host| host.shared(KEY).map(<[u8]>::to_vec));
    let stream = sent(&gateway, BODY);
    stream.end();
    assert_eq!(refusal(&stream).0, "429");
    assert_eq!(with(|host| host.shared(KEY).map(<[u8]>::to_vec)), before);
    answered(&first);
}

#[test]
fn a_starved_swap_denies_by_default() {
    let gateway = Gateway::configured(&configuration());
    rivals(u32::MAX, 0);
    let stream = sent(&gateway, BODY);
    assert_eq!(refusal(&stream), ("500".into(), "internal_error".into()));
    stream.end();
    assert_eq!((metric("ai_gateway_cell_starved_total"), metric("ai_gateway_cell_races_total")), (1, 64));
    assert_eq!(refused("acme", "gpt-4o-mini", "internal_error"), 1);
    assert_eq!(reserved(), NanoUsd(0));
}

#[test]
fn a_starved_swap_may_be_allowed_and_is_charged_when_it_is_over() {
    let gateway = Gateway::configured(&with_key("on_contention", json!("allow")));
    rivals(u32::MAX, 0);
    let stream = admitted(&gateway, BODY);
    assert_eq!((metric("ai_gateway_cell_starved_total"), active()), (1, 1));
    with(|host| host.no_rivals());
    answered(&stream);
    assert_eq!((cell().lifetime(), reserved()), (NanoUsd(COST), NanoUsd(0)));
    assert_eq!((ended("success"), active()), (1, 0));
}

#[test]
fn a_settlement_outlasts_hundreds_of_rivals_and_its_loss_is_logged() {
    let gateway = Gateway::configured(&configuration());
    let stream = admitted(&gateway, BODY);
    rivals(500, 0);
    answered(&stream);
    assert_eq!((cell().lifetime(), metric("ai_gateway_settlements_lost_total")), (NanoUsd(COST), 0));

    let stream = admitted(&gateway, BODY);
    rivals(u32::MAX, 0);
    answered(&stream);
    assert_eq!((cell().lifetime(), metric("ai_gateway_settlements_lost_total")), (NanoUsd(COST), 1));
    let lost = with(|host| host.logged(LogLevel::Error).join("\n"));
    assert!(lost.contains("0.00002 USD") && lost.contains("acme"), "{lost:?}");
}

#[test]
fn a_fault_that_comes_with_every_request_is_logged_once_a_minute() {
    let gateway = Gateway::configured(&configuration());
    let forgets = || {
        with(|host| host.set_shared(KEY.to_owned(), b"\0".to_vec(), 0).unwrap());
        answered(&admitted(&gateway, BODY));
        with(|host| host.logged(LogLevel::Warn).iter().map(|line| (*line).to_owned()).collect::<Vec<_>>())
    };
    (0..5).for_each(|_| assert_eq!(forgets().len(), 1));
    with(|host| host.clock.0 += 60_000_000_000);
    let warnings = forgets();
    assert!(warnings.len() == 2 && warnings[1].ends_with("(4 more since the last line of this kind)"), "{warnings:?}");
}

#[test]
fn a_cell_of_an_unknown_version_begins_anew_with_a_warning() {
    for (nth, bytes) in (0..).zip([&b"NXC\x07and what a later version wrote"[..], b"\0", &cell_cut_short()]) {
        let gateway = Gateway::configured(&configuration());
        // Each in a minute of its own: the log says a thing once in a minute.
        with(|host| host.clock.0 += nth * 61_000_000_000);
        with(|host| host.set_shared(KEY.to_owned(), bytes.to_vec(), 0).unwrap());
        let stream = admitted(&gateway, BODY);
        assert_eq!(requests(cell()), 1);
        answered(&stream);
        assert_eq!(cell().lifetime(), NanoUsd(COST));
        assert_eq!(metric("ai_gateway_cell_unknown_version_total"), 1);
        let warnings = with(|host| host.logged(LogLevel::Warn).join("\n"));
        assert!(warnings.contains("acme") && warnings.lines().count() == 1, "{warnings:?}");
    }
}

fn cell_cut_short() -> Vec<u8> {
    let mut bytes = Cell::default().encode().to_vec();
    bytes.pop();
    bytes
}

/// While new code is taken up, what was sent on by the old one still ends there: it goes on with its own cell, and neither
/// forgets the other's.
#[test]
fn the_books_of_the_version_before_go_on_under_a_key_of_their_own() {
    let digits = include_bytes!("../../limit/cell/first_version.hex").iter().filter(|byte| byte.is_ascii_hexdigit());
    let digits: Vec<u8> = digits.copied().collect();
    let byte = |pair: &[u8]| u8::from_str_radix(std::str::from_utf8(pair).unwrap(), 16).unwrap();
    let old: Vec<u8> = digits.chunks(2).map(byte).collect();
    let spent = Cell::decode(&old).unwrap().lifetime().0;
    let gateway = Gateway::configured(&configuration());
    with(|host| host.set_shared("nexus:cell:acme".to_owned(), old.clone(), 0).unwrap());
    for exchange in 1..3 {
        answered(&admitted(&gateway, BODY));
        assert_eq!(cell().lifetime(), NanoUsd(spent + exchange * COST));
    }
    assert_eq!(with(|host| host.shared("nexus:cell:acme").map(<[u8]>::to_vec)), Some(old));
    assert_eq!(metric("ai_gateway_cell_unknown_version_total"), 0);
}
