//! The official `openai` SDK for Python: what its users get to see. The cases stand in `sdk.py`.

use std::path::{Path, PathBuf};
use std::time::Duration;

use serde_json::json;

use crate::envoy::{Gateway, Setup, policy};

/// The Python that has the SDK and the real servers: `PYTHON`, or what `make e2e` installs.
pub fn python() -> PathBuf {
    let installed = || Path::new(env!("CARGO_MANIFEST_DIR")).join("target/venv/bin/python");
    let python = std::env::var_os("PYTHON").map_or_else(installed, PathBuf::from);
    assert!(python.exists(), "no Python with tests/requirements.txt at {}: run `make e2e`", python.display());
    python
}

pub fn script(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/gateway").join(name)
}

#[tokio::test(flavor = "multi_thread")]
async fn the_official_sdk_understands_every_answer() {
    let tenants = json!({
        "sdk": {"tier": "premium"},
        "sdk-limited": {"limits": {"requests_per_minute": 1}},
        "sdk-poor": {"budgets": {"day_usd": "0.000001"}},
        "sdk-picky": {"models": ["gpt-4o*"]},
    });
    let gateway = Gateway::start(Setup::new("sdk", policy(tenants))).await;
    let mut command = tokio::process::Command::new(python());
    command.arg(script("sdk.py")).arg(format!("http://{}/v1", gateway.addr)).kill_on_drop(true);
    for proxy in ["HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY", "http_proxy", "https_proxy", "all_proxy"] {
        command.env_remove(proxy);
    }
    let output =
        tokio::time::timeout(Duration::from_secs(90), command.output()).await.expect("an end").expect("Python");
    let told = String::from_utf8_lossy(&output.stdout);
    assert!(output.status.success(), "{told}{}", String::from_utf8_lossy(&output.stderr));
    assert!(told.ends_with("cases hold\n"), "{told}");
}
