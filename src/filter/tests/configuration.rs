//! The configuration: taken whole in either form, or refused with the place that is wrong.

use super::*;
use crate::config::structure::tests::object_of;
use proxy_wasm::types::LogLevel;

#[test]
fn json_and_a_struct_say_the_same() {
    let limited = with_key("tenants", json!({"acme": {"limits": {"requests_per_minute": 1}}}));
    for bytes in [limited.to_string().into_bytes(), object_of(&limited)] {
        let gateway = Gateway::start();
        assert!(gateway.configure(&bytes), "{:?}", with(|host| host.log.clone()));
        answered(&admitted(&gateway, BODY));
        assert_eq!(cell().lifetime(), NanoUsd(COST));
        assert_eq!(refusal(&sent(&gateway, BODY)), ("429".into(), "rate_limited".into()));
    }
}

#[test]
fn a_wrong_configuration_is_refused_and_says_where() {
    let wrong = [
        (with_key("tenants", json!({"acme": {"tier": "platinum"}})), "platinum"),
        (with_key("tenants", json!({"acme": {"limits": {"requests_per_minut": 1}}})), "requests_per_minut"),
        (
            with_key("tenants", json!({"acme": {"limits": {"requests_per_minute": 0}}})),
            "tenants.acme.limits.requests_per_minute",
        ),
        (with_key("max_request_bytes", json!("many")), "max_request_bytes"),
        (with_key("on_contention", json!("perhaps")), "on_contention"),
    ];
    for (configuration, named) in wrong {
        for bytes in [configuration.to_string().into_bytes(), object_of(&configuration)] {
            let gateway = Gateway::start();
            assert!(!gateway.configure(&bytes), "{configuration}");
            let errors = with(|host| host.logged(LogLevel::Error).join("\n"));
            assert!(errors.contains(named), "{named} is not in {errors:?}");
        }
    }
    for bytes in [&b""[..], b"{", b"\xff\xff", b"[]", b"null"] {
        assert!(!Gateway::start().configure(bytes), "{bytes:?}");
        assert_eq!(with(|host| host.logged(LogLevel::Error).len()), 1, "{bytes:?}");
    }
}

#[test]
fn a_refused_update_leaves_the_one_before_in_force() {
    let gateway = Gateway::configured(&configuration());
    assert!(!gateway.configure(b"{}"));
    answered(&admitted(&gateway, BODY));
    assert_eq!(cell().lifetime(), NanoUsd(COST));
}

#[test]
fn an_exchange_keeps_the_configuration_it_began_with_and_the_cell_outlives_it() {
    let gateway = Gateway::configured(&configuration());
    let stream = admitted(&gateway, BODY);
    let mut dearer = configuration();
    dearer["prices"][0]["input_usd_per_1m_tokens"] = json!("100");
    dearer["tenants"] = json!({"acme": {"limits": {"requests_per_minute": 2}}});
    assert!(gateway.configure(dearer.to_string().as_bytes()));
    answered(&stream);
    assert_eq!(cell().lifetime(), NanoUsd(COST));
    answered(&admitted(&gateway, BODY));
    assert_eq!(cell().lifetime(), NanoUsd(COST + 10 * 100_000 + 5 * 2_000));
    assert_eq!(refusal(&sent(&gateway, BODY)).1, "rate_limited");
}

#[test]
fn an_exchange_that_outlives_its_configuration_still_moves_the_gauges() {
    let gauge = |name: &str| metric(&format!("tenant=.=acme;.;ai_gateway_{name}_nanousd"));
    let gateway = Gateway::configured(&configuration());
    let stream = admitted(&gateway, BODY);
    gateway.tick();
    assert!(gateway.configure(configuration().to_string().as_bytes()));
    answered(&stream);
    gateway.tick();
    assert_eq!((gauge("reserved"), gauge("spent_today"), active()), (0, COST, 0));
}

#[test]
fn the_gauges_are_right_after_a_reload() {
    let gauge = |name: &str| metric(&format!("tenant=.=acme;.;ai_gateway_{name}_nanousd"));
    let gateway = Gateway::configured(&configuration());
    answered(&admitted(&gateway, BODY));
    let stream = admitted(&gateway, BODY);
    gateway.tick();
    assert_eq!(gauge("spent_today"), COST);
    assert!(gateway.configure(configuration().to_string().as_bytes()));
    answered(&stream);
    gateway.drained();
    gateway.tick();
    assert_eq!((gauge("reserved"), gauge("spent_today")), (0, 2 * COST));
    with(|host| host.clock.0 += 86_400_000_000_000);
    gateway.tick();
    assert_eq!(gauge("spent_today"), 0);
}
