//! Keywords that mean something only together.

use super::super::pointer::Step;
use super::super::rule::{Contains, Id, If, Items, Properties, Rule, Unevaluated};
use super::{Draft, Read, Reader};
use serde_json::{Map, Value};

type Keywords = Map<String, Value>;

impl<'d> Reader<'d> {
    pub(super) fn composite(&mut self, id: Id, keywords: &'d Keywords) -> Read<Vec<Rule>> {
        let rules = [
            self.properties(keywords)?,
            self.items(keywords)?,
            self.contains(keywords)?,
            self.if_then_else(keywords)?,
            self.unevaluated(id, keywords, "unevaluatedItems", Rule::UnevaluatedItems)?,
            self.unevaluated(id, keywords, "unevaluatedProperties", Rule::UnevaluatedProperties)?,
        ];
        Ok(rules.into_iter().flatten().collect())
    }

    /// Reads a keyword, if it is there.
    fn if_there<T>(
        &mut self,
        keywords: &'d Keywords,
        keyword: &'static str,
        read: impl FnOnce(&mut Self, &'d Value) -> Read<T>,
    ) -> Read<Option<T>> {
        let Some(value) = keywords.get(keyword) else { return Ok(None) };
        self.at(Step::Name(keyword), |reader| read(reader, value)).map(Some)
    }

    fn properties(&mut self, keywords: &'d Keywords) -> Read<Option<Rule>> {
        let named = self.if_there(keywords, "properties", |reader, value| {
            reader.each(value, |reader, name, schema| Ok((Box::from(name), reader.schema(schema)?)))
        })?;
        let patterns = self.if_there(keywords, "patternProperties", |reader, value| {
            reader.each(value, |reader, name, schema| Ok((reader.pattern(name)?, reader.schema(schema)?)))
        })?;
        let additional = self.if_there(keywords, "additionalProperties", Self::schema)?;
        if named.is_none() && patterns.is_none() && additional.is_none() {
            return Ok(None);
        }
        // They come in this order, unless `serde_json` is built to keep that of the document.
        let mut sorted: Vec<(Box<str>, Id)> = Vec::new();
        for (name, id) in named.unwrap_or_default() {
            let place = sorted.partition_point(|(other, _)| *other < name);
            sorted.insert(place, (name, id));
        }
        let patterns = patterns.unwrap_or_default().into();
        Ok(Some(Rule::Properties(Box::new(Properties { named: sorted.into(), patterns, additional }))))
    }

    fn items(&mut self, keywords: &'d Keywords) -> Read<Option<Rule>> {
        let (prefix, rest, keyword) = match (self.draft, keywords.get("items")) {
            (Draft::Of2020, _) => {
                let prefix = self.if_there(keywords, "prefixItems", Self::schemas)?;
                let rest = self.if_there(keywords, "items", |reader, value| match value {
                    Value::Array(_) => {
                        Err(reader.form("a schema: draft 2020-12 has `prefixItems` for an array of them"))
                    }
                    value => reader.schema(value),
                })?;
                (prefix, rest, "items")
            }
            (Draft::Seven, Some(Value::Array(_))) => {
                let prefix = self.if_there(keywords, "items", Self::schemas)?;
                (prefix, self.if_there(keywords, "additionalItems", Self::schema)?, "additionalItems")
            }
            (Draft::Seven, _) => {
                let rest = self.if_there(keywords, "items", Self::schema)?;
                // Without an array of `items` before it, it holds for nothing.
                self.if_there(keywords, "additionalItems", Self::schema)?;
                (None, rest, "items")
            }
        };
        if prefix.is_none() && rest.is_none() {
            return Ok(None);
        }
        Ok(Some(Rule::Items(Box::new(Items { prefix: prefix.unwrap_or_default(), rest, keyword }))))
    }

    fn contains(&mut self, keywords: &'d Keywords) -> Read<Option<Rule>> {
        let min = self.if_there(keywords, "minContains", |reader, value| reader.count(value))?;
        let max = self.if_there(keywords, "maxContains", |reader, value| reader.count(value))?;
        let schema = self.if_there(keywords, "contains", Self::schema)?;
        Ok(schema.map(|schema| Rule::Contains(Box::new(Contains { schema, min: min.unwrap_or(1), max }))))
    }

    fn if_then_else(&mut self, keywords: &'d Keywords) -> Read<Option<Rule>> {
        let condition = self.if_there(keywords, "if", Self::schema)?;
        let then = self.if_there(keywords, "then", Self::schema)?;
        let otherwise = self.if_there(keywords, "else", Self::schema)?;
        Ok(condition.map(|condition| Rule::If(Box::new(If { condition, then, otherwise }))))
    }

    fn unevaluated(
        &mut self,
        within: Id,
        keywords: &'d Keywords,
        keyword: &'static str,
        rule: fn(Unevaluated) -> Rule,
    ) -> Read<Option<Rule>> {
        let schema = self.if_there(keywords, keyword, Self::schema)?;
        Ok(schema.map(|schema| rule(Unevaluated { within, schema })))
    }
}
