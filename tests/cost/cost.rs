//! What an exchange costs the filter, counted exactly on the `.wasm` that ships, and held to `budgets.txt`.

mod budgets;
mod exchanges;
mod host;
mod instrument;

use budgets::{Budgets, Row};
use exchanges::{Exchange, Way, run};
use host::{Code, Tally, Vm};
use instrument::names;
use serde_json::{Value, json};
use std::collections::BTreeMap;
use std::fmt::Write;
use std::path::Path;
use std::process::ExitCode;
use std::{env, fs};
use yaml_rust2::{Yaml, YamlLoader};

/// Before anything is counted: metrics are defined, memory has grown, and the model's density is learned.
const WARM: usize = 4;
const COUNTED: usize = 2;
const TENANTS: usize = 100_000;
/// As many as are named, of those that an exchange calls.
const FUNCTIONS: usize = 25;

fn top() -> &'static Path {
    Path::new(concat!(env!("CARGO_MANIFEST_DIR"), "/../.."))
}

/// The plugin's configuration, as a shipped file has it.
fn shipped(file: &str) -> Value {
    let text = fs::read_to_string(top().join("envoy").join(file)).expect(file);
    let yaml = YamlLoader::load_from_str(&text).expect(file).remove(0);
    let chain = &yaml["static_resources"]["listeners"][0]["filter_chains"][0]["filters"][0]["typed_config"];
    let mut filters = chain["http_filters"].as_vec().expect("filters").iter();
    let nexus = filters.find(|filter| filter["name"].as_str() == Some("nexus")).expect("the filter `nexus`");
    json_of(&nexus["typed_config"]["config"]["configuration"]["value"])
}

fn json_of(yaml: &Yaml) -> Value {
    match yaml {
        Yaml::String(text) => json!(text),
        Yaml::Integer(number) => json!(number),
        Yaml::Boolean(yes) => json!(yes),
        Yaml::Array(items) => items.iter().map(json_of).collect(),
        Yaml::Hash(entries) => {
            let named = |(key, value): (&Yaml, &Yaml)| (key.as_str().expect("a key").to_owned(), json_of(value));
            Value::Object(entries.iter().map(named).collect())
        }
        other => panic!("{other:?} in the plugin's configuration"),
    }
}

/// What an exchange came to, in the order of its callbacks.
#[derive(Default)]
struct Counted {
    told: Vec<(&'static str, Tally)>,
    /// Instructions by function.
    spent: Vec<u64>,
    /// Instructions that it ran at all by function, each counted once.
    different: Vec<u64>,
}

/// The exchange as it is counted: the dearest of some, when all is warm.
fn counted(vm: &mut Vm, way: Way, exchange: &Exchange, warm: usize, seconds: u64) -> Counted {
    let mut dearest = Counted::default();
    for nth in 0..warm + COUNTED {
        let before = vm.spent();
        vm.different();
        let told = run(vm, way, exchange);
        let different = vm.different();
        if nth >= warm && sum(&told).instructions >= sum(&dearest.told).instructions {
            let spent = vm.spent().iter().zip(before).map(|(after, before)| after - before).collect();
            dearest = Counted { told, spent, different };
        }
        vm.host().clock += seconds * 1_000_000_000;
        vm.tick(way.listener);
    }
    dearest
}

fn sum(told: &[(&'static str, Tally)]) -> Tally {
    let mut sum = Tally::default();
    told.iter().for_each(|(_, tally)| sum += tally);
    sum
}

/// The event in the middle of a stream.
fn event(told: &[(&'static str, Tally)]) -> Tally {
    let bodies: Vec<_> = told.iter().filter(|(callback, _)| *callback == "proxy_on_response_body").collect();
    bodies.get(bodies.len() / 2).expect("events").1.clone()
}

/// Which callbacks the figures come from, for whoever is to bring them down.
fn breakdown(name: &str, told: &[(&'static str, Tally)]) -> String {
    let mut lines: Vec<(&str, Tally)> = Vec::new();
    for (callback, tally) in told {
        match lines.iter_mut().find(|(known, _)| known == callback) {
            Some((_, sum)) => *sum += tally,
            None => lines.push((callback, tally.clone())),
        }
    }
    lines.push(("all", sum(told)));
    let mut text =
        format!("{name}\n{:<22} times instructions  calls  handed  bytes in  bytes out  calls by name\n", "");
    for (callback, tally) in lines {
        writeln!(text, "  {:<20}{tally}", callback.trim_start_matches("proxy_")).expect("text");
    }
    text
}

/// The figures so far.
#[derive(Default)]
struct Report {
    rows: Vec<Row>,
    breakdowns: String,
    names: BTreeMap<u32, String>,
}

impl Report {
    fn row(&mut self, name: &str, Counted { told, spent, different }: &Counted) {
        self.breakdowns += &breakdown(name, told);
        let all: u64 = different.iter().sum();
        if all > 0 {
            writeln!(self.breakdowns, "{all:>12}  different instructions").expect("text");
        }
        self.functions("instructions by function", spent);
        self.functions("different ones by function", different);
        self.breakdowns.push('\n');
        self.rows.push(Row::of(name, &sum(told)));
        if name.ends_with("chat") {
            self.single(&format!("{name}-different"), all);
        }
    }

    /// Where most are, if the functions have names.
    fn functions(&mut self, what: &str, spent: &[u64]) {
        let mut dearest: Vec<_> = (0..).zip(spent).filter(|(_, spent)| **spent > 0).collect();
        if !self.names.is_empty() {
            writeln!(self.breakdowns, "  {what}, of {} functions", dearest.len()).expect("text");
        }
        dearest.sort_by_key(|(_, spent)| std::cmp::Reverse(**spent));
        for (nth, spent) in dearest.into_iter().take(FUNCTIONS) {
            let Some(name) = self.names.get(&nth) else { return };
            writeln!(self.breakdowns, "{spent:>12}  {name}").expect("text");
        }
    }

    fn event(&mut self, name: &str, told: &[(&'static str, Tally)]) {
        self.row(name, &Counted { told: vec![("proxy_on_response_body", event(told))], ..Counted::default() });
    }

    fn single(&mut self, name: &str, figure: u64) {
        self.rows.push(Row::single(name, figure));
    }
}

/// A configuration of many tenants of the same tier.
fn crowded(tenants: usize) -> Value {
    let mut configuration = shipped("envoy.yaml");
    let named = |nth| (format!("tenant-{nth:06}"), json!({"tier": "premium"}));
    configuration["tenants"] = Value::Object((0..tenants).map(named).collect());
    configuration
}

/// So many groups, each in the next, with a budget and a limit of its own.
fn above(groups: usize) -> Value {
    let group = |nth: usize| {
        let mut group = json!({"budgets": {"day_usd": "1000"}, "limits": {"requests_per_minute": 100_000}});
        if nth < groups {
            group["parent"] = json!(format!("group-{}", nth + 1));
        }
        (format!("group-{nth}"), group)
    };
    Value::Object((1..=groups).map(group).collect())
}

/// One function may be used, and its calls must be as they should.
fn ruled() -> Value {
    json!({"tier": "premium", "tools": {"allow": ["get_*"], "offered": "refuse", "called": "refuse", "strict": "refuse"}})
}

/// A configuration whose conversations stay with one of several providers.
fn sharing() -> Value {
    let mut configuration = shipped("production.yaml");
    for model in configuration["models"].as_array_mut().expect("models") {
        model["sticky"] = json!("conversation");
        for served in model["providers"].as_array_mut().expect("providers") {
            served["weight"] = json!(1);
        }
    }
    configuration
}

/// By the clusters of all its providers, of whom the first is asked.
fn routed(vm: &mut Vm, configuration: &Value) -> Way {
    let listener = vm.plugin(configuration);
    for provider in configuration["providers"].as_object().expect("providers").keys() {
        vm.plugin(&json!({"attempt_of": provider}));
    }
    Way { listener, cluster: Some(vm.plugin(&json!({"attempt_of": "openai"}))) }
}

/// A configuration that looks for everything.
fn screening() -> Value {
    let mut configuration = shipped("envoy.yaml");
    let kinds = "email phone card iban us_ssn uk_nino uk_nhs passport ipv4 ipv6 mac crypto url_credentials private_key jwt \
        api_key secret";
    let kinds: Vec<_> = kinds.split(' ').collect();
    configuration["content"] =
        json!({"rules": [{"name": "all", "find": kinds, "action": "mask", "on": ["request", "answer"]}]});
    configuration
}

fn main() -> ExitCode {
    let out = top().join("target/cost");
    let named =
        |variable: &str| env::var(variable).unwrap_or_else(|_| panic!("{variable} is not set: run `make cost`"));
    let wasm = fs::read(named("WASM")).expect("the filter");
    let empty = Code::read(&fs::read(named("EMPTY")).expect("the empty filter"));
    let code = Code::read(&wasm);

    let plain = || {
        let mut vm = Vm::start(&code);
        let listener = vm.plugin(&shipped("envoy.yaml"));
        (vm, Way { listener, cluster: None })
    };
    let small = Exchange::chat();
    let rated = small.clone().by("test-tenant");
    let names = env::var_os("NAMED").map(|named| names(&fs::read(named).expect("the filter with names")));
    let mut report = Report { names: names.unwrap_or_default(), ..Report::default() };
    for (name, exchange) in [
        ("chat", small.clone()),
        ("prompt-32kB", Exchange::long_prompt(32 * 1024)),
        ("picture-1MB", Exchange::picture(1024 * 1024)),
        ("stream-500", Exchange::stream(500, true)),
        ("stream-500-usage-added", Exchange::stream(500, false)),
        ("stream-500-packed", Exchange::stream(500, true).packed()),
        ("embeddings-100kB", Exchange::embeddings(100 * 1024)),
        ("refused-402", Exchange::too_dear()),
        ("aside", Exchange::models()),
    ] {
        let (mut vm, way) = plain();
        let told = counted(&mut vm, way, &exchange, WARM, 15);
        report.row(name, &told);
        if name.starts_with("stream") && !name.ends_with("packed") {
            report.event(&name.replace("stream-500", "event"), &told.told);
        }
    }
    // A minute's worth, and then more in the same minute.
    let (mut vm, way) = plain();
    counted(&mut vm, way, &rated, 60 - COUNTED, 0);
    report.row("refused-429", &counted(&mut vm, way, &rated.clone().ends("rate_limited"), WARM, 0));

    let mut vm = Vm::start(&code);
    let way = routed(&mut vm, &shipped("production.yaml"));
    report.row("routed", &counted(&mut vm, way, &small, WARM, 15));

    // Where another model would serve near the end of the money, which is far.
    let mut configuration = shipped("production.yaml");
    configuration["models"][0]["instead"] = json!({"model": "llama3.2"});
    let mut vm = Vm::start(&code);
    let way = routed(&mut vm, &configuration);
    report.row("instead-routed", &counted(&mut vm, way, &small, WARM, 15));

    // With providers by weight, of whom each conversation keeps one: its beginning is read, of a body as long as another is here.
    for (name, exchange) in [("conversation", small.clone()), ("conversation-32kB", Exchange::long_prompt(32 * 1024))] {
        let mut vm = Vm::start(&code);
        let way = routed(&mut vm, &sharing());
        report.row(name, &counted(&mut vm, way, &exchange, WARM, 15));
    }

    // With every built-in kind looked for, and masked, in requests and answers. To read it takes more instructions than all exchanges
    // here, so it is read once.
    let mut vm = Vm::start(&code);
    let listener = vm.plugin(&screening());
    for (name, exchange) in [
        ("screened-chat", small.clone()),
        ("screened-prompt-32kB", Exchange::long_prompt(32 * 1024)),
        ("screened-stream-500", Exchange::stream(500, true)),
    ] {
        let told = counted(&mut vm, Way { listener, cluster: None }, &exchange, WARM, 15);
        report.row(name, &told);
        if name.contains("stream") {
            report.event("screened-event", &told.told);
            report.single("screened-memory-bytes", vm.memory_bytes());
        }
    }
    // What looks like a finding at every place, and is none: others wait for as long as a piece of it takes.
    let hostile = run(&mut vm, Way { listener, cluster: None }, &Exchange::of_text(&"1.1.1.1.".repeat(8 * 1024)));
    report.single("screened-hostile-64kB", sum(&hostile).instructions);
    report.single("screened-hostile-piece", hostile.iter().map(|(_, told)| told.instructions).max().unwrap_or(0));

    // With rules about tools that refuse, a tool offered; and with streams that are ended where their money ends.
    for (name, tenant, exchange) in [
        ("ruled-chat", ruled(), small.clone().offering()),
        ("ruled-stream-500", ruled(), Exchange::stream(500, true).offering()),
        ("ending-stream-500", json!({"tier": "premium", "overrun": "end"}), Exchange::stream(500, true)),
    ] {
        let mut vm = Vm::start(&code);
        let mut configuration = shipped("envoy.yaml");
        configuration["tenants"]["acme"] = tenant;
        let listener = vm.plugin(&configuration);
        let told = counted(&mut vm, Way { listener, cluster: None }, &exchange, WARM, 15);
        report.row(name, &told);
        if let Some(stream) = name.strip_suffix("-stream-500") {
            report.event(&format!("{stream}-event"), &told.told);
        }
    }

    // With one group above its tenant, and with four.
    for (name, groups) in [("group-chat", 1), ("groups-4-chat", 4)] {
        let mut configuration = shipped("envoy.yaml");
        configuration["groups"] = above(groups);
        configuration["tenants"]["acme"]["group"] = json!("group-1");
        let mut vm = Vm::start(&code);
        let listener = vm.plugin(&configuration);
        report.row(name, &counted(&mut vm, Way { listener, cluster: None }, &small, WARM, 15));
    }

    // With a budget of the tenant's for the group of the model.
    let mut configuration = shipped("envoy.yaml");
    configuration["model_groups"] = json!({"large": ["claude-*"], "small": ["gpt-4o-mini*"]});
    configuration["tenants"]["acme"]["model_groups"] = json!({"small": {"budgets": {"day_usd": "100"}}});
    let mut vm = Vm::start(&code);
    let listener = vm.plugin(&configuration);
    report.row("model-group-chat", &counted(&mut vm, Way { listener, cluster: None }, &small, WARM, 15));

    for (name, exchange) in [("empty-chat", small.clone()), ("empty-stream-500", Exchange::stream(500, true))] {
        let mut vm = Vm::start(&empty);
        let way = Way { listener: vm.plugin(&json!({})), cluster: None };
        let told = counted(&mut vm, way, &Exchange { outcome: None, ..exchange }, WARM, 15);
        report.row(name, &told);
        if name.contains("stream") {
            report.event("empty-event", &told.told);
        }
    }

    // Memory, after everything that is large has gone by many times.
    let (mut vm, way) = plain();
    let large =
        [Exchange::picture(1024 * 1024), Exchange::embeddings(1024 * 1024), Exchange::stream(500, false).packed()];
    for exchange in large.iter().chain([&small; 200]) {
        counted(&mut vm, way, exchange, 0, 40);
    }
    report.single("memory-bytes", vm.memory_bytes());

    let mut vm = Vm::start(&code);
    let before = vm.memory_bytes();
    vm.told();
    let listener = vm.plugin(&crowded(TENANTS));
    let configured = sum(&vm.told());
    report.single("tenant-bytes", (vm.memory_bytes() - before) / TENANTS as u64);
    report.single("tenant-instructions", configured.instructions / TENANTS as u64);
    let way = Way { listener, cluster: None };
    report.row("chat-of-100000-tenants", &counted(&mut vm, way, &small.by("tenant-050000"), WARM, 15));

    report.single("wasm-bytes", wasm.len() as u64);

    fs::create_dir_all(&out).expect("target/cost");
    fs::write(out.join("breakdown.txt"), &report.breakdowns).expect("a file under target/cost");
    if env::var_os("VERBOSE").is_some() {
        println!("{}", report.breakdowns);
    }
    Budgets::read(&Path::new(env!("CARGO_MANIFEST_DIR")).join("budgets.txt")).judge(&report.rows, &out)
}
