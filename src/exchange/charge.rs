//! What a request that was sent on is charged for, from what is known of its answer: a pure table of cases.
//!
//! An answer that reports its usage is charged exactly. One that doesn't is charged an estimate that leans towards what
//! the provider will bill: a client that walks away must not find that cheaper than to stay. What was seen is never capped by
//! what was promised. What was not is bounded by what was reserved, and by the time that there was for it.

use crate::llm::brings::{Items, Writes};
use crate::llm::estimate::density::Density;
use crate::llm::estimate::pace::Pace;
use crate::llm::usage::{Believable, Most, Reported, Usage, UsageSource};
use crate::units::Tokens;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Charge {
    /// What the provider reported.
    Reported(Usage),
    Estimated(Usage),
    /// What was reported can't be true: as much as may be true, as far as the report went beyond.
    Implausible(Usage),
    /// An API that always reports its usage didn't, on a whole answer: what there was time for, as far as it was reserved.
    Unreported(Usage),
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
    /// No answer came: the client left, or Envoy gave up, while a provider had been at work for so many nanoseconds.
    LeftUnderWay {
        after: u64,
    },
    Answered(Answered),
}

/// An answer of which at least the head came.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Answered {
    pub status: u64,
    /// What it reported, and whether that is the last word.
    pub reported: Reported,
    pub is_final: bool,
    /// What its text is taken for, with what is likely hidden behind it.
    pub shown: Tokens,
    /// Of these, what passed as text.
    pub seen: Tokens,
    /// What strings in it are taken for that no table knows; and of these, pictures and sounds.
    pub stray: Tokens,
    pub media: Tokens,
    /// Nanoseconds until the first output, or until the end; and until the end.
    pub silent: u64,
    pub elapsed: u64,
    /// Bytes of text after the last report.
    pub uncounted: u64,
    /// The last report may be that of one choice of several.
    pub of_choice: bool,
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
    /// It says that it ended at its bound.
    pub exhausted: bool,
}

/// What the request could have come to.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Foreseen {
    pub likely_input: Tokens,
    /// As reserved; and of it, what its body holds.
    pub most_input: Tokens,
    pub shown_input: Tokens,
    /// Of the likely input, pictures and sounds; and how the rest may be written into a cache, where that was asked for.
    pub pictures: Tokens,
    pub sounds: Tokens,
    pub writes: Writes,
    /// What more of a report is believed than that explains.
    pub hidden_input: Tokens,
    /// What hosted tools bring beside the likely input: each time, and in all.
    pub brought_each: Tokens,
    pub brought: Tokens,
    pub most_output: Tokens,
    pub items: Items,
    /// How many are written at once: choices, each of every prompt.
    pub choices: u64,
    /// A stream was asked for.
    pub stream: bool,
    /// It is to be answered while nobody waits, so it goes on whoever leaves.
    pub detached: bool,
    /// The API always reports its usage.
    pub reports: bool,
    /// It says only at the end of an answer what was searched for.
    pub late: bool,
    /// A stream says at its beginning what its first round reads.
    pub reads_on: bool,
    pub density: Density,
    /// Its model makes pictures that cost more than its sounds.
    pub draws: bool,
    /// Its price is that of each picture, and of each search.
    pub draws_by_the_piece: bool,
    pub ranks_by_the_search: bool,
    /// What a picture that a tool draws is taken for where nobody tells its tokens: nothing, where the price says nothing of those.
    pub tool_picture: Tokens,
}

/// The status of what is answered later.
pub(super) const ACCEPTED: u64 = 202;

/// Prompts that the provider adds (for tools, for thinking, for search), or a few words that it says beyond its bound.
const ADDED_INPUT: Tokens = Tokens(16_384);
const ADDED_OUTPUT: Tokens = Tokens(4_096);
/// ByteDance counts a token for 256 dots of a picture that is sold by the piece, and draws up to 4,096 by 4,096 of them.
const LARGEST_PICTURE: Tokens = Tokens(65_536);

impl Foreseen {
    pub(super) const fn is_several(&self) -> bool {
        self.choices > 1
    }

    /// Choices are written at once, each as fast as one alone.
    fn pace(&self) -> Pace {
        self.density.pace.times(self.choices)
    }

    /// What may have been written in so many nanoseconds that nobody saw. Of a stream, its silence.
    pub(super) fn unseen(&self, nanos: u64) -> Tokens {
        let written = match (self.detached, self.stream) {
            (true, _) => self.most_output,
            (false, true) => self.density.pace.silent(nanos, self.choices),
            (false, false) => self.pace().tokens(nanos),
        };
        written.min(self.most_output)
    }

    /// What was read, where nothing says it. Of hosted tools: what those brought that were seen to run, and one more that nobody
    /// saw the end of; of an answer that nobody saw, all of them.
    fn read(&self, uses: u64, unseen: bool) -> Tokens {
        let brought = if unseen { self.brought } else { self.brought_each.times(uses.saturating_add(1)) };
        self.likely_input.plus(brought.min(self.brought))
    }

    /// What hosted tools have brought that were seen to run; of a stream in which none has ended, one may have.
    fn more_rounds(&self, reported: &Reported) -> Tokens {
        self.brought_each.times(reported.hosted_uses().max(1)).min(self.brought)
    }

    /// What a last word says, and what it need not tell of what is sold by the piece: that came with the request, or was asked for.
    fn sold(&self, told: Usage) -> Usage {
        let Items { images, given_images, search_units, uncounted_searches, characters, .. } = self.items;
        let or = |told: u64, sold: bool, asked: u64| if told == 0 && sold { asked } else { told };
        Usage {
            images: or(told.images, self.draws_by_the_piece, images).max(given_images),
            search_units: or(told.search_units, self.ranks_by_the_search, search_units),
            web_searches: told.web_searches.max(uncounted_searches),
            characters,
            ..told
        }
    }

    /// So much input, of which each part costs what it does: who leaves before a report must not pay less for it.
    fn input(&self, tokens: Tokens) -> Usage {
        let written = if self.writes == Writes::Nothing { Tokens(0) } else { self.likely_input };
        let written = written.less(self.pictures.plus(self.sounds));
        Usage {
            input_tokens: tokens,
            image_input_tokens: self.pictures,
            audio_input_tokens: self.sounds,
            cache_creation_input_tokens: written,
            cache_creation_1h_input_tokens: if self.writes == Writes::Long { written } else { Tokens(0) },
            ..Usage::default()
        }
    }

    /// Pictures are asked for, and sold by their tokens.
    const fn draws_by_tokens(&self) -> bool {
        self.items.images > 0 && !self.draws_by_the_piece
    }

    /// The same of output. A sound has fewer tokens than a picture of its size; and pictures that were asked for are made before they
    /// are sent, and may have been the dearest.
    fn output(&self, tokens: Tokens, media: Tokens) -> Usage {
        let tokens = if self.draws_by_tokens() { tokens.max(self.most_output) } else { tokens };
        let media = media.min(tokens);
        let (drawn, spoken) = match (self.draws_by_tokens(), self.draws) {
            (true, _) => (tokens, Tokens(0)),
            (false, true) => (media, Tokens(0)),
            (false, false) => (Tokens(0), Tokens(media.0 / 2)),
        };
        Usage { output_tokens: tokens, image_output_tokens: drawn, audio_output_tokens: spoken, ..Usage::default() }
    }

    /// What it could have come to, given what was seen and how long it took.
    pub(super) fn most(&self, seen: Tokens, nanos: u64) -> Most {
        // A reservation takes three bytes for a token; none has less than one. Rounds of hosted tools each have a bound.
        let input = self.shown_input.times(4).plus(ADDED_INPUT).plus(self.hidden_input);
        // What a model reads bounds what a body points at, so more is a lie. Where nothing was seen to be hidden, something may have
        // been all the same, and tools may run more often than was thought: nobody must gain by a true bill that looks untrue.
        let is_bounded = self.hidden_input > Tokens(0) && self.brought == Tokens(0);
        let instead = if is_bounded { self.most_input } else { input };
        let rounds = if self.brought > Tokens(0) { 8 } else { 2 };
        let drawn = if self.draws_by_the_piece { LARGEST_PICTURE.times(self.items.images) } else { Tokens(0) };
        let output = self.most_output.max(seen.times(8)).max(self.pace().tokens(nanos)).max(drawn);
        Most {
            input: Believable { believed: input, instead },
            output: Believable {
                believed: output.times(rounds).plus(ADDED_OUTPUT),
                instead: self.most_output.max(seen),
            },
            images: self.items.images.max(self.items.given_images).max(self.items.tool_images),
            search_units: self.items.search_units,
        }
    }
}

impl Charge {
    /// Of pictures that are sold by their tokens, which nobody told: they may have been the dearest. Those of a tool come beside what was
    /// written.
    #[must_use]
    pub(super) fn drawn(self, request: &Foreseen) -> Self {
        let usage = self.usage();
        let Usage { output_tokens: told, images, .. } = usage;
        let (more, drawn) = match self {
            Self::Nothing => return self,
            _ if request.draws_by_the_piece || usage.image_output_tokens > Tokens(0) => return self,
            // What stands in the place of a count has no parts.
            Self::Implausible(_) if request.draws_by_tokens() && told > Tokens(0) => (Tokens(0), told),
            _ if request.draws_by_tokens() && images > 0 && told == Tokens(0) => {
                (request.most_output, request.most_output)
            }
            _ if request.items.tool_images > 0 && images > 0 && request.tool_picture > Tokens(0) => {
                let drawn = request.tool_picture.times(images);
                (drawn, drawn)
            }
            _ => return self,
        };
        let output_tokens = told.plus(more);
        let total_tokens = usage.input_tokens.plus(output_tokens);
        let usage = Usage { output_tokens, image_output_tokens: drawn, total_tokens, ..usage };
        match self {
            Self::Implausible(_) => Self::Implausible(usage),
            Self::Unreported(_) => Self::Unreported(usage),
            Self::Reported(_) | Self::Estimated(_) | Self::Nothing => Self::Estimated(usage),
        }
    }

    pub(super) fn usage(&self) -> Usage {
        match self {
            Self::Reported(usage) | Self::Estimated(usage) | Self::Implausible(usage) | Self::Unreported(usage) => {
                *usage
            }
            Self::Nothing => Usage::default(),
        }
    }

    pub(super) const fn source(&self) -> UsageSource {
        match self {
            Self::Reported(_) => UsageSource::Reported,
            // The words of the source are a contract, and no provider stands behind these: flags beside it say why.
            Self::Estimated(_) | Self::Implausible(_) | Self::Unreported(_) => UsageSource::Estimated,
            Self::Nothing => UsageSource::None,
        }
    }
}

impl Evidence {
    pub(super) fn charge(&self, request: &Foreseen) -> Charge {
        self.counted(request).drawn(request)
    }

    /// What decides by which rates an input is charged that nobody told: all that its body may hold. One that was told is what it is.
    pub(super) fn may_have_read(&self, request: &Foreseen) -> Tokens {
        match self {
            Self::Answered(answer) if answer.reported.tells_input() => Tokens(0),
            Self::Answered(_) | Self::LeftUnderWay { .. } | Self::Unanswered | Self::AccountRefused => {
                request.shown_input
            }
        }
    }

    /// The same, without the tokens of pictures that nobody told.
    pub(super) fn counted(&self, request: &Foreseen) -> Charge {
        let (reported, output) = match self {
            Self::AccountRefused | Self::Unanswered => return Charge::Nothing,
            // A stream would have begun to show; an answer in one piece may have been generated to its end.
            Self::LeftUnderWay { after } => (Reported::default(), request.unseen(*after)),
            // An error and nothing else is no output, under whatever status: providers don't bill for it.
            Self::Answered(answer) if !answer.is_final && answer.is_a_mere_error() => return Charge::Nothing,
            Self::Answered(answer) => {
                let told = answer.reported;
                let told = if request.draws_by_the_piece { told.drawn_by_the_piece() } else { told };
                let reported = told.within(&request.most(answer.seen, answer.elapsed));
                if answer.is_final {
                    let usage = request.sold(reported.usage(Tokens::default, Tokens::default));
                    return if reported.implausible { Charge::Implausible(usage) } else { Charge::Reported(usage) };
                }
                let more = if request.reads_on && !answer.error { request.more_rounds(&reported) } else { Tokens(0) };
                let reported = reported.reading(more, request.most_input);
                (answer.so_far(reported, request.density), answer.output(request))
            }
        };
        // What hosted tools did is seen in a stream as it goes on; of an answer in one piece, at its end; of one that is still to come,
        // by nobody.
        let unseen = match self {
            // A stream says in its first event that it is in progress, and goes on.
            Self::Answered(answer) => !answer.error && (request.detached || (answer.accepted && !request.stream)),
            _ => !request.stream || request.detached,
        };
        let hosted = if unseen { request.items } else { Items::default() };
        let unreported = matches!(self, Self::Answered(answer) if answer.is_unreported(request));
        let input = if unreported { request.most_input } else { request.read(reported.hosted_uses(), unseen) };
        let answered = if let Self::Answered(answer) = self { *answer } else { Answered::default() };
        let usage = reported.or_else(|| request.input(input), || request.output(output, answered.media));
        let usage =
            if answered.of_choice { usage.at_least(input, answered.bounded(Tokens(0), request)) } else { usage };
        // What is sold by the piece was asked for, and made before it was sent.
        let usage = Usage {
            images: usage.images.max(request.items.images).max(request.items.given_images).max(hosted.tool_images),
            audio_seconds: usage.audio_seconds.max(request.items.likely_seconds(answered.seen.0)),
            characters: request.items.characters,
            search_units: usage.search_units.max(request.items.search_units),
            web_searches: usage.web_searches.max(hosted.web_searches).max(request.items.unseen_searches(request.late)),
            file_searches: usage.file_searches.max(hosted.file_searches),
            container_sessions: usage.container_sessions.max(hosted.container_sessions),
            ..usage
        };
        if reported.implausible {
            Charge::Implausible(usage)
        } else if unreported {
            Charge::Unreported(usage)
        } else {
            Charge::Estimated(usage)
        }
    }
}

impl Answered {
    fn is_a_mere_error(&self) -> bool {
        let is_nothing = self.reported.is_nothing() && !self.reported.has_pieces();
        self.status >= 400 || (self.error && self.shown == Tokens(0) && is_nothing)
    }

    /// A report that broke off, or came a little before the end, and what came since.
    fn so_far(&self, reported: Reported, density: Density) -> Reported {
        if reported.is_whole() { reported.growing_by(density.output.tokens(self.uncounted)) } else { reported }
    }

    fn has_text(&self) -> bool {
        self.seen > Tokens(0) || self.stray > Tokens(0)
    }

    /// A whole answer of an API that always reports its usage: whoever had it left out hides what it came to.
    fn is_unreported(&self, request: &Foreseen) -> bool {
        request.reports && self.success && !self.broke_off && self.reported.is_nothing()
    }

    /// What an answer came to that didn't report it.
    fn output(&self, request: &Foreseen) -> Tokens {
        let guessed = self.shown.plus(self.stray);
        // A short answer is no background response, however it calls itself.
        let is_hidden = (self.accepted || self.exhausted) && !self.has_text() && self.success;
        let unseen = if is_hidden || (request.detached && !self.error) {
            // It is generated in the background, whoever looks, or was thought to its end.
            request.most_output
        } else if self.non_streaming && self.broke_off {
            // It was generated to its end before it was sent: what was cut off counts too.
            let in_time = || request.pace().tokens(self.elapsed);
            self.length.map_or_else(in_time, |length| whole_of(length, request.density))
        } else if self.is_unreported(request) {
            request.pace().tokens(self.elapsed)
        } else if request.stream {
            // What is thought before the first word is hidden in most answers.
            guessed.plus(request.density.pace.silent(self.silent, request.choices))
        } else {
            guessed
        };
        self.bounded(unseen, request)
    }

    /// So much and no less than what came is taken for: as far as it was reserved, and all that was seen.
    fn bounded(&self, unseen: Tokens, request: &Foreseen) -> Tokens {
        unseen.max(self.shown.plus(self.stray)).min(request.most_output).max(self.seen)
    }
}

/// What a non-streaming answer came to of which only the beginning was sent: text, but for what commonly frames it.
fn whole_of(length: u64, density: Density) -> Tokens {
    density.output.tokens(length.saturating_sub(density.frame_bytes))
}

#[cfg(test)]
mod tests;
