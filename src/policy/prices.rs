//! The table of prices: every rate resolved, each model once from each day on.

use std::rc::Rc;

use super::OTHER;
use super::flaw::{Checked, flaw, not_reserved, under};
use crate::calendar::END_OF_TIME;
use crate::config::{self, UnpricedPolicy, WrittenRates};
use crate::price::{NotAdded, Price, PriceIx, PriceTable, Schedule, Sells, Tariff, Unpriced};
use crate::units::Tokens;

fn schedule(base: WrittenRates, above: &[config::Above], path: &str) -> Checked<Schedule> {
    let Some(rates) = base.rates() else {
        let missing = if base.input.is_none() { "input" } else { "output" };
        return flaw(path, format!("`{missing}_usd_per_1m_tokens` is missing; write \"0\" for what costs nothing"));
    };
    let mut schedule = Schedule { base: rates, above: Vec::with_capacity(above.len()) };
    for (at, border) in above.iter().enumerate() {
        let tokens = Tokens(border.input_tokens);
        if schedule.above.last().is_some_and(|(before, _)| *before >= tokens) {
            return flaw(
                format!("{path}.above[{at}].input_tokens"),
                "the borders must rise, each above the one before",
            );
        }
        schedule.above.push((tokens, border.written_rates().over(base).rates().unwrap_or(rates)));
    }
    Ok(schedule)
}

fn tariff(price: &config::Price, path: &str) -> Checked<Tariff> {
    let base = price.written_rates();
    let standard = schedule(base, &price.above, path)?;
    let mut service_tiers = Vec::with_capacity(price.service_tiers.entries.len());
    for (name, tier) in &price.service_tiers.entries {
        let path = under(&format!("{path}.service_tiers"), name);
        service_tiers.push(((**name).into(), schedule(tier.written_rates().over(base), &tier.above, &path)?));
    }
    let sells = Sells {
        web_searches: base.web_search.is_some(),
        file_searches: base.file_search.is_some(),
        containers: base.container_session.is_some(),
        pictures: base.image.is_some() || base.image_output.is_some(),
        picture_tokens: base.image_output.is_some(),
        all: false,
    };
    Ok(Tariff { standard, service_tiers, sells })
}

pub(super) fn read(written: &[config::Price], unpriced: &config::Unpriced) -> Checked<PriceTable> {
    if written.is_empty() {
        return flaw("prices", "no prices: at least one model must have a price (`*` stands for every model)");
    }
    let mut table = PriceTable::default();
    for (at, price) in written.iter().enumerate() {
        let path = || format!("prices[{at}].model");
        let model = price.model.as_str();
        not_reserved(path, model, &[OTHER])?;
        let price = Price {
            model: price.model.clone(),
            from: price.from.map(|date| date.0).unwrap_or_default(),
            tariff: Rc::new(tariff(price, &format!("prices[{at}]"))?),
            bound_field: price.output_bound_field,
            max_output: price.max_output_tokens.map(|most| Tokens(most.get())),
            context: price.context_tokens.map(|most| Tokens(most.get())),
        };
        match table.add(price) {
            Ok(_) => {}
            Err(NotAdded::SameModelAs(PriceIx(first))) => {
                return flaw(path(), format!("`{model}` has a price already, at prices[{first}]"));
            }
            Err(NotAdded::Full) => return flaw("prices", format!("too many: at most {} are allowed", u16::MAX)),
        }
    }
    let policy = unpriced_of(unpriced, &table)?;
    table.set_unpriced(policy);
    Ok(table)
}

fn unpriced_of(written: &config::Unpriced, table: &PriceTable) -> Checked<Unpriced> {
    match (written.policy, &written.model) {
        (UnpricedPolicy::Deny, None) => Ok(Unpriced::Deny),
        (UnpricedPolicy::Allow, None) => Ok(Unpriced::Allow),
        (UnpricedPolicy::Deny | UnpricedPolicy::Allow, Some(_)) => {
            flaw("unpriced.model", "only the policy `price_as` takes a model")
        }
        (UnpricedPolicy::PriceAs, None) => flaw("unpriced", "the policy `price_as` needs a `model` that has a price"),
        (UnpricedPolicy::PriceAs, Some(config::Name(model))) => {
            if table.find(model, END_OF_TIME).is_none() {
                return flaw("unpriced.model", format!("`{model}` has no price itself; name a model under `prices`"));
            }
            Ok(Unpriced::PriceAs((**model).into()))
        }
    }
}
