//! A PostgreSQL of a test's own, with the shipped schema, and the shipped program that brings it an access log.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

use crate::envoy::{free_ports, killed, leashed};
use crate::top;

/// Debian's packages, as they were unpacked: `DEBIAN` names the folder.
pub fn debian() -> Option<PathBuf> {
    std::env::var_os("DEBIAN")
        .map(PathBuf::from)
        .filter(|folder| folder.join("usr/lib/postgresql/15/bin/psql").exists())
}

/// PostgreSQL refuses to run as root: then everything of it belongs to `nobody`, in a folder where that may be.
pub struct Database {
    root: PathBuf,
    data: PathBuf,
    port: u16,
}

/// For as long as this is, or until it is killed.
pub struct Running(Child);

impl Running {
    pub fn kill(self) {
        killed(self.0);
    }
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

fn shipped(name: &str) -> PathBuf {
    top().join("envoy/postgres").join(name)
}

fn libraries(root: &Path) -> String {
    format!("{0}/usr/lib/x86_64-linux-gnu:{0}/usr/lib/aarch64-linux-gnu", root.display())
}

impl Database {
    pub fn start_new(debian: &Path, name: &str) -> Self {
        let [port] = free_ports();
        let home = std::env::temp_dir().join(format!("nexus-{name}-{}", std::process::id()));
        let _ = fs::remove_dir_all(&home);
        fs::create_dir_all(home.join("data")).unwrap();
        let root = if is_root() {
            run(Command::new("cp").arg("-r").arg(debian).arg(home.join("root")));
            run(Command::new("chown").args(["-R", "65534:65534"]).arg(&home));
            home.join("root")
        } else {
            debian.to_owned()
        };
        let database = Self { root, data: home.join("data"), port };
        let mut initdb = database.program("initdb");
        run(initdb.args(["-U", "ai_gateway", "-A", "trust", "--no-sync", "-D"]).arg(&database.data));
        database.start();
        database.ask("postgres", "create database ai_gateway");
        database.ask("postgres", "create role shipper login");
        let schema = fs::read_to_string(shipped("schema.sql")).unwrap();
        // Over itself, as over an older one.
        database.ask("ai_gateway", &schema);
        database.ask("ai_gateway", &schema);
        database.ask("ai_gateway", "grant usage on schema ai_gateway to shipper");
        database
    }

    fn bin(&self) -> PathBuf {
        self.root.join("usr/lib/postgresql/15/bin")
    }

    fn program(&self, name: &str) -> Command {
        let mut command = if is_root() {
            let mut command = Command::new("setpriv");
            command.args(["--reuid=65534", "--regid=65534", "--clear-groups"]).arg(self.bin().join(name));
            command
        } else {
            Command::new(self.bin().join(name))
        };
        command.env("LD_LIBRARY_PATH", libraries(&self.root)).current_dir(std::env::temp_dir());
        command
    }

    pub fn start(&self) {
        let options = format!("-p {} -k {} -c fsync=off", self.port, self.data.display());
        let mut start = self.program("pg_ctl");
        start
            .args(["start", "-w", "-t", "120", "-o", &options, "-l"])
            .arg(self.data.join("log"))
            .arg("-D")
            .arg(&self.data);
        // The server must not hold this process's pipes.
        let started = start.stdout(Stdio::null()).stderr(Stdio::null()).status().unwrap();
        assert!(started.success(), "{}", fs::read_to_string(self.data.join("log")).unwrap_or_default());
    }

    /// As if the machine lost power.
    pub fn crash(&self) {
        run(self.program("pg_ctl").args(["stop", "-w", "-m", "immediate", "-D"]).arg(&self.data));
    }

    pub fn ask(&self, database: &str, sql: &str) -> String {
        let mut psql = self.program("psql");
        let port = self.port.to_string();
        psql.args(["-h", "127.0.0.1", "-U", "ai_gateway", "-v", "ON_ERROR_STOP=1", "-qAt", "-p", &port]);
        run(psql.args(["-d", database, "-c", sql])).trim().to_owned()
    }

    pub fn figure(&self, sql: &str) -> u64 {
        self.ask("ai_gateway", sql).parse().unwrap_or(0)
    }

    /// Of the records that are rows, and of the lines that are none.
    pub fn rows(&self) -> u64 {
        self.figure("select count(*) from ai_gateway.exchanges")
    }

    pub fn unread(&self) -> u64 {
        self.figure("select count(*) from ai_gateway.unread")
    }

    /// With the rights that it needs, and no more.
    fn shipped_program(&self, name: &str) -> Command {
        let mut command = leashed(shipped(name));
        self.with_psql(&mut command).stdout(Stdio::null());
        command
    }

    fn with_psql<'c>(&self, command: &'c mut Command) -> &'c mut Command {
        let path = std::env::var("PATH").unwrap_or_default();
        command.env("PATH", format!("{}:{path}", self.bin().display())).env("LD_LIBRARY_PATH", libraries(&self.root))
    }

    /// What the shipped report says of a shadow, as who may read pairs and exchanges.
    pub fn comparison(&self, shadow: &str) -> String {
        self.ask("ai_gateway", "grant select on ai_gateway.pairs, ai_gateway.exchanges to shipper");
        let mut compare = Command::new(shipped("compare"));
        run(self.with_psql(&mut compare).arg(self.url()).args(["--days", "7", "--shadow", shadow]))
    }

    /// What was spent on that day and in its month, as who may read exchanges.
    pub fn opening(&self, date: &str) -> String {
        self.ask("ai_gateway", "grant select on ai_gateway.exchanges to shipper");
        let mut opening = Command::new(crate::top().join("envoy/start/opening"));
        run(self.with_psql(&mut opening).args(["--date", date, "--database", &self.url()]))
    }

    fn url(&self) -> String {
        format!("postgresql://shipper@127.0.0.1:{}/ai_gateway", self.port)
    }

    /// Its complaints go to `told`.
    pub fn shipper(&self, access_log: &Path, told: &Path) -> Running {
        let told = fs::File::create(told).unwrap();
        Running(self.shipped_program("bring").arg(access_log).arg(self.url()).stderr(told).spawn().unwrap())
    }

    pub fn exporter(&self) -> (Running, u16) {
        let [port] = free_ports();
        let mut exporter = self.shipped_program("exporter");
        (Running(exporter.args(["--listen", &format!("127.0.0.1:{port}"), &self.url()]).spawn().unwrap()), port)
    }
}

impl Drop for Database {
    fn drop(&mut self) {
        let _ = self.program("pg_ctl").args(["stop", "-m", "immediate", "-D"]).arg(&self.data).output();
        let _ = fs::remove_dir_all(self.data.parent().unwrap());
    }
}
