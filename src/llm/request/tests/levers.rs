//! What the ruler over the SDKs' parameters has found: each lever is counted, or refused by its name.

use super::super::*;
use crate::llm::path::Called;
use crate::llm::schema;

fn read(name: &str, body: &str) -> Result<Request, Invalid> {
    let schema = schema::named(name).unwrap();
    let model = matches!(name, "gemini_generate" | "bedrock_converse").then(|| "m".to_owned());
    let mut reader = RequestReader::new(Called { schema, model, streams: None }, None);
    reader.feed(body.as_bytes());
    reader.finish(body.len() as u64)
}

#[test]
fn no_field_has_another_model_serve() {
    for (api, body, field) in [
        ("openai_images", r#"{"model":"gpt-image-2","prompt":"x","svg":{"model":"gpt-5-pro"}}"#, "svg.model"),
        (
            "anthropic_messages",
            r#"{"model":"claude-haiku-4-5","max_tokens":1024,"messages":[],"fallbacks":[{"model":"claude-opus-4-8"}]}"#,
            "fallbacks",
        ),
        (
            "gemini_generate",
            r#"{"contents":[],"generationConfig":{"routingConfig":{"manualMode":{"modelName":"gemini-3-pro"}}}}"#,
            "generationConfig.routingConfig",
        ),
        (
            "gemini_generate",
            r#"{"contents":[],"generation_config":{"routing_config":{"auto_mode":{}}}}"#,
            "generation_config.routing_config",
        ),
        (
            "gemini_generate",
            r#"{"contents":[],"generationConfig":{"modelSelectionConfig":{"featureSelectionPreference":"PRIORITIZE_QUALITY"}}}"#,
            "generationConfig.modelSelectionConfig",
        ),
    ] {
        let Err(Invalid::Wrong { field: told, .. }) = read(api, body) else { panic!("{body}") };
        assert_eq!(told, field, "{body}");
    }
    let nothing = r#"{"contents":[],"generationConfig":{"routingConfig":null,"maxOutputTokens":5}}"#;
    assert_eq!(read("gemini_generate", nothing).unwrap().bound(), Some(Tokens(5)));
}

#[test]
fn models_that_work_inside_of_tools_are_read_wherever_they_are_named() {
    for (api, body, models) in [
        (
            "openai_responses",
            r#"{"model":"m","tools":[{"type":"image_generation","model":"gpt-image-2","svg":{"model":"gpt-5-pro"}}]}"#,
            &["gpt-image-2", "gpt-5-pro"][..],
        ),
        (
            "openai_responses",
            r#"{"model":"m","input":[{"type":"additional_tools","tools":[{"type":"image_generation","svg":{"model":"a"}}]}]}"#,
            &["a"],
        ),
        (
            "anthropic_messages",
            r#"{"model":"m","messages":[{"role":"user","content":[{"type":"tool_addition","tool_changes":[{"tool":{"definition":{"type":"advisor_20260301","model":"claude-opus"}}}]}]}]}"#,
            &["claude-opus"],
        ),
    ] {
        let read = read(api, body).unwrap().tool_models;
        assert_eq!(read.iter().map(|model| &*model.name).collect::<Vec<_>>(), models, "{body}");
        assert!(read.iter().all(|model| model.draws == (api == "openai_responses")), "{body}");
    }
}

#[test]
fn a_picture_of_a_tool_that_moves_is_all_its_frames_and_may_begin_from_another() {
    let tool = |more: &str| {
        let body = format!(r#"{{"model":"m","tools":[{{"type":"image_generation"{more}}}]}}"#);
        let request = read("openai_responses", &body).unwrap();
        (request.items(&request.sizes).tool_images, request.sizes.pictures)
    };
    assert_eq!(tool(""), (2, 0));
    assert_eq!(tool(r#","output_format":"gif""#), (18, 0));
    assert_eq!(tool(r#","output_format":"gif","frame_count":16"#), (32, 0));
    assert_eq!(tool(r#","input_image_mask":{"file_id":"file_1"}"#), (2, 1));
    assert_eq!(tool(r#","input_image_mask":{"image_url":"data:image/png;base64,AAAA"}"#), (2, 1));
    let once = r#"{"model":"m","max_tool_calls":1,"tools":[{"type":"image_generation","frame_count":16}]}"#;
    let request = read("openai_responses", once).unwrap();
    assert_eq!(request.items(&request.sizes).tool_images, 16);
}

#[test]
fn objects_that_hold_the_bound_know_all_that_stands_beside_it() {
    for (api, body, unknown) in [
        ("gemini_generate", r#"{"contents":[],"generationConfig":{"topP":1,"thinkingConfig":{"x":1}}}"#, &[][..]),
        ("gemini_generate", r#"{"contents":[],"generationConfig":{"drafts":4,"top_k":1}}"#, &["drafts"]),
        ("bedrock_converse", r#"{"messages":[],"inferenceConfig":{"maxTokens":5,"drafts":4}}"#, &["drafts"]),
        ("ollama_chat", r#"{"model":"m","messages":[],"options":{"num_predict":5,"seed":1,"drafts":4}}"#, &["drafts"]),
        ("openai_audio", r#"{"model":"m","input":"x","stream":true,"voice_id":"v"}"#, &[]),
    ] {
        assert_eq!(read(api, body).unwrap().unknown.fields, unknown, "{body}");
    }
    let elsewhere = r#"{"model":"m","file_url":"https://x/an-hour.mp3"}"#;
    assert_eq!(read("openai_audio", elsewhere).unwrap().hidden.whole, Some("file_url"));
}

#[test]
fn one_tool_names_no_more_models_than_are_judged() {
    let tool = |models: usize| {
        let names: Vec<_> = (0..models).map(|nth| format!(r#"{{"model":"m{nth}"}},{{"model":"m0"}}"#)).collect();
        let body = format!(r#"{{"model":"m","tools":[{{"type":"image_generation","svg":[{}]}}]}}"#, names.join(","));
        read("openai_responses", &body).map(|request| request.tool_models.len())
    };
    assert_eq!(tool(64), Ok(64));
    assert!(matches!(tool(65), Err(Invalid::Wrong { field: "tools[].model", .. })));
}

/// Google reads both spellings of a name, in interactions as elsewhere.
#[test]
fn an_interaction_says_the_same_in_both_spellings() {
    for (snake, camel) in [
        (r#""generation_config":{"max_output_tokens":9}"#, r#""generationConfig":{"maxOutputTokens":9}"#),
        (r#""previous_interaction_id":"x""#, r#""previousInteractionId":"x""#),
        (r#""cached_content":"x""#, r#""cachedContent":"x""#),
        (r#""continuation_token":"x""#, r#""continuationToken":"x""#),
        (r#""service_tier":"flex""#, r#""serviceTier":"flex""#),
    ] {
        let said = |field: &str| {
            let request = read("gemini_interactions", &format!(r#"{{"model":"m","input":"x",{field}}}"#)).unwrap();
            let refers: Vec<_> = request.refers.iter().map(|(field, _)| *field).collect();
            (request.bound(), request.hidden.is_nothing(), request.rates.service_tier, refers, request.unknown.fields)
        };
        assert_eq!(said(snake), said(camel));
        assert_ne!(said(snake), said(r#""store":true"#));
    }
}
