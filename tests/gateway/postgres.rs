//! Usage records in a real PostgreSQL, brought there by a real rsyslog from Envoy's access log: nothing is lost and nothing
//! comes twice, whoever goes away in between.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use serde_json::json;

use crate::client::{PATIENCE, chat, eventually};
use crate::envoy::{Gateway, Setup, free_ports, free_tenant, leashed, policy};
use crate::prometheus::panels;

/// Debian's packages, as they were unpacked: `DEBIAN` names the folder.
pub fn debian() -> Option<PathBuf> {
    std::env::var_os("DEBIAN").map(PathBuf::from).filter(|folder| folder.join("usr/sbin/rsyslogd").exists())
}

/// PostgreSQL refuses to run as root: then everything of it belongs to `nobody`, in a folder where that may be.
struct Database {
    root: PathBuf,
    data: PathBuf,
    port: u16,
    _leash: Option<Child>,
}

fn is_root() -> bool {
    fs::metadata("/proc/self").is_ok_and(|process| std::os::unix::fs::MetadataExt::uid(&process) == 0)
}

fn run(command: &mut Command) -> String {
    let output = command.output().unwrap();
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{command:?}: {said}");
    String::from_utf8(output.stdout).unwrap()
}

impl Database {
    fn new(debian: &Path) -> Self {
        let [port] = free_ports();
        let home = std::env::temp_dir().join(format!("nexus-postgres-{}", std::process::id()));
        let _ = fs::remove_dir_all(&home);
        fs::create_dir_all(home.join("data")).unwrap();
        let root = if is_root() {
            run(Command::new("cp").arg("-r").arg(debian).arg(home.join("root")));
            run(Command::new("chown").args(["-R", "65534:65534"]).arg(&home));
            home.join("root")
        } else {
            debian.to_owned()
        };
        let database = Self { root, data: home.join("data"), port, _leash: None };
        let mut initdb = database.program("initdb");
        run(initdb.args(["-U", "ai_gateway", "-A", "trust", "--no-sync", "-D"]).arg(&database.data));
        database
    }

    fn bin(&self, name: &str) -> PathBuf {
        self.root.join("usr/lib/postgresql/15/bin").join(name)
    }

    fn program(&self, name: &str) -> Command {
        let mut command = if is_root() {
            let mut command = Command::new("setpriv");
            command.args(["--reuid=65534", "--regid=65534", "--clear-groups"]).arg(self.bin(name));
            command
        } else {
            Command::new(self.bin(name))
        };
        command.env("LD_LIBRARY_PATH", libraries(&self.root)).current_dir(std::env::temp_dir());
        command
    }

    async fn start(&mut self) {
        let options = format!("-p {} -k {} -c fsync=off", self.port, self.data.display());
        let mut start = self.program("pg_ctl");
        start
            .args(["start", "-w", "-t", "30", "-o", &options, "-l"])
            .arg(self.data.join("log"))
            .arg("-D")
            .arg(&self.data);
        // The server must not hold this process's pipes.
        let started = start.stdout(Stdio::null()).stderr(Stdio::null()).status().unwrap();
        assert!(started.success(), "{}", fs::read_to_string(self.data.join("log")).unwrap_or_default());
    }

    fn stop(&self) {
        run(self.program("pg_ctl").args(["stop", "-w", "-m", "immediate", "-D"]).arg(&self.data));
    }

    fn ask(&self, database: &str, sql: &str) -> String {
        let mut psql = self.program("psql");
        psql.args([
            "-h",
            "127.0.0.1",
            "-U",
            "ai_gateway",
            "-v",
            "ON_ERROR_STOP=1",
            "-qAt",
            "-p",
            &self.port.to_string(),
        ]);
        run(psql.args(["-d", database, "-c", sql])).trim().to_owned()
    }

    fn figures(&self, sql: &str) -> u64 {
        self.ask("ai_gateway", sql).parse().unwrap_or(0)
    }
}

impl Drop for Database {
    fn drop(&mut self) {
        let _ = self.program("pg_ctl").args(["stop", "-m", "immediate", "-D"]).arg(&self.data).output();
        let _ = fs::remove_dir_all(self.data.parent().unwrap());
    }
}

fn libraries(root: &Path) -> String {
    format!("{0}/usr/lib/x86_64-linux-gnu:{0}/usr/lib/aarch64-linux-gnu", root.display())
}

fn shipper(debian: &Path, work: &Path, access_log: &Path, port: u16) -> Child {
    fs::create_dir_all(work).unwrap();
    let shipped = Path::new(env!("CARGO_MANIFEST_DIR")).join("envoy/postgres/rsyslog.conf");
    let mut conf = fs::read_to_string(shipped).unwrap();
    for (mark, old, new) in [
        ("WORK", "/var/spool/rsyslog".to_owned(), work.display().to_string()),
        ("ACCESS_LOG", "/var/log/envoy/access.log".to_owned(), access_log.display().to_string()),
        ("CONNINFO", "ai_gateway@localhost/".to_owned(), format!("ai_gateway@127.0.0.1:{port}/")),
    ] {
        let line = conf.lines().find(|line| line.ends_with(&format!("#= {mark}"))).expect(mark).to_owned();
        conf = conf.replace(&line, &line.replace(&old, &new));
    }
    let path = work.join("rsyslog.conf");
    fs::write(&path, conf).unwrap();
    let modules = ["x86_64", "aarch64"].map(|arch| debian.join(format!("usr/lib/{arch}-linux-gnu/rsyslog")));
    let modules = modules.iter().find(|folder| folder.exists()).expect("rsyslog's modules");
    let log = fs::File::create(work.join("rsyslog.log")).unwrap();
    leashed(debian.join("usr/sbin/rsyslogd"))
        .args(["-n", "-f"])
        .arg(&path)
        .arg("-i")
        .arg(work.join("pid"))
        .arg("-M")
        .arg(modules)
        .env("LD_LIBRARY_PATH", libraries(debian))
        .stdout(log.try_clone().unwrap())
        .stderr(log)
        .spawn()
        .unwrap()
}

/// PostgreSQL is away for ten seconds and crashes on the way out, rsyslog is killed; the sum in SQL is the ledger's.
#[tokio::test(flavor = "multi_thread")]
async fn every_record_comes_to_postgresql_once() {
    let Some(debian) = debian() else {
        println!("SKIPPED: no PostgreSQL and rsyslog of Debian here");
        return;
    };
    let gateway =
        Gateway::start(Setup::new("postgres", policy(json!({"acme": free_tenant(), "o'neil": free_tenant()})))).await;
    let mut database = Database::new(&debian);
    database.start().await;
    database.ask("postgres", "create database ai_gateway");
    let schema = Path::new(env!("CARGO_MANIFEST_DIR")).join("envoy/postgres/schema.sql");
    let schema = fs::read_to_string(schema).unwrap();
    database.ask("ai_gateway", &schema);
    database.ask("ai_gateway", &schema);
    let work = Path::new(env!("CARGO_TARGET_TMPDIR")).join("postgres-rsyslog");
    let _ = fs::remove_dir_all(&work);
    let log = gateway.access_log();
    let mut shippers = vec![shipper(&debian, &work, &log, database.port)];

    let mut asked = 0;
    let mut load = async |times: u32| {
        for nth in 0..times {
            let tenant = if nth % 3 == 0 { "o'neil" } else { "acme" };
            let chat = chat(tenant).saying("It's \"quoted\" \\ and '); drop table x; --");
            let chat = if nth % 2 == 0 { chat } else { chat.stream() };
            gateway.ask(chat.request()).await;
            gateway.ask(chat.model("no-such-model").request()).await;
            asked += 2;
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    };
    load(40).await;
    let rows = "select count(*) from ai_gateway.exchanges";
    eventually("the first rows", async || database.figures(rows), |rows| *rows == 80).await;
    // Away for ten seconds, and requests go on.
    database.stop();
    load(100).await;
    tokio::time::sleep(Duration::from_secs(6)).await;
    // The shipper dies as well, with what it had not brought yet.
    let pid = fs::read_to_string(work.join("pid")).unwrap();
    run(Command::new("kill").args(["-KILL", pid.trim()]));
    shippers.clear();
    fs::remove_file(work.join("pid")).unwrap();
    load(20).await;
    database.start().await;
    shippers.push(shipper(&debian, &work, &log, database.port));
    load(20).await;

    let all = asked;
    eventually("all rows", async || database.figures(rows), |rows| *rows >= all).await;
    tokio::time::sleep(Duration::from_secs(2)).await;
    assert_eq!(database.figures(rows), all, "nothing twice");
    let billed = gateway.provider().settled_ledger(PATIENCE).sum();
    assert_eq!(database.figures("select sum(cost_nanousd) from ai_gateway.exchanges"), billed.cost_nanousd);
    let of = |tenant: &str| format!("select sum(cost_nanousd) from ai_gateway.invoices where tenant = '{tenant}'");
    assert_eq!(database.figures(&of("acme")) + database.figures(&of("o''neil")), billed.cost_nanousd);
    // The finance dashboard tells the same.
    let panels = panels("postgresql");
    assert_eq!(panels.len(), 2);
    for panel in panels {
        let sum = format!(r#"select round(sum("Cost") * 1e9) from ({}) as shown"#, panel["query"].as_str().unwrap());
        assert_eq!(database.figures(&sum), billed.cost_nanousd, "{}", panel["panel"]);
    }
    let outcomes = database.ask("ai_gateway", "select distinct outcome from ai_gateway.exchanges order by 1");
    assert_eq!(outcomes, "model_unpriced\nsuccess");
    months(&database, &fs::read_to_string(&log).unwrap());
}

/// Each month is a partition, made by its first line whoever brings it, and dropped as a whole.
fn months(database: &Database, log: &str) {
    let record = log.lines().find(|line| line.starts_with(r#"{"v":1,"#)).unwrap().replace('\'', "''");
    let (before, rest) = record.split_once(r#""time":""#).unwrap();
    let (_, after) = rest.split_once('"').unwrap();
    let line = |time: &str| format!(r#"select ai_gateway.record('{before}"time":"{time}"{after}')"#);
    // Months are those of UTC, wherever the shipper is; a shipper needs no right to the table.
    let shipper = "create role shipper login; grant usage on schema ai_gateway to shipper; set role shipper";
    let times = ["2024-12-31T23:59:59.999Z", "2025-01-01T00:00:00.000Z", "2025-01-01T00:00:00.000Z"];
    let lines = times.map(|time| format!("set timezone = 'Asia/Tokyo'; {}", line(time))).join("; ");
    database.ask("ai_gateway", &format!("{shipper}; {lines}"));
    let rows = "select count(*) from ai_gateway.exchanges";
    let of = |month: &str| database.figures(&format!("{rows}_{month}"));
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

    let now = database.figures(rows);
    let forget =
        |end: &str| database.ask("ai_gateway", &format!("select ai_gateway.forget(now() - '{end}'::timestamptz)"));
    assert_eq!(forget("2024-12-31T23:59:00Z"), "");
    assert_eq!(forget("2025-02-28T23:59:00Z"), "exchanges_2024_12\nexchanges_2025_01");
    assert_eq!(database.figures(rows), now - 12);
}
