//! Keccak-256 with the padding of the competition, which Ethereum kept: SHA3-256 (FIPS 202) differs in one byte of it.

/// Bytes of a message that go into each permutation.
const RATE: usize = 136;

#[rustfmt::skip]
const ROUNDS: [u64; 24] = [
    0x0000_0000_0000_0001, 0x0000_0000_0000_8082, 0x8000_0000_0000_808a, 0x8000_0000_8000_8000,
    0x0000_0000_0000_808b, 0x0000_0000_8000_0001, 0x8000_0000_8000_8081, 0x8000_0000_0000_8009,
    0x0000_0000_0000_008a, 0x0000_0000_0000_0088, 0x0000_0000_8000_8009, 0x0000_0000_8000_000a,
    0x0000_0000_8000_808b, 0x8000_0000_0000_008b, 0x8000_0000_0000_8089, 0x8000_0000_0000_8003,
    0x8000_0000_0000_8002, 0x8000_0000_0000_0080, 0x0000_0000_0000_800a, 0x8000_0000_8000_000a,
    0x8000_0000_8000_8081, 0x8000_0000_0000_8080, 0x0000_0000_8000_0001, 0x8000_0000_8000_8008,
];

/// Five rows of five lanes.
type State = [[u64; 5]; 5];

pub fn keccak256(message: &[u8]) -> [u8; 32] {
    let mut state = State::default();
    let (blocks, rest) = message.as_chunks::<RATE>();
    for block in blocks {
        absorb(&mut state, block);
    }
    let mut block = [0; RATE];
    for (byte, from) in block.iter_mut().zip(rest.iter().chain(&[0x01])) {
        *byte = *from;
    }
    block[RATE - 1] |= 0x80;
    absorb(&mut state, &block);
    let mut digest = [0; 32];
    for (byte, from) in digest.iter_mut().zip(state.iter().flatten().flat_map(|lane| lane.to_le_bytes())) {
        *byte = from;
    }
    digest
}

fn absorb(state: &mut State, block: &[u8; RATE]) {
    for (lane, eight) in state.iter_mut().flatten().zip(block.as_chunks::<8>().0) {
        *lane ^= u64::from_le_bytes(*eight);
    }
    for round in ROUNDS {
        theta(state);
        rho_and_pi(state);
        for row in state.iter_mut() {
            let [a, b, c, d, e] = *row;
            *row = [a ^ (!b & c), b ^ (!c & d), c ^ (!d & e), d ^ (!e & a), e ^ (!a & b)];
        }
        state[0][0] ^= round;
    }
}

fn theta(state: &mut State) {
    let mut parity = [0; 5];
    for row in state.iter() {
        for (parity, lane) in parity.iter_mut().zip(row) {
            *parity ^= lane;
        }
    }
    let [a, b, c, d, e] = parity;
    let mixed = [(e, b), (a, c), (b, d), (c, e), (d, a)].map(|(left, right): (u64, u64)| left ^ right.rotate_left(1));
    for row in state.iter_mut() {
        for (lane, mixed) in row.iter_mut().zip(mixed) {
            *lane ^= mixed;
        }
    }
}

/// Every lane but the first goes on to another place, turned a bit farther than the one before it.
fn rho_and_pi(state: &mut State) {
    let (mut x, mut y, mut turn) = (1_usize, 0_usize, 0_u32);
    let mut carried = state[0][1];
    for step in 1_u32..=24 {
        turn = turn.wrapping_add(step) % 64;
        (x, y) = (y, x.wrapping_mul(2).wrapping_add(y.wrapping_mul(3)) % 5);
        if let Some(lane) = state.get_mut(y).and_then(|row| row.get_mut(x)) {
            carried = core::mem::replace(lane, carried.rotate_left(turn));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use tiny_keccak::Hasher as _;

    fn hex(bytes: &[u8]) -> String {
        bytes.iter().map(|byte| format!("{byte:02x}")).collect()
    }

    #[test]
    fn the_vectors_of_its_authors_hold() {
        for (message, expected) in [
            ("", "c5d2460186f7233c927e7db2dcc703c0e500b653ca82273b7bfad8045d85a470"),
            ("abc", "4e03657aea45a94fc7d47ba826c8d667c0d1e6e33a64a036ec44f58fa12d6c45"),
            (
                "The quick brown fox jumps over the lazy dog",
                "4d741b6f1eb29cb2a9b9911c82f56fa8d73b04959d3d9d222895df6c0b28aa15",
            ),
        ] {
            assert_eq!(hex(&keccak256(message.as_bytes())), expected, "{message}");
        }
    }

    proptest! {
        #[test]
        fn it_is_what_others_compute(message in prop::collection::vec(any::<u8>(), 0..600)) {
            let mut theirs = [0; 32];
            let mut hasher = tiny_keccak::Keccak::v256();
            hasher.update(&message);
            hasher.finalize(&mut theirs);
            prop_assert_eq!(keccak256(&message), theirs);
        }
    }
}
