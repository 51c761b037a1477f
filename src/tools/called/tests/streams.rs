//! Random streams: calls of any names and arguments, each in any pieces, all of them mixed, cut anywhere.

use super::examples::{escaped, events};
use super::{ended, told};
use proptest::prelude::*;
use proptest::sample::Index;
use serde_json::json;

/// A call, and where its arguments are split.
type Random = (String, Vec<(String, String)>, Vec<Index>);

fn calls() -> impl Strategy<Value = Vec<Random>> {
    let text = prop_oneof![any::<String>(), "[a-z\"\\\\{}\\[\\]:, é😀\\n]{0,12}"];
    let arguments = prop::collection::vec((text.clone(), text), 0..4);
    prop::collection::vec(("[a-z_]{1,8}", arguments, prop::collection::vec(any::<Index>(), 0..6)), 1..5)
}

fn split<'t>(text: &'t str, at: &[Index]) -> Vec<&'t str> {
    let mut cuts: Vec<_> =
        at.iter().map(|at| at.index(text.len() + 1)).filter(|at| text.is_char_boundary(*at)).collect();
    cuts.sort_unstable();
    let ends = cuts.iter().copied().chain([text.len()]);
    std::iter::once(0).chain(cuts.iter().copied()).zip(ends).map(|(from, to)| text.get(from..to).unwrap()).collect()
}

/// The events of one call, as an API has them.
fn event(api: &str, index: usize, name: &str, step: Step<'_>, written: &impl Fn(&str) -> String) -> String {
    match (api, step) {
        ("openai_chat", Step::Begins) => format!(
            r#"{{"choices":[{{"index":0,"delta":{{"tool_calls":[{{"index":{index},"id":"c{index}","type":"function","function":{{"name":{},"arguments":""}}}}]}}}}]}}"#,
            written(name)
        ),
        ("openai_chat", Step::GoesOn(piece)) => format!(
            r#"{{"choices":[{{"index":0,"delta":{{"tool_calls":[{{"index":{index},"function":{{"arguments":{}}}}}]}}}}]}}"#,
            written(piece)
        ),
        ("anthropic_messages", Step::Begins) => format!(
            r#"{{"type":"content_block_start","index":{index},"content_block":{{"type":"tool_use","id":"c{index}","name":{},"input":{{}}}}}}"#,
            written(name)
        ),
        ("anthropic_messages", Step::GoesOn(piece)) => format!(
            r#"{{"delta":{{"partial_json":{},"type":"input_json_delta"}},"index":{index},"type":"content_block_delta"}}"#,
            written(piece)
        ),
        ("anthropic_messages", Step::Ends(_)) => json!({"type": "content_block_stop", "index": index}).to_string(),
        (_, Step::Begins) => format!(
            r#"{{"type":"response.output_item.added","output_index":{index},"item":{{"type":"function_call","id":"c{index}","name":{},"arguments":""}}}}"#,
            written(name)
        ),
        (_, Step::GoesOn(piece)) => format!(
            r#"{{"delta":{},"output_index":{index},"type":"response.function_call_arguments.delta"}}"#,
            written(piece)
        ),
        ("openai_responses", Step::Ends(whole)) => format!(
            r#"{{"type":"response.output_item.done","output_index":{index},"item":{{"type":"function_call","id":"c{index}","name":{},"arguments":{}}}}}"#,
            written(name),
            written(whole)
        ),
        (_, Step::Ends(_)) => json!({"choices": [{"index": 0, "delta": {}}]}).to_string(),
    }
}

#[derive(Clone, Copy)]
enum Step<'t> {
    Begins,
    GoesOn(&'t str),
    Ends(&'t str),
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(96))]

    #[test]
    fn mixed_calls_are_told_each_with_its_own(
        calls in calls(),
        mix in prop::collection::vec(any::<Index>(), 40),
        size in 1..200_usize,
        escapes: bool,
    ) {
        let written = |text: &str| if escapes { escaped(text) } else { json!(text).to_string() };
        for api in ["openai_chat", "anthropic_messages", "openai_responses"] {
            let texts: Vec<_> = calls
                .iter()
                .map(|(_, fields, _)| {
                    let fields: Vec<_> = fields.iter().map(|(key, value)| format!("{}: {}", json!(key), json!(value))).collect();
                    format!("{{{}}}", fields.join(", "))
                })
                .collect();
            let mut waiting: Vec<Vec<String>> = Vec::new();
            for (index, ((name, _, at), text)) in calls.iter().zip(&texts).enumerate() {
                let mut steps = vec![Step::Begins];
                steps.extend(split(text, at).into_iter().map(Step::GoesOn));
                steps.push(Step::Ends(text));
                waiting.push(steps.into_iter().rev().map(|step| event(api, index, name, step, &written)).collect());
            }
            let mut stream = Vec::new();
            let mut picks = mix.iter().cycle();
            while !waiting.is_empty() {
                let at = picks.next().unwrap().index(waiting.len());
                stream.extend(waiting[at].pop());
                waiting.retain(|events| !events.is_empty());
            }
            stream.push("[DONE]".to_owned());
            let body = events(&stream);
            let (heard, unread) = told(api, &body.chunks(size).collect::<Vec<_>>());
            let mut ended: Vec<_> = ended(&heard).into_iter().map(|[_, name, _, arguments]| (name, arguments)).collect();
            let mut expected: Vec<_> = calls.iter().map(|(name, ..)| name.clone()).zip(texts).collect();
            ended.sort();
            expected.sort();
            prop_assert_eq!((ended, unread), (expected, 0), "{} {}", api, String::from_utf8_lossy(&body));
        }
    }
}
