//! Addresses of cryptocurrencies, each by its checksum: Bitcoin's in both forms, and Ethereum's.

use super::{Candidate, Detector};
use crate::digest::{keccak256, sha256};
use core::ops::Range;

pub const DETECTOR: Detector = Detector {
    name: "crypto",
    label: "CRYPTO",
    pattern: "0x[0-9A-Fa-f]+|(?:bc|BC|tb|TB)1[0-9A-Za-z]+|[13][1-9A-HJ-NP-Za-km-z]+",
    // BIP 173 has no longer ones; one more letter tells that a word is longer.
    longest: 91,
    check,
};

fn check(candidate: &Candidate<'_>) -> Option<Range<usize>> {
    let text = candidate.text.as_bytes();
    let is_address = match text {
        [b'0', b'x', digits @ ..] => is_ethereum(digits),
        [b'1' | b'3', ..] => is_base58(text),
        _ => is_bech32(text),
    };
    if is_address { candidate.apart(0..text.len()) } else { None }
}

/// EIP-55: where letters of both cases stand, each is large where the hash of the small ones has a digit from 8 on. Large ones
/// alone are a fingerprint of PGP's.
fn is_ethereum(digits: &[u8]) -> bool {
    let Ok(digits) = <&[u8; 40]>::try_from(digits) else { return false };
    // Where nobody has a key: what is sent there is burnt.
    if digits.iter().all(|digit| *digit == b'0') {
        return false;
    }
    let lower = digits.map(|digit| digit.to_ascii_lowercase());
    if *digits == lower {
        return true;
    }
    let hash = keccak256(&lower);
    let nibbles = hash.iter().flat_map(|byte| [byte >> 4, byte & 15]);
    let is_right =
        |(digit, nibble): (&u8, u8)| !digit.is_ascii_alphabetic() || digit.is_ascii_uppercase() == (nibble > 7);
    digits.iter().zip(nibbles).all(is_right)
}

/// A version, twenty bytes of a hash, and the first four of the double SHA-256 of both.
fn is_base58(text: &[u8]) -> bool {
    if !(26..=35).contains(&text.len()) {
        return false;
    }
    let mut bytes = [0_u8; 25];
    for letter in text {
        let Some(digit) = base58_digit(*letter) else { return false };
        let mut carry = digit;
        for byte in bytes.iter_mut().rev() {
            carry = u32::from(*byte).wrapping_mul(58).wrapping_add(carry);
            [_, _, _, *byte] = carry.to_be_bytes();
            carry >>= 8;
        }
        if carry > 0 {
            return false;
        }
    }
    let Some((paid_to, checksum)) = bytes.split_last_chunk::<4>() else { return false };
    // Zeros at the beginning are written as ones, each of them.
    let zeros = bytes.iter().take_while(|byte| **byte == 0).count();
    let ones = text.iter().take_while(|letter| **letter == b'1').count();
    matches!(bytes[0], 0 | 5) && zeros == ones && sha256(&sha256(paid_to)).starts_with(checksum)
}

fn base58_digit(letter: u8) -> Option<u32> {
    let digit = match letter {
        b'1'..=b'9' => letter.wrapping_sub(b'1'),
        b'A'..=b'H' => letter.wrapping_sub(b'A').wrapping_add(9),
        b'J'..=b'N' => letter.wrapping_sub(b'J').wrapping_add(17),
        b'P'..=b'Z' => letter.wrapping_sub(b'P').wrapping_add(22),
        b'a'..=b'k' => letter.wrapping_sub(b'a').wrapping_add(33),
        b'm'..=b'z' => letter.wrapping_sub(b'm').wrapping_add(44),
        _ => return None,
    };
    Some(u32::from(digit))
}

/// BIP 173 and BIP 350: version 0 of a witness has one constant at the end of its checksum, later ones another.
fn is_bech32(text: &[u8]) -> bool {
    const LETTERS: &[u8; 32] = b"qpzry9x8gf2tvdw0s3jn54khce6mua7l";
    let upper = text.iter().any(u8::is_ascii_uppercase);
    if upper && text.iter().any(u8::is_ascii_lowercase) {
        return false;
    }
    let Some(([b, c, _], data)) = text.split_first_chunk::<3>() else { return false };
    let prefix = [b.to_ascii_lowercase(), c.to_ascii_lowercase()];
    let mut sum = prefix.iter().fold(1, |sum, letter| polymod(sum, u32::from(letter >> 5)));
    sum = prefix.iter().fold(polymod(sum, 0), |sum, letter| polymod(sum, u32::from(letter & 31)));
    let mut version = None;
    for letter in data {
        let value = LETTERS.iter().zip(0..).find(|(known, _)| **known == letter.to_ascii_lowercase());
        let Some((_, value)) = value else { return false };
        version.get_or_insert(value);
        sum = polymod(sum, value);
    }
    // The version, a program of 2 to 40 bytes in groups of five bits, and six of the checksum.
    match version {
        Some(0) => sum == 1 && matches!(data.len(), 39 | 59),
        Some(1..=16) => sum == 0x2bc8_30a3 && (11..=71).contains(&data.len()),
        _ => false,
    }
}

fn polymod(sum: u32, value: u32) -> u32 {
    const GENERATOR: [u32; 5] = [0x3b6a_57b2, 0x2650_8e6d, 0x1ea1_19fa, 0x3d42_33dd, 0x2a14_62b3];
    let shifted = (sum & 0x01ff_ffff) << 5 ^ value;
    let mut top = sum >> 25;
    GENERATOR.iter().fold(shifted, |sum, generator| {
        let bit = top & 1;
        top >>= 1;
        if bit == 1 { sum ^ generator } else { sum }
    })
}

#[cfg(test)]
mod tests;
