//! Holds a value against the rules of a schema, up to the first that it breaks.

mod array;
mod branches;
mod object;
mod unevaluated;

use super::Schema;
use super::equality::{order, weight, weight_of_number};
use super::fault::{Fault, Stop, Why};
use super::number::Decimal;
use super::pattern::{Pattern, Scratch};
use super::pointer::Step;
use super::rule::{Id, Rule, Types};
use super::work::{DIVISION, Halt, MAX_DEPTH, MAX_NESTED, Steps};
use serde_json::{Number, Value};

type Checked<'s, T = ()> = Result<T, Stop<'s>>;

struct Check<'s> {
    schema: &'s Schema,
    /// To the value that is looked at. When a rule is broken, it stays where that was.
    path: Vec<Step<'s>>,
    steps: Steps,
    nested: usize,
    /// Within how many schemas whose faults nobody will see.
    quiet: usize,
    scratch: Scratch,
}

pub fn check(schema: &Schema, value: &Value, all: &mut Steps) -> Result<(), Fault> {
    let steps = Steps::within(all);
    let mut check = Check { schema, path: Vec::new(), steps, nested: 0, quiet: 0, scratch: Scratch::default() };
    let checked = check.value(schema.root, value).map_err(|stop| Fault::new(&check.path, stop));
    all.settle(&check.steps);
    checked
}

impl<'s> Check<'s> {
    fn value(&mut self, id: Id, value: &Value) -> Checked<'s> {
        self.nested(|check| {
            for rule in check.schema.rules(id) {
                check.spend(1)?;
                check.rule(rule, value)?;
            }
            Ok(())
        })
    }

    /// Of a member or an item.
    fn inside(&mut self, step: Step<'s>, id: Id, value: &Value) -> Checked<'s> {
        self.spend(1)?;
        if self.path.len() >= MAX_DEPTH {
            return Err(Halt::TooDeep.into());
        }
        self.path.push(step);
        self.value(id, value)?;
        self.path.pop();
        Ok(())
    }

    /// Whether a schema holds, where it need not. If not, why.
    fn attempt(&mut self, id: Id, value: &Value) -> Checked<'s, Option<Why<'s>>> {
        self.quietly(|check| check.value(id, value))
    }

    fn quietly(&mut self, check: impl FnOnce(&mut Self) -> Checked<'s>) -> Checked<'s, Option<Why<'s>>> {
        let depth = self.path.len();
        self.quiet = self.quiet.saturating_add(1);
        let checked = check(self);
        self.quiet = self.quiet.saturating_sub(1);
        match checked {
            Ok(()) => Ok(None),
            Err(Stop::Fails(why)) => {
                self.path.truncate(depth);
                Ok(Some(why))
            }
            Err(halted) => Err(halted),
        }
    }

    fn nested<T>(&mut self, check: impl FnOnce(&mut Self) -> Checked<'s, T>) -> Checked<'s, T> {
        if self.nested >= MAX_NESTED {
            return Err(Halt::TooMuchWork.into());
        }
        self.nested = self.nested.saturating_add(1);
        let checked = check(self);
        self.nested = self.nested.saturating_sub(1);
        checked
    }

    fn spend(&mut self, steps: usize) -> Checked<'s> {
        Ok(self.steps.spend(steps)?)
    }

    fn matches(&mut self, pattern: &Pattern, text: &str) -> Checked<'s, bool> {
        Ok(pattern.matches(text, &mut self.scratch, &mut self.steps)?)
    }

    fn rule(&mut self, rule: &'s Rule, value: &Value) -> Checked<'s> {
        let holds = match (rule, value) {
            (Rule::False, _) => false,
            (Rule::Type(types), value) => {
                if value.is_f64() && types.asks_for_wholes() {
                    self.spend(DIVISION)?;
                }
                if !types.have(value) {
                    return Err(Stop::Fails(Why::Type(*types, Types::of(value))));
                }
                true
            }
            (Rule::Const(expected), value) => self.is_among(std::slice::from_ref(expected), value)?,
            (Rule::Enum(values), value) => self.is_among(values, value)?,
            (Rule::Minimum(least), Value::Number(number)) => self.decimal(number)? >= *least,
            (Rule::Maximum(most), Value::Number(number)) => self.decimal(number)? <= *most,
            (Rule::ExclusiveMinimum(bound), Value::Number(number)) => self.decimal(number)? > *bound,
            (Rule::ExclusiveMaximum(bound), Value::Number(number)) => self.decimal(number)? < *bound,
            (Rule::MultipleOf(of), Value::Number(number)) => {
                self.spend(DIVISION)?;
                Decimal::of(number).is_multiple_of(*of)
            }
            (Rule::MinLength(least), Value::String(text)) => self.length(text)? >= *least,
            (Rule::MaxLength(most), Value::String(text)) => self.length(text)? <= *most,
            (Rule::Pattern(pattern), Value::String(text)) => self.matches(pattern, text)?,
            (Rule::Ref(id), value) => return self.value(*id, value),
            (Rule::AllOf(ids), value) => return ids.iter().try_for_each(|id| self.value(*id, value)),
            (Rule::AnyOf(ids), value) => return self.any_of(rule, ids, value),
            (Rule::OneOf(ids), value) => return self.one_of(rule, ids, value),
            (Rule::Not(id), value) => self.attempt(*id, value)?.is_some(),
            (Rule::If(of), value) => return self.if_then_else(of, value),
            (rule, Value::Array(items)) => return self.array(rule, items, value),
            (rule, Value::Object(members)) => return self.object(rule, members, value),
            _ => true,
        };
        if holds { Ok(()) } else { Err(Stop::Fails(Why::Rule(rule))) }
    }

    fn is_among(&mut self, sorted: &[Value], value: &Value) -> Checked<'s, bool> {
        let weight = match value {
            Value::Array(_) | Value::Object(_) => {
                weight(value, MAX_DEPTH.saturating_sub(self.path.len()), &mut self.steps)?
            }
            // Compared with one of a schema's, as far as both begin alike.
            Value::String(text) => Steps::of_text(text),
            Value::Number(number) => weight_of_number(number),
            Value::Null | Value::Bool(_) => 1,
        };
        self.spend(weight.saturating_mul(Steps::of_search(sorted.len())))?;
        Ok(sorted.binary_search_by(|known| order(known, value)).is_ok())
    }

    /// What has a fraction is written out to be read.
    fn decimal(&mut self, number: &Number) -> Checked<'s, Decimal> {
        if number.is_f64() {
            self.spend(DIVISION)?;
        }
        Ok(Decimal::of(number))
    }

    /// In characters.
    fn length(&mut self, text: &str) -> Checked<'s, u64> {
        self.spend(Steps::of_length(text))?;
        Ok(u64::try_from(text.chars().count()).unwrap_or(u64::MAX))
    }
}
