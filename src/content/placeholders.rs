//! What stands in the place of what was found: `[EMAIL_1]`. The same value has the same placeholder.

use crate::digest::hmac;
use std::borrow::Cow;
use std::collections::BTreeMap;
use std::rc::Rc;

/// The placeholders of one request, and of its answer. In trees: a client chooses the values, and could choose such as meet in a hash.
#[derive(Debug, Default)]
pub struct Placeholders {
    /// With it, numbers are made from values.
    key: Option<Rc<str>>,
    tenant: Rc<str>,
    /// By label and value.
    given: BTreeMap<(Rc<str>, String), String>,
    /// How many numbers a label has.
    counts: BTreeMap<Rc<str>, u32>,
    /// All that are given, each with its value, if that is to be restored.
    values: BTreeMap<String, Option<String>>,
    restores: bool,
    weight: usize,
}

/// Numbers have up to nine digits. Of a thousand values, two have the same in one request of two thousand: the next is taken.
const NUMBERS: u32 = 1_000_000_000;
/// Of a value in both trees, beside the value itself.
const ENTRY: usize = 160;
/// A provider's answer may go on for hours, and each value that has a number is kept with it: 3 MB.
const MOST_NUMBERED: usize = 10_000;

impl Placeholders {
    pub fn new(key: Option<Rc<str>>, tenant: Rc<str>) -> Self {
        Self { key, tenant, ..Self::default() }
    }

    /// What stands for a value; with `restores`, it can be asked for again. Behind [`MOST_NUMBERED`] values, what need not be restored
    /// has its label alone: `[EMAIL]`.
    pub(super) fn of(&mut self, label: &Rc<str>, value: &str, restores: bool) -> Cow<'_, str> {
        let Self { key, tenant, given, counts, values, restores: any, weight } = self;
        let asked = (Rc::clone(label), value.to_owned());
        if !restores && given.len() >= MOST_NUMBERED && !given.contains_key(&asked) {
            return Cow::Owned(format!("[{label}]"));
        }
        let placeholder = given.entry(asked).or_insert_with(|| {
            *weight = weight.saturating_add(ENTRY).saturating_add(value.len().saturating_mul(2));
            let count = counts.entry(Rc::clone(label)).or_insert(0);
            *count = count.saturating_add(1);
            let mut number = key.as_ref().map_or(*count, |key| number(key, tenant, label, value));
            loop {
                let placeholder = format!("[{label}_{number}]");
                if !values.contains_key(&placeholder) {
                    values.insert(placeholder.clone(), None);
                    break placeholder;
                }
                number = number.wrapping_add(1) % NUMBERS;
            }
        });
        // One rule may mask what another restores.
        if restores && let Some(restored) = values.get_mut(placeholder) {
            restored.get_or_insert_with(|| value.to_owned());
            *any = true;
        }
        Cow::Borrowed(placeholder)
    }

    /// About what they take in memory.
    pub const fn weight(&self) -> usize {
        self.weight
    }

    /// What a placeholder stands for, in this request.
    pub(super) fn value(&self, placeholder: &str) -> Option<&str> {
        self.values.get(placeholder)?.as_deref()
    }

    pub const fn restores(&self) -> bool {
        self.restores
    }
}

/// Of a tenant's value, and of no other tenant's: what is not known with the key can't be told from it.
fn number(key: &str, tenant: &str, label: &str, value: &str) -> u32 {
    let digest = hmac(key.as_bytes(), &[tenant.as_bytes(), label.as_bytes(), value.as_bytes()]);
    let [first, second, third, fourth, ..] = digest;
    u32::from_be_bytes([first, second, third, fourth]) % NUMBERS
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_value_has_one_placeholder_and_numbers_count_up() {
        let mut all = Placeholders::new(None, "acme".into());
        let (mail, card): (Rc<str>, Rc<str>) = ("EMAIL".into(), "CARD".into());
        assert_eq!(all.of(&mail, "a@b.de", true), "[EMAIL_1]");
        assert_eq!(all.of(&mail, "c@d.de", true), "[EMAIL_2]");
        assert_eq!(all.of(&card, "4111", false), "[CARD_1]");
        assert_eq!(all.of(&mail, "a@b.de", true), "[EMAIL_1]");
        assert_eq!(all.value("[EMAIL_2]"), Some("c@d.de"));
        assert_eq!((all.value("[CARD_1]"), all.value("[EMAIL_3]")), (None, None));
        // A number is given once, whether it is restored or not.
        assert_eq!(all.of(&card, "5500", false), "[CARD_2]");
        // What is masked first may be restored later.
        assert_eq!(all.of(&card, "4111", true), "[CARD_1]");
        assert_eq!(all.value("[CARD_1]"), Some("4111"));
    }

    #[test]
    fn an_answer_that_goes_on_for_hours_is_masked_all_along_and_kept_up_to_a_bound() {
        let mut all = Placeholders::new(None, "acme".into());
        let mail: Rc<str> = "EMAIL".into();
        for at in 0..MOST_NUMBERED {
            all.of(&mail, &format!("{at}@b.de"), false);
        }
        for at in 0..100 {
            assert_eq!(all.of(&mail, &format!("{at}@c.de"), false), "[EMAIL]");
        }
        assert_eq!((all.given.len(), all.values.len()), (MOST_NUMBERED, MOST_NUMBERED));
        // What has a number keeps it, and what is restored must have one.
        assert_eq!(all.of(&mail, "0@b.de", false), "[EMAIL_1]");
        assert_eq!(all.of(&mail, "0@c.de", true), format!("[EMAIL_{}]", MOST_NUMBERED + 1));
    }

    #[test]
    fn with_a_key_a_value_has_the_same_number_in_each_request_of_a_tenant_and_of_no_other() {
        let mail: Rc<str> = "EMAIL".into();
        let of = |key: &str, tenant: &str, before: &[&str]| {
            let mut all = Placeholders::new(Some(key.into()), tenant.into());
            for value in before {
                all.of(&mail, value, true);
            }
            all.of(&mail, "a@b.de", true).into_owned()
        };
        let key = "0123456789abcdef";
        assert_eq!(of(key, "acme", &[]), of(key, "acme", &["x@y.de", "z@y.de"]));
        assert_ne!(of(key, "acme", &[]), of(key, "other", &[]));
        assert_ne!(of(key, "acme", &[]), of("fedcba9876543210", "acme", &[]));
    }
}
