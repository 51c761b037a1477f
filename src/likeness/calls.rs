//! What an answer calls: how many tools, which, and with which arguments.

use super::PairKey;
use crate::digest::SipHash;
use crate::llm::meter::Form;
use crate::llm::schema::Schema;
use crate::record::answered::Answered;
use crate::tools::{Arguments, CallId, Calls, Told, Tool};
use serde_json::Value;

pub(super) struct CallsPrint {
    calls: Calls,
    sum: Sum,
}

/// Calls are summed up, for two answers may make the same in another order.
struct Sum {
    key: PairKey,
    calls: u64,
    tools: u64,
    with_arguments: u64,
    /// The last call that was counted: one may go by several names.
    counted: Option<CallId>,
    /// Of some call it isn't known what its tool is or its arguments are.
    unread: bool,
}

impl CallsPrint {
    pub(super) fn new(key: PairKey, schema: &Schema, form: Form) -> Option<Self> {
        let calls = Calls::new(schema, form)?;
        let sum = Sum { key, calls: 0, tools: 0, with_arguments: 0, counted: None, unread: false };
        Some(Self { calls, sum })
    }

    pub(super) fn feed(&mut self, bytes: &[u8], last: bool) {
        let Self { calls, sum } = self;
        calls.feed(bytes, last, &mut |told| sum.hear(told));
    }

    pub(super) fn tell(&self, answered: &mut Answered) {
        let Sum { calls, tools, with_arguments, unread, .. } = self.sum;
        answered.calls = calls;
        if calls > 0 && !unread {
            answered.tools = Some(tools);
            answered.arguments = Some(with_arguments);
        }
    }
}

impl Sum {
    /// All arguments are wanted.
    fn hear(&mut self, told: Told<'_>) -> bool {
        match told {
            Told::Named { call, tool, .. } => {
                if self.counted.replace(call) != Some(call) {
                    self.calls = self.calls.saturating_add(1);
                    self.tools = self.tools.wrapping_add(self.print(tool, None));
                }
                self.unread |= tool.unclear;
            }
            Told::Ended { tool, arguments, .. } => {
                let text = match arguments {
                    Arguments::Json(text) => as_value(text),
                    Arguments::FreeText(text) => text.to_owned(),
                    Arguments::Missing => "{}".to_owned(),
                    Arguments::None | Arguments::TooLong | Arguments::Unreadable => {
                        self.unread = true;
                        return false;
                    }
                };
                self.with_arguments = self.with_arguments.wrapping_add(self.print(tool, Some(&text)));
            }
            Told::Unread => self.unread = true,
        }
        true
    }

    fn print(&self, Tool { kind, name, within, .. }: Tool<'_>, arguments: Option<&str>) -> u64 {
        let PairKey(key) = self.key;
        let mut hash = SipHash::new(key);
        for part in [kind, name, within].into_iter().chain(arguments) {
            hash.bytes(&(part.len() as u64).to_le_bytes());
            hash.bytes(part.as_bytes());
        }
        hash.end()
    }
}

/// Without blanks, and its keys in one order.
fn as_value(text: &str) -> String {
    serde_json::from_str::<Value>(text).map_or_else(|_| text.to_owned(), |value| value.to_string())
}
