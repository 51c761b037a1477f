use serde_json::{Map, Value, json};

use crate::json::{Field, OTHERS};
use crate::llm::path::Called;
use crate::llm::request::{Request, RequestReader};
use crate::llm::schema::{self, Asked, Medium, Schema};
use crate::units::Tokens;

/// With the members of each object in the order of their names, or against it.
fn written(value: &Value, backwards: bool) -> String {
    match value {
        Value::Object(members) => {
            let member = |(name, value): (&String, &Value)| format!("{}:{}", json!(name), written(value, backwards));
            let mut members: Vec<String> = members.iter().map(member).collect();
            if backwards {
                members.reverse();
            }
            format!("{{{}}}", members.join(","))
        }
        Value::Array(elements) => {
            let elements: Vec<String> = elements.iter().map(|element| written(element, backwards)).collect();
            format!("[{}]", elements.join(","))
        }
        other => other.to_string(),
    }
}

fn read(schema: &'static Schema, body: &Value) -> Request {
    let [one, other] = [false, true].map(|backwards| read_text(schema, &written(body, backwards)));
    assert_eq!((one.sizes, one.hidden), (other.sizes, other.hidden), "{body}");
    one
}

fn read_text(schema: &'static Schema, text: &str) -> Request {
    let in_path = !schema.request.iter().any(|field| field.key == Some(Asked::Model));
    let called = Called { schema, model: in_path.then(|| "m".to_owned()), streams: None };
    let mut reader = RequestReader::new(called, None);
    reader.feed(text.as_bytes());
    reader.finish(text.len() as u64).unwrap_or_else(|fault| panic!("{}: {fault}: {text}", schema.name))
}

fn of(api: &str, more: Value) -> Request {
    let schema = schema::named(api).unwrap();
    let mut body = Map::new();
    if schema.request.iter().any(|field| field.key == Some(Asked::Model)) {
        body.insert("model".to_owned(), json!("m"));
    }
    if let Some(needed) = schema.needs {
        body.insert(needed.to_owned(), json!([]));
    }
    body.extend(more.as_object().unwrap().clone());
    read(schema, &Value::Object(body))
}

/// Each way to a field that may hide input, with its key.
fn ways(fields: &'static [Field<Asked>], way: &[&'static str], out: &mut Vec<(Vec<&'static str>, Asked)>) {
    for field in fields.iter().filter(|field| !field.is_rest() && field.name != OTHERS) {
        let way = [way, &[field.name]].concat();
        out.extend(field.key.map(|key| (way.clone(), key)));
        // What stands in a source is judged as a whole, in a test of its own.
        if field.key != Some(Asked::Source) {
            ways(field.inside, &way, out);
        }
    }
}

fn at(way: &[&str], value: Value) -> Value {
    way.iter().rev().fold(value, |value, name| json!({ *name: value }))
}

/// Every row of every table: a field of a class that hides input makes the request hide some, however it is wrapped, and a
/// `null` in it makes it hide nothing.
#[test]
fn each_field_that_points_at_input_says_so_in_every_api() {
    let mut walked = std::collections::BTreeMap::<&str, Vec<String>>::new();
    for schema in schema::ALL {
        let mut found = Vec::new();
        ways(schema.request, &[], &mut found);
        for (way, key) in found {
            let (value, field) = match key {
                Asked::Hidden(field) | Asked::PartId(field) => (json!("id"), field),
                Asked::HiddenUpTo(field, _) | Asked::Refers(field) => (json!("id"), field),
                Asked::Address(medium) => {
                    (json!("gs://bucket/it"), if medium == Medium::Picture { "image_url" } else { "" })
                }
                Asked::Servers(_) => (json!([{"url": "https://x"}]), "tools"),
                Asked::StoredPrompt => (json!({"id": "pmpt"}), "prompt"),
                _ => continue,
            };
            let (first, rest) = way.split_first().unwrap();
            let is_needed = schema.request.iter().any(|field| field.name == *first && field.key == Some(Asked::Needed));
            for wrapped in [at(rest, value.clone()), json!([at(rest, value.clone())])] {
                // An id by itself is no list, and what an API needs is one.
                let is_list = wrapped.is_array() && !value.is_array();
                let is_one = matches!(key, Asked::Refers(_)) || *first == "container";
                if is_list && is_one || !is_list && is_needed {
                    continue;
                }
                let request = of(schema.name, json!({ *first: wrapped }));
                if let Asked::Refers(_) = key {
                    assert_eq!(
                        request.refers.first().map(|(field, _)| *field),
                        Some(field),
                        "{}: {way:?}",
                        schema.name
                    );
                    continue;
                }
                let reported = request.hidden.field();
                assert!(
                    reported.is_some_and(|reported| field.is_empty() || reported == field),
                    "{}: {way:?}: {reported:?}",
                    schema.name
                );
                assert!(!request.hidden.is_nothing(), "{}: {way:?}", schema.name);
            }
            let none = at(rest, Value::Null);
            let none = if is_needed { json!([none]) } else { none };
            let nothing = of(schema.name, json!({ *first: none }));
            assert!(nothing.hidden.is_nothing() && nothing.refers.is_empty(), "{}: {way:?}", schema.name);
            walked.entry(schema.name).or_default().push(way.join("."));
        }
    }
    for (api, way) in [
        ("openai_chat", "messages.content.file.file_id"),
        ("openai_chat", "extra_body.google.cached_content"),
        ("gateway_chat", "messages.audio.id"),
        ("openai_responses", "previous_response_id"),
        ("openai_responses", "conversation.id"),
        ("openai_responses", "prompt"),
        ("openai_responses", "input.content.file_id"),
        ("openai_responses", "input.output.file_url"),
        ("anthropic_messages", "container"),
        ("anthropic_messages", "mcp_servers"),
        ("anthropic_messages", "thread"),
        ("gemini_generate", "cachedContent"),
        ("gemini_generate", "contents.parts.fileData.fileUri"),
        ("gemini_generate", "systemInstruction.parts.file_data.file_uri"),
        ("gemini_generate", "contents.parts.functionResponse.parts.fileData.fileUri"),
        ("gemini_embed", "instances.video.gcsUri"),
        ("gemini_interactions", "previous_interaction_id"),
        ("bedrock_converse", "messages.content.document.source.s3Location"),
        ("bedrock_converse", "promptVariables"),
        ("bedrock_invoke", "mcp_servers"),
        ("cohere_chat", "connectors"),
        ("cohere_chat", "conversation_id"),
        ("lm_studio_chat", "previous_response_id"),
    ] {
        assert!(walked[api].iter().any(|walked| walked == way), "{api}: {way} among {:?}", walked[api]);
    }
}

enum Is {
    Text,
    Picture,
    /// So many tokens at most, for what is no text.
    Taken(u64),
    Whole,
}

/// 3,000 bytes of base64.
fn data() -> String {
    "QUJD".repeat(750)
}

#[test]
fn a_part_is_what_it_says_it_is_and_text_where_it_says_nothing() {
    use Is::{Picture, Taken, Text, Whole};
    let (chat, responses, messages) = ("openai_chat", "openai_responses", "anthropic_messages");
    let (gemini, converse, interactions) = ("gemini_generate", "bedrock_converse", "gemini_interactions");
    let url = |kind: &str| format!("data:{kind};base64,{}", data());
    let source = |kind: &str, source: Value| json!({"type": kind, "source": source});
    let (document, sound, video) = (3_000 + 3_072, 72, 675);
    for (api, part, is) in [
        (chat, json!({"type": "text", "text": "see https://example.com/x.pdf"}), Text),
        (chat, json!({"type": "image_url", "image_url": {"url": url("image/png")}}), Picture),
        (chat, json!({"type": "image_url", "image_url": "https://example.com/x.png"}), Picture),
        (chat, json!({"type": "image_url", "image_url": {"url": "gs://bucket/x"}}), Whole),
        (chat, json!({"type": "image_url", "image_url": {"url": format!("data:;base64,{}", data())}}), Picture),
        (
            chat,
            json!({"type": "image_url", "image_url": {"url": format!("DATA:application/pdf;base64,{}", data())}}),
            Taken(document + 28),
        ),
        (chat, json!({"type": "input_audio", "input_audio": {"data": data(), "format": "mp3"}}), Taken(sound)),
        (chat, json!({"type": "input_audio", "input_audio": data()}), Taken(sound)),
        (chat, json!({"type": "input_audio", "input_audio": "https://example.com/x.mp3"}), Whole),
        (chat, json!({"type": "file", "file": {"file_data": data(), "filename": "x.pdf"}}), Taken(document)),
        (chat, json!({"type": "file", "file": {"file_id": "file-1"}}), Whole),
        (chat, json!({"type": "file", "file_id": "file-1"}), Whole),
        (chat, json!({"type": "document_url", "document_url": "https://example.com/x.pdf"}), Whole),
        (chat, json!({"type": "video_url", "video_url": {"url": "https://example.com/x.mp4"}}), Whole),
        (chat, json!({"type": "next_years", "next_years": {"fileUri": "x"}}), Whole),
        (chat, json!({"type": "next_years", "next_years": {"place": "s3://bucket/x"}}), Whole),
        (chat, json!({"type": "next_years", "next_years": {"note": "see https://example.com", "of": 3}}), Text),
        (chat, json!({"type": "next_years", "file_uri": null, "text": "x"}), Text),
        (responses, json!({"type": "input_image", "image_url": url("image/png"), "detail": "high"}), Picture),
        (responses, json!({"type": "input_image", "file_id": "file-1"}), Picture),
        (responses, json!({"type": "input_file", "file_id": "file-1"}), Whole),
        (responses, json!({"type": "input_file", "file_url": "https://example.com/x"}), Whole),
        (responses, json!({"type": "input_file", "file_data": url("application/pdf")}), Taken(document + 28)),
        (responses, json!({"type": "input_audio", "input_audio": {"data": data(), "format": "wav"}}), Taken(sound)),
        (
            responses,
            json!({"type": "output_text", "text": "x", "annotations": [{"type": "url_citation", "url": "https://x"}]}),
            Text,
        ),
        // Plain text is text, whatever it stands in.
        (messages, source("document", json!({"type": "text", "media_type": "text/plain", "data": data()})), Text),
        (
            messages,
            source("document", json!({"type": "base64", "media_type": "application/pdf", "data": data()})),
            Taken(document),
        ),
        (messages, source("document", json!({"type": "base64", "data": data()})), Taken(document)),
        (messages, source("document", json!({"type": "url", "url": "https://example.com/x.pdf"})), Whole),
        (messages, source("document", json!({"type": "file", "file_id": "file_1"})), Whole),
        (messages, source("document", json!({"type": "content", "content": [{"type": "text", "text": data()}]})), Text),
        (
            messages,
            source(
                "document",
                json!({"type": "content", "content": [source("image", json!({"type": "url", "url": "https://x"}))]}),
            ),
            Picture,
        ),
        (messages, source("image", json!({"type": "base64", "media_type": "image/png", "data": data()})), Picture),
        (messages, source("image", json!({"type": "url", "url": "https://example.com/x.png"})), Picture),
        (messages, source("image", json!({"type": "file", "file_id": "file_1"})), Picture),
        (messages, json!({"type": "container_upload", "file_id": "file_1"}), Whole),
        (
            messages,
            json!({"type": "tool_use", "id": "t", "name": "f", "input": {"url": "https://x", "file_id": "y"}}),
            Text,
        ),
        (
            messages,
            json!({"type": "search_result", "source": "https://x", "title": "x", "content": [{"type": "text", "text": "y"}]}),
            Text,
        ),
        (
            messages,
            json!({"type": "tool_result", "tool_use_id": "t", "content": [source("image", json!({"type": "base64", "media_type": "image/png", "data": data()}))]}),
            Picture,
        ),
        (
            messages,
            json!({"type": "tool_result", "tool_use_id": "t", "content": [source("document", json!({"type": "text", "media_type": "text/plain", "data": data()}))]}),
            Text,
        ),
        (
            messages,
            json!({"type": "web_search_tool_result", "tool_use_id": "t", "content": [{"type": "web_search_result", "url": "https://x", "title": "x", "encrypted_content": data()}]}),
            Text,
        ),
        (
            messages,
            json!({"type": "web_fetch_tool_result", "tool_use_id": "t", "content": {"type": "web_fetch_result", "url": "https://x", "content": source("document", json!({"type": "text", "data": data()}))}}),
            Text,
        ),
        (gemini, json!({"text": "see https://example.com"}), Text),
        (gemini, json!({"inlineData": {"mimeType": "image/png", "data": data()}}), Picture),
        (gemini, json!({"inline_data": {"data": data(), "mime_type": "audio/mp3"}}), Taken(sound)),
        (gemini, json!({"inlineData": {"mimeType": "video/mp4", "data": data()}}), Taken(video)),
        (gemini, json!({"inlineData": {"mimeType": "application/pdf", "data": data()}}), Taken(document)),
        (gemini, json!({"inlineData": {"mimeType": "text/plain", "data": data()}}), Text),
        (gemini, json!({"inlineData": {"data": data()}}), Taken(document)),
        (gemini, json!({"fileData": {"mimeType": "image/png", "fileUri": "https://www.youtube.com/watch?v=x"}}), Whole),
        (converse, json!({"image": {"format": "png", "source": {"bytes": data()}}}), Picture),
        (converse, json!({"document": {"format": "pdf", "name": "x", "source": {"bytes": data()}}}), Taken(document)),
        (converse, json!({"document": {"format": "txt", "name": "x", "source": {"text": data()}}}), Text),
        (converse, json!({"video": {"format": "mp4", "source": {"s3Location": {"uri": "s3://x"}}}}), Whole),
        (converse, json!({"audio": {"format": "mp3", "source": {"bytes": data()}}}), Taken(sound)),
        (
            converse,
            json!({"toolResult": {"toolUseId": "t", "content": [{"image": {"source": {"bytes": data()}}}]}}),
            Picture,
        ),
        (converse, json!({"toolUse": {"toolUseId": "t", "name": "f", "input": {"uri": "s3://x"}}}), Text),
        (interactions, json!({"type": "image", "uri": "https://x"}), Picture),
        (interactions, json!({"type": "document", "uri": "https://x"}), Whole),
        (interactions, json!({"type": "video", "data": data()}), Taken(video)),
        (
            interactions,
            json!({"type": "user_input", "content": [{"type": "audio", "data": data(), "mime_type": "audio/wav"}]}),
            Taken(sound),
        ),
        (
            interactions,
            json!({"type": "function_result", "name": "f", "result": [{"type": "image", "data": data()}]}),
            Picture,
        ),
        ("ollama_chat", json!({"role": "user", "content": "x", "images": [data()]}), Picture),
        ("cohere_chat", json!({"type": "image_url", "image_url": {"url": url("image/png")}}), Picture),
        ("lm_studio_chat", json!({"type": "image", "data_url": url("image/png")}), Picture),
    ] {
        let body = match api {
            "openai_responses" => json!({"input": [{"type": "message", "role": "user", "content": [part]}]}),
            "gemini_generate" => json!({"contents": [{"parts": [part]}]}),
            "gemini_interactions" | "lm_studio_chat" => json!({"input": [part]}),
            "ollama_chat" => json!({"messages": [part]}),
            _ => json!({"messages": [{"role": "user", "content": [part]}]}),
        };
        let request = of(api, body.clone());
        let (sizes, hidden) = (request.sizes, request.hidden);
        let case = format!("{api}: {part}\n{sizes:?} {hidden:?}");
        let (pictures, taken, attached) = match is {
            Text => (0, 0, 0),
            Picture => (1, 0, sizes.attached_bytes),
            Taken(tokens) => (0, tokens, sizes.attached_bytes),
            Whole => (0, 0, 0),
        };
        assert_eq!(
            (sizes.pictures, sizes.taken.most, sizes.attached_bytes),
            (pictures, Tokens(taken), attached),
            "{case}"
        );
        assert_eq!(hidden.whole.is_some(), matches!(is, Whole), "{case}");
        assert_eq!(sizes.attachments > 0, !matches!(is, Text), "{case}");
        // What holds itself is no text, and nothing else is left out of it.
        assert!(sizes.attached_bytes == 0 || sizes.attached_bytes >= 3_000 && sizes.text_bytes() < 600, "{case}");
    }
}

#[test]
fn what_is_said_twice_about_a_part_is_refused() {
    let refused = |api: &str, body: &str| {
        let schema = schema::named(api).unwrap();
        let mut reader = RequestReader::new(Called { schema, model: None, streams: None }, None);
        reader.feed(body.as_bytes());
        reader.finish(body.len() as u64).is_err()
    };
    for (api, part) in [
        ("anthropic_messages", r#"{"type":"image","type":"document","source":{"type":"url","url":"https://x"}}"#),
        ("anthropic_messages", r#"{"type":"image","source":{"type":"base64","type":"text","data":"x"}}"#),
        ("anthropic_messages", r#"{"type":"image","source":{"media_type":"image/png","Media_Type":"x","data":"x"}}"#),
        (
            "anthropic_messages",
            r#"{"type":"image","source":{"type":"url","url":""},"source":{"type":"url","url":"https://x"}}"#,
        ),
        ("anthropic_messages", r#"{"type":"container_upload","file_id":null,"File_Id":"x"}"#),
        ("openai_chat", r#"{"type":"image_url","image_url":{"url":"x","URL":"gs://x"}}"#),
        ("openai_chat", r#"{"type":"file","file":{"file_id":null,"file_id":"x"}}"#),
    ] {
        let body = format!(r#"{{"model":"m","max_tokens":1,"messages":[{{"role":"user","content":[{part}]}}]}}"#);
        assert!(refused(api, &body), "{part}");
    }
}

/// Wherever a body is cut.
#[test]
fn what_a_part_is_does_not_hang_on_where_its_bytes_are_cut() {
    let body = json!({"model": "m", "max_tokens": 1, "messages": [{"role": "user", "content": [
        {"type": "image", "source": {"type": "base64", "media_type": "image/png", "data": "QUJD"}},
        {"type": "document", "source": {"type": "text", "media_type": "text/plain", "data": "A text."}},
        {"type": "document", "source": {"type": "url", "url": "https://example.com/x.pdf"}},
    ]}]})
    .to_string();
    let schema = schema::named("anthropic_messages").unwrap();
    let whole = read(schema, &serde_json::from_str(&body).unwrap());
    for at in 0..body.len() {
        let mut reader = RequestReader::new(Called { schema, model: None, streams: None }, None);
        let (before, behind) = body.as_bytes().split_at(at);
        reader.feed(before);
        reader.feed(behind);
        let cut = reader.finish(body.len() as u64).unwrap();
        assert_eq!((cut.sizes, cut.hidden), (whole.sizes, whole.hidden), "{at}");
    }
    assert_eq!((whole.sizes.pictures, whole.hidden.whole), (1, Some("source.url")));
}

#[test]
fn what_hosted_tools_bring_is_bounded_by_what_the_request_says() {
    let page = u64::MAX;
    for (api, more, uses, tokens) in [
        (
            "openai_responses",
            json!({"tools": [{"type": "function", "name": "f"}, {"type": "custom"}, {"type": "local_shell"}]}),
            0,
            0,
        ),
        ("openai_responses", json!({"tools": [{"type": "web_search"}]}), 10, 163_840),
        ("openai_responses", json!({"tools": [{"type": "web_search"}], "max_tool_calls": 2}), 2, 32_768),
        ("openai_responses", json!({"max_tool_calls": 0, "tools": [{"type": "web_search"}]}), 10, 163_840),
        ("openai_responses", json!({"tools": [{"type": "file_search", "vector_store_ids": ["vs_1"]}]}), 10, 163_840),
        ("openai_responses", json!({"tools": [{"type": "mcp", "server_url": "https://x"}]}), 10, page),
        ("openai_responses", json!({"tools": [{"type": "shell", "environment": {"type": "local"}}]}), 0, 0),
        ("openai_responses", json!({"tools": [{"type": "next_years"}]}), 10, 163_840),
        ("openai_chat", json!({"web_search_options": {}}), 1, 16_384),
        // What bounds a tool for Anthropic, nobody else reads; and a bound of 0 is none.
        ("openai_responses", json!({"tools": [{"type": "web_search", "max_uses": 1}]}), 10, 163_840),
        ("openai_responses", json!({"tools": [{"type": "web_search", "max_content_tokens": 1}]}), 10, 163_840),
        ("openai_chat", json!({"tools": [{"type": "web_search_20250305", "max_uses": 0}]}), 10, 163_840),
        ("openai_chat", json!({"tools": [{"googleSearch": {}, "urlContext": {}, "max_uses": 0}]}), 20, page),
        ("anthropic_messages", json!({"tools": [{"type": "web_search_20250305", "max_uses": 0}]}), 10, 163_840),
        ("anthropic_messages", json!({"tools": [{"type": "web_fetch_20250910", "max_content_tokens": 0}]}), 10, page),
        ("anthropic_messages", json!({"messages": [{"tools": [{"type": "web_search_20250305"}]}]}), 10, 163_840),
        ("anthropic_messages", json!({"tools": [{"type": "bash_20250124"}, {"name": "f", "input_schema": {}}]}), 0, 0),
        ("anthropic_messages", json!({"tools": [{"type": "web_search_20250305", "max_uses": 3}]}), 3, 49_152),
        ("anthropic_messages", json!({"tools": [{"type": "web_fetch_20250910", "max_uses": 2}]}), 2, page),
        (
            "anthropic_messages",
            json!({"tools": [{"type": "web_fetch_20250910", "max_uses": 2, "max_content_tokens": 500}]}),
            2,
            1_000,
        ),
        ("anthropic_messages", json!({"mcp_servers": [{"type": "url", "url": "https://x", "name": "x"}]}), 10, page),
        ("gemini_generate", json!({"tools": [{"functionDeclarations": [{"name": "f"}]}]}), 0, 0),
        ("gemini_generate", json!({"tools": [{"urlContext": {}}]}), 10, page),
        ("gemini_generate", json!({"tools": [{"googleSearch": {}}]}), 10, 163_840),
        ("bedrock_converse", json!({"toolConfig": {"tools": [{"toolSpec": {"name": "f"}}]}}), 0, 0),
        ("bedrock_converse", json!({"toolConfig": {"tools": [{"systemTool": {"name": "x"}}]}}), 10, 163_840),
        ("bedrock_invoke", json!({"toolConfig": {"tools": [{"systemTool": {"name": "x"}}]}}), 10, 163_840),
        (
            "bedrock_converse",
            json!({"additionalModelRequestFields": {"tools": [{"type": "web_search_20250305", "max_uses": 2}]}}),
            2,
            32_768,
        ),
        ("cohere_chat", json!({"connectors": [{"id": "web-search"}]}), 10, page),
    ] {
        let hidden = of(api, more.clone()).hidden;
        assert_eq!((hidden.uses, hidden.brought), (uses, Tokens(tokens)), "{api}: {more}");
        assert_eq!(hidden.field(), (uses > 0).then_some("tools"), "{api}: {more}");
    }
}

#[test]
fn a_field_that_no_table_knows_lets_a_report_be_believed_and_reserves_nothing() {
    let request = of("openai_chat", json!({"next_years": {"a": 1}}));
    assert!(request.hidden.is_nothing() && request.hidden.unsure);
    assert!(!of("openai_chat", json!({"temperature": 1})).hidden.unsure);
}
