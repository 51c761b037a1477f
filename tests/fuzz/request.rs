//! A request is the same however it is cut, and edits change what they name and nothing else.

use std::fmt;

use nexus_ai_gateway::llm::estimate::Swapped;
use nexus_ai_gateway::llm::estimate::density::Density;
use nexus_ai_gateway::llm::path::Called;
use nexus_ai_gateway::llm::request::{Invalid, Request, RequestReader, spliced};
use nexus_ai_gateway::llm::schema::{self, Asked, BoundField, OutputBound, Schema, Slot, Small};
use nexus_ai_gateway::units::Tokens;
use serde::de::{Deserializer, IgnoredAny, MapAccess, Visitor};
use serde_json::Value;

use crate::cuts::{chunkings, head};

/// What is read here and refused by `serde_json`: lone surrogates, numbers beyond a float, the 128th level.
const READ_HERE: [&str; 4] = ["surrogate", "end of hex escape", "out of range", "recursion limit"];

/// Where a bound can stand in some API, in the spellings of all.
const BOUNDS: [&str; 7] = [
    "max_completion_tokens",
    "max_tokens",
    "max_output_tokens",
    "maxOutputTokens",
    "maxTokens",
    "num_predict",
    "include_usage",
];

fn read(called: &Called, chunks: &[&[u8]]) -> Result<Request, Invalid> {
    let mut reader = RequestReader::new(called.clone(), None);
    for chunk in chunks {
        reader.feed(chunk);
    }
    reader.finish(chunks.iter().map(|chunk| chunk.len() as u64).sum())
}

fn slots(schema: &Schema) -> &'static [Slot] {
    match schema.output {
        OutputBound::Field(slots) => slots,
        OutputBound::None | OutputBound::Unwritten | OutputBound::Fixed(_) => &[],
    }
}

/// The keys of an object, each as often as it is written.
struct Keys;

impl<'de> Visitor<'de> for Keys {
    type Value = Vec<String>;
    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an object")
    }
    fn visit_map<A: MapAccess<'de>>(self, mut members: A) -> Result<Self::Value, A::Error> {
        let mut keys = Vec::new();
        while let Some((key, IgnoredAny)) = members.next_entry()? {
            keys.push(key);
        }
        Ok(keys)
    }
}

/// The request without what edits may touch.
fn untouched(schema: &Schema, mut value: Value) -> Value {
    let mut nests: Vec<&str> = slots(schema).iter().filter_map(|slot| slot.nest).collect();
    if nests.contains(&"generationConfig") {
        nests.push("generation_config");
    }
    if schema.usage_option {
        nests.push("stream_options");
    }
    let top = value.as_object_mut().unwrap();
    top.remove("model");
    top.remove("role");
    top.remove("sensitivity");
    for bound in BOUNDS {
        top.remove(bound);
    }
    for nest in nests {
        if let Some(Value::Object(inner)) = top.get_mut(nest) {
            inner.retain(|name, _| !BOUNDS.contains(&name.as_str()));
        }
        if top.get(nest).is_some_and(|nest| nest.is_null() || nest.as_object().is_some_and(|nest| nest.is_empty())) {
            top.remove(nest);
        }
    }
    value
}

pub fn holds(input: &[u8]) {
    let Some(([api, flags, how_long, ask, seed @ ..], body)) = head::<6>(input) else { return };
    let schema = schema::ALL[usize::from(api) % schema::ALL.len()];
    let called = Called {
        schema,
        // The gateway's own path names no model.
        model: (flags & 1 != 0 && !schema.own).then(|| "from-the-path".to_owned()),
        streams: [None, None, Some(true), Some(false)][usize::from(flags >> 1 & 3)],
    };
    let whole = read(&called, &[body]);
    for chunks in chunkings(body, seed) {
        assert_eq!(read(&called, &chunks), whole);
    }
    let json = serde_json::from_slice::<Value>(body);
    let request = match whole {
        Ok(request) => request,
        Err(fault) => {
            assert!(!fault.to_string().is_empty());
            assert!(json.is_err() || !matches!(fault, Invalid::Json(_)), "{fault}");
            return;
        }
    };
    assert!(request.sizes.attached_bytes <= request.sizes.body_bytes);
    let density = Density::default();
    assert!(request.sizes.text_at_most(density) > request.sizes.text_likely(density));
    assert!(request.sizes.taken.likely <= request.sizes.taken.most);
    assert!(request.choices > 0 && !request.model.is_empty());
    assert!(request.bound() != Some(Tokens(0)) || schema.zero == Small::Nothing);
    let before = match json {
        Ok(value) => value,
        Err(error) => {
            assert!(READ_HERE.iter().any(|known| error.to_string().contains(known)), "{error}");
            return;
        }
    };
    // What is checked here must be what the provider will read, and readers differ about keys that come again, and about
    // capital letters.
    let folded = |key: &str| key.replace('\u{17f}', "s").to_lowercase();
    let keys = serde_json::Deserializer::from_slice(body).deserialize_map(Keys).unwrap();
    for field in schema.request {
        let optional = matches!(field.key, None | Some(Asked::Document | Asked::Tools));
        let times = keys.iter().filter(|key| folded(key) == folded(field.name)).count();
        assert!(optional || times <= 1, "{} is written {times} times", field.name);
    }
    let asks = |name| schema.request.iter().any(|field| field.name == name);
    match &called.model {
        Some(model) => assert_eq!(request.model, *model),
        None if schema.own && before.get("model").is_none() => {
            assert_eq!(request.model, nexus_ai_gateway::name::BY_ROLE)
        }
        None => assert_eq!(before["model"].as_str(), Some(&*request.model)),
    }
    if asks("stream") {
        let written = called.streams.or(before["stream"].as_bool());
        assert_eq!(request.stream, written.unwrap_or(schema.streams));
    }
    if schema.usage_option {
        assert_eq!(request.wants_usage(), before["stream_options"]["include_usage"] == Value::Bool(true));
    }

    let rename = (ask & 1 != 0 || schema.own).then_some("re\"named");
    let field = if ask & 2 != 0 { BoundField::MaxTokens } else { BoundField::MaxCompletionTokens };
    let tokens = Tokens(1 + (u64::from(how_long) << (ask >> 3)));
    let bound = request.bound().is_none().then_some((field, tokens));
    let ask_usage = ask & 4 != 0 && schema.usage_option;
    let edits = request.edits(rename, bound, ask_usage);
    assert!(edits.iter().all(|edit| edit.place.from <= edit.place.to && edit.place.to <= body.len() as u64));
    assert!(edits.windows(2).all(|pair| pair[0].place.to <= pair[1].place.from), "{edits:?}");
    let edited = spliced(body, &edits);
    let after: Value = serde_json::from_slice(&edited)
        .unwrap_or_else(|error| panic!("{error}: {} became {}", body.escape_ascii(), edited.escape_ascii()));
    assert_eq!(untouched(schema, after.clone()), untouched(schema, before.clone()));

    assert!(after.get("role").is_none() && after.get("sensitivity").is_none(), "{after}");

    let again = read(&called, &[&edited]).unwrap();
    // What says 0 and may mean either is left as it is.
    let left = schema.zero == Small::Either && slots(schema).iter().any(|slot| before[slot.name].as_f64() == Some(0.0));
    match bound {
        Some((_, tokens)) if !slots(schema).is_empty() && !left => assert_eq!(again.bound(), Some(tokens)),
        _ => assert_eq!(again.bound(), request.bound()),
    }
    let model = rename.filter(|_| called.model.is_none()).unwrap_or(&request.model);
    assert_eq!((&*again.model, again.stream, again.choices), (model, request.stream, request.choices));
    assert_eq!(again.wants_usage(), request.wants_usage() || ask_usage && request.stream);
    // A model's name may ask for a search, and another name doesn't.
    if model == request.model {
        assert_eq!(again.items(&again.sizes), request.items(&request.sizes));
    }
    if rename.is_none() && bound.is_none() && !ask_usage && request.sizes.attached_bytes == 0 {
        assert_eq!(request.sizes_with(&[], Swapped::default()).body_bytes, again.sizes.body_bytes);
    }
    assert_eq!(again.rates.service_tier, request.rates.service_tier);
}
