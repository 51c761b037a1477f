//! An Envoy with the shipped configuration: its ports, paths and the plugin's configuration replaced, nothing else.

use std::collections::BTreeMap;
use std::ffi::OsStr;
use std::fmt::Write as _;
use std::fs::{self, File};
use std::net::SocketAddr;
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use hyper::Request;
use serde_json::{Value, json};
use simulated_provider::{Entry, Port, Provider, price_entries};

use crate::client::{Answer, PATIENCE, ask, eventually, get};
use crate::top;

/// Ends Envoy, by whatever way this process ends: then the shell's standard input closes.
const LEASH: &str = r#""$@" & read -r _; trap "" TERM; kill -TERM 0; sleep 1; kill -KILL 0"#;

pub fn fixtures() -> PathBuf {
    top().join("tests/fixtures")
}

pub fn json_of(path: &Path) -> Value {
    serde_json::from_slice(&std::fs::read(path).unwrap()).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

/// What differs from the shipped configuration.
pub struct Setup {
    pub name: &'static str,
    /// `null`: the shipped one.
    pub policy: Value,
    /// Of the chat route; the shipped one is 900 s.
    pub timeout: &'static str,
    /// Where the provider listens; none: a simulated one of its own.
    pub provider: Option<SocketAddr>,
    /// As shipped, five failures in a row open the circuit breaker. Tests of failures mostly want no such thing.
    pub breaker: bool,
    /// The listener comes from a file, so that it can be updated.
    pub dynamic: bool,
    /// Other code than what was built.
    pub wasm: Option<PathBuf>,
    /// Every path goes to the provider, as in the corpus; shipped is an allowlist.
    pub any_path: bool,
    /// Lines of the shipped text, each with what is put before it.
    pub insertions: Vec<(&'static str, String)>,
    /// Texts of the shipped configuration, each with what stands in its place.
    pub swaps: Vec<(&'static str, &'static str)>,
}

impl Setup {
    pub fn new(name: &'static str, policy: Value) -> Self {
        Self {
            name,
            policy,
            timeout: "900s",
            provider: None,
            breaker: false,
            dynamic: false,
            wasm: None,
            any_path: false,
            insertions: Vec::new(),
            swaps: Vec::new(),
        }
    }
}

/// A policy with the provider's prices, limits that nobody meets, and these tenants.
pub fn policy(tenants: Value) -> Value {
    json!({
        "tenants": tenants,
        "roles": ["chat", "code"],
        "providers": {"simulated": {"cluster": "provider"}},
        "prices": price_entries(),
        "aliases": {"fast": "gpt-4o-mini"},
        "status": {"cluster": "admin", "allow": ["127.0.0.0/8", "::1/128"]},
        // What steers the simulated provider.
        "forward": {"headers": ["x-sim"]},
        "limits": {
            "requests_per_minute": 1_000_000,
            "requests_per_hour": 1_000_000,
            "requests_per_day": 1_000_000,
            "expensive_per_minute": 1_000_000,
        },
    })
}

/// A tenant of the dearest tier, for tests that are not about money.
pub fn free_tenant() -> Value {
    json!({"unlimited": ["request_usd", "day_usd"]})
}

/// The same in a configuration that has limits of its own.
pub fn boundless_tenant() -> Value {
    let many = 1_000_000;
    json!({"tier": "premium", "unlimited": ["request_usd", "day_usd"], "limits": {"requests_per_minute": many,
        "requests_per_hour": many, "requests_per_day": many, "expensive_per_minute": many}})
}

pub struct Gateway {
    pub addr: SocketAddr,
    pub admin: SocketAddr,
    /// The listener for probes and scrapers, where the configuration has one.
    pub probe: SocketAddr,
    pub provider: Option<Provider>,
    /// Envoy's.
    dir: PathBuf,
    access_log: PathBuf,
    yaml: Option<Yaml>,
    leash: Arc<Child>,
}

impl Gateway {
    pub async fn start(setup: Setup) -> Self {
        let [gateway] = Self::together([setup]).await;
        gateway
    }

    /// In one Envoy, for which V8 compiles the plugin once: most of what a start costs. Each has its own listener, VMs, shared data,
    /// provider (a cluster of its name, but for the first) and records; they share the process, its log and its stats, which don't
    /// tell one's tenants and providers from another's of the same name. What is inserted among the clusters is the first one's to say.
    pub async fn together<const COUNT: usize>(setups: [Setup; COUNT]) -> [Self; COUNT] {
        let dir = Path::new(env!("CARGO_TARGET_TMPDIR")).join(setups[0].name);
        let _ = fs::remove_dir_all(&dir);
        fs::create_dir_all(&dir).unwrap();

        let [admin] = free_ports();
        let mut parts = setups.into_iter().map(|setup| {
            let provider = setup.provider.is_none().then(|| Provider::playing(fixtures()));
            let upstream = setup.provider.or(provider.as_ref().map(|provider| provider.addr)).unwrap();
            let access_log = dir.join(format!("{}.access.log", setup.name));
            (Yaml { dir: dir.clone(), access_log, upstream, admin, setup, beside: Vec::new() }, provider)
        });
        let (mut yaml, provider) = parts.next().expect("a gateway");
        yaml.access_log = dir.join("access.log");
        let (beside, providers): (Vec<_>, Vec<_>) = parts.unzip();
        yaml.beside = beside;
        let config = yaml.write();
        let mut gateways = vec![Self::launch(dir, &config, provider, Some(yaml), &[]).await];
        for (nth, provider) in providers.into_iter().enumerate() {
            let Self { admin, probe, ref dir, ref yaml, ref leash, .. } = gateways[0];
            let yaml = &yaml.as_ref().unwrap().beside[nth];
            let listening = async || address(&listeners(admin).await, yaml.setup.name);
            let addr = eventually(yaml.setup.name, listening, Option::is_some).await.unwrap();
            let (dir, access_log, leash) = (dir.clone(), yaml.access_log.clone(), Arc::clone(leash));
            gateways.push(Self { addr, admin, probe, provider, dir, access_log, yaml: None, leash });
        }
        gateways.try_into().unwrap_or_else(|_| unreachable!("as many as setups"))
    }

    /// production.yaml as `envoy/start/production` renders it in this environment, with these texts in the place of others.
    pub async fn production(name: &str, environment: &[(&str, String)], swaps: &[(&str, &str)]) -> Self {
        let dir = Path::new(env!("CARGO_TARGET_TMPDIR")).join(name);
        let _ = fs::remove_dir_all(&dir);
        fs::create_dir_all(&dir).unwrap();
        let config = dir.join("envoy.yaml");
        let [gateway, admin, ejected, probe] = free_ports();
        let ports =
            [("GATEWAY_PORT", gateway), ("ADMIN_PORT", admin), ("EJECTED_PORT", ejected), ("PROBE_PORT", probe)];
        let render = top().join("envoy/start/production");
        let rendered = Command::new("python3")
            .arg(render)
            .args(["--render", config.to_str().unwrap()])
            .envs(ports.map(|(name, port)| (name, port.to_string())))
            .env("WASM", wasm())
            .envs(environment.iter().map(|(name, value)| (name, value)))
            .output()
            .unwrap();
        assert!(rendered.status.success(), "{}", String::from_utf8_lossy(&rendered.stderr));
        let mut text = fs::read_to_string(&config).unwrap();
        for (_, secret) in environment.iter().filter(|(name, _)| name.ends_with("_API_KEY")) {
            assert!(!text.contains(secret), "a provider's key in the rendered configuration");
        }
        let log = format!("path: {}", dir.join("access.log").display());
        let steered = ("forward: {}", "forward: {headers: [x-sim]}");
        for (old, new) in swaps.iter().copied().chain([("path: /dev/stdout", log.as_str()), steered]) {
            assert!(text.contains(old), "production.yaml has no `{old}`");
            text = text.replace(old, new);
        }
        fs::write(&config, text).unwrap();
        Self::launch(dir, &config, None, None, environment).await
    }

    /// A whole configuration, whose listener is called `gateway`, in a folder that is new.
    pub async fn of(name: &str, provider: Provider, configuration: impl FnOnce(&Path) -> Value) -> Self {
        let dir = Path::new(env!("CARGO_TARGET_TMPDIR")).join(name);
        let _ = fs::remove_dir_all(&dir);
        fs::create_dir_all(&dir).unwrap();
        let config = dir.join("envoy.yaml");
        fs::write(&config, configuration(&dir).to_string()).unwrap();
        Self::launch(dir, &config, Some(provider), None, &[]).await
    }

    async fn launch(
        dir: PathBuf,
        config: &Path,
        provider: Option<Provider>,
        yaml: Option<Yaml>,
        environment: &[(&str, String)],
    ) -> Self {
        let log = File::create(dir.join("envoy.log")).unwrap();
        let leash = envoy(&dir)
            .args(["-c", config.to_str().unwrap(), "--concurrency", "2", "--disable-hot-restart"])
            .args(["--admin-address-path", dir.join("admin").to_str().unwrap()])
            .args(["--file-flush-interval-msec", "20", "--drain-time-s", "10", "--log-level", "info"])
            .envs(environment.iter().map(|(name, value)| (name, value)))
            .stdout(log.try_clone().unwrap())
            .stderr(log)
            .spawn()
            .expect("a shell");
        let admin = started(&dir.join("envoy.log"), "Envoy's admin port", || {
            let log = fs::read_to_string(dir.join("envoy.log")).unwrap_or_default();
            assert!(!log.contains("[critical][main]"), "Envoy did not start:\n{}", last_lines(&log));
            fs::read_to_string(dir.join("admin")).ok()?.parse().ok()
        })
        .await;
        let listening = async || {
            let listeners = listeners(admin).await;
            let gateway = address(&listeners, "gateway")?;
            let live = ask(admin, get("/ready")).await.status == 200;
            live.then(|| (gateway, address(&listeners, "probe").unwrap_or(gateway)))
        };
        let (addr, probe) = eventually("Envoy's port", listening, Option::is_some).await.unwrap();
        let access_log = dir.join("access.log");
        Self { addr, admin, probe, provider, dir, access_log, yaml, leash: Arc::new(leash) }
    }

    pub fn provider(&self) -> &Provider {
        self.provider.as_ref().expect("the simulated provider")
    }

    pub async fn ask(&self, request: Request<crate::client::Body>) -> Answer {
        ask(self.addr, request).await
    }

    pub async fn admin(&self, path: &str) -> String {
        ask(self.admin, get(path)).await.text()
    }

    pub fn log(&self) -> String {
        fs::read_to_string(self.dir.join("envoy.log")).unwrap_or_default()
    }

    /// Where the kernel tells of the process.
    fn process(&self) -> PathBuf {
        let config = self.dir.join("envoy.yaml").display().to_string();
        let ours = |process: &Path| {
            let command = fs::read_to_string(process.join("cmdline")).unwrap_or_default();
            let name = fs::read_to_string(process.join("comm")).unwrap_or_default();
            command.contains(&config) && name.trim() == "envoy"
        };
        let mut processes = fs::read_dir("/proc").unwrap().filter_map(|entry| Some(entry.ok()?.path()));
        processes.find(|process| ours(process)).expect("Envoy among the processes")
    }

    /// Of the process and all that V8 mapped for it.
    pub fn resident_bytes(&self) -> u64 {
        let status = fs::read_to_string(self.process().join("status")).unwrap();
        let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:")).expect("VmRSS");
        let kib: u64 = line.trim().strip_suffix(" kB").expect("kB").parse().unwrap();
        kib * 1024
    }

    /// What Envoy's allocator has handed out just now; its stat of that, `server.memory_allocated`, is five seconds old.
    pub async fn allocated_bytes(&self) -> u64 {
        let told = ask(self.admin, get("/memory")).await.json();
        told["allocated"].as_str().expect("`allocated` of /memory").parse().unwrap()
    }

    /// What all threads of the process have spent on a processor, for themselves and in the kernel.
    pub fn cpu_time(&self) -> Duration {
        let threads = fs::read_dir(self.process().join("task")).unwrap();
        let spent = threads.filter_map(|thread| {
            let told = fs::read_to_string(thread.ok()?.path().join("schedstat")).ok()?;
            told.split(' ').next()?.parse::<u64>().ok()
        });
        Duration::from_nanos(spent.sum())
    }

    /// What Envoy and the filter complained of so far.
    pub fn complaints(&self) -> String {
        let log = self.log();
        let loud =
            log.lines().filter(|line| ["[warning]", "[error]", "[critical]"].iter().any(|level| line.contains(level)));
        loud.collect::<Vec<_>>().join("\n")
    }

    pub fn access_log(&self) -> PathBuf {
        self.access_log.clone()
    }

    /// Every line of the access log.
    pub fn lines(&self) -> Vec<Value> {
        self.lines_with("")
    }

    /// Those in which this stands. Only they are read: there may be thousands, which are looked at again and again.
    fn lines_with(&self, part: &str) -> Vec<Value> {
        let text = fs::read_to_string(&self.access_log).unwrap_or_default();
        // The last line may be half written.
        let whole = text.rfind('\n').map_or("", |end| text.get(..end).unwrap_or(""));
        let lines = whole.lines().filter(|line| line.contains(part));
        lines.map(|line| serde_json::from_str(line).unwrap_or_else(|_| panic!("a log line: {line}"))).collect()
    }

    /// The records of AI exchanges.
    pub fn records(&self) -> Vec<Value> {
        self.lines().into_iter().filter(|line| line.get("v").is_some()).collect()
    }

    pub fn records_of(&self, tenant: &str) -> Vec<Value> {
        self.records().into_iter().filter(|record| record["tenant"] == tenant).collect()
    }

    /// What has ended before is in the access log afterwards: a later request's line is, and the file is written in order.
    pub async fn written(&self) {
        static NTH: AtomicUsize = AtomicUsize::new(0);
        let path = format!("/later-{}", NTH.fetch_add(1, Ordering::Relaxed));
        self.ask(get(&path)).await;
        let line = format!("\"{path}\"");
        let look = async || fs::read_to_string(&self.access_log).unwrap_or_default().contains(&line);
        eventually("the line of a later request", look, |written| *written).await;
    }

    /// The records of this tenant, once there are as many; and there are no more.
    pub async fn wait_records_of(&self, tenant: &str, count: usize) -> Vec<Value> {
        let look = async || self.records_of(tenant);
        eventually(&format!("{count} records of {tenant}"), look, |records| records.len() >= count).await;
        self.written().await;
        let records = self.records_of(tenant);
        assert_eq!(records.len(), count, "records of {tenant}: {records:#?}");
        records
    }

    pub async fn record_of(&self, answer: &Answer) -> Value {
        self.record_with_id(answer.request_id()).await
    }

    pub async fn record_with_id(&self, id: &str) -> Value {
        let is_it = |line: &Value| line.get("v").is_some() && line["request_id"] == id;
        let look = async || self.lines_with(id).into_iter().filter(is_it).collect::<Vec<_>>();
        let mut found = eventually(&format!("the record of {id}"), look, |found| !found.is_empty()).await;
        assert_eq!(found.len(), 1, "one exchange, one record: {found:#?}");
        found.remove(0)
    }

    /// What the provider wrote of the request that this record is about.
    pub fn entry_of(&self, record: &Value) -> Option<Entry> {
        let id = record["request_id"].as_str();
        self.provider().settled_ledger(PATIENCE).requests.into_iter().find(|entry| entry.request_id.as_deref() == id)
    }

    pub async fn stats(&self) -> Stats {
        Stats::read(&self.admin("/stats/prometheus").await)
    }

    /// Envoy's own stats, by their plain names. One that it doesn't have is no zero.
    pub async fn plain_stat(&self, name: &str) -> u64 {
        let text = self.admin(&format!("/stats?filter=^{}$", name.replace('.', "\\."))).await;
        let (_, value) = text.trim().rsplit_once(": ").unwrap_or_else(|| panic!("Envoy has no stat `{name}`"));
        value.parse().unwrap()
    }

    /// How often a VM died: each time Envoy makes another, fails to, or puts it off.
    pub async fn dead_vms(&self) -> u64 {
        let mut sum = 0;
        for what in ["success", "failure", "backoff"] {
            sum += self.plain_stat(&format!("wasm.nexus_ai_gateway.vm_reload_{what}")).await;
        }
        sum
    }

    /// How many requests Envoy has open, whosever they are.
    pub async fn open_requests(&self) -> u64 {
        self.plain_stat("http.gateway.downstream_rq_active").await
    }

    /// Waits until the filter has asked Envoy's admin so many times more, which it does once in a second.
    pub async fn polls(&self, more: u64) {
        let asked = async || self.plain_stat("cluster.admin.upstream_rq_completed").await;
        let before = asked().await;
        eventually(&format!("{more} questions to the admin"), asked, |now| *now >= before + more).await;
    }

    /// The stats once the gauges, which are set once a second, say that this tenant has spent as much and holds no
    /// reservation, and that no exchange is open.
    pub async fn settled(&self, tenant: &str, spent: u64) -> Stats {
        self.spent(tenant, spent, |stats| stats.sum("ai_gateway_active_connections", &[]) == 0).await
    }

    /// The same for a tenant among others, who may have exchanges open.
    pub async fn settled_among_others(&self, tenant: &str, spent: u64) -> Stats {
        self.spent(tenant, spent, |_| true).await
    }

    async fn spent(&self, tenant: &str, spent: u64, holds: impl Fn(&Stats) -> bool) -> Stats {
        let of = [("tenant", tenant)];
        let settled = |stats: &Stats| {
            let reserved = stats.one("ai_gateway_reserved_nanousd", &of);
            let told = stats.one("ai_gateway_spent_today_nanousd", &of);
            (reserved, told) == (Some(0), Some(spent)) && holds(stats)
        };
        eventually(
            &format!("{tenant} has spent {spent}, and nothing is reserved"),
            async || self.stats().await,
            settled,
        )
        .await
    }

    /// Writes the listener anew with this policy; Envoy sees it by itself.
    pub fn update(&mut self, policy: Value) {
        let yaml = self.yaml.as_mut().expect("the shipped envoy.yaml");
        yaml.setup.policy = policy;
        yaml.write();
    }

    /// Ends Envoy without a warning; its files stay.
    pub fn kill(&self) {
        kill(&self.leash);
    }

    /// Other code, from the next update on.
    pub fn use_code(&mut self, wasm: PathBuf) {
        self.yaml.as_mut().expect("the shipped envoy.yaml").setup.wasm = Some(wasm);
    }
}

async fn listeners(admin: SocketAddr) -> Value {
    ask(admin, get("/listeners?format=json")).await.json()
}

/// Of the listener of this name, once it listens.
fn address(listeners: &Value, name: &str) -> Option<SocketAddr> {
    let ours = listeners["listener_statuses"].as_array()?.iter().find(|status| status["name"] == name)?;
    let port = u16::try_from(ours["local_address"]["socket_address"]["port_value"].as_u64()?).ok()?;
    Some(SocketAddr::from(([127, 0, 0, 1], port)))
}

/// Ports that nobody else is given until this process ends, for servers that can't tell which one they have taken.
pub fn free_ports<const N: usize>() -> [u16; N] {
    [(); N].map(|()| keep(Port::free().unwrap()))
}

/// The first of so many in a row.
pub fn ports_in_a_row(count: u16) -> u16 {
    Port::row(count).unwrap().into_iter().map(keep).next().unwrap()
}

fn keep(port: Port) -> u16 {
    static KEPT: Mutex<Vec<Port>> = Mutex::new(Vec::new());
    let number = port.number();
    KEPT.lock().unwrap().push(port);
    number
}

/// The labels and values of each series.
pub struct Stats(BTreeMap<String, u64>);

impl std::fmt::Debug for Stats {
    fn fmt(&self, out: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        out.debug_map().entries(self.0.iter().filter(|(series, _)| series.starts_with("ai_gateway"))).finish()
    }
}

impl Stats {
    fn read(text: &str) -> Self {
        let lines = text.lines().filter(|line| !line.starts_with('#'));
        let series = lines.filter_map(|line| line.rsplit_once(' '));
        Self(series.filter_map(|(series, value)| Some((series.to_owned(), value.parse().ok()?))).collect())
    }

    /// The sum over all series of this name that have these labels.
    pub fn sum(&self, name: &str, labels: &[(&str, &str)]) -> u64 {
        self.0
            .iter()
            .filter(|(series, _)| matches(series, name, labels))
            .map(|(_, value)| *value)
            .fold(0, u64::wrapping_add)
    }

    /// How many series there are whose names begin so.
    pub fn count(&self, name: &str) -> usize {
        self.0.keys().filter(|series| series.starts_with(name)).count()
    }

    /// The same of one series, if there is one.
    pub fn one(&self, name: &str, labels: &[(&str, &str)]) -> Option<u64> {
        self.0.keys().any(|series| matches(series, name, labels)).then(|| self.sum(name, labels))
    }
}

fn matches(series: &str, name: &str, labels: &[(&str, &str)]) -> bool {
    let (found, rest) = series.split_once('{').unwrap_or((series, ""));
    found == name && labels.iter().all(|(label, value)| rest.contains(&format!(r#"{label}="{value}""#)))
}

/// A program that ends with this process, however that ends.
pub fn leashed(program: impl AsRef<OsStr>) -> Command {
    let mut command = Command::new("sh");
    command.args(["-c", LEASH, "leash"]).arg(program).process_group(0).stdin(Stdio::piped());
    command
}

/// Without a warning, and with the shell that holds the leash.
pub fn killed(mut leash: Child) {
    kill(&leash);
    leash.wait().unwrap();
}

fn kill(leash: &Child) {
    let group = format!("-{}", leash.id());
    assert!(Command::new("kill").args(["-KILL", "--", &group]).status().unwrap().success());
}

/// Envoy through func-e, or by itself where only its path is known.
fn envoy(dir: &Path) -> Command {
    match (std::env::var_os("FUNC_E"), std::env::var_os("ENVOY_PATH")) {
        (Some(func_e), _) => {
            let mut command = leashed(func_e);
            command.arg("run").env_remove("FUNC_E_HOME");
            command.env("FUNC_E_STATE_HOME", dir.join("func-e")).env("FUNC_E_RUNTIME_DIR", dir.join("func-e"));
            command
        }
        (None, Some(envoy)) => leashed(envoy),
        (None, None) => panic!("no Envoy: FUNC_E and ENVOY_PATH are not set; run `make e2e`"),
    }
}

/// What a log ends with, shortened: Envoy repeats a configuration that it refuses.
fn last_lines(log: &str) -> String {
    let lines: Vec<_> = log.lines().map(|line| line.chars().take(300).collect::<String>()).collect();
    lines[lines.len().saturating_sub(8)..].join("\n")
}

/// Looks for what a program tells once it has started.
pub async fn started<T>(log: &Path, what: &str, mut look: impl FnMut() -> Option<T>) -> T {
    let since = Instant::now();
    loop {
        if let Some(found) = look() {
            return found;
        }
        let log = || fs::read_to_string(log).unwrap_or_default();
        assert!(since.elapsed() < PATIENCE, "{what} is still not known; the log:\n{}", log());
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}

/// The plugin, as built: `WASM`, what `make build` leaves, or what cargo leaves.
pub fn wasm() -> PathBuf {
    let top = top();
    let built = ["target/nexus_ai_gateway.wasm", "target/wasm32-wasip1/release/nexus_ai_gateway.wasm"]
        .map(|path| top.join(path));
    let named = std::env::var_os("WASM").map(|path| top.join(path));
    let wasm = named.into_iter().chain(built).find(|path| path.exists());
    wasm.expect("the plugin is not built: run `make build`")
}

/// The shipped configuration as text. Its marks `#= NAME` say where something else may stand.
struct Yaml {
    dir: PathBuf,
    access_log: PathBuf,
    upstream: SocketAddr,
    admin: u16,
    setup: Setup,
    /// Those whose listeners and providers' clusters stand in this one, too.
    beside: Vec<Yaml>,
}

const LISTENER: &str = "  - name: gateway\n";
const CLUSTER: &str = "  - name: provider\n";

impl Yaml {
    /// Writes the configuration, and the listener's own file where it has one.
    fn write(&self) -> PathBuf {
        let text = self.with_those_beside();
        let path = self.dir.join("envoy.yaml");
        if !self.setup.dynamic {
            fs::write(&path, text).unwrap();
            return path;
        }
        let (before, rest) = text.split_once("  listeners:\n").expect("listeners");
        let (listeners, after) = rest.split_once("\n  clusters:\n").expect("clusters behind the listeners");
        let mut resources = "resources:\n".to_owned();
        for line in listeners.lines().map(|line| line.strip_prefix("  ").unwrap_or(line)) {
            if let Some(name) = line.strip_prefix("- name: ") {
                let kind = "type.googleapis.com/envoy.config.listener.v3.Listener";
                writeln!(resources, "- \"@type\": {kind}\n  name: {name}").unwrap();
            } else {
                writeln!(resources, "{line}").unwrap();
            }
        }
        // Envoy looks at the directory, and wants the file to be whole when it appears.
        let (fresh, listener) = (self.dir.join("listener.new"), self.dir.join("listener.yaml"));
        fs::write(&fresh, resources).unwrap();
        fs::rename(&fresh, &listener).unwrap();
        let source = json!({"path_config_source": {"path": listener}, "resource_api_version": "V3"});
        let dynamic = json!({"lds_config": source});
        let node = json!({"id": "test", "cluster": "test"});
        let text = format!("node: {node}\ndynamic_resources: {dynamic}\n{before}  clusters:\n{after}");
        fs::write(&path, text).unwrap();
        path
    }

    fn with_those_beside(&self) -> String {
        self.beside.iter().fold(self.substituted(), |text, other| {
            assert!(!other.setup.dynamic && other.setup.wasm.is_none(), "the code and the file are the first one's");
            let theirs = other.substituted();
            // In front of the first one's: what is behind it in the file refers to the last anchors of a name.
            [LISTENER, CLUSTER].into_iter().fold(text, |text, begins| {
                let own = other.by_its_own_names(block(&theirs, begins));
                text.replacen(begins, &format!("{own}{begins}"), 1)
            })
        })
    }

    fn by_its_own_names(&self, block: String) -> String {
        let name = self.setup.name;
        assert!(block.starts_with(CLUSTER) || block.contains("vm_id: nexus "), "a listener without a `vm_id`");
        let names = [
            (LISTENER, format!("  - name: {name}\n")),
            (CLUSTER, format!("  - name: {name}\n")),
            ("vm_id: nexus ", format!("vm_id: {name} ")),
            ("cluster_name: provider\n", format!("cluster_name: {name}\n")),
            ("{cluster: provider", format!("{{cluster: {name}")),
            (r#""cluster":"provider""#, format!(r#""cluster":"{name}""#)),
        ];
        names.iter().fold(block, |block, (shipped, own)| block.replace(shipped, own))
    }

    fn substituted(&self) -> String {
        let shipped = top().join("envoy/envoy.yaml");
        let shipped = fs::read_to_string(shipped).unwrap();
        let provider_port = format!("port_value: {}", self.upstream.port());
        let wasm = format!("filename: {}", self.setup.wasm.clone().unwrap_or_else(wasm).display());
        let marks = [
            ("ADMIN_PORT", "port_value: 9901", format!("port_value: {}", self.admin), 2),
            ("GATEWAY_PORT", "port_value: 10000", "port_value: 0".to_owned(), 1),
            ("PROBE_PORT", "port_value: 10010", "port_value: 0".to_owned(), 1),
            ("PROVIDER_PORT", "port_value: 18080", provider_port, 1),
            ("WASM", "filename: target/nexus_ai_gateway.wasm", wasm, 1),
            ("ACCESS_LOG", "path: /dev/stdout", format!("path: {}", self.access_log.display()), 2),
        ];
        let mut text: String = shipped.lines().fold(String::new(), |text, line| {
            let mark = marks.iter().find(|(mark, ..)| line.ends_with(&format!("#= {mark}")));
            let line = mark.map_or_else(|| line.to_owned(), |(_, old, new, _)| line.replace(old, new));
            text + &line + "\n"
        });
        for (mark, old, new, times) in &marks {
            assert_eq!(text.matches(new.as_str()).count().min(*times), *times, "{mark}: `{old}` in envoy.yaml");
        }
        let mut swap = |old: &str, new: &str| {
            assert!(text.contains(old), "envoy.yaml has no `{old}`");
            text = text.replace(old, new);
        };
        if self.setup.timeout != "900s" {
            swap(
                "route: {cluster: provider, timeout: 900s,",
                &format!("route: {{cluster: provider, timeout: {},", self.setup.timeout),
            );
        }
        if self.setup.any_path {
            let route = "{match: {prefix: /}, route: {cluster: provider, timeout: 300s, auto_host_rewrite: true}}";
            swap(
                "              - name: not_found\n",
                &format!("              - {route}\n              - name: not_found\n"),
            );
        }
        for (line, before) in &self.setup.insertions {
            swap(&format!("{line}\n"), &format!("{before}{line}\n"));
        }
        for (old, new) in &self.setup.swaps {
            swap(old, new);
        }
        if !self.setup.breaker {
            swap("consecutive_5xx: 5,", "consecutive_5xx: 1000000,");
        }
        // The plugin's own configuration is the block under `value:`.
        let (before, rest) = text.split_once("                  value:\n").expect("the plugin's configuration");
        let after = rest.split_inclusive('\n').skip_while(|line| line.starts_with("                    "));
        let after: String = after.collect();
        if self.setup.policy.is_null() {
            return text;
        }
        format!("{before}                  value: {}\n{after}", self.setup.policy)
    }
}

/// An entry of a list, from its first line to the next entry's or a comment before that.
fn block(text: &str, begins: &str) -> String {
    let (_, rest) = text.split_once(begins).unwrap_or_else(|| panic!("envoy.yaml has no `{begins}`"));
    let lines = rest.split_inclusive('\n').take_while(|line| line.trim().is_empty() || line.starts_with("    "));
    begins.to_owned() + &lines.collect::<String>()
}
