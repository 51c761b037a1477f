//! The checking program against a real Envoy: of one file, both say the same.

#[path = "../../src/policy/tests/refused.rs"]
#[expect(dead_code, reason = "whether the schema sees it is no question here")]
mod refused;

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use refused::Refused;
use serde_json::{Value, json};

use crate::client::eventually;
use crate::envoy::{Gateway, Setup, policy};

/// What the program says of the only configuration in a file, if it refuses it.
pub fn checked(file: &Path) -> Option<String> {
    let program = std::env::var_os("CHECK").expect("CHECK: run `make e2e`");
    let output = Command::new(program).arg(file).output().unwrap();
    let said = String::from_utf8(output.stderr).unwrap();
    assert_eq!(output.status.code(), Some(i32::from(!said.is_empty())), "{said}");
    let place = format!("{}:", file.display());
    let (line, rest) = said.trim_end().strip_prefix(&place)?.split_once(':').unwrap();
    let (column, message) = rest.split_once(": ").unwrap();
    assert!(line.parse::<usize>().is_ok() && column.parse::<usize>().is_ok(), "{said}");
    Some(message.to_owned())
}

struct Listener {
    gateway: Gateway,
    file: PathBuf,
    /// Before and behind the configuration.
    around: [String; 2],
    asked: u32,
}

impl Listener {
    async fn start() -> Self {
        let setup = Setup { dynamic: true, ..Setup::new("check", policy(json!({"acme": {}}))) };
        let gateway = Gateway::start(setup).await;
        let file = gateway.access_log().with_file_name("listener.yaml");
        let text = fs::read_to_string(&file).unwrap();
        let (before, rest) = text.split_once("configuration:\n").unwrap();
        let behind = rest.lines().skip(2).fold(String::new(), |text, line| text + line + "\n");
        Self { gateway, file, around: [before.to_owned(), behind], asked: 0 }
    }

    /// What Envoy logs of this configuration, if it refuses it. Each is asked under a name of its own, by which log
    /// and dump tell what became of it: counts of updates don't say which file was meant.
    async fn logged(&mut self, kind: &str, value: &str) -> Option<String> {
        self.asked += 1;
        let name = format!("asked_{}", self.asked);
        let [head, tail] = &self.around;
        let any = format!(r#"{{"@type": type.googleapis.com/google.protobuf.{kind}, value: {value}}}"#);
        let text =
            format!("{}configuration: {any}\n{tail}", head.replace(": nexus_ai_gateway\n", &format!(": {name}\n")));
        let fresh = self.file.with_extension("new");
        fs::write(&fresh, text).unwrap();
        fs::rename(&fresh, &self.file).unwrap();
        let line_of_it = format!("wasm log {name} ");
        let told = |line: &str| {
            let (before, reason) = line.split_once("the configuration is refused: ")?;
            before.contains(&line_of_it).then(|| reason.to_owned())
        };
        let became = async || {
            let log = self.gateway.log();
            if let Some(reason) = log.lines().find_map(told) {
                return Some(Some(reason));
            }
            assert!(
                !log.contains(&format!("Plugin {name} failed")),
                "no reason for {name}: {}",
                self.gateway.complaints()
            );
            let dump = self.gateway.admin("/config_dump?resource=dynamic_listeners").await;
            let dump: Value = serde_json::from_str(&dump).unwrap();
            let serves = |listener: &Value| listener["active_state"].to_string().contains(&format!("\"{name}\""));
            dump["configs"].as_array().unwrap().iter().any(serves).then_some(None)
        };
        eventually(&name, became, Option::is_some).await.flatten()
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_the_checker_says_is_what_envoy_logs() {
    let mut listener = Listener::start().await;
    for (nth, Refused { json, says, .. }) in refused::all().into_iter().enumerate() {
        let json = json.replace('\n', " ");
        let logged = listener.logged("Struct", &json).await;
        assert_eq!(checked(&listener.file), logged, "{json}");
        // Envoy takes a number with a point for a string.
        let is_string = json.contains(":0.15,");
        assert_eq!(logged, (!is_string).then_some(says), "{json}");
        // Text reaches the filter as it was written: what both say of it shows in a few.
        if nth % 8 == 0 {
            let logged = listener.logged("StringValue", &format!("'{json}'")).await;
            assert_eq!((checked(&listener.file), logged.is_some()), (logged, true), "{json}");
        }
    }
    let right =
        "{tenants: {acme: {}}, prices: [{model: m, input_usd_per_1m_tokens: 0.5, output_usd_per_1m_tokens: '1'}]}";
    let with = |more: &str| format!("{}, {more}}}", right.strip_suffix('}').unwrap());
    // What a value without quotes is, is Envoy's to say; a limit's message tells what it was taken for.
    let plain = "60 +5 -5 0x10 0X10 0x -0x10 010 08 0_8 1_000 _1 0o10 0b11 1e3 1e 1. +.5 0.1.2 + 3000000000 -2147483649 \
                 9223372036854775808 2026-01-31 no On yEs y nan ~ null NULL";
    let limits = plain.split_ascii_whitespace().map(|plain| format!("limits: {{requests_per_minute: {plain}}}"));
    let others =
        ["on_contention: no", "output: {min_tokens: ~}", "expensive: {over_usd: 0x1}", "expensive: {over_usd: 0.02}"];
    let mut accepted = 0;
    for more in limits.chain(others.map(str::to_owned)) {
        let logged = listener.logged("Struct", &with(&more)).await;
        accepted += usize::from(logged.is_none());
        assert_eq!(checked(&listener.file), logged, "{more}");
    }
    assert_eq!(accepted, 6, "60, +5, 0x10, 0X10, 010 and the amount");
    // The one thing in which they differ: Envoy's reader keeps the last of two keys, in silence.
    let twice = right.replace("{acme: {}}", "{acme: {}, acme: {tier: low}}");
    assert_eq!(listener.logged("Struct", &twice).await, None);
    assert_eq!(checked(&listener.file).as_deref(), Some("tenants: the key `acme` is written twice"));
}

#[test]
fn the_rate_limit_services_configuration_is_that_of_one_kind_of_limits() {
    let file = Path::new(env!("CARGO_TARGET_TMPDIR")).join("shared.yaml");
    let written = |gateways: &[Value]| {
        fs::write(&file, gateways.iter().map(|gateway| format!("---\n{gateway}\n")).collect::<String>()).unwrap();
        let program = std::env::var_os("CHECK").expect("CHECK: run `make e2e`");
        let output = Command::new(program).arg("--ratelimit").arg(&file).output().unwrap();
        let [out, said] = [output.stdout, output.stderr].map(|text| String::from_utf8(text).unwrap());
        assert_eq!((output.status.success(), out.is_empty()), (said.is_empty(), !said.is_empty()), "{said}");
        if said.is_empty() { out } else { said }
    };
    let gateway = |limit: u64, shared: bool| {
        let mut plugin = policy(json!({"acme": {"limits": {"requests_per_minute": limit}}}));
        if shared {
            plugin["replicas"] = json!({"count": 2, "cluster": "ratelimit"});
        }
        let any = json!({"@type": "type.googleapis.com/google.protobuf.Struct", "value": plugin});
        json!({"static_resources": {"name": "nexus_ai_gateway", "configuration": any}})
    };
    let one = written(&[gateway(7, true)]);
    assert!(one.contains("requests_per_unit: 7}"), "{one}");
    assert_eq!(written(&[gateway(7, true), gateway(7, true), gateway(9, false)]), one);
    assert!(written(&[gateway(7, true), gateway(9, true)]).contains("several gateways that share different limits"));
    assert!(written(&[gateway(7, false)]).contains("it shares nothing"));
    assert!(written(&[gateway(0, true)]).contains("tenants.acme.limits.requests_per_minute: must be at least 1"));
}
