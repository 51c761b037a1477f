//! The ids that Envoy has given for series, by metric and label values.
//!
//! Envoy never forgets a stat and gives a new id for each definition, so a series is defined once per worker
//! and its id kept. A request counts in a dozen series: label values are looked up once and are numbers from then on,
//! so that finding an id neither builds a name nor hashes one. Values come from the configuration, which bounds both maps.

use crate::json::words::same;
use crate::record::metric::{LABELS, LEG, Metric, StatKind};
use hashbrown::{Equivalent, HashMap};
use proxy_wasm::hostcalls;
use proxy_wasm::types::MetricType;
use std::rc::Rc;

/// A label's value, as its place among all of them, from 1; 0 stands where a metric has no further label.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub struct LabelValue(u32);

#[derive(PartialEq, Eq, Hash)]
struct SeriesKey(Metric, [LabelValue; LABELS]);

/// A text of a label, as it is looked up: the comparison of slices takes a byte at a time in WebAssembly.
#[derive(Hash)]
struct Wanted<'a>(&'a str);

impl Equivalent<Rc<str>> for Wanted<'_> {
    fn equivalent(&self, known: &Rc<str>) -> bool {
        same(self.0.as_bytes(), known.as_bytes())
    }
}

#[derive(Default)]
pub struct Series {
    values: HashMap<Rc<str>, LabelValue>,
    texts: Vec<Rc<str>>,
    ids: HashMap<SeriesKey, u32>,
}

impl Series {
    pub fn value(&mut self, text: &str) -> LabelValue {
        if let Some(value) = self.values.get(&Wanted(text)) {
            return *value;
        }
        let text: Rc<str> = text.into();
        self.texts.push(Rc::clone(&text));
        let value = LabelValue(u32::try_from(self.texts.len()).unwrap_or(u32::MAX));
        self.values.insert(text, value);
        value
    }

    /// `None` if Envoy refuses the definition.
    pub fn id(&mut self, metric: Metric, values: &[LabelValue]) -> Option<u32> {
        let mut padded = [LabelValue::default(); LABELS];
        padded.iter_mut().zip(values).for_each(|(place, value)| *place = *value);
        let key = SeriesKey(metric, padded);
        if let Some(id) = self.ids.get(&key) {
            return Some(*id);
        }
        let (form, name, labels) = metric.spec();
        let mut full = String::with_capacity(160);
        for (label, LabelValue(place)) in labels.iter().chain(&[LEG]).zip(values) {
            let text = self.texts.get(usize::try_from(place.checked_sub(1)?).ok()?)?;
            for part in [label, "=.=", text, ";.;"] {
                full.push_str(part);
            }
        }
        full.push_str(name);
        let form = match form {
            StatKind::Counter => MetricType::Counter,
            StatKind::Gauge => MetricType::Gauge,
            StatKind::Histogram => MetricType::Histogram,
        };
        let id = hostcalls::define_metric(form, &full).ok()?;
        self.ids.insert(key, id);
        Some(id)
    }
}
