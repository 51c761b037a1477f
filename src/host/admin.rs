//! Questions to Envoy's own admin, through a cluster of the configuration that leads there.

use super::lines;
use log::Level;
use proxy_wasm::hostcalls;
use proxy_wasm::types::{BufferType, MapType};
use std::time::Duration;

/// An admin that takes longer is as good as gone.
const PATIENCE: Duration = Duration::from_millis(900);

/// The call's number; `None` if the cluster is missing.
pub fn ask(cluster: &str, path: &str) -> Option<u32> {
    let headers = vec![(":method", "GET"), (":path", path), (":authority", "admin")];
    match hostcalls::dispatch_http_call(cluster, headers, None, Vec::new(), PATIENCE) {
        Ok(call) => Some(call),
        Err(status) => {
            lines::say(
                Level::Warn,
                "status_cluster",
                format_args!(
                    "Envoy's admin can't be asked through the cluster `{cluster}` ({status:?}): health, metrics and the order of \
                     chains go without. Give this Envoy that cluster, or take `status` out of the plugin's configuration"
                ),
            );
            None
        }
    }
}

/// In `on_http_call_response`: the answer, if it is one, and no larger than `most`.
pub fn answer(headers: usize, size: usize, most: usize) -> Option<Vec<u8>> {
    // A call that broke off has no headers, and the SDK panics on whoever looks for them.
    if headers == 0 {
        return None;
    }
    let status = hostcalls::get_map_value_bytes(MapType::HttpCallResponseHeaders, ":status").ok().flatten()?;
    if status != b"200" || size > most {
        return None;
    }
    hostcalls::get_buffer(BufferType::HttpCallResponseBody, 0, size).ok().flatten()
}
