//! One attempt at a provider: the plan that the exchange made for it, carried out, and what a failed one cost.
//!
//! Everything is decided downstream, where the request was read; the plan names each provider that may see it,
//! with its path, length and edits. An attempt carries out its own line and nothing else: a provider without a line gets
//! nothing, whatever sent the request there. The plan travels in Envoy's filter state, out of the client's reach.

pub mod blame;

use std::fmt::Write as _;

use blame::Who;

use crate::forward::{self, HeadEdit};
use crate::headers::{Headers, is_value};
use crate::llm::meter::{Form, Meter, Reading};
use crate::llm::request::{Edit, Place};
use crate::llm::schema::{self, Schema};
use crate::llm::served::Served;
use crate::llm::usage::Usage;
use crate::units::{Tokens, UnixNanos};

/// Where a provider's `retry-after` waits while another provider may be tried at once.
pub const RETRY_AFTER: &str = "x-nexus-retry-after";

/// The plan's layout.
const VERSION: &str = "1";

/// What one provider is to be sent.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PlannedLeg {
    pub provider: String,
    pub path: String,
    /// Of the body, edits included.
    pub length: u64,
    /// In the order of their places.
    pub edits: Vec<Edit>,
}

/// Who may serve a request, for Envoy and for the attempts.
#[derive(Debug, PartialEq, Eq)]
pub struct Chain {
    /// In the order in which they are tried.
    pub clusters: Vec<String>,
    /// For the attempts: [`plan`].
    pub plan: String,
    /// If a stream was asked for, of which silence is a failure: of which model, as `prices` writes it.
    pub stream: Option<String>,
}

/// Writes a plan: a line for the API, then one for each provider in the order of the chain, and at its end whose request it
/// is, in the place of a provider's name nothing. Strings of JSON hold no tab and no line's end, nor do names; a provider whose
/// path has one gets no line, and so no request.
/// What only the operator lets pass goes by its value: the header itself may hold what an earlier attempt was given.
pub fn plan(schema: &Schema, kept: &[(String, String)], legs: &[PlannedLeg], tenant: Who) -> String {
    let mut text = format!("{VERSION}\t{}", schema.name);
    for (name, value) in kept {
        // Writing into a string never fails.
        let _ = write!(text, "\t{name}={}", value.replace(['\t', '\n'], " "));
    }
    for PlannedLeg { provider, path, length, edits } in legs.iter().filter(|leg| is_value(leg.path.as_bytes())) {
        let _ = write!(text, "\n{provider}\t{path}\t{length}");
        for Edit { place, text: new } in edits {
            let _ = write!(text, "\t{}-{}={new}", place.from, place.to);
        }
    }
    let _ = write!(text, "\n\t{:x}", tenant.0);
    text
}

#[derive(Debug, PartialEq, Eq)]
pub struct Attempt {
    pub leg: PlannedLeg,
    /// Whose request it is.
    pub tenant: Option<Who>,
    schema: &'static Schema,
    kept: Vec<(String, String)>,
    /// How many providers the chain has.
    hops: usize,
}

impl Attempt {
    /// What the plan has for `provider`, if anything.
    pub fn of(plan: &str, provider: &str) -> Option<Self> {
        let mut lines = plan.split('\n');
        let (version, api) = lines.next()?.split_once('\t')?;
        let mut api = api.split('\t');
        let schema = schema::named(api.next()?).filter(|_| version == VERSION)?;
        let owned = |(name, value): (&str, &str)| (name.to_owned(), value.to_owned());
        let kept = api.map(|header| header.split_once('=').map(owned)).collect::<Option<Vec<_>>>()?;
        let mut hops = 0usize;
        let (mut leg, mut tenant) = (None, None);
        for line in lines {
            if let Some(who) = line.strip_prefix('\t') {
                tenant = u32::from_str_radix(who, 16).ok().map(Who);
                continue;
            }
            hops = hops.saturating_add(1);
            if line.split('\t').next() == Some(provider) {
                leg = leg.or(Some(line));
            }
        }
        Some(Self { leg: read(leg?)?, tenant, schema, kept, hops })
    }

    /// What the head loses that the attempt before it has left, or the client brought.
    pub fn cut(&self, headers: &Headers) -> HeadEdit {
        forward::for_attempt(headers, self.schema.dialect, &self.kept)
    }

    /// Whether a failure of attempt `number` would be followed by one at another provider.
    pub fn has_another(&self, number: u64) -> bool {
        usize::try_from(number).is_ok_and(|number| number < self.hops)
    }

    /// How much of the body's beginning the edits reach into.
    pub fn reach(&self) -> usize {
        let last = self.leg.edits.last().map_or(0, |edit| edit.place.to);
        usize::try_from(last).unwrap_or(usize::MAX)
    }

    /// A meter for an answer that Envoy may discard: whatever it reports was billed.
    pub fn meter(&self, content_type: Option<&[u8]>, content_encoding: Option<&[u8]>) -> Box<Meter> {
        Meter::new(self.schema, Form::of(content_type, content_encoding), false)
    }
}

fn read(line: &str) -> Option<PlannedLeg> {
    let mut fields = line.split('\t');
    let (provider, path) = (fields.next()?.to_owned(), fields.next()?.to_owned());
    let length = fields.next()?.parse().ok()?;
    let edit = |field: &str| {
        let (place, text) = field.split_once('=')?;
        let (from, to) = place.split_once('-')?;
        Some(Edit { place: Place { from: from.parse().ok()?, to: to.parse().ok()? }, text: text.to_owned() })
    };
    let edits = fields.map(edit).collect::<Option<Vec<_>>>()?;
    Some(PlannedLeg { provider, path, length, edits })
}

/// How the stand-in for an ejected provider answers: no failure to its cluster, but a reason for another attempt.
pub const EJECTED: u64 = 421;

/// The header that says so: a provider's own 421 is its answer.
pub const STAND_IN: &str = "x-nexus-ejected";

/// Statuses by which a provider refuses the gateway's own account: the key is revoked, the credit gone, the region closed. No
/// client's key ever came there, so no client can mend it.
pub const ACCOUNT: [u64; 3] = [401, 402, 403];

/// Statuses that Envoy may answer by another attempt (`retriable_status_codes`): their answers are read to the end here, where
/// they would be lost. What an operator adds there beside these (404, 408) is retried all the same, and never billed.
pub const fn may_be_retried(status: u64) -> bool {
    matches!(status, 401..=403 | 429 | EJECTED | 500..)
}

/// An attempt that is not the first.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Begun {
    pub number: u64,
    pub at: UnixNanos,
}

impl Begun {
    /// For the filter state that all attempts of a request share.
    pub fn line(self) -> String {
        format!("{}@{}", self.number, self.at.0)
    }

    /// All lines that can be read.
    pub fn all(lines: &str) -> Vec<Self> {
        let begun = |line: &str| {
            let (number, at) = line.split_once('@')?;
            Some(Self { number: number.parse().ok()?, at: UnixNanos(at.parse().ok()?) })
        };
        lines.split('\n').filter_map(begun).collect()
    }
}

/// An attempt that was answered by a failure, or given up while its provider was at work.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Failed {
    /// The first attempt is 1.
    pub number: u64,
    pub provider: String,
    /// Where it is below 500.
    pub refused: Option<u64>,
    /// What it reported. Without a report, nothing says that it was billed.
    pub usage: Option<Usage>,
    pub served: Served,
    /// When nobody waited for it any more. Its provider may go on, and bills what it made.
    pub given_up: Option<UnixNanos>,
}

impl Failed {
    pub fn given_up(number: u64, provider: &str, at: UnixNanos) -> Self {
        Self {
            number,
            provider: provider.to_owned(),
            refused: None,
            usage: None,
            served: Served::default(),
            given_up: Some(at),
        }
    }

    pub fn of(number: u64, provider: &str, status: u64, reading: Option<Reading>) -> Self {
        let usage = |reading: &Reading| {
            reading.reported.is_whole().then(|| reading.reported.usage(Tokens::default, Tokens::default))
        };
        let usage = reading.as_ref().and_then(usage);
        let served = reading.map(|reading| reading.served).unwrap_or_default();
        let refused = (status < 500).then_some(status);
        Self { number, provider: provider.to_owned(), refused, usage, served, given_up: None }
    }

    /// One more line for the filter state that all attempts of a request share.
    pub fn line(&self) -> String {
        let Self { number, provider, refused, usage, served, given_up } = self;
        let mut line = number.to_string();
        if let Some(status) = refused {
            let _ = write!(line, "/{status}");
        }
        if let Some(at) = given_up {
            let _ = write!(line, "@{}", at.0);
        }
        let _ = write!(line, "\t{provider}\t{}", served.line());
        for (_, count) in usage.iter().flat_map(Usage::named) {
            let _ = write!(line, "\t{count}");
        }
        line
    }

    /// All lines that can be read.
    pub fn all(lines: &str) -> Vec<Self> {
        let failed = |line: &str| {
            let mut fields = line.split('\t');
            let first = fields.next()?;
            let (first, given_up) = match first.split_once('@') {
                Some((first, at)) => (first, Some(UnixNanos(at.parse().ok()?))),
                None => (first, None),
            };
            let (number, refused) = match first.split_once('/') {
                Some((number, status)) => (number.parse().ok()?, Some(status.parse().ok()?)),
                None => (first.parse().ok()?, None),
            };
            let provider = fields.next()?.to_owned();
            let served = fields.next().map(Served::of_line).unwrap_or_default();
            let counts = fields.map(|count| count.parse().ok()).collect::<Option<Vec<u64>>>()?;
            let usage = if counts.is_empty() { None } else { Some(Usage::from_counts(&counts)?) };
            Some(Self { number, provider, refused, usage, served, given_up })
        };
        lines.split('\n').filter_map(failed).collect()
    }
}
