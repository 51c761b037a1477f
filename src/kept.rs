//! What a provider keeps under an id, and whose it is: responses, the items in them, conversations.
//!
//! A provider knows the gateway by one key, so to it all tenants are one. Whose an id is, only its maker's answer says, as it
//! passes. Trade-off: of each id a hash of 64 bits is kept, in a table of a fixed size for each tenant. So nothing grows,
//! no tenant's ids push out another's, and no answer is changed; but what is older than the table, or than the process, is
//! nobody's.

pub mod held;

use crate::hash::{fnv, mixed};

/// What becomes of a request that leans on what a provider keeps.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, serde::Deserialize)]
#[serde(rename_all = "snake_case")]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub enum StoredResponses {
    /// A tenant has those that it made here, as far back as its table reaches; to it there are no others.
    #[default]
    Own,
    /// Whoever knows an id has what it stands for, whosever it is.
    Any,
    /// Providers are asked to keep nothing, and nothing is asked of what they have.
    Refuse,
}

/// A hash of 64 bits. Nobody chooses an id but the provider, so none can be made to equal another's.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Id(u64);

/// A tenant's table is cut into so many values, each found by its id's hash: a write copies little.
const BUCKETS: u64 = 128;
/// How many ids each holds. Of 8,192 in all, the last 4,000 are there but for one in a million.
const SLOTS: usize = 64;
const BYTES: usize = 8;

impl Id {
    pub fn of(text: &str) -> Self {
        Self(mixed(fnv(text.bytes())))
    }

    /// Which of the tenant's buckets it is in.
    pub const fn bucket(self) -> u64 {
        self.0 % BUCKETS
    }
}

/// Whether a bucket, as it is stored, has it.
pub fn knows(bucket: &[u8], id: Id) -> bool {
    bucket.chunks_exact(BYTES).any(|known| known == id.0.to_le_bytes())
}

/// The bucket with this id as its newest; the oldest may go for it. `None`: it is there already.
pub fn with(bucket: &[u8], id: Id) -> Option<Vec<u8>> {
    if knows(bucket, id) {
        return None;
    }
    let whole = bucket.len().checked_sub(bucket.len().checked_rem(BYTES)?)?;
    let room = SLOTS.checked_sub(1)?.checked_mul(BYTES)?;
    let newest = bucket.get(whole.saturating_sub(room)..whole)?;
    Some([newest, &id.0.to_le_bytes()].concat())
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::HashMap;

    #[test]
    fn an_id_is_known_after_thousands_of_others_and_the_table_never_grows() {
        let mut table: HashMap<u64, Vec<u8>> = HashMap::new();
        let id = |at: u32| Id::of(&format!("resp_{at:048x}"));
        let note = |table: &mut HashMap<u64, Vec<u8>>, id: Id| {
            let bucket = table.entry(id.bucket()).or_default();
            if let Some(written) = with(bucket, id) {
                *bucket = written;
            }
        };
        for at in 0..100_000 {
            note(&mut table, id(at));
            if at >= 4_000 && at % 997 == 0 {
                let early = id(at - 4_000);
                assert!(knows(&table[&early.bucket()], early), "{at}");
            }
        }
        assert_eq!(table.len() as u64, BUCKETS);
        assert!(table.values().all(|bucket| bucket.len() <= SLOTS * BYTES));
        let first = id(0);
        assert!(!knows(&table[&first.bucket()], first), "the oldest made room");
    }

    #[test]
    fn what_is_known_is_not_written_again_and_rubbish_is_no_id() {
        let id = Id::of("resp_1");
        let one = with(b"", id).unwrap();
        assert_eq!(with(&one, id), None);
        assert!(knows(&one, id) && !knows(&one, Id::of("resp_2")) && !knows(b"", id));
        let odd = [&one[..], b"abc"].concat();
        assert!(knows(&odd, id));
        assert_eq!(with(&odd, Id::of("resp_2")).unwrap().len(), 16, "the rest that is no id goes");
    }
}
