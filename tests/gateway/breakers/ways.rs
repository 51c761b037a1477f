//! What a tenant may do, or two together, to shut a provider for the others.

use std::time::Duration;

use crate::client::Answer;

use super::{AT_ONCE, House, faulty};

/// Fifteen ways to make a provider look as if it failed, each many times, at once and again.
#[tokio::test(flavor = "multi_thread")]
async fn no_tenant_opens_a_breaker_for_the_others() {
    let house = House::build("breakers-twelve-ways", &[]).await;
    house.is_unharmed("nothing").await;
    let served = |answers: Vec<Answer>, way: &str| {
        assert!(answers.iter().all(|answer| answer.status == 200 && !answer.broken), "{way}: {answers:?}");
    };
    let way = "answers in one piece that take longer than a stream may keep silent";
    served(house.many(&[faulty("delay_ms=2500")]).await, way);
    house.is_unharmed(way).await;

    let way = "streams that begin too late";
    let given_up = house.many(&[faulty("delay_ms=2500").stream()]).await;
    assert!(given_up.iter().all(|answer| answer.status == 504), "{given_up:?}");
    house.is_unharmed(way).await;

    let way = "streams that stop";
    let stopped = house.many(&[faulty("tokens=9,hang_after=2").stream()]).await;
    assert!(stopped.iter().all(|answer| answer.status == 200 && answer.broken), "{stopped:?}");
    house.is_unharmed(way).await;

    let way = "bodies that a provider chokes on";
    let choke = [500, 501, 502, 503, 504, 520, 529].map(|status| faulty(&format!("status={status}")));
    let choked = house.many(&choke).await;
    assert!(choked.iter().all(|answer| answer.status >= 500), "{choked:?}");
    house.is_unharmed(way).await;

    let way = "a quota used up";
    let limited = house.many(&[faulty("status=429")]).await;
    assert!(limited.iter().all(|answer| answer.status == 429), "{limited:?}");
    house.is_unharmed(way).await;

    let way = "refusals of every other kind";
    let refused = [400, 401, 402, 403, 404, 405, 408, 409, 413, 421, 422, 425, 426, 451, 499];
    house.many(&refused.map(|status| faulty(&format!("status={status}")))).await;
    house.is_unharmed(way).await;

    let way = "streams that are left in the middle";
    for _ in 0..AT_ONCE {
        house.leave(&faulty("tokens=100,gap_ms=20").stream(), None).await;
    }
    house.is_unharmed(way).await;

    let way = "requests that are left before an answer";
    for asked in [faulty("delay_ms=2500"), faulty("delay_ms=2500").stream()] {
        for _ in 0..AT_ONCE {
            house.leave(&asked, Some(Duration::from_millis(150))).await;
        }
    }
    house.is_unharmed(way).await;

    let way = "answers that trickle";
    served(house.many(&[faulty("tokens=10,gap_ms=200").stream()]).await, way);
    house.is_unharmed(way).await;

    let way = "huge answers, as good ones and as errors";
    served(house.many(&[faulty("big=3000000")]).await, way);
    house.many(&[faulty("big=3000000,failed=400")]).await;
    house.is_unharmed(way).await;

    let way = "answers that break off one after the other";
    for asked in [faulty("tokens=9,cut=2").stream(), faulty("cut=2")] {
        for _ in 0..AT_ONCE {
            assert!(house.of("acme", &asked).await.broken);
        }
    }
    house.is_unharmed(way).await;

    let way = "answers that break off at once";
    let broken = house.many(&[faulty("tokens=9,gap_ms=50,cut=2").stream(), faulty("cut=2")]).await;
    assert!(broken.iter().all(|answer| answer.broken), "{broken:?}");
    house.is_unharmed(way).await;

    let way = "requests that are hung up on, one after the other and at once";
    for _ in 0..AT_ONCE {
        assert_eq!(house.of("acme", &faulty("reset")).await.status, 503);
    }
    house.is_unharmed(way).await;
    let late = [faulty("reset"), faulty("delay_ms=1500,reset"), faulty("delay_ms=300,reset").stream()];
    let hung_up = house.many_of(&["acme", "friend", "acme"], &late).await;
    assert!(hung_up.iter().all(|answer| answer.status == 503), "{hung_up:?}");
    house.is_unharmed(way).await;

    let way = "bodies of two tenants that a provider chokes on";
    let choked = house.many_of(&["acme", "friend"], &choke).await;
    assert!(choked.iter().all(|answer| answer.status >= 500), "{choked:?}");
    house.is_unharmed(way).await;
    for _ in 0..AT_ONCE {
        for tenant in ["acme", "friend"] {
            assert_eq!(house.of(tenant, &faulty("status=500")).await.status, 500);
        }
    }
    house.is_unharmed(way).await;

    let way = "headers that tell Envoy to hurry, or what to retry";
    let slow = faulty("delay_ms=300");
    let hurry = [
        ("x-envoy-upstream-rq-timeout-ms", "1"),
        ("x-envoy-upstream-rq-per-try-timeout-ms", "1"),
        ("x-envoy-upstream-stream-duration-ms", "1"),
        ("x-envoy-expected-rq-timeout-ms", "1"),
        ("x-envoy-hedge-on-per-try-timeout", "true"),
        ("x-envoy-retry-on", "5xx,retriable-4xx"),
        ("x-envoy-max-retries", "9"),
        ("x-envoy-immediate-health-check-fail", "true"),
        ("x-nexus-stream", "1"),
        ("x-nexus-own-failure", "0"),
        ("grpc-timeout", "1m"),
        ("expect", "100-continue"),
        ("te", "trailers"),
    ];
    served(house.many(&hurry.map(|(name, value)| slow.clone().header(name, value))).await, way);
    house.is_unharmed(way).await;
    assert_eq!(house.gateway.dead_vms().await, 0);
    let open = house.gateway.stats().await.sum("ai_gateway_circuit_breaker_state", &[]);
    assert_eq!(open, 0, "what clients and dashboards see of it");
}
