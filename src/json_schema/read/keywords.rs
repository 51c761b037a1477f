//! Which words are keywords of which draft, and what each becomes.

use super::super::equality::in_order;
use super::super::flaw::Reason;
use super::super::pointer::Step;
use super::super::rule::{Id, Needs, Rule};
use super::{Draft, Read, Reader, size};
use serde_json::{Map, Value};

/// Members, and what each needs next to it.
type Dependents = Box<[(Box<str>, Needs)]>;

impl<'d> Reader<'d> {
    pub(super) fn keywords(&mut self, id: Id, keywords: &'d Map<String, Value>) -> Read<Vec<Rule>> {
        // In draft 7, a `$ref` stands for all of its schema; what others refer to may be next to it.
        let only_refers = self.draft == Draft::Seven && keywords.contains_key("$ref");
        let mut rules = Vec::new();
        // What is named from here on is of the schema that this names.
        if !only_refers && let Some(value) = keywords.get("$id") {
            self.at(Step::Name("$id"), |reader| reader.identifier(id, value))?;
        }
        for (word, value) in keywords {
            if only_refers && !matches!(&**word, "$ref" | "$defs" | "definitions") {
                continue;
            }
            rules.extend(self.at(Step::Name(word), |reader| reader.keyword(id, word, value))?);
        }
        if !only_refers {
            rules.extend(self.composite(id, keywords)?);
        }
        Ok(rules)
    }

    /// The rule of a keyword that has one of its own.
    fn keyword(&mut self, id: Id, word: &'d str, value: &'d Value) -> Read<Option<Rule>> {
        let (is_2020, is_7) = (self.draft == Draft::Of2020, self.draft == Draft::Seven);
        Ok(Some(match word {
            "type" => Rule::Type(self.types(value)?),
            "const" => {
                self.keep(size::weight(value))?;
                Rule::Const(Box::new(value.clone()))
            }
            "enum" => {
                let values = value.as_array().ok_or_else(|| self.form("an array"))?;
                self.keep(size::weight(value))?;
                Rule::Enum(in_order(values).into_iter().cloned().collect())
            }
            "minimum" => Rule::Minimum(self.number(value)?),
            "maximum" => Rule::Maximum(self.number(value)?),
            "exclusiveMinimum" => Rule::ExclusiveMinimum(self.number(value)?),
            "exclusiveMaximum" => Rule::ExclusiveMaximum(self.number(value)?),
            "multipleOf" => Rule::MultipleOf(self.divisor(value)?),
            "minLength" => Rule::MinLength(self.count(value)?),
            "maxLength" => Rule::MaxLength(self.count(value)?),
            "pattern" => {
                let text = self.text(value)?;
                Rule::Pattern(self.pattern(text)?)
            }
            "minItems" => Rule::MinItems(self.count(value)?),
            "maxItems" => Rule::MaxItems(self.count(value)?),
            "uniqueItems" => return Ok(self.flag(value)?.then_some(Rule::UniqueItems)),
            "minProperties" => Rule::MinProperties(self.count(value)?),
            "maxProperties" => Rule::MaxProperties(self.count(value)?),
            "required" => Rule::Required(self.names(value)?),
            "propertyNames" => Rule::PropertyNames(self.schema(value)?),
            "dependentRequired" if is_2020 => Rule::DependentRequired(
                self.dependents(value, &|reader, needs| Ok(Needs::Members(reader.names(needs)?)))?,
            ),
            "dependentSchemas" if is_2020 => Rule::DependentSchemas(
                self.dependents(value, &|reader, needs| Ok(Needs::Schema(reader.schema(needs)?)))?,
            ),
            // Draft 2020-12 has it no more, but keeps its meaning for those who used it.
            "dependencies" => Rule::Dependencies(self.dependents(value, &|reader, needs| {
                Ok(match needs {
                    Value::Array(_) => Needs::Members(reader.names(needs)?),
                    needs => Needs::Schema(reader.schema(needs)?),
                })
            })?),
            "$ref" => self.reference(id, value)?,
            "allOf" => Rule::AllOf(self.schemas(value)?),
            "anyOf" => Rule::AnyOf(self.schemas(value)?),
            "oneOf" => Rule::OneOf(self.schemas(value)?),
            "not" => Rule::Not(self.schema(value)?),
            // Only to be referred to. Both words are common in both drafts.
            "$defs" | "definitions" => {
                self.each(value, |reader, _, schema| reader.schema(schema))?;
                return Ok(None);
            }
            "$anchor" if is_2020 => {
                let name = self.text(value)?;
                self.anchor(id, name)?;
                return Ok(None);
            }
            "$schema" => {
                let is_same = self.draft(value)? == self.draft;
                return if is_same { Ok(None) } else { Err(self.flaw(Reason::Draft)) };
            }
            // These are read together.
            "$id"
            | "properties"
            | "patternProperties"
            | "additionalProperties"
            | "items"
            | "contains"
            | "if"
            | "then"
            | "else" => return Ok(None),
            "additionalItems" if is_7 => return Ok(None),
            "prefixItems" | "minContains" | "maxContains" | "unevaluatedItems" | "unevaluatedProperties" if is_2020 => {
                return Ok(None);
            }
            word if is_annotation(word) => return Ok(None),
            word => {
                let name = word.to_owned();
                return Err(self.flaw(Reason::Keyword { name, instead: instead_of(word) }));
            }
        }))
    }

    fn dependents(&mut self, value: &'d Value, read: &dyn Fn(&mut Self, &'d Value) -> Read<Needs>) -> Read<Dependents> {
        let all = self.each(value, |reader, name, needs| Ok((name.into(), read(reader, needs)?)))?;
        Ok(all.into())
    }
}

/// Words that change nothing about what is valid: of both drafts, those that OpenAPI adds, and anybody's own.
fn is_annotation(word: &str) -> bool {
    matches!(
        word,
        "title"
            | "description"
            | "default"
            | "examples"
            | "deprecated"
            | "readOnly"
            | "writeOnly"
            | "$comment"
            | "format"
            | "contentMediaType"
            | "contentEncoding"
            | "contentSchema"
            | "discriminator"
            | "example"
            | "externalDocs"
            | "xml"
    ) || word.starts_with("x-")
}

fn instead_of(word: &str) -> &'static str {
    match word {
        "$dynamicRef" | "$dynamicAnchor" | "$recursiveRef" | "$recursiveAnchor" => "use `$ref`",
        "additionalItems" => "draft 2020-12 has `items` for those behind `prefixItems`",
        "prefixItems" => "draft 7 has an array of `items` for it",
        "unevaluatedItems"
        | "unevaluatedProperties"
        | "minContains"
        | "maxContains"
        | "dependentRequired"
        | "dependentSchemas"
        | "$anchor" => "it is of draft 2020-12, and `$schema` says draft 7",
        "id" => "use `$id`",
        "nullable" => "use a list for `type`, as in `[\"string\", \"null\"]`",
        "optional" => "name the others in `required`",
        _ => "it is no keyword of this draft; words of your own begin with `x-`",
    }
}
