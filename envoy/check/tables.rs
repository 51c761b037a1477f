//! The tables of the APIs, as JSON: which fields of a request and of an answer the filter knows, by their paths.

use nexus_ai_gateway::forward::betas;
use nexus_ai_gateway::json::{Field, OTHERS};
use nexus_ai_gateway::llm::{path, schema, tools};
use serde_json::{Map, Value, json};

pub fn tables() -> Value {
    let table = |schema: &schema::Schema| {
        let fields = json!({
            "request": paths(schema.request),
            "answer": paths(schema.answer),
            "event": paths(schema.event),
        });
        (schema.name.to_owned(), fields)
    };
    let [kinds, kinds_of_gemini] = tools::kinds().map(Iterator::collect::<Vec<_>>);
    json!({
        "apis": schema::ALL.into_iter().map(table).collect::<Map<_, _>>(),
        "anywhere": paths(&schema::CACHING),
        "betas": betas::ANTHROPIC.names().collect::<Vec<_>>(),
        "tools": {"": kinds, "gemini": kinds_of_gemini},
        "paths": path::written().collect::<Vec<_>>(),
    })
}

fn paths<K: Copy>(fields: &[Field<K>]) -> Vec<String> {
    let mut out = Vec::new();
    // What stands for all others leads to itself.
    for field in fields.iter().filter(|field| !field.is_rest() && field.name != OTHERS) {
        out.push(field.name.to_owned());
        out.extend(paths(field.inside).into_iter().map(|inner| [field.name, ".", &inner].concat()));
    }
    out
}
