//! Digests: what addresses of cryptocurrencies are checked by, what placeholders are numbered by, and what answers are compared by.

mod keccak;
mod sha256;
mod siphash;

pub use keccak::keccak256;
pub use sha256::sha256;
pub use siphash::SipHash;

/// A digest that only who has the key can make: RFC 2104, over SHA-256. Each part is taken with its length, so that no two lists of
/// parts are the same message.
pub fn hmac(key: &[u8], parts: &[&[u8]]) -> [u8; 32] {
    let mut block = [0_u8; 64];
    let short;
    let key = if key.len() > block.len() {
        short = sha256(key);
        short.as_slice()
    } else {
        key
    };
    for (byte, from) in block.iter_mut().zip(key) {
        *byte = *from;
    }
    let mut inner: Vec<u8> = block.iter().map(|byte| byte ^ 0x36).collect();
    for part in parts {
        inner.extend_from_slice(&(part.len() as u64).to_be_bytes());
        inner.extend_from_slice(part);
    }
    let mut outer: Vec<u8> = block.iter().map(|byte| byte ^ 0x5c).collect();
    outer.extend_from_slice(&sha256(&inner));
    sha256(&outer)
}
