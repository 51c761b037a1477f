use super::*;
use crate::llm::usage::{Contract, Count, Native};

const SECOND: u64 = 1_000_000_000;

const NO_ITEMS: Items = Items {
    images: 0,
    given_images: 0,
    search_units: 0,
    characters: 0,
    web_searches: 0,
    file_searches: 0,
    container_sessions: 0,
    tool_images: 0,
    sound_bytes: 0,
    uncounted_searches: 0,
};
const REQUEST: Foreseen = Foreseen {
    likely_input: Tokens(100),
    most_input: Tokens(150),
    shown_input: Tokens(150),
    hidden_input: Tokens(0),
    brought_each: Tokens(0),
    brought: Tokens(0),
    most_output: Tokens(1_000),
    items: NO_ITEMS,
    choices: 1,
    stream: false,
    detached: false,
    reports: false,
    late: false,
    reads_on: true,
    density: Density::PRIOR,
    pictures: Tokens(0),
    sounds: Tokens(0),
    writes: Writes::Nothing,
    draws: false,
    draws_by_the_piece: false,
    ranks_by_the_search: false,
    tool_picture: Tokens(0),
};
const STREAM: Foreseen = Foreseen { stream: true, ..REQUEST };

fn reported(counts: &[(Count, u64)]) -> Reported {
    let mut native = Native::default();
    counts.iter().for_each(|(count, value)| native.set(*count, Some(*value)));
    native.canonical(Contract::CacheIncluded)
}

/// The source, the input and the output.
fn charged(evidence: Evidence, request: &Foreseen) -> (&'static str, u64, u64) {
    let charge = evidence.charge(request);
    (charge.source().name(), charge.usage().input_tokens.0, charge.usage().output_tokens.0)
}

fn ok() -> Answered {
    Answered {
        status: 200,
        shown: Tokens(40),
        seen: Tokens(40),
        success: true,
        elapsed: 60 * SECOND,
        ..Answered::default()
    }
}

#[test]
fn every_way_an_answer_can_end_has_its_charge() {
    let whole = reported(&[(Count::Input, 7), (Count::Output, 9)]);
    let half = reported(&[(Count::Input, 7)]);
    let searched = reported(&[(Count::WebSearches, 2)]).pieces();
    let streamed = ok();
    let one = Answered { non_streaming: true, ..ok() };
    let said = Evidence::Answered;
    let left = Evidence::LeftUnderWay { after: 60 * SECOND };
    for (case, evidence, request, expected) in [
        ("our account is refused", Evidence::AccountRefused, REQUEST, ("none", 0, 0)),
        ("nobody was at work", Evidence::Unanswered, REQUEST, ("none", 0, 0)),
        ("left before an answer in one piece", left, REQUEST, ("estimated", 100, 1_000)),
        ("reported", said(Answered { reported: whole, is_final: true, ..one }), REQUEST, ("reported", 7, 9)),
        ("a status of failure", said(Answered { status: 500, ..one }), REQUEST, ("none", 0, 0)),
        (
            "an error alone",
            said(Answered { error: true, shown: Tokens(0), seen: Tokens(0), ..one }),
            REQUEST,
            ("none", 0, 0),
        ),
        (
            "an error after a search",
            said(Answered { error: true, shown: Tokens(0), seen: Tokens(0), reported: searched, ..one }),
            REQUEST,
            ("estimated", 100, 0),
        ),
        ("an error after text", said(Answered { error: true, ..streamed }), STREAM, ("estimated", 100, 40)),
        (
            "an error after half a report",
            said(Answered { error: true, shown: Tokens(0), seen: Tokens(0), reported: half, ..one }),
            REQUEST,
            ("estimated", 7, 0),
        ),
        (
            "a report that broke off",
            said(Answered { reported: whole, uncounted: 8, broke_off: true, ..streamed }),
            STREAM,
            ("estimated", 7, 11),
        ),
        ("no report", said(streamed), STREAM, ("estimated", 100, 40)),
        ("half a report", said(Answered { reported: half, ..streamed }), STREAM, ("estimated", 7, 40)),
        (
            "ended here, with what was reported so far",
            said(Answered { reported: whole, uncounted: 400, broke_off: true, success: false, ..streamed }),
            Foreseen { most_output: Tokens(1), ..STREAM },
            ("estimated", 7, 109),
        ),
        (
            "ended here, without a report",
            said(Answered { broke_off: true, success: false, ..streamed }),
            Foreseen { most_output: Tokens(1), reports: true, ..STREAM },
            ("estimated", 100, 40),
        ),
        (
            "cut off, of known length",
            said(Answered { broke_off: true, length: Some(2_048), ..one }),
            REQUEST,
            ("estimated", 100, 384),
        ),
        ("cut off, of unknown length", said(Answered { broke_off: true, ..one }), REQUEST, ("estimated", 100, 1_000)),
        (
            "accepted for later",
            said(Answered { shown: Tokens(1), seen: Tokens(0), accepted: true, ..one }),
            REQUEST,
            ("estimated", 100, 1_000),
        ),
        (
            "thought to its end, and not a word",
            said(Answered { shown: Tokens(1), seen: Tokens(0), exhausted: true, ..one }),
            REQUEST,
            ("estimated", 100, 1_000),
        ),
        (
            "refused for later",
            said(Answered { shown: Tokens(1), seen: Tokens(0), success: false, ..one }),
            REQUEST,
            ("estimated", 100, 1),
        ),
    ] {
        assert_eq!(charged(evidence, &request), expected, "{case}");
    }
}

/// A bound that its provider doesn't read bounds nothing that was seen to pass.
#[test]
fn what_was_seen_is_never_capped_by_what_was_promised() {
    let bounded = Foreseen { most_output: Tokens(1), ..STREAM };
    for (case, answer, output) in [
        ("text beyond the bound", Answered { shown: Tokens(1_000), seen: Tokens(1_000), ..ok() }, 1_000),
        ("what is likely hidden behind it", Answered { shown: Tokens(9_000), seen: Tokens(1_000), ..ok() }, 1_000),
        ("what can't be read", Answered { shown: Tokens(1_000), seen: Tokens(0), ..ok() }, 1),
        ("strings that no table knows", Answered { stray: Tokens(1_000), ..ok() }, 40),
    ] {
        assert_eq!(charged(Evidence::Answered(answer), &bounded).2, output, "{case}");
    }
    let strays = Answered { stray: Tokens(500), ..ok() };
    assert_eq!(charged(Evidence::Answered(strays), &STREAM).2, 540, "within the bound they count");
}

#[test]
fn what_was_not_seen_is_bounded_by_time_and_by_the_reservation() {
    let most = Foreseen { most_output: Tokens(64_000), ..REQUEST };
    let stream = Foreseen { stream: true, ..most };
    let detached = Foreseen { detached: true, ..stream };
    let left = |seconds| Evidence::LeftUnderWay { after: seconds * SECOND };
    let silent =
        |seconds| Evidence::Answered(Answered { shown: Tokens(1), seen: Tokens(0), silent: seconds * SECOND, ..ok() });
    let cut = |seconds| {
        let answer = Answered { non_streaming: true, broke_off: true, elapsed: seconds * SECOND, ..ok() };
        Evidence::Answered(answer)
    };
    for (case, evidence, request, output) in [
        ("an answer in one piece left after three seconds", left(3), most, 750),
        ("and after ten minutes", left(600), most, 64_000),
        ("one that began, and was cut", cut(3), most, 750),
        ("a stream left before it could begin", left(1), stream, 0),
        ("a stream that thinks, left after ten seconds", left(10), stream, 2_000),
        ("a stream that showed a role and nothing else", silent(10), stream, 2_001),
        ("a stream that began at once", silent(0), stream, 1),
        ("what is made in the background", left(1), detached, 64_000),
        ("and what of it began to be read", silent(0), detached, 64_000),
    ] {
        assert_eq!(charged(evidence, &request).2, output, "{case}");
    }
}

/// Whoever asks for many short choices and leaves has had as many written as whoever asks for one after the other.
#[test]
fn choices_are_written_at_once_each_at_the_models_pace() {
    let many = Foreseen { choices: 128, most_output: Tokens(14_720), ..REQUEST };
    let ten = Foreseen { choices: 10, most_output: Tokens(64_000), ..REQUEST };
    let stream = Foreseen { stream: true, ..ten };
    let left = Evidence::LeftUnderWay { after: 2_300_000_000 };
    let answer = Answered { shown: Tokens(1), seen: Tokens(0), ..ok() };
    let cut = Answered { non_streaming: true, broke_off: true, elapsed: 3 * SECOND, ..answer };
    let untold = Answered { elapsed: 3 * SECOND, ..answer };
    let silent = Answered { silent: 3 * SECOND, ..answer };
    for (case, evidence, request, output) in [
        ("as far as it was reserved", left, many, 14_720),
        ("left before an answer in one piece", left, ten, 5_750),
        ("left before a stream began, in a common wait", left, stream, 75),
        ("left while it was silent for long", Evidence::LeftUnderWay { after: 30 * SECOND }, stream, 7_000 + 9 * 5_000),
        ("one that began, and was cut", Evidence::Answered(cut), ten, 7_500),
        ("one that hides its usage", Evidence::Answered(untold), Foreseen { reports: true, ..ten }, 7_500),
        ("a stream that thought first", Evidence::Answered(silent), stream, 251),
    ] {
        assert_eq!(charged(evidence, &request).2, output, "{case}");
    }
}

/// A count that may be one choice's is none of all; but what stands in its place is an estimate like every other.
#[test]
fn what_is_hidden_behind_one_choice_of_several_is_bounded_by_the_reservation() {
    let told = reported(&[(Count::Input, 150), (Count::Output, 200)]);
    let answer = Answered { reported: told, of_choice: true, broke_off: true, ..ok() };
    let two = Foreseen { choices: 2, ..STREAM };
    for (case, shown, seen, output) in [
        ("as far as it was reserved", 3_200, 400, 1_000),
        ("what was seen", 3_200, 1_600, 1_600),
        ("what was told", 40, 40, 200),
    ] {
        let answer = Answered { shown: Tokens(shown), seen: Tokens(seen), ..answer };
        assert_eq!(charged(Evidence::Answered(answer), &two).2, output, "{case}");
    }
}

#[test]
fn a_report_that_cannot_be_true_costs_what_may_be_true() {
    let file = Foreseen { hidden_input: Tokens(4_000_000), ..REQUEST };
    let answered = |input, output, seen| {
        let said = reported(&[(Count::Input, input), (Count::Output, output)]);
        Answered { reported: said, is_final: true, seen: Tokens(seen), elapsed: SECOND, ..ok() }
    };
    let flag = |charge: Charge| matches!(charge, Charge::Implausible(_));
    for (case, answer, request, expected) in [
        ("all that was reserved", answered(150, 1_000, 0), REQUEST, (150, 1_000, false)),
        ("a bound that is not kept to a token", answered(150, 1_100, 0), REQUEST, (150, 1_100, false)),
        ("prompts of the provider's own", answered(9_000, 10, 0), REQUEST, (9_000, 10, false)),
        ("a billion of output", answered(7, 999_999_999, 40), REQUEST, (7, 1_000, true)),
        ("text that passed beyond the bound", answered(7, 9_999_999, 5_000), REQUEST, (7, 5_000, true)),
        ("a million of input for a line", answered(999_999, 9, 40), REQUEST, (16_984, 9, true)),
        ("a million of input by a file", answered(999_999, 9, 40), file, (999_999, 9, false)),
        ("a billion of input by a file", answered(999_999_999, 9, 40), file, (150, 9, true)),
        ("more than is read at all", answered(u64::MAX, 9, 40), REQUEST, (0, 0, true)),
    ] {
        let charge = Evidence::Answered(answer).charge(&request);
        let usage = charge.usage();
        if case != "more than is read at all" {
            assert_eq!((usage.input_tokens.0, usage.output_tokens.0, flag(charge)), expected, "{case}");
        }
        assert_eq!(charge.source().name(), if expected.2 { "estimated" } else { "reported" }, "{case}");
    }
    // Beyond all counting, nothing was reported, and what passed is charged.
    let nothing = Answered { is_final: false, ..answered(u64::MAX, 9, 40) };
    assert_eq!(Evidence::Answered(nothing).charge(&REQUEST), {
        let usage = Usage {
            input_tokens: Tokens(100),
            output_tokens: Tokens(40),
            total_tokens: Tokens(140),
            ..Usage::default()
        };
        Charge::Implausible(usage)
    });
}

#[test]
fn who_has_the_usage_left_out_is_charged_what_there_was_time_for() {
    let reports = Foreseen { reports: true, ..REQUEST };
    let whole = Answered { elapsed: 2 * SECOND, ..ok() };
    let charge = Evidence::Answered(whole).charge(&reports);
    assert!(matches!(charge, Charge::Unreported(_)));
    assert_eq!((charge.usage().input_tokens, charge.usage().output_tokens), (Tokens(150), Tokens(500)));
    for (case, answer, request) in [
        ("an API that needn't", whole, REQUEST),
        ("one that broke off", Answered { broke_off: true, success: false, ..whole }, reports),
        ("one that told a half", Answered { reported: reported(&[(Count::Input, 7)]), ..whole }, reports),
    ] {
        assert!(matches!(Evidence::Answered(answer).charge(&request), Charge::Estimated(_)), "{case}");
    }
}

#[test]
fn what_was_asked_for_by_the_piece_is_charged_where_no_report_says_otherwise() {
    let request = Foreseen { items: Items { images: 3, ..Items::default() }, ..REQUEST };
    assert_eq!(Evidence::LeftUnderWay { after: 0 }.charge(&request).usage().images, 3);
    let said = reported(&[(Count::Images, 1)]);
    let answer = Answered { reported: said, is_final: true, ..ok() };
    assert_eq!(Evidence::Answered(answer).charge(&request).usage().images, 1);
}

#[test]
fn who_leaves_pays_for_the_recording_and_for_a_search_that_is_shown_last() {
    let items = Items { sound_bytes: 80_000, web_searches: 10, ..NO_ITEMS };
    let left = |request: &Foreseen| {
        let usage = Evidence::LeftUnderWay { after: 0 }.charge(request).usage();
        (usage.audio_seconds, usage.web_searches)
    };
    assert_eq!(left(&Foreseen { items, late: true, ..STREAM }), (10, 1));
    assert_eq!(left(&Foreseen { items, ..STREAM }), (10, 0));
    assert_eq!(left(&Foreseen { items, ..REQUEST }), (10, 10));
    assert_eq!(left(&Foreseen { late: true, ..STREAM }), (0, 0));
    // What was reported is what it says.
    let reported = reported(&[(Count::AudioSeconds, 7)]);
    let answer = Answered { reported, is_final: true, ..ok() };
    let usage = Evidence::Answered(answer).charge(&Foreseen { items, late: true, ..STREAM }).usage();
    assert_eq!((usage.audio_seconds, usage.web_searches), (7, 0));
}

/// What a stream reports first is what its first round reads; each search is read by the next one.
#[test]
fn whoever_leaves_while_tools_run_pays_for_what_they_brought() {
    let request =
        Foreseen { most_input: Tokens(10_000), brought_each: Tokens(2_000), brought: Tokens(6_000), ..STREAM };
    let left = |searches: u64, is_final: bool| {
        let reported = reported(&[(Count::Input, 700), (Count::Output, 9), (Count::WebSearches, searches)]);
        charged(Evidence::Answered(Answered { reported, is_final, broke_off: true, ..ok() }), &request).1
    };
    assert_eq!([0, 1, 2, 9].map(|searches| left(searches, false)), [2_700, 2_700, 4_700, 6_700]);
    assert_eq!(left(2, true), 700, "a last word is believed");
    let elsewhere = Foreseen { reads_on: false, ..request };
    let told = reported(&[(Count::Input, 700), (Count::Output, 9), (Count::WebSearches, 2)]);
    let left = Answered { reported: told, broke_off: true, ..ok() };
    assert_eq!(charged(Evidence::Answered(left), &elsewhere).1, 700, "its count goes on with the answer");
    assert_eq!(charged(Evidence::Answered(Answered { error: true, ..left }), &request).1, 700, "nobody left");
    let plain = Foreseen { most_input: Tokens(10_000), ..STREAM };
    let reported = reported(&[(Count::Input, 700), (Count::Output, 9)]);
    assert_eq!(charged(Evidence::Answered(Answered { reported, broke_off: true, ..ok() }), &plain).1, 700);
}

/// A second of a sound, a page of pictures, a cache that is to be written: each at its own rate, whoever leaves before the report.
#[test]
fn an_estimate_has_the_parts_that_a_report_would_have() {
    let request = Foreseen { likely_input: Tokens(1_000), pictures: Tokens(300), sounds: Tokens(200), ..STREAM };
    let left = Answered { shown: Tokens(10), stray: Tokens(90), media: Tokens(80), broke_off: true, ..ok() };
    let usage = |request: &Foreseen, answer: Answered| Evidence::Answered(answer).charge(request).usage();
    let parts = |usage: Usage| (usage.image_input_tokens.0, usage.audio_input_tokens.0);
    let written = |usage: Usage| (usage.cache_creation_input_tokens.0, usage.cache_creation_1h_input_tokens.0);
    let made = |usage: Usage| (usage.output_tokens.0, usage.image_output_tokens.0, usage.audio_output_tokens.0);
    let came = usage(&request, left);
    assert_eq!((parts(came), written(came), made(came)), ((300, 200), (0, 0), (100, 0, 40)));
    let drawn = usage(&Foreseen { draws: true, ..request }, left);
    assert_eq!(made(drawn), (100, 80, 0));
    for (writes, expected) in [(Writes::Short, (500, 0)), (Writes::Long, (500, 500))] {
        assert_eq!(written(usage(&Foreseen { writes, ..request }, left)), expected);
    }
    // Nobody has seen anything of an answer in one piece; and what was reported has the parts that it has.
    let unseen = Evidence::LeftUnderWay { after: SECOND }.charge(&request).usage();
    assert_eq!(parts(unseen), (300, 200));
    let said = reported(&[(Count::Input, 1_000), (Count::Output, 100)]);
    let told = usage(&request, Answered { reported: said, ..left });
    assert_eq!((parts(told), made(told)), ((0, 0), (100, 0, 0)));
}

/// Nobody sees what tools do in the background: all that was set aside for them counts, as if its sender had left at once.
#[test]
fn what_tools_may_do_in_the_background_is_charged_when_it_is_accepted() {
    let items = Items { web_searches: 20, file_searches: 3, container_sessions: 1, ..NO_ITEMS };
    let request = Foreseen { items, brought_each: Tokens(2_000), brought: Tokens(40_000), ..REQUEST };
    let detached = Foreseen { detached: true, ..request };
    let queued = Answered { shown: Tokens(0), seen: Tokens(0), accepted: true, ..ok() };
    let came = |evidence: Evidence, request: &Foreseen| {
        let usage = evidence.charge(request).usage();
        (usage.input_tokens.0, usage.web_searches, usage.file_searches, usage.container_sessions)
    };
    let all = (40_100, 20, 3, 1);
    for (case, evidence, request) in [
        ("queued", Evidence::Answered(queued), detached),
        ("taken, whatever was asked for", Evidence::Answered(queued), request),
        ("as a stream that is left", Evidence::Answered(ok()), Foreseen { stream: true, ..detached }),
        ("left before anything came", Evidence::LeftUnderWay { after: 0 }, Foreseen { stream: true, ..detached }),
    ] {
        assert_eq!(came(evidence, &request), all, "{case}");
    }
    let failed = Answered { error: true, shown: Tokens(5), ..queued };
    assert_eq!(came(Evidence::Answered(failed), &detached), (2_100, 0, 0, 0), "what failed does nothing more");
    // Each stream of responses begins with being in progress.
    let left = Answered { accepted: true, broke_off: true, ..ok() };
    assert_eq!(
        came(Evidence::Answered(left), &Foreseen { stream: true, ..request }),
        (2_100, 0, 0, 0),
        "a stream that is left"
    );
}

/// Of a transcript without a length (`text`, `srt`), what was said in it bounds the file from below: speech is packed in a tenth of what is
/// usual.
#[test]
fn a_recording_is_no_shorter_than_what_was_heard_in_it() {
    let items = Items { sound_bytes: 800_000, ..NO_ITEMS };
    let seconds = |said: u64| {
        let answer = Answered { seen: Tokens(said), shown: Tokens(said), ..ok() };
        Evidence::Answered(answer).charge(&Foreseen { items, ..REQUEST }).usage().audio_seconds
    };
    assert_eq!([0, 500, 2_500, 4_000_000].map(seconds), [100, 100, 500, 800]);
    let none = Evidence::Answered(Answered { seen: Tokens(4_000), ..ok() });
    assert_eq!(none.charge(&REQUEST).usage().audio_seconds, 0, "nothing was heard where nothing was sent");
}

/// What draws was at work before anything of it was sent: who leaves pays what who stays may have to, at the rate of pictures.
#[test]
fn pictures_that_are_sold_by_their_tokens_cost_the_same_whoever_leaves() {
    let items = Items { images: 2, ..NO_ITEMS };
    let pictures = Foreseen { items, most_output: Tokens(16_000), ..REQUEST };
    let made = |evidence: Evidence, request: &Foreseen| {
        let charge = evidence.charge(request);
        let Usage { output_tokens, image_output_tokens, total_tokens, input_tokens, .. } = charge.usage();
        assert_eq!(total_tokens, input_tokens.plus(output_tokens));
        (charge.source().name(), output_tokens.0, image_output_tokens.0)
    };
    let told = |counts: &[(Count, u64)]| Answered { reported: reported(counts), is_final: true, ..ok() };
    let plain = [(Count::Input, 7), (Count::Output, 4_000)];
    let broke_off = Answered { broke_off: true, success: false, non_streaming: true, ..ok() };
    let most = ("estimated", 16_000, 16_000);
    for (case, evidence, expected) in [
        ("left before an answer", Evidence::LeftUnderWay { after: SECOND }, most),
        ("left in its midst", Evidence::Answered(broke_off), most),
        ("no tokens told", Evidence::Answered(told(&[(Count::MadeImages, 2)])), most),
        ("no count at all", Evidence::Answered(ok()), most),
        (
            "told by kind",
            Evidence::Answered(told(&[plain[0], plain[1], (Count::ImageOutput, 3_900)])),
            ("reported", 4_000, 3_900),
        ),
        ("told as a sum", Evidence::Answered(told(&plain)), ("reported", 4_000, 0)),
        (
            "told, and then left",
            Evidence::Answered(Answered { is_final: false, broke_off: true, ..told(&plain) }),
            ("estimated", 4_000, 0),
        ),
        (
            "more than can be",
            Evidence::Answered(told(&[(Count::Input, 7), (Count::Output, 99_999_999)])),
            ("estimated", 16_000, 16_000),
        ),
        (
            "an error alone",
            Evidence::Answered(Answered { error: true, shown: Tokens(0), seen: Tokens(0), ..ok() }),
            ("none", 0, 0),
        ),
        ("nobody was at work", Evidence::Unanswered, ("none", 0, 0)),
    ] {
        assert_eq!(made(evidence, &pictures), expected, "{case}");
    }
    let by_the_piece = Foreseen { draws_by_the_piece: true, ..pictures };
    let left = Evidence::LeftUnderWay { after: SECOND };
    assert_eq!(made(left, &by_the_piece), ("estimated", 250, 0), "each is paid for as one");
}

/// Few tell the tokens of what a tool of theirs draws, and none before its end: what was set aside for a picture counts.
#[test]
fn a_picture_of_a_tool_whose_tokens_nobody_tells_costs_what_was_set_aside_for_it() {
    let items = Items { tool_images: 2, ..NO_ITEMS };
    let request = Foreseen { items, tool_picture: Tokens(8_192), ..REQUEST };
    let stream = Foreseen { stream: true, ..request };
    let background = Foreseen { detached: true, ..request };
    let made = |evidence: Evidence, request: &Foreseen| {
        let charge = evidence.charge(request);
        (charge.source().name(), charge.usage().output_tokens.0, charge.usage().image_output_tokens.0)
    };
    let tokens = [(Count::Input, 7), (Count::Output, 40)];
    let told = |more: &[(Count, u64)]| Answered { reported: reported(&[&tokens[..], more].concat()), ..ok() };
    let seen = Answered { reported: reported(&[(Count::Images, 1)]).pieces(), broke_off: true, ..ok() };
    let whole = Answered { is_final: true, ..told(&[(Count::Images, 1)]) };
    let by_kind =
        [(Count::Images, 1), (Count::ToolInput, 50), (Count::ToolOutput, 1_000), (Count::ToolImageOutput, 1_000)];
    let queued = Answered { shown: Tokens(0), seen: Tokens(0), accepted: true, ..ok() };
    for (case, answer, request, expected) in [
        ("seen to begin, and left", seen, stream, ("estimated", 40 + 8_192, 8_192)),
        ("told without its tokens", whole, request, ("estimated", 40 + 8_192, 8_192)),
        ("in the background", queued, background, ("estimated", 1_000 + 16_384, 16_384)),
        ("with its tokens", Answered { is_final: true, ..told(&by_kind) }, request, ("reported", 1_040, 1_000)),
        ("none was drawn", Answered { is_final: true, ..told(&[]) }, request, ("reported", 40, 0)),
        ("by the piece", whole, Foreseen { draws_by_the_piece: true, ..request }, ("reported", 40, 0)),
        ("not asked for", whole, Foreseen { items: NO_ITEMS, ..request }, ("reported", 40, 0)),
        ("of no price", whole, Foreseen { tool_picture: Tokens(0), ..request }, ("reported", 40, 0)),
    ] {
        assert_eq!(made(Evidence::Answered(answer), &request), expected, "{case}");
    }
    let left = Evidence::LeftUnderWay { after: SECOND };
    assert_eq!(made(left, &request), ("estimated", 250 + 16_384, 16_384), "left before an answer");
    assert_eq!(made(left, &stream), ("estimated", 0, 0), "nothing was seen of a stream");
}

/// Whether a picture is sold by the piece is said by its price, and not by the tokens that an answer tells beside it.
#[test]
fn what_the_price_sells_by_the_piece_is_charged_by_the_piece_whatever_tokens_are_told() {
    let items = Items { images: 2, search_units: 3, ..NO_ITEMS };
    let by_tokens = Foreseen { items, ..REQUEST };
    let by_the_piece = Foreseen { draws_by_the_piece: true, ranks_by_the_search: true, ..by_tokens };
    let tokens = [(Count::Input, 7), (Count::Output, 9)];
    let beside = |more: &[(Count, u64)]| {
        let said = reported(&[&tokens[..], more].concat());
        let answer = Answered { reported: said, is_final: true, ..ok() };
        [by_tokens, by_the_piece].map(|request| {
            let usage = Evidence::Answered(answer).charge(&request).usage();
            (usage.images, usage.search_units)
        })
    };
    for (more, expected) in [
        (&[][..], [(0, 0), (2, 3)]),
        (&[(Count::MadeImages, 5), (Count::SearchUnits, 1)][..], [(0, 1), (5, 1)]),
        // Some of those in the list have failed.
        (&[(Count::MadeImages, 5), (Count::ToldImages, 4)][..], [(0, 0), (4, 3)]),
        (&[(Count::MadeImages, 5), (Count::ToldImages, 0)][..], [(0, 0), (5, 3)]),
    ] {
        assert_eq!(beside(more), expected, "{more:?}");
    }
}
