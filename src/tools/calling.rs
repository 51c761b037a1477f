//! What an answer calls, held against the rules of its tenant as it passes.
//!
//! Where a rule refuses, no call is seen complete before it was judged: an event waits until it is whole, a call until its arguments
//! are, and what stands behind it waits with it. Everything else goes on at once, byte for byte.

use super::called::{Arguments, CallId, Calls, Told, Tool};
use super::once::Once;
use crate::json_schema::{Fault, Schema, Steps};
use crate::llm::meter::{Form, Passage};
use crate::llm::passing::Passing;
use crate::llm::schema;
use crate::llm::tools::kind_label;
use crate::policy::tools::{Called, ToolRules, Why};
use crate::record::tools::{self, Denied, On, Seen};
use serde_json::{Map, Value};
use std::rc::Rc;

/// What an answer may call.
#[derive(Debug)]
pub struct Callable {
    pub rules: Rc<ToolRules>,
    /// What the client itself wants arguments to be, by the name of the function.
    pub strict: Vec<(String, Schema)>,
    /// What the request offers by these names, if it is no function: Anthropic's own tools are called as functions are.
    pub kinds: Vec<(String, String)>,
}

impl Callable {
    /// About what it takes in memory.
    pub fn weight(&self) -> usize {
        let strict = self.strict.iter().map(|(name, schema)| name.len().saturating_add(schema.weight()));
        let kinds = self.kinds.iter().map(|(name, kind)| name.len().saturating_add(kind.len()));
        strict.chain(kinds).fold(0, usize::saturating_add)
    }
}

/// An answer's body, under the eyes of the rules about its calls.
pub struct Calling {
    calls: Calls,
    judge: Judge,
    /// Where some call may be refused.
    passing: Option<Passing>,
}

/// A call that is not let through.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Refused {
    pub kind: String,
    pub name: String,
    pub why: Why,
    /// What of its arguments is not as the schema says; nothing of what they are.
    pub fault: Option<String>,
    /// Where its first event begins.
    from: u64,
}

struct Judge {
    callable: Callable,
    seen: Seen,
    refused: Option<Refused>,
    /// The last call that was counted: one may go by several names.
    counted: Option<CallId>,
    /// The last call whose arguments were looked at, and whether they were as they should be: of some, both of two ends are told.
    looked: Option<(CallId, bool)>,
    /// What checks of arguments may still take: a worker serves nobody else meanwhile.
    work: Steps,
}

/// More than this waits for no call; a whole answer waits for its end.
const MOST_HELD: usize = 8 * 1024 * 1024;

impl Callable {
    /// Whether some call may be refused.
    pub fn refuses(&self) -> bool {
        [self.rules.called, self.rules.arguments, self.rules.strict].contains(&Called::Refuse)
    }
}

impl Calling {
    /// `None`: answers of this API call nothing.
    pub fn new(callable: Callable, schema: &schema::Schema, form: Form) -> Option<Box<Self>> {
        let calls = Calls::new(schema, form)?;
        let passing = callable.refuses().then(Passing::default);
        let judge = Judge {
            callable,
            seen: Seen::default(),
            refused: None,
            counted: None,
            looked: None,
            work: Steps::of_all(),
        };
        Some(Box::new(Self { calls, judge, passing }))
    }

    /// Whether it may refuse the answer.
    pub const fn refuses(&self) -> bool {
        self.passing.is_some()
    }

    /// The first call that is refused: nothing of it has gone on, and nothing more may.
    pub const fn refused(&self) -> Option<&Refused> {
        self.judge.refused.as_ref()
    }

    pub const fn seen(&self) -> &Seen {
        &self.judge.seen
    }

    /// The next bytes; `last` when no more can come.
    #[cold]
    #[inline(never)]
    pub fn feed(&mut self, bytes: &[u8], last: bool) -> Passage {
        let Self { calls, judge, passing } = self;
        if judge.refused.is_some() {
            return Passage::Replaced(Vec::new());
        }
        calls.feed(bytes, last, &mut |told| judge.hear(told));
        let Some(passing) = passing else { return Passage::Unchanged };
        let all = passing.come().saturating_add(bytes.len() as u64);
        if let Some(Refused { from, .. }) = &judge.refused {
            // What was said before the call goes on, as far as nothing else is waited for.
            let done = calls.open_from().unwrap_or(all).min(*from);
            return match passing.pass(bytes, done) {
                Passage::Unchanged => Passage::Replaced(Vec::new()),
                passed => passed,
            };
        }
        let waits = [calls.open_from(), calls.unfinished_from()].into_iter().flatten().min().filter(|_| !last);
        let passed = passing.pass(bytes, waits.unwrap_or(all));
        if passing.waiting() > MOST_HELD {
            judge.refuse(("other", ""), Why::Unread, None, Called::Refuse, 0);
            return Passage::Replaced(Vec::new());
        }
        passed
    }
}

impl Judge {
    /// Whether the arguments of what is named are to be kept.
    fn hear(&mut self, told: Told<'_>) -> bool {
        match told {
            Told::Named { call, tool, from } => {
                if self.counted.replace(call) != Some(call) {
                    self.seen.called = self.seen.called.saturating_add(1);
                }
                if let Err(why) = self.may_be_called(tool) {
                    let action = self.callable.rules.called;
                    self.refuse((tool.kind, tool.name), why, None, action, from);
                }
                self.schemas(tool).next().is_some()
            }
            Told::Ended { call, tool, arguments, from } => {
                let mut work = std::mem::replace(&mut self.work, Steps::endless());
                let fault = self.fault(tool, arguments, &mut work);
                self.work = work;
                if arguments != Arguments::None && self.schemas(tool).next().is_some() {
                    self.look(call, fault.is_none());
                }
                if let Some((fault, action)) = fault {
                    self.refuse((tool.kind, tool.name), Why::Arguments, fault, action, from);
                }
                false
            }
            Told::Unread => {
                // It may be any call, with any arguments.
                let action = if self.callable.refuses() { Called::Refuse } else { self.callable.rules.called };
                // Of what can't be read, it isn't known where it begins.
                self.refuse(("other", ""), Why::Unread, None, action, 0);
                false
            }
        }
    }

    fn may_be_called(&self, Tool { kind, name, within, unclear }: Tool<'_>) -> Result<(), Why> {
        if self.callable.rules.called == Called::Pass {
            return Ok(());
        }
        if unclear {
            return Err(Why::Unread);
        }
        let offered = self.callable.kinds.iter().find(|(known, _)| kind == "function" && known == name);
        self.callable.rules.judge_call(offered.map_or(kind, |(_, kind)| kind), name, within)
    }

    /// What its arguments are to be, and what becomes of the answer if they aren't.
    fn schemas(&self, tool: Tool<'_>) -> impl Iterator<Item = (&Schema, Called)> {
        let Callable { rules, strict, .. } = &self.callable;
        let registered = rules.registered(tool.name).map(|registered| (&*registered.schema, rules.arguments));
        let own = strict.iter().find(|(name, _)| name == tool.name).map(|(_, schema)| (schema, rules.strict));
        let looks = tool.kind == "function";
        registered.into_iter().chain(own).filter(move |(_, action)| looks && *action != Called::Pass)
    }

    /// Counts a call once, as invalid if anything of it is.
    fn look(&mut self, call: CallId, valid: bool) {
        let before = self.looked.filter(|(before, _)| *before == call).map(|(_, valid)| valid);
        let tools::Arguments { valid: good, invalid: bad } = &mut self.seen.arguments;
        match (before, valid) {
            (Some(false), _) | (Some(true), true) => return,
            (Some(true), false) => *good = good.saturating_sub(1),
            (None, _) => {}
        }
        let count = if valid { good } else { bad };
        *count = count.saturating_add(1);
        self.looked = Some((call, valid));
    }

    /// The fault that is to be refused before one that is to be counted.
    fn fault(&self, tool: Tool<'_>, arguments: Arguments<'_>, work: &mut Steps) -> Option<(Option<String>, Called)> {
        let read = |text| serde_json::from_str(text).ok().map(|Once(value)| value);
        let value = match arguments {
            Arguments::Json(text) => read(text),
            Arguments::Missing => Some(Value::Object(Map::new())),
            Arguments::FreeText(_) | Arguments::TooLong | Arguments::Unreadable => None,
            Arguments::None => return None,
        };
        let faults = self.schemas(tool).filter_map(|(schema, action)| match &value {
            None => Some((None, action)),
            Some(value) => schema.check(value, work).err().map(|fault: Fault| (Some(fault.to_string()), action)),
        });
        faults.max_by_key(|(_, action)| *action == Called::Refuse)
    }

    fn refuse(&mut self, (kind, name): (&str, &str), why: Why, fault: Option<String>, action: Called, from: u64) {
        if action == Called::Pass {
            return;
        }
        let shown = name.chars().take(super::LONGEST_SHOWN).collect();
        let denied = Denied {
            on: On::Answer,
            kind: kind_label(kind).unwrap_or("other"),
            name: shown,
            why,
            action: action.name(),
            times: 1,
        };
        self.seen.deny(denied);
        if action == Called::Refuse {
            let refused = || Refused { kind: kind.to_owned(), name: name.to_owned(), why, fault, from };
            self.refused.get_or_insert_with(refused);
        }
    }
}
