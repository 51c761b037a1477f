//! Groups of models: which a model is in, and who has limits for which of them.

use std::rc::Rc;

use super::flaw::{Checked, flaw, not_reserved, under, unknown};
use super::rules::Layer;
use super::{NONE, OTHER};
use crate::config::{self, Named};
use crate::limit::accounts::{Account, Holder, Whose};
use crate::limit::{ModelsIx, Rules};
use crate::name::Pattern;
use crate::order;

/// All of them, by name.
#[derive(Debug, Default)]
pub struct ModelGroups {
    names: Vec<Rc<str>>,
    /// In lower case, the most specific first: a whole name before the beginning of one, a longer beginning before a shorter one.
    patterns: Vec<(Pattern, ModelsIx)>,
}

/// What a tenant or a group may spend on the models of one of them, and ask of these.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OfModels {
    pub ix: ModelsIx,
    pub name: Rc<str>,
    pub rules: Rules,
}

impl ModelGroups {
    /// `stands_for`: what a name of the gateway's own stands for, that no model goes by.
    pub(super) fn read(
        written: Named<config::ModelPatterns>,
        stands_for: impl Fn(&str) -> Option<String>,
    ) -> Checked<Self> {
        let mut entries = written.entries;
        order::sort_by(&mut entries, |(one, _), (other, _)| one.cmp(other));
        let mut groups = Self::default();
        for ((name, patterns), ix) in entries.into_iter().zip(0..) {
            let path = || under("model_groups", &name);
            not_reserved(path, &name, &[OTHER, NONE])?;
            if patterns.is_empty() {
                return flaw(path(), "an empty list is a group of no model: leave it out");
            }
            for pattern in patterns {
                if let Some(models) = stands_for(pattern.as_str()) {
                    let problem =
                        format!("`{pattern}` is {models}: no model goes by this name, so write those that serve");
                    return flaw(path(), problem);
                }
                let pattern = pattern.in_lower_case();
                if let Some((_, ModelsIx(other))) = groups.patterns.iter().find(|(known, _)| *known == pattern) {
                    let other = groups.names.get(usize::from(*other)).unwrap_or(&name);
                    let problem =
                        format!("`{pattern}` is in the model group `{other}` already: a model is in one of them");
                    return flaw(path(), problem);
                }
                groups.patterns.push((pattern, ModelsIx(ix)));
            }
            groups.names.push(name);
        }
        order::sort_by_key(&mut groups.patterns, |(pattern, _)| {
            let text = pattern.as_str();
            (text.ends_with('*'), usize::MAX.saturating_sub(text.len()))
        });
        Ok(groups)
    }

    pub fn is_empty(&self) -> bool {
        self.names.is_empty()
    }

    pub fn all(&self) -> impl Iterator<Item = ModelsIx> {
        (0..).zip(&self.names).map(|(ix, _)| ModelsIx(ix))
    }

    pub fn name(&self, ModelsIx(ix): ModelsIx) -> Option<&Rc<str>> {
        self.names.get(usize::from(ix))
    }

    /// The group of a model that goes by several names: that which names it most exactly, whichever of them that is.
    pub fn of<'a>(&self, names: impl IntoIterator<Item = &'a str>) -> Option<ModelsIx> {
        let names: Vec<_> = names.into_iter().map(str::to_ascii_lowercase).collect();
        let is_one = |pattern: &Pattern| names.iter().any(|name| pattern.matches(name));
        self.patterns.iter().find(|(pattern, _)| is_one(pattern)).map(|(_, ix)| *ix)
    }

    /// What is written for some of them at `path`, over what holds so far.
    pub(super) fn lay(
        &self,
        over: &mut Vec<OfModels>,
        written: &Named<config::OfModelGroup>,
        path: impl Fn() -> String,
    ) -> Checked<()> {
        for (name, of) in &written.entries {
            let path = || under(&format!("{}.model_groups", path()), name);
            let Ok(at) = self.names.binary_search(name) else {
                return flaw(path(), unknown("model group", "model_groups", name, self.names.iter()));
            };
            let ix = ModelsIx(u16::try_from(at).unwrap_or(u16::MAX));
            let before = over.iter().position(|known| known.ix == ix);
            let mut rules = before.and_then(|at| over.get(at)).map(|known| known.rules).unwrap_or_default();
            let layer = Layer::from(of);
            layer.apply(&mut rules, path)?;
            layer.check_audit(&rules, path)?;
            let own = OfModels { ix, name: Rc::clone(name), rules };
            match before.and_then(|at| over.get_mut(at)) {
                Some(known) => *known = own,
                None => over.push(own),
            }
        }
        order::sort_by_key(over, |of| of.ix);
        Ok(())
    }
}

impl OfModels {
    pub fn account<'a>(&'a self, of: Holder<'a>, shows_figures: bool) -> Account<'a> {
        let whose = Whose::Models { of, models: &self.name };
        Account { whose, of: Some(self.ix), rules: &self.rules, shows_figures }
    }
}

/// The accounts of a holder for these models.
pub(super) fn accounts<'a>(
    all: &'a [OfModels],
    models: &'a [ModelsIx],
    of: Holder<'a>,
    shows_figures: bool,
) -> impl Iterator<Item = Account<'a>> + Clone {
    all.iter().filter(|own| models.contains(&own.ix)).map(move |own| own.account(of, shows_figures))
}
