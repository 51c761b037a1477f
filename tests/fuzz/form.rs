//! A form is the same however it is cut, and no reader, however loose, finds a second model in one that is accepted.

use nexus_ai_gateway::llm::form::{Fault, FieldName, FormPiece, FormReader};

use crate::cuts::{chunkings, head};

const BOUNDARIES: [&str; 3] = ["b", "-b--b", "----WebKitFormBoundary7MA4YWxkTrZu0gW"];

#[derive(Debug, PartialEq)]
enum Found {
    Field(FieldName, Option<String>),
    Other(String, Option<String>),
    File(u64),
}

fn read(boundary: &str, chunks: &[&[u8]]) -> (Vec<Found>, Result<(), Fault>) {
    let content_type = format!("multipart/form-data; boundary={boundary}");
    let mut form = FormReader::new(content_type.as_bytes()).expect("a form");
    let mut found = Vec::new();
    for chunk in chunks {
        form.feed(chunk, &mut |piece| {
            found.push(match piece {
                FormPiece::Field(name, value) => Found::Field(name, value.map(str::to_owned)),
                FormPiece::Other(name, value) => Found::Other(name.to_owned(), value.map(str::to_owned)),
                FormPiece::File(bytes) => Found::File(bytes),
            });
        });
    }
    (found, form.finish())
}

/// Whether a line of a head may name the model for somebody: by a parameter that is called so in any case, and does not
/// stand in the quotes of another.
fn may_name_the_model(line: &str) -> bool {
    let header = line.split_once(':').map(|(header, _)| header.trim().to_ascii_lowercase());
    if header.as_deref() != Some("content-disposition") {
        return false;
    }
    let mut outside = String::new();
    for (nth, piece) in line.split('"').enumerate() {
        let name = outside.trim_end().to_ascii_lowercase();
        let is_value = nth % 2 == 1;
        if !is_value || name.ends_with("name=") && !name.ends_with("filename=") {
            outside.push_str(piece);
        }
    }
    outside.split(';').filter_map(|parameter| parameter.split_once('=')).any(|(name, value)| {
        let name = name.trim().to_ascii_lowercase();
        (name == "name" || name.starts_with("name*")) && value.replace('\\', "").trim().eq_ignore_ascii_case("model")
    })
}

/// How many parts may be the model: whatever stands behind the boundary begins one, and any line end ends a line.
fn models(boundary: &str, body: &[u8]) -> usize {
    let text = String::from_utf8_lossy(body).replace("\r\n", "\n").replace('\r', "\n");
    let text = text.split(&format!("--{boundary}--")).next().unwrap_or_default();
    let delimiter = format!("--{boundary}");
    let parts = text.split(&delimiter).skip(1);
    let lines = |part: &str| part.lines().skip(1).take_while(|line| !line.is_empty()).any(may_name_the_model);
    parts.filter(|part| lines(part)).count()
}

pub fn holds(input: &[u8]) {
    let Some(([which, seed @ ..], body)) = head::<3>(input) else { return };
    let boundary = BOUNDARIES[usize::from(which) % BOUNDARIES.len()];
    let whole = read(boundary, &[body]);
    for chunks in chunkings(body, seed) {
        assert_eq!(read(boundary, &chunks), whole);
    }
    let (found, end) = whole;
    let files: u64 = found.iter().map(|found| if let Found::File(bytes) = found { *bytes } else { 0 }).sum();
    assert!(files <= body.len() as u64);
    let read = found.iter().filter(|found| matches!(found, Found::Field(FieldName::Model, _))).count();
    if end.is_ok() {
        assert!(models(boundary, body) <= read, "{found:?}");
    }
}
