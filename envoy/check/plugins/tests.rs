use super::*;

fn at(line: usize, column: usize) -> At {
    At { line, column }
}

/// What is said of the only configuration in `text`.
fn said(text: &str) -> (At, String) {
    match check(text, false).as_slice() {
        [Finding { at, verdict: Verdict::Refused(message), .. }] => (*at, message.clone()),
        other => panic!("{other:?}\n{text}"),
    }
}

const PRICES: &str = "prices: [{model: m, input_usd_per_1m_tokens: \"1\", output_usd_per_1m_tokens: \"1\"}]";

fn envoy(configuration: &str) -> String {
    format!(
        "static_resources:\n  listeners:\n  - filters:\n    - config:\n        name: nexus_ai_gateway\n        configuration:\n{configuration}"
    )
}

/// The lines of `value` under a message of this kind.
fn any(kind: &str, value: &str) -> String {
    envoy(&format!("          \"@type\": type.googleapis.com/google.protobuf.{kind}\n          value: {value}"))
}

#[test]
fn however_it_is_written_the_filters_own_words_are_said() {
    for refused::Refused { json, says, .. } in refused::all() {
        let manifest = format!("apiVersion: v1\nkind: WasmPlugin\nspec: {{pluginConfig: {}}}", json.replace('\n', " "));
        assert_eq!(said(&manifest).1, says, "{json}");
        let block = json.replace('\n', "\n            ");
        let (_, message) = said(&any("StringValue", &format!("|\n            {block}\n")));
        let (message, _) = message.rsplit_once(" (line ").unwrap_or((&message, ""));
        assert_eq!(message, says, "{json}");
        assert_eq!(said(&json).1.rsplit_once(" (line ").map_or(said(&json).1.as_str(), |(words, _)| words), says);
    }
}

#[test]
fn a_listed_provider_whose_cluster_has_no_plugin_is_told() {
    let shipped = include_str!("../../production.yaml");
    let verdicts = |text: &str| check(text, false).into_iter().map(|finding| finding.verdict).collect::<Vec<_>>();
    assert!(verdicts(shipped).iter().all(|verdict| *verdict == Verdict::Accepted));
    for (wrong, line) in [("attempt_of: openai}", "attempt_of: anthropic}"), ("attempt_of: openai}", "tenants: {}}")] {
        let told = verdicts(&shipped.replacen(wrong, line, 1));
        let of = |verdict: &Verdict| matches!(verdict, Verdict::Refused(why) if why.contains("the provider `openai` is sent nothing"));
        assert!(told.iter().any(of), "{line}: {told:?}");
        // Without a key nothing is sent to it, whatever its cluster has.
        let keyless = shipped.replacen(wrong, line, 1).replacen(
            "openai: {cluster: openai,",
            "openai: {cluster: openai, key: absent,",
            1,
        );
        assert!(!verdicts(&keyless).iter().any(of), "{line}");
    }
}

#[test]
fn a_place_is_that_of_the_file() {
    let tree =
        format!("{PRICES}\ntenants:\n  acme:\n    tier: low\n    limits:\n      burts: 1\n  beta: {{tier: gold}}\n");
    let (place, message) = said(&tree);
    assert_eq!(place, at(6, 7));
    assert!(message.starts_with("tenants.acme.limits: unknown field `burts`"), "{message}");
    assert_eq!(said(&tree.replace("burts", "tokens_per_minute")).0, at(7, 16));
    assert_eq!(said("tenants:\n  acme: {}\nprices:\n- model: m\n").0, at(4, 3), "a map that lacks something");
    assert_eq!(said("tenants: {acme: {}}\n").0, at(1, 1), "nothing was written there");
    let shared = format!("tenants: {{acme: &one {{tier: gold}}, beta: *one}}\n{PRICES}\n");
    assert_eq!(said(&shared).0, at(1, 29), "where an anchor stands");

    let block = any(
        "StringValue",
        "|-\n\n            {\n              \"tenants\": {\"acme\": {}},\n              \"price\": []}\n",
    );
    let (place, message) = said(&block);
    assert_eq!((block.lines().nth(place.line - 1), place.column), (Some("              \"price\": []}"), 21));
    assert!(message.ends_with("(line 4, column 9)"), "{message}");
}

#[test]
fn a_config_map_holds_files() {
    let envoy =
        any("Struct", &format!("{{tenants: {{acme: {{tier: gold, models: [m]}}}}, {PRICES}}}")).replace('\n', "\n    ");
    let map = format!("apiVersion: v1\nkind: ConfigMap\ndata:\n  other: text\n  envoy.yaml: |\n\n    {envoy}\n");
    let (place, message) = said(&map);
    assert_eq!(
        message,
        "tenants.acme.tier: unknown tier `gold`, expected one of `agent`, `low`, `premium`, `standard`"
    );
    let line = map.lines().nth(place.line - 1).expect("a line");
    assert!(line[place.column - 1..].starts_with("gold"), "{place:?} {line}");
}

#[test]
fn configurations_are_found_wherever_they_stand() {
    let right = format!("{{tenants: {{acme: {{}}}}, {PRICES}}}");
    let wasm_plugin = |url: &str, config: &str| {
        format!(
            "apiVersion: extensions.istio.io/v1alpha1\nkind: WasmPlugin\nspec:\n  url: {url}\n  pluginConfig: {config}\n"
        )
    };
    let verdicts = |text: &str| check(text, false).into_iter().map(|found| found.verdict).collect::<Vec<_>>();
    let one = vec![Verdict::Accepted];
    assert_eq!(verdicts(&any("Struct", &right)), one);
    assert_eq!(verdicts(&any("Struct", "{attempt_of: openai}")), one);
    assert_eq!(verdicts(&wasm_plugin("oci://registry/filter", &right)), one, "known by its keys");
    assert_eq!(
        verdicts(&format!(
            "apiVersion: v1\nkind: EnvoyExtensionPolicy\nspec:\n  wasm:\n  - code: {{}}\n    config: {right}\n"
        )),
        one
    );
    assert_eq!(
        verdicts(&format!("apiVersion: v1\nkind: TrafficExtension\nspec:\n  wasm:\n    pluginConfig: {right}\n")),
        one
    );
    assert_eq!(
        verdicts(&format!(
            "apiVersion: v1\nkind: EnvoyFilter\nspec: {{configPatches: [{{patch: {{value: {{config: {{configuration: {{\"@type\": type.googleapis.com/google.protobuf.Struct, value: {right}}}}}}}}}}}]}}\n"
        )),
        one
    );
    let both = [wasm_plugin("oci://registry/other", "{a: 1}"), wasm_plugin("oci://registry/nexus-ai-gateway", "{}")];
    let [Verdict::NotOurs, Verdict::Refused(message)] = &*verdicts(&both.join("---\n")) else { panic!() };
    assert!(message.starts_with("prices: no prices"), "known by its image: {message}");
    let items = both.iter().map(|manifest| format!("- {}", manifest.trim_end().replace('\n', "\n  ")));
    let list = format!("apiVersion: v1\nkind: List\nitems:\n{}\n", items.collect::<Vec<_>>().join("\n"));
    assert!(matches!(&*verdicts(&list), [Verdict::NotOurs, Verdict::Refused(_)]), "{list}");
    for none in ["admin: {}", &both[0]] {
        assert!(verdicts(none).iter().any(|verdict| matches!(verdict, Verdict::Refused(_))), "{none}");
    }
}

#[test]
fn envoy_and_kubernetes_read_the_same_yaml_differently() {
    let written = "{tenants: {acme: {budgets: {day_usd: 0.15}}}, prices: [{model: m, input_usd_per_1m_tokens: 0.5, output_usd_per_1m_tokens: 0.5}]}";
    assert_eq!(check(&any("Struct", written), false)[0].verdict, Verdict::Accepted);
    let quote = "tenants.acme.budgets.day_usd: an amount is a quoted decimal string: write \"0.15\", not 0.15";
    let manifest = format!("apiVersion: v1\nkind: WasmPlugin\nspec: {{pluginConfig: {written}}}");
    assert_eq!((said(&manifest).1.as_str(), said(written).1.as_str()), (quote, quote));
}

#[test]
fn kubernetes_merges_maps_and_envoy_does_not() {
    let written = |limits: &str| {
        format!("{{tenants: {{acme: &a {{tier: low, limits: {limits}}}, beta: {{tier: premium, <<: *a}}}}, {PRICES}}}")
    };
    let manifest =
        |limits: &str| format!("apiVersion: v1\nkind: WasmPlugin\nspec: {{pluginConfig: {}}}", written(limits));
    assert_eq!(check(&manifest("{}"), false)[0].verdict, Verdict::Accepted);
    assert!(said(&manifest("5")).1.starts_with("tenants.acme.limits: "));
    assert!(said(&any("Struct", &written("{}"))).1.starts_with("tenants.beta: unknown field `<<`"));
}

#[test]
fn what_cannot_be_read_at_all_says_so() {
    assert_eq!(said("a: [\nb"), (at(2, 1), "not YAML: invalid indentation".to_owned()));
    assert_eq!(
        said(" \n"),
        (at(1, 1), "configuration: it is empty: `tenants` and `prices` are needed at least".to_owned())
    );
    assert_eq!(said("{\"tenants\": {},\n}").1, "configuration: not JSON: trailing comma (line 2, column 1)");
    assert!(said(&any("BytesValue", "e30=")).1.contains("JSON text as a StringValue"));
}

#[test]
fn no_file_can_make_it_fail() {
    let shipped =
        std::fs::read_to_string(concat!(env!("CARGO_MANIFEST_DIR"), "/../production.yaml")).expect("a shipped file");
    let block = any("StringValue", "|\n\n            {\n              \"tenants\": {\"acme\": {}}}\n\n");
    for text in [shipped.as_str(), &block] {
        for (end, _) in text.char_indices().step_by(text.len() / 200) {
            for cut in [&text[..end], &text[end..]] {
                assert!(!check(cut, false).is_empty() && !check(cut, true).is_empty());
            }
        }
    }
}

/// A listener for probes has the same filter as the gateway's, by an alias.
#[test]
fn what_an_alias_repeats_is_said_once() {
    let text = any("Struct", &format!("{{tenants: {{acme: {{}}}}, {PRICES}}}\n"))
        .replace("config:\n", "config: &ours\n")
        + "  - filters:\n    - config: *ours\n";
    let found = check(&text, false);
    assert_eq!(found.len(), 1, "{text}\n{found:?}");
    assert_eq!(found[0].verdict, Verdict::Accepted);
}
