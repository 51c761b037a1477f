//! The service or Redis is killed, or slow, under load: who passes meanwhile, that nobody waits, and what is counted afterwards.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use serde_json::{Value, json};
use simulated_provider::Provider;

use super::{Cluster, kill};
use crate::budgets::away_from_midnight;
use crate::client::{Connection, PATIENCE, chat, eventually};
use crate::envoy::Gateway;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Outage {
    RedisKilled,
    ServiceKilled,
    BothSlow,
    /// Of which the service's own health says nothing.
    RedisSlow,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Away {
    Local,
    Allow,
    Deny,
}

/// Of windows and of budgets. Who is denied for the first isn't asked for the second.
type Modes = [Away; 2];
const LOCAL: Modes = [Away::Local, Away::Local];
const ALLOW: Modes = [Away::Allow, Away::Allow];
const DENY: Modes = [Away::Deny, Away::Allow];
const DENY_MONEY: Modes = [Away::Allow, Away::Deny];

const CALLERS: usize = 4;
const WINDOW: usize = 20;
const BUDGET: u64 = 100_000;
/// No request here reserves more.
const DEAREST: u64 = 20_000;

/// One request under load.
struct Asked {
    began: Instant,
    ended: Instant,
    status: u16,
    id: String,
}

async fn load(gateway: std::net::SocketAddr, caller: usize, over: Arc<AtomicBool>) -> Vec<Asked> {
    let mut connection = Connection::open(gateway).await;
    let mut all = Vec::new();
    while !over.load(Ordering::Relaxed) {
        let nth = all.len() * 3 + caller;
        let asked = chat("steady").sim(&format!("tokens={}", 1 + nth % 13));
        let asked = if nth.is_multiple_of(4) { asked.stream() } else { asked };
        let began = Instant::now();
        let answer = connection.ask(asked.request()).await;
        let (ended, status, id) = (Instant::now(), answer.status, answer.request_id().to_owned());
        if status != 200 {
            assert_eq!((status, answer.code().as_str()), (500, "internal_error"));
        }
        all.push(Asked { began, ended, status, id });
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
    all
}

/// How many pass, one after another, until the limit refuses.
async fn passed(gateway: &Gateway, tenant: &str, refusal: (u16, &str)) -> usize {
    let mut connection = Connection::open(gateway.addr).await;
    for nth in 0..2 * WINDOW {
        let answer = connection.ask(chat(tenant).sim("tokens=1").request()).await;
        if answer.status != 200 {
            assert_eq!((answer.status, answer.code().as_str()), refusal, "{tenant}, after {nth}");
            return nth;
        }
    }
    panic!("{tenant} has no limit");
}

fn cost(record: &Value) -> u64 {
    record["cost_nanousd"].as_u64().unwrap()
}

fn spent(gateway: &Gateway, tenant: &str) -> u64 {
    gateway.records_of(tenant).iter().map(cost).sum()
}

impl Outage {
    async fn begin(self, cluster: &mut Cluster) {
        self.slow(cluster, Duration::from_secs(2));
        match self {
            Self::RedisKilled => kill(&mut cluster.redis.running),
            Self::ServiceKilled => kill(&mut cluster.service.running),
            Self::BothSlow | Self::RedisSlow => {}
        }
    }

    async fn end(self, cluster: &mut Cluster) {
        self.slow(cluster, Duration::ZERO);
        match self {
            Self::RedisKilled => cluster.redis.start().await,
            Self::ServiceKilled => cluster.service.start().await,
            Self::BothSlow | Self::RedisSlow => {}
        }
    }

    fn is_slow(self) -> bool {
        matches!(self, Self::BothSlow | Self::RedisSlow)
    }

    fn slow(self, cluster: &Cluster, delay: Duration) {
        if let Some([redis, service]) = cluster.lanes.as_ref().filter(|_| self.is_slow()) {
            redis.delay(delay);
            if self == Self::BothSlow {
                service.delay(delay);
            }
        }
    }

    async fn cluster(self, modes: Modes) -> Option<Cluster> {
        let tenants = json!({
            "steady": {"budgets": {"day_usd": "1"}, "unlimited": ["request_usd"]},
            "burst": {"limits": {"requests_per_minute": WINDOW}, "unlimited": ["request_usd", "day_usd"]},
            "purse": {"budgets": {"day_usd": "0.0001"}, "unlimited": ["request_usd"]},
        });
        let [requests, budgets] = modes.map(|mode| if mode == Away::Local { "local" } else { "allow" });
        let shared = json!({"count": 2, "cluster": "ratelimit", "requests_without_service": requests, "budgets_without_service": budgets});
        let denied = [
            ("failure_mode_deny: &deny_requests false", "failure_mode_deny: &deny_requests true"),
            ("failure_mode_deny: &deny_budgets false", "failure_mode_deny: &deny_budgets true"),
        ];
        let swaps: Vec<_> =
            denied.into_iter().zip(modes).filter(|(_, mode)| *mode == Away::Deny).map(|it| it.0).collect();
        let names =
            [1, 2].map(|nth| &*format!("cluster-{self:?}-{modes:?}-{nth}").replace([' ', '[', ']', ','], "").leak());
        Cluster::start_with(names, tenants, shared, &swaps, self.is_slow()).await
    }

    async fn happens(self, modes: Modes, length: Duration) {
        away_from_midnight().await;
        let Some(mut cluster) = self.cluster(modes).await else { return };
        let over = Arc::new(AtomicBool::new(false));
        let callers = cluster.gateways.iter().flat_map(|gateway| (0..CALLERS).map(|caller| (gateway.addr, caller)));
        let callers = callers.map(|(addr, caller)| tokio::spawn(load(addr, caller, Arc::clone(&over))));
        let callers: Vec<_> = callers.collect();
        let answered = |provider: &Provider| provider.ledger().requests.len();
        eventually("load", async || answered(&cluster.provider), |count| *count > 2 * CALLERS).await;

        self.begin(&mut cluster).await;
        let gone = Instant::now();
        cluster.wait_until_away(1).await;
        let known = Instant::now();
        self.limits_hold(&cluster, modes).await;
        eventually("the end of the outage", async || gone.elapsed(), |gone| *gone >= length).await;
        let ends = Instant::now();
        self.end(&mut cluster).await;
        cluster.wait_until_away(0).await;
        let back = Instant::now();
        let before = answered(&cluster.provider);
        eventually("load", async || answered(&cluster.provider), |count| *count > before + 2 * CALLERS).await;
        over.store(true, Ordering::Relaxed);
        let mut asked = Vec::new();
        for caller in callers {
            asked.extend(caller.await.expect("a caller"));
        }

        let slowest = asked.iter().map(|asked| asked.ended - asked.began).max().unwrap();
        // Nobody waits for it to be over: each caller had answers meanwhile.
        let meanwhile = asked.iter().filter(|asked| asked.began > gone && asked.ended < ends).count();
        assert!(meanwhile > 2 * CALLERS, "{meanwhile} answers in {:?}", ends - gone);
        let denies = modes.contains(&Away::Deny);
        for Asked { began, ended, status, .. } in &asked {
            // What was under way when it began or ended may be either.
            if !denies || (*began > gone && *ended < ends) {
                assert_eq!(*status == 200, !denies, "{:?} after it began", began.duration_since(gone));
            }
        }
        assert!(asked.iter().any(|asked| asked.began > back && asked.status == 200), "nobody passes when it is over");
        // Where answers are late, so may be that to the call which tells what was spent meanwhile.
        let unknown = if self.is_slow() { back } else { known };
        let (lost, charged) = self.counters_agree(&cluster, &asked, gone..unknown).await;
        println!(
            "{self:?} for {length:?}, {modes:?}: {} asked, slowest {slowest:?}, known after {:?}, back after {:?}, \
             {lost} of {charged} nano-USD not told",
            asked.len(),
            known - gone,
            back - ends,
        );
    }

    /// Of tenants that nobody has seen before.
    async fn limits_hold(self, cluster: &Cluster, modes: Modes) {
        let [requests, budgets] = modes;
        let denied = (500, "internal_error");
        for gateway in &cluster.gateways {
            let refusal = if requests == Away::Deny { denied } else { (429, "rate_limited") };
            let burst = passed(gateway, "burst", refusal).await;
            let refusal = if modes.contains(&Away::Deny) { denied } else { (402, "daily_budget_exceeded") };
            passed(gateway, "purse", refusal).await;
            gateway.written().await;
            let purse = spent(gateway, "purse");
            // Between two looks at whether Redis is fast again, each Envoy has the whole.
            let part = |mode, limit| match mode {
                Away::Deny => [0, 0],
                Away::Local if self == Self::RedisSlow => [limit / 2, limit],
                Away::Local => [limit / 2; 2],
                Away::Allow => [limit; 2],
            };
            let [least, most] = part(requests, WINDOW as u64);
            assert!((least..=most).contains(&(burst as u64)), "{burst} of {WINDOW} passed");
            let [least, most] = part(if requests == Away::Deny { requests } else { budgets }, BUDGET);
            assert!((least.saturating_sub(DEAREST)..=most).contains(&purse), "{purse} of {BUDGET} nano-USD");
        }
    }

    /// Nothing is charged twice, by anybody. What the service was not told, and all that was charged.
    async fn counters_agree(self, cluster: &Cluster, asked: &[Asked], unknown: std::ops::Range<Instant>) -> (u64, u64) {
        let tenants = ["steady", "burst", "purse"];
        let records = || cluster.gateways.iter().flat_map(Gateway::records).collect::<Vec<_>>();
        let of_steady = |records: &[Value]| records.iter().filter(|record| record["tenant"] == "steady").count();
        eventually("a record each", async || of_steady(&records()), |count| *count >= asked.len()).await;
        for gateway in &cluster.gateways {
            gateway.written().await;
        }
        let records = records();
        assert_eq!(of_steady(&records), asked.len());
        let billed = cluster.provider.settled_ledger(PATIENCE).sum().cost_nanousd;
        assert_eq!(records.iter().map(cost).sum::<u64>(), billed, "the records are the bill");
        for gateway in &cluster.gateways {
            for tenant in tenants.into_iter().filter(|tenant| spent(gateway, tenant) > 0) {
                gateway.settled_among_others(tenant, spent(gateway, tenant)).await;
            }
        }

        let charged: u64 = cluster.gateways.iter().map(|gateway| spent(gateway, "steady")).sum();
        let counted = cluster.redis.count("day_usd", "steady");
        assert!(counted <= charged, "{counted} nano-USD in Redis, {charged} charged");
        let cost_of = |id: &str| records.iter().find(|record| record["request_id"] == id).map_or(0, cost);
        let in_doubt = asked.iter().filter(|asked| unknown.contains(&asked.ended)).map(|asked| cost_of(&asked.id));
        // An answer of just before may be on its way to the service.
        let in_doubt = in_doubt.sum::<u64>() + 2 * CALLERS as u64 * DEAREST;
        let lost = charged - counted;
        assert!(lost <= in_doubt, "{lost} of {charged} nano-USD are not told, {in_doubt} may be");
        let places = cluster.redis.count("requests_per_hour", "steady");
        assert!(places <= asked.len() as u64, "{places} places for {} requests", asked.len());
        (lost, charged)
    }
}

/// Here it lasts as long as it takes to be known, and a little.
const SHORT: Duration = Duration::from_secs(5);

#[tokio::test(flavor = "multi_thread")]
async fn redis_is_killed() {
    Outage::RedisKilled.happens(LOCAL, SHORT).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_service_is_killed() {
    Outage::ServiceKilled.happens(DENY_MONEY, SHORT).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn both_are_slow() {
    Outage::BothSlow.happens(LOCAL, SHORT).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn redis_alone_is_slow() {
    Outage::RedisSlow.happens(DENY, SHORT).await;
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "some minutes: make cluster-outages"]
async fn twenty_seconds_of_each_in_every_mode() {
    const LONG: Duration = Duration::from_secs(20);
    for modes in [LOCAL, ALLOW, DENY, DENY_MONEY] {
        for outage in [Outage::RedisKilled, Outage::ServiceKilled, Outage::BothSlow, Outage::RedisSlow] {
            outage.happens(modes, LONG).await;
        }
    }
}
