//! What the figures may come to, read from `budgets.txt`, which says what they mean.

use crate::host::Tally;
use std::collections::BTreeMap;
use std::fmt::Write;
use std::fs;
use std::path::Path;
use std::process::ExitCode;

/// Of one row of five figures; a row may also have one alone.
const COLUMNS: [&str; 5] = ["host calls", "handed", "bytes in", "bytes out", "instructions"];
/// Another release of the compiler makes other instructions of the same source.
const SLACK_PERCENT: u64 = 2;
const TIGHTEN_PERCENT: u64 = 5;

pub struct Row {
    name: String,
    figures: Vec<u64>,
}

impl Row {
    pub fn of(name: &str, tally: &Tally) -> Self {
        let figures = vec![tally.host_calls(), tally.handed, tally.bytes_in, tally.bytes_out, tally.instructions];
        Self { name: name.to_owned(), figures }
    }

    pub fn single(name: &str, figure: u64) -> Self {
        Self { name: name.to_owned(), figures: vec![figure] }
    }

    fn column(&self, at: usize) -> &'static str {
        if self.figures.len() == 1 { "" } else { COLUMNS[at] }
    }

    /// Calls and bytes are what they are, whatever the compiler.
    fn is_exact(&self, at: usize) -> bool {
        self.figures.len() > 1 && at + 1 < COLUMNS.len()
    }

    fn line(&self) -> String {
        let mut line = format!("{:<24}", self.name);
        self.figures.iter().for_each(|figure| write!(line, "{figure:>13}").expect("text"));
        line
    }
}

pub struct Budgets {
    /// What the file says before its first row.
    preface: String,
    rows: BTreeMap<String, Vec<u64>>,
}

impl Budgets {
    pub fn read(path: &Path) -> Self {
        let text = fs::read_to_string(path).expect("the budgets");
        let says = |line: &&str| line.starts_with('#') || line.trim().is_empty();
        let preface = text.lines().take_while(says).map(|line| format!("{line}\n")).collect();
        let rows = text.lines().filter(|line| !says(line)).map(|line| {
            let mut words = line.split_whitespace();
            let name = words.next().expect("a name").to_owned();
            (name, words.map(|word| word.parse().unwrap_or_else(|_| panic!("`{word}` is no number: {line}"))).collect())
        });
        Self { preface, rows: rows.collect() }
    }

    /// Prints every figure, and leaves a file of them under `out` that could be the next budgets.
    pub fn judge(mut self, rows: &[Row], out: &Path) -> ExitCode {
        let (mut over, mut below, mut next) = (String::new(), String::new(), self.preface.clone());
        println!("{:<24}{}", "", COLUMNS.map(|column| format!("{column:>13}")).concat());
        for row in rows {
            println!("{}", row.line());
            writeln!(next, "{}", row.line()).expect("text");
            let Some(budget) = self.rows.remove(&row.name).filter(|budget| budget.len() == row.figures.len()) else {
                writeln!(over, "{}: has no budget", row.name).expect("text");
                continue;
            };
            for (at, (figure, budget)) in row.figures.iter().zip(budget).enumerate() {
                let percent = if row.is_exact(at) { 0 } else { SLACK_PERCENT };
                let change = (*figure as f64 / budget as f64 - 1.0) * 100.0;
                let told = format!("{:<24}{:>13}{figure:>13}{budget:>13}{change:>+9.1}%\n", row.name, row.column(at));
                if *figure * 100 > budget * (100 + percent) {
                    over += &told;
                } else if *figure * 100 < budget * (100 - TIGHTEN_PERCENT) || (percent == 0 && *figure < budget) {
                    below += &told;
                }
            }
        }
        let forgotten = self.rows.keys().map(|name| format!("{name}: a budget of nothing that is measured\n"));
        over.extend(forgotten);
        let path = out.join("budgets.txt");
        fs::write(&path, next).expect("a file under target/cost");
        let head = format!("{:<24}{:>13}{:>13}{:>13}{:>10}", "", "", "measured", "budget", "change");
        if !below.is_empty() {
            println!(
                "\nBelow its budget: tighten tests/cost/budgets.txt (target/cost/budgets.txt has the figures).\n{head}\n{below}"
            );
        }
        if over.is_empty() {
            return ExitCode::SUCCESS;
        }
        eprintln!(
            "\nOver its budget. target/cost/breakdown.txt says which callbacks and host calls it comes from.\n{head}\n{over}"
        );
        ExitCode::FAILURE
    }
}
