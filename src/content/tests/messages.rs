//! AWS's event streams, as Bedrock streams its answers: messages with something written into them are messages again, and the others
//! stay as they are.

use super::refused::{cut_off, ended_as, refusing};
use super::{MAIL, content, cuts, goes_on, mails, passed, screened};
use crate::base64::encoded;
use crate::content::{AnswerTexts, Placeholders, Refused};
use crate::llm::aws_stream::written::{event, read};
use crate::llm::meter::{Form, Passage};
use crate::llm::schema::{self, Schema};
use crate::llm::texts::Opaque;
use proptest::prelude::*;
use serde_json::{Value, json};

/// An API that streams so, and what it says in a message.
struct Api {
    schema: &'static Schema,
    is_wrapped: bool,
    text: fn(u64, &str) -> Vec<u8>,
    arguments: fn(u64, &str) -> Vec<u8>,
    end: fn(u64) -> Vec<u8>,
}

fn delta(index: u64, delta: &Value) -> Vec<u8> {
    let payload = json!({"contentBlockIndex": index, "delta": delta, "p": "abcdefgh"}).to_string();
    event("contentBlockDelta", payload.as_bytes())
}

fn chunk(document: &Value) -> Vec<u8> {
    let payload = json!({"bytes": encoded(document.to_string().as_bytes()), "p": "abcdefghijklm"}).to_string();
    event("chunk", payload.as_bytes())
}

fn block(index: u64, delta: &Value) -> Vec<u8> {
    chunk(&json!({"type": "content_block_delta", "index": index, "delta": delta}))
}

fn apis() -> [Api; 2] {
    [
        Api {
            schema: schema::named("bedrock_converse").unwrap(),
            is_wrapped: false,
            text: |index, said| delta(index, &json!({"text": said})),
            arguments: |index, said| delta(index, &json!({"toolUse": {"input": said}})),
            end: |index| event("contentBlockStop", json!({"contentBlockIndex": index}).to_string().as_bytes()),
        },
        Api {
            schema: schema::named("bedrock_invoke").unwrap(),
            is_wrapped: true,
            text: |index, said| block(index, &json!({"type": "text_delta", "text": said})),
            arguments: |index, said| block(index, &json!({"type": "input_json_delta", "partial_json": said})),
            end: |index| chunk(&json!({"type": "content_block_stop", "index": index})),
        },
    ]
}

impl Api {
    /// What messages say, one behind the other.
    fn said(&self, stream: &[u8]) -> String {
        let each = read(stream, self.is_wrapped).into_iter().map(|(_, document)| {
            let document: Value = serde_json::from_str(&document).unwrap_or_else(|error| panic!("{error}: {document}"));
            let delta = &document["delta"];
            let said = [&delta["text"], &delta["partial_json"], &delta["toolUse"]["input"]];
            said.iter().find_map(|said| said.as_str()).unwrap_or_default().to_owned()
        });
        each.collect()
    }
}

proptest! {
    #[test]
    fn what_messages_say_is_masked_and_restored_however_they_split_it(
        nth in 0..2_usize, json: bool,
        splits in prop::collection::vec(0..90_usize, 0..8),
        at in prop::collection::vec(0..4_000_usize, 0..12),
    ) {
        let api = &apis()[nth];
        let rules = content(&json!([
            {"name": "mails", "find": ["email"], "action": "mask", "on": ["answer"]},
            {"name": "names", "words": ["Nord \"wind\""], "label": "NAME", "action": "restore"},
        ]));
        let request = json!({"messages": [{"role": "user", "content": "of Nord \"wind\""}]}).to_string();
        let given = screened(&rules, super::chat(), &[request.as_bytes()]).1.placeholders;
        let said = format!("Dear {MAIL} of [NAME_1], see b@c.de.");
        let (text, say) = if json { (json!({"to": said}).to_string(), api.arguments) } else { (said, api.text) };
        let pieces = cuts(text.as_bytes(), &splits);
        let mut messages: Vec<_> = pieces.iter().map(|piece| say(3, std::str::from_utf8(piece).unwrap())).collect();
        messages.extend([(api.end)(3), (api.text)(4, "more, ")]);
        let body = messages.concat();
        let out = passed(&rules, api.schema, given, &cuts(&body, &at));
        let said = api.said(&out);
        let said = said.strip_suffix("more, ").unwrap();
        let said = if json { serde_json::from_str::<Value>(said).unwrap()["to"].as_str().unwrap().to_owned() } else { said.to_owned() };
        prop_assert_eq!(said, "Dear [EMAIL_1] of Nord \"wind\", see [EMAIL_2].");
        // Those behind have nothing in them.
        prop_assert!(out.ends_with(&messages[messages.len() - 2..].concat()));
        prop_assert_eq!(read(&out, api.is_wrapped).len(), messages.len());
    }

    #[test]
    fn a_stream_of_messages_ends_before_what_is_refused_with_a_message_that_says_so(
        nth in 0..2_usize, at in prop::collection::vec(0..2_000_usize, 0..9), split in 1..MAIL.len(),
    ) {
        let api = &apis()[nth];
        let (one, other) = MAIL.split_at(split);
        let said = ["Hello, ", "write to ", one, other, " now", "."].map(|said| (api.text)(0, said));
        let body = said.concat();
        let out = ended_as(Form::Binary, &refusing(), api.schema, Placeholders::default(), &cuts(&body, &at));
        let before = said[..2].concat();
        let last = out.strip_prefix(&before[..]).unwrap();
        prop_assert_eq!(read(last, api.is_wrapped), [(String::new(), "{\"error\":\"over\"}".to_owned())]);
    }

    #[test]
    fn whatever_bytes_they_are_they_go_on_as_they_are_or_only_their_beginning_does(
        nth in 0..2_usize,
        parts in prop::collection::vec(prop_oneof![
            Just(None), any::<u8>().prop_map(|byte| Some(vec![byte])),
            prop::collection::vec(any::<u8>(), 0..40).prop_map(Some),
        ], 0..12),
        size in 1..60_usize,
    ) {
        let api = &apis()[nth];
        let mut body = (api.text)(0, "Hello, ");
        for part in parts {
            body.extend(part.unwrap_or_else(|| (api.text)(0, &format!("to {MAIL}, "))));
        }
        let chunks: Vec<_> = body.chunks(size).collect();
        let mut count = AnswerTexts::new(&content(&json!([{"name": "mails", "find": ["email"], "action": "count", "on": ["answer"]}])), api.schema, Placeholders::default()).unwrap();
        let out = goes_on(&mut count, &chunks);
        prop_assert!(body.starts_with(&out));
        let mut refuse = AnswerTexts::new(&refusing(), api.schema, Placeholders::default()).unwrap();
        let out = goes_on(&mut refuse, &chunks);
        prop_assert!(body.starts_with(&out));
        prop_assert_eq!(refuse.refused().is_some(), !count.seen().found.is_empty());
    }
}

/// Its last word doesn't wait for the end of the answer.
#[test]
fn a_block_that_has_ended_holds_nothing_back() {
    let mask = content(&mails("mask"));
    for api in apis() {
        let mut texts = AnswerTexts::new(&mask, api.schema, Placeholders::default()).unwrap();
        let [said, end] = [(api.text)(1, "I look"), (api.end)(1)];
        let mut passed = |message: &[u8]| match texts.feed(message, false) {
            Passage::Unchanged => message.to_vec(),
            Passage::Replaced(bytes) => bytes,
        };
        assert_eq!(passed(&said), b"");
        assert_eq!(passed(&end), [&said[..], &end].concat());
    }
}

#[test]
fn what_is_no_message_passes_and_is_told_and_what_has_not_come_whole_does_not() {
    let mask = content(&mails("mask"));
    for api in apis() {
        let said = (api.text)(0, &format!("to {MAIL}, "));
        let masked = passed(&mask, api.schema, Placeholders::default(), &[&said]);
        assert_eq!(api.said(&masked), "to [EMAIL_1], ");
        for (behind, passes) in [(&[0, 0, 0, 1, 2, 3][..], true), (&said[..said.len() - 1], false), (&said[..3], false)]
        {
            let body = [&said[..], behind].concat();
            for size in [1, 50, body.len()] {
                let mut texts = AnswerTexts::new(&mask, api.schema, Placeholders::default()).unwrap();
                let out = goes_on(&mut texts, &body.chunks(size).collect::<Vec<_>>());
                assert_eq!(out, [&masked[..], if passes { behind } else { &[] }].concat());
                assert_eq!(texts.seen().opaque[Opaque::Body as usize], 1);
            }
        }
        // Nobody honest sends one as long.
        let mut long = (2_u32 << 20).to_be_bytes().to_vec();
        long.resize(1_100_000, 0);
        let mut texts = AnswerTexts::new(&refusing(), api.schema, Placeholders::default()).unwrap();
        let (_, refused) = cut_off(&mut texts, &long.chunks(16_384).collect::<Vec<_>>());
        assert_eq!(refused, Some(Refused::Opaque(Opaque::TooLong)));
    }
}
