//! The built-in detectors: personal data and secrets, each told by a pattern and a check in code.
//!
//! A pattern says where a finding may begin and how far it may reach, and no more: all of them share one automaton, and what
//! an expression counts or looks back at multiplies its states. The check does the rest: boundaries, lengths, checksums.

mod api_key;
mod automaton;
mod candidates;
mod card;
mod closed;
mod crypto;
mod email;
mod entropy;
mod groups;
mod iban;
mod ipv4;
mod ipv6;
mod jwt;
mod mac;
mod passport;
mod phone;
mod private_key;
mod secret;
mod stretch;
mod uk_nhs;
mod uk_nino;
mod url_credentials;
mod us_ssn;
mod watched;

#[cfg(test)]
mod oracle;
#[cfg(test)]
mod walk;

use core::ops::Range;

pub use automaton::{Automaton, Flaw, MOST_FINDS, Pattern, Work, bounded, literal};
pub use candidates::{Candidates, Finding};
pub use closed::{Closed, Span};
pub use stretch::Stretch;
pub use watched::Watched;

/// What a pattern has found in a text, and what stands around it.
pub struct Candidate<'t> {
    /// The byte before; `None` at the text's beginning.
    pub before: Option<u8>,
    /// The longest match at this place that is no longer than the detector's `longest`.
    pub text: &'t str,
    /// The byte after; `None` at the text's end.
    pub after: Option<u8>,
}

/// Where in the candidate's text the finding stands, if it is one: bytes, on character boundaries.
pub type Check = fn(&Candidate<'_>) -> Option<Range<usize>>;

/// A kind of finding that is built in.
#[derive(Debug)]
pub struct Detector {
    /// As the configuration names it.
    pub name: &'static str,
    /// As a placeholder names it.
    pub label: &'static str,
    pub pattern: &'static str,
    /// In bytes. No match is longer, and so no finding.
    pub longest: usize,
    pub check: Check,
}

/// The surer before the less sure: of two that find the same, the first is believed.
pub static ALL: [Detector; 17] = [
    email::DETECTOR,
    card::DETECTOR,
    iban::DETECTOR,
    us_ssn::DETECTOR,
    uk_nino::DETECTOR,
    uk_nhs::DETECTOR,
    passport::DETECTOR,
    phone::DETECTOR,
    ipv4::DETECTOR,
    ipv6::DETECTOR,
    mac::DETECTOR,
    crypto::DETECTOR,
    url_credentials::DETECTOR,
    private_key::DETECTOR,
    jwt::DETECTOR,
    api_key::DETECTOR,
    secret::DETECTOR,
];

/// What stands in the place of a finding: `[EMAIL_1]`.
pub const PLACEHOLDER: Detector =
    Detector { name: "placeholder", label: "", pattern: r"\[[A-Z][A-Z_]*_[0-9]+\]", longest: 48, check: whole_match };

/// All that a pattern matches.
pub fn whole_match(candidate: &Candidate<'_>) -> Option<Range<usize>> {
    Some(0..candidate.text.len())
}

/// The same, where no word goes on across its ends.
pub fn whole_word(candidate: &Candidate<'_>) -> Option<Range<usize>> {
    candidate.apart(0..candidate.text.len())
}

pub fn named(name: &str) -> Option<&'static Detector> {
    ALL.iter().find(|detector| detector.name == name)
}

impl Candidate<'_> {
    /// The byte to the left of a place in the text.
    fn left_of(&self, at: usize) -> Option<u8> {
        match at.checked_sub(1) {
            Some(left) => self.text.as_bytes().get(left).copied(),
            None => self.before,
        }
    }

    /// The byte to the right of what ends at `end`.
    fn right_of(&self, end: usize) -> Option<u8> {
        self.text.as_bytes().get(end).copied().or(self.after)
    }

    /// `range`, if no word goes on across its ends.
    fn apart(&self, range: Range<usize>) -> Option<Range<usize>> {
        let joined = self.left_of(range.start).is_some_and(is_word) || self.right_of(range.end).is_some_and(is_word);
        (!joined).then_some(range)
    }

    /// Where the first digit stands: behind the words that say what it is the number of, or at the beginning.
    fn first_digit(&self) -> Option<usize> {
        self.text.bytes().position(|byte| byte.is_ascii_digit())
    }
}

/// What identifiers and numbers are made of. Letters that are not ASCII are none: in Chinese they stand right beside a number.
fn is_word(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || byte == b'_'
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn each_has_a_name_and_a_label_of_its_own() {
        for detector in &ALL {
            assert_eq!(ALL.iter().filter(|other| other.name == detector.name).count(), 1, "{}", detector.name);
            assert_eq!(detector.label, detector.name.to_uppercase());
            assert!(named(detector.name).is_some_and(|found| found.pattern == detector.pattern));
        }
        assert!(named("EMAIL").is_none() && named("").is_none());
    }
    proptest! {
        #[test]
        fn whatever_a_check_is_asked_it_answers_with_a_place_in_the_text(
            before: Option<u8>, text in "[ -~]{0,60}|\\PC{0,40}|[+0-9 ()./-]{0,40}|eyJ[a-z.]{0,40}|-----BEGIN [A-Z -]{0,40}", after: Option<u8>
        ) {
            for detector in &ALL {
                let found = (detector.check)(&Candidate { before, text: &text, after });
                let stands = |range: &Range<usize>| text.get(range.clone()).is_some_and(|found| !found.is_empty());
                prop_assert!(found.as_ref().is_none_or(stands), "{}: {:?}", detector.name, found);
            }
        }
    }
}
