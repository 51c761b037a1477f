//! A chain of providers, handed to Envoy: the order of the clusters for its router, the plan for the attempts.
//!
//! A filter may not write the metadata that the `priority_group` cluster specifier reads. So the order goes
//! into a header, from which Envoy's own `header_to_metadata` makes it, and removes it: two filters of the configuration
//! instead of a route for each chain.

use super::{filter_state, http};
use crate::attempt::Chain;
use crate::base64;
use crate::protobuf::field;

/// As the configuration's `header_to_metadata` reads it.
const ROUTE: &str = "x-nexus-route";
/// By this a route with an idle timeout is found, of all models or of one. What is no stream may keep silent for as long as a
/// model thinks.
const STREAM: &str = "x-nexus-stream";

pub fn publish(chain: &Chain) {
    http::set_request_header(ROUTE, &base64::encoded(&groups(&chain.clusters)));
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

#[cfg(test)]
mod tests {
    use super::*;

    /// As Python's `base64` and protobuf's own library write it.
    #[test]
    fn envoy_reads_the_order_of_the_clusters() {
        assert_eq!(
            base64::encoded(&groups(&["b".to_owned(), "c".to_owned()])),
            "MiIKDyoNCgsKBG5hbWUSAxoBYgoPKg0KCwoEbmFtZRIDGgFj"
        );
        let long = "x".repeat(300);
        assert_eq!(groups(std::slice::from_ref(&long)).len(), field(3, long.as_bytes()).len() + 6 + 3 + 3 + 3 + 3 + 3);
    }
}
