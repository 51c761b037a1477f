use super::*;
use Dialect::{Anthropic, Aws, Gemini, OpenAi};
use proptest::prelude::*;

fn allowed() -> Allowed {
    Allowed { own: vec!["x-tenant-id".to_owned()], ..Allowed::default() }
}

fn cut(allowed: &Allowed, dialect: Dialect, path: &str, headers: &[(&str, &str)]) -> HeadEdit {
    allowed.cut(&Headers::of(headers), dialect, path, Some("acme")).unwrap()
}

fn dropped(cut: &HeadEdit) -> Vec<(&'static str, u32)> {
    Dropped::ALL.into_iter().map(Dropped::name).zip(cut.left_out.dropped).filter(|(_, count)| *count > 0).collect()
}

#[test]
fn a_head_as_the_sdks_send_it_is_left_as_it_is() {
    let openai = [
        (":method", "POST"),
        (":authority", "gateway"),
        ("accept", "application/json"),
        ("user-agent", "OpenAI/Python 3.54.0"),
        ("x-stainless-lang", "python"),
        ("x-stainless-read-timeout", "600"),
        ("x-request-id", "id"),
        ("x-forwarded-proto", "https"),
        ("x-envoy-expected-rq-timeout-ms", "1"),
        ("traceparent", "00-1-1-01"),
        ("x-tenant-id", "acme"),
        ("content-type", "application/json"),
        ("originator", "codex_cli_rs"),
        ("session_id", "s"),
        ("sec-fetch-mode", "cors"),
    ];
    assert_eq!(cut(&allowed(), OpenAi, "/v1/chat/completions", &openai), HeadEdit::default());
    assert_eq!(cut(&allowed(), OpenAi, "/openai/x?api-version=2024-10-21", &openai), HeadEdit::default());
    let claude_code = [
        ("anthropic-version", "2023-06-01"),
        ("anthropic-beta", "claude-code-20250219,interleaved-thinking-2025-05-14, effort-2025-11-24"),
        ("anthropic-dangerous-direct-browser-access", "true"),
        ("x-app", "cli"),
        ("x-claude-code-session-id", "s"),
        ("x-stainless-helper-method", "stream"),
    ];
    assert_eq!(cut(&allowed(), Anthropic, "/v1/messages?beta=true", &claude_code), HeadEdit::default());
    assert_eq!(
        cut(&allowed(), Gemini, "/v1beta/models/g:streamGenerateContent?alt=sse", &openai[..3]),
        HeadEdit::default()
    );
}

#[test]
fn a_request_is_another_ones_again_within_its_tenant_only() {
    let sent = |tenant: Option<&str>, key: &str| {
        let headers = Headers::of(&[(":method", "POST"), ("idempotency-key", key)]);
        allowed().cut(&headers, OpenAi, "/v1/batches", tenant).unwrap()
    };
    let acme = sent(Some("acme"), "order-1");
    assert!(matches!(acme.set.as_slice(), [(name, value)] if name == "idempotency-key" && value.len() == 32));
    assert_eq!(acme, sent(Some("acme"), "order-1"));
    assert_ne!(acme, sent(Some("acme"), "order-2"));
    assert_ne!(acme, sent(Some("globex"), "order-1"));
    assert_eq!(sent(None, "order-1").remove, ["idempotency-key"]);
}

#[test]
fn what_no_table_names_is_dropped_whatever_it_is_called() {
    for name in [
        "openai-organization",
        "openai-project",
        "x-goog-user-project",
        "x-goog-fieldmask",
        // How long Google's servers may take: a client's failure would be the provider's.
        "x-server-timeout",
        "x-portkey-config",
        "x-vertex-ai-llm-shared-request-type",
        "x-amzn-bedrock-performanceconfig-latency",
        "x-http-method-override",
        "range",
        "extra-parameters",
        "x-nexus-route",
        "anthropic-workspace-id",
        "next-year",
    ] {
        for dialect in [OpenAi, Anthropic, Gemini, Aws] {
            let cut = cut(&allowed(), dialect, "/x", &[(name, "1"), (name, "2"), ("host", "h")]);
            assert_eq!((&*cut.remove, dropped(&cut)), (&[name.to_owned()][..], vec![("header", 1)]), "{name}");
            assert_eq!(cut.left_out.dropped_names, [name]);
        }
    }
    // Another API's is nobody's here.
    assert_eq!(cut(&allowed(), OpenAi, "/x", &[("anthropic-beta", "effort-2025-11-24")]).remove, ["anthropic-beta"]);
    assert_eq!(cut(&allowed(), Gemini, "/x", &[("accept", "application/x-protobuf")]).remove, ["accept"]);
}

#[test]
fn no_key_of_a_client_goes_on_and_none_is_written_down() {
    let names = ["authorization", "x-api-key", "api-key", "x-goog-api-key", "cookie", "x-amz-security-token"];
    let headers = names.map(|name| (name, "secret"));
    let cut = cut(&allowed(), OpenAi, "/x?key=secret&access_token=secret", &headers);
    assert_eq!(cut.remove, names);
    assert_eq!(cut.set, [(":path".to_owned(), "/x".to_owned())]);
    assert_eq!(dropped(&cut), [("credential", 6), ("query", 2)]);
    assert_eq!(cut.left_out.dropped_names, ["?key", "?access_token"]);
    assert!(!format!("{cut:?}").contains("secret"));
}

#[test]
fn a_query_has_what_its_api_knows_and_nothing_else() {
    for (dialect, query, expected) in [
        (Gemini, "?fields=candidates", Some("")),
        (Gemini, "?%66ields=candidates", Some("")),
        (Gemini, "?$fields=candidates&alt=sse", Some("?alt=sse")),
        (Gemini, "?alt=proto", Some("")),
        (Gemini, "?$alt=proto&%24fields=x", Some("")),
        (Gemini, "?alt=sse;fields=x", Some("")),
        (Gemini, "?alt=sse%26fields=x", Some("")),
        (Gemini, "?%61lt=%73se", Some("?alt=sse")),
        (Gemini, "?ALT=sse", Some("?alt=sse")),
        (Gemini, "?key=AIza&alt=sse&prettyPrint=false", Some("?alt=sse")),
        (Gemini, "?alt=sse#fields=x", Some("?alt=sse")),
        (Gemini, "#?fields=x", Some("")),
        (Gemini, "?", Some("")),
        (Gemini, "?&alt=json&", Some("?alt=json")),
        (Gemini, "?alt", Some("")),
        (Gemini, "?alt=sse", None),
        (Anthropic, "?beta=true", None),
        (Anthropic, "?beta=true&alt=sse", Some("?beta=true")),
        (Anthropic, "?beta=false", Some("")),
        (OpenAi, "?api-version=2024-10-21-preview", None),
        (OpenAi, "?api-version=2024%2F..%2F", Some("")),
        (OpenAi, "?beta=true", Some("")),
        (Aws, "?X-Amz-Signature=1", Some("")),
        (OpenAi, "", None),
    ] {
        let cut = cut(&allowed(), dialect, &format!("/p{query}"), &[]);
        let expected: Vec<_> = expected.map(|query| (":path".to_owned(), format!("/p{query}"))).into_iter().collect();
        assert_eq!(cut.set, expected, "{query}");
    }
}

/// Of a stored response, a client chooses how it is shown; to what makes one, the same words are nobody's.
#[test]
fn what_is_read_may_be_asked_for_in_parts() {
    let query = "/v1/responses/r?stream=true&starting_after=3&include[]=a.b&include%5B%5D=c&limit=5&fields=x";
    let get = cut(&allowed(), OpenAi, query, &[(":method", "GET")]);
    let kept = "/v1/responses/r?stream=true&starting_after=3&include%5B%5D=a.b&include%5B%5D=c&limit=5";
    assert_eq!(get.set, [(":path".to_owned(), kept.to_owned())]);
    let post = cut(&allowed(), OpenAi, query, &[(":method", "POST")]);
    assert_eq!(post.set, [(":path".to_owned(), "/v1/responses/r".to_owned())]);
    let twice = Headers::of(&[(":method", "GET")]);
    assert!(allowed().cut(&twice, OpenAi, "/p?stream=true&stream=false", None).is_err());
}

#[test]
fn a_parameter_that_is_given_twice_is_refused() {
    for query in ["alt=sse&alt=proto", "alt=proto&%61lt=sse", "alt=sse&ALT=sse"] {
        let refused = allowed().cut(&Headers::default(), Gemini, &format!("/p?{query}"), None);
        assert_eq!(refused, Err(Unclear::Twice("alt".to_owned())), "{query}");
    }
    // What is dropped anyhow may come as often as it likes.
    assert_eq!(cut(&allowed(), Gemini, "/p?x=1&x=2", &[]).left_out.dropped_names, ["?x", "?x"]);
}

#[test]
fn a_flag_that_costs_is_taken_out_of_its_list() {
    let costly = [
        ("anthropic-beta", "claude-code-20250219,fast-mode-2026-02-01"),
        ("anthropic-beta", "Server-Side-Fallback-2027-01-01, new-thing-2027-01-01"),
    ];
    let judged = cut(&allowed(), Anthropic, "/v1/messages", &costly);
    let rest = "claude-code-20250219,new-thing-2027-01-01".to_owned();
    assert_eq!((judged.remove.len(), &*judged.set), (0, &[("anthropic-beta".to_owned(), rest)][..]));
    assert_eq!(dropped(&judged), [("beta", 2)]);
    assert_eq!(judged.left_out.unknown_betas, ["new-thing-2027-01-01"]);
    let only = [("anthropic-beta", "skills-2025-10-02")];
    assert_eq!(cut(&allowed(), Anthropic, "/v1/messages", &only).remove, ["anthropic-beta"]);

    let open = Allowed {
        betas: ["fast-mode*", "skills-2025-10-02"].map(|text| Pattern::new(text).unwrap()).into(),
        ..allowed()
    };
    assert_eq!(cut(&open, Anthropic, "/v1/messages", &only), HeadEdit::default());
    assert_eq!(cut(&open, Anthropic, "/v1/messages", &costly[..1]), HeadEdit::default());

    let strict = Allowed { unknown_betas: UnknownBetas::Drop, ..allowed() };
    assert_eq!(dropped(&cut(&strict, Anthropic, "/v1/messages", &costly)), [("beta", 3)]);

    // A server that reads over what is no letter finds one of the table's in it.
    for odd in
        ["fast-mode-2026-02-01;q=1", "fast-mode-2026-02-01 other", "Fast-Mode", "\u{85}fast-mode", "fast-mode\u{a0}"]
    {
        let judged = cut(&allowed(), Anthropic, "/v1/messages", &[("anthropic-beta", odd)]);
        assert_eq!(
            (dropped(&judged), &*judged.remove),
            (vec![("beta", 1)], &["anthropic-beta".to_owned()][..]),
            "{odd:?}"
        );
    }
}

/// The same of OpenAI's flags, and of the version of Anthropic's API.
#[test]
fn flags_of_every_api_are_judged_and_only_by_their_own_table() {
    let flags = [("openai-beta", "assistants=v2, responses_multi_agent=v1,new_thing=v1")];
    let judged = cut(&allowed(), OpenAi, "/v1/responses", &flags);
    assert_eq!(judged.set, [("openai-beta".to_owned(), "assistants=v2,new_thing=v1".to_owned())]);
    assert_eq!(
        (dropped(&judged), &*judged.left_out.unknown_betas),
        (vec![("beta", 1)], &["new_thing=v1".to_owned()][..])
    );
    for harmless in ["assistants=v2", "responses=experimental", "realtime=v1"] {
        assert_eq!(cut(&allowed(), OpenAi, "/v1/responses", &[("openai-beta", harmless)]), HeadEdit::default());
    }
    assert_eq!(cut(&allowed(), Anthropic, "/v1/messages", &[("openai-beta", "assistants=v2")]).remove, ["openai-beta"]);
    let strict = Allowed { unknown_betas: UnknownBetas::Drop, ..allowed() };
    assert_eq!(cut(&strict, OpenAi, "/x", &[("openai-beta", "new_thing=v1")]).remove, ["openai-beta"]);
    let open = Allowed { betas: vec![Pattern::new("responses_multi_agent*").unwrap()], ..allowed() };
    assert_eq!(cut(&open, OpenAi, "/x", &[("openai-beta", "responses_multi_agent=v1")]), HeadEdit::default());

    let version = |allowed: &Allowed, value| cut(allowed, Anthropic, "/v1/messages", &[("anthropic-version", value)]);
    assert_eq!(version(&allowed(), "2023-06-01"), HeadEdit::default());
    assert_eq!(version(&allowed(), "2027-01-01").left_out.unknown_betas, ["2027-01-01"]);
    assert_eq!(version(&strict, "2027-01-01").remove, ["anthropic-version"]);
}

#[test]
fn what_the_operator_lets_pass_reaches_each_attempt_as_the_client_wrote_it() {
    let open = Allowed { headers: vec!["x-team".to_owned()], query: vec!["Deployment".to_owned()], ..allowed() };
    let headers = [("x-team", "a"), ("x-team", "b"), ("x-other", "c")];
    let judged = cut(&open, OpenAi, "/p?deployment=a%2Fb&other=1", &headers);
    assert_eq!(
        (&*judged.remove, &*judged.kept),
        (&["x-other".to_owned()][..], &[("x-team".to_owned(), "a, b".to_owned())][..])
    );
    assert_eq!(judged.set, [(":path".to_owned(), "/p?Deployment=a%2Fb".to_owned())]);

    // An earlier attempt's provider had its key put into that very header.
    let left = Headers::of(&[("x-team", "sk-of-another"), ("content-type", "application/json")]);
    let attempt = for_attempt(&left, OpenAi, &judged.kept);
    assert_eq!((attempt.remove.len(), attempt.set), (0, judged.kept.clone()));
    assert_eq!(for_attempt(&Headers::of(&[("x-team", "a, b")]), OpenAi, &judged.kept), HeadEdit::default());
}

#[test]
fn an_attempt_gets_nothing_that_an_earlier_one_was_given() {
    let left = Headers::of(&[
        (":path", "/v1/chat/completions"),
        ("content-type", "application/json"),
        ("x-forwarded-proto", "https"),
        ("x-request-id", "id"),
        ("authorization", "Bearer secret"),
        ("x-portkey-api-key", "secret"),
        ("x-amz-date", "20270101T000000Z"),
        ("openai-organization", "org-1"),
        ("anthropic-version", "2023-06-01"),
        ("x-forwarded-for", "10.0.0.7"),
    ]);
    let cut = for_attempt(&left, OpenAi, &[]);
    assert_eq!(
        cut.remove,
        [
            "authorization",
            "x-portkey-api-key",
            "x-amz-date",
            "openai-organization",
            "anthropic-version",
            "x-forwarded-for"
        ]
    );
    assert_eq!(cut.set, []);
}

/// Names come from clients: a record has few of them, short, and nothing that a log or a database stumbles over.
#[test]
fn what_is_written_down_is_bounded() {
    let path = format!(
        "/p?{}",
        (0..40).map(|nth| format!("a%00\u{e9}{}{nth}=v", "x".repeat(90))).collect::<Vec<_>>().join("&")
    );
    let cut = cut(&allowed(), OpenAi, &path, &[]);
    assert_eq!((dropped(&cut), cut.left_out.dropped_names.len()), (vec![("query", 40)], MOST_NAMES));
    assert!(cut.left_out.dropped_names.iter().all(|name| name.len() <= MOST_NAME_BYTES + 1 && name.is_ascii()));
}

proptest! {
    /// What goes on says nothing new to whoever reads it again, and has no parameter but the known ones.
    #[test]
    fn a_query_that_was_made_anew_is_left_as_it_is(query in "[a-zA-Z0-9%=&;#$.+-]{0,60}|(alt|%61lt|fields|key)=(sse|json|proto)[&;%26]{1,3}(alt|beta)=x") {
        let path = format!("/p?{query}");
        if let Ok(first) = allowed().cut(&Headers::default(), Gemini, &path, None) {
            let sent = first.set.first().map_or(path, |(_, path)| path.clone());
            prop_assert!(["/p", "/p?alt=sse", "/p?alt=json"].contains(&sent.as_str()), "{}", sent);
            prop_assert_eq!(allowed().cut(&Headers::default(), Gemini, &sent, None).unwrap(), HeadEdit::default());
        }
    }
}
