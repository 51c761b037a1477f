//! Who may stand in for a model near the end of the money: a model that is there, with a price at everybody who serves it.

use std::rc::Rc;

use super::flaw::{Checked, flaw, not_reserved};
use super::serving::Serving;
use super::{OTHER, ProviderPolicy};
use crate::calendar::END_OF_TIME;
use crate::config;
use crate::name::BY_ROLE;
use crate::price::Quote;
use crate::route::{MOST_LINKS, ProviderIx, StandIn};

impl From<config::Instead> for StandIn {
    fn from(config::Instead { model: config::Name(model), from_percent }: config::Instead) -> Self {
        Self { model, from_percent: from_percent.get() }
    }
}

impl Serving<'_> {
    /// Whether it may stand in for the model `of`; `path` is where that stands.
    pub(super) fn check_stand_in(self, instead: &StandIn, of: &str, path: impl Fn() -> String) -> Checked<()> {
        let Self { models, .. } = self;
        let (path, name) = (|| format!("{}.instead", path()), &instead.model);
        if !models.are_listed() {
            let problem = "without `models` Envoy's routes choose the provider: list `models`, or leave `instead` out";
            return flaw(path(), problem);
        }
        let of_model = || format!("{}.model", path());
        if **name == *of {
            return flaw(of_model(), format!("`{name}` can't stand in for itself"));
        }
        not_reserved(of_model, name, &[OTHER, BY_ROLE])?;
        if !models.has(name) {
            return flaw(of_model(), format!("`{name}` is neither one of `models` nor of `virtual_models`"));
        }
        if models.stands_for(name).is_none() {
            self.is_priced(name, of_model)?;
        }
        self.check_chain(instead, of, path)
    }

    /// The table of models has asked for those of whole names; of a pattern nobody has asked so far.
    fn is_priced(self, model: &str, path: impl Fn() -> String) -> Checked<()> {
        let provider = |ProviderIx(ix): ProviderIx| self.providers.get(usize::from(ix));
        for serving in self.models.model(model).iter().flat_map(|model| &model.serving) {
            let Some(ProviderPolicy { name, .. }) = provider(serving.provider) else { continue };
            let sent = serving.name.replace('*', model);
            if matches!(self.prices.quote(Some(name), &sent, END_OF_TIME), Quote::Denied | Quote::Free) {
                let problem =
                    format!("no price matches `{sent}` of `{name}`: add `{name}/{sent}` or `{sent}` under `prices`");
                return flaw(path(), problem);
            }
        }
        Ok(())
    }

    /// Those that stand in one after another come to an end.
    fn check_chain(self, first: &StandIn, of: &str, path: impl Fn() -> String) -> Checked<()> {
        let mut names = vec![Rc::from(of)];
        let mut next = Some(first);
        while let Some(link) = next {
            let again = names.contains(&link.model);
            names.push(Rc::clone(&link.model));
            if again || names.len() > MOST_LINKS.saturating_add(1) {
                let names: Vec<_> = names.iter().map(|name| format!("`{name}`")).collect();
                let problem = if again {
                    format!("{} stand in for each other in a circle: leave one out", names.join(", "))
                } else {
                    format!("more than {MOST_LINKS} stand in one after another: {}", names.join(", "))
                };
                return flaw(path(), problem);
            }
            next = self.models.instead_of(&link.model);
        }
        Ok(())
    }
}
