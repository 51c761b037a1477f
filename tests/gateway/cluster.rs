//! Two Envoys that share limits and budgets by envoyproxy/ratelimit and Redis, both real, with what envoy/ratelimit adds to the
//! shipped configuration. What the two admit together is counted by the provider behind them.

mod lane;
mod outages;

use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::process::{Child, Command};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use serde_json::{Value, json};
use simulated_provider::Provider;
use tokio::sync::{Mutex, MutexGuard, OnceCell};

use lane::Lane;

use crate::budgets::away_from_midnight;
use crate::client::{Chat, Connection, PATIENCE, chat, eventually};
use crate::envoy::{Gateway, Setup, free_ports, killed, leashed, policy, started};
use crate::top;

/// On each of the two.
const CALLERS: usize = 64;
const TRIES: usize = 4;

/// The cluster of the tests that want nothing but tenants of their own. They take turns, so that the ledger and what is open are a
/// test's own.
async fn in_turn() -> Option<MutexGuard<'static, Cluster>> {
    static CLUSTER: OnceCell<Option<Mutex<Cluster>>> = OnceCell::const_new();
    let start = async || {
        let mut tenants =
            for_each_try(&[("crowd", crowd()), ("talker", talker()), ("monthly", monthly()), ("dear", dear())]);
        tenants["spender"] = spender();
        Some(Mutex::new(Cluster::start(["cluster-1", "cluster-2"], tenants, shared(100)).await?))
    };
    let cluster = CLUSTER.get_or_init(start).await.as_ref()?.lock().await;
    cluster.provider.clear();
    Some(cluster)
}

/// The service with its Redis, and two Envoys in front of one provider.
struct Cluster {
    gateways: [Gateway; 2],
    provider: Provider,
    redis: Redis,
    service: Service,
    /// From the service to Redis and from Envoy to the service, if they may be slow.
    lanes: Option<[Lane; 2]>,
}

/// It can be killed and started anew, on the same port and with the counts that it had.
struct Redis {
    port: u16,
    dir: PathBuf,
    programs: PathBuf,
    libraries: PathBuf,
    running: Option<Child>,
}

/// This, too.
struct Service {
    program: PathBuf,
    dir: PathBuf,
    grpc: u16,
    redis: u16,
    running: Option<Child>,
}

fn kill(running: &mut Option<Child>) {
    killed(running.take().expect("it runs"));
}

impl Service {
    async fn start(&mut self) {
        let log = File::create(self.dir.join("ratelimit.log")).unwrap();
        let [health, debug] = free_ports();
        let ports = [("GRPC_PORT", self.grpc), ("PORT", health), ("DEBUG_PORT", debug)];
        let service = leashed(&self.program)
            .envs(ports.map(|(name, port)| (name, port.to_string())))
            .envs(SERVICE)
            .env("REDIS_URL", format!("127.0.0.1:{}", self.redis))
            .env("RUNTIME_ROOT", &self.dir)
            .env("RUNTIME_SUBDIRECTORY", "")
            .stdout(log.try_clone().unwrap())
            .stderr(log)
            .spawn()
            .unwrap();
        self.running = Some(service);
        let listening = || std::net::TcpStream::connect(("127.0.0.1", self.grpc)).ok();
        started(&self.dir.join("ratelimit.log"), "the rate limit service", listening).await;
    }
}

impl Redis {
    /// `None` where Debian's can't be had.
    fn installed(dir: &Path) -> Option<Self> {
        let debian = PathBuf::from(std::env::var_os("DEBIAN")?);
        let programs = debian.join("usr/bin");
        if !programs.join("redis-server").exists() {
            return None;
        }
        let libraries = fs::read_dir(debian.join("usr/lib")).unwrap().filter_map(|entry| Some(entry.ok()?.path()));
        let libraries = libraries.into_iter().find(|path| path.display().to_string().ends_with("-linux-gnu"))?;
        let [port] = free_ports();
        Some(Self { port, dir: dir.to_owned(), programs, libraries, running: None })
    }

    async fn start(&mut self) {
        let log = File::create(self.dir.join("redis.log")).unwrap();
        let redis = leashed(self.programs.join("redis-server"))
            .args([
                "--port",
                &self.port.to_string(),
                "--bind",
                "127.0.0.1",
                "--save",
                "",
                "--appendonly",
                "yes",
                "--dir",
            ])
            .arg(&self.dir)
            .env("LD_LIBRARY_PATH", &self.libraries)
            .stdout(log)
            .spawn()
            .unwrap();
        self.running = Some(redis);
        let answers = || self.ask(&["ping"]).contains("PONG").then_some(());
        started(&self.dir.join("redis.log"), "Redis", answers).await;
    }

    fn ask(&self, words: &[&str]) -> String {
        let client = Command::new(self.programs.join("redis-cli"))
            .args(["-p", &self.port.to_string()])
            .args(words)
            .env("LD_LIBRARY_PATH", &self.libraries)
            .output();
        String::from_utf8(client.unwrap().stdout).unwrap()
    }

    /// The sum of all counters of this limit and tenant.
    fn count(&self, limit: &str, tenant: &str) -> u64 {
        let keys = self.ask(&["--scan", "--pattern", &format!("nexus_limit_{limit}_tier_*_tenant_{tenant}_*")]);
        keys.lines().map(|key| self.ask(&["get", key]).trim().parse::<u64>().unwrap()).sum()
    }
}

/// A folder for the service, its program, and Redis; `None`, said aloud, where they can't be had.
fn installed(name: &str) -> Option<(PathBuf, PathBuf, Redis)> {
    let dir = Path::new(env!("CARGO_TARGET_TMPDIR")).join(format!("{name}-ratelimit"));
    let _ = fs::remove_dir_all(&dir);
    fs::create_dir_all(dir.join("config")).unwrap();
    let program = std::env::var_os("RATELIMIT").map(PathBuf::from).filter(|program| program.exists());
    let (Some(program), Some(redis)) = (program, Redis::installed(&dir)) else {
        println!("SKIPPED: envoyproxy/ratelimit or Debian's redis-server is not there");
        return None;
    };
    Some((dir, program, redis))
}

/// The service, from a configuration of the gateway.
fn configure(dir: &Path, gateway: &Path) {
    let check = std::env::var_os("CHECK").expect("CHECK: run `make e2e`");
    let written = Command::new(check).arg("--ratelimit").arg(gateway).output().unwrap();
    assert!(written.status.success(), "{}", String::from_utf8_lossy(&written.stderr));
    fs::write(dir.join("config/nexus.yaml"), written.stdout).unwrap();
}

impl Cluster {
    /// One whose counts are exact, as they are while no call of the service fails: on a busy machine some take longer than
    /// is shipped.
    async fn start(name: [&'static str; 2], tenants: Value, shared: Value) -> Option<Self> {
        Self::start_with(
            name,
            tenants,
            shared,
            &[("timeout: 0.25s", "timeout: 10s"), ("timeout: 0.5s", "timeout: 10s")],
            false,
        )
        .await
    }

    async fn start_with(
        name: [&'static str; 2],
        tenants: Value,
        shared: Value,
        swaps: &[(&'static str, &'static str)],
        may_be_slow: bool,
    ) -> Option<Self> {
        let (dir, program, mut redis) = installed(name[0])?;
        redis.start().await;
        let mut policy = policy(tenants);
        policy["replicas"] = shared;
        policy["expensive"] = json!({"models": ["gpt-4"]});
        fs::write(dir.join("plugin.json"), policy.to_string()).unwrap();
        configure(&dir, &dir.join("plugin.json"));
        let [grpc] = free_ports();
        let lanes = if may_be_slow { Some([Lane::to(redis.port).await, Lane::to(grpc).await]) } else { None };
        let [to_redis, to_service] =
            lanes.as_ref().map_or([redis.port, grpc], |lanes| lanes.each_ref().map(Lane::port));
        let mut service = Service { program, dir, grpc, redis: to_redis, running: None };
        service.start().await;

        let provider = Provider::start();
        let gateway = |name| {
            let mut setup = Setup::new(name, policy.clone());
            setup.provider = Some(provider.addr);
            setup.insertions = parts(to_service);
            setup.swaps = swaps.to_vec();
            Gateway::start(setup)
        };
        let gateways = [gateway(name[0]).await, gateway(name[1]).await];
        let cluster = Self { gateways, provider, redis, service, lanes };
        cluster.wait_until_away(0).await;
        Some(cluster)
    }

    /// Both Envoys say so.
    async fn wait_until_away(&self, away: u64) {
        for gateway in &self.gateways {
            let told = async || gateway.stats().await.one("ai_gateway_shared_limits_away", &[]);
            eventually(&format!("the service is away: {away}"), told, |told| *told == Some(away)).await;
        }
        // One worker was told; the other learns it at its tick.
        for gateway in &self.gateways {
            gateway.polls(3).await;
        }
    }

    /// Each of the callers asks so many times. How many passed, and how many got this refusal.
    async fn crowd(&self, times: usize, refusal: (u16, &'static str), nth: impl Fn(usize) -> Chat) -> [usize; 2] {
        let callers = self.gateways.iter().flat_map(|gateway| (0..CALLERS).map(move |caller| (gateway.addr, caller)));
        let callers = callers.map(|(addr, caller)| {
            let requests: Vec<_> = (0..times).map(|round| nth(caller + round * 5)).collect();
            tokio::spawn(async move {
                let mut connection = Connection::open(addr).await;
                let mut counts = [0, 0];
                for asked in requests {
                    let mut answer = connection.ask(asked.request()).await;
                    // A client of a budget, as its SDK would do.
                    while refusal.0 == 402 && answer.status == 429 {
                        assert_eq!((answer.code().as_str(), answer.header("retry-after")), ("rate_limited", Some("1")));
                        tokio::time::sleep(Duration::from_millis(10)).await;
                        answer = connection.ask(asked.request()).await;
                    }
                    if answer.status == 200 {
                        counts[0] += 1;
                    } else {
                        assert_eq!((answer.status, answer.code().as_str()), refusal);
                        assert_eq!(answer.header("retry-after").is_some(), answer.status == 429);
                        let of_filters = ["x-nexus-refused-by", "x-ratelimit-limit"].map(|name| answer.header(name));
                        assert_eq!(of_filters, [None, None]);
                        counts[1] += 1;
                    }
                }
                counts
            })
        });
        let mut sum = [0, 0];
        for caller in callers.collect::<Vec<_>>() {
            let counts = caller.await.expect("a caller");
            sum = [sum[0] + counts[0], sum[1] + counts[1]];
        }
        sum
    }

    /// What Redis has counted, once it counts no more.
    async fn settled(&self, limit: &str, tenant: &str, expected: u64) -> u64 {
        eventually(
            &format!("{tenant}: {limit} is {expected} in Redis"),
            async || self.redis.count(limit, tenant),
            |count| *count >= expected,
        )
        .await;
        // Nothing is open, and no call to the service is: nothing more will be told.
        for gateway in &self.gateways {
            let open = async || {
                gateway.open_requests().await + gateway.plain_stat("cluster.ratelimit.upstream_rq_active").await
            };
            eventually("the end of all calls", open, |open| *open == 0).await;
        }
        self.redis.count(limit, tenant)
    }
}

/// As envoy/start/cluster sets them.
const SERVICE: [(&str, &str); 10] = [
    ("STOP_CACHE_KEY_INCREMENT_WHEN_OVERLIMIT", "true"),
    ("LOCAL_CACHE_SIZE_IN_BYTES", "0"),
    ("REDIS_SOCKET_TYPE", "tcp"),
    ("REDIS_HEALTH_CHECK_ACTIVE_CONNECTION", "true"),
    ("REDIS_TIMEOUT", "200ms"),
    ("USE_STATSD", "false"),
    ("RUNTIME_WATCH_ROOT", "false"),
    ("HOST", "127.0.0.1"),
    ("DEBUG_HOST", "127.0.0.1"),
    ("GRPC_HOST", "127.0.0.1"),
];

fn parts(ratelimit: u16) -> Vec<(&'static str, String)> {
    let part = |name: &str| {
        let path = top().join("envoy/ratelimit").join(name);
        fs::read_to_string(path).unwrap()
    };
    let cluster = part("cluster.yaml").replace("port_value: 8081", &format!("port_value: {ratelimit}"));
    vec![
        ("          - name: envoy.filters.http.router", part("filters.yaml")),
        ("  # envoy/start/run puts another cluster here when OPENAI_BASE_URL names a provider.", cluster),
    ]
}

/// The service's windows are the clock's: tries with one new tenant after another until this window has not ended meanwhile.
async fn in_one_window<T>(seconds: u64, mut attempt: impl AsyncFnMut(usize) -> T) -> T {
    let window = || SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_secs() / seconds;
    for nth in 0..TRIES {
        let began = window();
        let done = attempt(nth).await;
        if window() == began {
            return done;
        }
    }
    panic!("{TRIES} times, {seconds} s were not enough");
}

/// These tenants, as often as they may be needed.
fn for_each_try(tenants: &[(&str, Value)]) -> Value {
    let tries = |(name, limits): &(&str, Value)| {
        (0..TRIES).map(|nth| (format!("{name}-{nth}"), limits.clone())).collect::<Vec<_>>()
    };
    Value::Object(tenants.iter().flat_map(tries).collect())
}

fn shared(in_flight_percent: u64) -> Value {
    json!({"count": 2, "cluster": "ratelimit", "in_flight_percent": in_flight_percent})
}

const LIMIT: usize = 500;

fn crowd() -> Value {
    json!({"limits": {"requests_per_hour": LIMIT}, "unlimited": ["request_usd", "day_usd"]})
}

#[tokio::test(flavor = "multi_thread")]
async fn two_envoys_admit_together_exactly_the_limit() {
    let Some(cluster) = in_turn().await else { return };
    away_from_midnight().await;
    let ([passed, refused], tenant) = in_one_window(3_600, async |nth| {
        cluster.provider.clear();
        let tenant = format!("crowd-{nth}");
        (cluster.crowd(16, (429, "rate_limited"), |_| chat(&tenant).sim("tokens=1")).await, tenant)
    })
    .await;
    assert_eq!((passed, refused), (LIMIT, 2 * CALLERS * 16 - LIMIT));
    let sum = cluster.provider.settled_ledger(PATIENCE).sum();
    assert_eq!(sum.billed_requests, LIMIT as u64, "what reached the provider");
    // What a full hour refused has taken nothing from the longer windows, but for calls that met at the border.
    let day = cluster.redis.count("requests_per_day", &tenant);
    assert!((LIMIT as u64..LIMIT as u64 + 64).contains(&day), "{day} in the day");
}

fn spender() -> Value {
    json!({"budgets": {"day_usd": "0.001"}, "unlimited": ["request_usd"]})
}

impl Cluster {
    async fn spends_within_the_bound(&self, percent: u64) {
        const BUDGET: u64 = 1_000_000;
        away_from_midnight().await;
        let nth = |nth: usize| {
            let asked = chat("spender").sim(&format!("tokens={}", 1 + nth * 7 % 40));
            if nth.is_multiple_of(2) { asked } else { asked.stream() }
        };
        let [passed, refused] = self.crowd(12, (402, "daily_budget_exceeded"), nth).await;
        let billed = self.provider.settled_ledger(PATIENCE).sum().cost_nanousd;
        println!(
            "in_flight_percent {percent}: {passed} passed, {refused} refused, {billed} nano-USD billed of {BUDGET}"
        );
        assert!(passed > 0 && refused > 0, "{passed} passed, {refused} were refused");
        assert_eq!(self.settled("day_usd", "spender", billed).await, billed, "Redis counts what was billed");
        let bound = BUDGET + BUDGET * percent / 100;
        assert!(billed > BUDGET * 3 / 4 && billed <= bound, "{billed} nano-USD billed, at most {bound}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn two_envoys_share_a_budget_within_the_bound_and_count_it_to_the_unit() {
    let Some(cluster) = in_turn().await else { return };
    cluster.spends_within_the_bound(100).await;
    drop(cluster);
    let names = ["cluster-share-1", "cluster-share-2"];
    let Some(cluster) = Cluster::start(names, json!({"spender": spender()}), shared(10)).await else { return };
    cluster.spends_within_the_bound(10).await;
}

fn talker() -> Value {
    json!({"limits": {"tokens_per_minute": 400}, "unlimited": ["request_usd", "day_usd"]})
}

fn monthly() -> Value {
    json!({"budgets": {"month_usd": "0.0005"}, "unlimited": ["request_usd", "day_usd"]})
}

fn dear() -> Value {
    json!({"limits": {"expensive_per_minute": 1}, "unlimited": ["request_usd", "day_usd"]})
}

/// What the first Envoy has let pass, the second refuses.
#[tokio::test(flavor = "multi_thread")]
async fn tokens_months_and_expensive_requests_are_shared_too() {
    let Some(cluster) = in_turn().await else { return };
    away_from_midnight().await;
    let few = |tenant: &str| chat(tenant).field("max_completion_tokens", 20);
    for (tenant, model, sim, limit, counted, refusal) in [
        ("talker", "gpt-4o-mini", "tokens=10; usage_factor=50", "tokens_per_minute", 400, (429, "token_rate_limited")),
        (
            "monthly",
            "gpt-4o-mini",
            "tokens=10; usage_factor=100",
            "month_usd",
            500_000,
            (402, "monthly_budget_exceeded"),
        ),
        ("dear", "gpt-4", "tokens=1", "expensive_per_minute", 1, (429, "expensive_rate_limited")),
    ] {
        let [first, second] = &cluster.gateways;
        let (answer, count, tenant) = in_one_window(60, async |nth| {
            let tenant = format!("{tenant}-{nth}");
            let asked = few(&tenant).model(model).sim(sim);
            let answer = first.ask(asked.request()).await;
            assert_eq!(answer.status, 200, "{limit}: {answer:?}");
            let count = cluster.settled(limit, &tenant, counted).await;
            (second.ask(asked.request()).await, count, tenant)
        })
        .await;
        assert_eq!((answer.status, answer.code().as_str()), refusal, "{limit}: {count}");
        // Requests of the usual kind go on.
        if tenant.starts_with("dear") {
            assert_eq!(second.ask(few(&tenant).sim("tokens=1").request()).await.status, 200);
        }
    }
}

/// production.yaml as it is rendered for several Envoys: keys, and a chain whose first provider is not there.
#[tokio::test(flavor = "multi_thread")]
async fn production_shares_its_limits_too() {
    away_from_midnight().await;
    const CLIENT: &str = "0123456789abcdef-acme";
    let Some((dir, program, mut redis)) = installed("cluster-production") else { return };
    let provider = Provider::start();
    let [grpc, nobody] = free_ports();
    let environment = [
        ("OPENAI_API_KEY", "dummy-of-openai".to_owned()),
        ("OPENROUTER_API_KEY", "dummy-of-openrouter".to_owned()),
        ("OPENAI_BASE_URL", format!("http://127.0.0.1:{nobody}/v1")),
        ("OPENROUTER_BASE_URL", format!("{}/api/v1", provider.url())),
        ("CLIENT_KEYS", format!("acme={CLIENT}")),
        ("RATELIMIT_SERVICE", format!("127.0.0.1:{grpc}")),
        ("REPLICAS", "2".to_owned()),
    ];
    let limited = [("acme: {tier: premium}", "acme: {tier: premium, limits: {requests_per_day: 3}}")];
    let names = ["cluster-production-1", "cluster-production-2"];
    let gateways = [
        Gateway::production(names[0], &environment, &limited).await,
        Gateway::production(names[1], &environment, &limited).await,
    ];
    configure(&dir, &gateways[0].access_log().with_file_name("envoy.yaml"));
    redis.start().await;
    let mut service = Service { program, dir, grpc, redis: redis.port, running: None };
    service.start().await;
    for gateway in &gateways {
        let away = async || gateway.stats().await.one("ai_gateway_shared_limits_away", &[]);
        eventually("the service is there", away, |told| *told == Some(0)).await;
    }
    for gateway in &gateways {
        gateway.polls(3).await;
    }

    let asked = chat("acme").anonymous().header("authorization", &format!("Bearer {CLIENT}"));
    for _ in 0..3 {
        let answer = gateways[0].ask(asked.request()).await;
        assert_eq!((answer.status, answer.header("x-ai-provider")), (200, Some("openrouter")), "{answer:?}");
    }
    let refused = gateways[1].ask(asked.request()).await;
    assert_eq!((refused.status, refused.code().as_str()), (429, "rate_limited"));
    let billed = provider.settled_ledger(PATIENCE).sum().cost_nanousd;
    let counted = async || redis.count("day_usd", "acme");
    // Of ten dollars, in units of ten nano-dollars.
    eventually("the bill in Redis", counted, |count| *count == billed / 10).await;
}
