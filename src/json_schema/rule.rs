//! What a schema comes to once it is read: the rules that a value is held against, each of one keyword or of a few that only
//! mean something together.

use super::number::Decimal;
use super::pattern::Pattern;
use serde_json::Value;
use std::fmt;
use std::rc::Rc;

/// The place of a schema among all that a document has. They refer to each other, in circles too.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Id(pub usize);

/// Without any, everything is valid.
pub type Rules = Box<[Rule]>;

#[derive(Debug)]
pub enum Rule {
    /// The schema `false`.
    False,
    Type(Types),
    Const(Box<Value>),
    /// Sorted, so that a long one is searched in a few steps.
    Enum(Box<[Value]>),
    Minimum(Decimal),
    Maximum(Decimal),
    ExclusiveMinimum(Decimal),
    ExclusiveMaximum(Decimal),
    MultipleOf(Decimal),
    MinLength(u64),
    MaxLength(u64),
    Pattern(Rc<Pattern>),
    MinItems(u64),
    MaxItems(u64),
    UniqueItems,
    Items(Box<Items>),
    Contains(Box<Contains>),
    MinProperties(u64),
    MaxProperties(u64),
    PropertyNames(Id),
    Properties(Box<Properties>),
    Required(Box<[Box<str>]>),
    DependentRequired(Box<[(Box<str>, Needs)]>),
    DependentSchemas(Box<[(Box<str>, Needs)]>),
    /// Draft 7's word for both.
    Dependencies(Box<[(Box<str>, Needs)]>),
    Ref(Id),
    AllOf(Box<[Id]>),
    AnyOf(Box<[Id]>),
    OneOf(Box<[Id]>),
    Not(Id),
    If(Box<If>),
    UnevaluatedItems(Unevaluated),
    UnevaluatedProperties(Unevaluated),
}

#[derive(Debug)]
pub struct Items {
    /// `prefixItems`, or the `items` of draft 7 if that is an array.
    pub prefix: Box<[Id]>,
    /// `items`, or draft 7's `additionalItems`.
    pub rest: Option<Id>,
    /// The keyword that `rest` stands at.
    pub keyword: &'static str,
}

#[derive(Clone, Copy, Debug)]
pub struct Contains {
    pub schema: Id,
    pub min: u64,
    pub max: Option<u64>,
}

#[derive(Debug)]
pub struct Properties {
    /// Sorted by name.
    pub named: Box<[(Box<str>, Id)]>,
    pub patterns: Box<[(Rc<Pattern>, Id)]>,
    pub additional: Option<Id>,
}

/// What a member needs next to it.
#[derive(Debug)]
pub enum Needs {
    Members(Box<[Box<str>]>),
    Schema(Id),
}

/// Of either keyword.
#[derive(Clone, Copy, Debug)]
pub struct Unevaluated {
    /// What it holds for is what this schema, which has the keyword, doesn't look at otherwise.
    pub within: Id,
    pub schema: Id,
}

#[derive(Debug)]
pub struct If {
    pub condition: Id,
    pub then: Option<Id>,
    pub otherwise: Option<Id>,
}

impl Rule {
    pub const fn keyword(&self) -> &'static str {
        match self {
            Self::False => "false",
            Self::Type(_) => "type",
            Self::Const(_) => "const",
            Self::Enum(_) => "enum",
            Self::Minimum(_) => "minimum",
            Self::Maximum(_) => "maximum",
            Self::ExclusiveMinimum(_) => "exclusiveMinimum",
            Self::ExclusiveMaximum(_) => "exclusiveMaximum",
            Self::MultipleOf(_) => "multipleOf",
            Self::MinLength(_) => "minLength",
            Self::MaxLength(_) => "maxLength",
            Self::Pattern(_) => "pattern",
            Self::MinItems(_) => "minItems",
            Self::MaxItems(_) => "maxItems",
            Self::UniqueItems => "uniqueItems",
            Self::Items(items) => items.keyword,
            Self::Contains(_) => "contains",
            Self::MinProperties(_) => "minProperties",
            Self::MaxProperties(_) => "maxProperties",
            Self::PropertyNames(_) => "propertyNames",
            Self::Properties(_) => "additionalProperties",
            Self::Required(_) => "required",
            Self::DependentRequired(_) => "dependentRequired",
            Self::DependentSchemas(_) => "dependentSchemas",
            Self::Dependencies(_) => "dependencies",
            Self::Ref(_) => "$ref",
            Self::AllOf(_) => "allOf",
            Self::AnyOf(_) => "anyOf",
            Self::OneOf(_) => "oneOf",
            Self::Not(_) => "not",
            Self::If(_) => "if",
            Self::UnevaluatedItems(_) => "unevaluatedItems",
            Self::UnevaluatedProperties(_) => "unevaluatedProperties",
        }
    }

    /// When it is its turn. What says most about a value comes first, and is what is reported of it. Whether something is
    /// unevaluated shows once all other rules hold.
    pub const fn turn(&self) -> u8 {
        match self {
            Self::False | Self::Type(_) => 0,
            Self::Properties(_) | Self::Items(_) => 2,
            Self::Required(_) => 3,
            Self::Ref(_) | Self::AllOf(_) | Self::AnyOf(_) | Self::OneOf(_) | Self::Not(_) | Self::If(_) => 4,
            _ if self.is_unevaluated() => 5,
            _ => 1,
        }
    }

    pub const fn is_unevaluated(&self) -> bool {
        matches!(self, Self::UnevaluatedItems(_) | Self::UnevaluatedProperties(_))
    }

    /// The schemas that hold for the same value as this rule, not for what is in it.
    pub fn in_place(&self) -> Vec<Id> {
        match self {
            Self::Ref(id) | Self::Not(id) => vec![*id],
            Self::AllOf(ids) | Self::AnyOf(ids) | Self::OneOf(ids) => ids.to_vec(),
            Self::If(rule) => [Some(rule.condition), rule.then, rule.otherwise].into_iter().flatten().collect(),
            Self::DependentSchemas(members) | Self::Dependencies(members) => {
                let schema = |(_, needs): &(_, Needs)| match needs {
                    Needs::Schema(id) => Some(*id),
                    Needs::Members(_) => None,
                };
                members.iter().filter_map(schema).collect()
            }
            _ => Vec::new(),
        }
    }
}

/// A set of JSON Schema's types.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Types(u8);

const NAMES: [(&str, Types); 7] = [
    ("null", Types::NULL),
    ("boolean", Types::BOOLEAN),
    ("integer", Types::INTEGER),
    ("number", Types::NUMBER),
    ("string", Types::STRING),
    ("array", Types::ARRAY),
    ("object", Types::OBJECT),
];

impl Types {
    const NULL: Self = Self(1);
    const BOOLEAN: Self = Self(2);
    const INTEGER: Self = Self(4);
    const NUMBER: Self = Self(8);
    const STRING: Self = Self(16);
    const ARRAY: Self = Self(32);
    const OBJECT: Self = Self(64);

    pub fn named(name: &str) -> Option<Self> {
        NAMES.iter().find(|(known, _)| *known == name).map(|(_, types)| *types)
    }

    #[must_use]
    pub const fn with(self, other: Self) -> Self {
        Self(self.0 | other.0)
    }

    const fn overlaps(self, other: Self) -> bool {
        self.0 & other.0 != 0
    }

    /// The one that a value is of. An integer is a number.
    pub const fn of(value: &Value) -> Self {
        match value {
            Value::Null => Self::NULL,
            Value::Bool(_) => Self::BOOLEAN,
            Value::Number(_) => Self::NUMBER,
            Value::String(_) => Self::STRING,
            Value::Array(_) => Self::ARRAY,
            Value::Object(_) => Self::OBJECT,
        }
    }

    /// Whether a value is of one of them. Every number without a fraction is an integer: `1.0` is.
    pub fn have(self, value: &Value) -> bool {
        self.overlaps(Self::of(value))
            || matches!(value, Value::Number(number) if self.overlaps(Self::INTEGER) && Decimal::of(number).is_whole())
    }

    /// Whether a number with a fraction must be written out to see if it is of them.
    pub fn asks_for_wholes(self) -> bool {
        self.overlaps(Self::INTEGER) && !self.overlaps(Self::NUMBER)
    }
}

impl fmt::Display for Types {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let named = NAMES.iter().filter(|(_, types)| self.overlaps(*types));
        for (place, (name, _)) in named.enumerate() {
            write!(f, "{}{name}", if place > 0 { " or " } else { "" })?;
        }
        Ok(())
    }
}
