//! Rules about texts: what is wrong with them, and for whom they hold.

use super::{read, refusal, refused, with};
use crate::llm::texts::Place;
use crate::policy::Policy;
use crate::policy::content::{Action, Case, Class};
use crate::route::Sensitivity;
use std::rc::Rc;

fn rule(rule: &str) -> String {
    rules(&format!(r#"{{"name":"r",{rule}}}"#))
}

fn rules(rules: &str) -> String {
    with(&format!(r#""roles":["chat","code"],"content":{{"rules":[{rules}]}}"#))
}

#[test]
fn each_flaw_of_a_rule_says_where_it_is_and_what_would_be_right() {
    refused([
        (rule(r#""action":"mask""#), "content.rules[0]: it looks for nothing: write `find`, `patterns` or `words`"),
        (rule(r#""find":["email"]"#), "content.rules[0]: missing field `action`"),
        (rules(r#"{"find":["email"],"action":"mask"}"#), "content.rules[0]: missing field `name`"),
        (
            rule(r#""find":["email"],"action":"drop""#),
            "content.rules[0].action: unknown variant `drop`, expected one of `count`, `mask`, `restore`, `refuse`",
        ),
        (
            rule(r#""find":["email"],"action":"restore","on":["answer"]"#),
            "content.rules[0].action: what is restored in an answer is what its request had: let the rule look at requests alone, or write `count`, `mask` or `refuse`",
        ),
        (
            rule(r#""find":["email"],"action":"mask","on":[]"#),
            "content.rules[0].on: an empty list looks nowhere; leave it out to look at requests",
        ),
        (
            rule(r#""find":["email"],"action":"mask","places":[]"#),
            "content.rules[0].places: an empty list looks nowhere; leave it out to look everywhere",
        ),
        (
            rule(r#""find":["email"],"action":"mask","on":["response"]"#),
            "content.rules[0].on[0]: unknown variant `response`, expected `request` or `answer`",
        ),
        (
            rule(r#""find":["email"],"action":"mask","roles":["chat","ops"]"#),
            "content.rules[0].roles: unknown role `ops`, expected one of `chat`, `code`",
        ),
        (
            rule(r#""find":["email"],"action":"mask","roles":["chat"],"on":["request","answer"]"#),
            "content.rules[0].roles: an answer says nothing of a role: leave `roles` out, or let the rule look at requests alone",
        ),
        (
            rule(r#""find":["email"],"action":"mask","provider_sensitivity_below":"secret""#),
            "content.rules[0].provider_sensitivity_below: unknown variant `secret`, expected one of `public`, `internal`, \
             `confidential`, `restricted`",
        ),
        (
            rule(r#""find":["email"],"action":"mask","provider_sensitivity_below":"public""#),
            "content.rules[0].provider_sensitivity_below: nothing is below `public`, so the rule would never hold: write the lowest \
             level at which a provider may see what it finds",
        ),
        (
            rule(r#""find":["email"],"action":"mask","on":["answer"],"provider_sensitivity_below":"internal""#),
            "content.rules[0].provider_sensitivity_below: an answer goes to the client, whichever provider it comes from: leave \
             `provider_sensitivity_below` out, or let the rule look at requests alone",
        ),
        (
            with(
                r#""providers":{"a":{"cluster":"a","sensitivity":"internal"},"b":{"cluster":"b"}},"content":{"rules":[
                    {"name":"r","find":["email"],"action":"mask","provider_sensitivity_below":"internal"}]}"#,
            ),
            "providers.b: `sensitivity` is missing: say which data it may see, `public`, `internal`, `confidential` or `restricted`",
        ),
        (
            rule(r#""find":["email"],"action":"mask","tiers":["silver"]"#),
            "content.rules[0].tiers: unknown tier `silver`, expected one of `low`, `standard`, `premium`, `agent`",
        ),
        (
            rule(r#""find":["email"],"action":"mask","tenants":["a*c"]"#),
            "content.rules[0].tenants[0]: \"a*c\" is neither a name nor the beginning of one: `*` may only stand at the end",
        ),
        (
            rules(r#"{"name":"a","words":["x"],"action":"mask"},{"name":"a","words":["y"],"action":"mask"}"#),
            "content.rules[1].name: `content.rules[0]` has this name already",
        ),
        (
            rule(r#""patterns":["^a"],"action":"mask""#),
            "content.rules[0].patterns[0]: \"^a\" has an anchor, a word boundary or a look-around, which means nothing in a text \
             that passes: leave it out; what is found stands at a word's beginning anyway",
        ),
        (
            rule(r#""patterns":["a","b*"],"action":"mask""#),
            "content.rules[0].patterns[1]: \"b*\" may match nothing at all: let it want at least one character",
        ),
        (
            rule(r#""patterns":["ab+"],"action":"mask""#),
            "content.rules[0].patterns[0]: \"ab+\" has no longest match, or one of more than 512 bytes, and a stream would have to \
             wait for its end: write `{1,64}` in the place of `+` and `*`",
        ),
        (
            rule(r#""words":[" x"],"action":"mask""#),
            "content.rules[0].words[0]: \" x\" is not a word: 1 to 128 bytes, without blanks around them, are",
        ),
        (
            rule(r#""words":["x"],"label":"Project","action":"mask""#),
            "content.rules[0].label: \"Project\" is not a label: 1 to 24 letters from A to Z, with `_` between them, are",
        ),
        (
            rule(r#""words":["x"],"label":null,"action":"mask""#),
            "content.rules[0].label: invalid type: null, expected a placeholder's name such as \"PROJECT\"",
        ),
        (with(r#""content":{"rules":{}}"#), "content.rules: invalid type: map, expected a sequence"),
        (with(r#""content":[]"#), "content: invalid type: sequence, expected a map"),
        (
            with(r#""content":{"placeholder_key":"short"}"#),
            "content.placeholder_key: a secret has at least 16 characters, this one fewer",
        ),
        (
            with(r#""content":{"unscanned":"mask"}"#),
            "content.unscanned: unknown variant `mask`, expected one of `refuse`, `count`, `pass`",
        ),
    ]);
    for (json, begins) in [
        (
            rule(r#""find":["mail"],"action":"mask""#),
            "content.rules[0].find[0]: unknown kind `mail`, expected one of `email`, `card`,",
        ),
        (rule(r#""patterns":["("],"action":"mask""#), "content.rules[0].patterns[0]: \"(\" is no expression: "),
        (
            rule(r#""patern":["a"],"action":"mask""#),
            "content.rules[0]: unknown field `patern`, expected one of `name`, `find`,",
        ),
    ] {
        let refusal = refusal(&json);
        assert!(refusal.starts_with(begins), "{refusal}");
    }
}

#[test]
fn what_is_looked_for_at_once_has_an_end() {
    let patterns: Vec<_> = (0..300).map(|nth| format!(r#""[a-z]{{1,100}}{nth}.{{1,250}}""#)).collect();
    refused([(
        rule(&format!(r#""patterns":[{}],"action":"mask""#, patterns.join(","))),
        "content.rules: what is looked for at once takes more memory than it may: write fewer words, or shorter repetitions",
    )]);
}

fn held(policy: &Policy, tenant: &str) -> Vec<String> {
    policy
        .contents
        .of(policy.tenant(tenant).unwrap())
        .map(|content| content.rules.iter().map(|rule| rule.name.to_string()).collect())
        .unwrap_or_default()
}

#[test]
fn a_rule_holds_for_its_tenants_tiers_and_roles() {
    let policy = read(
        r#"{"prices":[{"model":"*","input_usd_per_1m_tokens":"1","output_usd_per_1m_tokens":"1"}],
        "roles":["chat","code"],
        "tenants":{"acme":{"tier":"premium"},"acme-2":{"tier":"low"},"beta":{"tier":"low"},"gamma":{"tier":"premium"},"delta":{"tier":"low"}},
        "content":{"rules":[
            {"name":"acmes","tenants":["acme*"],"words":["x"],"action":"mask"},
            {"name":"gold","tiers":["premium"],"words":["x"],"action":"refuse","roles":["code"],"places":["user","tool_call"]},
            {"name":"both","tiers":["premium"],"tenants":["acme*","beta"],"words":["x"],"action":"count","on":["request","answer"]}
        ]}}"#,
    );
    assert_eq!(held(&policy, "acme"), ["acmes", "gold", "both"]);
    assert_eq!(held(&policy, "acme-2"), ["acmes"]);
    assert_eq!(held(&policy, "gamma"), ["gold"]);
    assert_eq!((held(&policy, "beta"), held(&policy, "delta")), (vec![], vec![]));
    let acme = policy.contents.of(policy.tenant("acme").unwrap()).unwrap();
    let gold = &acme.rules[1];
    let of = |role| Case { role, sight: Sensitivity::Public };
    assert!(gold.looks(Place::User, of(Some("code"))) && gold.looks(Place::ToolCall, of(Some("code"))));
    assert!(
        !gold.looks(Place::User, of(Some("chat")))
            && !gold.looks(Place::User, of(None))
            && !gold.looks(Place::System, of(Some("code")))
    );
    assert!(Place::ALL.iter().all(|place| acme.rules[0].looks(*place, of(None))));
    assert_eq!(
        acme.rules.iter().map(|rule| rule.action.class()).collect::<Vec<_>>(),
        [Class::Replace, Class::Refuse, Class::Count]
    );
    assert_eq!(acme.rules[2].action, Action::Count);
    // What is looked for: three words in requests, one in answers.
    let [request, answer] = [&acme.request, &acme.answer].map(|looked| looked.as_ref().unwrap());
    assert_eq!((request.aims.len(), &*request.classes), (3, &Class::ALL[..]));
    assert_eq!((answer.aims.len(), &*answer.classes), (1, &[Class::Count][..]));
}

#[test]
fn there_is_an_end_of_different_sets_and_who_has_the_same_shares_it() {
    let of = |tenants: usize| {
        let list = |write: &dyn Fn(usize) -> String| (0..tenants).map(write).collect::<Vec<_>>().join(",");
        let names = list(&|nth| format!(r#""t{nth}":{{}},"u{nth}":{{}}"#));
        let rules =
            list(&|nth| format!(r#"{{"name":"r{nth}","tenants":["t{nth}","u{nth}"],"words":["x"],"action":"mask"}}"#));
        super::tenants(&format!(r#"{{{names}}}"#)).replacen('{', &format!(r#"{{"content":{{"rules":[{rules}]}},"#), 1)
    };
    let policy = read(&of(64));
    assert!((0..64).all(|ix| policy.contents.of(crate::policy::TenantIx(ix)).is_some()));
    assert_eq!((held(&policy, "t63"), held(&policy, "u63")), (vec!["r63".to_owned()], vec!["r63".to_owned()]));
    let refusal = refusal(&of(65));
    let says = "content.rules: more than 64 sets of rules, each for other tenants: let some hold for more of them";
    assert!(refusal.starts_with(says), "{refusal}");
}

/// A worker that builds serves nobody.
#[test]
fn who_looks_for_the_same_shares_it_over_configurations_too() {
    let all = |find: &str| read(&rule(&format!(r#""find":["{find}"],"action":"mask","on":["request","answer"]"#)));
    let automata = |policy: &Policy| {
        let content = policy.contents.of(policy.tenant("acme").unwrap()).unwrap();
        [&content.request, &content.answer].map(|looked| Rc::clone(&looked.as_ref().unwrap().automaton))
    };
    let old = all("email");
    let [request, answer] = automata(&old);
    assert!(Rc::ptr_eq(&request, &answer));
    assert!(automata(&all("email")).iter().all(|new| Rc::ptr_eq(new, &request)));
    assert!(automata(&all("card")).iter().all(|new| !Rc::ptr_eq(new, &request)));
}
