//! The plan of the house: which part may name which.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

/// From the bottom. A part names only parts of the floors below its own; those of one floor don't know each other.
const FLOORS: [&[&str]; 17] = [
    &["order", "units", "hash", "digest", "base64", "protobuf"],
    &["json", "json_schema"],
    &["name", "calendar", "network", "headers", "kept", "detect"],
    &["llm"],
    &["forward", "price", "tenant"],
    &["attempt", "limit"],
    &["outcome", "route", "replicas"],
    &["config"],
    &["policy"],
    &["record", "breaker"],
    &["content", "tools", "canary"],
    &["likeness"],
    &["exchange"],
    &["view", "host"],
    &["filter"],
    &["lib"],
    // What only tests are built of may name everything.
    &["fake_host", "floors"],
];

/// Who may speak to Envoy.
const ADAPTER: [&str; 3] = ["lib", "filter", "host"];

/// The files that the product is made of, without their tests: by module path (`limit::cell`), with what is written there.
fn files() -> BTreeMap<String, String> {
    let src = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    let (mut folders, mut files) = (vec![src.clone()], BTreeMap::new());
    while let Some(folder) = folders.pop() {
        for entry in std::fs::read_dir(&folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                folders.push(path);
                continue;
            }
            let module = path.strip_prefix(&src).unwrap().with_extension("");
            let module = module.iter().map(|part| part.to_str().unwrap()).collect::<Vec<_>>().join("::");
            let text = std::fs::read_to_string(&path).unwrap();
            if !module.split("::").any(|part| part == "tests") && floor(&module) + 1 < FLOORS.len() {
                files.insert(module, without_comments(text.split("#[cfg(test)]\nmod tests").next().unwrap()));
            }
        }
    }
    assert!(files.len() > 100, "the sources were not found");
    files
}

fn without_comments(text: &str) -> String {
    text.lines().map(|line| line.split("//").next().unwrap()).collect::<Vec<_>>().join("\n")
}

fn part(module: &str) -> &str {
    module.split("::").next().unwrap()
}

fn floor(module: &str) -> usize {
    let of = |part: &str| FLOORS.iter().position(|parts| parts.contains(&part));
    of(part(module)).unwrap_or_else(|| panic!("`{}` stands on no floor", part(module)))
}

/// The files that a file names, by paths that begin with `crate` or `super`.
fn named(module: &str, text: &str, files: &BTreeMap<String, String>) -> BTreeSet<String> {
    let mut named = BTreeSet::new();
    for start in ["crate::", "super::"] {
        for (at, _) in text.match_indices(start) {
            let (before, path) = text.split_at(at);
            let before = before.chars().next_back();
            if before.is_some_and(|letter| letter.is_alphanumeric() || matches!(letter, '_' | ':')) {
                continue;
            }
            let base = if start == "crate::" { Vec::new() } else { module.split("::").collect() };
            follow(&base, path, files, &mut named);
        }
    }
    named.remove(module);
    named
}

/// Follows a path, into every branch of its braces, as far as there are files.
fn follow(base: &[&str], path: &str, files: &BTreeMap<String, String>, named: &mut BTreeSet<String>) {
    let mut base = base.to_vec();
    let mut rest = path.trim_start();
    loop {
        if let Some(branches) = rest.strip_prefix('{') {
            let (mut depth, mut begins) = (0, 0);
            for (at, letter) in branches.char_indices() {
                match letter {
                    '{' => depth += 1,
                    '}' if depth > 0 => depth -= 1,
                    ',' if depth > 0 => {}
                    ',' | '}' => {
                        follow(&base, branches.get(begins..at).unwrap(), files, named);
                        begins = at + 1;
                        if letter == '}' {
                            return;
                        }
                    }
                    _ => {}
                }
            }
            return;
        }
        let length = rest.find(|letter: char| !letter.is_alphanumeric() && letter != '_').unwrap_or(rest.len());
        let (name, after) = rest.split_at(length);
        match name {
            "crate" => base.clear(),
            "super" => drop(base.pop()),
            "self" => {}
            name => base.push(name),
        }
        let is_file = files.contains_key(&base.join("::"));
        let is_start = matches!(name, "crate" | "super");
        match after.strip_prefix("::") {
            Some(next) if is_file || is_start => rest = next,
            _ => {
                // The last file on the way holds what is named.
                while !base.is_empty() && !files.contains_key(&base.join("::")) {
                    base.pop();
                }
                named.extend((!base.is_empty()).then(|| base.join("::")));
                return;
            }
        }
    }
}

#[test]
fn arrows_only_run_downwards() {
    let files = files();
    for (module, text) in &files {
        for other in named(module, text, &files) {
            let inside = part(module) == part(&other);
            assert!(inside || floor(module) > floor(&other), "{module} names {other}, which stands on no lower floor");
        }
        let speaks = text.contains("proxy_wasm");
        assert!(!speaks || ADAPTER.contains(&part(module)), "{module} names proxy_wasm, and is not of the adapter");
    }
}

/// A folder's file and the files in it are one; that a child uses what its parent declares is no circle.
#[test]
fn no_files_go_round_in_a_circle() {
    let files = files();
    let arrows: BTreeMap<&str, BTreeSet<String>> =
        files.iter().map(|(module, text)| (module.as_str(), named(module, text, &files))).collect();
    let is_parent = |of: &str, other: &str| of.starts_with(&format!("{other}::"));
    for start in arrows.keys() {
        let mut ways = vec![vec![(*start).to_owned()]];
        let mut seen = BTreeSet::new();
        while let Some(way) = ways.pop() {
            let here = way.last().unwrap().clone();
            for next in arrows.get(here.as_str()).into_iter().flatten().filter(|next| !is_parent(&here, next)) {
                assert!(next != start, "a circle: {} → {start}", way.join(" → "));
                if seen.insert(next.clone()) {
                    ways.push(way.iter().cloned().chain([next.clone()]).collect());
                }
            }
        }
    }
}

#[test]
fn every_arrow_is_seen() {
    let names = ["limit", "limit::cell", "limit::bytes", "units"];
    let files: BTreeMap<_, _> = names.iter().map(|name| ((*name).to_owned(), String::new())).collect();
    let text =
        "use super::bytes::{put, take};\nuse crate::{limit::{self, Guard}, units};\nlet x = crate::units::Tokens(1);";
    let seen: Vec<_> = named("limit::cell", text, &files).into_iter().collect();
    assert_eq!(seen, ["limit", "limit::bytes", "units"]);
}
