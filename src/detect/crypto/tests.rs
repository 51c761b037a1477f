use super::super::walk::{finds, is_found, is_passed_over, passes_over};
use super::*;
use proptest::prelude::*;

#[test]
fn addresses_are_found() {
    finds(
        &DETECTOR,
        &[
            "«1A1zP1eP5QGefi2DMPTfTL5SLmv7DivfNa»",
            "pay to «3J98t1WpEZ73CNmQviecrnyiWrnqRhWNLy», please",
            "«1BvBMSEYstWetqTFn5Au4m4GFg7xJaNVN2».",
            "bitcoin:«1BvBMSEYstWetqTFn5Au4m4GFg7xJaNVN2»?amount=1",
            "«bc1qw508d6qejxtdg4y5r3zarvary0c5xw7kv8f3t4»",
            "«BC1QW508D6QEJXTDG4Y5R3ZARVARY0C5XW7KV8F3T4»",
            "«bc1qrp33g0q5c5txsp9arysrx4k6zdkfs4nce4xj0gdcccefvpysxf3qccfmv3»",
            "«bc1p0xlxvlhemja6c4dqv22uapctqupfhlxm9h8z3k2e72q4k9hcz7vqzk5jj0»",
            "testnet «tb1qw508d6qejxtdg4y5r3zarvary0c5xw7kxpjzsx»",
            "{\"to\":\"«0x5aAeb6053F3E94C9b9A09f33669435E7Ef1BeAed»\"}",
            "«0xfB6916095ca1df60bB79Ce92cE3Ea74c37c5d359»,«0xdbF03B407c01E7cD3CBea99509d93f8DDDC8C6FB»",
            "lower: «0x5aaeb6053f3e94c9b9a09f33669435e7ef1beaed»",
            "地址«0xD1220A0cf47c7B9Be7A2E6BA89F429762e7b9aDb»。",
        ],
    );
}

#[test]
fn other_words_are_passed_over() {
    passes_over(
        &DETECTOR,
        &[
            ("1A1zP1eP5QGefi2DMPTfTL5SLmv7DivfNb", "a wrong letter"),
            ("1A1zP1eP5QGefi2DMPTfTL5SLmv7Div", "cut off"),
            ("x1A1zP1eP5QGefi2DMPTfTL5SLmv7DivfNa", "the end of a longer word"),
            ("1A1zP1eP5QGefi2DMPTfTL5SLmv7DivfNa_", "an identifier"),
            ("11A1zP1eP5QGefi2DMPTfTL5SLmv7DivfNa", "one zero too many"),
            ("bc1qw508d6qejxtdg4y5r3zarvary0c5xw7kv8f3t5", "a wrong letter"),
            ("bc1qW508d6qejxtdg4y5r3zarvary0c5xw7kv8f3t4", "letters of both cases"),
            ("bc1qw508d6qejxtdg4y5r3zarvary0c5xw7kemeawh", "the checksum of a later version"),
            ("bc1p0xlxvlhemja6c4dqv22uapctqupfhlxm9h8z3k2e72q4k9hcz7vqh2y7hd", "the checksum of version 0"),
            ("bc1q", "nothing behind the version"),
            ("0x5aAeb6053F3E94C9b9A09f33669435E7Ef1BeAeD", "a letter of the wrong case"),
            ("0x5aaeb6053f3e94c9b9a09f33669435e7ef1beae", "39 digits"),
            ("0x88df016429689c079f3b2f6ad39fa052532c56795b733da78a91ebe6a713944b", "a hash of a transaction"),
            ("0xF85F0F83AC4DF7EA0CDF8F469BFEEAEA14156495", "a fingerprint of PGP"),
            ("0x0000000000000000000000000000000000000000", "nobody's"),
            ("5aaeb6053f3e94c9b9a09f33669435e7ef1beaed", "a hash of git"),
            ("3.14159265358979323846264338327950288", "a number"),
            ("1111111111111111111111111111", "a number"),
        ],
    );
}

/// Written without what is tested: each digit by long division.
fn base58(bytes: &[u8]) -> String {
    let mut rest = bytes.to_vec();
    let mut letters = Vec::new();
    while rest.iter().any(|byte| *byte > 0) {
        let remainder = rest.iter_mut().fold(0_u32, |carry, byte| {
            let value = carry << 8 | u32::from(*byte);
            *byte = u8::try_from(value / 58).unwrap();
            value % 58
        });
        letters.push(b"123456789ABCDEFGHJKLMNPQRSTUVWXYZabcdefghijkmnopqrstuvwxyz"[remainder as usize]);
    }
    letters.extend(bytes.iter().take_while(|byte| **byte == 0).map(|_| b'1'));
    letters.reverse();
    String::from_utf8(letters).unwrap()
}

fn bitcoin(version: u8, hash: [u8; 20]) -> String {
    let mut bytes = vec![version];
    bytes.extend(hash);
    let checksum = sha256(&sha256(&bytes));
    bytes.extend(&checksum[..4]);
    base58(&bytes)
}

proptest! {
    #[test]
    fn generated_ones_of_bitcoin_are_found_whole(hash: [u8; 20], zeros in 0_usize..4, script: bool) {
        let mut hash = hash;
        hash[..zeros].fill(0);
        is_found(&DETECTOR, &bitcoin(if script { 5 } else { 0 }, hash));
    }

    #[test]
    fn a_wrong_letter_is_none(hash: [u8; 20], at in 1_usize..26, to in "[2-9A-HJ-NP-Za-km-z]") {
        let mut address = bitcoin(0, hash);
        prop_assume!(address.get(at..=at) != Some(&to));
        address.replace_range(at..=at, &to);
        is_passed_over(&DETECTOR, &address);
    }

    #[test]
    fn generated_ones_of_ethereum_are_found_whole(digits in "[0-9a-f]{40}", at in 0_usize..40) {
        let hash = keccak256(digits.as_bytes());
        let nibble = |at: usize| hash[at / 2] >> (4 * (1 - at % 2)) & 15;
        let large = |(at, letter): (usize, char)| if nibble(at) > 7 { letter.to_ascii_uppercase() } else { letter };
        let mut address: Vec<char> = "0x".chars().chain(digits.chars().enumerate().map(large)).collect();
        is_found(&DETECTOR, &address.iter().collect::<String>());
        let letter = address[at + 2];
        prop_assume!(letter.is_ascii_alphabetic() && digits.bytes().filter(u8::is_ascii_alphabetic).count() > 4);
        address[at + 2] =
            if letter.is_ascii_lowercase() { letter.to_ascii_uppercase() } else { letter.to_ascii_lowercase() };
        let wrong: String = address.iter().collect();
        let both = wrong.bytes().skip(2).any(|byte| byte.is_ascii_uppercase()) && wrong.bytes().skip(2).any(|byte| byte.is_ascii_lowercase());
        prop_assume!(both);
        is_passed_over(&DETECTOR, &wrong);
    }

    #[test]
    fn a_wrong_letter_of_bech32_is_none(at in 4_usize..42, to in "[qpzry9x8gf2tvdw0s3jn54khce6mua7l]") {
        let mut address = "bc1qw508d6qejxtdg4y5r3zarvary0c5xw7kv8f3t4".to_owned();
        prop_assume!(address.get(at..=at) != Some(&to));
        address.replace_range(at..=at, &to);
        is_passed_over(&DETECTOR, &address);
    }
}
