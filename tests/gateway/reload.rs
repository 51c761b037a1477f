//! Changes while it serves: the listener comes from a file, and the books outlive every change of it.

use std::path::Path;

use http_body_util::{BodyExt, Full};
use hyper::body::{Bytes, Frame};
use serde_json::{Value, json};

use crate::client::{Connection, Frames, PATIENCE, ask_h2, chat, eventually};
use crate::envoy::{Gateway, Setup, policy, wasm};

async fn updates(gateway: &Gateway) -> (u64, u64) {
    let stat = async |name: &str| gateway.plain_stat(&format!("listener_manager.lds.{name}")).await;
    (stat("update_success").await, stat("update_rejected").await)
}

/// Writes the new policy and waits until Envoy has taken it, or has refused it.
async fn update(gateway: &mut Gateway, policy: Value, accepted: bool) {
    change(gateway, policy, accepted, Gateway::update).await;
}

/// Each change brings a tenant of its own, which tells the workers that have it from those that don't yet.
async fn change(gateway: &mut Gateway, mut policy: Value, accepted: bool, write: impl FnOnce(&mut Gateway, Value)) {
    let before = updates(gateway).await;
    let probe = format!("probe-{}-{}", before.0, before.1);
    policy["tenants"][&probe] = json!({});
    write(gateway, policy);
    let look = async || updates(gateway).await;
    eventually("an update", look, |now| now.0 + now.1 > before.0 + before.1).await;
    let expected = (before.0 + u64::from(accepted), before.1 + u64::from(!accepted));
    assert_eq!(updates(gateway).await, expected, "accepted: {accepted}; {}", gateway.complaints());
    let known = async || {
        for _ in 0..16 {
            if gateway.ask(chat(&probe).without("model").request()).await.status == 403 {
                return false;
            }
        }
        true
    };
    if accepted {
        eventually("the update on both workers", known, |known| *known).await;
    }
}

/// By the hour, so that no machine is too slow for its window.
fn limited(per_hour: u64) -> Value {
    policy(json!({"acme": {"limits": {"requests_per_hour": per_hour}}}))
}

/// Asks so many times, on connections of their own, so that both workers are met; those that passed.
async fn passing(gateway: &Gateway, count: usize) -> usize {
    let mut passed = 0;
    for _ in 0..count {
        let answer = gateway.ask(chat("acme").request()).await;
        match answer.status {
            200 => passed += 1,
            _ => assert_eq!((answer.status, answer.code().as_str()), (429, "rate_limited")),
        }
    }
    passed
}

#[tokio::test(flavor = "multi_thread")]
async fn changed_limits_keep_the_counts() {
    let setup = Setup { dynamic: true, ..Setup::new("reload", limited(20)) };
    let mut gateway = Gateway::start(setup).await;
    assert_eq!(passing(&gateway, 6).await, 6);
    let spent = gateway.provider().settled_ledger(PATIENCE).sum().cost_nanousd;
    gateway.settled("acme", spent).await;

    update(&mut gateway, limited(10), true).await;
    assert_eq!(passing(&gateway, 8).await, 4, "10 an hour, of which 6 were used before the change");
    update(&mut gateway, limited(5), true).await;
    assert_eq!(passing(&gateway, 3).await, 0);
    update(&mut gateway, limited(12), true).await;
    assert_eq!(passing(&gateway, 5).await, 2);

    // Money too: what was spent before the changes is spent.
    let mut dear = limited(100);
    dear["tenants"]["acme"] = json!({"budgets": {"day_usd": "0.000001"}});
    update(&mut gateway, dear, true).await;
    let refused = gateway.ask(chat("acme").request()).await;
    assert_eq!((refused.status, refused.code().as_str()), (402, "daily_budget_exceeded"));
    let billed = gateway.provider().settled_ledger(PATIENCE).sum();
    assert_eq!((billed.requests, billed.cost_nanousd), (12, 2 * spent), "12 requests, half of them before the changes");
    gateway.settled("acme", billed.cost_nanousd).await;
}

/// An exchange that is under way when the configuration changes is settled in the same books.
#[tokio::test(flavor = "multi_thread")]
async fn an_exchange_outlives_a_change() {
    let setup = Setup { dynamic: true, ..Setup::new("reload-open", limited(20)) };
    let mut gateway = Gateway::start(setup).await;
    let mut connection = Connection::open(gateway.addr).await;
    let asked = chat("acme").stream().sim("tokens=4; hold_after=2");
    let answer = connection.send(asked.request()).await.expect("an answer");
    update(&mut gateway, limited(10), true).await;
    gateway.provider().let_go();
    let answer = crate::client::whole(answer).await;
    assert!(!answer.broken && answer.text().ends_with("data: [DONE]\n\n"), "{answer:?}");
    let record = gateway.wait_records_of("acme", 1).await.remove(0);
    assert_eq!((&record["outcome"], &record["usage_source"]), (&json!("success"), &json!("reported")));
    gateway.settled("acme", record["cost_nanousd"].as_u64().expect("a cost")).await;
    assert_eq!(passing(&gateway, 12).await, 9);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_wrong_configuration_is_refused_by_name_and_the_old_one_serves() {
    let setup = Setup { dynamic: true, ..Setup::new("reload-wrong", limited(8)) };
    let mut gateway = Gateway::start(setup).await;
    assert_eq!(passing(&gateway, 3).await, 3);
    let wrong = |change: fn(&mut Value)| {
        let mut policy = limited(1_000);
        change(&mut policy);
        policy
    };
    let cases = [
        (
            "tenants.acme.limits",
            "requests_per_minit",
            wrong(|policy| {
                policy["tenants"]["acme"]["limits"] = json!({"requests_per_minit": 5});
            }),
        ),
        ("tenants.acme.tier", "golden", wrong(|policy| policy["tenants"]["acme"]["tier"] = json!("golden"))),
        (
            "tenants.acme.budgets.day_usd",
            "quoted decimal",
            wrong(|policy| {
                policy["tenants"]["acme"]["budgets"] = json!({"day_usd": 5});
            }),
        ),
        (
            "limits.requests_per_minute",
            "at least 1",
            wrong(|policy| {
                policy["limits"]["requests_per_minute"] = json!(0);
            }),
        ),
        ("tenant_headers", "tenant_header", wrong(|policy| policy["tenant_headers"] = json!("x-team"))),
        ("prices", "prices", wrong(|policy| policy["prices"] = json!([]))),
    ];
    for (nth, (place, word, policy)) in cases.into_iter().enumerate() {
        let seen = gateway.log().len();
        update(&mut gateway, policy, false).await;
        // The log takes the way through func-e, and may come after the counter.
        let refusal = async || {
            let log = gateway.log();
            let said = log.get(seen..).unwrap().lines().find(|line| line.contains("configuration is refused"));
            said.map(str::to_owned)
        };
        let said = eventually(&format!("a message about {place}"), refusal, Option::is_some).await.unwrap();
        assert!(said.contains(place) && said.contains(word), "{place}, {word}: {said}");
        let passed = passing(&gateway, 1).await;
        assert_eq!(passed, usize::from(nth < 5), "the old limit of 8 goes on, and so do its counts");
    }
    update(&mut gateway, limited(10), true).await;
    assert_eq!(passing(&gateway, 4).await, 2);
}

/// Other code under the same `vm_id`: the new VM finds the books that the old one kept.
#[tokio::test(flavor = "multi_thread")]
async fn new_code_finds_the_old_books() {
    let setup = Setup { dynamic: true, ..Setup::new("reload-code", limited(10)) };
    let mut gateway = Gateway::start(setup).await;
    assert_eq!(passing(&gateway, 6).await, 6);
    let mut code = std::fs::read(wasm()).unwrap();
    code.extend([0, 6, 4]);
    code.extend(b"next\x01");
    let path = Path::new(env!("CARGO_TARGET_TMPDIR")).join("reload-code/next.wasm");
    std::fs::write(&path, code).unwrap();
    let write = |gateway: &mut Gateway, policy| {
        gateway.use_code(path);
        gateway.update(policy);
    };
    change(&mut gateway, limited(10), true, write).await;
    assert_eq!(passing(&gateway, 8).await, 4);
}

/// The shipped code with one instruction more: `unreachable`, at the beginning of what request trailers call.
fn trapping(code: &[u8]) -> Vec<u8> {
    let mut reader = Reader { code, at: 8 };
    let (mut imported, mut function, mut patched) = (0, None, code[..8].to_vec());
    while reader.at < code.len() {
        let id = code[reader.at];
        reader.at += 1;
        let size = reader.number();
        let (begin, end) = (reader.at, reader.at + size);
        let mut section = code[begin..end].to_vec();
        match id {
            2 => {
                for _ in 0..reader.number() {
                    let (_, _) = (reader.name(), reader.name());
                    assert_eq!(code[reader.at], 0, "only functions are imported");
                    reader.at += 1;
                    reader.number();
                    imported += 1;
                }
            }
            7 => {
                for _ in 0..reader.number() {
                    let name = reader.name();
                    let kind = code[reader.at];
                    reader.at += 1;
                    let index = reader.number();
                    if (name, kind) == (&b"proxy_on_request_trailers"[..], 0) {
                        function = Some(index - imported);
                    }
                }
            }
            10 => {
                section = leb(reader.number());
                let mut nth = 0;
                while reader.at < end {
                    let size = reader.number();
                    let (begin, end) = (reader.at, reader.at + size);
                    for _ in 0..reader.number() {
                        reader.number();
                        reader.at += 1;
                    }
                    let mut body = code[begin..end].to_vec();
                    if Some(nth) == function {
                        body.insert(reader.at - begin, 0);
                    }
                    section.extend(leb(body.len()));
                    section.extend(body);
                    reader.at = end;
                    nth += 1;
                }
            }
            _ => {}
        }
        patched.push(id);
        patched.extend(leb(section.len()));
        patched.extend(section);
        reader.at = end;
    }
    assert!(patched.len() > code.len(), "an instruction was put in");
    patched
}

struct Reader<'a> {
    code: &'a [u8],
    at: usize,
}

impl<'a> Reader<'a> {
    fn number(&mut self) -> usize {
        let (mut value, mut shift) = (0, 0);
        loop {
            let byte = self.code[self.at];
            self.at += 1;
            value |= usize::from(byte & 0x7f) << shift;
            shift += 7;
            if byte & 0x80 == 0 {
                return value;
            }
        }
    }

    fn name(&mut self) -> &'a [u8] {
        let size = self.number();
        self.at += size;
        &self.code[self.at - size..self.at]
    }
}

fn leb(mut value: usize) -> Vec<u8> {
    let mut bytes = Vec::new();
    while value >= 0x80 {
        bytes.push((value & 0x7f) as u8 | 0x80);
        value >>= 7;
    }
    bytes.push(value as u8);
    bytes
}

/// A crash ends a worker's VM. Envoy gives it another, which finds the counts and the money where they were.
#[tokio::test(flavor = "multi_thread")]
async fn a_killed_vm_comes_back_with_its_books() {
    let dir = Path::new(env!("CARGO_TARGET_TMPDIR"));
    let path = dir.join("trapping.wasm");
    std::fs::write(&path, trapping(&std::fs::read(wasm()).unwrap())).unwrap();
    let setup = Setup { wasm: Some(path), ..Setup::new("reload-killed", limited(10)) };
    let gateway = Gateway::start(setup).await;
    assert_eq!(passing(&gateway, 6).await, 6);
    gateway.settled("acme", gateway.provider().settled_ledger(PATIENCE).sum().cost_nanousd).await;

    let reloads = async || gateway.plain_stat("wasm.nexus_ai_gateway.vm_reload_success").await;
    assert_eq!((reloads().await, gateway.dead_vms().await), (0, 0));
    let asked = chat("acme");
    let trailer = [("x-checksum".parse().unwrap(), "1".parse().unwrap())].into_iter().collect();
    let body = Frames::ending([Frame::data(Bytes::from(asked.body())), Frame::trailers(trailer)]);
    let crashed = ask_h2(gateway.addr, asked.request_h2(body)).await;
    assert_eq!((crashed.status, crashed.code().as_str()), (500, "internal_error"), "{crashed:?}");

    // Until its time has come, the worker answers by itself; then all is as before. A worker asks for its new VM when a
    // request reaches it, so requests go on until one has: which worker gets a connection is the kernel's choice.
    let alive = async || {
        for _ in 0..8 {
            let probe = chat("nobody");
            let answer = ask_h2(gateway.addr, probe.request_h2(Full::from(probe.body()).boxed())).await;
            if answer.status != 403 {
                assert_eq!((answer.status, answer.code().as_str()), (500, "internal_error"), "{answer:?}");
                return false;
            }
        }
        reloads().await >= 1
    };
    eventually("a VM on each worker", alive, |alive| *alive).await;
    assert_eq!(passing(&gateway, 8).await, 4, "10 an hour, of which 6 were used before the crash");
    let billed = gateway.provider().settled_ledger(PATIENCE).sum();
    assert_eq!(billed.requests, 10);
    gateway.settled("acme", billed.cost_nanousd).await;
}
