//! What the filter says in Envoy's log.
//!
//! Trade-off: a fault comes with every request, and a log that repeats it a thousand times a second hides all else. So
//! each kind of line comes at most once a minute from a worker, and says how many were left out.

use super::clock;
use crate::units::UnixNanos;
use hashbrown::HashMap;
use log::Level;
use std::cell::RefCell;
use std::fmt::Display;

const QUIET_NANOS: u64 = 60_000_000_000;

struct Repeated {
    at: UnixNanos,
    left_out: u64,
}

thread_local! {
    /// By kind; there are as many as there are places that say something.
    static SAID: RefCell<HashMap<&'static str, Repeated>> = RefCell::new(HashMap::new());
}

/// `kind` stands in the line, so that it can be searched and alerted on.
pub fn say(level: Level, kind: &'static str, line: impl Display) {
    let now = clock::now();
    let left_out = SAID.with(|said| {
        let mut said = said.try_borrow_mut().ok()?;
        match said.get_mut(kind) {
            Some(before) if now.since(before.at) < QUIET_NANOS => {
                before.left_out = before.left_out.saturating_add(1);
                None
            }
            before => {
                let left_out = before.map_or(0, |before| before.left_out);
                said.insert(kind, Repeated { at: now, left_out: 0 });
                Some(left_out)
            }
        }
    });
    match left_out {
        Some(0) => log::log!(level, "{kind}: {line}"),
        Some(more) => log::log!(level, "{kind}: {line} ({more} more since the last line of this kind)"),
        None => {}
    }
}
