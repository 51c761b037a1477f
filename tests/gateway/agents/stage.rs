//! Where an agent is tried: a gateway with tenants who lack something, a provider that calls tools, and a folder of the
//! agent's own; and what is asserted of what it said.

use std::path::{Path, PathBuf};
use std::time::Duration;

use serde_json::{Value, json};
use tokio::process::Command;

use crate::client::eventually;
use crate::envoy::{Gateway, Setup, policy};
use crate::tool_caller::{INPUT, OUTPUT, ToolCaller, WORDS};
use crate::top;

pub const AGENT: &str = "agent-0123456789abcdef";
pub const POOR: &str = "poor-0123456789abcdef";
pub const HOURLY: &str = "hourly-0123456789abcdef";
pub const NOBODY: &str = "nobody-0123456789abcdef";

/// Longer than any of them takes where the machine has something else to do, and shorter than the silence that is a fault.
const LONGEST_RUN: Duration = Duration::from_secs(150);

const NOTE: &str = "forty-two";
pub const COMMAND: &str = "echo forty-two > note.txt";

/// A line of envoy.yaml before which a reply to a request without a key may stand.
const FOR_WANT_OF_TIME: &str = "            # The router gave up waiting, and calls it 204 for the sake of the circuit breakers: `our_own_timeouts`, above.";

/// Where clients were installed or built; without them their tests are skipped, and say so.
pub fn installed(variable: &str) -> Option<PathBuf> {
    let path = std::env::var_os(variable)
        .map(PathBuf::from)
        .filter(|path| path.is_file() || path.join("node_modules").exists() || path.join("bin/python").exists());
    if path.is_none() {
        println!(
            "SKIPPED: {variable} names nothing that is there; `make e2e` (or `make clients`) installs it, where its registry can be reached"
        );
    }
    path
}

pub struct Stage {
    pub gateway: Gateway,
    pub provider: ToolCaller,
    pub dir: PathBuf,
}

impl Stage {
    /// production.yaml, with a key for each tenant.
    pub async fn start(name: &str) -> Self {
        Self::saying(name, WORDS).await
    }

    /// The same, where the provider answers in these words.
    pub async fn saying(name: &str, words: &'static str) -> Self {
        let provider = ToolCaller::start(COMMAND, words).await;
        let base = format!("http://{}/v1", provider.addr);
        let keys = format!("agent={AGENT},poor={POOR},hourly={HOURLY}");
        let environment = [
            ("OPENAI_API_KEY", "dummy-of-openai".to_owned()),
            ("ANTHROPIC_API_KEY", "dummy-of-anthropic".to_owned()),
            ("OPENAI_BASE_URL", base.clone()),
            ("ANTHROPIC_BASE_URL", base),
            ("CLIENT_KEYS", keys),
        ];
        let tenants = tenants();
        let tenants: Vec<_> = tenants.as_object().unwrap().iter().map(|(name, it)| format!("{name}: {it}")).collect();
        let tenants = tenants.join("\n                      ");
        let gateway =
            Gateway::production(&format!("agents-{name}"), &environment, &[("acme: {tier: premium}", &tenants)]).await;
        Self { gateway, provider, dir: home(name) }
    }

    /// envoy.yaml, whose routes have Gemini's API, with the keys and the 401 of production.yaml.
    pub async fn gemini(name: &'static str) -> Self {
        let provider = ToolCaller::start(COMMAND, WORDS).await;
        let production = top().join("envoy/production.yaml");
        let production = std::fs::read_to_string(production).unwrap();
        let part = |from: &str, to: &str| {
            let (_, part) = production.split_once(from).unwrap_or_else(|| panic!("`{from}` in production.yaml"));
            format!("{from}{}{to}", part.split_once(to).expect("its end").0)
        };
        let credentials = [("agent", AGENT), ("poor", POOR), ("hourly", HOURLY)]
            .map(|(client, key)| format!("              - {{client: {client}, key: {key}}}\n"));
        let keys = part("          - name: envoy.filters.http.api_key_auth\n", "              credentials:\n");
        let refused = part(
            "            - filter: {status_code_filter: {comparison: {op: EQ, value: {default_value: 401,",
            "*in_dialect\n",
        );
        let mut policy = policy(tenants());
        policy["unknown_tenants"] = json!("refuse");
        let gateway = Gateway::start(Setup {
            provider: Some(provider.addr),
            insertions: vec![
                ("          - name: inflate_gzip", keys + &credentials.concat()),
                (FOR_WANT_OF_TIME, refused),
            ],
            ..Setup::new(name, policy)
        });
        Self { gateway: gateway.await, provider, dir: home(name) }
    }

    /// Runs a program in a new folder and a home of its own, without anybody's keys and profiles.
    pub async fn run(&self, case: &str, program: &Path, arguments: &[&str], environment: &[(&str, &str)]) -> Said {
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

/// An agent's turn is large: what a request may cost is not what these are about.
fn tenants() -> Value {
    json!({
        "agent": {"unlimited": ["request_usd", "day_usd"]},
        "poor": {"unlimited": ["request_usd"], "budgets": {"day_usd": "0.000001"}},
        "hourly": {"unlimited": ["request_usd", "day_usd"], "limits": {"requests_per_hour": 1}},
    })
}

fn home(name: &str) -> PathBuf {
    let dir = Path::new(env!("CARGO_TARGET_TMPDIR")).join(format!("agents-{name}-home"));
    let _ = std::fs::remove_dir_all(&dir);
    dir
}

pub struct Said {
    pub text: String,
    pub code: Option<i32>,
    /// The lines of what it sent, in their order.
    pub posts: Vec<Value>,
    pub dir: PathBuf,
}

impl Said {
    /// A turn, and the one with the tool's result.
    #[track_caller]
    pub fn did_its_task(&self) {
        assert!(self.text.contains(WORDS), "{}", self.text);
        self.wrote_its_note(2);
    }

    /// The file is there, after as many requests, each of which has its exact record.
    #[track_caller]
    pub fn wrote_its_note(&self, requests: usize) {
        assert_eq!(self.code, Some(0), "{}", self.text);
        let note = std::fs::read_to_string(self.dir.join("note.txt")).unwrap_or_default();
        assert_eq!(note.trim(), NOTE, "the tool was run: {}", self.text);
        assert_eq!(self.posts.len(), requests, "{:#?}", self.posts);
        for record in &self.posts {
            let figures = ["outcome", "usage_source", "input_tokens", "output_tokens"].map(|name| &record[name]);
            assert_eq!(figures, [&json!("success"), &json!("reported"), &json!(INPUT), &json!(OUTPUT)], "{record}");
        }
    }

    /// It failed, said why in these words, and asked no more often than that.
    #[track_caller]
    pub fn gave_up(&self, words: &str, status: u64, most: usize) {
        assert!(self.code.is_some_and(|code| code != 0), "{:?}: {}", self.code, self.text);
        self.showed(words, status, most);
    }

    /// The same of one that ends well, whatever happened.
    #[track_caller]
    pub fn showed(&self, words: &str, status: u64, most: usize) {
        // Some break lines where a terminal would end.
        let text = self.text.split_whitespace().collect::<Vec<_>>().join(" ");
        assert!(text.contains(words), "`{words}` in {}", self.text);
        let last = self.posts.last().expect("a request");
        assert_eq!(last["status"], status, "{last}");
        let refused = self.posts.iter().filter(|line| line["status"] == status).count();
        assert!(refused <= most, "{refused} requests were refused: {:#?}", self.posts);
    }
}

/// The lines that a script of ours wrote of an SDK, by their case.
pub fn cases(said: &Said) -> Value {
    assert_eq!(said.code, Some(0), "{}", said.text);
    let lines = said.text.lines().filter_map(|line| serde_json::from_str::<Value>(line).ok());
    lines.map(|line| (line["case"].as_str().unwrap().to_owned(), line["said"].clone())).collect()
}

pub fn keys() -> [(&'static str, &'static str); 3] {
    [("AGENT", AGENT), ("POOR", POOR), ("HOURLY", HOURLY)]
}

/// Each refusal by its status, in words that say what to do, after one request.
#[track_caller]
pub fn refused(cases: &Value, api: &str) {
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
