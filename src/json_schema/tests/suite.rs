//! The official test suite of JSON Schema, as far as its schemas are taken here: each test must come out as it says. What is
//! refused must be refused for a reason that is stated below.

use crate::json_schema::{Reason, Schema, Steps, Unfit, Where};
use serde_json::{Value, json};
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::{env, fs};

const VARIABLE: &str = "JSON_SCHEMA_TEST_SUITE";

/// Keywords and uses of them that are refused on purpose, and why.
const REFUSED: &[(&str, &str)] = &[
    ("$ref to another document", "nothing is loaded while requests wait"),
    ("$id within the schema", "references below it would mean other schemas"),
    ("$schema of another draft", "only 2020-12 and 7 are known"),
    ("\\p in a pattern", "the tables of Unicode would be larger than all the rest"),
    ("$dynamicRef", "it is for schemas that extend each other from several documents"),
    ("$dynamicAnchor", "as $dynamicRef"),
    // No keywords at all: a rule that nobody enforces is not taken.
    ("unknown-keyword", "no keyword"),
    ("unknown/keyword", "no keyword"),
    ("array_of_schemas", "no keyword"),
];

/// Of the folder `optional`, what isn't about formats, nor about keywords that are annotations here.
const OPTIONAL: &[&str] = &[
    "anchor",
    "bignum",
    "cross-draft",
    "dependencies-compatibility",
    "dynamicRef",
    "ecmascript-regex",
    "float-overflow",
    "id",
    "no-schema",
    "non-bmp-regex",
    "refOfUnknownKeyword",
    "unknownKeyword",
];

#[derive(Default)]
struct Totals {
    groups: usize,
    tests: usize,
    refused: BTreeMap<String, usize>,
    wrong: Vec<String>,
}

#[test]
#[ignore = "needs the folder of the suite in JSON_SCHEMA_TEST_SUITE"]
fn draft_2020_12_is_checked_as_the_suite_says() {
    run("draft2020-12", "https://json-schema.org/draft/2020-12/schema", 300);
}

#[test]
#[ignore = "needs the folder of the suite in JSON_SCHEMA_TEST_SUITE"]
fn draft_7_is_checked_as_the_suite_says() {
    run("draft7", "http://json-schema.org/draft-07/schema#", 200);
}

/// `least`: so many groups are run, or the suite isn't what it should be.
fn run(draft: &str, name: &str, least: usize) {
    let suite = env::var_os(VARIABLE).map(PathBuf::from);
    let suite =
        suite.unwrap_or_else(|| panic!("{VARIABLE} must be the folder of JSON-Schema-Test-Suite, and isn't set"));
    let folder = suite.join("tests").join(draft);
    let mut files = json_files(&folder);
    let wanted = |file: &PathBuf| file.file_stem().is_some_and(|stem| OPTIONAL.iter().any(|name| stem == *name));
    files.extend(json_files(&folder.join("optional")).into_iter().filter(wanted));
    let mut totals = Totals::default();
    for file in files {
        let groups: Value = serde_json::from_slice(&fs::read(&file).unwrap()).unwrap();
        let file = file.strip_prefix(&folder).unwrap().display().to_string();
        for group in groups.as_array().unwrap() {
            totals.run(&file, group, name);
        }
    }
    println!("{draft}: {} groups run, {} tests as the suite says", totals.groups, totals.tests);
    println!("{draft}: refused {}, by reason {:#?}", totals.refused.values().sum::<usize>(), totals.refused);
    assert!(totals.wrong.is_empty(), "{}", totals.wrong.join("\n"));
    assert!(totals.groups >= least, "only {} groups were run", totals.groups);
}

fn json_files(folder: &Path) -> Vec<PathBuf> {
    let entries = fs::read_dir(folder).unwrap_or_else(|error| panic!("{}: {error}", folder.display()));
    let mut files: Vec<_> = entries.map(|entry| entry.unwrap().path()).collect();
    files.retain(|file| file.extension().is_some_and(|extension| extension == "json"));
    files.sort();
    files
}

impl Totals {
    fn run(&mut self, file: &str, group: &Value, draft: &str) {
        let mut document = group["schema"].clone();
        if let Value::Object(keywords) = &mut document {
            // The files of draft 7 leave it to the reader.
            keywords.entry("$schema").or_insert_with(|| json!(draft));
        }
        let name = format!("{file}: {}", group["description"]);
        let schema = match Schema::read(&document, Where::Registered) {
            Ok(schema) => schema,
            Err(flaw) => {
                let reason = refusal(&flaw.reason);
                if !REFUSED.iter().any(|(known, _)| *known == reason) {
                    self.wrong.push(format!("{name}: refused: {flaw}"));
                }
                *self.refused.entry(reason).or_default() += 1;
                return;
            }
        };
        self.groups += 1;
        for test in group["tests"].as_array().unwrap() {
            let verdict = schema.check(&test["data"], &mut Steps::of_all());
            if verdict.is_ok() == test["valid"].as_bool().unwrap() {
                self.tests += 1;
            } else {
                self.wrong.push(format!("{name}: {}: {verdict:?}", test["description"]));
            }
        }
    }
}

fn refusal(reason: &Reason) -> String {
    match reason {
        Reason::Keyword { name, .. } => name.clone(),
        Reason::Remote => "$ref to another document".into(),
        Reason::Identifier => "$id within the schema".into(),
        Reason::Draft => "$schema of another draft".into(),
        Reason::Pattern(Unfit::UnicodeProperty) => "\\p in a pattern".into(),
        other => other.to_string(),
    }
}
