//! The rules for arrays.

use super::super::equality::has_equal;
use super::super::fault::{Stop, Why};
use super::super::pointer::Step;
use super::super::rule::{Contains, Items, Rule};
use super::super::work::MAX_DEPTH;
use super::{Check, Checked};
use serde_json::Value;

impl<'s> Check<'s> {
    pub(super) fn array(&mut self, rule: &'s Rule, items: &[Value], array: &Value) -> Checked<'s> {
        let length = u64::try_from(items.len()).unwrap_or(u64::MAX);
        let holds = match rule {
            Rule::MinItems(least) => length >= *least,
            Rule::MaxItems(most) => length <= *most,
            Rule::UniqueItems => {
                let depth = MAX_DEPTH.saturating_sub(self.path.len());
                !has_equal(items, depth, &mut self.steps)?
            }
            Rule::Items(of) => return self.items(of, items),
            Rule::Contains(of) => return self.contains(of, items),
            Rule::UnevaluatedItems(of) => return self.unevaluated_items(rule, *of, items, array),
            _ => true,
        };
        if holds { Ok(()) } else { Err(Stop::Fails(Why::Rule(rule))) }
    }

    fn items(&mut self, of: &'s Items, items: &[Value]) -> Checked<'s> {
        if let Some(rest) = of.rest
            && self.schema.is_false(rest)
            && items.len() > of.prefix.len()
        {
            let most = u64::try_from(of.prefix.len()).unwrap_or(u64::MAX);
            return Err(Stop::Fails(Why::MoreItems(of.keyword, most)));
        }
        for (place, item) in items.iter().enumerate() {
            let Some(id) = of.prefix.get(place).copied().or(of.rest) else { return Ok(()) };
            self.inside(Step::Index(place), id, item)?;
        }
        Ok(())
    }

    fn contains(&mut self, of: &'s Contains, items: &[Value]) -> Checked<'s> {
        let mut count: u64 = 0;
        for (place, item) in items.iter().enumerate() {
            if of.max.is_none() && count >= of.min {
                return Ok(());
            }
            let fits = self.quietly(|check| check.inside(Step::Index(place), of.schema, item))?.is_none();
            count = count.saturating_add(u64::from(fits));
            if let Some(most) = of.max
                && count > most
            {
                return Err(Stop::Fails(Why::TooMany(most)));
            }
        }
        if count < of.min { Err(Stop::Fails(Why::TooFew(of))) } else { Ok(()) }
    }
}
