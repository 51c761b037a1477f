//! Usage records in a real PostgreSQL, brought there from Envoy's access log: nothing is lost, nothing comes twice, and no line
//! stops those behind it, whoever goes away in between and whatever stands in it.

mod database;
mod lines;
mod pairs;

use std::fs::{self, File};
use std::io::Write as _;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::Command;

use http_body_util::{BodyExt, Full};
use serde_json::{Value, json};

use crate::client::{PATIENCE, ask, chat, eventually, get};
use crate::envoy::{Gateway, Setup, free_tenant, policy};
use crate::opening;
use crate::prometheus::panels;

use database::Database;
pub use database::debian;

fn folder(name: &str) -> PathBuf {
    let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join(name);
    let _ = fs::remove_dir_all(&folder);
    fs::create_dir_all(&folder).unwrap();
    folder
}

fn skipped() {
    println!("SKIPPED: no PostgreSQL of Debian here");
}

/// PostgreSQL crashes and is away for a while, the shipper is killed; the sum in SQL is the ledger's.
#[tokio::test(flavor = "multi_thread")]
async fn every_record_comes_to_postgresql_once() {
    let Some(debian) = debian() else { return skipped() };
    let gateway =
        Gateway::start(Setup::new("postgres", policy(json!({"acme": free_tenant(), "o'neil": free_tenant()})))).await;
    let database = Database::start_new(&debian, "postgres");
    let (log, told) = (gateway.access_log(), folder("postgres-shipper").join("told"));
    let shipper = database.shipper(&log, &told);

    let mut asked = 0;
    let mut load = async |times: u32| {
        for nth in 0..times {
            let tenant = if nth % 3 == 0 { "o'neil" } else { "acme" };
            let chat = chat(tenant).saying("It's \"quoted\" \\ and '); drop table x; --");
            let chat = if nth % 2 == 0 { chat } else { chat.stream() };
            gateway.ask(chat.request()).await;
            gateway.ask(chat.model("no-such-model").request()).await;
            asked += 2;
        }
        asked
    };
    let all = load(40).await;
    eventually("the first rows", async || database.rows(), |rows| *rows == all).await;
    database.crash();
    load(100).await;
    let complains = async || fs::read_to_string(&told).unwrap().contains("again in");
    eventually("a shipper that waits", complains, |complains| *complains).await;
    shipper.kill();
    load(20).await;
    database.start();
    let _shipper = database.shipper(&log, &told);
    load(20).await;
    gateway.written().await;

    // The last line is the last to come: what is there with it is all that comes.
    let all = load(1).await;
    eventually("all rows", async || database.rows(), |rows| *rows >= all).await;
    assert_eq!((database.rows(), database.unread()), (all, 0), "nothing twice");
    let billed = gateway.provider().settled_ledger(PATIENCE).sum();
    assert_eq!(database.figure("select sum(cost_nanousd) from ai_gateway.exchanges"), billed.cost_nanousd);
    let of = |tenant: &str| format!("select sum(cost_nanousd) from ai_gateway.invoices where tenant = '{tenant}'");
    assert_eq!(database.figure(&of("acme")) + database.figure(&of("o''neil")), billed.cost_nanousd);
    // The finance dashboard tells the same.
    let panels: Vec<_> = panels("postgresql").into_iter().filter(|panel| panel["board"] == "finance").collect();
    assert_eq!(panels.len(), 2);
    for panel in panels {
        let sum = format!(r#"select round(sum("Cost") * 1e9) from ({}) as shown"#, panel["query"].as_str().unwrap());
        assert_eq!(database.figure(&sum), billed.cost_nanousd, "{}", panel["panel"]);
    }
    let outcomes = database.ask("ai_gateway", "select distinct outcome from ai_gateway.exchanges order by 1");
    assert_eq!(outcomes, "model_unpriced\nsuccess");
    // An Envoy that comes next learns the same of both.
    let date = gateway.records()[0]["time"].as_str().unwrap().split('T').next().unwrap().to_owned();
    assert_eq!(database.opening(&date), opening::written(&gateway, &date));
    months(&database, &fs::read_to_string(&log).unwrap());
}

/// Each month is a partition, made by its first line whoever brings it, and dropped as a whole.
fn months(database: &Database, log: &str) {
    let record = log.lines().find(|line| line.starts_with(r#"{"v":1,"#)).unwrap().replace('\'', "''");
    let (before, rest) = record.split_once(r#""time":""#).unwrap();
    let (_, after) = rest.split_once('"').unwrap();
    let line = |time: &str| format!(r#"select ai_gateway.record('{before}"time":"{time}"{after}')"#);
    // Months are those of UTC, wherever the shipper is; a shipper needs no right to the table.
    let times = ["2024-12-31T23:59:59.999Z", "2025-01-01T00:00:00.000Z", "2025-01-01T00:00:00.000Z"];
    let lines = times.map(|time| format!("set timezone = 'Asia/Tokyo'; {}", line(time))).join("; ");
    database.ask("ai_gateway", &format!("set role shipper; {lines}"));
    let of = |month: &str| database.figure(&format!("select count(*) from ai_gateway.exchanges_{month}"));
    assert_eq!((of("2024_12"), of("2025_01")), (1, 1));
    // Ten shippers come to a new month at once, each with a line of an older one in the same transaction.
    std::thread::scope(|scope| {
        for nth in 0..10 {
            let [old, new] = ["2025-01-02", "2025-02-01"].map(|day| line(&format!("{day}T00:00:00.{nth:03}Z")));
            scope.spawn(move || {
                database.ask("ai_gateway", &format!("begin; {old}; {new}; select pg_sleep(0.1); commit"))
            });
        }
    });
    assert_eq!((of("2025_01"), of("2025_02")), (11, 10));

    let now = database.rows();
    let forget =
        |end: &str| database.ask("ai_gateway", &format!("select ai_gateway.forget(now() - '{end}'::timestamptz)"));
    assert_eq!(forget("2024-12-31T23:59:00Z"), "");
    assert_eq!(forget("2025-02-28T23:59:00Z"), "exchanges_2024_12\nexchanges_2025_01");
    assert_eq!(database.rows(), now - 12);
}

/// A log in which anything may stand, among records: each is a row or is kept as unread, once, though PostgreSQL may only read for
/// a while, cuts every connection again and again, and the log is rotated.
#[tokio::test(flavor = "multi_thread")]
async fn no_line_is_lost_and_none_stops_those_behind_it() {
    let Some(debian) = debian() else { return skipped() };
    let database = Database::start_new(&debian, "hostile-lines");
    let folder = folder("hostile-lines");
    let (log, told) = (folder.join("access.log"), folder.join("told"));
    let mut shipper = database.shipper(&log, &told);
    let superuser = |sql: &str| database.ask("postgres", sql);

    let (mut rows, mut unread, mut cost) = (0, 0, 0_u128);
    for round in 0..6 {
        match round {
            1 => superuser("alter database ai_gateway set default_transaction_read_only = on"),
            2 => {
                let waits = async || fs::read_to_string(&told).unwrap().contains("read-only transaction");
                eventually("a shipper that waits", waits, |waits| *waits).await;
                superuser("alter database ai_gateway reset default_transaction_read_only")
            }
            4 => {
                shipper.kill();
                shipper = database.shipper(&log, &told);
                String::new()
            }
            _ => String::new(),
        };
        let mut file = File::options().create(true).append(true).open(&log).unwrap();
        for (nth, line) in lines::of(round).into_iter().enumerate() {
            file.write_all(&line.bytes).unwrap();
            file.write_all(b"\n").unwrap();
            match line.cost {
                Some(nano) => (rows, cost) = (rows + 1, cost + u128::from(nano)),
                None => unread += 1,
            }
            if nth % 25 == 0 {
                superuser("select pg_terminate_backend(pid) from pg_stat_activity where usename = 'shipper'");
            }
        }
        // What another round writes goes to a new file.
        fs::rename(&log, folder.join(format!("access.log.{}", 9 - round))).unwrap();
    }
    let come = async || (database.rows(), database.unread());
    eventually("all lines", come, |come| *come == (rows, unread)).await;
    let sum = |of: &str| database.ask("ai_gateway", &format!("select sum(cost_nanousd) from ai_gateway.{of}"));
    assert_eq!((sum("exchanges"), sum("invoices")), (cost.to_string(), cost.to_string()));

    // A shipper that knows of nothing brings all of it again, and nothing changes.
    shipper.kill();
    database.ask("ai_gateway", "delete from ai_gateway.logs");
    let _shipper = database.shipper(&log, &told);
    let files = async || database.figure("select count(*) from ai_gateway.logs");
    eventually("every file", files, |files| *files == 6).await;
    assert_eq!(come().await, (rows, unread));

    // Prometheus is told, by the shipped exporter; and after an update the lines are tried anew.
    let (_exporter, port) = database.exporter();
    let page = async || {
        let asked = tokio::net::TcpStream::connect(("127.0.0.1", port)).await.is_ok();
        if asked { Some(ask(SocketAddr::from(([127, 0, 0, 1], port)), get("/metrics")).await) } else { None }
    };
    let page = eventually("the exporter", page, |page| page.as_ref().is_some_and(|page| page.status == 200)).await;
    let page = page.unwrap().text();
    assert!(page.contains(&format!("\nai_gateway_records_unread {unread}\n")), "{page}");
    let promlint = std::env::var_os("PROMLINT").expect("PROMLINT: run `make e2e`");
    let metrics = folder.join("metrics");
    fs::write(&metrics, &page).unwrap();
    let check = Command::new(promlint).stdin(File::open(metrics).unwrap()).output().unwrap();
    assert!(check.status.success() && check.stdout.is_empty(), "{}", String::from_utf8_lossy(&check.stdout));
    assert_eq!(database.figure("select ai_gateway.reread()"), 0);
    assert_eq!(come().await, (rows, unread));
}

/// Names that clients and providers make up, through the gateway: every exchange is a row, and PostgreSQL's sum is the provider's.
#[tokio::test(flavor = "multi_thread")]
async fn odd_names_become_rows() {
    let Some(debian) = debian() else { return skipped() };
    let mut policy = policy(json!({"acme": free_tenant()}));
    policy["prices"]
        .as_array_mut()
        .unwrap()
        .push(json!({"model": "odd*", "input_usd_per_1m_tokens": "1", "output_usd_per_1m_tokens": "2"}));
    let gateway = Gateway::start(Setup::new("odd-names", policy)).await;
    let database = Database::start_new(&debian, "odd-names");
    let _shipper = database.shipper(&gateway.access_log(), &folder("odd-names-shipper").join("told"));
    for name in lines::ODD {
        let body = String::from_utf8(chat("acme").model("MODEL").body()).unwrap();
        for body in [body.replace("MODEL", name), body.replace("MODEL", &format!("odd{name}"))] {
            gateway.ask(chat("acme").request_with(body)).await;
        }
        // Of the provider, as far as a header can tell it.
        let name = name.replace(|letter: char| !letter.is_ascii() || ";,\\".contains(letter), "");
        gateway.ask(chat("acme").model("odd").sim(&format!("answer_model={name}")).request()).await;
    }
    let mut raw = chat("acme").model("oddBYTES").body();
    let at = raw.windows(5).position(|bytes| bytes == b"BYTES").unwrap();
    raw.splice(at..at + 5, [0xff, 0xfe, 0x80]);
    gateway.ask(chat("acme").request_of(Full::from(raw).boxed())).await;
    gateway.written().await;
    let records: Vec<Value> = gateway.records();
    eventually("all rows", async || database.rows(), |rows| *rows >= records.len() as u64).await;
    assert_eq!((database.rows(), database.unread()), (records.len() as u64, 0));
    let charged: u64 = records.iter().map(|record| record["cost_nanousd"].as_u64().unwrap()).sum();
    assert!(charged > 0);
    assert_eq!(database.figure("select sum(cost_nanousd) from ai_gateway.invoices"), charged);
    gateway.settled("acme", charged).await;
    let longest = gateway.records().iter().map(|record| record.to_string().len()).max().unwrap();
    assert!(longest < 8_192, "{longest} bytes of a record");
}
