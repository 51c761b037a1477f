//! Single values of the configuration, each checked while it is read: only then does its error know line and column.

use std::fmt;
use std::marker::PhantomData;
use std::rc::Rc;

use serde::de::{Deserialize, Deserializer, Error, Visitor};

use super::content::{Detected, Expression, Label, Secret, Word};
use super::tools::ToolPattern;
use crate::calendar::Calendar;
use crate::detect::{self, Flaw};
use crate::llm::tools;
use crate::name;
use crate::name::Pattern;
use crate::units::{NanoUsd, NotAnAmount, PicoUsdPerToken, Share, UnixNanos};

/// A name that becomes a label, a header value or a part of a key.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Name(pub Rc<str>);

/// A header's name as the host compares it: lower case.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct HeaderName(pub String);

/// A budget: more than nothing.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Budget(pub NanoUsd);

/// An amount that may be zero.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Usd(pub NanoUsd);

/// What a million tokens cost; zero for a model that is free.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct UsdPer1m(pub PicoUsdPerToken);

/// So many of a hundred, if they are not next to none; exact to four digits behind the point.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Percentage(pub Share);

/// The beginning of a day, in UTC.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Date(pub UnixNanos);

/// A limit: at least one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limit(pub u64);

const QUOTE_IT: &str = "an amount is a quoted decimal string: write \"0.15\", not 0.15";
const LIFT_IT: &str = "list it under `unlimited` to lift it";

/// The longest name: labels and keys repeat it once per series.
const MAX_NAME_BYTES: usize = 128;

/// Why `text` cannot be a name, if it cannot. `;` would end a tag in the name of an Envoy stat (`tenant=.=acme;.;`).
fn name_problem(text: &str) -> Option<String> {
    let problem = if text.is_empty() {
        return Some("a name must not be empty".to_owned());
    } else if text.contains(';') || !name::is_printable(text) {
        "control characters and `;` are not allowed"
    } else if text.trim() != text {
        "it must not begin or end with a blank"
    } else if text.len() > MAX_NAME_BYTES {
        return Some(format!("a name has at most {MAX_NAME_BYTES} bytes, this one has {}", text.len()));
    } else {
        return None;
    };
    Some(format!("{text:?} is not a name: {problem}"))
}

trait Scalar: Sized {
    const EXPECTED: &'static str;
    fn from_text(text: &str) -> Result<Self, String>;
    /// `None` stands for a number that is negative or not whole.
    fn from_number(number: Option<u64>) -> Result<Self, String> {
        let number = number.map_or_else(|| "a number".to_owned(), |number| format!("the number {number}"));
        Err(format!("{number} stands here, expected {}", Self::EXPECTED))
    }
    fn from_fraction(_: f64) -> Result<Self, String> {
        Self::from_number(None)
    }
}

impl Scalar for Name {
    const EXPECTED: &'static str = "a name (a string)";
    fn from_text(text: &str) -> Result<Self, String> {
        name_problem(text).map_or_else(|| Ok(Self(text.into())), Err)
    }
}

impl Scalar for Pattern {
    const EXPECTED: &'static str = "a name (a string), or the beginning of one and a `*`";
    fn from_text(text: &str) -> Result<Self, String> {
        if let Some(problem) = name_problem(text) {
            return Err(problem);
        }
        Self::new(text).ok_or_else(|| {
            format!("{text:?} is neither a name nor the beginning of one: `*` may only stand at the end")
        })
    }
}

impl Scalar for ToolPattern {
    const EXPECTED: &'static str =
        "a tool's name (a string), the beginning of one and a `*`, or a kind such as `kind:web_search`";
    fn from_text(text: &str) -> Result<Self, String> {
        let Some(kind) = text.strip_prefix("kind:") else { return Pattern::from_text(text).map(Self::Name) };
        if tools::kinds().into_iter().any(|mut kinds| kinds.any(|known| tools::same_kind(known, kind))) {
            return Ok(Self::Kind(kind.into()));
        }
        let known: Vec<_> = tools::kinds().into_iter().flatten().map(|kind| format!("`{kind}`")).collect();
        Err(format!("unknown kind `{kind}`, expected one of {}", known.join(", ")))
    }
}

impl Scalar for HeaderName {
    const EXPECTED: &'static str = "a header's name (a string)";
    fn from_text(text: &str) -> Result<Self, String> {
        let token = |byte: u8| matches!(byte, b'a'..=b'z' | b'0'..=b'9') || b"!#$%&'*+-.^_`|~".contains(&byte);
        if text.is_empty() || !text.bytes().all(token) {
            return Err(format!("{text:?} is not a header: lower-case letters, digits and `-` are allowed, no `:`"));
        }
        Ok(Self(text.to_owned()))
    }
}

impl Scalar for Usd {
    const EXPECTED: &'static str = "an amount in USD as a quoted decimal string such as \"2.50\"";
    fn from_text(text: &str) -> Result<Self, String> {
        NanoUsd::from_usd(text).map(Self).map_err(|problem| format!("{text:?} is not an amount: {problem}"))
    }
    fn from_number(_: Option<u64>) -> Result<Self, String> {
        Err(QUOTE_IT.to_owned())
    }
}

impl Scalar for Budget {
    const EXPECTED: &'static str = Usd::EXPECTED;
    fn from_text(text: &str) -> Result<Self, String> {
        match Usd::from_text(text)? {
            Usd(NanoUsd::ZERO) => Err(format!("a budget must be more than 0; {LIFT_IT}")),
            Usd(amount) => Ok(Self(amount)),
        }
    }
    fn from_number(number: Option<u64>) -> Result<Self, String> {
        Usd::from_number(number).map(|Usd(amount)| Self(amount))
    }
}

impl Scalar for UsdPer1m {
    const EXPECTED: &'static str = "USD per 1 M tokens as a quoted decimal string such as \"2.50\"";
    fn from_text(text: &str) -> Result<Self, String> {
        PicoUsdPerToken::from_usd_per_1m(text)
            .map(Self)
            .map_err(|problem| format!("{text:?} is not a price: {problem}"))
    }
    fn from_number(_: Option<u64>) -> Result<Self, String> {
        Err(QUOTE_IT.to_owned())
    }
}

impl Scalar for Percentage {
    const EXPECTED: &'static str = "how many of a hundred: a number from 0.01 to 100";
    fn from_text(text: &str) -> Result<Self, String> {
        match Share::from_percent(text) {
            Ok(share) if share >= Share::BASIS_POINT => Ok(Self(share)),
            Ok(_) | Err(NotAnAmount::TooLarge) => Err(format!("{text} is out of range: 0.01 to 100 is allowed")),
            Err(problem @ NotAnAmount::TooFine { .. }) => Err(format!("{text} is too fine: {problem}")),
            Err(NotAnAmount::Form) => Err(format!("{text:?} stands here, expected {}", Self::EXPECTED)),
        }
    }
    fn from_number(number: Option<u64>) -> Result<Self, String> {
        let negative = || Err(format!("a negative number stands here, expected {}", Self::EXPECTED));
        number.map_or_else(negative, |number| Self::from_text(&number.to_string()))
    }
    /// Its shortest decimal is what was written: no two of four digits behind the point are the same float.
    fn from_fraction(number: f64) -> Result<Self, String> {
        Self::from_text(&number.to_string())
    }
}

impl Scalar for Date {
    const EXPECTED: &'static str = "a date such as \"2026-01-31\" (UTC)";
    fn from_text(text: &str) -> Result<Self, String> {
        Calendar::date(text).map(Self).ok_or_else(|| format!("{text:?} is not a date, expected {}", Self::EXPECTED))
    }
}

impl Scalar for Limit {
    const EXPECTED: &'static str = "a whole number";
    fn from_text(text: &str) -> Result<Self, String> {
        Err(format!("the string {text:?} stands here, expected a whole number without quotes"))
    }
    fn from_number(number: Option<u64>) -> Result<Self, String> {
        match number {
            None => Err("expected a whole number of at least 1".to_owned()),
            Some(0) => Err(format!("must be at least 1; {LIFT_IT}")),
            Some(limit) => Ok(Self(limit)),
        }
    }
}

/// The longest finding of a pattern of the operator's, in bytes: as much of a stream may have to wait.
const LONGEST_FINDING: usize = 512;

impl Scalar for Detected {
    const EXPECTED: &'static str = "a kind of findings (a string)";
    fn from_text(text: &str) -> Result<Self, String> {
        detect::named(text).map(Self).ok_or_else(|| {
            let known: Vec<_> = detect::ALL.iter().map(|detector| format!("`{}`", detector.name)).collect();
            format!("unknown kind `{text}`, expected one of {}", known.join(", "))
        })
    }
}

impl Scalar for Expression {
    const EXPECTED: &'static str = "an expression (a string)";
    fn from_text(text: &str) -> Result<Self, String> {
        let problem = match detect::bounded(text, LONGEST_FINDING) {
            Ok(longest) => return Ok(Self { expression: text.to_owned(), longest }),
            Err(Flaw::Syntax(problem)) => format!("is no expression: {problem}"),
            Err(Flaw::Anchored) => {
                "has an anchor, a word boundary or a look-around, which means nothing in a text that passes: \
                 leave it out; what is found stands at a word's beginning anyway"
                    .to_owned()
            }
            Err(Flaw::Empty) => "may match nothing at all: let it want at least one character".to_owned(),
            Err(Flaw::Unbounded | Flaw::TooLarge) => format!(
                "has no longest match, or one of more than {LONGEST_FINDING} bytes, and a stream would have to wait for its end: write \
                 `{{1,64}}` in the place of `+` and `*`"
            ),
        };
        Err(format!("{text:?} {problem}"))
    }
}

impl Scalar for Word {
    const EXPECTED: &'static str = "a word or a phrase (a string)";
    fn from_text(text: &str) -> Result<Self, String> {
        if text.trim() != text || text.is_empty() || text.len() > MAX_NAME_BYTES {
            return Err(format!(
                "{text:?} is not a word: 1 to {MAX_NAME_BYTES} bytes, without blanks around them, are"
            ));
        }
        Ok(Self(text.to_owned()))
    }
}

impl Scalar for Label {
    const EXPECTED: &'static str = "a placeholder's name such as \"PROJECT\"";
    fn from_text(text: &str) -> Result<Self, String> {
        let fits = |byte: u8| byte.is_ascii_uppercase() || byte == b'_';
        if text.is_empty() || text.len() > 24 || !text.bytes().all(fits) || text.starts_with('_') || text.ends_with('_')
        {
            return Err(format!("{text:?} is not a label: 1 to 24 letters from A to Z, with `_` between them, are"));
        }
        Ok(Self(text.to_owned()))
    }
}

impl Scalar for Secret {
    const EXPECTED: &'static str = "a secret of at least 16 characters (a string)";
    fn from_text(text: &str) -> Result<Self, String> {
        if text.chars().count() < 16 {
            return Err("a secret has at least 16 characters, this one fewer".to_owned());
        }
        Ok(Self(text.to_owned()))
    }
}

struct Reader<T>(PhantomData<T>);

impl<T: Scalar> Visitor<'_> for Reader<T> {
    type Value = T;
    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(T::EXPECTED)
    }
    fn visit_str<E: Error>(self, text: &str) -> Result<T, E> {
        T::from_text(text).map_err(E::custom)
    }
    fn visit_u64<E: Error>(self, number: u64) -> Result<T, E> {
        T::from_number(Some(number)).map_err(E::custom)
    }
    fn visit_i64<E: Error>(self, _: i64) -> Result<T, E> {
        T::from_number(None).map_err(E::custom)
    }
    fn visit_f64<E: Error>(self, number: f64) -> Result<T, E> {
        T::from_fraction(number).map_err(E::custom)
    }
}

macro_rules! deserialize {
    ($($scalar:ty),*) => {$(
        impl<'de> Deserialize<'de> for $scalar {
            fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
                deserializer.deserialize_any(Reader(PhantomData))
            }
        }
    )*};
}

deserialize!(
    Name,
    Pattern,
    HeaderName,
    Usd,
    Budget,
    UsdPer1m,
    Percentage,
    Date,
    Limit,
    Detected,
    Expression,
    Word,
    Label,
    Secret,
    ToolPattern
);
