//! Base64, as RFC 4648 has it in its section 4: written whole, and read as it comes.

const ALPHABET: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

pub fn encoded(bytes: &[u8]) -> String {
    let mut out = String::with_capacity(bytes.len().div_ceil(3).saturating_mul(4));
    for three in bytes.chunks(3) {
        let byte = |at: usize| u32::from(three.get(at).copied().unwrap_or(0));
        let bits = byte(0) << 16 | byte(1) << 8 | byte(2);
        for (at, shift) in [18, 12, 6, 0].into_iter().enumerate() {
            let letter = usize::try_from(bits >> shift & 63).ok().and_then(|letter| ALPHABET.get(letter));
            let padded = at > three.len();
            out.push(if padded { '=' } else { char::from(letter.copied().unwrap_or(b'A')) });
        }
    }
    out
}

/// Reads letter by letter; what is none is passed over.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Decoder {
    bits: u32,
    count: u8,
}

impl Decoder {
    /// The byte that this letter completes.
    pub fn take(&mut self, letter: u8) -> Option<u8> {
        self.bits = self.bits << 6 | sextet(letter)?;
        self.count = self.count.wrapping_add(6);
        if self.count < 8 {
            return None;
        }
        self.count = self.count.wrapping_sub(8);
        u8::try_from(self.bits.wrapping_shr(u32::from(self.count)) & 0xff).ok()
    }
}

fn sextet(letter: u8) -> Option<u32> {
    let value = match letter {
        b'A'..=b'Z' => letter.wrapping_sub(b'A'),
        b'a'..=b'z' => letter.wrapping_sub(b'a').wrapping_add(26),
        b'0'..=b'9' => letter.wrapping_sub(b'0').wrapping_add(52),
        b'+' => 62,
        b'/' => 63,
        _ => return None,
    };
    Some(u32::from(value))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_written_is_read() {
        for (bytes, text) in [("", ""), ("f", "Zg=="), ("fo", "Zm8="), ("foo", "Zm9v"), ("foob", "Zm9vYg==")] {
            assert_eq!(encoded(bytes.as_bytes()), text);
            let mut decoder = Decoder::default();
            let read: Vec<u8> = text.bytes().filter_map(|letter| decoder.take(letter)).collect();
            assert_eq!(read, bytes.as_bytes());
        }
    }
}
