//! Recall and precision of the built-in detectors and of presidio's pattern recognisers, over what `generate.py` wrote.
//!
//! With a kind as the second argument: what of it is missed, and what is wrong.

use std::collections::BTreeMap;
use std::ops::Range;

use nexus_ai_gateway::detect::{ALL, Automaton, Detector, Pattern, Span, Watched, Work};
use serde_json::Value;

type Found = Vec<(&'static str, Range<usize>)>;

/// Detectors that are looked for together, as the filter does.
struct Together {
    detectors: Vec<&'static Detector>,
    automaton: Automaton,
}

impl Together {
    fn new(detectors: Vec<&'static Detector>) -> Self {
        let patterns: Vec<_> = detectors.iter().copied().map(Pattern::of).collect();
        let automaton = Automaton::build(&patterns).unwrap_or_else(|flaw| panic!("{flaw:?}"));
        Self { detectors, automaton }
    }

    fn findings(&self, text: &str) -> Found {
        let (mut watched, mut stretches, mut found) = (Watched::default(), Vec::new(), Found::new());
        let all = Span { from: 0, to: text.len() as u64 };
        watched.feed(&self.automaton, text, all, &mut |stretch| stretches.push(stretch));
        watched.end(&self.automaton, &mut |stretch| stretches.push(stretch));
        let mut work = Work::START;
        work.read(text.len());
        for stretch in &mut stretches {
            stretch.look(&self.automaton, stretch.text.len(), &mut work);
            let everywhere = (|_| true, |_: &Range<usize>| true);
            stretch.candidates.findings(stretch.text.len(), everywhere, |finding| {
                let spans = stretch.spans(finding.range);
                if let (Some(first), Some(last)) = (spans.first(), spans.last()) {
                    let place = |at: u64| usize::try_from(at).expect("a text is shorter");
                    found.push((self.detectors[finding.pattern].name, place(first.from)..place(last.to)));
                }
            });
        }
        found
    }
}

/// Nine tenths of what both have: a bracket or a full stop more is no other place.
fn same(one: &Range<usize>, other: &Range<usize>) -> bool {
    let both = one.end.min(other.end).saturating_sub(one.start.max(other.start));
    let either = one.end.max(other.end) - one.start.min(other.start);
    both * 10 >= either * 9
}

fn is_among(one: &Range<usize>, others: &[Range<usize>]) -> bool {
    others.iter().any(|other| same(one, other))
}

#[derive(Default)]
struct Score {
    labels: usize,
    labels_found: usize,
    found: usize,
    found_right: usize,
}

impl Score {
    fn add(&mut self, labels: &[Range<usize>], found: &[Range<usize>]) {
        self.labels += labels.len();
        self.labels_found += labels.iter().filter(|label| is_among(label, found)).count();
        self.found += found.len();
        self.found_right += found.iter().filter(|found| is_among(found, labels)).count();
    }

    fn told(&self) -> String {
        let percent = |part: usize, whole: usize| format!("{:.1} %", part as f64 * 100.0 / whole as f64);
        if self.found == 0 {
            return "– | –".to_owned();
        }
        format!("{} | {}", percent(self.labels_found, self.labels), percent(self.found_right, self.found))
    }
}

/// The places of a kind that a line has, of a score that is not less.
fn places(line: &Value, key: &str, kind: &str, least: f64) -> Vec<Range<usize>> {
    let all = line[key].as_array().into_iter().flatten();
    let of_kind = all.filter(|found| found[0] == kind && found[3].as_f64().is_none_or(|score| score >= least));
    let place = |found: &Value, at: usize| found[at].as_u64().and_then(|at| usize::try_from(at).ok()).expect("a place");
    of_kind.map(|found| place(found, 1)..place(found, 2)).collect()
}

fn main() {
    let mut arguments = std::env::args().skip(1);
    let file = arguments.next().expect("name the file that generate.py wrote");
    let shown_kind = arguments.next();
    let text = std::fs::read_to_string(&file).unwrap_or_else(|error| panic!("{file}: {error}"));
    let lines: Vec<Value> = text.lines().map(|line| serde_json::from_str(line).expect("a line of JSON")).collect();
    let text = |line: &Value| line["text"].as_str().expect("a text").to_owned();

    let all = Together::new(ALL.iter().collect());
    let together: Vec<Found> = lines.iter().map(|line| all.findings(&text(line))).collect();
    println!(
        "| kind | samples | alone: recall | precision | all: recall | precision | presidio: recall | precision | from 0.4: recall | precision |"
    );
    println!("|---|---:|---:|---:|---:|---:|---:|---:|---:|---:|");
    for detector in &ALL {
        let one = Together::new(vec![detector]);
        let [mut alone, mut among, mut theirs, mut confident]: [Score; 4] = Default::default();
        let mut shown: BTreeMap<&str, Vec<String>> = BTreeMap::new();
        for (line, together) in lines.iter().zip(&together) {
            let text = text(line);
            let labels = places(line, "labels", detector.name, 0.0);
            let ours: Vec<_> = one.findings(&text).into_iter().map(|(_, range)| range).collect();
            let of_us = together.iter().filter(|(name, _)| *name == detector.name);
            let of_them = places(line, "theirs", detector.name, 0.0);
            alone.add(&labels, &ours);
            among.add(&labels, &of_us.map(|(_, range)| range.clone()).collect::<Vec<_>>());
            theirs.add(&labels, &of_them);
            confident.add(&labels, &places(line, "theirs", detector.name, 0.4));
            for (who, found) in [("us", &ours), ("presidio", &of_them)] {
                if labels.iter().any(|label| !is_among(label, found)) {
                    shown
                        .entry(if who == "us" { "missed by us" } else { "missed by presidio" })
                        .or_default()
                        .push(format!("{text:?}"));
                }
                if let Some(wrong) = found.iter().find(|found| !is_among(found, &labels)) {
                    let what = if who == "us" { "wrong of us" } else { "wrong of presidio" };
                    shown.entry(what).or_default().push(format!("{:?} in {text:?}", text.get(wrong.clone())));
                }
            }
        }
        let scores = [&alone, &among, &theirs, &confident].map(Score::told).join(" | ");
        println!("| `{}` | {} | {scores} |", detector.name, alone.labels);
        if shown_kind.as_deref() == Some(detector.name) {
            for (what, lines) in shown {
                println!("\n{what}: {}", lines.len());
                lines.iter().step_by((lines.len() / 25).max(1)).for_each(|line| println!("  {line}"));
            }
            println!();
        }
    }
}
