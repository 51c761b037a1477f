//! Tenants' cells in Envoy's shared data, changed by a bounded compare-and-swap.
//!
//! Trade-off: shared data has one mutex for the process and no delete; keys are therefore one per configured tenant,
//! and values under 1 kB. The decision is a closure, because a lost race must decide again on what the winner left.

use super::lines;
use crate::limit::SwapStarved;
use crate::limit::cell::Cell;
use crate::units::NanoUsd;
use log::Level;
use proxy_wasm::hostcalls;
use proxy_wasm::types::Status;

/// Rounds before an admission gives up: with two workers a round is lost about one time in eight.
pub const ADMIT_ATTEMPTS: u32 = 64;
/// A settlement is money that was spent: it gives up only when something is badly wrong.
pub const SETTLE_ATTEMPTS: u32 = 10_000;

/// `None` as the CAS value would write unconditionally and lose a rival's first write; an impossible one makes the
/// host insert only if the key is absent.
const ABSENT: u32 = u32::MAX;

pub struct Swap<T> {
    pub outcome: Result<T, SwapStarved>,
    /// Races that were lost on the way.
    pub lost: u32,
    /// The stored bytes were of an unknown version, and the tenant began with an empty cell.
    pub forgot: bool,
}

fn key(tenant: &str) -> String {
    ["nexus:cell2:", tenant].concat()
}

/// Where the first version of a cell lay. While Envoy takes up new code, exchanges of the old one still end: it would not know
/// the bytes of a newer cell, begin it anew and forget a month. So it keeps its own, which is the beginning of ours.
fn first_key(tenant: &str) -> String {
    ["nexus:cell:", tenant].concat()
}

type Stored = (Option<Vec<u8>>, Option<u32>);

fn stored(tenant: &str, key: &str) -> Result<Stored, Status> {
    match hostcalls::get_shared_data(key)? {
        (None, _) => Ok((hostcalls::get_shared_data(&first_key(tenant))?.0, None)),
        found => Ok(found),
    }
}

/// Applies `change` to the tenant's cell. It says what it found, and whether the changed cell is to be stored.
pub fn swap<T>(tenant: &str, attempts: u32, mut change: impl FnMut(&mut Cell) -> (T, bool)) -> Swap<T> {
    let key = key(tenant);
    let mut forgot = false;
    for lost in 0..attempts {
        let Ok((bytes, cas)) = stored(tenant, &key) else { break };
        let mut cell = match bytes.as_deref().map(Cell::decode) {
            None => Cell::default(),
            Some(Ok(cell)) => cell,
            Some(Err(_)) => {
                if !forgot {
                    lines::say(
                        Level::Warn,
                        "unknown_cell_version",
                        format_args!(
                            "the books of tenant {tenant} were written by another version of this filter and begin anew: \
                             what it spent in this period is in the records. Load the newer version again to go on with them"
                        ),
                    );
                }
                forgot = true;
                Cell::default()
            }
        };
        let (value, store) = change(&mut cell);
        if !store {
            return Swap { outcome: Ok(value), lost, forgot };
        }
        if hostcalls::set_shared_data(&key, Some(&cell.encode()), Some(cas.unwrap_or(ABSENT))).is_ok() {
            return Swap { outcome: Ok(value), lost, forgot };
        }
    }
    Swap { outcome: Err(SwapStarved), lost: attempts, forgot }
}

fn told_key(tenant: &str) -> String {
    format!("nexus:told:{tenant}")
}

fn read_told(key: &str) -> (Option<NanoUsd>, u32) {
    let (bytes, cas) = hostcalls::get_shared_data(key).unwrap_or_default();
    let told = bytes.and_then(|bytes| Some(NanoUsd(u64::from_le_bytes(*bytes.first_chunk::<8>()?))));
    (told, cas.unwrap_or(ABSENT))
}

/// From here on the service that several Envoys share is told what the tenant is charged: after `charged`, unless somebody
/// has begun already. `anew` where the cell has.
pub fn begin_to_tell(tenant: &str, charged: NanoUsd, anew: bool) {
    let cas = if anew { None } else { Some(ABSENT) };
    // Where it is there already, it stays.
    let _ = hostcalls::set_shared_data(&told_key(tenant), Some(&charged.0.to_le_bytes()), cas);
}

/// Notes that the service is told of all charges up to `now`. What it was told before; `now` itself if another worker was
/// faster, or if nothing could be noted.
pub fn tell(tenant: &str, now: NanoUsd) -> NanoUsd {
    let key = told_key(tenant);
    for _ in 0..SETTLE_ATTEMPTS {
        let (told, cas) = read_told(&key);
        let Some(told) = told.filter(|told| *told < now) else { break };
        if hostcalls::set_shared_data(&key, Some(&now.0.to_le_bytes()), Some(cas)).is_ok() {
            return told;
        }
    }
    now
}

/// The tenant's cell as it is, if it has one.
pub fn read(tenant: &str) -> Option<Cell> {
    let (bytes, _) = stored(tenant, &key(tenant)).ok()?;
    Cell::decode(&bytes?).ok()
}
