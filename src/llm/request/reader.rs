//! A request read as its bytes come.

use super::fields::Fields;
use super::rates::OF_NAME;
use super::value::NAME;
use super::{Behind, Cut, Invalid, Request};
use crate::json::{Container, Scanner, words};
use crate::kept::Id;
use crate::llm::form::FormReader;
use crate::llm::path::Called;
use crate::llm::schema::{Asked, CACHING};
use crate::name;

/// Reads a request as its bytes come.
pub struct RequestReader {
    called: Called,
    source: Source,
    before: Before,
    inside: u64,
    fields: Fields,
}

/// What is heard of a request that is not for an answer.
pub struct Aside {
    /// What it refers to that a provider has kept.
    pub refers: Vec<(&'static str, Id)>,
    pub sensitivity: Option<String>,
}

/// What a model's name may end in at OpenRouter: a search before the answer; and what chooses a dearer provider, or a set of
/// parameters and models that is kept there.
const ONLINE: &str = ":online";
const CHOOSING: [&str; 3] = [":nitro", ":exacto", "@preset/"];

/// Few names have any.
fn has_ending(model: &str) -> bool {
    let before = words::run(model.as_bytes(), |word| words::equal(word, b':') | words::equal(word, b'@'));
    before < model.len()
}

/// Whether a name has it as one of its endings, in any letters.
fn ends_in(model: &str, ending: &str) -> bool {
    let begins = |(at, _): (usize, &str)| {
        let rest = model.get(at..).unwrap_or_default();
        let behind = rest.as_bytes().get(ending.len());
        let is_it = rest.get(..ending.len()).is_some_and(|rest| rest.eq_ignore_ascii_case(ending));
        is_it && (ending.ends_with('/') || matches!(behind, None | Some(b':' | b'@')))
    };
    model.match_indices([':', '@']).any(begins)
}

#[expect(clippy::large_enum_variant, reason = "forms are rare, and the reader is boxed as a whole")]
enum Source {
    Json(Scanner<Asked>),
    Form(FormReader),
}

/// What of the body's beginning has come: edits go behind the bracket.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Before {
    Bracket,
    FirstKey,
    Known { empty: bool },
}

impl RequestReader {
    /// A form is read as one where the API takes any; everything else is read as JSON.
    pub fn new(called: Called, content_type: Option<&[u8]>) -> Self {
        let form = content_type.filter(|_| called.schema.takes_forms).and_then(FormReader::new);
        let scanner = || Scanner::new(called.schema.request).in_any_case().anywhere(&CACHING);
        let source = form.map_or_else(|| Source::Json(scanner()), Source::Form);
        Self { called, source, before: Before::Bracket, inside: 0, fields: Fields::NONE }
    }

    /// One whose body is for no answer: see `aside`.
    pub fn beside(called: Called) -> Self {
        let mut reader = Self::new(called, None);
        reader.fields.aside = true;
        reader
    }

    pub const fn is_of_a_form(&self) -> bool {
        matches!(self.source, Source::Form(_))
    }

    /// Feeds the next bytes of the body. A fault is reported at the end, once; until then nothing more is read.
    pub fn feed(&mut self, bytes: &[u8]) {
        if self.fields.fault.is_some() {
            return;
        }
        let (fields, schema) = (&mut self.fields, self.called.schema);
        let scanner = match &mut self.source {
            Source::Json(scanner) => scanner,
            Source::Form(form) => return form.feed(bytes, &mut |piece| fields.piece(schema, piece)),
        };
        if let Err(malformed) = scanner.feed(bytes, &mut |hit| fields.hit(schema, &hit)) {
            fields.fault.get_or_insert(Invalid::Json(malformed));
        }
        let begins = scanner.offset().saturating_sub(bytes.len() as u64);
        fields.cut.iter_mut().for_each(|cut| cut.look_behind(begins, bytes));
        self.beginning(bytes);
    }

    fn beginning(&mut self, mut bytes: &[u8]) {
        while !matches!(self.before, Before::Known { .. }) {
            let blank = bytes.iter().take_while(|byte| byte.is_ascii_whitespace()).count();
            let Some((first, rest)) = bytes.get(blank..).and_then(<[u8]>::split_first) else {
                if self.before == Before::Bracket {
                    self.inside = self.inside.saturating_add(blank as u64);
                }
                return;
            };
            if self.before == Before::Bracket {
                self.inside = self.inside.saturating_add(blank as u64).saturating_add(1);
                self.before = Before::FirstKey;
            } else {
                self.before = Before::Known { empty: *first == b'}' };
            }
            bytes = rest;
        }
    }

    /// What it says where it is not for an answer.
    pub fn aside(mut self) -> Result<Aside, Invalid> {
        self.end()?;
        let Fields { refers, sensitivity, .. } = self.fields;
        Ok(Aside { refers, sensitivity })
    }

    fn end(&mut self) -> Result<(), Invalid> {
        let ended = match &mut self.source {
            Source::Json(scanner) => match scanner.finish() {
                Err(malformed) => Err(Invalid::Json(malformed)),
                Ok(()) if scanner.root_container() != Some(Container::Object) => Err(Invalid::NotAnObject),
                Ok(()) => Ok(()),
            },
            Source::Form(form) => form.finish().map_err(Invalid::Form),
        };
        self.fields.fault.take().map_or(ended, Err)
    }

    /// What the model's name asks for, beside the model.
    #[cold]
    fn endings(&mut self) -> Result<(), Invalid> {
        let model = self.called.model.as_deref().or(self.fields.model.as_ref().map(|(model, _)| &**model));
        let ends = |ending: &str| model.is_some_and(|model| ends_in(model, ending));
        let (online, chooses) = (ends(ONLINE), CHOOSING.into_iter().find(|ending| ends(ending)));
        if let Some(ending) = chooses {
            self.fields.unsold(OF_NAME, ending);
        }
        if online { self.fields.tools.search(ONLINE, 0) } else { Ok(()) }
    }

    /// The request, once its last byte has come; `body_bytes` is its length as received.
    pub fn finish(mut self, body_bytes: u64) -> Result<Request, Invalid> {
        self.end()?;
        let model = self.called.model.as_deref().or(self.fields.model.as_ref().map(|(model, _)| &**model));
        if model.is_some_and(has_ending) {
            self.endings()?;
        }
        let schema = self.called.schema;
        let Self { inside, before, fields, called, source } = self;
        let is_form = matches!(source, Source::Form(_));
        let sound_bytes = fields.sound_bytes(schema, is_form);
        let (sizes, mut hidden) = fields.brings(body_bytes);
        hidden.unsure |= schema.may_hide_input();
        let model_in_path = called.model.is_some();
        let named = |place: super::Place| (!is_form).then_some(place);
        let mut names_another = false;
        let pictures = fields.pictures_of_each();
        let (model, model_place) = match (called.model, fields.model) {
            (Some(model), _) if !name::is_name(&model) => {
                return Err(Invalid::Wrong { field: "model", expected: NAME });
            }
            (Some(model), Some((other, place))) if !other.is_empty() => {
                names_another = other != model;
                (model, named(place))
            }
            (Some(model), _) => (model, None),
            (None, Some((model, place))) if !model.is_empty() => (model, named(place)),
            (None, _) if fields.stored_prompt => return Err(Invalid::ModelOfPrompt),
            (None, Some(_)) => return Err(Invalid::Wrong { field: "model", expected: NAME }),
            (None, None) if schema.own => (name::BY_ROLE.to_owned(), None),
            (None, None) => return Err(Invalid::Missing("model")),
        };
        if let Some(needed) = schema.needs
            && !fields.needed
        {
            return Err(if fields.misplaced { Invalid::Elsewhere } else { Invalid::Missing(needed) });
        }
        let each = fields.prompts.max(1).saturating_mul(pictures);
        let choices = fields.choices.unwrap_or(1).saturating_mul(each);
        let mut request = Request {
            schema,
            model,
            stream: called.streams.or(fields.stream).unwrap_or(schema.streams),
            choices,
            rates: fields.rates,
            unknown: fields.unknown,
            hosted: fields.tools.hosted,
            all_calls: fields.tools.all_calls,
            brought: fields.tools.brought,
            tool_models: fields.tools.models,
            sizes,
            hidden,
            documents: fields.documents,
            query: fields.query,
            pictures: fields.pictures,
            spoken: fields.spoken,
            sound_bytes,
            inside,
            empty: before == Before::Known { empty: true },
            model_place,
            bounds: fields.bounds,
            nest: fields.nest,
            include_usage: fields.include_usage,
            tools: fields.tools.any,
            store: fields.store.and_then(|(store, _)| store),
            store_place: fields.store.map(|(_, place)| place),
            background: fields.background,
            speaks: fields.speaks,
            refers: fields.refers,
            flags: fields.flags,
            keep_nothing: false,
            role: fields.role,
            sensitivity: fields.sensitivity,
            cut: fields.cut,
            caches: fields.caches,
            caches_long: fields.caches_long,
            model_in_path,
            names_another,
        };
        request.weigh_tools();
        Ok(request)
    }
}

impl Cut {
    pub const fn member(from: u64, to: u64) -> Self {
        Self { from, to, behind: Behind::Unknown, slot: None }
    }

    pub const fn place(&self) -> super::Place {
        super::Place { from: self.from, to: self.to }
    }

    /// Whether a place is in it.
    pub const fn holds(&self, place: super::Place) -> bool {
        self.from <= place.from && place.to <= self.to
    }

    /// Looks for what follows it, in bytes of the body that begin at `begins`.
    pub fn look_behind(&mut self, begins: u64, bytes: &[u8]) {
        // Once it is known, no byte is looked at: a body may have a thousand of these, and megabytes of blanks.
        if self.behind != Behind::Unknown {
            return;
        }
        let from = self.to.saturating_sub(begins);
        let rest = usize::try_from(from).ok().and_then(|from| bytes.get(from..)).unwrap_or_default();
        let Some(at) = rest.iter().position(|byte| !byte.is_ascii_whitespace()) else { return };
        let next = begins.saturating_add(from).saturating_add(at as u64).saturating_add(1);
        self.behind = if rest.get(at) == Some(&b',') { Behind::Comma(next) } else { Behind::Bracket };
    }
}
