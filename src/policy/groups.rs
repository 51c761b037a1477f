//! The groups, and who is above whom.

use std::rc::Rc;

use super::flaw::{Checked, flaw, not_reserved, under, unknown};
use super::model_groups::{self, ModelGroups, OfModels};
use super::rules::Layer;
use super::{NONE, OTHER};
use crate::config::{self, Named};
use crate::limit::accounts::{Account, Holder, Whose};
use crate::limit::{ModelsIx, Rules};
use crate::order;

/// The most that may stand above a tenant: each costs a swap at the request's beginning and one at its end.
const MOST_ABOVE: usize = 4;

/// The place of a group in `Policy::groups`; means nothing to another policy.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct GroupIx(pub u32);

/// A group of tenants, or of groups.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Group {
    pub ix: GroupIx,
    pub name: Rc<str>,
    pub rules: Rules,
    /// What its members may spend and ask for of some models.
    pub of_models: Vec<OfModels>,
    pub parent: Option<Rc<Self>>,
    pub shows_figures: bool,
}

impl Group {
    /// It, and who is above it, the nearest first.
    pub fn chain(self: &Rc<Self>) -> impl Iterator<Item = &Rc<Self>> + Clone {
        std::iter::successors(Some(self), |group| group.parent.as_ref())
    }

    /// Those for these models, and its own.
    pub fn accounts<'a>(&'a self, models: &'a [ModelsIx]) -> impl Iterator<Item = Account<'a>> + Clone {
        let Self { name, rules, shows_figures, .. } = self;
        let own = Account { whose: Whose::Group(name), of: None, rules, shows_figures: *shows_figures };
        let of_models = model_groups::accounts(&self.of_models, models, Holder::Group(name), *shows_figures);
        of_models.chain(std::iter::once(own))
    }
}

/// What was written, by name: whoever reads it says the same of what is wrong.
type Written = [(Rc<str>, config::Group)];

/// The groups, by name.
pub(super) fn read(mut written: Named<config::Group>, models: &ModelGroups) -> Checked<Vec<Rc<Group>>> {
    order::sort_by(&mut written.entries, |(one, _), (other, _)| one.cmp(other));
    let mut groups: Vec<Option<Rc<Group>>> = vec![None; written.entries.len()];
    for at in 0..groups.len() {
        resolve((&written.entries, models), at, &mut groups, &mut Vec::new())?;
    }
    Ok(groups.into_iter().flatten().collect())
}

/// One of them, behind its parent. `below` are those that wait for it.
fn resolve(
    (written, models): (&Written, &ModelGroups),
    at: usize,
    groups: &mut Vec<Option<Rc<Group>>>,
    below: &mut Vec<usize>,
) -> Checked<Rc<Group>> {
    if let Some(known) = groups.get(at).and_then(Option::as_ref) {
        return Ok(Rc::clone(known));
    }
    let Some((name, group)) = written.get(at) else { return flaw("groups", "there is no such group") };
    let path = || under("groups", name);
    let named = |at: &usize| written.get(*at).map_or("", |(name, _)| &**name);
    if let Some(first) = below.iter().position(|waiting| *waiting == at) {
        let circle: Vec<_> = below.iter().skip(first).chain([&at]).map(|at| format!("`{}`", named(at))).collect();
        let problem = format!("{} stand above each other in a circle: leave out one `parent`", circle.join(", "));
        return flaw(format!("{}.parent", path()), problem);
    }
    not_reserved(path, name, &[OTHER, NONE])?;
    let parent = match &group.parent {
        None => None,
        // However long the chain is: nobody follows it further than it may go.
        Some(_) if below.len() >= MOST_ABOVE => {
            return too_many(below.first().map_or(name, |first| named(first)));
        }
        Some(config::Name(parent)) => {
            let Ok(place) = written.binary_search_by(|(name, _)| name.cmp(parent)) else {
                let known = written.iter().map(|(name, _)| name);
                return flaw(format!("{}.parent", path()), unknown("group", "groups", parent, known));
            };
            below.push(at);
            Some(resolve((written, models), place, groups, below)?)
        }
    };
    if parent.as_ref().is_some_and(|parent| parent.chain().count() >= MOST_ABOVE) {
        return too_many(name);
    }
    let mut rules = Rules::default();
    let layer = Layer::from(group);
    layer.apply(&mut rules, path)?;
    layer.check_audit(&rules, path)?;
    let ix = GroupIx(u32::try_from(at).unwrap_or(u32::MAX));
    let mut of_models = Vec::new();
    models.lay(&mut of_models, &group.model_groups, path)?;
    let shows_figures = group.show_figures;
    let group = Rc::new(Group { ix, name: Rc::clone(name), rules, of_models, parent, shows_figures });
    if let Some(place) = groups.get_mut(at) {
        *place = Some(Rc::clone(&group));
    }
    Ok(group)
}

fn too_many<T>(group: &str) -> Checked<T> {
    let problem =
        format!("more than {MOST_ABOVE} groups would stand above a tenant of this one: leave out one `parent`");
    flaw(format!("{}.parent", under("groups", group)), problem)
}

/// The group of this name, of all by name.
pub(super) fn named<'a>(groups: &'a [Rc<Group>], name: &str, path: impl FnOnce() -> String) -> Checked<&'a Rc<Group>> {
    let place = groups.binary_search_by(|group| (*group.name).cmp(name)).ok();
    match place.and_then(|at| groups.get(at)) {
        Some(group) => Ok(group),
        None => flaw(path(), unknown("group", "groups", name, groups.iter().map(|group| &group.name))),
    }
}
