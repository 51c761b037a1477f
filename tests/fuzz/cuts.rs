//! Where an input is cut on its way: chosen by its first bytes, so that libFuzzer chooses.

/// The first `N` bytes of an input, which say how the rest is to be used.
pub fn head<const N: usize>(input: &[u8]) -> Option<([u8; N], &[u8])> {
    let (head, rest) = input.split_first_chunk::<N>()?;
    Some((*head, rest))
}

/// `bytes` in pieces of which no two inputs have the same: most are short, some are empty.
pub fn pieces(bytes: &[u8], seed: [u8; 2]) -> Vec<&[u8]> {
    let mut state = u32::from(u16::from_le_bytes(seed)) << 8 | 0x9e;
    let (mut pieces, mut rest) = (Vec::new(), bytes);
    // The shortest pieces of one input may be much longer than those of another.
    let scale = 1 << (seed[0] & 7);
    while !rest.is_empty() {
        state ^= state << 13;
        state ^= state >> 17;
        state ^= state << 5;
        let length = (state >> 8) as usize % 9 * scale;
        let (piece, after) = rest.split_at(length.min(rest.len()));
        pieces.push(piece);
        rest = after;
    }
    pieces
}

/// All the ways in which an input is read: whole, as `pieces`, and one byte at a time if it is short enough.
pub fn chunkings(bytes: &[u8], seed: [u8; 2]) -> Vec<Vec<&[u8]>> {
    let mut chunkings = vec![vec![bytes], pieces(bytes, seed)];
    if bytes.len() <= 2_048 {
        chunkings.push(bytes.chunks(1).collect());
    }
    chunkings
}
