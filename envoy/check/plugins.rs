//! Where a file holds configurations of the plugin, and what the filter says of each.

use std::rc::Rc;

use nexus_ai_gateway::policy::{ConfigError, Configured, Policy};

use crate::attempts;
use crate::reading::{Reading, Told};
use crate::yaml::{At, Content, Node, documents};

/// What is said of one configuration.
#[derive(Debug, PartialEq, Eq)]
pub enum Verdict {
    Accepted,
    /// In the words that Envoy logs behind `the configuration is refused: `.
    Refused(String),
    /// The plugin is another one.
    NotOurs,
}

#[derive(Debug)]
pub struct Finding {
    pub at: At,
    pub verdict: Verdict,
    /// Of an accepted one of the gateway.
    pub policy: Option<Box<Policy>>,
}

/// Of the plugin, its image and its file.
const OUR_NAMES: [&str; 3] = ["nexus_ai_gateway", "nexus-ai-gateway", "nexus.ai.gateway"];
/// No configuration of the plugin is without one of these.
const OUR_KEYS: [&str; 3] = ["tenants", "prices", "attempt_of"];
/// What no plugin's configuration begins with, and what holds them does.
const AROUND: [&str; 7] =
    ["static_resources", "dynamic_resources", "resources", "admin", "node", "apiVersion", "layered_runtime"];

const TOP: At = At { line: 1, column: 1 };

/// Every configuration in a file of this text; `is_json` by its name.
pub fn check(text: &str, is_json: bool) -> Vec<Finding> {
    let looks_like_json = is_json || begins_as_json(text);
    let documents = match documents(text) {
        Ok(documents) if !text.trim().is_empty() => documents,
        Err((at, problem)) if !looks_like_json => return vec![refused(at, format!("not YAML: {problem}"))],
        Ok(_) | Err(_) => return vec![of_text(text, TOP, |at| at)],
    };
    let mut findings = Vec::new();
    for document in &documents {
        look_into(document, is_json, &mut findings);
    }
    // What an alias stands for is found wherever that stands, and is one configuration all the same.
    let mut seen = Vec::new();
    findings.retain(|finding| {
        let is_new = !seen.contains(&finding.at);
        seen.push(finding.at);
        is_new
    });
    let holds_none = findings.is_empty();
    let around = |document: &Rc<Node>| AROUND.iter().any(|key| document.get(key).is_some());
    match documents.as_slice() {
        [configuration] if holds_none && !around(configuration) => {
            if looks_like_json {
                findings.push(of_text(text, TOP, |at| at));
            } else {
                findings.push(of_tree(configuration, Reading::Kubernetes));
            }
        }
        _ if !findings.iter().any(|finding| finding.verdict != Verdict::NotOurs) => {
            findings.push(refused(TOP, "no configuration of the plugin is in this file".to_owned()));
        }
        _ => {}
    }
    for finding in &mut findings {
        if let Some(missing) = finding.policy.as_deref().and_then(|policy| attempts::missing(&documents, policy)) {
            *finding = refused(finding.at, missing);
        }
    }
    findings
}

fn look_into(document: &Rc<Node>, is_json: bool, findings: &mut Vec<Finding>) {
    let kind = document.get("kind").and_then(|kind| kind.text()).filter(|_| document.get("apiVersion").is_some());
    if kind != Some("ConfigMap") {
        let reading = if kind.is_some() || is_json { Reading::Kubernetes } else { Reading::Envoy };
        return search(document, document, reading, findings);
    }
    // Files in a file: Envoy's own configuration, where it runs in Kubernetes.
    for (key, value) in document.get("data").map(|data| data.map()).unwrap_or_default() {
        let Content::Literal(text) = &value.content else { continue };
        let mut inside = Vec::new();
        for document in documents(text).unwrap_or_default() {
            look_into(&document, key.name.ends_with(".json"), &mut inside);
        }
        let here = |finding: Finding| Finding { at: in_block(value.at, text, finding.at), ..finding };
        findings.extend(inside.into_iter().map(here));
    }
}

/// A place in a block of text as one of the file. Where the block begins is where its first word does.
fn in_block(block: At, text: &str, at: At) -> At {
    let blank = text.bytes().take_while(|byte| *byte == b'\n').count();
    At { line: (block.line + at.line - 1).saturating_sub(blank), column: block.column + at.column - 1 }
}

/// A map of YAML's own begins with a brace, too, but its keys mostly have no quotes.
fn begins_as_json(text: &str) -> bool {
    text.trim_start().strip_prefix('{').is_some_and(|rest| rest.trim_start().starts_with(['"', '}']))
}

/// `around` is the document, or the part of it that is about one plugin.
fn search(node: &Rc<Node>, around: &Rc<Node>, reading: Reading, findings: &mut Vec<Finding>) {
    // A list of manifests is no manifest.
    let around = if node.get("spec").is_some() { node } else { around };
    for item in node.list() {
        search(item, around, reading, findings);
    }
    for (key, value) in node.map() {
        let is_text = value.text().is_some();
        match key.name.as_str() {
            // Envoy's PluginConfig.
            "configuration" if value.get("@type").is_some() => {
                findings.push(if is_ours(node, value) { of_any(value, reading) } else { left(value) });
            }
            // Istio's WasmPlugin and TrafficExtension.
            "pluginConfig" if !is_text => {
                findings.push(if is_ours(around, value) { of_tree(value, reading) } else { left(value) });
            }
            // Envoy Gateway's EnvoyExtensionPolicy.
            "config" if node.get("code").is_some() && !is_text => {
                findings.push(if is_ours(node, value) { of_tree(value, reading) } else { left(value) });
            }
            _ => search(value, around, reading, findings),
        }
    }
}

fn is_ours(plugin: &Node, configuration: &Node) -> bool {
    names_us(plugin) || is_keyed_as_ours(configuration)
}

fn names_us(node: &Node) -> bool {
    let named = node.text().is_some_and(|text| OUR_NAMES.iter().any(|name| text.contains(name)));
    named || node.list().iter().any(|item| names_us(item)) || node.map().iter().any(|(_, value)| names_us(value))
}

fn is_keyed_as_ours(configuration: &Node) -> bool {
    let inner = configuration.get("value").map_or(configuration, |value| value);
    OUR_KEYS
        .iter()
        .any(|key| inner.get(key).is_some() || inner.text().is_some_and(|text| text.contains(&format!("\"{key}\""))))
}

/// A `google.protobuf.Any`, of which Envoy hands the filter the inside.
fn of_any(configuration: &Rc<Node>, reading: Reading) -> Finding {
    let kind = configuration.get("@type").and_then(|kind| kind.text()).unwrap_or_default();
    let Some(value) = configuration.get("value") else {
        let nothing = Rc::new(Node { at: configuration.at, content: Content::Map(Vec::new()) });
        return of_tree(&nothing, reading);
    };
    match (kind.rsplit('/').next(), &value.content) {
        (Some("google.protobuf.Struct"), Content::Map(_)) => of_tree(value, reading),
        (Some("google.protobuf.StringValue"), Content::Literal(text)) => {
            of_text(text, value.at, |at| in_block(value.at, text, at))
        }
        (Some("google.protobuf.StringValue"), Content::Plain(text) | Content::Quoted(text)) => {
            of_text(text, value.at, |_| value.at)
        }
        _ => refused(
            value.at,
            format!("`{kind}`: the plugin takes a map as a google.protobuf.Struct, or JSON text as a StringValue"),
        ),
    }
}

fn of_text(text: &str, from: At, here: impl Fn(At) -> At) -> Finding {
    match read(text.as_bytes()) {
        Ok(policy) => accepted(from, policy),
        Err(error) => {
            let at = error.place().map_or(from, |place| here(At { line: place.line, column: place.column.max(1) }));
            refused(at, error.to_string())
        }
    }
}

/// Without line and column in its own words: the JSON that they would be of is nobody's.
fn of_tree(configuration: &Rc<Node>, reading: Reading) -> Finding {
    let told = Told::of(configuration, reading);
    match read(told.json.as_bytes()) {
        Ok(policy) => accepted(configuration.at, policy),
        Err(error) => {
            let at = error.place().and_then(|place| told.at(place)).unwrap_or(configuration.at);
            refused(at, error.without_place().to_string())
        }
    }
}

/// As the plugin reads what Envoy hands it; in a provider's cluster there is no policy.
fn read(configuration: &[u8]) -> Result<Option<Box<Policy>>, ConfigError> {
    match Configured::read(configuration)? {
        Configured::AttemptsOf(_) => Ok(None),
        Configured::Gateway(policy) => Ok(Some(policy)),
    }
}

fn accepted(at: At, policy: Option<Box<Policy>>) -> Finding {
    Finding { at, verdict: Verdict::Accepted, policy }
}

fn refused(at: At, message: String) -> Finding {
    Finding { at, verdict: Verdict::Refused(message), policy: None }
}

fn left(node: &Node) -> Finding {
    Finding { at: node.at, verdict: Verdict::NotOurs, policy: None }
}

/// The configurations themselves, as the filter gets them from Envoy.
#[cfg(test)]
pub fn held(documents: &[Rc<Node>]) -> Vec<serde_json::Value> {
    let of = |node: &Node| serde_json::from_str(&Told::of(node, Reading::Envoy).json).expect("JSON");
    let parts = |node: &Rc<Node>| {
        node.list().iter().cloned().chain(node.map().iter().map(|(_, value)| Rc::clone(value))).collect::<Vec<_>>()
    };
    let mut held = Vec::new();
    for document in documents {
        match document.get("configuration").and_then(|configuration| configuration.get("value")) {
            Some(value) => held.push(of(value)),
            None => held.extend(self::held(&parts(document))),
        }
    }
    held
}

/// The gateway's own list.
#[cfg(test)]
#[path = "../../src/policy/tests/refused.rs"]
pub mod refused;

#[cfg(test)]
mod tests;
