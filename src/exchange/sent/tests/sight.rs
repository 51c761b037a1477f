//! Rules that hold where a provider may not see what they find: by the chain, wherever model and role stand.

use super::NOON;
use crate::attempt::Attempt;
use crate::exchange::tests::around;
use crate::exchange::{Around, Exchange, Opening, Step};
use crate::headers::Headers;
use crate::limit::cell::Cell;
use crate::llm::request::spliced;
use crate::outcome::{Outcome, Reply};
use crate::policy::Policy;
use crate::route::Sensitivity;
use proptest::prelude::*;
use serde_json::{Map, Value, json};

const PROVIDERS: [(&str, Sensitivity); 4] = [
    ("everybody", Sensitivity::Public),
    ("foreign", Sensitivity::Internal),
    ("near", Sensitivity::Confidential),
    ("own", Sensitivity::Restricted),
];

/// Models and who serves them, by rules.
fn policy(chains: &Value, rules: &Value) -> Policy {
    let provider = |(name, sensitivity): (&str, Sensitivity)| {
        (name.to_owned(), json!({"cluster": format!("c_{name}"), "sensitivity": sensitivity.name()}))
    };
    let models = chains.as_object().unwrap().iter().map(|(model, providers)| {
        let providers = providers.as_array().unwrap().iter();
        json!({"model": model, "providers": providers.map(|name| json!({"provider": name})).collect::<Vec<_>>()})
    });
    let config = json!({
        "tenants": {"acme": {"unlimited": ["request_usd", "day_usd"]}},
        "default_sensitivity": "public",
        "roles": ["chat", "code"],
        "role_models": {"chat": "m"},
        "providers": PROVIDERS.map(provider).into_iter().collect::<Map<_, _>>(),
        "models": models.collect::<Vec<_>>(),
        "virtual_models": if chains.get("dear").is_some() { json!({"auto": ["m", "dear"]}) } else { json!({}) },
        "prices": [
            {"model": "m", "input_usd_per_1m_tokens": "1", "output_usd_per_1m_tokens": "1"},
            {"model": "dear", "input_usd_per_1m_tokens": "9", "output_usd_per_1m_tokens": "9"},
        ],
        "content": {"rules": rules},
    });
    Policy::read(config.to_string().as_bytes()).unwrap_or_else(|error| panic!("{error}"))
}

/// What becomes of a request.
struct Gone {
    /// What each provider of its chain would get.
    sent: Result<Vec<(String, String)>, Reply>,
    /// Which rules have found something.
    found: Vec<String>,
}

impl Gone {
    fn of(policy: &Policy, path: &str, body: &str, size: usize) -> Self {
        Self::around(policy, path, body, size, around(None))
    }

    fn around(policy: &Policy, path: &str, body: &str, size: usize, around: Around<'_>) -> Self {
        let headers = [(":method", "POST"), (":path", path), ("x-tenant-id", "acme")];
        let Opening::Read(mut exchange) = Exchange::open(policy, &Headers::of(&headers), NOON) else {
            panic!("{path}")
        };
        body.as_bytes().chunks(size).for_each(|chunk| assert_eq!(exchange.body(policy, chunk), None));
        let demand = exchange.end_of_request(policy, around).unwrap();
        let text = |edits: &[_]| String::from_utf8(spliced(body.as_bytes(), edits)).unwrap();
        let sent = demand.map(|demand| {
            let decision = Cell::default().admit(&demand.tenant.rules, &demand.ask, NOON);
            match exchange.decided(policy, demand, Ok(decision), NOON) {
                Step::Forward(edits) => vec![(String::new(), text(&edits))],
                Step::Route(chain) => {
                    let legs = PROVIDERS.iter().filter_map(|(name, _)| Attempt::of(&chain.plan, name)).map(|it| it.leg);
                    legs.map(|leg| (leg.provider, text(&leg.edits), leg.length))
                        .inspect(|(_, sent, length)| assert_eq!(sent.len() as u64, *length))
                        .map(|(provider, sent, _)| (provider, sent))
                        .collect()
                }
                Step::Refuse(reply) => panic!("{reply:?}"),
            }
        });
        let looked = exchange.looked.map(|looked| looked.request.found).unwrap_or_default();
        Self { sent, found: looked.iter().map(|found| found.rule.to_string()).collect() }
    }
}

fn rule(name: &str, word: &str, action: &str, below: Option<Sensitivity>) -> Value {
    let mut rule = json!({"name": name, "words": [word], "action": action});
    if let Some(below) = below {
        rule["provider_sensitivity_below"] = json!(below.name());
    }
    rule
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(192))]

    /// Those that may not see the request are not of its chain.
    #[test]
    fn a_rule_holds_as_soon_as_one_of_its_chain_may_not_see_it(
        chain in prop::sample::subsequence(PROVIDERS.to_vec(), 1..=4).prop_shuffle(),
        below in prop::sample::select(Sensitivity::ALL[1..].to_vec()),
        said in prop::sample::select(Sensitivity::ALL.to_vec()),
        action in prop::sample::select(vec!["count", "mask", "restore", "refuse"]),
        by_role in any::<bool>(),
        of_role in any::<bool>(),
        turn in 0..4_usize,
        size in 1..150_usize,
    ) {
        let mut asked = rule("r", "Nordwind", action, Some(below));
        if of_role {
            asked["roles"] = json!(["chat"]);
        }
        let names: Vec<_> = chain.iter().map(|(name, _)| *name).collect();
        let policy = policy(&json!({"m": names}), &json!([asked, rule("all", "Adler", "mask", None)]));
        let mut members = [
            if by_role { r#""role":"chat""# } else { r#""model":"m""# }.to_owned(),
            r#""messages":[{"role":"user","content":"Nordwind, Adler"}]"#.to_owned(),
            format!(r#""sensitivity":"{}""#, said.name()),
            r#""max_tokens":9"#.to_owned(),
        ];
        members.rotate_left(turn);
        let Gone { sent, found } = Gone::of(&policy, "/api/ai/chat", &format!("{{{}}}", members.join(",")), size);
        let may_see: Vec<_> = chain.iter().map(|(_, sight)| *sight).filter(|sight| *sight >= said).collect();
        let holds = may_see.iter().any(|sight| *sight < below) && (by_role || !of_role);
        prop_assert_eq!(found.contains(&"r".to_owned()), holds);
        prop_assert_eq!(found.len(), 1 + usize::from(holds));
        match sent {
            Err(reply) => {
                let expected = if may_see.is_empty() { Outcome::ModelNotAllowed } else { Outcome::ContentRefused };
                prop_assert_eq!(reply.outcome, expected);
                prop_assert!(may_see.is_empty() || holds && action == "refuse");
            }
            Ok(sent) => {
                prop_assert!(!holds || action != "refuse");
                prop_assert_eq!(sent.len(), may_see.len());
                for (provider, sent) in sent {
                    prop_assert_eq!(sent.contains("Nordwind"), !holds || action == "count", "{}: {}", provider, sent);
                    prop_assert!(!sent.contains("Adler"), "{}: {}", provider, sent);
                }
            }
        }
    }
}

const CHAT: &str = "/v1/chat/completions";

fn asked(model: &str) -> String {
    let messages = r#"[{"role":"user","content":"Projekt Nordwind"}]"#;
    format!(r#"{{"messages":{messages},"max_tokens":9,"sensitivity":"public","model":"{model}"}}"#)
}

#[test]
fn a_rule_that_does_not_hold_hides_nothing_that_another_finds() {
    let rules = json!([
        rule("long", "Projekt Nordwind", "mask", Some(Sensitivity::Internal)),
        rule("short", "Nordwind", "mask", Some(Sensitivity::Restricted)),
    ]);
    for (provider, said, found) in [
        ("everybody", "\"[REDACTED_1]\"", Some("long")),
        ("foreign", "\"Projekt [REDACTED_1]\"", Some("short")),
        ("near", "\"Projekt [REDACTED_1]\"", Some("short")),
        ("own", "\"Projekt Nordwind\"", None),
    ] {
        let policy = policy(&json!({"m": [provider]}), &rules);
        let gone = Gone::of(&policy, CHAT, &asked("m"), 99);
        let sent = &gone.sent.unwrap()[0].1;
        assert!(sent.contains(said), "{provider}: {sent}");
        assert_eq!(gone.found, Vec::from_iter(found), "{provider}");
    }
}

#[test]
fn of_several_models_one_is_taken_whose_providers_may_see_it() {
    for (foreign, action, below, expected) in [
        ("own", "refuse", Sensitivity::Confidential, Ok("own")),
        ("own", "refuse", Sensitivity::Internal, Ok("foreign")),
        ("own", "mask", Sensitivity::Confidential, Ok("foreign")),
        ("near", "refuse", Sensitivity::Restricted, Err(Outcome::ContentRefused)),
    ] {
        let chains = json!({"m": ["foreign"], "dear": [foreign]});
        let policy = policy(&chains, &json!([rule("r", "Nordwind", action, Some(below))]));
        let Gone { sent, found } = Gone::of(&policy, CHAT, &asked("auto"), 99);
        let holds = action == "mask" || expected.is_err();
        assert_eq!(found.len(), usize::from(holds), "{action} {below:?}");
        match sent {
            Ok(sent) => assert_eq!(Ok(sent[0].0.as_str()), expected, "{action} {below:?}"),
            Err(reply) => {
                assert_eq!(Err(reply.outcome), expected);
                let message = String::from_utf8(reply.body).unwrap();
                assert!(
                    message.contains("`r`, does not let the request through to those who serve this model"),
                    "{message}"
                );
            }
        }
    }
}

/// Where Envoy's route leads to what is none of the providers, it may be anybody.
#[test]
fn a_provider_that_nobody_knows_may_see_what_everybody_may() {
    let config = json!({
        "tenants": {"acme": {}},
        "providers": {
            "own": {"cluster": "c_own", "sensitivity": "restricted"},
            "everybody": {"cluster": "c_everybody", "sensitivity": "public"},
        },
        "prices": [{"model": "m", "input_usd_per_1m_tokens": "1", "output_usd_per_1m_tokens": "1"}],
        "content": {"rules": [rule("r", "Nordwind", "mask", Some(Sensitivity::Internal))]},
    });
    let policy = Policy::read(config.to_string().as_bytes()).unwrap();
    for (cluster, masked) in
        [(Some("c_own"), false), (Some("c_everybody"), true), (Some("c_other"), true), (None, true)]
    {
        let gone = Gone::around(&policy, CHAT, &asked("m"), 99, around(cluster));
        assert_eq!(gone.sent.unwrap()[0].1.contains("[REDACTED_1]"), masked, "{cluster:?}");
        assert_eq!(gone.found.len(), usize::from(masked), "{cluster:?}");
    }
}
