//! What a request that was sent on is charged for, from what is known of its answer: a pure table of cases.
//!
//! An answer that reports its usage is charged exactly. One that doesn't is charged an estimate that leans towards what
//! the provider will bill: a client that walks away must not find that cheaper than to stay.

use crate::llm::brings::Items;
use crate::llm::estimate::density::Density;
use crate::llm::usage::{Told, Usage, UsageSource};
use crate::units::Tokens;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Charge {
    /// What the provider reported.
    Reported(Usage),
    Estimated(Usage),
    /// Nothing that a provider bills for.
    Nothing,
}

/// What is known of an answer when its stream is over.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[expect(clippy::large_enum_variant, reason = "there is one for each request, and it lives for a moment")]
pub(super) enum Evidence {
    /// The provider refused the gateway's own account.
    AccountRefused,
    /// No answer came, and nothing was under way when the client left or Envoy gave up.
    Unanswered,
    /// No answer came: the client left, or Envoy gave up, while a provider was at work.
    LeftUnderWay,
    Answered(Answered),
}

/// An answer of which at least the head came.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Answered {
    pub status: u64,
    /// What it reported, and whether that is the last word.
    pub reported: Told,
    pub is_final: bool,
    /// What its text is taken for.
    pub shown: Tokens,
    /// Bytes of text after the last report.
    pub uncounted: u64,
    /// It has an error in it, or is one.
    pub error: bool,
    pub non_streaming: bool,
    /// The stream ended before the answer did.
    pub broke_off: bool,
    /// Of the whole body, as the head announced it.
    pub length: Option<u64>,
    /// Its outcome is a success.
    pub success: bool,
    /// It says that it is still to come.
    pub accepted: bool,
}

/// What the request could have come to.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Request {
    pub likely_input: Tokens,
    pub most_output: Tokens,
    pub items: Items,
    /// A stream was asked for.
    pub stream: bool,
    /// The API may accept a request and answer it later.
    pub background: bool,
    pub density: Density,
}

impl Charge {
    pub(super) fn usage(&self) -> Usage {
        match self {
            Self::Reported(usage) | Self::Estimated(usage) => *usage,
            Self::Nothing => Usage::default(),
        }
    }

    pub(super) const fn source(&self) -> UsageSource {
        match self {
            Self::Reported(_) => UsageSource::Reported,
            Self::Estimated(_) => UsageSource::Estimated,
            Self::Nothing => UsageSource::None,
        }
    }
}

impl Evidence {
    pub(super) fn charge(&self, request: &Request) -> Charge {
        let (reported, output) = match self {
            Self::AccountRefused | Self::Unanswered => return Charge::Nothing,
            // A stream would have begun to show; an answer in one piece may have been generated to its end.
            Self::LeftUnderWay => (Told::default(), if request.stream { Tokens(0) } else { request.most_output }),
            Self::Answered(answer) if answer.is_final => {
                let usage = answer.reported.usage(Tokens::default, Tokens::default);
                // Of these no answer tells: they came with the request.
                let images = usage.images.max(request.items.given_images);
                return Charge::Reported(Usage { images, characters: request.items.characters, ..usage });
            }
            // An error and nothing else is no output, under whatever status: providers don't bill for it.
            Self::Answered(answer) if answer.is_a_mere_error() => return Charge::Nothing,
            Self::Answered(answer) => (answer.so_far(request.density), answer.output(request)),
        };
        let usage = reported.usage(|| request.likely_input, || output.min(request.most_output));
        // What is sold by the piece was asked for, and made before it was sent.
        Charge::Estimated(Usage {
            images: usage.images.max(request.items.images).max(request.items.given_images),
            characters: request.items.characters,
            search_units: usage.search_units.max(request.items.search_units),
            ..usage
        })
    }
}

impl Answered {
    fn is_a_mere_error(&self) -> bool {
        self.status >= 400 || (self.error && self.shown == Tokens(0) && self.reported.is_nothing())
    }

    /// A report that broke off, or came a little before the end, and what came since.
    fn so_far(&self, density: Density) -> Told {
        if self.reported.is_whole() {
            self.reported.growing_by(density.output.tokens(self.uncounted))
        } else {
            self.reported
        }
    }

    /// What an answer came to that didn't report it.
    fn output(&self, request: &Request) -> Tokens {
        if self.non_streaming && self.broke_off {
            // It was generated to its end before it was sent: what was cut off counts too.
            let whole = self.length.map_or(request.most_output, |length| whole_of(length, request.density));
            whole.max(self.shown)
        } else if request.background && self.accepted && self.shown <= Tokens(1) && self.success {
            // It was only accepted, to be generated in the background.
            request.most_output
        } else {
            self.shown
        }
    }
}

/// What a non-streaming answer came to of which only the beginning was sent: text, but for what commonly frames it.
fn whole_of(length: u64, density: Density) -> Tokens {
    density.output.tokens(length.saturating_sub(density.frame_bytes))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::llm::usage::{Contract, Count, Native};

    const REQUEST: Request = Request {
        likely_input: Tokens(100),
        most_output: Tokens(1_000),
        items: Items { images: 0, given_images: 0, search_units: 0, characters: 0 },
        stream: false,
        background: false,
        density: Density::PRIOR,
    };
    const STREAM: Request = Request { stream: true, ..REQUEST };

    fn reported(counts: &[(Count, u64)]) -> Told {
        let mut native = Native::default();
        counts.iter().for_each(|(count, value)| native.set(*count, Some(*value)));
        native.canonical(Contract::CacheIncluded)
    }

    /// The source, the input and the output.
    fn charged(evidence: Evidence, request: &Request) -> (&'static str, u64, u64) {
        let charge = evidence.charge(request);
        (charge.source().name(), charge.usage().input_tokens.0, charge.usage().output_tokens.0)
    }

    #[test]
    fn every_way_an_answer_can_end_has_its_charge() {
        let whole = reported(&[(Count::Input, 7), (Count::Output, 9)]);
        let half = reported(&[(Count::Input, 7)]);
        let ok = Answered { status: 200, shown: Tokens(40), success: true, ..Answered::default() };
        let streamed = Answered { non_streaming: false, ..ok };
        let one = Answered { non_streaming: true, ..ok };
        let told = Evidence::Answered;
        for (case, evidence, request, expected) in [
            ("our account is refused", Evidence::AccountRefused, REQUEST, ("none", 0, 0)),
            ("nobody was at work", Evidence::Unanswered, REQUEST, ("none", 0, 0)),
            ("left before an answer in one piece", Evidence::LeftUnderWay, REQUEST, ("estimated", 100, 1_000)),
            ("left before a stream began", Evidence::LeftUnderWay, STREAM, ("estimated", 100, 0)),
            ("reported", told(Answered { reported: whole, is_final: true, ..one }), REQUEST, ("reported", 7, 9)),
            ("a status of failure", told(Answered { status: 500, ..one }), REQUEST, ("none", 0, 0)),
            ("an error alone", told(Answered { error: true, shown: Tokens(0), ..one }), REQUEST, ("none", 0, 0)),
            ("an error after text", told(Answered { error: true, ..streamed }), STREAM, ("estimated", 100, 40)),
            (
                "an error after half a report",
                told(Answered { error: true, shown: Tokens(0), reported: half, ..one }),
                REQUEST,
                ("estimated", 7, 0),
            ),
            (
                "a report that broke off",
                told(Answered { reported: whole, uncounted: 8, broke_off: true, ..streamed }),
                STREAM,
                ("estimated", 7, 11),
            ),
            ("no report", told(streamed), STREAM, ("estimated", 100, 40)),
            ("half a report", told(Answered { reported: half, ..streamed }), STREAM, ("estimated", 7, 40)),
            (
                "cut off, of known length",
                told(Answered { broke_off: true, length: Some(2_048), ..one }),
                REQUEST,
                ("estimated", 100, 384),
            ),
            (
                "cut off, of unknown length",
                told(Answered { broke_off: true, ..one }),
                REQUEST,
                ("estimated", 100, 1_000),
            ),
            (
                "accepted for later",
                told(Answered { shown: Tokens(1), accepted: true, ..one }),
                Request { background: true, ..REQUEST },
                ("estimated", 100, 1_000),
            ),
            (
                "refused for later",
                told(Answered { shown: Tokens(1), success: false, ..one }),
                Request { background: true, ..REQUEST },
                ("estimated", 100, 1),
            ),
        ] {
            assert_eq!(charged(evidence, &request), expected, "{case}");
        }
    }

    #[test]
    fn what_was_asked_for_by_the_piece_is_charged_where_no_report_says_otherwise() {
        let request = Request { items: Items { images: 3, ..Items::default() }, ..REQUEST };
        assert_eq!(Evidence::LeftUnderWay.charge(&request).usage().images, 3);
        let told = reported(&[(Count::Images, 1)]);
        let answer = Answered { status: 200, reported: told, is_final: true, ..Answered::default() };
        assert_eq!(Evidence::Answered(answer).charge(&request).usage().images, 1);
    }
}
