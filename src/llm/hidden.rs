//! Input that a request only points at: what its provider keeps or fetches, and what hosted tools bring in.
//!
//! Nobody here sees it, so it is taken for what it may hold. An id of a response that was seen made here holds what that
//! came to; a tool brings so much each time; all else holds as much as the model reads. A report says what it was, and is
//! believed as far as this could explain it.

use super::tools::USES;
use crate::units::Tokens;

/// How much of its input a request may hide.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Hidden {
    /// The first field that may bring as much as the model reads.
    pub whole: Option<&'static str>,
    /// Behind ids whose size is known, and by the first field that has one.
    pub held: Tokens,
    pub held_by: Option<&'static str>,
    /// By hosted tools: how often they may be used, what that brings in all, and each time at most.
    pub uses: u64,
    pub brought: Tokens,
    pub each: Tokens,
    /// It has what may be more than it was taken for: files and pictures, fields that no table knows.
    pub unsure: bool,
}

/// Where nothing bounds them, [`USES`] are reserved for and so many are believed: a server of tools can make a model ask again and again.
const MOST_USES: u64 = 80;
/// The longest context that is sold, of a model whose own isn't known.
const LONGEST: Tokens = Tokens(4_000_000);

impl Hidden {
    pub const fn is_nothing(&self) -> bool {
        self.whole.is_none() && self.held.0 == 0 && self.brought.0 == 0
    }

    /// The field that brings most of it.
    pub fn field(&self) -> Option<&'static str> {
        self.whole.or(self.held_by).or((self.uses > 0).then_some("tools"))
    }

    /// What is reserved for it, where the model has so much room beside what the body holds; `most`: the operator's own figure for
    /// what isn't known.
    pub fn most(&self, room: Tokens, most: Option<Tokens>) -> Tokens {
        let unknown = if self.whole.is_some() { room } else { self.brought };
        let unknown = most.map_or(unknown, |most| unknown.min(most));
        self.held.plus(unknown).min(room)
    }

    /// What it is charged as where no report says what it was, and of hosted tools nothing was seen to run.
    pub fn likely(&self, room: Tokens, most: Option<Tokens>) -> Tokens {
        Self { brought: Tokens(0), ..*self }.most(room, most)
    }

    /// Of what tools bring, that of so many uses.
    pub fn of_uses(&self, uses: u64, room: Tokens) -> Tokens {
        self.brought.min(self.each.times(uses)).min(room)
    }

    /// What of a report it explains, beyond what the body does. Each round of a hosted tool reads all the context again, and where
    /// nothing bounds them there may be more than were reserved for.
    pub fn explains(&self, context: Option<Tokens>) -> Tokens {
        if self.is_nothing() && !self.unsure {
            return Tokens(0);
        }
        let uses = if self.uses < USES { self.uses } else { self.uses.max(MOST_USES) };
        context.map_or(LONGEST, |context| context.times(uses.saturating_add(1)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const ROOM: Tokens = Tokens(100_000);

    #[test]
    fn it_is_reserved_as_what_it_may_hold_and_never_beyond_what_the_model_reads() {
        let nothing = Hidden::default();
        let whole = Hidden { whole: Some("file_id"), ..nothing };
        let held = Hidden { held: Tokens(7_000), held_by: Some("previous_response_id"), ..nothing };
        let tools = Hidden { uses: 3, brought: Tokens(48_000), each: Tokens(16_000), ..nothing };
        let page = Hidden { uses: 2, brought: Tokens(u64::MAX), each: Tokens(u64::MAX), ..nothing };
        for (case, hidden, own, most, likely, field) in [
            ("nothing", nothing, None, 0, 0, None),
            ("a file", whole, None, 100_000, 100_000, Some("file_id")),
            ("a file that the operator knows to be small", whole, Some(9_000), 9_000, 9_000, Some("file_id")),
            ("a response of known size", held, Some(0), 7_000, 7_000, Some("previous_response_id")),
            ("both", Hidden { whole: Some("file_id"), ..held }, Some(9_000), 16_000, 16_000, Some("file_id")),
            (
                "more than there is room for",
                Hidden { held: Tokens(700_000), ..held },
                None,
                100_000,
                100_000,
                held.held_by,
            ),
            ("tools", tools, None, 48_000, 0, Some("tools")),
            ("a page of any length", page, None, 100_000, 0, Some("tools")),
        ] {
            let own = own.map(Tokens);
            assert_eq!((hidden.most(ROOM, own).0, hidden.likely(ROOM, own).0), (most, likely), "{case}");
            assert_eq!(hidden.field(), field, "{case}");
        }
        assert_eq!(tools.of_uses(2, ROOM), Tokens(32_000));
        assert_eq!(tools.of_uses(9, ROOM), Tokens(48_000));
        assert_eq!(page.of_uses(1, ROOM), ROOM);
        assert_eq!(nothing.of_uses(5, ROOM), Tokens(0));
    }

    #[test]
    fn a_report_is_believed_as_far_as_it_explains() {
        let context = Some(Tokens(128_000));
        let nothing = Hidden::default();
        let tools = Hidden { uses: 10, brought: Tokens(1), each: Tokens(1), ..nothing };
        for (case, hidden, known, unknown) in [
            ("nothing", nothing, 0, 0),
            ("a file in the body", Hidden { unsure: true, ..nothing }, 128_000, 4_000_000),
            ("a conversation", Hidden { whole: Some("conversation"), ..nothing }, 128_000, 4_000_000),
            ("searches without a bound", tools, 81 * 128_000, 4_000_000),
            ("three", Hidden { uses: 3, ..tools }, 4 * 128_000, 4_000_000),
        ] {
            assert_eq!((hidden.explains(context).0, hidden.explains(None).0), (known, unknown), "{case}");
        }
    }
}
