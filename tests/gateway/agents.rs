//! Coding agents and SDKs that strangers wrote, as they are installed, on production.yaml: each does a task with a tool, and
//! meets a wrong key, a model that nobody serves, an empty purse and a full limit. What its user gets to read is asserted,
//! and by the records that it did not ask again. Those that take longer are in `slower`, for `make clients`.

mod slower;
mod stage;

use std::path::Path;

use serde_json::{Value, json};

use crate::tool_caller::WORDS;
use crate::top;
use stage::{AGENT, COMMAND, HOURLY, NOBODY, POOR, Stage, cases, installed, keys, refused};

#[tokio::test(flavor = "multi_thread")]
async fn claude_code_does_a_task_and_says_why_not() {
    let Some(clients) = installed("CLIENTS") else { return };
    let stage = Stage::start("claude").await;
    let claude = clients.join("node_modules/.bin/claude");
    let url = format!("http://{}", stage.gateway.addr);
    let run = async |case: &str, key: &str, model: &str| {
        let environment = [
            ("ANTHROPIC_BASE_URL", &*url),
            ("ANTHROPIC_API_KEY", key),
            ("CLAUDE_CODE_DISABLE_NONESSENTIAL_TRAFFIC", "1"),
        ];
        let arguments = ["-p", "Write the note.", "--model", model, "--allowedTools", "Bash"];
        stage.run(case, &claude, &arguments, &environment).await
    };
    const MODEL: &str = "claude-sonnet-4-5";
    run("task", AGENT, MODEL).await.did_its_task();
    run("key", NOBODY, MODEL).await.gave_up("Invalid API key", 401, 1);
    run("model", AGENT, "claude-nothing").await.gave_up("issue with the selected model (claude-nothing)", 404, 2);
    run("budget", POOR, MODEL).await.gave_up("The daily budget of $0.000001 has no room", 402, 1);
    run("rate", HOURLY, MODEL).await.gave_up("Rate limit reached: 1 requests per hour", 429, 1);
}

/// By a key in its environment, by one that it logged in with, and by a ChatGPT account, where it compresses what it sends (zstd)
/// unless it is told not to.
#[tokio::test(flavor = "multi_thread")]
async fn codex_does_a_task_by_each_of_its_logins_and_says_why_not() {
    let Some(clients) = installed("CLIENTS") else { return };
    let stage = Stage::start("codex").await;
    let codex = clients.join("node_modules/.bin/codex");
    let url = format!("http://{}/v1", stage.gateway.addr);
    let provider = |name: &str, more: &str| {
        format!(
            "model_provider = \"nexus\"\n[model_providers.nexus]\nname = \"{name}\"\nbase_url = \"{url}\"\n\
             wire_api = \"responses\"\n{more}\n"
        )
    };
    // By itself it asks five times more, whatever it was answered.
    let once = "env_key = \"NEXUS_KEY\"\nrequest_max_retries = 0\nstream_max_retries = 0";
    let run = async |case: &str, key: &str, model: &str, config: &str, login: Value| {
        let home = stage.dir.join(case).join("home");
        std::fs::create_dir_all(&home).unwrap();
        let first =
            format!("model = \"{model}\"\napproval_policy = \"never\"\nsandbox_mode = \"danger-full-access\"\n");
        std::fs::write(home.join("config.toml"), first + config).unwrap();
        if !login.is_null() {
            std::fs::write(home.join("auth.json"), login.to_string()).unwrap();
        }
        let environment = [("CODEX_HOME", home.to_str().unwrap()), ("NEXUS_KEY", key)];
        let arguments = ["exec", "--skip-git-repo-check", "Write the note."];
        stage.run(case, &codex, &arguments, &environment).await
    };
    const MODEL: &str = "gpt-4o";
    let by_key = provider("nexus", "env_key = \"NEXUS_KEY\"");
    run("key-of-its-own", AGENT, MODEL, &by_key, Value::Null).await.did_its_task();

    let built_in = format!("openai_base_url = \"{url}\"\n");
    let login = json!({"auth_mode": "apikey", "OPENAI_API_KEY": AGENT});
    let said = run("login", "", MODEL, &built_in, login).await;
    said.did_its_task();
    let upgrades = stage.gateway.lines().into_iter().filter(|line| line["details"] == "upgrade_failed");
    let upgrades: Vec<_> = upgrades.collect();
    assert_eq!(upgrades.len(), 1, "one try by WebSocket, and on by HTTP: {upgrades:#?}");
    assert_eq!(upgrades[0]["status"], 426);

    let before = stage.provider.asked().len();
    let account = "requires_openai_auth = true\nrequest_max_retries = 0\nstream_max_retries = 0";
    let compressing = provider("OpenAI", account);
    let said = run("compressing", "", MODEL, &compressing, chatgpt_login(AGENT)).await;
    said.gave_up("body is compressed (`zstd`), which is not read here", 415, 1);
    said.gave_up("switch the compression of requests off in the client", 415, 1);
    assert_eq!(stage.provider.asked().len(), before, "nothing of it at the provider");
    let chatgpt = compressing + "[features]\nenable_request_compression = false\n";
    run("chatgpt", "", MODEL, &chatgpt, chatgpt_login(AGENT)).await.did_its_task();
    let came = stage.provider.asked().split_off(before);
    assert!(came.iter().all(|asked| !asked.encoded && asked.body["model"] == MODEL), "plain text at the provider");

    let refused =
        async |case: &str, key: &str, model: &str| run(case, key, model, &provider("nexus", once), Value::Null).await;
    refused("key", NOBODY, MODEL).await.gave_up("The request needs a key of this gateway", 401, 1);
    refused("model", AGENT, "gpt-nothing").await.gave_up("gpt-nothing", 404, 1);
    refused("budget", POOR, MODEL).await.gave_up("The daily budget of $0.000001 has no room", 402, 1);
    refused("rate", HOURLY, MODEL).await.gave_up("429", 429, 1);
}

/// What its login leaves in its home, with a token that is the gateway's key.
fn chatgpt_login(key: &str) -> Value {
    const DIGITS: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
    let base64 = |text: &str| {
        let groups = text.as_bytes().chunks(3).flat_map(|group| {
            let bits = (0..3).fold(0_usize, |bits, at| bits << 8 | usize::from(*group.get(at).unwrap_or(&0)));
            (0..=group.len()).map(move |digit| char::from(DIGITS[bits >> (18 - 6 * digit) & 63]))
        });
        groups.collect::<String>()
    };
    let account = json!({"chatgpt_account_id": "account", "chatgpt_plan_type": "pro", "chatgpt_user_id": "user"});
    let claims = json!({"exp": 4_102_444_800_u64, "email": "a@b.example", "https://api.openai.com/auth": account});
    let token = format!("{}.{}.x", base64(r#"{"alg":"none"}"#), base64(&claims.to_string()));
    let tokens = json!({"id_token": token, "access_token": key, "refresh_token": "none", "account_id": "account"});
    json!({"auth_mode": "chatgpt", "OPENAI_API_KEY": null, "tokens": tokens, "last_refresh": "2100-01-01T00:00:00Z"})
}

#[tokio::test(flavor = "multi_thread")]
async fn vercels_ai_sdk_does_a_task_and_says_why_not() {
    let Some(clients) = installed("CLIENTS") else { return };
    let stage = Stage::start("ai-sdk").await;
    let script = top().join("tests/clients/ai_sdk.mjs");
    let url = format!("http://{}", stage.gateway.addr);
    let arguments = [script.to_str().unwrap(), clients.to_str().unwrap(), &url];
    let said = stage.run("all", Path::new("node"), &arguments, &keys()).await;
    let cases = cases(&said);
    for api in ["openai", "anthropic"] {
        assert_eq!(cases[format!("{api} tool")], COMMAND, "{cases:#}");
        assert_eq!(cases[format!("{api} answer")], WORDS, "{cases:#}");
        assert_eq!(cases[format!("{api} stream")], WORDS, "{cases:#}");
        refused(&cases, &format!("{api} "));
    }
}
