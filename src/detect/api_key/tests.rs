use super::super::walk::{AROUND, findings, finds, is_found, passes_over, pieces};
use super::forms::Letters;
use super::*;
use proptest::prelude::*;

/// A key of a form: no issuer has given it out.
fn key(form: &Form, mut seed: u64) -> (String, String) {
    let (mut named, mut key) = (String::new(), String::new());
    for part in form.0 {
        match part {
            Part::Is(letters) => key.push_str(letters),
            Part::One(some) => key.push_str(some[usize::try_from(seed >> 40).unwrap() % some.len()]),
            Part::Behind(letters) => named = (*letters).to_owned(),
            Part::Named(names) => named = format!("{} = ", names[0]),
            Part::Run(letters, least, most) => {
                let count = least + usize::try_from(seed >> 33).unwrap() % (most - least + 1);
                // A dot, a dash or an equals sign at an end would be the sentence's.
                let inner = |byte: &u8| letters.has(*byte) && (byte.is_ascii_alphanumeric() || count == 0);
                let all: Vec<u8> = (0..128).filter(inner).collect();
                for _ in 0..count {
                    seed = seed.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
                    key.push(char::from(all[usize::try_from(seed >> 33).unwrap() % all.len()]));
                }
            }
        }
    }
    (named, key)
}

fn of(beginning: &str) -> String {
    let known = |form: &Form| match form.0.first() {
        Some(Part::Is(letters)) => letters.starts_with(beginning),
        Some(Part::One(some)) => some[0].starts_with(beginning),
        _ => false,
    };
    key(FORMS.iter().find(|form| known(form)).unwrap(), 7).1
}

#[test]
fn keys_are_found() {
    let base64 =
        |length: usize| key(&Form(&[Part::Run(Letters::Base64, 88, 88)]), 3).1.chars().take(length).collect::<String>();
    let texts = [
        format!("«{}»", of("AKIA")),
        format!("export OPENAI_API_KEY=«{}»", of("sk-proj-")),
        format!("{{\"key\": \"«{}»\"}}", of("sk-ant-")),
        format!("my key is «{}», is it safe?", of("AIza")),
        format!("Authorization: token «{}»", of("ghp_")),
        format!("https://x-access-token:«{}»@github.com/a/b", of("ghs_")),
        format!("aws_secret_access_key = «{}»", base64(40)),
        format!("\"SecretAccessKey\": \"«{}»\",", base64(40)),
        format!("awsSecretAccessKey: '«{}»'", base64(40)),
        format!("AWS_SECRET_ACCESS_KEY=«{}»\n", base64(40)),
        format!("AccountName=x;AccountKey=«{}==»;EndpointSuffix=core.windows.net", base64(86)),
        format!("stripe.api_key = '«{}»'", of("sk_live_")),
        format!("https://api.telegram.org/bot«123456789:AA{}»/getMe", pieces(&of("AIza"), &[4, 33])[1]),
        format!("https://«hooks.slack.com/services/T0ABCDEFG/B0ABCDEFG/{}»", base64(24)),
        format!("//registry.npmjs.org/:_authToken=«{}»", of("npm_")),
        format!("mailchimp «{}-us12»", "0123456789abcdef".repeat(2)),
        format!("«{}-2».", pieces(&of("dapi"), &[36])[0]),
        format!("密钥«{}»。", of("hf_")),
        format!("OPENAI_KEY_«{}»", of("gsk_")),
    ];
    finds(&DETECTOR, &texts.iter().map(String::as_str).collect::<Vec<_>>());
}

#[test]
fn every_form_is_found_wherever_it_stands() {
    for form in &FORMS {
        for seed in 0..20 {
            let (named, key) = key(form, seed << 40 | 12_345);
            if named.is_empty() {
                is_found(&DETECTOR, &key);
            }
            for (before, after) in AROUND {
                let text = format!("{before}{named}{key}{after}");
                let start = before.len() + named.len();
                assert_eq!(findings(&DETECTOR, &text), vec![start..start + key.len()], "{text}");
            }
        }
    }
}

#[test]
fn other_words_are_passed_over() {
    let short = |beginning: &str| {
        let mut key = of(beginning);
        key.pop();
        key
    };
    passes_over(
        &DETECTOR,
        &[
            (&short("AKIA"), "a letter too few"),
            (&format!("{}X", of("AKIA")), "a letter too many"),
            (&format!("x{}", of("AKIA")), "the end of a longer word"),
            ("AKIAIOSFODNN7EXAMPLE", "Amazon's own example"),
            (&of("AKIA").to_lowercase(), "small letters"),
            (&short("AIza"), "a letter too few"),
            (&short("npm_"), "a letter too few"),
            (&short("sk-or-v1-"), "a digit too few"),
            ("ghp_xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx", "a placeholder"),
            ("sk-your-api-key-here-please-replace-it", "a placeholder"),
            ("sk-ant-api03-...", "shortened"),
            ("sk-learn and sk-circle-fade-dot", "names"),
            ("xoxb-your-token", "a placeholder"),
            ("hf_hub_download(repo_id)", "a function"),
            ("npm_config_registry=https://registry.npmjs.org", "a variable"),
            ("gl_FragColor, glpat- and gltf-transform", "names"),
            ("risk_assessment_rk_live_1", "names"),
            ("wJalrXUtnFEMIkKAbPxRfiCYkAbPxRfiCYlmnopq", "forty letters without a word that says what they are"),
            ("SK1234567890", "an article's number"),
            ("key-value-store", "names"),
            ("Basketball-us1", "names"),
            ("1234567890:AA", "nothing behind it"),
            ("github_pat_11ABC_short", "too short"),
        ],
    );
}

proptest! {
    #[test]
    fn a_generated_one_is_found_whole(at in 0..FORMS.len(), seed: u64) {
        let (named, key) = key(&FORMS[at], seed >> 8);
        let text = format!("Use {named}{key} for it.");
        let start = 4 + named.len();
        prop_assert_eq!(findings(&DETECTOR, &text), vec![start..start + key.len()], "{}", text);
    }
}
