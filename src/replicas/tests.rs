use super::*;
use crate::limit::{Held, Rule};
use proptest::prelude::*;

fn rules(limits: &[(Guard, u64)]) -> Rules {
    let mut rules = Rules::default();
    for (guard, limit) in limits {
        rules.set(*guard, Rule { limit: Some(*limit), audit: false });
    }
    rules
}

const USD: u64 = 1_000_000_000;

#[test]
fn the_smallest_and_the_largest_budget_fit_the_service() {
    for (limit, expected, figure_of) in [
        (1_000, 1, 999),                           // $0.000001
        (USD, 1, 999_999_999),                     // $1
        (USD + 1, 10, 99_999_999),                 // one nano-dollar more
        (10 * USD, 10, 999_999_999),               // $10
        (1_000_000 * USD, 1_000_000, 999_999_999), // $1,000,000
        (1, 1, 0),
    ] {
        assert_eq!((unit(limit), figure(Guard::DayUsd, limit)), (expected, figure_of), "{limit}");
    }
    assert!(figure(Guard::MonthUsd, u64::MAX) <= 999_999_999);
}

proptest! {
    #[test]
    fn what_was_published_is_the_whole_units_of_all_that_was_charged(
        costs in prop::collection::vec(0..5_000_000u64, 1..200),
        power in 0..7u32,
        start in 0..u64::from(u32::MAX),
    ) {
        let unit = 10u64.pow(power);
        let (mut charged, mut said) = (start, 0);
        for cost in &costs {
            said += hits(unit, NanoUsd(charged), NanoUsd(charged + cost));
            charged += cost;
        }
        prop_assert_eq!(said, charged / unit - start / unit);
    }

    #[test]
    fn no_header_is_too_strange(limit: String, remaining: String, reset: String) {
        let names = STANDING.into_iter().zip([&limit, &remaining, &reset]).collect::<Vec<_>>();
        let headers = Headers::of(&names);
        let rules = rules(&[(Guard::RequestsPerMinute, 60), (Guard::TokensPerMinute, 100)]);
        let _ = standing(&rules, &headers, Standing::default());
    }
}

/// As Envoy writes them of the service's answer.
fn said_by_envoy(limit: &str, remaining: &str, reset: &str, by: &str) -> Headers {
    Headers::of(&[(STANDING[0], limit), (STANDING[1], remaining), (STANDING[2], reset), (REFUSED_BY, by)])
}

const NOW: UnixNanos = UnixNanos(1_800_000_000_000_000_000);
const RESERVED: Reservation = Reservation::of(Held {
    at: NOW,
    money_at: NOW,
    cost: NanoUsd(70),
    tokens: Tokens(9),
    expensive: false,
    counted: false,
    placed: true,
});

#[test]
fn a_refusal_reads_as_the_cell_would_say_it() {
    let rules = rules(&[
        (Guard::RequestsPerMinute, 60),
        (Guard::RequestsPerHour, 60),
        (Guard::TokensPerMinute, 5_001),
        (Guard::DayUsd, 10 * USD),
    ]);
    let refused = |limit, reset, by| refusal(&rules, &said_by_envoy(limit, "0", reset, by), &RESERVED, NOW);
    let said =
        |limit, reset, by| refused(limit, reset, by).map(|refusal| (refusal.guard, refusal.limit, refusal.needed));
    let listed = r#"60, 60;w=60;name="requests_per_minute", 60;w=3600;name="requests_per_hour""#;
    assert_eq!(said(listed, "37", "requests"), Some((Guard::RequestsPerMinute, 60, 1)));
    // Of two with the same figure, the one whose window can be as long.
    assert_eq!(said(listed, "61", "requests"), Some((Guard::RequestsPerHour, 60, 1)));
    assert_eq!(said("5000, 5000;w=60", "3", "requests"), Some((Guard::TokensPerMinute, 5_001, 9)));
    assert_eq!(said("", "", "day_usd"), Some((Guard::DayUsd, 10 * USD, 70)));
    // 2027-01-15, 08:00.
    assert_eq!(refused("", "", "day_usd").unwrap().retry_seconds(), Some(16 * 3_600));
    for unknown in
        [said("7", "3", "requests"), said("60", "3601", "requests"), said("60", "3", ""), said("", "", "month_usd")]
    {
        assert_eq!(unknown.filter(|(guard, ..)| *guard == Guard::MonthUsd), None);
    }
    assert_eq!(said("7", "3", "requests"), None);
}

#[test]
fn the_tighter_of_both_standings_is_shown() {
    let rules = rules(&[(Guard::RequestsPerMinute, 60), (Guard::TokensPerMinute, 101)]);
    let level = |remaining| Level { limit: 60, remaining, reset_seconds: 50 };
    let own = |remaining| Standing { requests: Some(level(remaining)), tokens: None };
    let said = |own| standing(&rules, &said_by_envoy("60, 60;w=60", "4", "37", ""), own).requests.unwrap();
    assert_eq!(said(own(20)), Level { limit: 60, remaining: 4, reset_seconds: 37 });
    assert_eq!(said(own(3)), level(3));
    let tokens = standing(&rules, &said_by_envoy("100, 100;w=60", "7", "37", ""), own(20));
    assert_eq!(tokens, Standing { tokens: Some(Level { limit: 101, remaining: 7, reset_seconds: 37 }), ..own(20) });
}
