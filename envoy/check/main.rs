//! `make check-config FILE=…`: what Envoy would say of a configuration, without Envoy. `make ratelimit-config FILE=…`: what
//! envoyproxy/ratelimit is configured with, by the same limits.
//!
//! Trade-off: it checks nothing by itself. The filter's own reader says what is wrong, so the two can't disagree; what is
//! here finds the configurations in a file, and the place in the file that the reader means.

mod attempts;
mod plugins;
mod ratelimit;
mod reading;
mod schema;
mod tables;
mod yaml;

use std::process::ExitCode;

use nexus_ai_gateway::policy::Policy;
use plugins::{Finding, Verdict, check};

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let all_right = match arguments.as_slice() {
        [] => {
            eprintln!("check-config: name the files to check: make check-config FILE=envoy.yaml");
            false
        }
        [asked] if asked == "--schema" => {
            println!("{:#}", schema::schema());
            true
        }
        [asked] if asked == "--tables" => {
            println!("{:#}", tables::tables());
            true
        }
        [asked, file] if asked == "--ratelimit" => print_ratelimit(file),
        files => files.iter().filter(|file| policies(file, |line| println!("{line}")).is_none()).count() == 0,
    };
    if all_right { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}

/// What the rate limit service is configured with, by the limits that the file's gateway shares.
fn print_ratelimit(file: &str) -> bool {
    let Some(policies) = policies(file, |_| {}) else { return false };
    let mut written: Vec<_> =
        policies.iter().filter(|policy| policy.replicas.is_some()).map(ratelimit::configuration).collect();
    // Gateways that share the same limits are one to the service.
    written.dedup();
    match written.as_slice() {
        [one] => print!("{one}"),
        [] => eprintln!("{file}: it shares nothing: `replicas` is missing in its configuration of the plugin"),
        _ => eprintln!("{file}: it holds several gateways that share different limits, and the service knows one kind"),
    }
    written.len() == 1
}

/// All of a file's gateways, if nothing in it is refused.
fn policies(file: &str, say: impl Fn(String)) -> Option<Vec<Policy>> {
    let text = std::fs::read_to_string(file).map_err(|error| eprintln!("{file}: {error}")).ok()?;
    let (mut policies, mut all_right) = (Vec::new(), true);
    for Finding { at, verdict, policy } in check(&text, file.ends_with(".json")) {
        let place = format!("{file}:{}:{}", at.line, at.column);
        match verdict {
            Verdict::Accepted => say(format!("{place}: accepted")),
            Verdict::NotOurs => say(format!("{place}: another plugin's, left alone")),
            Verdict::Refused(message) => {
                eprintln!("{place}: {message}");
                all_right = false;
            }
        }
        policies.extend(policy.map(|policy| *policy));
    }
    all_right.then_some(policies)
}
