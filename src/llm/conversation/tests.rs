use super::*;
use crate::llm::schema;
use proptest::prelude::*;
use serde_json::{Value, json};

fn read(api: &str, body: &Value) -> Conversation {
    read_in(api, &body.to_string(), usize::MAX)
}

fn read_in(api: &str, body: &str, pieces: usize) -> Conversation {
    let mut reader = ConversationReader::new(schema::named(api).unwrap()).unwrap();
    body.as_bytes().chunks(pieces.min(body.len())).for_each(|piece| reader.feed(piece));
    reader.end()
}

/// Of each API a first turn and a later one.
fn turns() -> Vec<(&'static str, Value, Value)> {
    let chat = |more: &[Value]| {
        let begins = [json!({"role": "system", "content": "Be kind."}), json!({"role": "user", "content": "Hello"})];
        json!({"model": "m", "messages": ([&begins[..], more].concat())})
    };
    let messages = |more: &[Value]| {
        let begins = [json!({"role": "user", "content": [{"type": "text", "text": "Hello"}]})];
        json!({"messages": ([&begins[..], more].concat()), "system": [{"type": "text", "text": "Be kind."}]})
    };
    let converse = |more: &[Value]| {
        let begins = [json!({"role": "user", "content": [{"text": "Hello"}]})];
        json!({"messages": ([&begins[..], more].concat()), "system": [{"text": "Be kind."}]})
    };
    let responses = |more: &[Value]| {
        let begins = [json!({"role": "user", "content": [{"type": "input_text", "text": "Hello"}]})];
        json!({"model": "m", "input": ([&begins[..], more].concat()), "instructions": "Be kind."})
    };
    let gemini = |more: &[Value]| {
        let begins = [json!({"role": "user", "parts": [{"text": "Hello"}]})];
        json!({"contents": ([&begins[..], more].concat()), "systemInstruction": {"parts": [{"text": "Be kind."}]}})
    };
    let interactions = |more: &[Value]| {
        let begins = [json!({"role": "user", "content": [{"type": "text", "text": "Hello"}]})];
        json!({"input": ([&begins[..], more].concat()), "system_instruction": "Be kind."})
    };
    let said = [json!({"role": "assistant", "content": "Hi"}), json!({"role": "user", "content": "And then?"})];
    let of_parts =
        [json!({"role": "model", "parts": [{"text": "Hi"}]}), json!({"role": "user", "parts": [{"text": "?"}]})];
    let mut turns: Vec<_> =
        ["openai_chat", "gateway_chat", "cohere_chat", "ollama_chat"].map(|api| (api, chat(&[]), chat(&said))).into();
    turns.extend(["anthropic_messages", "bedrock_invoke"].map(|api| (api, messages(&[]), messages(&said))));
    turns.extend([
        ("bedrock_converse", converse(&[]), converse(&said)),
        ("openai_responses", responses(&[]), responses(&said)),
        ("gemini_generate", gemini(&[]), gemini(&of_parts)),
        ("gemini_interactions", interactions(&[]), interactions(&said)),
    ]);
    turns
}

/// Whatever word of the beginning is another, the conversation is another; whatever follows it, it is the same.
#[test]
fn a_conversation_is_known_by_its_beginning_in_each_api() {
    for (api, first, later) in turns() {
        let begins = read(api, &first);
        assert_eq!(begins.begins, Some("Be kind.Hello".len() as u64), "{api}");
        assert!(begins.key.is_some());
        assert_eq!(read(api, &later), begins, "{api}");
        for (word, other) in [("Be kind.", "Be short"), ("Hello", "Howdy")] {
            let another: Value = serde_json::from_str(&later.to_string().replace(word, other)).unwrap();
            assert_ne!(read(api, &another).key, begins.key, "{api}: {word}");
        }
    }
}

/// What clients change from turn to turn without saying anything else.
#[test]
fn how_a_beginning_is_written_does_not_count() {
    let as_texts = json!({"system": "Be kind.", "messages": [{"role": "user", "content": "Hello, you"}]});
    let begins = read("anthropic_messages", &as_texts);
    for other in [
        json!({"messages": [{"content": "Hello, you", "role": "user"}], "system": "Be kind."}),
        json!({"system": [{"type": "text", "text": "Be kind.", "cache_control": {"type": "ephemeral"}}],
            "messages": [{"role": "user", "content": [
                {"type": "text", "text": "Hello, "}, {"type": "text", "text": "you", "cache_control": {"type": "ephemeral"}}]}]}),
        json!({"tools": [{"name": "f"}], "max_tokens": 9, "temperature": 1, "metadata": {"user_id": "u"}, "system": "Be kind.",
            "messages": [{"role": "user", "content": "Hello, you"}, {"role": "assistant", "content": "Hi"}]}),
    ] {
        assert_eq!(read("anthropic_messages", &other), begins, "{other}");
    }
    // OpenAI's system says what it has to wherever it stands among the first.
    let chat = json!({"messages": [{"role": "developer", "content": "A"}, {"role": "system", "content": "B"}, {"role": "user", "content": "C"}]});
    assert_eq!(read("openai_chat", &chat).begins, Some(3));
    let response = read("openai_responses", &json!({"input": "Hello", "instructions": "Be kind."}));
    let parts = json!([{"type": "message", "role": "user", "content": "Hello"}]);
    assert_eq!(read("openai_responses", &json!({"instructions": "Be kind.", "input": parts})), response);
}

/// One question about two pictures is two conversations, and a picture has no length.
#[test]
fn pictures_tell_conversations_apart() {
    let of = |data: &str| {
        let chat = json!({"messages": [{"role": "user", "content": [{"type": "text", "text": "What is this?"},
            {"type": "image_url", "image_url": {"url": data, "detail": "low"}}]}]});
        let source = json!({"type": "base64", "media_type": "image/png", "data": data});
        let messages = json!({"messages": [{"role": "user", "content": [{"type": "text", "text": "What is this?"},
            {"type": "image", "source": source}]}]});
        let gemini = json!({"contents": [{"parts": [{"text": "What is this?"},
            {"inlineData": {"mimeType": "image/png", "data": data}}]}]});
        let converse = json!({"messages": [{"role": "user", "content": [{"text": "What is this?"},
            {"image": {"format": "png", "source": {"bytes": data}}}]}]});
        let responses = json!({"input": [{"role": "user", "content": [{"type": "input_text", "text": "What is this?"},
            {"type": "input_image", "image_url": data}]}]});
        [
            ("openai_chat", chat),
            ("anthropic_messages", messages),
            ("gemini_generate", gemini),
            ("bedrock_converse", converse),
            ("openai_responses", responses),
        ]
    };
    for ((api, one), (_, other)) in of("aGVsbG8=").into_iter().zip(of("d29ybGQ=")) {
        let [one, other] = [one, other].map(|body| read(api, &body));
        assert_ne!(one.key, other.key, "{api}");
        assert_eq!((one.begins, other.begins), (Some(13), Some(13)), "{api}");
    }
}

#[test]
fn what_the_client_calls_it_comes_first() {
    let of = |name: Value, text: &str| {
        read("openai_chat", &json!({"messages": [{"role": "user", "content": text}], "prompt_cache_key": name})).key
    };
    assert_eq!(of(json!("mine"), "a"), of(json!("mine"), "b"));
    assert_ne!(of(json!("mine"), "a"), of(json!("yours"), "a"));
    for none in [json!(""), Value::Null, json!(7), json!({"a": "b"})] {
        assert_ne!(of(none.clone(), "a"), of(none.clone(), "b"));
        assert!(of(none, "a").is_some());
    }
    let completion = read("openai_completions", &json!({"prompt": "a", "prompt_cache_key": "mine"}));
    assert_eq!((completion.key, completion.begins), (of(json!("mine"), ""), None));
}

#[test]
fn what_has_no_beginning_is_nobodys_turn() {
    for body in [
        json!({"messages": []}),
        json!({"messages": [{"role": "system", "content": "Be kind."}]}),
        json!({"model": "m"}),
        json!([1]),
        json!({"messages": "x"}),
    ] {
        let read = read("openai_chat", &body);
        assert!(read == Conversation::default() || body["messages"] == "x", "{body}: {read:?}");
    }
    assert_eq!(read_in("openai_chat", "{\"messages\": [{\"role\"", usize::MAX), Conversation::default());
    let without = ["openai_embeddings", "openai_images", "openai_audio", "rerank", "ollama_generate", "lm_studio_chat"];
    let others = ["cohere_embed", "gemini_embed", "ollama_embed", "openai_completions"];
    for schema in schema::ALL {
        let has_turns = turns().iter().any(|(api, ..)| *api == schema.name);
        assert_ne!(has_turns, without.contains(&schema.name) || others.contains(&schema.name), "{}", schema.name);
        let reads = ConversationReader::new(schema).is_some();
        assert_eq!(reads, has_turns || schema.name == "openai_completions", "{}", schema.name);
    }
}

/// A system that is longer than what counts doesn't hide what the user says, and what a message says behind that is not told apart.
#[test]
fn of_each_so_much_counts_however_long_it_is() {
    let of = |system: usize, user: String| {
        let system = "s".repeat(system);
        read(
            "openai_chat",
            &json!({"messages": [{"role": "system", "content": system}, {"role": "user", "content": user}]}),
        )
    };
    let long = 3 * MOST_BYTES;
    assert_ne!(of(long, "a".into()).key, of(long, "b".into()).key);
    assert_eq!(of(long, "a".into()).begins, Some(long as u64 + 1));
    let ends = |end: &str| of(1, "u".repeat(MOST_BYTES) + end).key;
    assert_eq!(ends("a"), ends("b"));
    let just = |end: &str| of(1, "u".repeat(MOST_BYTES - 1) + end).key;
    assert_ne!(just("a"), just("b"));
}

proptest! {
    #[test]
    fn wherever_a_body_is_cut_it_begins_the_same(pieces in 1..40_usize, text in "\\PC{0,40}", nth in 0..10_usize) {
        let (api, first, _) = turns().swap_remove(nth);
        let written = json!(text).to_string();
        let inner = written.strip_prefix('"').and_then(|written| written.strip_suffix('"')).unwrap();
        let body = first.to_string().replace("Hello", inner);
        prop_assert_eq!(read_in(api, &body, pieces), read_in(api, &body, usize::MAX));
    }
}
