//! How much like chance a word looks: Shannon's entropy of its bytes, without floating point.

/// One bit.
pub const BIT: u32 = 256;

/// Of each byte, in 256ths of a bit. A word of n bytes has log2(n) bits at most, each of them another one.
pub fn per_byte(word: &[u8]) -> u32 {
    let mut counts = [0_u32; 256];
    for byte in word {
        if let Some(count) = counts.get_mut(usize::from(*byte)) {
            *count = count.saturating_add(1);
        }
    }
    let length: u32 = counts.iter().fold(0, |sum, count| sum.saturating_add(*count));
    let told = counts.iter().fold(0_u32, |sum, count| sum.saturating_add(count.saturating_mul(log2(*count))));
    log2(length).saturating_sub(told.checked_div(length).unwrap_or(0))
}

/// In 256ths; 0 for nothing.
fn log2(number: u32) -> u32 {
    let Some(whole) = number.checked_ilog2() else { return 0 };
    // Between one and two, in 32768ths. Each squaring gives one more binary digit of the logarithm.
    let mut rest = u64::from(number) << 15 >> whole;
    let mut fraction = 0;
    for _ in 0..8 {
        rest = rest.saturating_mul(rest) >> 15;
        fraction <<= 1;
        if rest >> 16 != 0 {
            rest >>= 1;
            fraction |= 1;
        }
    }
    whole << 8 | fraction
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_is_shannons_to_a_hundredth_of_a_bit() {
        for word in [
            "a",
            "aaaa",
            "ab",
            "abcd",
            "password",
            "correct horse",
            "kX9#mP2$vL5@nQ8!",
            "0123456789abcdef",
            &"xyz".repeat(99),
        ] {
            let count = |byte: &u8| word.bytes().filter(|other| other == byte).count() as f64 / word.len() as f64;
            let mut letters: Vec<u8> = word.bytes().collect();
            letters.sort_unstable();
            letters.dedup();
            let entropy: f64 = letters.iter().map(count).map(|share| -share * share.log2()).sum();
            let ours = f64::from(per_byte(word.as_bytes())) / f64::from(BIT);
            assert!((ours - entropy).abs() < 0.01, "{word}: {ours} {entropy}");
        }
        assert_eq!(per_byte(b""), 0);
        assert_eq!(log2(1024), 10 * BIT);
    }
}
