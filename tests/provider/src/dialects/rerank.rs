//! Cohere's rerank: billed by the search, not by the token.

use serde_json::{Value, json};

use crate::answer::Answer;
use crate::api::Dialect;
use crate::refusal::Refusal;
use crate::request::{Asked, Wording, texts};

pub struct Rerank;

impl Dialect for Rerank {
    fn read<'a>(&self, asked: &'a Asked) -> Result<Wording<'a>, Refusal> {
        let query = texts(asked.part(&["query"]));
        if query.is_empty() {
            return Err(Refusal::wrong("query", "query must not be empty"));
        }
        let documents = asked.list("documents")?;
        let most = documents.len() as u64;
        Ok(Wording {
            model: asked.model()?,
            choices: 0,
            texts: [query, texts(asked.part(&["documents"]))].concat(),
            items: most,
            size: asked.number("top_n", u64::MAX)?.map(|top| top.min(most)),
            metered: false,
            ..Wording::default()
        })
    }

    /// The documents come back in the order in which they were sent, each a little less relevant.
    fn whole(&self, answer: &Answer) -> Vec<u8> {
        let shown = answer.size.unwrap_or(answer.items);
        let result = |index: u64| json!({"index": index, "relevance_score": 1.0 / (index as f64 + 1.25)});
        let mut whole = json!({
            "id": answer.id(""),
            "results": (0..shown).map(result).collect::<Vec<Value>>(),
        });
        let mut meta = json!({"api_version": {"version": "2"}});
        if let Some(units) = answer.reported(json!({"search_units": answer.search_units()})) {
            meta["billed_units"] = units;
        }
        whole["meta"] = meta;
        whole.to_string().into_bytes()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::api::Api;

    #[test]
    fn a_search_is_billed_for_every_hundred_documents() {
        let told = |documents: usize, knobs: &str| {
            let body = json!({"model": "rerank-v3.5", "query": "q", "documents": vec!["text"; documents], "top_n": 3});
            let asked = Asked::read("/v2/rerank", "", body.to_string().as_bytes()).expect("JSON");
            let answer = Answer::to(Api::Rerank, &asked, &[knobs]).expect("a request");
            assert_eq!((answer.prompt_tokens, answer.completion_tokens()), (0, 0));
            let whole: Value = serde_json::from_slice(&answer.whole().0).expect("JSON");
            assert_eq!(whole["results"].as_array().map(Vec::len), Some(3));
            whole["meta"]["billed_units"]["search_units"].as_u64()
        };
        assert_eq!(told(3, ""), Some(1));
        assert_eq!(told(101, ""), Some(2));
        assert_eq!(told(3, "search_units=7"), Some(7));
        assert_eq!(told(3, "no_usage"), None);
    }
}
