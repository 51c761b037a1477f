//! Refuses schemas that hold for a value only if they hold for it: a check of one would never end.

use super::super::flaw::Reason;
use super::super::rule::{Id, Rule};
use super::{Read, Reader};

#[derive(Clone, Copy, PartialEq, Eq)]
enum Seen {
    Never,
    /// On the way from where the search started.
    OnTheWay,
    /// Nothing behind it comes back.
    Done,
}

/// A schema on the way, and those that hold in its place and are still to be followed.
struct Stop {
    id: Id,
    next: Vec<Id>,
}

impl Reader<'_> {
    /// Follows, from each schema, all that hold for the same value. There is no recursion, as chains may be long.
    pub(super) fn refuse_circles(&mut self) -> Read<()> {
        let mut seen = vec![Seen::Never; self.schemas.len()];
        for start in 0..self.schemas.len() {
            let mut way = Vec::new();
            let mut arrived = Some(Id(start));
            loop {
                if let Some(id) = arrived.take()
                    && let Some(state) = seen.get_mut(id.0)
                {
                    match state {
                        Seen::Done => {}
                        Seen::OnTheWay => return Err(self.circle(&way, id)),
                        Seen::Never => {
                            *state = Seen::OnTheWay;
                            way.push(Stop { id, next: self.in_place(id) });
                        }
                    }
                }
                let Some(last) = way.last_mut() else { break };
                arrived = last.next.pop();
                if arrived.is_none() {
                    if let Some(state) = seen.get_mut(last.id.0) {
                        *state = Seen::Done;
                    }
                    way.pop();
                }
            }
        }
        Ok(())
    }

    fn in_place(&self, id: Id) -> Vec<Id> {
        self.schemas.get(id.0).into_iter().flatten().flat_map(Rule::in_place).collect()
    }

    /// Every circle has a `$ref`, or it would be a tree.
    fn circle(&mut self, way: &[Stop], back_to: Id) -> super::Flaw {
        let mut is_in = vec![false; self.schemas.len()];
        for stop in way.iter().skip_while(|stop| stop.id != back_to) {
            if let Some(is_in) = is_in.get_mut(stop.id.0) {
                *is_in = true;
            }
        }
        let mut references = self.references.iter();
        let reference = references.find(|reference| is_in.get(reference.from.0).is_some_and(|is_in| *is_in));
        self.path = reference.map(|reference| reference.path.clone()).unwrap_or_default();
        self.flaw(Reason::Circle)
    }
}
