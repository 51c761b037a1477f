//! Calls of hosted tools among the items of an answer, each counted once: streams repeat them.

use super::distinct::Distinct;
use crate::llm::schema::Fact;
use crate::llm::usage::{Count, Native};

/// A call, while it is read.
#[derive(Default)]
pub struct Call {
    id: String,
    kind: String,
    status: String,
    action: String,
    container: String,
}

/// What was called.
#[derive(Default)]
pub struct Calls {
    items: Distinct,
    containers: Distinct,
    queries: Distinct,
}

impl Call {
    pub fn field(&mut self, fact: Fact, text: &str) {
        let field = match fact {
            Fact::CallId => &mut self.id,
            Fact::CallKind => &mut self.kind,
            Fact::CallStatus => &mut self.status,
            Fact::CallAction => &mut self.action,
            _ => &mut self.container,
        };
        text.clone_into(field);
    }
}

impl Calls {
    /// An item comes when it begins, when it ends, and perhaps with the whole answer: its end counts.
    pub fn end_of(&mut self, call: &Call, counts: &mut Native) {
        let over = matches!(&*call.status, "" | "completed" | "incomplete" | "failed");
        if !over || !call.kind.ends_with("_call") || (!call.id.is_empty() && !self.items.insert(&call.id)) {
            return;
        }
        match &*call.kind {
            "x_search_call" => counts.add(Count::SearchCalls, 1),
            // To open a page of a result, or to search in it, is no search.
            "web_search_call" if matches!(&*call.action, "" | "search") => counts.add(Count::SearchCalls, 1),
            "file_search_call" => counts.add(Count::FileSearches, 1),
            // A shell of the client's own has none.
            "shell_call" if call.container.is_empty() => {}
            "code_interpreter_call" | "shell_call" if self.containers.insert(&call.container) => {
                counts.add(Count::ContainerSessions, 1);
            }
            _ => {}
        }
    }

    pub fn container(&mut self, id: &str, counts: &mut Native) {
        if !id.is_empty() && self.containers.insert(id) {
            counts.add(Count::ContainerSessions, 1);
        }
    }

    pub fn query(&mut self, text: &str, counts: &mut Native) {
        if !text.is_empty() && self.queries.insert(text) {
            counts.add(Count::SearchCalls, 1);
        }
    }
}
