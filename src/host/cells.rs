//! The cells of tenants, groups, and of both for model groups, in Envoy's shared data, changed by a bounded compare-and-swap.
//!
//! Trade-off: shared data has one mutex for the process and no delete; keys are therefore one per configured
//! account, and values under 1 kB. The decision is a closure, because a lost race must decide again on what the winner left.

use super::lines;
use super::shared_data::{self, Change, Swapped};
use crate::limit::SwapLost;
use crate::limit::accounts::{Holder, Whose};
use crate::limit::cell::Cell;
use crate::units::NanoUsd;
use log::Level;

/// Rounds before an admission gives up: with two workers a round is lost about one time in eight.
pub const ADMIT_ATTEMPTS: u32 = 64;
/// A settlement is money that was spent: it gives up only when something is badly wrong.
pub const SETTLE_ATTEMPTS: u32 = 10_000;

pub struct Swap<T> {
    pub outcome: Result<T, SwapLost>,
    /// Races that were lost on the way.
    pub lost: u32,
    /// The stored bytes were of an unknown version, and the tenant began with an empty cell.
    pub forgot: bool,
}

fn key(whose: Whose<'_>) -> String {
    match whose {
        Whose::Tenant(tenant) => ["nexus:cell2:", tenant].concat(),
        Whose::Group(group) => ["nexus:group2:", group].concat(),
        // No name has a `;` in it.
        Whose::Models { of: Holder::Tenant(tenant), models } => ["nexus:models2:", models, ";tenant;", tenant].concat(),
        Whose::Models { of: Holder::Group(group), models } => ["nexus:models2:", models, ";group;", group].concat(),
    }
}

/// Where the first version of a cell lay. While Envoy takes up new code, exchanges of the old one still end: it would not know
/// the bytes of a newer cell, begin it anew and forget a month. So it keeps its own, which is the beginning of ours.
fn of_first_version(whose: Whose<'_>) -> Option<Vec<u8>> {
    match whose {
        Whose::Tenant(tenant) => shared_data::read(&["nexus:cell:", tenant].concat()),
        Whose::Group(_) | Whose::Models { .. } => None,
    }
}

/// Applies `change` to an account's cell. It says what it found, and whether the changed cell is to be stored.
pub fn swap<T>(whose: Whose<'_>, attempts: u32, mut change: impl FnMut(&mut Cell) -> (T, bool)) -> Swap<T> {
    let mut found = None;
    let Swap { outcome, lost, forgot } = swapped(whose, attempts, &mut |cell| {
        let (value, store) = change(cell);
        found = Some(value);
        store
    });
    Swap { outcome: outcome.and(found.ok_or(SwapLost)), lost, forgot }
}

/// The same for every change: there are several, and much code in this.
fn swapped(whose: Whose<'_>, attempts: u32, change: &mut dyn FnMut(&mut Cell) -> bool) -> Swap<()> {
    let mut forgot = false;
    let Swapped { value, lost } = shared_data::swap(&key(whose), attempts, |bytes| {
        let bytes = bytes.or_else(|| of_first_version(whose));
        let mut cell = match bytes.as_deref().map(Cell::decode) {
            None => Cell::default(),
            Some(Ok(cell)) => cell,
            Some(Err(_)) => {
                if !forgot {
                    lines::say(
                        Level::Warn,
                        "unknown_cell_version",
                        format_args!(
                            "the books of {whose} were written by another version of this filter and begin anew: what it spent in \
                             this period is in the records. Load the newer version again to go on with them"
                        ),
                    );
                }
                forgot = true;
                Cell::default()
            }
        };
        if change(&mut cell) { Change::Store((), cell.encode()) } else { Change::Keep(()) }
    });
    Swap { outcome: value.ok_or(SwapLost), lost, forgot }
}

fn published_key(tenant: &str) -> String {
    format!("nexus:told:{tenant}")
}

/// From here on the service that several Envoys share learns what the tenant is charged: after `charged`, unless somebody
/// has begun already. `anew` where the cell has.
pub fn begin_to_publish(tenant: &str, charged: NanoUsd, anew: bool) {
    let (key, charged) = (published_key(tenant), charged.0.to_le_bytes());
    if anew { shared_data::overwrite(&key, &charged) } else { shared_data::insert(&key, &charged) }
}

/// Notes that all charges up to `now` are published. Returns what was published before; `now` itself if another worker was
/// faster, or if nothing could be noted.
pub fn publish(tenant: &str, now: NanoUsd) -> NanoUsd {
    let published = |bytes: Option<Vec<u8>>| Some(NanoUsd(u64::from_le_bytes(*bytes?.first_chunk::<8>()?)));
    let swapped = shared_data::swap(&published_key(tenant), SETTLE_ATTEMPTS, |bytes| match published(bytes) {
        Some(before) if before < now => Change::Store(before, now.0.to_le_bytes()),
        _ => Change::Keep(now),
    });
    swapped.value.unwrap_or(now)
}

/// An account's cell as it is, if it has one.
pub fn read(whose: Whose<'_>) -> Option<Cell> {
    let bytes = shared_data::read(&key(whose)).or_else(|| of_first_version(whose))?;
    Cell::decode(&bytes).ok()
}
