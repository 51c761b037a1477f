//! What a request offers, held against the rules of its tenant.

use super::called::LONGEST_NAME;
use super::once::Once;
use crate::json_schema::{self, Schema, Where};
use crate::llm::offered::{Element, Held, Lacks, List, Offer, Offers, Tool};
use crate::llm::request::{Cut, Edit, Place};
use crate::llm::tools::kind_label;
use crate::order;
use crate::policy::tools::{Called, Offered, Registered, ToolRules, Why};
use crate::record::tools::{Denied, On, Seen};
use serde_json::Value;

/// What becomes of a request, by what it offers.
#[derive(Debug, Default)]
pub struct Judged {
    /// What is written into its body: not in the order of the places.
    pub edits: Vec<Edit>,
    /// Members that don't go on.
    pub members: Vec<Cut>,
    pub seen: Seen,
    /// The first that is refused.
    pub refused: Option<Refusal>,
    /// What the client itself wants arguments to be.
    pub strict: Vec<(String, Schema)>,
    /// Names of tools that are no functions, and are called as if they were: with their kinds.
    pub kinds: Vec<(String, String)>,
}

/// Why a request is refused, for whom sent it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Refusal {
    pub kind: String,
    pub name: Option<String>,
    pub why: Why,
    /// It should have been taken out, and stands where nothing can be.
    pub stays: bool,
}

/// Holds what is offered against the rules; `levers` are kinds of tools that the request asks for in other ways.
pub fn judge<'a>(offers: &Offers, rules: &ToolRules, levers: impl IntoIterator<Item = &'a str>) -> Judged {
    let mut judge =
        Judge { rules, judged: Judged::default(), cuts: Vec::new(), written: 0, strict_bytes: 0, strict_weight: 0 };
    for kind in levers {
        judge.judged.seen.offered = judge.judged.seen.offered.saturating_add(1);
        if let Err(why) = rules.judge(kind, &[]) {
            // A field, or a part of the model's name: it stands in no list that it could be taken out of.
            judge.deny(kind, &[], why, true);
        }
    }
    match offers.held() {
        Ok(held) => judge.members(offers, held),
        Err(_) => judge.unread(),
    }
    judge.judged
}

struct Judge<'r> {
    rules: &'r ToolRules,
    judged: Judged,
    /// Places that go, none within another.
    cuts: Vec<Edit>,
    /// Bytes written so far; of the schemas that a client wants enforced, bytes read, and of memory that is held.
    written: usize,
    strict_bytes: usize,
    strict_weight: usize,
}

impl Judge<'_> {
    fn members(&mut self, offers: &Offers, held: &[Held]) {
        let (mut stays, mut any_goes) = (false, false);
        for member in held {
            match member.offer {
                Offer::Tools(form) | Offer::Within(form) | Offer::Inside(form) => {
                    let Ok(mut list) = offers.list(member, form) else {
                        self.unread();
                        stays = true;
                        continue;
                    };
                    let left = self.list(&mut list);
                    self.edit(&list);
                    match member.offer {
                        _ if list.elements.is_empty() || matches!(member.offer, Offer::Inside(_)) => {}
                        _ if left => stays = true,
                        Offer::Within(_) => {
                            any_goes = true;
                            let around = |other: &&Held| {
                                other.offer == Offer::Around && other.from < member.from && member.to < other.to
                            };
                            self.judged.members.extend(held.iter().find(around).and_then(|around| around.member));
                        }
                        _ => {
                            any_goes = true;
                            self.judged.members.extend(member.member);
                        }
                    }
                }
                Offer::Choice { open, .. } => self.choice(offers, member, open),
                Offer::Pointed if !member.is_null => self.unread(),
                Offer::Around | Offer::Beside | Offer::Pointed => {}
            }
        }
        if any_goes && !stays {
            // Without tools there is nothing to choose from, and some providers refuse to be told of a choice.
            let goes = |member: &&Held| matches!(member.offer, Offer::Beside | Offer::Choice { at_top: true, .. });
            self.judged.members.extend(held.iter().filter(goes).filter_map(|member| member.member));
        }
        // What is written into a definition that goes, goes with it.
        let Self { judged: Judged { edits, members, .. }, cuts, .. } = self;
        order::sort_by_key(cuts, |cut| cut.place.from);
        let goes = |place: Place| {
            let before = cuts.partition_point(|cut| cut.place.from <= place.from);
            before.checked_sub(1).and_then(|last| cuts.get(last)).is_some_and(|cut| place.to <= cut.place.to)
        };
        edits.retain(|edit| !goes(edit.place));
        edits.append(cuts);
        edits.retain(|edit| !members.iter().any(|member| member.holds(edit.place)));
    }

    /// Judges each tool of it, and whether any is left.
    fn list(&mut self, list: &mut List<'_>) -> bool {
        let is_one = list.is_one;
        list.elements.iter_mut().for_each(|element| self.element(element, is_one));
        list.elements.iter().any(|element| !element.gone)
    }

    /// An element that is denied goes, and so does one of which nothing is left but empty lists. A single tool stands where
    /// nothing can be taken out.
    fn element(&mut self, element: &mut Element<'_>, is_one: bool) {
        let mut is_denied = false;
        for tool in &element.tools {
            self.judged.seen.offered = self.judged.seen.offered.saturating_add(1);
            if let Err(why) = self.tool(tool) {
                is_denied = true;
                self.deny(&tool.kind, &tool.names, why, is_one);
            }
        }
        let mut left = !element.tools.is_empty() || element.lists.is_empty();
        for list in &mut element.lists {
            left |= self.list(list) || list.elements.is_empty();
        }
        element.gone = (is_denied || !left) && self.rules.offered == Offered::Strip && !is_one;
    }

    fn tool(&mut self, tool: &Tool<'_>) -> Result<(), Why> {
        self.rules.judge(&tool.kind, &tool.names)?;
        if tool.kind != "function" {
            let room = MOST_STRICT.saturating_sub(self.judged.kinds.len());
            let names = tool.names.iter().filter(|name| name.len().max(tool.kind.len()) <= LONGEST_NAME).take(room);
            self.judged.kinds.extend(names.map(|name| (name.clone(), tool.kind.clone())));
            return Ok(());
        }
        let rules = self.rules;
        let mut registered = tool.names.iter().filter_map(|name| rules.registered(name));
        if let Some(first) = registered.next() {
            // The same name twice is one function; two would be written into one definition.
            if registered.any(|other| !std::ptr::eq(other, first)) {
                return Err(Why::Differs);
            }
            self.hold_against(first, tool)?;
        }
        if tool.strict && rules.strict != Called::Pass {
            self.read_strict(tool);
        }
        Ok(())
    }

    /// A definition must be the registered one, and is written where there is none.
    fn hold_against(&mut self, registered: &Registered, tool: &Tool<'_>) -> Result<(), Why> {
        match tool.schema {
            Some(schema) => {
                if schema.len() > registered.text.len() && marks(schema) != marks(&registered.text) {
                    return Err(Why::Differs);
                }
                let Once(schema) = serde_json::from_str(schema).map_err(|_| Why::Unread)?;
                if !json_schema::equal(&schema, &registered.written) {
                    return Err(Why::Differs);
                }
            }
            None => {
                let Lacks { at, schema_before, schema_behind } = tool.lacks;
                self.write(at, format!(",{schema_before}{}{schema_behind}", registered.text))?;
            }
        }
        match (&tool.description, &registered.description) {
            (Some(said), Some(known)) if **said != **known => return Err(Why::Differs),
            (None, Some(known)) => {
                let known = Value::from(&**known);
                self.write(tool.lacks.at, format!(",\"description\":{known}"))?;
            }
            _ => {}
        }
        Ok(())
    }

    /// A name of a few bytes may stand for a definition of many.
    fn write(&mut self, at: u64, text: String) -> Result<(), Why> {
        self.written = self.written.saturating_add(text.len());
        if self.written > MOST_WRITTEN {
            return Err(Why::Unread);
        }
        self.judged.edits.push(Edit { place: Place { from: at, to: at }, text });
        Ok(())
    }

    /// What a client itself wants enforced; what can't be is said, and goes on to a provider that may.
    fn read_strict(&mut self, tool: &Tool<'_>) {
        let (Some(text), Some(name)) = (tool.schema, tool.names.first()) else { return };
        match self.strict(name, text) {
            Some(schema) => self.judged.strict.push((name.clone(), schema)),
            None => self.note(&tool.kind, &tool.names, Why::Unenforced, Called::Count.name()),
        }
    }

    /// Reading one costs as much as holding it: what can't be enforced counts as well.
    fn strict(&mut self, name: &str, text: &str) -> Option<Schema> {
        let bytes = self.strict_bytes.saturating_add(text.len());
        if self.judged.strict.len() >= MOST_STRICT || name.len() > LONGEST_NAME || bytes > MOST_STRICT_BYTES {
            return None;
        }
        self.strict_bytes = bytes;
        let Once(document) = serde_json::from_str(text).ok()?;
        let schema = Schema::read(&document, Where::Declared).ok()?;
        let weight = self.strict_weight.saturating_add(schema.weight());
        if weight > MOST_STRICT_WEIGHT {
            return None;
        }
        self.strict_weight = weight;
        Some(schema)
    }

    fn choice(&mut self, offers: &Offers, held: &Held, open: &str) {
        let Ok(chosen) = offers.chosen(held) else { return self.unread() };
        let denied = chosen.iter().find_map(|tool| {
            let why = self.rules.judge(&tool.kind, &tool.names).err()?;
            Some((tool, why))
        });
        if let Some((tool, why)) = denied {
            self.deny(&tool.kind, &tool.names, why, false);
            if self.rules.offered == Offered::Strip {
                let place = Place { from: held.from, to: held.to };
                self.judged.edits.push(Edit { place, text: open.to_owned() });
            }
        }
    }

    /// What can't be told can't be taken out, either.
    fn unread(&mut self) {
        self.deny("other", &[], Why::Unread, true);
    }

    fn deny(&mut self, kind: &str, names: &[String], why: Why, stays: bool) {
        let action = match self.rules.offered {
            Offered::Strip if stays => Offered::Refuse,
            action => action,
        };
        self.note(kind, names, why, action.name());
        if action == Offered::Refuse {
            let refusal = || Refusal { kind: kind.to_owned(), name: names.first().cloned(), why, stays };
            self.judged.refused.get_or_insert_with(refusal);
        }
    }

    fn note(&mut self, kind: &str, names: &[String], why: Why, action: &'static str) {
        let name = names.first().map(|name| name.chars().take(super::LONGEST_SHOWN).collect()).unwrap_or_default();
        let kind = kind_label(kind).unwrap_or("other");
        self.judged.seen.deny(Denied { on: On::Request, kind, name, why, action, times: 1 });
    }

    /// Takes out what goes, each with a comma, and writes nothing else.
    fn edit(&mut self, list: &List<'_>) {
        let (mut done, mut is_first, mut skipped) = (list.from.saturating_add(1), true, false);
        for element in &list.elements {
            if element.gone {
                skipped = true;
                continue;
            }
            if skipped {
                let text = if is_first { "" } else { "," };
                self.cut(done, element.from, text);
            }
            element.lists.iter().for_each(|list| self.edit(list));
            (done, is_first, skipped) = (element.to, false, false);
        }
        if skipped {
            self.cut(done, list.to.saturating_sub(1), "");
        }
    }

    fn cut(&mut self, from: u64, to: u64, text: &str) {
        self.cuts.push(Edit { place: Place { from, to }, text: text.to_owned() });
    }
}

/// Brackets, commas and colons outside of strings. Documents that are equal have as many, whatever their blanks and escapes: what
/// has more takes no memory to be compared.
fn marks(text: &str) -> usize {
    let (mut marks, mut in_string, mut escaped) = (0_usize, false, false);
    for byte in text.bytes() {
        match byte {
            _ if escaped => escaped = false,
            b'\\' => escaped = in_string,
            b'"' => in_string = !in_string,
            b'{' | b'[' | b',' | b':' if !in_string => marks = marks.saturating_add(1),
            _ => {}
        }
    }
    marks
}

/// Each is held until the answer has ended; and all of them together, as they are written, and in memory.
const MOST_STRICT: usize = 128;
const MOST_STRICT_BYTES: usize = 262_144;
const MOST_STRICT_WEIGHT: usize = 2_097_152;
/// All that is written into definitions that a client left out, for each attempt once more. It would be some 65,000 tokens.
const MOST_WRITTEN: usize = 262_144;
