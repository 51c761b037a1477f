//! A chain of providers, handed to Envoy: the order of the clusters for its router, the plan for the attempts.
//!
//! Trade-off: a filter may not write the metadata that the `priority_group` cluster specifier reads. So the order goes
//! into a header, from which Envoy's own `header_to_metadata` makes it, and removes it: two filters of the configuration
//! instead of a route for each chain.

use super::{filter_state, http};
use crate::attempt::Chain;

/// As the configuration's `header_to_metadata` reads it.
const ROUTE: &str = "x-nexus-route";
/// By this a route with an idle timeout is found, of all models or of one. What is no stream may keep silent for as long as a
/// model thinks.
const STREAM: &str = "x-nexus-stream";

pub fn publish(chain: &Chain) {
    http::set_request_header(ROUTE, &base64(&groups(&chain.clusters)));
    if let Some(model) = &chain.stream {
        http::set_request_header(STREAM, model);
    }
    filter_state::set_plan(&chain.plan);
}

/// A `google.protobuf.Value`: the list of `{name: <cluster>}`.
fn groups(clusters: &[String]) -> Vec<u8> {
    let mut list = Vec::new();
    for cluster in clusters {
        let text = field(3, cluster.as_bytes());
        let entry = [field(1, b"name"), field(2, &text)].concat();
        let object = field(5, &field(1, &entry));
        list.extend(field(1, &object));
    }
    field(6, &list)
}

/// A field of bytes with its number and length.
fn field(number: u8, bytes: &[u8]) -> Vec<u8> {
    let mut out = vec![number << 3 | 2];
    let mut length = bytes.len();
    while length >= 0x80 {
        out.push(u8::try_from(length & 0x7f).unwrap_or(0) | 0x80);
        length >>= 7;
    }
    out.push(u8::try_from(length).unwrap_or(0));
    out.extend_from_slice(bytes);
    out
}

const ALPHABET: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

fn base64(bytes: &[u8]) -> String {
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

#[cfg(test)]
mod tests {
    use super::*;

    /// As Python's `base64` and protobuf's own library write it.
    #[test]
    fn envoy_reads_the_order_of_the_clusters() {
        assert_eq!(
            base64(&groups(&["b".to_owned(), "c".to_owned()])),
            "MiIKDyoNCgsKBG5hbWUSAxoBYgoPKg0KCwoEbmFtZRIDGgFj"
        );
        for (bytes, text) in [("", ""), ("f", "Zg=="), ("fo", "Zm8="), ("foo", "Zm9v"), ("foob", "Zm9vYg==")] {
            assert_eq!(base64(bytes.as_bytes()), text);
        }
        let long = "x".repeat(300);
        assert_eq!(groups(std::slice::from_ref(&long)).len(), field(3, long.as_bytes()).len() + 6 + 3 + 3 + 3 + 3 + 3);
    }
}
