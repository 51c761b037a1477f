//! A request as it came, and what an answer needs of it. Each dialect reads its own; here is what they share.

use serde_json::Value;

use crate::framing::Framing;
use crate::refusal::Refusal;
use crate::sold;

/// The path, the query and the body.
#[derive(Clone, Debug)]
pub struct Asked {
    pub path: String,
    pub query: String,
    pub body: Value,
}

/// What a dialect found in a request, before any knob.
#[derive(Clone, Debug)]
pub struct Wording<'a> {
    /// With the knobs behind `+`, if there are any.
    pub model: String,
    pub stream: bool,
    pub framing: Framing,
    pub include_usage: bool,
    pub output_bound: Option<u64>,
    /// How many answers are generated; 0 where nothing is.
    pub choices: u64,
    /// More that are generated, and never shown.
    pub unshown: u64,
    /// All texts of the prompt.
    pub texts: Vec<&'a str>,
    /// Each costs four tokens, whatever it says.
    pub messages: u64,
    /// Tokens that were sent as numbers.
    pub token_ids: u64,
    /// Texts to embed, documents to rank.
    pub items: u64,
    /// Of each embedding, its dimensions; of a ranking, its results.
    pub size: Option<u64>,
    /// Whether the texts are billed by the token.
    pub metered: bool,
}

impl Default for Wording<'_> {
    fn default() -> Self {
        Self {
            model: String::new(),
            stream: false,
            framing: Framing::Sse,
            include_usage: false,
            output_bound: None,
            choices: 1,
            unshown: 0,
            texts: Vec::new(),
            messages: 0,
            token_ids: 0,
            items: 0,
            size: None,
            metered: true,
        }
    }
}

impl Asked {
    pub fn read(path: &str, query: &str, body: &[u8]) -> Result<Self, Refusal> {
        let not_json = |error| Refusal::new(400, format!("the body is not JSON: {error}"));
        let body =
            if body.starts_with(b"--") { sold::form(body) } else { serde_json::from_slice(body).map_err(not_json)? };
        Ok(Self { path: path.to_owned(), query: query.to_owned(), body })
    }

    /// `model` of the body.
    pub fn model(&self) -> Result<String, Refusal> {
        let model = self.body.get("model").and_then(Value::as_str).filter(|model| !model.is_empty());
        model.map(str::to_owned).ok_or_else(|| Refusal::wrong("model", "you must provide a model parameter"))
    }

    /// The path's segment between these two; clients write the `:` of a model's name either way.
    pub fn model_between(&self, before: &str, behind: &str) -> Result<String, Refusal> {
        let rest = self.path.split_once(before).map(|(_, rest)| rest);
        let model = rest.and_then(|rest| rest.rsplit_once(behind)).map(|(model, _)| decoded(model));
        model.filter(|model| !model.is_empty()).ok_or_else(|| Refusal::wrong("model", "the path names no model"))
    }

    /// A list that must not be empty.
    pub fn list(&self, name: &'static str) -> Result<&Vec<Value>, Refusal> {
        let list = self.body.get(name).and_then(Value::as_array).filter(|list| !list.is_empty());
        list.ok_or_else(|| Refusal::wrong(name, format!("{name} must be an array, not empty")))
    }

    pub fn switch(&self, name: &'static str) -> Result<bool, Refusal> {
        switch(&self.body, name).map(Option::unwrap_or_default)
    }

    pub fn number(&self, name: &'static str, most: u64) -> Result<Option<u64>, Refusal> {
        number(&self.body, name, most)
    }

    /// The object under one of these names; null if there is none.
    pub fn part(&self, names: &[&str]) -> &Value {
        names.iter().find_map(|name| self.body.get(name)).unwrap_or(&Value::Null)
    }
}

/// All texts of a content: a plain string, or parts that are or have one.
pub fn texts(content: &Value) -> Vec<&str> {
    match content {
        Value::String(text) => vec![text],
        Value::Array(parts) => {
            parts.iter().filter_map(|part| part.as_str().or_else(|| part.get("text")?.as_str())).collect()
        }
        _ => Vec::new(),
    }
}

/// The texts of `field` of each of these.
pub fn texts_of<'a>(messages: &'a [Value], field: &str) -> Vec<&'a str> {
    messages.iter().filter_map(|message| message.get(field)).flat_map(texts).collect()
}

/// `None` if it is not there.
pub fn switch(object: &Value, name: &'static str) -> Result<Option<bool>, Refusal> {
    match object.get(name) {
        None | Some(Value::Null) => Ok(None),
        Some(Value::Bool(on)) => Ok(Some(*on)),
        Some(_) => Err(Refusal::wrong(name, format!("{name} must be true or false"))),
    }
}

pub fn number(object: &Value, name: &'static str, most: u64) -> Result<Option<u64>, Refusal> {
    match object.get(name) {
        None | Some(Value::Null) => Ok(None),
        Some(value) => match value.as_u64().filter(|number| (1..=most).contains(number)) {
            Some(number) => Ok(Some(number)),
            None => Err(Refusal::wrong(name, format!("{name} must be a whole number from 1 to {most}"))),
        },
    }
}

/// Without its percent signs, as far as they stand for anything.
pub fn decoded(text: &str) -> String {
    let mut pieces = text.split('%');
    let mut bytes = pieces.next().unwrap_or_default().as_bytes().to_vec();
    for piece in pieces {
        match piece.get(..2).and_then(|digits| u8::from_str_radix(digits, 16).ok()) {
            Some(byte) => {
                bytes.push(byte);
                bytes.extend(piece.bytes().skip(2));
            }
            None => {
                bytes.push(b'%');
                bytes.extend(piece.bytes());
            }
        }
    }
    String::from_utf8_lossy(&bytes).into_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_model_in_the_path_is_decoded() {
        assert_eq!(decoded("amazon.nova-lite-v1%3A0"), "amazon.nova-lite-v1:0");
        assert_eq!(decoded("50%"), "50%");
        assert_eq!(decoded("%zz%e6%bc%a2"), "%zz漢");
        let asked = |path: &str| Asked::read(path, "", b"{}").expect("a request");
        let model = asked("/model/us.amazon.nova-lite-v1%3A0/converse").model_between("/model/", "/converse");
        assert_eq!(model.as_deref(), Ok("us.amazon.nova-lite-v1:0"));
        assert_eq!(
            asked("/models/").model_between("/models/", ":").map_err(|refusal| refusal.param),
            Err(Some("model"))
        );
    }
}
