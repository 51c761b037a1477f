mod canary;
mod faults;
mod flaws;
mod hostile;
mod suite;

use super::{Fault, Flaw, Kind, Schema, Steps, Where};
use serde_json::Value;

fn json(text: &str) -> Value {
    serde_json::from_str(text).unwrap()
}

fn read(schema: &Value) -> Result<Schema, Flaw> {
    Schema::read(schema, Where::Registered)
}

fn check(schema: &Value, value: &Value) -> Result<(), Fault> {
    read(schema).unwrap_or_else(|flaw| panic!("{flaw}: {schema}")).check(value, &mut Steps::of_all())
}
