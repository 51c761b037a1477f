//! How the parts of a cell are written and read: one after another, little-endian, each of a fixed size.

/// Writes the next bytes of a cell, whose length is the sum of its parts'.
pub(super) fn put<const N: usize>(out: &mut &mut [u8], bytes: [u8; N]) {
    if let Some((place, rest)) = std::mem::take(out).split_first_chunk_mut::<N>() {
        *place = bytes;
        *out = rest;
    }
}

pub(super) fn put_all(out: &mut &mut [u8], bytes: &[u8]) {
    if let Some((place, rest)) = std::mem::take(out).split_at_mut_checked(bytes.len()) {
        place.copy_from_slice(bytes);
        *out = rest;
    }
}

/// Takes the next pieces of a cell, as they are.
pub(super) fn take_bytes<const N: usize, const SIZE: usize>(bytes: &mut &[u8]) -> Option<[[u8; SIZE]; N]> {
    let (pieces, _) = bytes.as_chunks::<SIZE>();
    let pieces = pieces.first_chunk::<N>()?;
    *bytes = bytes.get(size_of_val(pieces)..)?;
    Some(*pieces)
}

/// Takes the next numbers of a cell.
pub(super) fn take<const N: usize, const SIZE: usize, T: Copy + Default>(
    bytes: &mut &[u8],
    number: impl Fn([u8; SIZE]) -> T,
) -> Option<[T; N]> {
    let (numbers, _) = bytes.as_chunks::<SIZE>();
    let numbers = numbers.first_chunk::<N>()?;
    *bytes = bytes.get(size_of_val(numbers)..)?;
    let mut out = [T::default(); N];
    out.iter_mut().zip(numbers).for_each(|(place, bytes)| *place = number(*bytes));
    Some(out)
}

pub(super) fn take_u64(bytes: &mut &[u8]) -> Option<u64> {
    let (eight, rest) = bytes.split_first_chunk::<8>()?;
    *bytes = rest;
    Some(u64::from_le_bytes(*eight))
}
