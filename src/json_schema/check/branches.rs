//! `anyOf`, `oneOf`, `if`: schemas of which not all hold.

use super::super::fault::{Stop, Why};
use super::super::rule::{Id, If, Rule};
use super::{Check, Checked};
use serde_json::Value;

impl<'s> Check<'s> {
    pub(super) fn any_of(&mut self, rule: &'s Rule, ids: &'s [Id], value: &Value) -> Checked<'s> {
        let mut meant = Meant::default();
        for id in ids {
            match self.attempt_branch(*id, value)? {
                None => return Ok(()),
                Some(is_meant) => meant.add(*id, is_meant),
            }
        }
        self.fits_none(rule, &meant, value)
    }

    pub(super) fn one_of(&mut self, rule: &'s Rule, ids: &'s [Id], value: &Value) -> Checked<'s> {
        let mut meant = Meant::default();
        let mut fits = false;
        for id in ids {
            match self.attempt_branch(*id, value)? {
                None if fits => return Err(Stop::Fails(Why::Several)),
                None => fits = true,
                Some(is_meant) => meant.add(*id, is_meant),
            }
        }
        if fits { Ok(()) } else { self.fits_none(rule, &meant, value) }
    }

    /// `None` if the branch holds, else whether it may be the one that the value was meant for.
    fn attempt_branch(&mut self, id: Id, value: &Value) -> Checked<'s, Option<bool>> {
        let depth = self.path.len();
        let mut levels = 0;
        let why = self.quietly(|check| {
            let checked = check.value(id, value);
            levels = check.path.len().saturating_sub(depth);
            checked
        })?;
        Ok(why.map(|why| match why {
            Why::Type(..) => levels > 0,
            // A member such as `kind`, that tells the branches from each other.
            Why::Rule(Rule::Const(_) | Rule::Enum(_)) => levels > 1,
            _ => true,
        }))
    }

    /// If all branches but one are for other values, that one's fault says more than that none fits.
    fn fits_none(&mut self, rule: &'s Rule, meant: &Meant, value: &Value) -> Checked<'s> {
        if let Meant::One(id) = meant
            && self.quiet == 0
        {
            self.value(*id, value)?;
        }
        Err(Stop::Fails(Why::Rule(rule)))
    }

    pub(super) fn if_then_else(&mut self, of: &'s If, value: &Value) -> Checked<'s> {
        if of.then.is_none() && of.otherwise.is_none() {
            return Ok(());
        }
        let holds = self.attempt(of.condition, value)?.is_none();
        match if holds { of.then } else { of.otherwise } {
            Some(id) => self.value(id, value),
            None => Ok(()),
        }
    }
}

#[derive(Clone, Copy, Debug, Default)]
enum Meant {
    #[default]
    None,
    One(Id),
    Several,
}

impl Meant {
    fn add(&mut self, id: Id, is_meant: bool) {
        *self = match *self {
            meant if !is_meant => meant,
            Self::None => Self::One(id),
            Self::One(_) | Self::Several => Self::Several,
        };
    }
}
