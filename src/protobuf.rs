//! Protobuf's wire format, as far as Envoy's own messages here have it. Source: protobuf.dev, Encoding.

pub enum WireValue<'a> {
    Varint(u64),
    Fixed64([u8; 8]),
    Bytes(&'a [u8]),
}

/// The next field of a message: its number and content. Wire types that no struct has are refused.
pub fn part<'a>(rest: &mut &'a [u8]) -> Option<(u64, WireValue<'a>)> {
    let tag = varint(rest)?;
    let part = match tag & 7 {
        0 => WireValue::Varint(varint(rest)?),
        1 => {
            let (eight, after) = rest.split_first_chunk::<8>()?;
            *rest = after;
            WireValue::Fixed64(*eight)
        }
        2 => {
            let length = usize::try_from(varint(rest)?).ok()?;
            let (bytes, after) = rest.split_at_checked(length)?;
            *rest = after;
            WireValue::Bytes(bytes)
        }
        _ => return None,
    };
    Some((tag >> 3, part))
}

fn varint(rest: &mut &[u8]) -> Option<u64> {
    let mut value = 0u64;
    for shift in (0..64).step_by(7) {
        let (byte, after) = rest.split_first()?;
        *rest = after;
        value |= u64::from(byte & 0x7f).checked_shl(shift)?;
        if byte & 0x80 == 0 {
            return Some(value);
        }
    }
    None
}

/// Of a field: its number and wire type, and a length of at most 28 bits.
const LONGEST_HEAD: usize = 5;

/// A field of bytes with its number and length.
pub fn field(number: u8, bytes: &[u8]) -> Vec<u8> {
    let mut out = Vec::with_capacity(bytes.len().saturating_add(LONGEST_HEAD));
    out.push(number << 3 | 2);
    let mut length = bytes.len();
    while length >= 0x80 {
        out.push(u8::try_from(length & 0x7f).unwrap_or(0) | 0x80);
        length >>= 7;
    }
    out.push(u8::try_from(length).unwrap_or(0));
    out.extend_from_slice(bytes);
    out
}
