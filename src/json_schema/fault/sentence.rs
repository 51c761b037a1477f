//! The words of each [`Why`]. They go on from the name of what is wrong: "`/price` must be at least 0".

use super::super::pointer::Shown;
use super::super::rule::Rule;
use super::Why;
use serde_json::Value;
use std::fmt;

/// So many names or values of a schema are listed.
const LISTED: usize = 12;

impl fmt::Display for Why<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Rule(rule) => rule.fmt(f),
            Self::Type(types, found) => write!(f, "must be of type {types}, and is of type {found}"),
            Self::Missing(name) => write!(f, "must have the property {}", Shown(name)),
            Self::Needs(_, name, needed) => {
                write!(f, "must have the property {}, as it has {}", Shown(needed), Shown(name))
            }
            Self::Additional(of) if of.named.is_empty() || !of.patterns.is_empty() => {
                f.write_str("must not have properties that the schema doesn't name")
            }
            Self::Additional(of) => {
                f.write_str("must not have other properties than ")?;
                list(f, of.named.iter().map(|(name, _)| Shown(name)))
            }
            Self::MoreItems(_, most) => write!(f, "must have at most {}", Count(*most, "item")),
            Self::TooFew(of) => write!(f, "must have at least {} for which `contains` holds", Count(of.min, "item")),
            Self::TooMany(most) => write!(f, "must have at most {} for which `contains` holds", Count(*most, "item")),
            Self::Several => f.write_str("must fit exactly one schema of `oneOf`, and fits several"),
        }
    }
}

impl fmt::Display for Rule {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::False => f.write_str("is not allowed"),
            Self::Type(types) => write!(f, "must be of type {types}"),
            Self::Const(value) => one_of(f, std::slice::from_ref(value), "must be the value in `const`"),
            Self::Enum(values) => one_of(f, values, "must be one of the values in `enum`"),
            Self::Minimum(least) => write!(f, "must be at least {least}"),
            Self::Maximum(most) => write!(f, "must be at most {most}"),
            Self::ExclusiveMinimum(bound) => write!(f, "must be more than {bound}"),
            Self::ExclusiveMaximum(bound) => write!(f, "must be less than {bound}"),
            Self::MultipleOf(of) => write!(f, "must be a multiple of {of}"),
            Self::MinLength(least) => write!(f, "must have at least {}", Count(*least, "character")),
            Self::MaxLength(most) => write!(f, "must have at most {}", Count(*most, "character")),
            Self::Pattern(pattern) => write!(f, "must match the pattern {}", Shown(pattern.text())),
            Self::MinItems(least) => write!(f, "must have at least {}", Count(*least, "item")),
            Self::MaxItems(most) => write!(f, "must have at most {}", Count(*most, "item")),
            Self::UniqueItems => f.write_str("must not have two items that are equal"),
            Self::MinProperties(least) => write!(f, "must have at least {}", Count(*least, "property")),
            Self::MaxProperties(most) => write!(f, "must have at most {}", Count(*most, "property")),
            Self::PropertyNames(_) => f.write_str("has a property whose name `propertyNames` doesn't allow"),
            Self::AnyOf(_) => f.write_str("must fit a schema of `anyOf`, and fits none"),
            Self::OneOf(_) => f.write_str("must fit exactly one schema of `oneOf`, and fits none"),
            Self::Not(_) => f.write_str("must not fit the schema in `not`"),
            Self::UnevaluatedItems(_) => f.write_str("must not have items that no part of the schema describes"),
            Self::UnevaluatedProperties(_) => {
                f.write_str("must not have properties that no part of the schema describes")
            }
            // Of these, what is reported is what they lead to.
            Self::Items(_)
            | Self::Contains(_)
            | Self::Properties(_)
            | Self::Required(_)
            | Self::DependentRequired(_)
            | Self::DependentSchemas(_)
            | Self::Dependencies(_)
            | Self::Ref(_)
            | Self::AllOf(_)
            | Self::If(_) => write!(f, "must fit `{}`", self.keyword()),
        }
    }
}

/// Values that are texts, numbers or words are said; of others, only that they are in the schema.
fn one_of(f: &mut fmt::Formatter<'_>, values: &[Value], otherwise: &str) -> fmt::Result {
    if values.is_empty() || values.iter().any(|value| value.is_array() || value.is_object()) {
        return f.write_str(otherwise);
    }
    f.write_str(if values.len() == 1 { "must be " } else { "must be one of " })?;
    list(f, values.iter().map(Scalar))
}

fn list(f: &mut fmt::Formatter<'_>, mut names: impl ExactSizeIterator<Item = impl fmt::Display>) -> fmt::Result {
    let more = names.len() > LISTED;
    for (place, name) in names.by_ref().take(LISTED).enumerate() {
        write!(f, "{}{name}", if place > 0 { ", " } else { "" })?;
    }
    f.write_str(if more { ", …" } else { "" })
}

struct Scalar<'s>(&'s Value);

impl fmt::Display for Scalar<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0 {
            Value::String(text) => Shown(text).fmt(f),
            value => value.fmt(f),
        }
    }
}

struct Count(u64, &'static str);

impl fmt::Display for Count {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self(count, what) = self;
        match (count, *what) {
            (1, what) => write!(f, "1 {what}"),
            (count, "property") => write!(f, "{count} properties"),
            (count, what) => write!(f, "{count} {what}s"),
        }
    }
}
