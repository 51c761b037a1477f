use super::*;

fn native(counts: &[(Count, u64)]) -> Native {
    let mut native = Native::default();
    for (count, value) in counts {
        native.set(*count, Some(*value));
    }
    native
}

/// Input, output and whether the sums disagree; nothing if a half is missing.
fn sums(contract: Contract, counts: &[(Count, u64)]) -> Option<(u64, u64, bool)> {
    let reported = native(counts).canonical(contract);
    let usage = reported.usage(Tokens::default, Tokens::default);
    reported.is_whole().then_some((usage.input_tokens.0, usage.output_tokens.0, reported.mismatch))
}

#[test]
fn reasoning_left_out_of_the_completion_is_found_by_the_sum() {
    use Count::{Input, Output, Reasoning, Total};
    let sums = |counts: &[_]| sums(Contract::CacheIncluded, counts);
    let xai = [(Input, 10_120), (Output, 1_499), (Total, 14_428), (Reasoning, 2_809)];
    assert_eq!(sums(&xai), Some((10_120, 4_308, false)));
    assert_eq!(sums(&[(Input, 7), (Output, 0), (Total, 8)]), Some((7, 1, false)));
    assert_eq!(sums(&[(Input, 7), (Total, 9)]), Some((7, 2, false)));
    assert_eq!(sums(&[(Input, 7), (Output, 12), (Total, 402)]), Some((7, 395, true)));
    assert_eq!(sums(&[(Input, 7), (Output, 12), (Total, 15)]), Some((7, 12, true)));
    assert_eq!(sums(&[(Input, 7), (Output, 12), (Total, 3)]), Some((7, 12, true)));
}

#[test]
fn caches_beside_the_input_are_added_to_it() {
    use Count::{CacheCreation, CacheCreation1h, CacheCreation5m, Cached, Input, Output, Total};
    let counts = [(Input, 16), (Output, 9), (Total, 2_412), (CacheCreation, 2_387)];
    assert_eq!(sums(Contract::CacheBeside, &counts), Some((2_403, 9, false)));
    let counts = [(Input, 5), (Output, 1), (Cached, 10), (CacheCreation5m, 20), (CacheCreation1h, 30)];
    let usage = native(&counts).canonical(Contract::CacheBeside).usage(Tokens::default, Tokens::default);
    assert_eq!((usage.input_tokens, usage.cached_input_tokens), (Tokens(65), Tokens(10)));
    let created = (usage.cache_creation_input_tokens, usage.cache_creation_1h_input_tokens);
    assert_eq!(created, (Tokens(50), Tokens(30)));
}

#[test]
fn thoughts_stand_beside_the_candidates_unless_the_total_says_otherwise() {
    use Count::{Input, Output, Reasoning, ToolUseInput, Total};
    let sums = |counts: &[_]| sums(Contract::ThoughtsBeside, counts);
    assert_eq!(sums(&[(Input, 10), (Output, 12), (Reasoning, 5), (Total, 27)]), Some((10, 17, false)));
    assert_eq!(sums(&[(Input, 10), (Output, 12), (Reasoning, 5), (Total, 22)]), Some((10, 12, false)));
    assert_eq!(sums(&[(Input, 10), (ToolUseInput, 3), (Output, 12), (Total, 25)]), Some((13, 12, false)));
    assert_eq!(sums(&[(Input, 10), (Total, 10)]), Some((10, 0, false)));
    assert_eq!(sums(&[(Input, 10), (Output, 1), (Total, 99)]), Some((10, 1, true)));
}

#[test]
fn what_has_no_output_or_is_sold_by_the_piece_is_whole_without_it() {
    assert_eq!(sums(Contract::InputOnly, &[(Count::Total, 8)]), Some((8, 0, false)));
    assert_eq!(sums(Contract::InputOnly, &[(Count::SearchUnits, 1)]), Some((0, 0, false)));
    assert_eq!(sums(Contract::InputOnly, &[]), None);
    assert_eq!(sums(Contract::InputOnly, &[(Count::Images, 2)]), Some((0, 0, false)));
}

#[test]
fn an_impossible_count_is_no_usage() {
    for (prompt, completion) in [(u64::MAX, 1), (1, u64::MAX), (1_000_000_001, 1)] {
        let counts = [(Count::Input, prompt), (Count::Output, completion)];
        assert_eq!(sums(Contract::CacheIncluded, &counts), None);
    }
}

#[test]
fn a_half_that_is_reported_is_kept_and_parts_never_exceed_their_sum() {
    let half = native(&[(Count::Output, 3)]).canonical(Contract::CacheIncluded);
    let usage = half.usage(|| Tokens(9), || Tokens(99));
    assert_eq!((half.is_whole(), usage.input_tokens, usage.output_tokens), (false, Tokens(9), Tokens(3)));
    let lie = native(&[
        (Count::Input, 5),
        (Count::Output, 1),
        (Count::Cached, 9),
        (Count::CacheCreation, 9),
        (Count::Reasoning, 9),
    ]);
    let usage = lie.canonical(Contract::CacheIncluded).usage(Tokens::default, Tokens::default);
    // More in a cache than was put in stands beside it.
    assert_eq!((usage.cached_input_tokens, usage.cache_creation_input_tokens), (Tokens(9), Tokens(9)));
    assert_eq!(usage.input_tokens, Tokens(23));
    // More reasoning than output is no part of it.
    assert_eq!((usage.reasoning_tokens, usage.output_tokens), (Tokens(9), Tokens(10)));
    let lie = native(&[(Count::Input, 5), (Count::Output, 1), (Count::AudioOutput, 9)]);
    let usage = lie.canonical(Contract::CacheIncluded).usage(Tokens::default, Tokens::default);
    assert_eq!(usage.audio_output_tokens, Tokens(1));
}

#[test]
fn a_reported_cost_is_read_to_the_nano_and_rounded_up() {
    let usd = |significand, places| reported_usd(Decimal { significand, places });
    assert_eq!(usd(95, 2), Some(NanoUsd(950_000_000)));
    assert_eq!(usd(14_999_999_999_999_999, 20), Some(NanoUsd(150_000)));
    assert_eq!(usd(1, 200), Some(NanoUsd(1)));
    assert_eq!(usd(u64::MAX, 3), None);
}
