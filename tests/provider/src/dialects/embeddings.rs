//! OpenAI's embeddings: nothing is generated, and the answer can be far larger than any other.

use serde_json::{Value, json};

use crate::answer::Answer;
use crate::api::Dialect;
use crate::refusal::Refusal;
use crate::request::{Asked, Wording, texts};

pub const USUAL_DIMENSIONS: u64 = 1_536;
pub const BYTES_OF_A_NUMBER: u64 = 22;
/// What the vectors are made of, in turn.
const NUMBERS: [&str; 8] = [
    "-0.006929283495992422",
    "0.005336422007530928",
    "0.014362285844981670",
    "-0.02355205640196800",
    "-0.0000045478731505",
    "0.024047505110502243",
    "-0.011529312469065189",
    "0.019784083589911461",
];

pub struct Embeddings;

/// How many inputs there are, and how many of their tokens came as numbers.
fn counted(input: &Value) -> (u64, u64) {
    match input {
        Value::Array(items) if items.iter().all(Value::is_u64) => (1, items.len() as u64),
        Value::Array(items) => {
            let ids = items.iter().filter_map(Value::as_array).map(|ids| ids.len() as u64).sum();
            (items.len() as u64, ids)
        }
        _ => (1, 0),
    }
}

impl Dialect for Embeddings {
    fn read<'a>(&self, asked: &'a Asked) -> Result<Wording<'a>, Refusal> {
        let input = asked.part(&["input"]);
        let (items, token_ids) = counted(input);
        let texts = texts(input);
        if texts.is_empty() && token_ids == 0 {
            return Err(Refusal::wrong("input", "input must be a text, tokens, or a list of either"));
        }
        Ok(Wording {
            model: asked.model()?,
            choices: 0,
            texts,
            token_ids,
            items,
            size: asked.number("dimensions", u64::from(u32::MAX))?,
            ..Wording::default()
        })
    }

    /// Written number by number: as a tree of values, 100 MB of it would take a gigabyte.
    fn whole(&self, answer: &Answer) -> Vec<u8> {
        let bytes = answer.dimensions() * BYTES_OF_A_NUMBER * answer.items;
        let mut whole = String::with_capacity(bytes as usize);
        whole += r#"{"object":"list","data":["#;
        for index in 0..answer.items {
            whole += if index == 0 { "" } else { "," };
            whole += r#"{"object":"embedding","index":"#;
            whole += &index.to_string();
            whole += r#","embedding":["#;
            let numbers = NUMBERS.iter().cycle().skip(((answer.seed % 8 + index) % 8) as usize);
            for (nth, number) in (0..answer.dimensions()).zip(numbers) {
                whole += if nth == 0 { "" } else { "," };
                whole += number;
            }
            whole += "]}";
        }
        whole += &format!(r#"],"model":{}"#, json!(answer.model_reported()));
        let prompt = answer.prompt_tokens;
        if let Some(usage) = answer.reported(json!({"prompt_tokens": prompt, "total_tokens": prompt})) {
            whole += &format!(r#","usage":{usage}"#);
        }
        whole += "}";
        whole.into_bytes()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::api::Api;

    fn answer(input: Value, knobs: &str) -> Answer {
        let body = json!({"model": "text-embedding-3-small", "input": input});
        let asked = Asked::read("/v1/embeddings", "", body.to_string().as_bytes()).expect("JSON");
        Answer::to(Api::Embeddings, &asked, &[knobs]).expect("a request")
    }

    #[test]
    fn a_prompt_is_all_that_is_billed() {
        let (whole, billed) = answer(json!(["hello", "worlds"]), "dimensions=3").whole();
        let whole: Value = serde_json::from_slice(&whole).expect("JSON");
        assert_eq!(billed, 0);
        assert_eq!(whole["usage"], json!({"prompt_tokens": 3, "total_tokens": 3}));
        assert_eq!(whole["data"].as_array().map(Vec::len), Some(2));
        assert_eq!(whole["data"][1]["embedding"].as_array().map(Vec::len), Some(3));
    }

    #[test]
    fn tokens_may_come_as_numbers() {
        assert_eq!(answer(json!("hello"), "").prompt_tokens, 2);
        assert_eq!(answer(json!([1, 2, 3]), "").prompt_tokens, 3);
        let two = answer(json!([[1, 2, 3], [4]]), "");
        assert_eq!((two.prompt_tokens, two.items), (4, 2));
    }

    #[test]
    fn an_answer_grows_with_its_dimensions() {
        let (whole, _) = answer(json!("hello"), "dimensions=500000").whole();
        assert!((10_000_000..12_000_000).contains(&whole.len()), "{}", whole.len());
    }
}
