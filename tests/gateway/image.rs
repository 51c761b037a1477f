//! The image in a real registry: fetched and unpacked as Istio's agent does it (pkg/wasm/imagefetcher.go), it is the filter, and serves.

use std::fs;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::{Child, Command};

use hyper::Request;
use serde_json::{Value, json};

use crate::client::{Answer, Body, PATIENCE, ask, chat, eventually, get};
use crate::envoy::{Gateway, Setup, free_ports, leashed, policy, wasm};
use crate::top;

const MANIFEST: &str = "application/vnd.oci.image.manifest.v1+json";

fn named(variable: &str) -> String {
    std::env::var(variable).unwrap_or_else(|_| panic!("{variable}: run `make e2e`"))
}

fn run(command: &mut Command) -> Vec<u8> {
    let output = command.output().unwrap();
    assert!(output.status.success(), "{command:?}: {}", String::from_utf8_lossy(&output.stderr));
    output.stdout
}

fn accepting(path: &str, kind: &str) -> Request<Body> {
    let mut request = get(path);
    request.headers_mut().insert("accept", kind.parse().unwrap());
    request
}

/// Debian's docker-registry, for as long as this is.
struct Registry {
    addr: SocketAddr,
    _leash: Child,
}

impl Registry {
    async fn start(program: &str, dir: &Path) -> Self {
        let [port] = free_ports();
        let addr = SocketAddr::from(([127, 0, 0, 1], port));
        let config = json!({
            "version": 0.1,
            "http": {"addr": addr.to_string()},
            "storage": {"filesystem": {"rootdirectory": dir.join("blobs")}},
        });
        fs::write(dir.join("registry.yml"), config.to_string()).unwrap();
        let log = fs::File::create(dir.join("registry.log")).unwrap();
        let mut command = leashed(program);
        command.arg("serve").arg(dir.join("registry.yml")).stdout(log.try_clone().unwrap()).stderr(log);
        let registry = Self { addr, _leash: command.spawn().unwrap() };
        let listens = async || tokio::net::TcpStream::connect(addr).await.is_ok();
        eventually("the registry", listens, |listens| *listens).await;
        registry
    }
}

async fn blob(registry: SocketAddr, path: &str, digest: &str) -> Answer {
    let answer = ask(registry, get(&format!("{path}/blobs/{digest}"))).await;
    assert_eq!(answer.status, 200);
    answer
}

#[tokio::test(flavor = "multi_thread")]
async fn the_image_comes_out_of_a_registry_as_the_filter() {
    let program = named("REGISTRY");
    if !Path::new(&program).exists() {
        eprintln!("SKIPPED: there is no docker-registry here");
        return;
    }
    let dir = Path::new(env!("CARGO_TARGET_TMPDIR")).join("image");
    let _ = fs::remove_dir_all(&dir);
    fs::create_dir_all(&dir).unwrap();
    let registry = Registry::start(&program, &dir).await;
    let addr = registry.addr;

    let (image, oras) = (named("IMAGE"), named("ORAS"));
    let version = image.rsplit_once(':').unwrap().1;
    let pushed = format!("{addr}/team/nexus-ai-gateway:{version}");
    run(Command::new(&oras).args(["copy", "--no-tty", "--from-oci-layout", &image, "--to-plain-http", &pushed]));

    let path = "/v2/team/nexus-ai-gateway";
    let manifest = ask(addr, accepting(&format!("{path}/manifests/{version}"), MANIFEST)).await;
    let pulled = manifest.json();
    // What the agent would take for Docker's own kind has another type in here.
    assert_eq!(pulled["mediaType"], MANIFEST, "{pulled}");
    let layer = pulled["layers"].as_array().unwrap().last().unwrap();
    assert_eq!(layer["mediaType"], "application/vnd.oci.image.layer.v1.tar+gzip");
    let packed = dir.join("layer.tar.gz");
    fs::write(&packed, blob(addr, path, layer["digest"].as_str().unwrap()).await.body).unwrap();
    let plugin = run(Command::new("tar").args(["-xzOf"]).arg(&packed).arg("plugin.wasm"));
    assert!(plugin == fs::read(wasm()).unwrap(), "byte for byte what was built");
    let described = blob(addr, path, pulled["config"]["digest"].as_str().unwrap()).await.json();
    let unpacked = run(Command::new("sh").args(["-c", "gzip -dc \"$0\" | sha256sum"]).arg(&packed));
    let unpacked = format!("sha256:{}", String::from_utf8(unpacked).unwrap().split(' ').next().unwrap());
    assert_eq!(described["rootfs"]["diff_ids"], json!([unpacked]), "what container tools check");

    let unpacked = dir.join("plugin.wasm");
    fs::write(&unpacked, plugin).unwrap();
    let setup = Setup { wasm: Some(unpacked), ..Setup::new("image-serves", policy(json!({"acme": {}}))) };
    let gateway = Gateway::start(setup).await;
    let answer = gateway.ask(chat("acme").request()).await;
    assert_eq!((answer.status, answer.header("x-ratelimit-remaining-requests")), (200, Some("999999")));
    let billed = gateway.provider().settled_ledger(PATIENCE).sum();
    gateway.settled("acme", billed.cost_nanousd).await;
}

#[test]
fn the_same_filter_is_the_same_image() {
    let (image, oras) = (named("IMAGE"), named("ORAS"));
    let (folder, version) = image.rsplit_once(':').unwrap();
    let again = Path::new(env!("CARGO_TARGET_TMPDIR")).join("image-again");
    let script = top().join("envoy/release/image.py");
    let mut command = Command::new("python3");
    command.arg(script).arg(wasm()).args([version, "--oras", &oras, "--into"]).arg(&again);
    run(command.env("TZ", "Pacific/Auckland").env("HOME", &again));
    let digest = |folder: PathBuf| -> Value {
        let index: Value = serde_json::from_slice(&fs::read(folder.join("index.json")).unwrap()).unwrap();
        index["manifests"][0]["digest"].clone()
    };
    assert_eq!(digest(again), digest(folder.into()));
}
