//! Coding agents and SDKs that strangers wrote, as they are installed, on production.yaml: each does a task with a tool, and
//! meets a wrong key, a model that nobody serves, an empty purse and a full limit. What its user gets to read is asserted,
//! and by the records that it did not ask again.

use std::path::{Path, PathBuf};
use std::time::Duration;

use serde_json::{Value, json};
use tokio::process::Command;

use crate::client::eventually;
use crate::envoy::Gateway;
use crate::tool_caller::{INPUT, OUTPUT, ToolCaller, WORDS};

const AGENT: &str = "agent-0123456789abcdef";
const POOR: &str = "poor-0123456789abcdef";
const HOURLY: &str = "hourly-0123456789abcdef";
const NOBODY: &str = "nobody-0123456789abcdef";

/// Longer than any of them takes where the machine has something else to do, and shorter than the silence that is a fault.
const LONGEST_RUN: Duration = Duration::from_secs(150);

const NOTE: &str = "forty-two";
const COMMAND: &str = "echo forty-two > note.txt";

/// Where npm's clients were installed and Go's was built; without them their tests are skipped, and say so.
fn installed(variable: &str) -> Option<PathBuf> {
    let path = std::env::var_os(variable)
        .map(PathBuf::from)
        .filter(|path| path.is_file() || path.join("node_modules").exists());
    if path.is_none() {
        println!(
            "SKIPPED: {variable} names nothing that is there; `make e2e` installs it, where its registry can be reached"
        );
    }
    path
}

struct Stage {
    gateway: Gateway,
    provider: ToolCaller,
    dir: PathBuf,
}

impl Stage {
    async fn start(name: &str) -> Self {
        let provider = ToolCaller::start(COMMAND).await;
        let base = format!("http://{}/v1", provider.addr);
        let keys = format!("agent={AGENT},poor={POOR},hourly={HOURLY}");
        let environment = [
            ("OPENAI_API_KEY", "dummy-of-openai".to_owned()),
            ("ANTHROPIC_API_KEY", "dummy-of-anthropic".to_owned()),
            ("OPENAI_BASE_URL", base.clone()),
            ("ANTHROPIC_BASE_URL", base),
            ("CLIENT_KEYS", keys),
        ];
        // An agent's turn is large: what a request may cost is not what these are about.
        let tenants = json!({
            "agent": {"unlimited": ["request_usd", "day_usd"]},
            "poor": {"unlimited": ["request_usd"], "budgets": {"day_usd": "0.000001"}},
            "hourly": {"unlimited": ["request_usd", "day_usd"], "limits": {"requests_per_hour": 1}},
        });
        let tenants: Vec<_> = tenants.as_object().unwrap().iter().map(|(name, it)| format!("{name}: {it}")).collect();
        let tenants = tenants.join("\n                      ");
        let gateway =
            Gateway::production(&format!("agents-{name}"), &environment, &[("acme: {tier: premium}", &tenants)]).await;
        let dir = Path::new(env!("CARGO_TARGET_TMPDIR")).join(format!("agents-{name}-home"));
        let _ = std::fs::remove_dir_all(&dir);
        Self { gateway, provider, dir }
    }

    /// Runs a program in a new folder and a home of its own, without anybody's keys and profiles.
    async fn run(&self, case: &str, program: &Path, arguments: &[&str], environment: &[(&str, &str)]) -> Said {
        let dir = self.dir.join(case);
        std::fs::create_dir_all(dir.join("home")).unwrap();
        let before = self.gateway.lines().len();
        let path = std::env::var_os("PATH").unwrap_or_default();
        let mut command = Command::new(program);
        command.args(arguments).current_dir(&dir).env_clear().env("PATH", path).env("HOME", dir.join("home"));
        command.envs(environment.iter().copied()).stdin(std::process::Stdio::null()).kill_on_drop(true);
        let output = tokio::time::timeout(LONGEST_RUN, command.output()).await;
        let output = output.unwrap_or_else(|_| panic!("{case}: nothing within {LONGEST_RUN:?}")).unwrap();
        let text = [output.stdout, output.stderr].map(|text| String::from_utf8_lossy(&text).into_owned());
        // Envoy writes within milliseconds what it has logged.
        let asked = async || self.gateway.lines().split_off(before);
        let is_post = |line: &&Value| line.get("v").is_some() || line["method"] == "POST";
        eventually(case, asked, |lines| lines.iter().any(|line| is_post(&line))).await;
        // A moment later there are no more: that it did not ask again is what is to be seen.
        tokio::time::sleep(Duration::from_millis(100)).await;
        let posts = asked().await.into_iter().filter(|line| is_post(&line)).collect();
        Said { text: text.concat(), code: output.status.code(), posts, dir }
    }
}

struct Said {
    text: String,
    code: Option<i32>,
    /// The lines of what it sent, in their order.
    posts: Vec<Value>,
    dir: PathBuf,
}

impl Said {
    #[track_caller]
    fn did_its_task(&self) {
        assert_eq!(self.code, Some(0), "{}", self.text);
        assert!(self.text.contains(WORDS), "{}", self.text);
        let note = std::fs::read_to_string(self.dir.join("note.txt")).unwrap_or_default();
        assert_eq!(note.trim(), NOTE, "the tool was run: {}", self.text);
        assert_eq!(self.posts.len(), 2, "a turn, and the one with the tool's result: {:#?}", self.posts);
        for record in &self.posts {
            let figures = ["outcome", "usage_source", "input_tokens", "output_tokens"].map(|name| &record[name]);
            assert_eq!(figures, [&json!("success"), &json!("reported"), &json!(INPUT), &json!(OUTPUT)], "{record}");
        }
    }

    /// It failed, said why in these words, and asked no more often than that.
    #[track_caller]
    fn gave_up(&self, words: &str, status: u64, most: usize) {
        assert_eq!(self.code, Some(1), "{}", self.text);
        assert!(self.text.contains(words), "`{words}` in {}", self.text);
        let last = self.posts.last().expect("a request");
        assert_eq!(last["status"], status, "{last}");
        let refused = self.posts.iter().filter(|line| line["status"] == status).count();
        assert!(refused <= most, "{refused} requests were refused: {:#?}", self.posts);
    }
}

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

/// By a key in its environment, by one that it logged in with, and by a ChatGPT account, where it compresses what it sends.
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
    let chatgpt = provider("OpenAI", "requires_openai_auth = true");
    let said = run("chatgpt", "", MODEL, &chatgpt, chatgpt_login(AGENT)).await;
    said.did_its_task();
    let came = stage.provider.asked().split_off(before);
    assert!(came.iter().all(|asked| !asked.encoded && asked.body["model"] == MODEL), "plain text at the provider");
    let inflated = stage.gateway.plain_stat("http.gateway.decompressor.zstd.zstd.request.decompressed").await;
    assert!(inflated >= 2, "its bodies came compressed, {inflated} of them");

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

/// The lines that a script of ours wrote of an SDK, by their case.
fn cases(said: &Said) -> Value {
    assert_eq!(said.code, Some(0), "{}", said.text);
    let lines = said.text.lines().filter_map(|line| serde_json::from_str::<Value>(line).ok());
    lines.map(|line| (line["case"].as_str().unwrap().to_owned(), line["said"].clone())).collect()
}

fn keys() -> [(&'static str, &'static str); 3] {
    [("AGENT", AGENT), ("POOR", POOR), ("HOURLY", HOURLY)]
}

/// Each refusal by its status, in words that say what to do, after one request.
#[track_caller]
fn refused(cases: &Value, api: &str) {
    for (case, status, words) in [
        ("key", 401, "needs a key of this gateway"),
        ("model", 404, "nothing"),
        ("budget", 402, "The daily budget of $0.000001 has no room"),
        ("rate", 429, "Rate limit reached: 1 requests per hour"),
    ] {
        let said = &cases[format!("{api}{case}")];
        assert_eq!(said["status"], status, "{case}: {said}");
        assert!(said["message"].as_str().is_some_and(|message| message.contains(words)), "{case}: {said}");
        // The AI SDK heeds no word that a wait of an hour is not worth it: it gives up after two more.
        let most = if said["retryable"] == true { 3 } else { 1 };
        assert!(said["asked"].as_u64().is_some_and(|asked| asked <= most), "{case}: {said}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn vercels_ai_sdk_does_a_task_and_says_why_not() {
    let Some(clients) = installed("CLIENTS") else { return };
    let stage = Stage::start("ai-sdk").await;
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/clients/ai_sdk.mjs");
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

#[tokio::test(flavor = "multi_thread")]
async fn openais_sdk_for_go_does_a_task_and_says_why_not() {
    let Some(program) = installed("GO_CLIENT") else { return };
    let stage = Stage::start("go").await;
    let url = format!("http://{}", stage.gateway.addr);
    let said = stage.run("all", &program, &[&url], &keys()).await;
    let cases = cases(&said);
    assert_eq!(cases["tool"], json!({"text": COMMAND}).to_string(), "{cases:#}");
    assert_eq!(cases["answer"], WORDS, "{cases:#}");
    refused(&cases, "");
}
