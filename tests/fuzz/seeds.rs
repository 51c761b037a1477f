//! Every seed keeps its target's promise, and so does what is near it: the same inputs on any machine, in seconds.

#![expect(clippy::unwrap_used, clippy::indexing_slicing, reason = "a test")]

use std::fs;
use std::panic::{catch_unwind, resume_unwind};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::LazyLock;

use nexus_fuzz::TARGETS;

/// Where the seeds are: tests/fuzz/seeds.py writes them from the fixtures.
static SEEDS: LazyLock<PathBuf> = LazyLock::new(|| {
    let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join("seeds");
    let _ = fs::remove_dir_all(&folder);
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("seeds.py");
    let written = Command::new("python3").arg(script).arg(&folder).output().unwrap();
    assert!(written.status.success(), "{}", String::from_utf8_lossy(&written.stderr));
    folder
});

/// Numbers that look like chance and are the same in each run.
struct Chance(u32);

impl Chance {
    fn below(&mut self, most: usize) -> usize {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 17;
        self.0 ^= self.0 << 5;
        self.0 as usize % most.max(1)
    }

    fn place(&mut self, input: &[u8]) -> [usize; 2] {
        let from = self.below(input.len() + 1);
        [from, (from + 1 + self.below(16)).min(input.len())]
    }

    /// An input with something lost, doubled, changed, or brought from another one.
    fn near(&mut self, input: &[u8], other: &[u8]) -> Vec<u8> {
        let mut near = input.to_vec();
        for _ in 0..=self.below(3) {
            let [from, to] = self.place(&near);
            match self.below(5) {
                0 => drop(near.drain(from..to)),
                1 => {
                    let doubled = near[from..to].to_vec();
                    near.splice(to..to, doubled);
                }
                2 => near[from..to].iter_mut().for_each(|byte| *byte = self.below(256) as u8),
                3 => near.truncate(from),
                _ => {
                    let [begin, end] = self.place(other);
                    near.splice(from..to, other[begin..end].iter().copied());
                }
            }
        }
        near
    }
}

fn keeps(name: &str, near: usize) {
    let (_, target) = TARGETS.into_iter().find(|(known, _)| *known == name).unwrap();
    let folder = SEEDS.join(name);
    let mut files: Vec<_> = fs::read_dir(&folder).unwrap().map(|entry| entry.unwrap().path()).collect();
    files.sort();
    let seeds: Vec<_> = files.iter().map(|file| fs::read(file).unwrap()).collect();
    assert!(!seeds.is_empty(), "{name} has no seeds");
    let mut chance = Chance(0x9e37_79b9);
    let broken = folder.with_extension("broken");
    let hold = |input: &[u8]| {
        if let Err(panic) = catch_unwind(|| target(input)) {
            fs::write(&broken, input).unwrap();
            eprintln!("a promise is broken by {}", broken.display());
            resume_unwind(panic);
        }
    };
    seeds.iter().for_each(|seed| hold(seed));
    for nth in 0..near {
        let other = &seeds[chance.below(seeds.len())];
        hold(&chance.near(&seeds[nth % seeds.len()], other));
    }
}

#[test]
fn answer() {
    keeps("answer", 1_500);
}

#[test]
fn configuration() {
    keeps("configuration", 4_000);
}

#[test]
fn content() {
    keeps("content", 1_000);
}

#[test]
fn exchange() {
    keeps("exchange", 4_000);
}

#[test]
fn form() {
    keeps("form", 4_000);
}

#[test]
fn request() {
    keeps("request", 4_000);
}

#[test]
fn scanner() {
    keeps("scanner", 3_000);
}

#[test]
fn tools() {
    keeps("tools", 700);
}
