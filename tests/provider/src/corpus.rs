//! Cases of the corpus: answers of real servers, byte for byte, and what they are known to cost.
//!
//! A case is a folder `<api>/<case>` with a `case.json` that names the status, the headers and the file with the
//! answer's bytes. A `.frames` file lists the messages of a binary event stream, one a line, to be encoded here.

use std::path::{Component, Path};

use hyper::StatusCode;
use hyper::header::{self, HeaderMap, HeaderName, HeaderValue};
use serde_json::Value;

use crate::eventstream;
use crate::ledger::Entry;
use crate::refusal::Refusal;

#[derive(Clone, Debug)]
pub struct Case {
    pub name: String,
    pub status: StatusCode,
    pub headers: HeaderMap,
    pub body: Vec<u8>,
    /// The answer was made to be read as it comes.
    pub stream: bool,
    told: Value,
}

impl Case {
    /// The case of this name under the folder of all of them.
    pub fn read(cases: &Path, name: &str) -> Result<Self, Refusal> {
        let unread = |why: String| Refusal::new(404, format!("the case `{name}` cannot be played: {why}"));
        if !Path::new(name).components().all(|part| matches!(part, Component::Normal(_))) {
            return Err(unread("its name leads out of the corpus".to_owned()));
        }
        let folder = cases.join(name);
        let bytes_of =
            |file: &str| std::fs::read(folder.join(file)).map_err(|error| unread(format!("{file}: {error}")));
        let told: Value = serde_json::from_slice(&bytes_of("case.json")?)
            .map_err(|error| unread(format!("case.json is not JSON: {error}")))?;
        let file = told["answer"].as_str().ok_or_else(|| unread("case.json names no answer".to_owned()))?;
        let bytes = bytes_of(file)?;
        let body = match file.ends_with(".frames") {
            true => framed(&bytes).map_err(|error| unread(format!("{file}: {error}")))?,
            false => bytes,
        };
        let status = told["status"].as_u64().and_then(|status| u16::try_from(status).ok()).unwrap_or(200);
        Ok(Self {
            name: name.to_owned(),
            status: StatusCode::from_u16(status).map_err(|error| unread(error.to_string()))?,
            headers: headers_of(&told["headers"]).map_err(unread)?,
            stream: !file.ends_with(".json"),
            body,
            told,
        })
    }

    /// Writes down what the case is known to use and to cost. What it does not tell costs nothing.
    pub fn bill(&self, entry: &mut Entry) {
        let expected = &self.told["expect"];
        let count = |name: &str| expected["usage"][name].as_u64().unwrap_or_default();
        entry.case = Some(self.name.clone());
        entry.status = self.status.as_u16();
        entry.stream = self.stream;
        entry.prompt_tokens = count("input_tokens");
        entry.completion_tokens = count("output_tokens");
        entry.cached_tokens = count("cached_input_tokens");
        entry.cache_creation_tokens = count("cache_creation_input_tokens");
        entry.cache_creation_1h_tokens = count("cache_creation_1h_input_tokens");
        entry.reasoning_tokens = count("reasoning_tokens");
        entry.search_units = count("search_units");
        entry.web_searches = count("web_searches");
        entry.cost_nanousd = expected["cost_nanousd"].as_u64().unwrap_or_default();
        if entry.model.is_empty() {
            entry.model = self.told["request"]["model"].as_str().unwrap_or_default().to_owned();
        }
    }
}

/// All headers but those that are the connection's own affair.
fn headers_of(told: &Value) -> Result<HeaderMap, String> {
    let mut headers = HeaderMap::new();
    for (name, value) in told.as_object().into_iter().flatten() {
        let name: HeaderName = name.parse().map_err(|error| format!("the header {name}: {error}"))?;
        if [header::CONTENT_LENGTH, header::TRANSFER_ENCODING, header::CONNECTION].contains(&name) {
            continue;
        }
        let value = value.as_str().map_or_else(|| value.to_string(), str::to_owned);
        headers.append(&name, HeaderValue::from_str(&value).map_err(|error| format!("the header {name}: {error}"))?);
    }
    Ok(headers)
}

/// A binary event stream of all the lines. A payload that is a text is sent as it is, any other as JSON.
fn framed(lines: &[u8]) -> Result<Vec<u8>, String> {
    let mut stream = Vec::new();
    for line in lines.split(|byte| *byte == b'\n').filter(|line| !line.trim_ascii().is_empty()) {
        let frame: Value = serde_json::from_slice(line).map_err(|error| error.to_string())?;
        let headers = frame["headers"].as_object().ok_or("a frame without headers")?;
        let headers: Option<Vec<(&str, &str)>> =
            headers.iter().map(|(name, value)| Some((name.as_str(), value.as_str()?))).collect();
        let payload = match &frame["payload"] {
            Value::Null => String::new(),
            Value::String(text) => text.clone(),
            payload => payload.to_string(),
        };
        stream.extend(eventstream::message(&headers.ok_or("a header that is no string")?, payload.as_bytes()));
    }
    Ok(stream)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn frames_are_encoded_line_by_line() {
        let lines =
            b"{\"headers\":{\":event-type\":\"a\"},\"payload\":{\"x\":1}}\n\n{\"headers\":{},\"payload\":\"raw\"}\n";
        let first = eventstream::message(&[(":event-type", "a")], br#"{"x":1}"#);
        assert_eq!(framed(lines), Ok([first, eventstream::message(&[], b"raw")].concat()));
        assert!(framed(b"{\"payload\":1}").is_err());
    }

    #[test]
    fn no_name_leads_out_of_the_corpus() {
        for name in ["../secret", "/etc", "a/../../b"] {
            let refusal = Case::read(Path::new("/nowhere"), name).expect_err(name);
            assert!(refusal.message.contains("leads out"), "{}", refusal.message);
        }
        let refusal = Case::read(Path::new("/nowhere"), "a/b").expect_err("no such folder");
        assert!(refusal.message.contains("case.json"), "{}", refusal.message);
    }
}
