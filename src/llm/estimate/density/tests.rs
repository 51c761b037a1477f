use super::*;
use proptest::prelude::*;

fn lesson(bytes: u64, tokens: u64) -> Lesson {
    let measured = Measured { bytes, tokens };
    Lesson { input: measured, output: measured, frame: measured, pace: measured }
}

fn voice(bucket: usize) -> Voice {
    Voice { bucket, owner: u32::try_from(bucket).unwrap() + 1 }
}

fn taught(learned: &mut Learned, voice: Voice, lesson: &Lesson) {
    let mut fresh = Bucket::default();
    fresh.learn(voice, lesson);
    learned.add(voice.bucket, &fresh);
}

/// Of the output, in thousandths of a byte.
fn output(learned: &Learned, at: usize) -> u64 {
    learned.densities().of(voice(at)).output.0
}

#[test]
fn the_prior_has_a_voice_until_three_buckets_speak() {
    for (case, taught_by, for_others, for_the_first) in [
        ("nobody", &[][..], 4_000, 4_000),
        ("one with hidden reasoning, for itself alone", &[300], 4_000, 300),
        ("one that pads, and makes no discount", &[16_000], 4_000, 4_000),
        ("two that hide", &[300, 300], 2_000, 300),
        ("one that pads beside one that hides", &[16_000, 300], 4_000, 4_000),
        ("three that write sparsely", &[6_000, 7_000, 6_500], 6_500, 6_000),
        ("three that hide", &[300, 310, 320], 2_000, 300),
    ] {
        let mut learned = Learned::default();
        for (bucket, thousandths) in taught_by.iter().enumerate() {
            taught(&mut learned, voice(bucket), &lesson(thousandths * 100, 100_000));
        }
        assert_eq!((output(&learned, 15), output(&learned, 0)), (for_others, for_the_first), "{case}");
    }
}

#[test]
fn too_little_is_chance_and_who_reads_slowly_makes_no_discount() {
    let mut learned = Learned::default();
    taught(&mut learned, voice(0), &lesson(100, 500));
    assert_eq!(learned.densities().of(voice(0)), Density::PRIOR);
    for (tokens, milliseconds, pace) in [(10_000, 1_000_000, 250), (100_000, 100_000, 1_000), (9_000_000, 1_000, 4_000)]
    {
        let mut learned = Learned::default();
        let pace_alone = Lesson { pace: Measured { bytes: tokens, tokens: milliseconds }, ..Lesson::default() };
        taught(&mut learned, voice(0), &pace_alone);
        assert_eq!(learned.densities().of(voice(0)).pace, Pace(pace), "{tokens} in {milliseconds} ms");
        assert_eq!(learned.densities().of(voice(1)).pace, pace::PRIOR);
    }
}

/// Prompts that were padded, and reported so, must not make a prompt cheap that is left before its report.
#[test]
fn no_tenants_own_answers_make_its_input_cheaper() {
    for (own, input) in [(16_000, 4_000), (6_000, 4_000), (3_000, 3_000), (500, 2_000)] {
        let mut learned = Learned::default();
        let measured = Measured { bytes: own * 100, tokens: 100_000 };
        taught(&mut learned, voice(0), &Lesson { input: measured, ..Lesson::default() });
        let densities = learned.densities();
        assert_eq!([0, 1].map(|at| densities.of(voice(at)).input.0), [input, 4_000], "{own}");
    }
    // Of what all write, nobody's is worse than it is.
    let mut learned = Learned::default();
    (0..3).for_each(|at| taught(&mut learned, voice(at), &lesson(700_000, 100_000)));
    assert_eq!([0, 9].map(|at| learned.densities().of(voice(at)).input.0), [7_000, 7_000]);
}

#[test]
fn a_bucket_that_several_share_speaks_for_none_of_them() {
    let mut learned = Learned::default();
    let (ours, theirs) = (Voice { bucket: 3, owner: 7 }, Voice { bucket: 3, owner: 8 });
    taught(&mut learned, ours, &lesson(30_000, 100_000));
    assert_eq!(learned.densities().of(ours).output, BytesPerToken(300));
    assert_eq!(learned.densities().of(theirs), Density::PRIOR);
    taught(&mut learned, theirs, &lesson(1_000_000, 100_000));
    assert_eq!(learned.densities().of(ours), learned.densities().of(theirs));
}

#[test]
fn a_change_is_followed() {
    let mut learned = Learned::default();
    for thousandths in [8, 3] {
        for _ in 0..40_000 {
            taught(&mut learned, voice(0), &lesson(thousandths * 100, 100));
        }
    }
    assert!(output(&learned, 0) < 3_100, "{}", output(&learned, 0));
}

proptest! {
    /// Whatever one tenant's answers taught, nobody else's estimate moves by more than what others are believed at all.
    #[test]
    fn one_tenant_moves_nobody_elses_estimate_by_more_than_the_clamp(
        others in prop::collection::vec((1_u64..1_000_000_000, 1_u64..1_000_000_000), 0..15),
        lies in prop::collection::vec((0_u64..1_000_000_000_000, 0_u64..1_000_000_000_000), 1..5),
    ) {
        let mut before = Learned::default();
        for (bucket, (bytes, tokens)) in others.iter().enumerate() {
            taught(&mut before, voice(bucket), &lesson(*bytes, *tokens));
        }
        let mut after = before.clone();
        for (bytes, tokens) in lies {
            taught(&mut after, voice(15), &lesson(bytes, tokens));
        }
        for bucket in 0..15 {
            let [was, is] = [&before, &after].map(|learned| learned.densities().of(voice(bucket)));
            let pairs = [(was.input.0, is.input.0), (was.output.0, is.output.0), (was.pace.0, is.pace.0)];
            for (was, is) in pairs {
                prop_assert!(is <= was.saturating_mul(4) && was <= is.saturating_mul(4), "{was} {is}");
            }
        }
    }

    #[test]
    fn a_record_survives_its_encoding(lessons in prop::collection::vec((0_usize..16, any::<u32>(), any::<u32>()), 0..40)) {
        let mut learned = Learned::default();
        for (bucket, bytes, tokens) in lessons {
            taught(&mut learned, voice(bucket), &lesson(bytes.into(), tokens.into()));
        }
        let bytes = learned.encode();
        prop_assert_eq!(bytes.len(), ENCODED);
        prop_assert_eq!(Learned::decode(&bytes), Some(learned));
        prop_assert_eq!(Learned::decode(&[&bytes[..], &[0]].concat()), None, "a longer record is another's");
    }

    #[test]
    fn what_is_no_record_teaches_nothing(bytes in prop::collection::vec(any::<u8>(), 0..300)) {
        prop_assert_eq!(Learned::decode(&bytes), None);
    }
}
