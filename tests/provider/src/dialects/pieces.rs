//! APIs that sell no tokens, or hardly any: pictures, speech, transcripts, embeddings of pictures.

use serde_json::{Value, json};

use crate::answer::{Answer, CREATED};
use crate::api::{Api, Dialect};
use crate::event::Event;
use crate::refusal::Refusal;
use crate::request::{Asked, Wording};

pub struct Pieces(pub Api);

/// In base64, the size of a small picture.
const PICTURE_BYTES: usize = 3_000;
/// A character of speech as MP3.
const BYTES_OF_A_CHARACTER: u64 = 1_000;

impl Dialect for Pieces {
    fn read<'a>(&self, asked: &'a Asked) -> Result<Wording<'a>, Refusal> {
        let model =
            if self.0 == Api::Embedding { asked.model_between("/model/", "/invoke")? } else { asked.model()? };
        let text = |name: &str| asked.body.get(name).and_then(Value::as_str);
        Ok(Wording {
            model,
            stream: self.0 == Api::Transcription && asked.switch("stream")?,
            texts: ["prompt", "input", "inputText"].into_iter().filter_map(text).collect(),
            choices: u64::from(self.0 == Api::Transcription),
            // Of the embedding's text alone.
            metered: self.0 == Api::Embedding,
            ..Wording::default()
        })
    }

    fn token(&self, answer: &Answer, nth: u64) -> Event {
        Event::typed("transcript.text.delta", &json!({"delta": answer.text(0, nth)}))
    }

    fn last(&self, answer: &Answer) -> Vec<Event> {
        let usage = json!({"type": "duration", "seconds": answer.basket.at_once.seconds});
        let mut done = json!({"text": answer.whole_text(0)});
        if let Some(usage) = answer.reported(usage) {
            done["usage"] = usage;
        }
        vec![Event::typed("transcript.text.done", &done)]
    }

    fn whole(&self, answer: &Answer) -> Vec<u8> {
        let picture = || json!({"b64_json": "A".repeat(PICTURE_BYTES)});
        match self.0 {
            Api::Speech => vec![0xff; (answer.basket.at_once.characters * BYTES_OF_A_CHARACTER) as usize],
            Api::Images => {
                let data: Vec<Value> = (0..answer.basket.at_once.images).map(|_| picture()).collect();
                json!({"created": CREATED, "data": data}).to_string().into_bytes()
            }
            Api::Transcription => {
                let usage = json!({"type": "duration", "seconds": answer.basket.at_once.seconds});
                let mut whole = json!({"text": answer.whole_text(0)});
                if let Some(usage) = answer.reported(usage) {
                    whole["usage"] = usage;
                }
                whole.to_string().into_bytes()
            }
            _ => json!({"embedding": vec![0.25; 256], "inputTextTokenCount": answer.prompt_tokens})
                .to_string()
                .into_bytes(),
        }
    }
}
