//! Which providers serve a tenant, and in which order: as its tier lists them, or it does itself.

use std::rc::Rc;

use super::ProviderPolicy;
use super::flaw::{Checked, flaw};
use crate::config;
use crate::name::Pattern;
use crate::price::PriceTable;
use crate::route::{Model, Models, ProviderIx};

/// What such a list refers to.
#[derive(Clone, Copy)]
pub(super) struct Serving<'a> {
    pub(super) providers: &'a [ProviderPolicy],
    pub(super) models: &'a Models,
    pub(super) prices: &'a PriceTable,
}

impl Serving<'_> {
    pub(super) fn read(self, written: &[config::Name], path: impl Fn() -> String) -> Checked<Rc<[ProviderIx]>> {
        if !self.models.are_listed() {
            let problem =
                "without `models` Envoy's routes choose the provider: list `models`, or leave `providers` out";
            return flaw(path(), problem);
        }
        if written.is_empty() {
            return flaw(path(), "an empty list lets nobody serve; leave it out to let all");
        }
        let mut listed: Vec<ProviderIx> = Vec::with_capacity(written.len());
        for (at, config::Name(name)) in written.iter().enumerate() {
            let path = || format!("{}[{at}]", path());
            let known = self.providers.iter().position(|provider| *provider.name == **name);
            let Some(ix) = known.and_then(|at| u16::try_from(at).ok()).map(ProviderIx) else {
                let names = self.names(|_| true);
                return flaw(path(), format!("unknown provider `{name}`, expected one of {names}"));
            };
            if listed.contains(&ix) {
                return flaw(path(), format!("`{name}` is written twice"));
            }
            listed.push(ix);
        }
        Ok(listed.into())
    }

    /// Somebody who is listed must serve something that may be asked for; else every request would be refused.
    pub(super) fn leaves_some(
        self,
        listed: &[ProviderIx],
        models: Option<&[Pattern]>,
        path: impl FnOnce() -> String,
    ) -> Checked<()> {
        let meets = |one: &Pattern, other: &Pattern| one.matches(other.as_str()) || other.matches(one.as_str());
        let may_be_asked =
            |model: &Model| models.is_none_or(|models| models.iter().any(|allowed| meets(allowed, &model.model)));
        let asked = || self.models.models().iter().filter(|model| may_be_asked(model));
        let serves = |ix: ProviderIx| asked().any(|model| model.serving.iter().any(|serving| serving.provider == ix));
        if listed.iter().any(|ix| serves(*ix)) {
            return Ok(());
        }
        let names = self.names(|ix| listed.contains(&ix));
        let others = self.names(serves);
        let others = if others.is_empty() { String::new() } else { format!(", only by {others}") };
        flaw(path(), format!("nothing is left: no model that may be asked for is served by {names}{others}"))
    }

    fn names(self, which: impl Fn(ProviderIx) -> bool) -> String {
        let places = (0..=u16::MAX).map(ProviderIx);
        let named = self.providers.iter().zip(places).filter(|(_, ix)| which(*ix));
        named.map(|(provider, _)| format!("`{}`", provider.name)).collect::<Vec<_>>().join(", ")
    }
}
