mod levers;

use super::*;
use crate::json::Field;
use crate::llm::brings::Writes;
use crate::llm::estimate::density::Density;
use crate::llm::path::Called;
use crate::llm::schema::{self, Asked, BoundField};
use proptest::prelude::*;
use serde_json::{Value, json};

fn reader(schema: &str) -> RequestReader {
    called(schema, None)
}

/// With the model that the path names.
fn called(schema: &str, model: Option<&str>) -> RequestReader {
    let (schema, model) = (schema::named(schema).unwrap(), model.map(str::to_owned));
    RequestReader::new(Called { schema, model, streams: None }, None)
}

fn read(body: &str) -> Result<Request, Invalid> {
    let mut reader = reader("openai_chat");
    reader.feed(body.as_bytes());
    reader.finish(body.len() as u64)
}

fn edited(body: &str, model: Option<&str>, bound: Option<(BoundField, Tokens)>) -> Value {
    let request = read(body).unwrap();
    let out = spliced(body.as_bytes(), &request.edits(model, bound, true));
    serde_json::from_slice(&out).unwrap_or_else(|error| panic!("{error}: {}", String::from_utf8_lossy(&out)))
}

#[test]
fn what_decides_the_price_is_read() {
    let request = read(
        r#" {"messages":[{"role":"user","content":"hi"}],"mod\u0065l":"gpt-4o","n":2,"max_tokens":5,"stream":true} "#,
    )
    .unwrap();
    assert_eq!(request.model, "gpt-4o");
    assert_eq!((request.stream, request.choices, request.bound()), (true, 2, Some(Tokens(5))));
    assert!(!request.wants_usage());
}

#[test]
fn wrong_requests_say_which_field_and_what_would_be_right() {
    for (body, message) in [
        ("", "invalid JSON at byte 0"),
        ("[]", "the body must be a JSON object"),
        ("7", "the body must be a JSON object"),
        ("{}", "the field `model` is missing"),
        (r#"{"model":"a"}"#, "the field `messages` is missing"),
        (
            r#"{"model":7,"messages":[]}"#,
            "the field `model` must be a string of 1 to 256 bytes without control characters",
        ),
        (r#"{"model":"","messages":[]}"#, "the field `model` must be a string"),
        (r#"{"model":"a","messages":{}}"#, "the field `messages` must be an array"),
        (
            r#"{"model":"a","model":"b","messages":[]}"#,
            "the field `model` is given more than once, or in other letters",
        ),
        (r#"{"n":1,"n":1,"model":"a","messages":[]}"#, "the field `n` is given more than once, or in other letters"),
        (
            r#"{"model":"a","messages":[],"messages":[]}"#,
            "the field `messages` is given more than once, or in other letters",
        ),
        (r#"{"model":"a","messages":[],"max_tokens":"9"}"#, "the field `max_tokens` must be a whole number"),
        (r#"{"model":"a","messages":[],"max_tokens":1.5}"#, "the field `max_tokens` must be a whole number"),
        (r#"{"model":"a","messages":[],"n":0}"#, "the field `n` must be a whole number of at least 1"),
        (r#"{"model":"a","messages":[],"stream":"yes"}"#, "the field `stream` must be true or false"),
        (r#"{"model":"a","messages":[],"stream_options":[]}"#, "the field `stream_options` must be an object"),
        (r#"{"model":"a","messages":[],"models":["b"]}"#, "the field `models` must be left out"),
        (r#"{"model":"a","messages":[],"models":[null]}"#, "the field `models` must be left out"),
        (r#"{"model":"a","messages":[],"models":"b"}"#, "the field `models` must be left out"),
        (r#"{"fallbacks":[{"model":"b"}],"model":"a","messages":[]}"#, "the field `fallbacks` must be left out"),
        (r#"{"model":"a","messages":[]"#, "invalid JSON at byte"),
    ] {
        let said = read(body).unwrap_err().to_string();
        assert!(said.starts_with(message), "{body}: {said}");
    }
}

/// Two reports of users that went looking for a bug where a word would have done.
#[test]
fn a_request_of_another_api_or_of_a_stored_prompt_reads_what_to_do() {
    let said = |schema: &str, body: &str| {
        let mut reader = reader(schema);
        reader.feed(body.as_bytes());
        reader.finish(body.len() as u64).map(|request| request.model).map_err(|invalid| invalid.to_string())
    };
    let elsewhere = said("openai_chat", r#"{"model":"a","instructions":"x","input":[{"role":"user"}],"stream":true}"#);
    assert!(elsewhere.unwrap_err().contains("`input` belongs to the Responses API"));
    assert_eq!(said("openai_chat", r#"{"model":"a","input":null}"#), Err("the field `messages` is missing".to_owned()));
    let stored = said("openai_responses", r#"{"prompt":{"id":"pmpt_1","version":"2"},"input":"x"}"#);
    assert!(stored.unwrap_err().contains("needs it beside `prompt` too"));
    assert_eq!(said("openai_responses", r#"{"model":"a","prompt":{"id":"pmpt_1"}}"#), Ok("a".to_owned()));
    assert_eq!(said("openai_responses", r#"{"prompt":null}"#), Err("the field `model` is missing".to_owned()));
}

/// A name comes back in headers and records: written raw or as an escape, in a body, a path or a form, it must stay in its line.
#[test]
fn a_name_with_a_control_character_is_none() {
    let control: Vec<char> = ('\0'..='\u{9f}').filter(|letter| letter.is_control()).chain(['\u{fffd}']).collect();
    let refused = |read: Result<Request, Invalid>, what: &str| {
        assert!(matches!(read, Err(Invalid::Wrong { .. } | Invalid::Json(_) | Invalid::Form(_))), "{what:?}: {read:?}");
    };
    for letter in &control {
        let name = format!("a{letter}b");
        let escaped = format!("a\\u{:04x}b", u32::from(*letter));
        for field in ["model", "role", "sensitivity"] {
            let body = format!(r#"{{"{field}":"{escaped}","messages":[]}}"#);
            let mut reader = reader("gateway_chat");
            reader.feed(body.as_bytes());
            refused(reader.finish(body.len() as u64), &body);
        }
        let called =
            Called { schema: schema::named("gemini_generate").unwrap(), model: Some(name.clone()), streams: None };
        let mut in_path = RequestReader::new(called, None);
        in_path.feed(br#"{"contents":[]}"#);
        refused(in_path.finish(15), &name);

        let form = format!(
            "--b\r\ncontent-disposition: form-data; name=\"model\"\r\n\r\n{name}\r\n--b\r\n\
             content-disposition: form-data; name=\"file\"; filename=\"f\"\r\n\r\nx\r\n--b--\r\n"
        );
        let called = Called { schema: schema::named("openai_audio").unwrap(), model: None, streams: None };
        let mut in_form = RequestReader::new(called, Some(b"multipart/form-data; boundary=b"));
        in_form.feed(form.as_bytes());
        refused(in_form.finish(form.len() as u64), &form);
    }
    refused(read(r#"{"model":"a\ud800","messages":[]}"#), "half a letter");
}

/// SDKs must send `model`, so where Azure's path names the deployment people leave it empty: in a form, in JSON, in all APIs.
#[test]
fn an_empty_model_is_none_where_the_path_names_it() {
    let file = "--b\r\ncontent-disposition: form-data; name=\"file\"; filename=\"f\"\r\n\r\nx\r\n--b--\r\n";
    let field = |model: &str| format!("--b\r\ncontent-disposition: form-data; name=\"model\"\r\n\r\n{model}\r\n");
    let by_form = |path: &str, fields: &[&str]| {
        let called = crate::llm::path::called(&crate::llm::path::built_in(), b"POST", path.as_bytes()).unwrap();
        let body = fields.iter().map(|model| field(model)).collect::<String>() + file;
        let mut reader = RequestReader::new(called, Some(b"multipart/form-data; boundary=b"));
        reader.feed(body.as_bytes());
        reader.finish(body.len() as u64).map(|request| request.model).map_err(|invalid| invalid.to_string())
    };
    for task in ["audio/transcriptions", "audio/translations", "images/edits"] {
        let (of_path, plain) = (format!("/openai/deployments/m/{task}?api-version=1"), format!("/v1/{task}"));
        assert_eq!(by_form(&of_path, &[""]), Ok("m".to_owned()), "{task}");
        assert_eq!(by_form(&of_path, &[]), Ok("m".to_owned()), "{task}");
        assert!(by_form(&of_path, &["", "dear"]).unwrap_err().contains("`model`"), "{task}");
        assert!(by_form(&plain, &["", "dear"]).unwrap_err().contains("`model`"), "{task}");
        assert!(by_form(&plain, &[""]).unwrap_err().contains("the field `model` must be a string"), "{task}");
        assert!(by_form(&plain, &[]).unwrap_err().contains("the field `model` is missing"), "{task}");
    }
    for (path, rest) in [
        ("chat/completions", r#""messages":[]"#),
        ("completions", r#""prompt":"a""#),
        ("embeddings", r#""input":"a""#),
        ("images/generations", r#""prompt":"a""#),
        ("audio/speech", r#""input":"a""#),
    ] {
        for model in [r#""""#, "null"] {
            let body = format!(r#"{{"model":{model},{rest}}}"#);
            let named = |path: &str| {
                let mut reader = RequestReader::new(
                    crate::llm::path::called(&crate::llm::path::built_in(), b"POST", path.as_bytes()).unwrap(),
                    None,
                );
                reader.feed(body.as_bytes());
                reader.finish(body.len() as u64).map(|request| request.model).map_err(|invalid| invalid.to_string())
            };
            assert_eq!(named(&format!("/openai/deployments/m/{path}")), Ok("m".to_owned()), "{path}: {body}");
            let refused = named(&format!("/v1/{path}")).unwrap_err();
            assert!(refused.contains("the field `model` must be a string"), "{path}: {refused}");
        }
    }
}

/// A server whose texts end at a NUL reads `model` twice.
#[test]
fn a_field_that_ends_at_a_nul_is_refused() {
    for name in ["model\\u0000", "MODEL\\u0000x", "stream\\u0000", "max_tokens\\u0000a"] {
        let said = read(&format!(r#"{{"model":"a","messages":[],"{name}":null}}"#)).unwrap_err();
        assert!(matches!(said, Invalid::Repeated(_)), "{name}: {said}");
    }
}

/// Go's and .NET's readers of JSON take `Model` for `model`, and of both the last: the price would be that of another model.
#[test]
fn a_field_in_other_letters_is_refused() {
    let is_read = |field: &&Field<Asked>| {
        !matches!(field.key, None | Some(Asked::CacheWrite | Asked::Document | Asked::Tools | Asked::Nest))
    };
    let mut refused = 0;
    for schema in schema::ALL {
        let top = schema.request.iter().map(|field| ("", field));
        let nests = schema.request.iter().filter(|field| matches!(field.key, Some(Asked::Nest)));
        let nested = nests.clone().flat_map(|nest| nest.inside.iter().map(|field| (nest.name, field)));
        for (nest, field) in top.chain(nested).filter(|(_, field)| is_read(field)).chain(nests.map(|nest| ("", nest))) {
            let long_s = field.name.replacen('s', "\u{17f}", 1);
            let kelvin = field.name.replacen('k', "\u{212a}", 1);
            for name in [field.name.to_uppercase(), long_s, kelvin].iter().filter(|name| *name != field.name) {
                let member = format!("{{\"{name}\":null}}");
                let body = if nest.is_empty() { member } else { format!("{{\"{nest}\":{member}}}") };
                let mut reader = reader(schema.name);
                reader.feed(body.as_bytes());
                let read = reader.finish(body.len() as u64);
                assert!(matches!(read, Err(Invalid::Repeated(_))), "{}: {body}: {read:?}", schema.name);
                refused += 1;
            }
        }
    }
    assert!(refused > 100, "{refused}");
    let other = read(r#"{"model":"a","messages":[],"models":[],"fallbacks":null,"mode\u00fc":1,"user":"Model"}"#);
    assert_eq!(other.map(|request| request.model), Ok("a".to_owned()));
}

#[test]
fn a_picture_counts_as_a_picture_and_not_as_its_base64() {
    let body = json!({"model": "a", "messages": [{"role": "user", "content": [
        {"type": "text", "text": "what is this?"},
        {"type": "image_url", "image_url": {"url": format!("data:image/png;base64,{}", "A".repeat(900_000))}},
        {"type": "image_url", "image_url": {"url": "https://example.com/cat.png"}},
    ]}]})
    .to_string();
    let sizes = read(&body).unwrap().sizes;
    assert_eq!((sizes.attachments, sizes.pictures), (2, 2));
    assert!(sizes.text_at_most(Density::default()) < Tokens(1_000), "{sizes:?}");
}

#[test]
fn choices_by_any_servers_word_are_counted_and_a_template_of_the_clients_is_refused() {
    for field in ["n", "best_of", "n_cmpl", "num_return_sequences"] {
        assert_eq!(read(&json!({"model": "m", "messages": [], field: 7}).to_string()).unwrap().choices, 7, "{field}");
    }
    let template = |more: Value| {
        let mut body = json!({"model": "m", "messages": []});
        body.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        read(&body.to_string()).map(|_| ())
    };
    for refused in [json!({"chat_template": "{{x}}"}), json!({"chat_template_kwargs": {"chat_template": "{{x}}"}})] {
        assert!(template(refused.clone()).is_err(), "{refused}");
    }
    assert_eq!(template(json!({"chat_template_kwargs": {"enable_thinking": false}})), Ok(()));
}

/// Whoever reads the newer name reads the older one as well, and not the other way round.
#[test]
fn a_bound_in_a_word_that_the_server_does_not_read_is_written_in_its_own() {
    let (newer, older) = (BoundField::MaxCompletionTokens, BoundField::MaxTokens);
    for (written, [newer_too, older_too]) in [
        (json!({"max_completion_tokens": 9}), [false, true]),
        (json!({"max_tokens": 9}), [false, false]),
        (json!({"max_tokens": 9, "max_completion_tokens": 9}), [false, false]),
        (json!({}), [false, false]),
    ] {
        let mut body = json!({"model": "m", "messages": []});
        body.as_object_mut().unwrap().extend(written.as_object().unwrap().clone());
        let request = read(&body.to_string()).unwrap();
        assert_eq!([newer, older].map(|field| request.is_bound_elsewhere(field)), [newer_too, older_too], "{written}");
    }
}

#[test]
fn edits_touch_only_what_they_name() {
    let base = json!({"model": "fast", "messages": [], "stream": true});
    let with = |extra: Value| {
        let mut body = base.clone();
        body.as_object_mut().unwrap().extend(extra.as_object().unwrap().clone());
        body
    };
    for (options, expected) in [
        (json!({}), json!({"include_usage": true})),
        (json!({"stream_options": null}), json!({"include_usage": true})),
        (json!({"stream_options": {}}), json!({"include_usage": true})),
        (json!({"stream_options": {"x": 1}}), json!({"include_usage": true, "x": 1})),
        (json!({"stream_options": {"include_usage": false}}), json!({"include_usage": true})),
        (json!({"stream_options": {"include_usage": null, "y": []}}), json!({"include_usage": true, "y": []})),
        (json!({"stream_options": {"include_usage": true}}), json!({"include_usage": true})),
    ] {
        let out = edited(&with(options.clone()).to_string(), None, None);
        assert_eq!(out, with(json!({"stream_options": expected})), "{options}");
    }
    let bound = Some((BoundField::MaxCompletionTokens, Tokens(9)));
    let out = edited(&with(json!({"max_completion_tokens": null})).to_string(), Some("gpt-\"4o"), bound);
    assert_eq!(
        out,
        json!({"model": "gpt-\"4o", "messages": [], "stream": true, "max_completion_tokens": 9,
            "stream_options": {"include_usage": true}})
    );
    assert!(read(&json!({"model": "a", "messages": []}).to_string()).unwrap().edits(None, None, true).is_empty());
}

#[test]
fn blanks_before_the_object_are_no_way_around_the_bound() {
    let body = format!("{}{{\"model\":\"a\",\"messages\":[]}}", " \n".repeat(50_000));
    let out = edited(&body, None, Some((BoundField::MaxTokens, Tokens(9))));
    assert_eq!(out, json!({"model": "a", "messages": [], "max_tokens": 9}));
    let place = read(&body).unwrap().edits(None, Some((BoundField::MaxTokens, Tokens(9))), true)[0].place;
    assert_eq!((place.from, place.to), (100_001, 100_001));
}

/// What 0 and less than 0 say as a bound, in each API: nothing to be written, the gateway's own bound in its place, or a fault.
#[test]
fn a_bound_that_is_no_count_means_what_the_api_means() {
    let own = Tokens(77);
    let sent = |schema: &str, body: &str| {
        let mut reader = called(schema, body.contains("generationConfig").then_some("m"));
        reader.feed(body.as_bytes());
        let request = reader.finish(body.len() as u64).map_err(|invalid| invalid.to_string())?;
        let edits = request.edits(None, request.bound().is_none().then_some((BoundField::MaxTokens, own)), false);
        let sent: Value = serde_json::from_slice(&spliced(body.as_bytes(), &edits)).unwrap();
        Ok::<_, String>((request.bound(), sent))
    };
    for (schema, body, bound, expected) in [
        ("openai_chat", json!({"model": "m", "messages": [], "max_tokens": -1}), None, json!({"max_tokens": 77})),
        ("openai_chat", json!({"max_tokens": 0, "model": "m", "messages": []}), None, json!({"max_tokens": 77})),
        // The one that is not written goes: a provider would read either.
        (
            "openai_chat",
            json!({"model": "m", "messages": [], "max_completion_tokens": -1}),
            None,
            json!({"max_tokens": 77}),
        ),
        (
            "openai_chat",
            json!({"max_completion_tokens": 0, "max_tokens": -1, "messages": [], "model": "m"}),
            None,
            json!({"max_tokens": 77}),
        ),
        // What was said in numbers holds, and the other is gone.
        (
            "openai_chat",
            json!({"max_completion_tokens": 5, "max_tokens": -1, "messages": [], "model": "m"}),
            Some(5),
            json!({"max_completion_tokens": 5}),
        ),
        ("openai_completions", json!({"model": "m", "prompt": "x", "max_tokens": -1}), None, json!({"max_tokens": 77})),
        ("openai_completions", json!({"model": "m", "prompt": "x", "max_tokens": 0}), None, json!({"max_tokens": 0})),
        ("openai_responses", json!({"model": "m", "max_output_tokens": -1}), None, json!({"max_output_tokens": 77})),
        (
            "anthropic_messages",
            json!({"model": "m", "messages": [], "max_tokens": 0}),
            Some(0),
            json!({"max_tokens": 0}),
        ),
        (
            "anthropic_messages",
            json!({"model": "m", "messages": [], "max_tokens": -1}),
            None,
            json!({"max_tokens": 77}),
        ),
        (
            "gemini_generate",
            json!({"contents": [], "generationConfig": {"maxOutputTokens": -1}}),
            None,
            json!({"generationConfig": {"maxOutputTokens": 77}}),
        ),
        ("cohere_chat", json!({"model": "m", "max_tokens": 0}), None, json!({"max_tokens": 77})),
        (
            "ollama_chat",
            json!({"model": "m", "messages": [], "options": {"num_predict": -2}}),
            None,
            json!({"options": {"num_predict": 77}}),
        ),
    ] {
        let (read, sent) = sent(schema, &body.to_string()).unwrap_or_else(|fault| panic!("{schema}: {body}: {fault}"));
        assert_eq!(read, bound.map(Tokens), "{schema}: {body}");
        for name in ["max_tokens", "max_completion_tokens", "max_output_tokens", "generationConfig", "options"] {
            assert_eq!(sent.get(name), expected.get(name), "{schema}: {body} became {sent}");
        }
    }
    for (schema, body) in [
        ("bedrock_converse", r#"{"inferenceConfig":{"maxTokens":0}}"#),
        ("bedrock_converse", r#"{"inferenceConfig":{"maxTokens":-1}}"#),
        ("openai_chat", r#"{"model":"m","messages":[],"max_tokens":1.5}"#),
        ("openai_chat", r#"{"model":"m","messages":[],"n":-1}"#),
    ] {
        assert!(
            matches!(sent(schema, body), Err(fault) if fault.contains("whole number of at least 1")),
            "{schema}: {body}"
        );
    }
}

/// What a provider may write into its cache, and at which of its rates, by what the request says; of models that write by
/// themselves, always.
#[test]
fn what_is_written_into_a_cache_is_read_from_the_request() {
    let writes = |schema: &str, model: &str, body: &str| {
        let mut reader = called(schema, Some("m"));
        // Keys that come in parts are read as well.
        body.as_bytes().chunks(3).for_each(|part| reader.feed(part));
        reader.finish(body.len() as u64).unwrap_or_else(|invalid| panic!("{body}: {invalid}")).writes(model)
    };
    let deep = format!("{}{{\"cache_control\":{{}}}}{}", "[".repeat(60), "]".repeat(60));
    for (expected, bodies) in [
        (
            Writes::Nothing,
            &[
                r#"{"messages":[{"role":"user","content":"cache_control"}]}"#,
                r#"{"messages":[],"cache_control":null,"ttl":"1h"}"#,
                r#"{"messages":[],"system":[{"type":"text","text":"x","cache_control":null}]}"#,
            ][..],
        ),
        (
            Writes::Short,
            &[
                r#"{"messages":[],"cache_control":{"type":"ephemeral"}}"#,
                r#"{"messages":[{"role":"user","content":[{"type":"text","cache_control":{"type":"ephemeral","ttl":"5m"}}]}]}"#,
                r#"{"messages":[],"tools":[{"name":"t","input_schema":{},"cache_control":{"type":"ephemeral"}}]}"#,
                r#"{"messages":[],"system":[{"text":"x","c\u0061che_control":{"type":"ephemeral"}}]}"#,
                r#"{"messages":[],"system":[{"text":"x","Cache_Control":{"type":"ephemeral"}}]}"#,
                r#"{"messages":[],"system":[{"cachePoint":{"type":"default"}}]}"#,
                r#"{"messages":[],"ttl":"5m","cache_control":true}"#,
            ],
        ),
        (
            Writes::Long,
            &[
                r#"{"messages":[],"cache_control":{"type":"ephemeral","ttl":"1h"}}"#,
                r#"{"messages":[],"cache_control":{"ttl":"1h"},"system":[{"cache_control":{"ttl":"5m"}}]}"#,
                r#"{"messages":[{"content":[{"content":[{"cache_control":{"\u0074tl":"1\u0068"}}]}]}]}"#,
                r#"{"messages":[],"cache_control":{"TTL":3600}}"#,
                r#"{"messages":[],"cache_control":{"ttl":["1h"]}}"#,
                r#"{"messages":[],"system":[{"cachePoint":{"type":"default","ttl":"1h"}}]}"#,
            ],
        ),
    ] {
        for body in bodies {
            for (schema, model) in
                [("anthropic_messages", "claude-sonnet-4"), ("bedrock_invoke", "eu.anthropic.claude-x")]
            {
                assert_eq!(writes(schema, model, body), expected, "{schema}: {body}");
            }
            let others = if expected == Writes::Long { Writes::Long } else { Writes::Short };
            assert_eq!(writes("openai_chat", "claude-sonnet-4", body), others, "{body}");
            // Speaks Anthropic's API, and writes what it likes.
            assert_eq!(writes("anthropic_messages", "kimi-k3", body), Writes::Long, "{body}");
        }
    }
    assert_eq!(
        writes("anthropic_messages", "claude-x", &format!(r#"{{"messages":[],"system":{deep}}}"#)),
        Writes::Short
    );
}

/// A member of a request, and whether the provider is to see it.
fn members() -> impl Strategy<Value = Vec<(&'static str, bool)>> {
    let members = vec![
        (r#""model":"a""#, true),
        (r#" "messages" : [] "#, true),
        (r#""user":"role""#, true),
        ("\n\"role\":\"chat\"\t", false),
        (r#""sensitivity" : "internal""#, false),
        (r#""max_completion_tokens":-1"#, false),
        (r#""metadata":{"role":"x","sensitivity":"y","max_tokens":-1}"#, true),
    ];
    prop::sample::subsequence(members, 0..=7).prop_shuffle()
}

proptest! {
    /// Wherever they stand, first, last, in a row or alone, and whatever else is written in front.
    #[test]
    fn what_is_cut_out_leaves_the_rest_as_it_was(
        members in members(),
        bound in prop::option::of(1u64..99),
        cuts in prop::collection::vec(0usize..300, 0..9),
    ) {
        let mut texts: Vec<&str> = members.iter().map(|(text, _)| *text).collect();
        for needed in [r#""model":"a""#, r#" "messages" : [] "#] {
            if !texts.contains(&needed) {
                texts.push(needed);
            }
        }
        let body = format!("{{{}}}", texts.join(","));
        let mut cuts: Vec<usize> = cuts.into_iter().filter(|cut| *cut < body.len()).collect();
        cuts.sort_unstable();
        let (mut reader, mut done) = (reader("openai_chat"), 0);
        for cut in cuts.into_iter().chain([body.len()]) {
            reader.feed(&body.as_bytes()[done..cut]);
            done = cut;
        }
        let request = reader.finish(body.len() as u64).unwrap();
        let edits = request.edits(None, bound.map(|bound| (BoundField::MaxTokens, Tokens(bound))), false);
        let sent = spliced(body.as_bytes(), &edits);
        let sent: Value = serde_json::from_slice(&sent).unwrap_or_else(|error| panic!("{body}: {error}: {}", String::from_utf8_lossy(&sent)));
        let kept: Vec<&str> = texts.iter().copied().filter(|text| !members.contains(&(text, false))).collect();
        let mut expected: Value = serde_json::from_str(&format!("{{{}}}", kept.join(","))).unwrap();
        if let Some(bound) = bound {
            expected["max_tokens"] = json!(bound);
        }
        prop_assert_eq!(sent, expected);
    }

    /// However the body is cut on its way, it is the same request or the same fault.
    #[test]
    fn any_chunking_reads_the_same_request(cuts in prop::collection::vec(0usize..400, 0..20)) {
        let body = json!({"stream_options": {"x": "é漢🙂"}, "model": "gpt-4o-mini", "n": 3, "stream": true,
            "messages": [{"role": "user", "content": [{"type": "image_url", "image_url": {"url": "x".repeat(90)}}]}],
            "max_completion_tokens": 77}).to_string();
        let mut cuts: Vec<usize> = cuts.into_iter().filter(|cut| *cut < body.len()).collect();
        cuts.sort_unstable();
        let (mut reader, mut done) = (reader("openai_chat"), 0);
        for cut in cuts {
            reader.feed(&body.as_bytes()[done..cut]);
            done = cut;
        }
        reader.feed(&body.as_bytes()[done..]);
        prop_assert_eq!(reader.finish(body.len() as u64), read(&body));
    }
}

/// A question is read with each document that it is held against.
#[test]
fn a_question_counts_once_for_each_document() {
    let bytes = |documents: usize| {
        let documents: Vec<_> = (0..documents).map(|_| "\"a\"").collect();
        let body = format!(r#"{{"model":"m","query":"{}","documents":[{}]}}"#, "q".repeat(1_000), documents.join(","));
        let mut reader = reader("rerank");
        reader.feed(body.as_bytes());
        let request = reader.finish(body.len() as u64).unwrap();
        request.sizes.text_bytes() - body.len() as u64
    };
    assert_eq!([0, 1, 2, 100].map(bytes), [0, 0, 1_002, 99 * 1_002]);
}

/// As an SDK writes what JSON says by `frame_count`, `output_format` and `svg.model`.
#[test]
fn a_form_says_how_many_pictures_are_made_in_one() {
    let form = |fields: &[(&str, &str)]| {
        let field = |(name, value): &(&str, &str)| {
            format!("--b\r\ncontent-disposition: form-data; name=\"{name}\"\r\n\r\n{value}\r\n")
        };
        let file = "--b\r\ncontent-disposition: form-data; name=\"image\"; filename=\"f\"\r\n\r\nx\r\n--b--\r\n";
        let body = [("model", "m"), ("prompt", "x")].iter().chain(fields).map(field).collect::<String>() + file;
        let called = Called { schema: schema::named("openai_images").unwrap(), model: None, streams: None };
        let mut reader = RequestReader::new(called, Some(b"multipart/form-data; boundary=b"));
        reader.feed(body.as_bytes());
        reader.finish(body.len() as u64)
    };
    for (fields, choices) in [
        (&[][..], 1),
        (&[("output_format", "gif")][..], 9),
        (&[("output_format", "gif"), ("frame_count", "16")][..], 16),
        (&[("n", "2"), ("frame_count", "3")][..], 6),
    ] {
        assert_eq!(form(fields).unwrap().choices, choices, "{fields:?}");
    }
    assert_eq!(form(&[("output_format", "svg")]).unwrap().rates.unsold, Some(("output_format", "svg".to_owned())));
    assert!(form(&[("svg[model]", "dear")]).is_err() && form(&[("frame_count", "many")]).is_err());
}

/// A recording that stands elsewhere is as long as it may be, whatever file stands beside its address.
#[test]
fn a_recording_elsewhere_is_hidden_by_no_file() {
    let seconds = |fields: &[(&str, &str)], file: &str| {
        let field = |(name, value): &(&str, &str)| {
            format!("--b\r\ncontent-disposition: form-data; name=\"{name}\"\r\n\r\n{value}\r\n")
        };
        let file =
            format!("--b\r\ncontent-disposition: form-data; name=\"{file}\"; filename=\"f\"\r\n\r\nx\r\n--b--\r\n");
        let body = [("model", "m")].iter().chain(fields).map(field).collect::<String>() + &file;
        let called = Called { schema: schema::named("openai_audio").unwrap(), model: None, streams: None };
        let mut reader = RequestReader::new(called, Some(b"multipart/form-data; boundary=b"));
        reader.feed(body.as_bytes());
        reader.finish(body.len() as u64).unwrap().sound_bytes
    };
    let elsewhere = seconds(&[("url", "https://example.com/3h.mp3")], "x");
    assert!(elsewhere > 1_000_000);
    assert_eq!([seconds(&[], "file"), seconds(&[("url", "")], "file")], [1, 1]);
}

/// Names as the SDKs write them, and those of relays and servers behind.
#[test]
fn a_forms_fields_are_those_of_its_apis_table() {
    let form = |schema: &str, fields: &[(&str, &str)]| {
        let field = |(name, value): &(&str, &str)| {
            format!("--b\r\ncontent-disposition: form-data; name=\"{name}\"\r\n\r\n{value}\r\n")
        };
        let file = if schema == "openai_audio" { "file" } else { "image[]" };
        let file =
            format!("--b\r\ncontent-disposition: form-data; name=\"{file}\"; filename=\"f\"\r\n\r\nx\r\n--b--\r\n");
        let body = [("model", "m")].iter().chain(fields).map(field).collect::<String>() + &file;
        let called = Called { schema: schema::named(schema).unwrap(), model: None, streams: None };
        let mut reader = RequestReader::new(called, Some(b"multipart/form-data; boundary=b"));
        reader.feed(body.as_bytes());
        reader.finish(body.len() as u64)
    };
    let audio = "language prompt response_format temperature timestamp_granularities[] include[] chunking_strategy \
                 chunking_strategy[type] chunking_strategy[threshold] known_speaker_names[] known_speaker_names[] \
                 known_speaker_references[]";
    let images = "prompt background input_fidelity output_compression partial_images quality response_format size user \
                  moderation mask";
    for (schema, names) in [("openai_audio", audio), ("openai_images", images)] {
        let names = names.split_whitespace().map(|name| (name, "1")).chain([("stream", "false")]);
        let unknown = form(schema, &names.collect::<Vec<_>>()).unwrap().unknown;
        assert_eq!((unknown.fields, unknown.suspect), (Vec::<String>::new(), None), "{schema}");
    }
    for name in ["batch_size", "num_images", "num_outputs", "num_images_per_prompt", "num_images[]"] {
        assert_eq!(form("openai_images", &[(name, "4")]).unwrap().choices, 4, "{name}");
    }
    assert_eq!(form("openai_images", &[("n", "2"), ("num_images", "4")]).unwrap().choices, 4);
    for (name, value) in [("num_images", "many"), ("num_images", ""), ("Batch_Size", "4")] {
        assert!(form("openai_images", &[(name, value)]).is_err(), "{name} {value}");
    }
    // A series that any of them asks for, as long as any.
    let series = ("sequential_image_generation", "auto");
    for beside in
        [("sequential_image_generation", "disabled"), ("sequential_image_generation_options[max_images]", "1")]
    {
        assert_eq!(form("openai_images", &[series, beside]).unwrap().choices, 15, "{beside:?}");
    }
    for name in ["file_id", "file_url"] {
        let request = form("openai_audio", &[(name, "x")]).unwrap();
        assert!(request.hidden.whole == Some(name) && request.sound_bytes > 1_000_000, "{name}");
        assert_eq!(form("openai_audio", &[(name, "")]).unwrap().hidden.whole, None);
    }
    for (name, value) in [
        ("fallbacks", "dear"),
        ("fallbacks[]", "dear"),
        ("api_base", "here"),
        ("options[model]", "dear"),
        ("next_years", "https://example.com"),
        ("num_return_sequences", "4"),
    ] {
        assert!(form("openai_audio", &[(name, value)]).unwrap().unknown.suspect.is_some(), "{name}");
    }
    // How carefully a server of one's own listens changes no price.
    let careful = [("best_of", "5"), ("n_best", "2"), ("beam_size", "5"), ("use_beam_search", "true")];
    let heard = [("vad_filter", "true"), ("hotwords", "harbour"), ("to_language", "en")];
    let unknown = form("openai_audio", &[&careful[..], &heard[..]].concat()).unwrap().unknown;
    assert_eq!((unknown.fields.len(), unknown.suspect), (0, None));
    let strange = [("next_words[]", "gpt-5"), ("next_words[]", "b"), ("next_filter", "true")];
    let unknown = form("openai_audio", &strange).unwrap().unknown;
    assert_eq!((unknown.fields.join(" "), unknown.suspect), ("next_words next_filter".to_owned(), None));
    assert_eq!(unknown.texts.first().map(|(at, text)| (*at, &**text)), Some((0, "gpt-5")));
    // Nobody would count the characters that are read out.
    let Err(Invalid::Wrong { field: "input", .. }) = form("openai_audio", &[("input", "Hello")]) else { panic!() };
}
