//! `make check-config FILE=…`: what Envoy would say of a configuration, without Envoy.
//!
//! Trade-off: it checks nothing by itself. The filter's own reader says what is wrong, so the two can't disagree; what is
//! here finds the configurations in a file, and the place in the file that the reader means.

mod plugins;
mod reading;
mod schema;
mod yaml;

use std::process::ExitCode;

use plugins::{Finding, Verdict, check};

fn main() -> ExitCode {
    let files: Vec<String> = std::env::args().skip(1).collect();
    if files.is_empty() {
        eprintln!("check-config: name the files to check: make check-config FILE=envoy.yaml");
        return ExitCode::FAILURE;
    }
    if files == ["--schema"] {
        println!("{:#}", schema::schema());
        return ExitCode::SUCCESS;
    }
    let mut all_right = true;
    for file in files {
        let text = match std::fs::read_to_string(&file) {
            Ok(text) => text,
            Err(error) => {
                eprintln!("{file}: {error}");
                all_right = false;
                continue;
            }
        };
        for Finding { at, verdict } in check(&text, file.ends_with(".json")) {
            let place = format!("{file}:{}:{}", at.line, at.column);
            match verdict {
                Verdict::Accepted => println!("{place}: accepted"),
                Verdict::NotOurs => println!("{place}: another plugin's, left alone"),
                Verdict::Refused(message) => {
                    eprintln!("{place}: {message}");
                    all_right = false;
                }
            }
        }
    }
    if all_right { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}
