use super::*;
use proptest::prelude::*;

const MINUTE: u64 = 60_000_000_000;
const START: u64 = 1_700_000_000_000_000_000;

fn any_span() -> impl Strategy<Value = Span> {
    prop::sample::select(vec![Span::Minute, Span::Hour, Span::Day])
}

/// How long until the next request, in ten-thousandths of the window: at once, soon, or as long as the last refusal said.
#[derive(Clone, Debug)]
enum Gap {
    Nanos(u64),
    Parts(u64),
    AsTold { early: u64 },
}

fn any_gap() -> impl Strategy<Value = Gap> {
    prop_oneof![
        (0u64..200_000).prop_map(Gap::Nanos),
        (0u64..1_500).prop_map(Gap::Parts),
        (0u64..2).prop_map(|early| Gap::AsTold { early }),
    ]
}

impl Gap {
    fn nanos(&self, span: Span, said: u64) -> u64 {
        match self {
            Self::Nanos(nanos) => *nanos,
            Self::Parts(parts) => span.length() / 10_000 * parts,
            Self::AsTold { early } => said.saturating_sub(*early),
        }
    }
}

/// Asks by these gaps: when it was admitted, and of each refusal the window, the time and the wait that was given.
fn asked(span: Span, limit: u64, gaps: &[Gap]) -> (Vec<u64>, Vec<(Window, u64, u64)>) {
    let (mut window, mut now, mut said) = (Window::default(), START, 0);
    let (mut admitted, mut refused) = (Vec::new(), Vec::new());
    for gap in gaps {
        now += gap.nanos(span, said);
        window.roll(span, UnixNanos(now));
        said = 0;
        if window.used() < limit {
            window.add(span, UnixNanos(now), 1);
            admitted.push(now);
        } else {
            said = window.wait(span, UnixNanos(now), limit, 1).unwrap();
            refused.push((window.clone(), now, said));
        }
    }
    (admitted, refused)
}

proptest! {
    /// The documented promise, over random arrivals: any interval of a window's length admits at most the limit.
    #[test]
    fn no_interval_of_the_length_admits_more_than_the_limit(
        span in any_span(),
        limit in 1u64..40,
        gaps in prop::collection::vec(any_gap(), 1..400),
    ) {
        let (admitted, _) = asked(span, limit, &gaps);
        for (first, start) in admitted.iter().enumerate() {
            let inside = admitted[first..].iter().filter(|at| **at < start + span.length()).count() as u64;
            prop_assert!(inside <= limit, "{inside} admitted within a window, limit {limit}");
        }
    }

    /// `wait` is the truth: one nanosecond earlier the request does not fit, at that moment it does. And it is never longer
    /// than the window is.
    #[test]
    fn waiting_as_asked_is_enough_and_not_too_much(
        span in any_span(),
        limit in 1u64..20,
        gaps in prop::collection::vec(any_gap(), 1..100),
    ) {
        for (mut early, now, said) in asked(span, limit, &gaps).1 {
            prop_assert!(said > 0 && said <= span.length() + span.step(), "{said}");
            let mut late = early.clone();
            early.roll(span, UnixNanos(now + said - 1));
            late.roll(span, UnixNanos(now + said));
            prop_assert!(early.used() >= limit && late.used() < limit);
        }
    }

    /// The same of amounts that are reserved and, some time later, become what they came to.
    #[test]
    fn no_interval_holds_more_tokens_than_the_limit_however_late_they_are_settled(
        span in any_span(),
        limit in 1u64..1_000,
        steps in prop::collection::vec((any_gap(), 1u64..300, 0u64..=100, any::<prop::sample::Index>()), 1..300),
    ) {
        let (mut window, mut now, mut said) = (Window::default(), START, 0);
        let (mut open, mut settled) = (Vec::<(u64, u64, u64)>::new(), Vec::<(u64, u64)>::new());
        for (gap, size, percent, which) in steps {
            now += gap.nanos(span, said);
            window.roll(span, UnixNanos(now));
            said = 0;
            if window.used() + size <= limit {
                window.reserve(span, UnixNanos(now), size);
                open.push((now, size, size * percent / 100));
            } else {
                said = window.wait(span, UnixNanos(now), limit, size).unwrap_or(0);
            }
            if !open.is_empty() && percent % 2 == 0 {
                let (at, reserved, actual) = open.swap_remove(which.index(open.len()));
                window.settle(span, UnixNanos(at), reserved, actual, UnixNanos(now));
                settled.push((at, actual));
            }
        }
        settled.extend(open.iter().map(|(at, reserved, _)| (*at, *reserved)));
        for (start, _) in &settled {
            let inside = settled.iter().filter(|(at, _)| (*start..start + span.length()).contains(at));
            let sum: u64 = inside.map(|(_, amount)| amount).sum();
            prop_assert!(sum <= limit, "{sum} within a window, limit {limit}");
        }
        // And nothing is left of them a window later.
        window.roll(span, UnixNanos(now + span.length() + span.step()));
        prop_assert_eq!(window.used(), 0);
    }
}

/// The wait of a burst that came at once is the window's length, not up to a sub-window more.
#[test]
fn a_burst_waits_for_no_longer_than_the_window_is() {
    for start in [START, START + 1, START + 2_999_999_999, START + 1_500_000_000] {
        let mut window = Window::default();
        for request in 0..60 {
            let now = UnixNanos(start + request * 100_000);
            window.roll(Span::Minute, now);
            window.add(Span::Minute, now, 1);
        }
        let now = UnixNanos(start + 60 * 100_000);
        window.roll(Span::Minute, now);
        let wait = window.wait(Span::Minute, now, 60, 1).unwrap();
        assert!(wait <= MINUTE, "{wait}");
        assert!(window.clears_in(Span::Minute, now) <= MINUTE);
    }
}

#[test]
fn a_worker_whose_clock_is_behind_counts_into_the_newest_sub_window() {
    let mut window = Window::default();
    let now = UnixNanos(10 * MINUTE);
    window.roll(Span::Minute, now);
    window.add(Span::Minute, now, 1);
    let behind = UnixNanos(10 * MINUTE - 5_000_000);
    window.roll(Span::Minute, behind);
    window.add(Span::Minute, behind, 1);
    assert_eq!(window.used(), 2);
}

#[test]
fn settling_corrects_where_it_was_reserved_and_only_debt_outlives_the_window() {
    let mut window = Window::default();
    let at = UnixNanos(10 * MINUTE);
    window.roll(Span::Minute, at);
    window.add(Span::Minute, at, 1_000);
    window.settle(Span::Minute, at, 1_000, 40, at);
    assert_eq!(window.used(), 40);
    let later = UnixNanos(20 * MINUTE);
    window.roll(Span::Minute, later);
    window.settle(Span::Minute, at, 1_000, 400, later);
    assert_eq!(window.used(), 0);
    window.settle(Span::Minute, at, 1_000, 1_400, later);
    assert_eq!(window.used(), 400);
}

/// A minute and a moment later, while its sub-window is still in the ring.
#[test]
fn what_has_left_the_window_is_not_brought_back_by_its_settlement() {
    let mut window = Window::default();
    let at = UnixNanos(10 * MINUTE);
    window.roll(Span::Minute, at);
    window.reserve(Span::Minute, at, 1_000);
    let later = UnixNanos(11 * MINUTE + 1_000_000);
    window.roll(Span::Minute, later);
    assert_eq!(window.used(), 0);
    window.settle(Span::Minute, at, 1_000, 900, later);
    assert_eq!(window.used(), 0);
}

/// A client that keeps asking for exactly its limit is refused once a window at most, and waits for a sub-window at most.
#[test]
fn a_client_at_exactly_its_limit_is_late_by_a_twentieth_of_the_window() {
    const TOKENS: u64 = 31;
    const LIMIT: u64 = 6 * TOKENS;
    let (mut window, mut refused, mut late) = (Window::default(), 0, 0);
    for nth in 0..30 {
        let due = START + nth * 10_000_000_000;
        let mut now = due + late;
        window.roll(Span::Minute, UnixNanos(now));
        while window.used() + TOKENS > LIMIT {
            let wait = window.wait(Span::Minute, UnixNanos(now), LIMIT, TOKENS).unwrap();
            assert!(wait <= Span::Minute.part(), "{nth}: {wait}");
            refused += 1;
            now += wait;
            window.roll(Span::Minute, UnixNanos(now));
        }
        window.add(Span::Minute, UnixNanos(now), TOKENS);
        late = now - due;
        assert!(late <= Span::Minute.part(), "{nth}: {late}");
    }
    assert!(refused <= 6, "{refused} of 30 refused");
}
