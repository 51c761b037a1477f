//! production.yaml and the program that starts it: a provider without its key is left out, and no provider's key is
//! written down.

use std::path::Path;
use std::process::{Command, Output};

use crate::envoy::wasm;

const PROVIDERS: [(&str, &str, &str); 4] = [
    ("openai", "OPENAI_API_KEY", "dummy-of-openai"),
    ("openrouter", "OPENROUTER_API_KEY", "dummy-of-openrouter"),
    ("anthropic", "ANTHROPIC_API_KEY", "dummy-of-anthropic"),
    ("local", "LOCAL_OPENAI_URL", "http://127.0.0.1:8000/v1"),
];

fn render(name: &str, environment: &[(&str, &str)]) -> (Output, String) {
    let path = Path::new(env!("CARGO_TARGET_TMPDIR")).join(format!("production-{name}.yaml"));
    let render = Path::new(env!("CARGO_MANIFEST_DIR")).join("envoy/production");
    let mut command = Command::new("python3");
    command.arg(render).arg("--render").arg(&path).env("WASM", wasm());
    for (_, variable, _) in PROVIDERS {
        command.env_remove(variable);
    }
    command.env("CLIENT_KEYS", "acme=0123456789abcdef").envs(environment.iter().copied());
    let output = command.output().unwrap();
    let text = std::fs::read_to_string(&path).unwrap_or_default();
    (output, text)
}

fn validated(name: &str, environment: &[(&str, &str)]) {
    let path = Path::new(env!("CARGO_TARGET_TMPDIR")).join(format!("production-{name}.yaml"));
    let envoy = std::env::var_os("ENVOY_PATH").expect("ENVOY_PATH: run `make e2e`");
    let output = Command::new(envoy)
        .args(["--mode", "validate", "-c"])
        .arg(path)
        .envs(environment.iter().copied())
        .output()
        .unwrap();
    let log = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{name}: {}", log.lines().last().unwrap_or_default());
}

/// Any of the four may be missing. Envoy itself says that what is left is whole: a name of what was left out would refuse it.
#[test]
fn a_provider_without_its_key_is_left_out() {
    for set in 1_usize..16 {
        let there: Vec<_> =
            PROVIDERS.iter().enumerate().filter(|(nth, _)| set >> nth & 1 == 1).map(|(_, it)| it).collect();
        let environment: Vec<_> = there.iter().map(|(_, variable, value)| (*variable, *value)).collect();
        let name = set.to_string();
        let (output, text) = render(&name, &environment);
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        for provider in &PROVIDERS {
            let (label, _, key) = provider;
            let here = there.contains(&provider);
            assert_eq!(text.contains(&format!("\n  - name: {label}\n")), here, "the cluster of {label} in set {set}");
            assert_eq!(
                text.contains(&format!("cluster_name: {label}, weight")),
                here,
                "the group of {label} in set {set}"
            );
            let plugin =
                text.lines().find(|line| line.trim_start().starts_with(&format!("{label}: {{cluster:"))).unwrap();
            assert_eq!(plugin.contains("key: absent"), !here, "{plugin}");
            assert!(!key.starts_with("dummy") || !text.contains(key), "the key of {label} in set {set}");
        }
        validated(&name, &environment);
    }
}

#[test]
fn what_cannot_be_started_is_refused_with_what_would_be_right() {
    let refused = |environment: &[(&str, &str)]| {
        let (output, _) = render("refused", environment);
        assert!(!output.status.success());
        String::from_utf8_lossy(&output.stderr).into_owned()
    };
    let key = ("OPENAI_API_KEY", "dummy-of-openai");
    for (environment, words) in [
        (&[][..], "no provider is left: set one of OPENAI_API_KEY"),
        (&[key, ("CLIENT_KEYS", "")], "CLIENT_KEYS says who may call"),
        (&[key, ("CLIENT_KEYS", "acme=short")], "at least 16"),
        (&[("OPENAI_API_KEY", "dummy\n")], "OPENAI_API_KEY holds what no key does"),
        (&[key, ("OPENAI_BASE_URL", "ftp://x")], "OPENAI_BASE_URL must be like https://api.openai.com"),
        (&[("LOCAL_OPENAI_URL", "https://model.example/v1")], "TLS to a server of your own is not prepared"),
    ] {
        let said = refused(environment);
        assert!(said.contains(words), "{said}");
        assert!(!said.contains("dummy"), "a key in the message: {said}");
    }
}
