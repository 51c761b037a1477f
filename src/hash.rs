//! Hashes that are the same in every worker and process, for what nobody gains by colliding.

/// FNV-1a.
pub fn fnv(bytes: impl IntoIterator<Item = u8>) -> u64 {
    fnv_on(FNV, bytes)
}

/// Of no bytes.
pub const FNV: u64 = 0xcbf2_9ce4_8422_2325;

/// Goes on where a piece has ended.
pub fn fnv_on(hash: u64, bytes: impl IntoIterator<Item = u8>) -> u64 {
    bytes.into_iter().fold(hash, |hash, byte| (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3))
}

/// The last steps of MurmurHash3: by itself, FNV leaves texts alike that differ at their ends.
pub const fn mixed(hash: u64) -> u64 {
    let hash = (hash ^ (hash >> 33)).wrapping_mul(0xff51_afd7_ed55_8ccd);
    let hash = (hash ^ (hash >> 33)).wrapping_mul(0xc4ce_b9fe_1a85_ec53);
    hash ^ (hash >> 33)
}
