//! One program for all targets: `TARGET` names the one that libFuzzer runs.

#![no_main]

use std::sync::LazyLock;

use libfuzzer_sys::fuzz_target;
use nexus_fuzz::{Target, target};

static ASKED: LazyLock<Target> = LazyLock::new(|| {
    let name = std::env::var("TARGET").expect("TARGET: run `make fuzz`");
    target(&name).unwrap_or_else(|| panic!("TARGET: nothing is called `{name}`"))
});

fuzz_target!(|input: &[u8]| ASKED(input));
