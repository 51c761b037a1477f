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
    /// Of the step that is read, and whether it is a search.
    asked: Distinct,
    searches: bool,
    /// The results that are read are those of a search that has been counted.
    in_results: bool,
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
    /// An item comes when it begins, when it ends, and perhaps with the whole answer: its end counts. What is drawn, and where code runs,
    /// is sold from its beginning, whoever waits for its end.
    pub fn end_of(&mut self, call: &Call, counts: &mut Native) {
        let at_once = matches!(&*call.kind, "image_generation_call" | "code_interpreter_call" | "shell_call");
        let over = matches!(&*call.status, "" | "completed" | "incomplete" | "failed")
            || (at_once && !call.id.is_empty() && (call.kind == "image_generation_call" || !call.container.is_empty()));
        let is_call = call.kind.ends_with("_call") || call.kind == "search";
        if !over || !is_call || (!call.id.is_empty() && !self.items.insert(&call.id)) {
            return;
        }
        match &*call.kind {
            "x_search_call" | "search" => counts.add(Count::SearchCalls, 1),
            // To open a page of a result, or to search in it, is no search.
            "web_search_call" if matches!(&*call.action, "" | "search") => counts.add(Count::SearchCalls, 1),
            "file_search_call" => counts.add(Count::FileSearches, 1),
            // Sold by the piece where nobody says by how many tokens.
            "image_generation_call" => counts.add(Count::Images, 1),
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

    /// The call of a block is named, before its results or behind them: those of another follow.
    pub const fn served(&mut self) {
        self.in_results = false;
    }

    /// A result of a search: the first says that it was made.
    pub fn found(&mut self, counts: &mut Native) {
        if !std::mem::replace(&mut self.in_results, true) {
            counts.add(Count::SearchCalls, 1);
        }
    }

    pub fn query(&mut self, text: &str, counts: &mut Native) {
        if !text.is_empty() && self.queries.insert(text) {
            counts.add(Count::SearchCalls, 1);
        }
    }

    /// The step that is read has asked for this, whatever it is.
    pub fn asked(&mut self, text: &str) {
        if !text.is_empty() {
            self.asked.insert(text);
        }
    }

    pub const fn searches(&mut self) {
        self.searches = true;
    }

    pub fn end_of_step(&mut self, counts: &mut Native) {
        let asked = std::mem::take(&mut self.asked);
        if std::mem::take(&mut self.searches) {
            counts.add(Count::SearchCalls, self.queries.insert_all(&asked));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_block_of_results_is_a_search_whether_its_call_is_named_before_or_behind() {
        for (blocks, searches) in [("nrrnrr", 2), ("rrnrrn", 2), ("nrrn", 1), ("nnn", 0), ("", 0), ("nrnrnr", 3)] {
            let (mut calls, mut counts) = (Calls::default(), Native::default());
            for member in blocks.chars() {
                match member {
                    'n' => calls.served(),
                    _ => calls.found(&mut counts),
                }
            }
            assert_eq!(counts.get(Count::SearchCalls).unwrap_or(0), searches, "{blocks}");
        }
    }

    /// Whoever leaves before its end has seen it begin.
    #[test]
    fn what_is_sold_from_its_beginning_counts_then_and_once() {
        let call = |kind: &str, id: &str, status: &str, container: &str| Call {
            id: id.to_owned(),
            kind: kind.to_owned(),
            status: status.to_owned(),
            container: container.to_owned(),
            ..Call::default()
        };
        for (kind, container, count) in [
            ("image_generation_call", "", Count::Images),
            ("code_interpreter_call", "cntr_1", Count::ContainerSessions),
            ("shell_call", "cntr_1", Count::ContainerSessions),
        ] {
            let (mut calls, mut counts) = (Calls::default(), Native::default());
            for (id, status) in [("a", "in_progress"), ("a", "completed"), ("b", "generating")] {
                calls.end_of(&call(kind, id, status, container), &mut counts);
            }
            let expected = if count == Count::Images { 2 } else { 1 };
            assert_eq!(counts.get(count), Some(expected), "{kind}");
        }
        let (mut calls, mut counts) = (Calls::default(), Native::default());
        calls.end_of(&call("code_interpreter_call", "a", "in_progress", ""), &mut counts);
        calls.end_of(&call("code_interpreter_call", "a", "completed", "cntr_1"), &mut counts);
        assert_eq!(counts.get(Count::ContainerSessions), Some(1));
    }

    #[test]
    fn a_picture_that_a_tool_drew_counts_once() {
        let (mut calls, mut counts) = (Calls::default(), Native::default());
        let call = |id: &str, status: &str| Call {
            id: id.to_owned(),
            kind: "image_generation_call".to_owned(),
            status: status.to_owned(),
            ..Call::default()
        };
        for (id, status) in
            [("ig_1", "in_progress"), ("ig_1", "completed"), ("ig_1", "completed"), ("ig_2", "completed")]
        {
            calls.end_of(&call(id, status), &mut counts);
        }
        assert_eq!(counts.get(Count::Images), Some(2));
    }
}
