//! Envoy's shared data: what all workers of a process know, and the one compare-and-swap by which it is changed.
//!
//! Envoy holds one mutex for all keys, and deletes none: keys come from the configuration, and values are small.

use proxy_wasm::hostcalls;

/// `None` as the number would write unconditionally, and lose a rival's first write; an impossible one makes the host insert
/// only if the key is absent.
const ABSENT: u32 = u32::MAX;

/// What a round makes of a value.
pub enum Change<T, B> {
    /// It stays as it is.
    Keep(T),
    Store(T, B),
}

pub struct Swapped<T> {
    /// `None` if every round was lost, or Envoy refuses.
    pub value: Option<T>,
    /// Rounds that were lost.
    pub lost: u32,
}

pub fn read(key: &str) -> Option<Vec<u8>> {
    hostcalls::get_shared_data(key).ok()?.0
}

/// Asks `change` what the value becomes, again whenever another worker was faster: a lost race must decide anew on what the
/// winner left.
pub fn swap<T, B: AsRef<[u8]>>(
    key: &str,
    attempts: u32,
    mut change: impl FnMut(Option<Vec<u8>>) -> Change<T, B>,
) -> Swapped<T> {
    for lost in 0..attempts {
        let Ok((bytes, cas)) = hostcalls::get_shared_data(key) else { break };
        match change(bytes) {
            Change::Keep(value) => return Swapped { value: Some(value), lost },
            Change::Store(value, bytes) => {
                if hostcalls::set_shared_data(key, Some(bytes.as_ref()), Some(cas.unwrap_or(ABSENT))).is_ok() {
                    return Swapped { value: Some(value), lost };
                }
            }
        }
    }
    Swapped { value: None, lost: attempts }
}

/// Writes a value that nobody has written yet.
pub fn insert(key: &str, bytes: &[u8]) {
    // Where it is there already, it stays.
    let _ = hostcalls::set_shared_data(key, Some(bytes), Some(ABSENT));
}

/// Writes a value over whatever is there.
pub fn overwrite(key: &str, bytes: &[u8]) {
    let _ = hostcalls::set_shared_data(key, Some(bytes), None);
}
