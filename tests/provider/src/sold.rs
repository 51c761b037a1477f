//! What a provider sells beside tokens: which of it a request buys, as the real ones read it.

use serde_json::{Value, json};

use crate::api::Api;
use crate::knobs::Knobs;
use crate::request::Asked;

/// A second of speech, in bytes of what is uploaded.
const BYTES_OF_A_SECOND: u64 = 10_000;
const MEGABYTE: usize = 1_000_000;

/// By the piece.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Sold {
    pub web_searches: u64,
    pub file_searches: u64,
    pub containers: u64,
    pub images: u64,
    pub seconds: u64,
    pub characters: u64,
}

/// A hosted tool that is offered, and what a call of it buys.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Tool {
    WebSearch,
    FileSearch,
    Code,
    Picture,
}

impl Tool {
    fn of(kind: &str) -> Option<Self> {
        match kind {
            _ if kind.starts_with("web_search") => Some(Self::WebSearch),
            "googleSearch" | "google_search" => Some(Self::WebSearch),
            "file_search" => Some(Self::FileSearch),
            "code_interpreter" => Some(Self::Code),
            "image_generation" => Some(Self::Picture),
            _ => None,
        }
    }

    const fn sold(self) -> Sold {
        let nothing = Sold { web_searches: 0, file_searches: 0, containers: 0, images: 0, seconds: 0, characters: 0 };
        match self {
            Self::WebSearch => Sold { web_searches: 1, ..nothing },
            Self::FileSearch => Sold { file_searches: 1, ..nothing },
            Self::Code => Sold { containers: 1, ..nothing },
            Self::Picture => Sold { images: 1, ..nothing },
        }
    }

    /// The item of a response.
    fn item(self, seed: u64, nth: usize) -> Value {
        match self {
            Self::WebSearch => json!({
                "id": format!("ws_{seed:x}_{nth}"), "type": "web_search_call", "status": "completed",
                "action": {"type": "search", "query": "books of a river"},
            }),
            Self::FileSearch => json!({
                "id": format!("fs_{seed:x}_{nth}"), "type": "file_search_call", "status": "completed",
                "queries": ["books of a river"], "results": null,
            }),
            Self::Code => json!({
                "id": format!("ci_{seed:x}_{nth}"), "type": "code_interpreter_call", "status": "completed",
                "code": "1 + 1", "container_id": format!("cntr_{seed:x}"), "outputs": [],
            }),
            Self::Picture => json!({
                "id": format!("ig_{seed:x}_{nth}"), "type": "image_generation_call", "status": "completed",
                "result": "iVBORw0KGgo=",
            }),
        }
    }
}

/// The calls of hosted tools that an answer makes: `calls` of each that is offered, below what the request allows.
fn calls(asked: &Asked, knobs: &Knobs) -> Vec<Tool> {
    let offered = asked.body.get("tools").and_then(Value::as_array);
    let kinds = |tool: &Value| -> Vec<String> {
        match tool.get("type").and_then(Value::as_str) {
            Some(kind) => vec![kind.to_owned()],
            None => tool.as_object().map(|members| members.keys().cloned().collect()).unwrap_or_default(),
        }
    };
    let each = |tool: &Value| {
        let most = tool.get("max_uses").and_then(Value::as_u64).unwrap_or(u64::MAX).min(knobs.calls.unwrap_or(1));
        let kinds = kinds(tool).iter().filter_map(|kind| Tool::of(kind)).collect::<Vec<_>>();
        kinds.into_iter().flat_map(move |kind| std::iter::repeat_n(kind, most as usize)).collect::<Vec<_>>()
    };
    let all = asked.body.get("max_tool_calls").and_then(Value::as_u64).unwrap_or(u64::MAX);
    offered.into_iter().flatten().flat_map(each).take(usize::try_from(all).unwrap_or(usize::MAX)).collect()
}

/// What an answer buys, and how it shows that.
#[derive(Clone, Debug, Default)]
pub struct Basket {
    calls: Vec<Tool>,
    /// What is bought with the request, and shown by nothing.
    pub at_once: Sold,
    /// The tier that serves it, by the API's own word.
    pub tier: Option<String>,
    /// It is made whoever looks.
    pub background: bool,
    /// The conversation is compacted before it is answered.
    pub compacts: bool,
    /// All searches of an answer cost what one does: Gemini's, before its third generation.
    once: bool,
}

impl Basket {
    pub fn of(api: Api, asked: &Asked, knobs: &Knobs) -> Self {
        let body = &asked.body;
        let mut at_once = Sold::default();
        if api == Api::Chat && body.get("web_search_options").is_some() {
            at_once.web_searches = 1;
        }
        let size = |name: &str| body.get(name).and_then(Value::as_str).map_or(0, str::len);
        match api {
            Api::Images => at_once.images = body.get("n").and_then(Value::as_u64).unwrap_or(1),
            Api::Speech => {
                at_once.characters =
                    body.get("input").and_then(Value::as_str).map_or(0, |text| text.chars().count() as u64);
            }
            Api::Transcription => {
                let bytes = body.get("file_bytes").and_then(Value::as_u64).unwrap_or(0);
                at_once.seconds = bytes.div_ceil(BYTES_OF_A_SECOND).max(1);
            }
            Api::Embedding => at_once.images = u64::from(size("inputImage") > 0),
            _ => {}
        }
        let tier = ["service_tier", "serviceTier"].iter().find_map(|name| body.get(name));
        let tier = tier.map(|tier| tier.get("type").unwrap_or(tier)).and_then(Value::as_str);
        let edits =
            body.get("context_management").and_then(|management| management.get("edits")).and_then(Value::as_array);
        let compacting = |edit: &Value| edit["type"].as_str().is_some_and(|kind| kind.starts_with("compact"));
        Self {
            calls: calls(asked, knobs),
            at_once,
            tier: tier.map(str::to_lowercase).filter(|tier| matches!(&**tier, "priority" | "flex")),
            background: api == Api::Responses && body.get("background") == Some(&json!(true)),
            once: asked.path.contains("gemini-2"),
            compacts: edits.into_iter().flatten().any(compacting),
        }
    }

    /// What is bought call by call.
    pub fn called(&self) -> Sold {
        let sum = self.items(0).into_iter().fold(Sold::default(), |sum, (_, sold)| sum.plus(sold));
        Sold { web_searches: if self.once { sum.web_searches.min(1) } else { sum.web_searches }, ..sum }
    }

    /// Each call as the item of a response, and what it buys. All code runs in one container, which the first call opens.
    pub fn items(&self, seed: u64) -> Vec<(Value, Sold)> {
        let mut opened = false;
        let item = |(nth, call): (usize, &Tool)| {
            let is_again = *call == Tool::Code && std::mem::replace(&mut opened, true);
            (call.item(seed, nth), if is_again { Sold::default() } else { call.sold() })
        };
        self.calls.iter().enumerate().map(item).collect()
    }

    pub fn web_searches(&self) -> u64 {
        self.calls.iter().filter(|call| **call == Tool::WebSearch).count() as u64
    }
}

impl Sold {
    pub const fn plus(self, more: Self) -> Self {
        Self {
            web_searches: self.web_searches + more.web_searches,
            file_searches: self.file_searches + more.file_searches,
            containers: self.containers + more.containers,
            images: self.images + more.images,
            seconds: self.seconds + more.seconds,
            characters: self.characters + more.characters,
        }
    }
}

/// A form of an upload as an object: its fields, and how large its file is.
pub fn form(body: &[u8]) -> Value {
    let boundary = body.split(|byte| *byte == b'\r').next().unwrap_or_default();
    let text = String::from_utf8_lossy(&body[..body.len().min(MEGABYTE)]).into_owned();
    let mut fields = serde_json::Map::new();
    for part in text.split(&*String::from_utf8_lossy(boundary)) {
        let Some((head, value)) = part.split_once("\r\n\r\n") else { continue };
        let name = head.split("name=\"").nth(1).and_then(|rest| rest.split('"').next()).unwrap_or_default();
        if head.contains("filename=") {
            // Of a file the tests know that it is nearly all of the form.
            fields.insert("file_bytes".to_owned(), json!(body.len()));
        } else {
            let value = value.trim_end_matches("\r\n");
            fields.insert(name.to_owned(), if value == "true" { json!(true) } else { json!(value) });
        }
    }
    Value::Object(fields)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn basket(api: Api, body: &Value, calls: u64) -> Basket {
        let asked = Asked::read("/v1/responses", "", body.to_string().as_bytes()).expect("JSON");
        Basket::of(api, &asked, &Knobs { calls: Some(calls), ..Knobs::default() })
    }

    #[test]
    fn each_call_of_a_hosted_tool_is_bought_below_what_the_request_allows() {
        let tools = json!([{"type": "web_search"}, {"type": "file_search"}, {"type": "code_interpreter"}, {"type": "function"}]);
        let bought = |body: &Value, calls: u64| basket(Api::Responses, body, calls).called();
        let expected = Sold { web_searches: 2, file_searches: 2, containers: 1, ..Sold::default() };
        assert_eq!(bought(&json!({"tools": tools}), 2), expected);
        assert_eq!(
            bought(&json!({"tools": tools, "max_tool_calls": 1}), 2),
            Sold { web_searches: 1, ..Sold::default() }
        );
        let searches = json!({"tools": [{"type": "web_search_20260318", "max_uses": 1}]});
        assert_eq!(bought(&searches, 5).web_searches, 1);
        assert_eq!(bought(&json!({"tools": [{"googleSearch": {}}]}), 3).web_searches, 3);
    }

    #[test]
    fn what_is_sold_with_the_request_is_counted_from_it() {
        let speech = basket(Api::Speech, &json!({"input": "Übung, 漢字"}), 1).at_once;
        assert_eq!(speech, Sold { characters: 9, ..Sold::default() });
        assert_eq!(basket(Api::Images, &json!({"n": 3}), 1).at_once.images, 3);
        assert_eq!(basket(Api::Chat, &json!({"web_search_options": {}}), 1).at_once.web_searches, 1);
        assert_eq!(basket(Api::Embedding, &json!({"inputImage": "AAAA"}), 1).at_once.images, 1);
        let tier = |body: Value| basket(Api::Chat, &body, 1).tier;
        assert_eq!(tier(json!({"service_tier": "priority"})).as_deref(), Some("priority"));
        assert_eq!(tier(json!({"serviceTier": {"type": "flex"}})).as_deref(), Some("flex"));
        assert_eq!(tier(json!({"service_tier": "auto"})), None);
    }

    #[test]
    fn a_form_tells_its_fields_and_the_size_of_its_file() {
        let body = b"--x\r\ncontent-disposition: form-data; name=\"model\"\r\n\r\nwhisper-1\r\n--x\r\ncontent-disposition: form-data; name=\"file\"; filename=\"a.mp3\"\r\n\r\n\0\0\0\0\r\n--x--\r\n";
        let read = form(body);
        assert_eq!((&read["model"], &read["file_bytes"]), (&json!("whisper-1"), &json!(body.len())));
    }
}
