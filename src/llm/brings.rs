//! What a request has with it that decides which rates it may be charged by.

/// What a request asks for by the piece.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Items {
    /// Pictures to be made.
    pub images: u64,
    /// Pictures that come with it, where they are sold by the piece.
    pub given_images: u64,
    pub search_units: u64,
    /// Of a text to be read out.
    pub characters: u64,
    /// Of a recording that is to be written down.
    pub sound_bytes: u64,
    /// Of hosted tools, at most.
    pub web_searches: u64,
    pub file_searches: u64,
    pub container_sessions: u64,
    pub tool_images: u64,
    /// Searches that no answer tells of: those that the request asks for count.
    pub uncounted_searches: u64,
}

/// What a provider ranks for the price of one search.
const DOCUMENTS_PER_SEARCH: u64 = 100;

/// At least one, as it is sold.
pub fn searches_that_rank(documents: u64) -> u64 {
    documents.div_ceil(DOCUMENTS_PER_SEARCH).max(1)
}

/// A second of speech, in bytes of the smallest files, and of common ones.
const LEAST_OF_A_SECOND: u64 = 1_000;
const USUAL_OF_A_SECOND: u64 = 8_000;
/// Tokens of a transcript for a second of it: between the three of common speech and the nine that it has with the times of subtitles.
const SAID_IN_A_SECOND: u64 = 5;
/// What stands somewhere else is as long as transcripts of any provider may be: three hours.
pub const SOUND_ELSEWHERE: u64 = 3 * 3_600 * LEAST_OF_A_SECOND;

impl Items {
    /// Searches that who left didn't see: one at least where an API says at the end what was searched for.
    pub fn unseen_searches(&self, late: bool) -> u64 {
        let late = if late { self.web_searches.min(1) } else { 0 };
        self.uncounted_searches.max(late)
    }

    /// Seconds of the recording: at the most, and likely.
    pub const fn most_seconds(&self) -> u64 {
        self.sound_bytes.div_ceil(LEAST_OF_A_SECOND)
    }

    /// `said`: tokens of what was heard in it, which a small file may have many of.
    pub fn likely_seconds(&self, said: u64) -> u64 {
        let heard = (said / SAID_IN_A_SECOND).min(self.most_seconds());
        self.sound_bytes.div_ceil(USUAL_OF_A_SECOND).max(heard)
    }
}

/// What of a request's input a provider may write into a cache, at a rate of its own.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Writes {
    Nothing,
    /// For minutes.
    Short,
    /// For an hour.
    #[default]
    Long,
}

/// What a request has with it that decides which rates it may be charged by.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Brings {
    /// Pictures or sounds.
    pub attachments: bool,
    pub writes: Writes,
    pub items: Items,
}

impl Brings {
    /// What any request may come to.
    pub(crate) const fn any(&self) -> bool {
        true
    }

    pub(crate) fn writes(&self) -> bool {
        self.writes != Writes::Nothing
    }

    pub(crate) fn writes_long(&self) -> bool {
        self.writes == Writes::Long
    }

    pub(crate) const fn has_attachments(&self) -> bool {
        self.attachments
    }
}
