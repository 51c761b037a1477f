use super::*;
use crate::limit::{Rule, Share, Shares};
use crate::price::Ceiling;
use crate::units::PicoUsdPerToken;
use proptest::prelude::*;

const NOON: UnixNanos = UnixNanos(1_800_000_000_000_000_000);

fn after(now: UnixNanos, seconds: u64) -> UnixNanos {
    UnixNanos(now.0 + seconds * 1_000_000_000)
}

fn rules(limits: &[(Guard, u64)]) -> Rules {
    let mut rules = Rules::default();
    for (guard, limit) in limits {
        rules.set(*guard, Rule { limit: Some(*limit), audit: false });
    }
    rules
}

/// 1 nano-USD a token, in and out.
fn ask(input: u64, bound: Bound) -> Ask {
    let rate = PicoUsdPerToken(1_000);
    Ask {
        input: Tokens(input),
        ceiling: Ceiling { input: rate, output: rate, ..Ceiling::default() },
        bound,
        choices: 1,
        expensive_model: false,
        expensive_over: None,
        lease_seconds: 900,
        shares: Shares::WHOLE,
    }
}

fn client(bound: u64) -> Bound {
    Bound::Client(Tokens(bound))
}

#[test]
fn a_cell_comes_back_as_it_was_stored_and_anything_else_is_unknown() {
    let mut cell = Cell::default();
    let decision = cell.admit(&Rules::default(), &ask(7, client(9)), NOON);
    let reservation = decision.verdict.unwrap().reservation;
    cell.settle(&reservation, NanoUsd(5), Tokens(5), 900, after(NOON, 70));
    let bytes = cell.encode();
    assert_eq!((bytes.len(), Cell::decode(&bytes)), (ENCODED, Ok(cell)));
    assert!(bytes.len() < 1_000);
    for wrong in [&bytes[..bytes.len() - 1], &[], &[&bytes[..], &[0]].concat(), b"NXC\x02"] {
        assert_eq!(Cell::decode(wrong), Err(UnknownVersion));
    }
}

/// A rollout that brings a guard, and the way back.
#[test]
fn a_cell_of_more_or_fewer_windows_keeps_its_money() {
    let mut cell = Cell::default();
    let reservation = cell.admit(&Rules::default(), &ask(7, client(9)), NOON).verdict.unwrap().reservation;
    cell.settle(&reservation, NanoUsd(5), Tokens(5), 900, after(NOON, 70));
    let bytes = cell.encode();
    let (windows, money) = bytes.split_at(bytes.len() - MONEY);
    let newer = [windows, &[7; window::ENCODED], money].concat();
    assert_eq!(Cell::decode(&newer).as_ref(), Ok(&cell));
    let older = [&windows[..windows.len() - window::ENCODED], money].concat();
    *cell.windows.last_mut().unwrap() = Window::default();
    assert_eq!(Cell::decode(&older), Ok(cell));
}

#[test]
fn a_refusal_takes_nothing() {
    let rules = rules(&[(Guard::RequestsPerMinute, 5), (Guard::DayUsd, 10)]);
    let mut cell = Cell::default();
    assert!(cell.admit(&rules, &ask(1, client(5)), NOON).verdict.is_ok());
    let before = cell.clone();
    let refusal = cell.admit(&rules, &ask(1, client(5)), NOON).verdict.unwrap_err();
    assert_eq!((refusal.guard, refusal.reserved, refusal.left, refusal.needed), (Guard::DayUsd, 6, 4, 6));
    assert_eq!(cell, before);
}

#[test]
fn an_open_bound_becomes_what_may_still_be_spent() {
    let rules = rules(&[(Guard::RequestUsd, 50), (Guard::DayUsd, 70)]);
    let open = Bound::Open { at_least: Tokens(16), at_most: Tokens(4_096) };
    let mut cell = Cell::default();
    let first = cell.admit(&rules, &ask(10, open), NOON).verdict.unwrap();
    assert_eq!((first.per_choice, first.reservation.cost), (Tokens(40), NanoUsd(50)));
    let refusal = cell.admit(&rules, &ask(10, open), NOON).verdict.unwrap_err();
    assert_eq!((refusal.guard, refusal.left, refusal.needed), (Guard::DayUsd, 20, 26));
    let two = Ask { choices: 2, ..ask(10, open) };
    assert_eq!(Cell::default().admit(&rules, &two, NOON).verdict.unwrap().per_choice, Tokens(20));
}

/// A default bound that is larger than the minute's limit is cut to what is left, so that no request waits for ever.
#[test]
fn an_open_bound_is_never_more_than_the_minute_has_left() {
    let rules = rules(&[(Guard::TokensPerMinute, 186)]);
    let bound = Bound::Open { at_least: Tokens(16), at_most: Tokens(4_096) };
    let (mut cell, mut refused, mut now) = (Cell::default(), 0, NOON);
    for nth in 0..30 {
        let admitted = loop {
            match cell.admit(&rules, &ask(15, bound), now).verdict {
                Ok(admitted) => break admitted,
                Err(refusal) => {
                    refused += 1;
                    now.0 += refusal.retry_ms.expect("a time at which it fits") * 1_000_000;
                }
            }
        };
        assert!((16..=171).contains(&admitted.per_choice.0), "{nth}: {admitted:?}");
        cell.settle(&admitted.reservation, NanoUsd(31), Tokens(31), 900, after(now, 1));
        now = after(now, 10);
    }
    // As of a client that names its bound: about once a minute, when its first leaves late by what a sub-window is long.
    assert!(refused <= 5, "{refused} of 30 were refused at first");
}

#[test]
fn an_audited_guard_counts_and_lets_through() {
    let mut rules = rules(&[(Guard::RequestUsd, 1)]);
    rules.set(Guard::RequestsPerMinute, Rule { limit: Some(1), audit: true });
    let mut cell = Cell::default();
    let free = Ask { ceiling: Ceiling::default(), ..ask(1, client(1)) };
    assert!(cell.admit(&rules, &free, NOON).audit.iter().next().is_none());
    let decision = cell.admit(&rules, &free, NOON);
    assert!(decision.verdict.is_ok());
    assert_eq!(decision.audit.iter().collect::<Vec<_>>(), [Guard::RequestsPerMinute]);
}

#[test]
fn expensive_requests_have_a_window_of_their_own() {
    let rules = rules(&[(Guard::ExpensivePerMinute, 1)]);
    let mut cell = Cell::default();
    let dear = Ask { expensive_over: Some(NanoUsd(5)), ..ask(1, client(5)) };
    assert!(cell.admit(&rules, &dear, NOON).verdict.is_ok());
    assert_eq!(cell.admit(&rules, &dear, NOON).verdict.unwrap_err().guard, Guard::ExpensivePerMinute);
    assert!(cell.admit(&rules, &Ask { expensive_over: Some(NanoUsd(6)), ..dear }, NOON).verdict.is_ok());
}

#[test]
fn debt_is_kept_and_nothing_more_is_admitted_until_the_period_ends() {
    let rules = rules(&[(Guard::DayUsd, 100)]);
    let mut cell = Cell::default();
    let admitted = cell.admit(&rules, &ask(1, client(9)), NOON).verdict.unwrap();
    cell.settle(&admitted.reservation, NanoUsd(250), Tokens(250), 900, NOON);
    let refusal = cell.admit(&rules, &ask(1, client(0)), NOON).verdict.unwrap_err();
    assert_eq!((refusal.used, refusal.left), (250, 0));
    let tomorrow = after(NOON, refusal.retry_seconds().unwrap());
    assert!(cell.admit(&rules, &ask(1, client(9)), tomorrow).verdict.is_ok());
}

proptest! {
    /// Under any interleaving of admissions and settlements: reserved is the sum of what is open, spent the sum of
    /// what was settled, and together they pass the budget only by debt.
    #[test]
    fn spent_is_the_sum_of_costs_and_reserved_the_sum_of_what_is_open(
        steps in prop::collection::vec((any::<bool>(), 1u64..30, 0u64..30, any::<prop::sample::Index>(), 0u64..2), 1..120),
    ) {
        let rules = rules(&[(Guard::DayUsd, 200)]);
        let (mut cell, mut now) = (Cell::default(), NOON);
        let (mut open, mut spent, mut debt) = (Vec::<Reservation>::new(), 0u64, 0u64);
        for (arrives, size, cost, which, wait) in steps {
            now = after(now, wait);
            if arrives || open.is_empty() {
                if let Ok(admitted) = cell.admit(&rules, &ask(size, client(size)), now).verdict {
                    open.push(admitted.reservation);
                }
            } else {
                let reservation = open.swap_remove(which.index(open.len()));
                debt += cost.saturating_sub(reservation.cost.0);
                cell.settle(&reservation, NanoUsd(cost), Tokens(cost), 900, now);
                spent += cost;
            }
            let reserved: u64 = open.iter().map(|reservation| reservation.cost.0).sum();
            let levels = cell.levels(now, 900);
            prop_assert_eq!(levels.reserved, NanoUsd(reserved));
            prop_assert_eq!((levels.spent_today, cell.lifetime()), (NanoUsd(spent), NanoUsd(spent)));
            prop_assert!(spent + reserved <= 200 + debt);
        }
    }
}

#[test]
fn what_is_under_way_holds_no_more_than_its_share_of_a_budget() {
    let rules = rules(&[(Guard::DayUsd, 100)]);
    let quarter = Shares { in_flight: Share { part: 1, of: 4 }, ..Shares::WHOLE };
    let asks = |bound| Ask { shares: quarter, ..ask(1, client(bound)) };
    let mut cell = Cell::default();
    // The first may be as dear as it likes, or nothing dear would ever pass.
    let dear = cell.admit(&rules, &asks(89), NOON).verdict.unwrap().reservation;
    let refusal = cell.admit(&rules, &asks(4), NOON).verdict.unwrap_err();
    assert_eq!((refusal.in_flight, refusal.retry_seconds(), refusal.left), (true, Some(1), 0));
    cell.settle(&dear, NanoUsd(10), Tokens(10), 900, NOON);
    for _ in 0..5 {
        assert!(cell.admit(&rules, &asks(4), NOON).verdict.is_ok());
    }
    assert!(cell.admit(&rules, &asks(0), NOON).verdict.unwrap_err().in_flight);
    // Above the budget itself it is the budget that refuses.
    let refusal = cell.admit(&rules, &asks(89), NOON).verdict.unwrap_err();
    assert!(!refusal.in_flight && refusal.retry_seconds() > Some(1));
}

#[test]
fn what_is_taken_back_was_never_there() {
    let rules = rules(&[(Guard::RequestsPerMinute, 2), (Guard::ExpensivePerMinute, 2), (Guard::DayUsd, 100)]);
    let asks = Ask { expensive_model: true, ..ask(1, client(9)) };
    let mut cell = Cell::default();
    assert!(cell.admit(&rules, &asks, NOON).verdict.is_ok());
    let before = cell.clone();
    for _ in 0..3 {
        let reservation = cell.admit(&rules, &asks, NOON).verdict.unwrap().reservation;
        cell.settle(&reservation, NanoUsd::ZERO, Tokens(0), 900, NOON);
        cell.withdraw(&reservation);
        assert_eq!(cell, before);
    }
}

#[test]
fn a_part_of_a_limit_refuses_by_the_part() {
    let rules = rules(&[(Guard::RequestsPerMinute, 5), (Guard::RequestUsd, 60), (Guard::DayUsd, 100)]);
    let third = Share { part: 1, of: 3 };
    let asks =
        |bound| Ask { shares: Shares { requests: third, budgets: third, ..Shares::WHOLE }, ..ask(1, client(bound)) };
    let refused = |cell: &mut Cell, bound| cell.admit(&rules, &asks(bound), NOON).verdict.unwrap_err();
    let mut cell = Cell::default();
    let refusal = refused(&mut cell, 33);
    assert_eq!((refusal.guard, refusal.limit), (Guard::DayUsd, 33));
    assert!(cell.admit(&rules, &asks(20), NOON).verdict.is_ok());
    let refusal = refused(&mut cell, 1);
    assert_eq!((refusal.guard, refusal.limit), (Guard::RequestsPerMinute, 1));
    // Less than one is one, or a small limit would be none.
    assert_eq!(third.of(1), 1);
}

/// Written by the code of version 1: a charge of the month before, one of today, two open reservations, three requests within
/// the last minute.
const FIRST_VERSION_CELL: &str = include_str!("first_version.hex");

#[test]
fn books_of_the_first_version_go_on() {
    let digits: Vec<u8> = FIRST_VERSION_CELL.bytes().filter(u8::is_ascii_hexdigit).collect();
    let bytes: Vec<u8> =
        (digits.chunks(2)).map(|pair| u8::from_str_radix(std::str::from_utf8(pair).unwrap(), 16).unwrap()).collect();
    let now = after(NOON, 2_678_450);
    let mut cell = Cell::decode(&bytes).unwrap();
    let levels = cell.levels(now, 900);
    assert_eq!(
        (levels.spent_today, levels.spent_this_month, levels.reserved),
        (NanoUsd(77), NanoUsd(77), NanoUsd(1_512))
    );
    assert_eq!(cell.charged(now), Charged { day: NanoUsd(77), month: NanoUsd(77), ever: NanoUsd(123_456_866) });
    let used = [Guard::RequestsPerMinute, Guard::ExpensivePerMinute, Guard::TokensPerMinute]
        .map(|guard| cell.window(guard).map(Window::used));
    assert_eq!(used, [Some(3), Some(1), Some(1_589)]);
    // What its slots don't tell is taken for the latest that it may be: the promise holds over the change as well.
    let limits = rules(&[(Guard::RequestsPerMinute, 3)]);
    let wait = cell.admit(&limits, &ask(1, client(1)), now).verdict.unwrap_err().retry_ms.unwrap();
    assert!((10_000..=13_000).contains(&wait), "{wait}");
    let open = Held {
        at: after(NOON, 2_678_401),
        money_at: after(NOON, 2_678_401),
        cost: NanoUsd(1_500),
        tokens: Tokens(1_500),
        expensive: true,
        counted: false,
        placed: true,
    };
    cell.settle(&open, NanoUsd(1_000), Tokens(1_000), 900, now);
    assert_eq!((cell.levels(now, 900).reserved, cell.lifetime()), (NanoUsd(12), NanoUsd(123_457_866)));
    assert_eq!(Cell::decode(&cell.encode()), Ok(cell));
    assert_eq!(Cell::decode(&bytes[1..]), Err(UnknownVersion));
    assert_eq!(Cell::decode(&bytes[..bytes.len() - 1]), Err(UnknownVersion));
}

/// Sixty in a moment: a client that sleeps for less than a minute only is given less than one.
#[test]
fn a_burst_against_a_minutes_limit_is_given_less_than_a_minute() {
    let rules = rules(&[(Guard::RequestsPerMinute, 60)]);
    for (begins, apart) in [(0, 0), (1, 1), (2_999_999_000, 17), (1_234_567_891, 1_000_000)] {
        let mut cell = Cell::default();
        let at = |request: u64| UnixNanos(NOON.0 + begins + request * apart);
        for request in 0..60 {
            assert!(cell.admit(&rules, &ask(1, client(1)), at(request)).verdict.is_ok());
        }
        let refusal = cell.admit(&rules, &ask(1, client(1)), at(60)).verdict.unwrap_err();
        let wait = refusal.retry_ms.unwrap();
        assert!(wait < 60_000 && refusal.retry_seconds() <= Some(60), "{wait}");
        let back = UnixNanos(at(60).0 + (wait + 2) * 1_000_000);
        assert!(cell.admit(&rules, &ask(1, client(1)), back).verdict.is_ok());
    }
}

/// What a stream has that was admitted with 10 nano-USD.
fn open(cell: &mut Cell, rules: &Rules) -> Reservation {
    cell.admit(rules, &ask(1, client(9)), NOON).verdict.unwrap().reservation
}

#[test]
fn a_reservation_grows_by_as_much_again_or_by_what_is_left_and_is_settled_once() {
    for (limits, seen, grown) in [
        (&[][..], 11, Ok(22)),
        (&[(Guard::DayUsd, 100)], 11, Ok(22)),
        (&[(Guard::DayUsd, 25)], 11, Ok(15)),
        (&[(Guard::MonthUsd, 21)], 11, Ok(11)),
        (&[(Guard::DayUsd, 20)], 11, Err((Guard::DayUsd, 10, 10))),
        (&[(Guard::RequestUsd, 12), (Guard::DayUsd, 100)], 11, Ok(12)),
        (&[(Guard::RequestUsd, 12), (Guard::DayUsd, 100)], 13, Err((Guard::RequestUsd, 0, 12))),
        // No money: a window of tokens refuses no stream that has begun.
        (&[(Guard::TokensPerMinute, 20)], 11, Ok(22)),
    ] {
        let rules = rules(limits);
        let mut cell = Cell::default();
        let mut stream = open(&mut cell, &rules);
        // Another is under way.
        let other = open(&mut cell, &rules);
        let before = cell.clone();
        let extension = cell.extend(&rules, &stream, NanoUsd(seen), Shares::WHOLE, 900, after(NOON, 2));
        let refusal = |refusal: Refusal| (refusal.guard, refusal.reserved, refusal.left);
        assert_eq!(extension.verdict.map(|cost| cost.0).map_err(refusal), grown, "{limits:?}");
        match extension.verdict {
            Ok(cost) => stream.extend(cost, after(NOON, 2)),
            Err(_) => cell = before,
        }
        assert_eq!(cell.levels(NOON, 900).reserved, other.cost.plus(stream.cost), "{limits:?}");
        cell.settle(&stream, NanoUsd(seen), Tokens(seen), 900, after(NOON, 5));
        let levels = cell.levels(NOON, 900);
        assert_eq!((levels.reserved, levels.spent_today), (other.cost, NanoUsd(seen)), "{limits:?}");
    }
}

#[test]
fn an_audited_budget_says_that_it_had_no_more_and_lets_it_grow() {
    let mut rules = rules(&[(Guard::MonthUsd, 1_000)]);
    rules.set(Guard::DayUsd, Rule { limit: Some(15), audit: true });
    let mut cell = Cell::default();
    let stream = open(&mut cell, &rules);
    let extension = cell.extend(&rules, &stream, NanoUsd(16), Shares::WHOLE, 900, NOON);
    assert_eq!(extension.verdict, Ok(NanoUsd(32)));
    assert_eq!(extension.audit.iter().collect::<Vec<_>>(), [Guard::DayUsd]);
}

/// What grew past midnight is the new day's, all of it: reserved, settled, and never in both.
#[test]
fn a_stream_that_grows_past_midnight_or_its_lease_is_reserved_and_charged_in_one_day() {
    let rules = rules(&[(Guard::DayUsd, 100)]);
    for seconds in [1, 70, 901, 2_000, 57_600, 100_000, 200_000] {
        let mut cell = Cell::default();
        let mut stream = open(&mut cell, &rules);
        let now = after(NOON, seconds);
        let grown = cell.extend(&rules, &stream, NanoUsd(40), Shares::WHOLE, 900, now).verdict.unwrap();
        stream.extend(grown, now);
        assert_eq!(cell.levels(now, 900).reserved, NanoUsd(80), "after {seconds} s");
        let end = after(now, 60);
        cell.settle(&stream, NanoUsd(41), Tokens(41), 900, end);
        let levels = cell.levels(end, 900);
        assert_eq!((levels.reserved, levels.spent_today), (NanoUsd(0), NanoUsd(41)), "after {seconds} s");
        assert_eq!(cell.lifetime(), NanoUsd(41));
    }
}

proptest! {
    /// Streams of one tenant that ask whenever they have passed what they have: together they never hold more than the budget.
    #[test]
    fn streams_that_grow_together_never_hold_more_than_the_budget(
        steps in prop::collection::vec((0..3_usize, 1..40_u64), 1..80),
    ) {
        const BUDGET: u64 = 200;
        let rules = rules(&[(Guard::DayUsd, BUDGET)]);
        let mut cell = Cell::default();
        let mut streams: Vec<_> = (0..3).map(|_| (Some(open(&mut cell, &rules)), 0)).collect();
        let mut settled = 0;
        let mut over = 0;
        for (nth, more) in steps {
            let (stream, seen) = &mut streams[nth];
            let Some(reservation) = stream else { continue };
            *seen += more;
            if *seen <= reservation.cost.0 {
                continue;
            }
            match cell.clone().extend(&rules, reservation, NanoUsd(*seen), Shares::WHOLE, 900, NOON).verdict {
                Ok(_) => {
                    let grown = cell.extend(&rules, reservation, NanoUsd(*seen), Shares::WHOLE, 900, NOON).verdict.unwrap();
                    reservation.extend(grown, NOON);
                }
                // It is ended; what passed in this chunk is charged.
                Err(_) => {
                    cell.settle(reservation, NanoUsd(*seen), Tokens(0), 900, NOON);
                    settled += *seen;
                    over += more;
                    *stream = None;
                }
            }
            let levels = cell.levels(NOON, 900);
            let held: u64 = streams.iter().filter_map(|(stream, _)| stream.as_ref()).map(|stream| stream.cost.0).sum();
            prop_assert_eq!((levels.reserved.0, levels.spent_today.0), (held, settled));
            prop_assert!(held + settled <= BUDGET + over, "{} and {} of {}, {} over", held, settled, BUDGET, over);
        }
    }
}

#[test]
fn what_went_on_unasked_takes_nobody_elses_place_out_of_a_window() {
    let rules = rules(&[(Guard::RequestsPerMinute, 2)]);
    let mut cell = Cell::default();
    for _ in 0..2 {
        assert!(cell.admit(&rules, &ask(1, client(9)), NOON).verdict.is_ok());
    }
    let unasked = Held::nothing(NOON);
    cell.settle(&unasked, NanoUsd::ZERO, Tokens(0), 900, NOON);
    cell.withdraw(&unasked);
    assert!(cell.admit(&rules, &ask(1, client(9)), NOON).verdict.is_err());
}

#[test]
fn what_is_in_flight_is_counted_where_it_is_limited_and_released_by_every_end() {
    let rules = rules(&[(Guard::InFlight, 3)]);
    let mut cell = Cell::default();
    let admit = |cell: &mut Cell, now| cell.admit(&rules, &ask(1, client(9)), now).verdict;
    let mut open: Vec<_> = (0..3).map(|_| admit(&mut cell, NOON).unwrap().reservation).collect();
    let refusal = admit(&mut cell, NOON).unwrap_err();
    assert_eq!((refusal.guard, refusal.limit, refusal.used, refusal.left), (Guard::InFlight, 3, 3, 0));
    assert_eq!((refusal.needed, refusal.retry_ms, refusal.in_flight), (1, Some(1_000), false));
    // Settled, or given back: either is an end.
    cell.settle(&open.pop().unwrap(), NanoUsd(5), Tokens(5), 900, after(NOON, 70));
    let given_back = open.pop().unwrap();
    cell.settle(&given_back, NanoUsd::ZERO, Tokens(0), 900, after(NOON, 70));
    cell.withdraw(&given_back);
    assert_eq!(cell.levels(after(NOON, 70), 900).in_flight, 1);
    for _ in 0..2 {
        open.push(admit(&mut cell, after(NOON, 130)).unwrap().reservation);
    }
    assert!(admit(&mut cell, after(NOON, 130)).is_err());
    // Those that grow keep their places past their leases; whoever died has none.
    let mut grown = open.pop().unwrap();
    let cost = cell.extend(&rules, &grown, NanoUsd(40), Shares::WHOLE, 900, after(NOON, 800)).verdict.unwrap();
    grown.extend(cost, after(NOON, 800));
    assert_eq!(cell.levels(after(NOON, 1_200), 900).in_flight, 1);
    cell.settle(&grown, NanoUsd(40), Tokens(40), 900, after(NOON, 1_200));
    for late in open {
        cell.settle(&late, NanoUsd(1), Tokens(1), 900, after(NOON, 1_200));
    }
    assert_eq!(cell.levels(after(NOON, 1_200), 900).in_flight, 0);
}

/// Code that knows nothing of the counts takes them for a window that it doesn't know; and one that has a window more takes them for
/// one that ended long ago.
#[test]
fn a_cell_with_counts_is_read_by_who_knows_nothing_of_them_and_has_none_where_none_are() {
    let mut cell = Cell::default();
    let plain = cell.admit(&Rules::default(), &ask(7, client(9)), NOON).verdict.unwrap().reservation;
    assert!(!plain.counted && cell.encode().len() == ENCODED);
    let limited = rules(&[(Guard::InFlight, 3)]);
    let counted = cell.admit(&limited, &ask(7, client(9)), NOON).verdict.unwrap().reservation;
    let bytes = cell.encode();
    assert_eq!((bytes.len(), Cell::decode(&bytes).as_ref()), (ENCODED + window::ENCODED, Ok(&cell)));
    let mut unknown = Window::decode(&mut &bytes[bytes.len() - MONEY - window::ENCODED..]).unwrap();
    unknown.roll(Span::Minute, NOON);
    assert_eq!(unknown.used(), 0);
    // Written by somebody who left them out: what ends counts no further down than nothing.
    let (windows, money) = bytes.split_at(bytes.len() - MONEY);
    let without = [&windows[..windows.len() - window::ENCODED], money].concat();
    let mut cell = Cell::decode(&without).unwrap();
    cell.settle(&counted, NanoUsd(5), Tokens(5), 900, NOON);
    cell.settle(&plain, NanoUsd(5), Tokens(5), 900, NOON);
    assert_eq!((cell.levels(NOON, 900).in_flight, cell.encode().len()), (0, ENCODED));
}

/// Somebody's clock was ahead, by minutes or by days, and is set right in the middle of the day: nothing is admitted twice for it, and
/// nobody waits for a day that isn't.
#[test]
fn a_clock_that_is_set_back_opens_no_budget_and_locks_nobody_out() {
    const DAY: u64 = 86_400;
    let midnight = UnixNanos(NOON.0 / (DAY * 1_000_000_000) * DAY * 1_000_000_000);
    let rules = rules(&[(Guard::DayUsd, 100), (Guard::InFlight, 3)]);
    let admit =
        |cell: &mut Cell, now| cell.admit(&rules, &ask(0, client(40)), now).verdict.map_err(|refused| refused.guard);
    for ahead in [90, 3_600, 20 * 3_600, DAY, 2 * DAY, 40 * DAY] {
        let mut cell = Cell::default();
        let now = |seconds: u64| after(midnight, 20 * 3_600 + seconds);
        let before = admit(&mut cell, now(ahead)).unwrap().reservation;
        cell.settle(&before, NanoUsd(40), Tokens(40), 900, now(ahead + 1));
        // The clock is right from here on.
        let held = admit(&mut cell, now(2)).unwrap_or_else(|guard| panic!("{ahead}: {guard:?}")).reservation;
        assert_eq!(admit(&mut cell, now(3)).err(), Some(Guard::DayUsd), "{ahead}: what is set aside counts");
        cell.settle(&held, NanoUsd(40), Tokens(40), 900, now(4));
        assert_eq!(admit(&mut cell, now(5)).err(), Some(Guard::DayUsd), "{ahead}: what was spent counts");
        let free = rules_of_places(&rules);
        let places = (0..5).filter(|_| cell.admit(&free, &ask(0, client(0)), now(6)).verdict.is_ok()).count();
        assert_eq!(places, 3, "{ahead}: places in flight count");
        let tomorrow = if ahead == DAY || ahead == 20 * 3_600 { 2 * DAY } else { DAY };
        assert!(admit(&mut cell, after(midnight, tomorrow + 3_700)).is_ok(), "{ahead}: the next day is a new one");
    }
}

/// Of a month, what was spent before the clock went wrong counts as well; and what a worker left that died meanwhile lapses.
#[test]
fn a_clock_that_was_a_month_ahead_forgets_nothing_of_this_one() {
    let last_day = UnixNanos(1_801_353_600_000_000_000);
    assert_eq!(Calendar::Month.number(after(last_day, 86_400)), Calendar::Month.number(last_day) + 1);
    let rules = rules(&[(Guard::MonthUsd, 100), (Guard::InFlight, 1)]);
    let mut cell = Cell::default();
    let spend = |cell: &mut Cell, now: UnixNanos| {
        let held = cell.admit(&rules, &ask(0, client(40)), now).verdict.map_err(|refused| refused.guard)?.reservation;
        cell.settle(&held, NanoUsd(40), Tokens(40), 900, now);
        Ok::<_, Guard>(())
    };
    let noon = after(last_day, 43_200);
    assert_eq!(spend(&mut cell, noon), Ok(()));
    assert_eq!(spend(&mut cell, after(noon, 2 * 86_400)), Ok(()));
    assert_eq!(spend(&mut cell, after(noon, 60)), Err(Guard::MonthUsd));
    for ahead in [3_600, 20 * 3_600, 3 * 86_400] {
        let mut cell = Cell::default();
        let free = rules_of_places(&rules);
        let dies = |cell: &mut Cell, now| cell.admit(&free, &ask(0, client(0)), now).verdict.is_ok();
        assert!(dies(&mut cell, after(noon, ahead)) && dies(&mut cell, noon), "{ahead}");
        assert!(
            !dies(&mut cell, after(noon, 60)) && dies(&mut cell, after(noon, 1_000)),
            "{ahead}: it lapses in its time"
        );
    }
}

fn rules_of_places(rules: &Rules) -> Rules {
    let mut of_places = Rules::default();
    of_places.set(Guard::InFlight, rules.get(Guard::InFlight));
    of_places
}
