use super::*;
use crate::limit::Guard;
use serde_json::Value;

fn refusal(guard: Guard, retry_ms: Option<u64>) -> Refusal {
    Refusal {
        guard,
        limit: 10_000_000,
        used: 4,
        reserved: 2,
        left: 9_999_994,
        needed: 10_000_000,
        retry_ms,
        beside: None,
        in_flight: false,
    }
}

fn header<'a>(reply: &'a Reply, name: &str) -> Option<&'a str> {
    reply.headers.iter().find(|(header, _)| *header == name).map(|(_, value)| value.as_str())
}

#[test]
fn a_budget_refusal_is_never_slept_on_and_shows_its_figures() {
    let rejection = Rejection::limit(&refusal(Guard::DayUsd, Some(3_600_000)), &Standing::default(), None);
    let reply = rejection.in_dialect(Dialect::OpenAi, "id-1");
    assert_eq!((reply.status, header(&reply, "retry-after")), (402, None));
    let body: Value = serde_json::from_slice(&reply.body).unwrap();
    assert_eq!(body["error"]["code"], "daily_budget_exceeded");
    assert_eq!(body["error"]["detail"]["limit"], "0.01");
    assert_eq!(body["error"]["detail"]["used"], "0.000000004");
    assert_eq!(body["error"]["detail"]["reset_seconds"], 3_600);
}

#[test]
fn a_rate_refusal_always_says_when_and_long_waits_are_not_for_sleeping() {
    for guard in Guard::ALL.into_iter().filter(|guard| !guard.is_money()) {
        for (wait, retry, should) in [
            (Some(1), ("1", "1"), None),
            (Some(59_999), ("60", "59999"), None),
            (Some(60_001), ("61", "60001"), Some("false")),
            (None, ("60", "60000"), Some("false")),
        ] {
            let reply =
                Rejection::limit(&refusal(guard, wait), &Standing::default(), None).in_dialect(Dialect::OpenAi, "");
            let said = (header(&reply, "retry-after"), header(&reply, "retry-after-ms"));
            assert_eq!((reply.status, said), (429, (Some(retry.0), Some(retry.1))));
            assert_eq!(header(&reply, "x-should-retry"), should);
        }
    }
}

#[test]
fn what_is_refused_for_good_says_so_and_what_may_pass_later_does_not() {
    use Outcome::*;
    for (outcome, status) in [
        (InvalidRequest, 400),
        (TenantMissing, 401),
        (DailyBudgetExceeded, 402),
        (TenantUnknown, 403),
        (ModelNotAllowed, 403),
        (ModelNotFound, 404),
        (ModelUnpriced, 404),
        (ResponseNotFound, 404),
        (RequestTooLarge, 413),
        (UnsupportedEncoding, 415),
        (RateLimited, 429),
        (InternalError, 500),
        (ProviderUnavailable, 503),
    ] {
        let reply = Rejection::plain(outcome, "no").in_dialect(Dialect::Anthropic, "");
        let expected = (status < 500 && status != 429).then_some("false");
        assert_eq!((reply.status, header(&reply, "x-should-retry")), (status, expected));
    }
}

#[test]
fn a_models_name_is_shown_bounded_and_printable() {
    assert_eq!(shown("gpt-9"), "gpt-9");
    assert_eq!(shown("a\r\nb\u{1b}[31m"), "a\u{fffd}\u{fffd}b\u{fffd}[31m");
    assert_eq!(shown(&"ä".repeat(LONGEST_NAME)), "ä".repeat(LONGEST_NAME));
    assert_eq!(shown(&"ä".repeat(300)).chars().count(), LONGEST_NAME + 1);
}
