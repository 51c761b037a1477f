//! production.yaml and the program that starts it: a provider without its key is left out, and no provider's key is
//! written down.

use std::fs::{self, Permissions};
use std::io::{BufRead, BufReader};
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::process::{Command, Output, Stdio};

use hyper::Method;
use simulated_provider::Provider;

use crate::budgets::nano_usd;
use crate::check::checked;
use crate::client::{PATIENCE, ask, chat, eventually, get};
use crate::envoy::{free_ports, leashed, wasm};
use crate::top;

const PROVIDERS: [(&str, &str, &str); 4] = [
    ("openai", "OPENAI_API_KEY", "dummy-of-openai"),
    ("openrouter", "OPENROUTER_API_KEY", "dummy-of-openrouter"),
    ("anthropic", "ANTHROPIC_API_KEY", "dummy-of-anthropic"),
    ("local", "LOCAL_OPENAI_URL", "http://127.0.0.1:8000/v1"),
];

fn render(name: &str, environment: &[(&str, &str)]) -> (Output, String) {
    let path = Path::new(env!("CARGO_TARGET_TMPDIR")).join(format!("production-{name}.yaml"));
    let render = top().join("envoy/start/production");
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
        .arg(&path)
        .envs(environment.iter().copied())
        .output()
        .unwrap();
    let log = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{name}: {}", log.lines().last().unwrap_or_default());
    assert_eq!(checked(&path), None, "{name}");
}

/// Any of the four may be missing. Envoy itself says that what is left is whole: a name of what was left out would refuse it. With the
/// filter that does nothing, for Envoy would compile the gateway's fifteen times; what the gateway's says, the checker says here.
#[test]
fn a_provider_without_its_key_is_left_out() {
    let empty = std::env::var("EMPTY").expect("EMPTY: run `make e2e`");
    for set in 1_usize..16 {
        let there: Vec<_> =
            PROVIDERS.iter().enumerate().filter(|(nth, _)| set >> nth & 1 == 1).map(|(_, it)| it).collect();
        let environment: Vec<_> = there.iter().map(|(_, variable, value)| (*variable, *value)).collect();
        let name = set.to_string();
        let (output, text) = render(&name, &[&environment[..], &[("WASM", &empty)]].concat());
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
        (
            &[key, ("CLIENT_KEYS", "acme=dummy-of-two-tenants,beta=dummy-of-two-tenants")],
            "the key of 'beta' is there twice",
        ),
        (&[("OPENAI_API_KEY", "dummy\n")], "OPENAI_API_KEY holds what no key does"),
        (&[key, ("OPENAI_BASE_URL", "ftp://x")], "OPENAI_BASE_URL must be like https://api.openai.com"),
        (&[key, ("OPENAI_BASE_URL", "http://[::1")], "OPENAI_BASE_URL is not a URL with a valid host and port"),
        (
            &[key, ("OPENAI_BASE_URL", "http://me:dummy/x@model.example")],
            "OPENAI_BASE_URL is not a URL with a valid host and port",
        ),
        (
            &[key, ("OPENAI_BASE_URL", "http://127.0.0.1:0/v1")],
            "OPENAI_BASE_URL is not a URL with a valid host and port",
        ),
        (&[key, ("GATEWAY_PORT", "9901")], "must differ"),
        (&[key, ("PROBE_PORT", "10000")], "must differ"),
        (&[key, ("MAX_HEAP_MIB", "32")], "at least 64"),
        (&[key, ("SHADOWS", "cheaper")], "SHADOWS is no JSON"),
        (&[key, ("SHADOWS", "[]")], "SHADOWS must be a map such as"),
        (&[key, ("RATELIMIT_SERVICE", "127.0.0.1:8081")], "RATELIMIT_SERVICE=host:port and REPLICAS=n"),
        (&[("LOCAL_OPENAI_URL", "https://model.example/v1")], "TLS to a server of your own is not prepared"),
    ] {
        let said = refused(environment);
        assert!(said.contains(words), "{said}");
        assert!(!said.contains("dummy"), "a key in the message: {said}");
        assert!(!said.contains("Traceback"), "{said}");
    }
}

/// Clients' keys are in it.
#[test]
fn the_rendering_is_its_owners_alone() {
    let path = Path::new(env!("CARGO_TARGET_TMPDIR")).join("production-owner.yaml");
    fs::write(&path, "older and longer ".repeat(10_000)).unwrap();
    fs::set_permissions(&path, Permissions::from_mode(0o644)).unwrap();
    let (output, text) = render("owner", &[("OPENAI_API_KEY", "dummy-of-openai")]);
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    assert!(text.contains("0123456789abcdef") && !text.contains("older"));
    assert_eq!(fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);
}

/// What was answered is written down also when the gateway is stopped right after it; and probes need no key.
#[tokio::test(flavor = "multi_thread")]
async fn stopped_by_a_signal_it_loses_no_record_and_the_next_one_goes_on_from_them() {
    const CLIENT: &str = "0123456789abcdef-acme";
    let openai = Provider::start();
    let [gateway, admin, ejected, probe_port] = free_ports();
    // It writes under target/ of its own tree, where a `make production` may be at work.
    let top = Path::new(env!("CARGO_TARGET_TMPDIR")).join("production-stopped");
    let _ = fs::remove_dir_all(&top);
    fs::create_dir_all(top.join("envoy/start")).unwrap();
    let sources = crate::top().join("envoy");
    for name in ["production.yaml", "start/production", "start/balances.py", "start/launch.py"] {
        fs::copy(sources.join(name), top.join("envoy").join(name)).unwrap();
    }
    let production = |program: &mut Command| {
        program
            .envs(
                [
                    ("GATEWAY_PORT", gateway),
                    ("ADMIN_PORT", admin),
                    ("EJECTED_PORT", ejected),
                    ("PROBE_PORT", probe_port),
                ]
                .map(|(name, port)| (name, port.to_string())),
            )
            .env("WASM", wasm())
            .env("FUNC_E", std::env::var_os("FUNC_E").expect("FUNC_E: run `make e2e`"))
            .env("FUNC_E_STATE_HOME", top.join("func-e"))
            .env("FUNC_E_RUNTIME_DIR", top.join("func-e"))
            .env_remove("FUNC_E_HOME")
            .env("CLIENT_KEYS", format!("acme={CLIENT}"))
            .env("OPENAI_API_KEY", "dummy-of-openai")
            .env("OPENAI_BASE_URL", format!("{}/v1", openai.url()));
        for (_, variable, _) in &PROVIDERS[1..] {
            program.env_remove(variable);
        }
    };
    // With the filter that does nothing: what the gateway's says of it, is said by the start.
    let rendered = || {
        let mut check = Command::new("python3");
        production(check.arg(top.join("envoy/start/production")).arg("--check"));
        let said = check.env("WASM", std::env::var_os("EMPTY").expect("EMPTY: run `make e2e`")).output().unwrap();
        assert_eq!(String::from_utf8_lossy(&said.stdout), "accepted by Envoy, with openai\n", "{said:?}");
        fs::read_to_string(top.join("target/production/check.yaml")).unwrap()
    };
    assert!(!rendered().contains("opening:"), "nothing was spent before");

    let mut start = leashed("python3");
    production(start.arg(top.join("envoy/start/production")).stdout(Stdio::piped()));
    let mut started = start.spawn().unwrap();
    let mut lines = BufReader::new(started.stdout.take().unwrap()).lines();
    assert!(lines.any(|line| line.unwrap().contains("Ctrl-C stops it")));

    let addr = ([127, 0, 0, 1], gateway).into();
    let head = async || {
        let mut probe = get("/api/ai/health");
        *probe.method_mut() = Method::HEAD;
        ask(([127, 0, 0, 1], probe_port).into(), probe).await.status
    };
    eventually("the answer to a probe", head, |status| *status == 200).await;
    for _ in 0..5 {
        let asked = chat("acme").anonymous().header("authorization", &format!("Bearer {CLIENT}"));
        assert_eq!(ask(addr, asked.request()).await.status, 200);
    }
    let group = format!("-{}", started.id());
    assert!(Command::new("kill").args(["-TERM", "--", &group]).status().unwrap().success());
    assert!(lines.last().unwrap().unwrap().contains("stopped"));
    started.wait().unwrap();
    let records = fs::read_to_string(top.join("target/production/access.log")).unwrap();
    assert_eq!(records.lines().filter(|line| line.contains("gpt-4o-mini")).count(), 5, "{records}");
    // The next one goes on from there.
    let next = rendered();
    let opening = next.lines().find_map(|line| line.trim().strip_prefix("opening: ")).expect("opening balances");
    let opening: serde_json::Value = serde_json::from_str(opening).unwrap();
    let acme = &opening["balances"]["tenants"]["acme"];
    let billed = openai.settled_ledger(PATIENCE).sum().cost_nanousd;
    assert_eq!([&acme["day_usd"], &acme["month_usd"]].map(nano_usd), [billed; 2]);
}
