//! Rules about tools, over whole bodies: of each API, cut anywhere.

mod calling;
mod offered;

use crate::policy::Policy;
use crate::policy::tools::ToolRules;
use serde_json::{Value, json};
use std::rc::Rc;

fn weather() -> Value {
    json!({"type": "object", "properties": {"city": {"type": "string"}}, "required": ["city"]})
}

fn rules(tools: &Value) -> Rc<ToolRules> {
    let registry = json!({
        "get_weather": {"parameters": weather(), "description": "Weather of a city."},
        "quote": {"parameters": {"type": "object", "description": r#"{[,:"\"#}},
    });
    let config = json!({
        "tenants": {"acme": {"tools": tools}},
        "prices": [{"model": "*", "input_usd_per_1m_tokens": "1", "output_usd_per_1m_tokens": "1"}],
        "tools": {"registry": registry},
    });
    let policy = Policy::read(config.to_string().as_bytes()).unwrap_or_else(|error| panic!("{error}"));
    let tenant = policy.tenant_policy(policy.tenant("acme").unwrap()).unwrap();
    Rc::clone(policy.tools.of(tenant.rules.tools.unwrap()).unwrap())
}
