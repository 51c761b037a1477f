//! SipHash-2-4 (Aumasson, Bernstein 2012): quick, and only who has the key can say what something comes to.

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SipHash {
    state: [u64; 4],
    /// What has come of the next eight bytes.
    tail: u64,
    bytes: u64,
}

impl SipHash {
    pub const fn new([k0, k1]: [u64; 2]) -> Self {
        let state = [
            k0 ^ 0x736f_6d65_7073_6575,
            k1 ^ 0x646f_7261_6e64_6f6d,
            k0 ^ 0x6c79_6765_6e65_7261,
            k1 ^ 0x7465_6462_7974_6573,
        ];
        Self { state, tail: 0, bytes: 0 }
    }

    pub fn byte(&mut self, byte: u8) {
        let at = self.bytes & 7;
        self.tail |= u64::from(byte) << (at << 3);
        self.bytes = self.bytes.wrapping_add(1);
        if at == 7 {
            let word = std::mem::take(&mut self.tail);
            self.word(word);
        }
    }

    pub fn bytes(&mut self, bytes: &[u8]) {
        for byte in bytes {
            self.byte(*byte);
        }
    }

    pub fn end(mut self) -> u64 {
        let last = self.tail | (self.bytes << 56);
        self.word(last);
        let [_, _, v2, _] = &mut self.state;
        *v2 ^= 0xff;
        for _ in 0..4 {
            self.round();
        }
        self.state.iter().fold(0, |hash, word| hash ^ word)
    }

    fn word(&mut self, word: u64) {
        let [.., v3] = &mut self.state;
        *v3 ^= word;
        self.round();
        self.round();
        let [v0, ..] = &mut self.state;
        *v0 ^= word;
    }

    const fn round(&mut self) {
        let [mut v0, mut v1, mut v2, mut v3] = self.state;
        v0 = v0.wrapping_add(v1);
        v1 = v1.rotate_left(13) ^ v0;
        v0 = v0.rotate_left(32);
        v2 = v2.wrapping_add(v3);
        v3 = v3.rotate_left(16) ^ v2;
        v0 = v0.wrapping_add(v3);
        v3 = v3.rotate_left(21) ^ v0;
        v2 = v2.wrapping_add(v1);
        v1 = v1.rotate_left(17) ^ v2;
        v2 = v2.rotate_left(32);
        self.state = [v0, v1, v2, v3];
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use std::hash::Hasher;

    /// The first and the last of the authors' vectors: the key is the bytes from 0 to 15, the text those from 0 on.
    #[test]
    fn it_is_the_authors_own() {
        let of = |length: u8| {
            let mut hash = SipHash::new([0x0706_0504_0302_0100, 0x0f0e_0d0c_0b0a_0908]);
            hash.bytes(&(0..length).collect::<Vec<_>>());
            hash.end()
        };
        assert_eq!((of(0), of(15), of(63)), (0x726f_db47_dd0e_0e31, 0xa129_ca61_49be_45e5, 0x958a_324c_eb06_4572));
    }

    proptest! {
        #[test]
        #[expect(deprecated, reason = "std's own, which is the same with 2 and 4 rounds")]
        fn it_is_what_std_says(key in any::<[u64; 2]>(), text in prop::collection::vec(any::<u8>(), 0..40)) {
            let mut hash = SipHash::new(key);
            hash.bytes(&text);
            let mut known = std::hash::SipHasher::new_with_keys(key[0], key[1]);
            known.write(&text);
            prop_assert_eq!(hash.end(), known.finish());
        }
    }
}
