//! Answers of each API that call something, in the shapes of the providers' own references.

mod openai;
mod others;
mod vendors;

use serde_json::{Value, json};

/// How an example is framed.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Framing {
    Document,
    Lines,
    Events,
    Frames,
}

pub struct Example {
    pub api: &'static str,
    pub title: &'static str,
    /// Examples of one pair call the same.
    pub pair: &'static str,
    pub framing: Framing,
    pub body: Vec<u8>,
    /// Kind, name, within what, arguments.
    pub calls: Vec<[&'static str; 4]>,
}

/// Arguments with everything that is written otherwise in a string.
pub const ARGUMENTS: &str = r#"{"to":"J\u006f \ud83d\ude00 \"x\"\n","deep":{"a":[1,-2.5e3,{"b":null}]},"é😀":"\\\/"}"#;
pub const OTHERS: &str = r#"{"n": [1, 2, {"k": "}]"}], "empty": {}}"#;

/// A string of JSON, with every character as an escape.
pub fn escaped(text: &str) -> String {
    let units: String = text.encode_utf16().map(|unit| format!("\\u{unit:04x}")).collect();
    format!("\"{units}\"")
}

fn quoted(text: &str) -> String {
    serde_json::to_string(text).unwrap()
}

pub fn pieces(text: &str) -> [&str; 3] {
    let cut = |at: usize| (at..).find(|at| text.is_char_boundary(*at)).unwrap();
    let (first, second) = (cut(text.len() / 3), cut(text.len() * 2 / 3));
    [0..first, first..second, second..text.len()].map(|part| text.get(part).unwrap())
}

/// Events of a stream: each with its name, as some write it, or not.
pub fn events(data: &[String]) -> Vec<u8> {
    let event = |(nth, data): (usize, &String)| match nth % 3 {
        0 => format!("data: {data}\n\n"),
        1 => format!("event: x\ndata:{data}\n\n"),
        _ => format!("data: {data}\nid: 7\n\n"),
    };
    data.iter().enumerate().map(event).collect::<String>().into_bytes()
}

pub fn texts(data: &[Value]) -> Vec<String> {
    data.iter().map(Value::to_string).collect()
}

/// A message of AWS's event stream; the checksums are the client's to check.
pub fn frame(payload: &str) -> Vec<u8> {
    let headers: &[u8] = b"\x0b:event-type\x07\x00\x05chunk";
    let length = u32::try_from(16 + headers.len() + payload.len()).unwrap();
    let lengths = [length.to_be_bytes(), u32::try_from(headers.len()).unwrap().to_be_bytes()].concat();
    [&lengths, &[0; 4][..], headers, payload.as_bytes(), &[0; 4]].concat()
}

fn base64(text: &str) -> String {
    const LETTERS: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    let chunk = |bytes: &[u8]| {
        let all = bytes.iter().chain(&[0, 0]).take(3).fold(0_u32, |all, byte| all << 8 | u32::from(*byte));
        let letter = |nth: usize| {
            if nth <= bytes.len() { char::from(LETTERS[(all >> (18 - 6 * nth) & 63) as usize]) } else { '=' }
        };
        (0..4).map(letter).collect::<String>()
    };
    text.as_bytes().chunks(3).map(chunk).collect()
}

fn example(
    api: &'static str,
    (title, pair): (&'static str, &'static str),
    framing: Framing,
    body: Vec<u8>,
    calls: &[[&'static str; 4]],
) -> Example {
    Example { api, title, pair, framing, body, calls: calls.to_vec() }
}

/// The same events, in frames, bare and wrapped.
fn frames(data: &[String], is_wrapped: bool) -> Vec<u8> {
    let payload = |data: &String| if is_wrapped { json!({"bytes": base64(data)}).to_string() } else { data.clone() };
    data.iter().flat_map(|data| frame(&payload(data))).collect()
}

pub fn all() -> Vec<Example> {
    [openai::chat(), openai::responses(), vendors::anthropic(), vendors::google(), others::bedrock(), others::others()]
        .into_iter()
        .flatten()
        .collect()
}
