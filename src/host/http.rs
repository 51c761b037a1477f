//! Headers and bodies of the stream at hand, and replies in its place.
//!
//! Every header that the filter writes goes through here, and only with a value that stays in its place.

use super::lines;
use super::pairs::{headers, set_headers};
use crate::forward::{HeadEdit, answers};
use crate::headers::{Headers, LONGEST_VALUE, is_value};
use crate::outcome::Reply;
use log::Level;
use proxy_wasm::hostcalls;
use proxy_wasm::types::{BufferType, Bytes, MapType, Status};

pub fn request_headers() -> Headers {
    headers(MapType::HttpRequestHeaders)
}

pub fn response_headers() -> Headers {
    headers(MapType::HttpResponseHeaders)
}

pub fn set_request_header(name: &str, value: &str) {
    if !is_value(value.as_bytes()) {
        return unfit(name);
    }
    let set = hostcalls::set_map_value(MapType::HttpRequestHeaders, name, Some(value));
    warn_if_refused("set a request header", set);
}

pub fn remove_request_header(name: &str) {
    warn_if_refused("remove a request header", hostcalls::remove_map_value(MapType::HttpRequestHeaders, name));
}

/// Envoy's header maps have no call for several at once that leaves the others alone; an honest head needs none.
pub fn cut(cut: &HeadEdit) {
    for name in &cut.remove {
        remove_request_header(name);
    }
    for (name, value) in &cut.set {
        set_request_header(name, value);
    }
}

/// No provider has a use for them. Whether Envoy's `decompressor` left its own there.
pub fn drop_request_trailers() -> bool {
    let mut inflated = false;
    for (name, _) in headers(MapType::HttpRequestTrailers).iter() {
        inflated |= name.starts_with(b"x-envoy-decompressor-");
        let dropped = hostcalls::remove_map_value(MapType::HttpRequestTrailers, &String::from_utf8_lossy(name));
        warn_if_refused("remove a request trailer", dropped);
    }
    inflated
}

pub fn remove_response_header(name: &str) {
    warn_if_refused("remove a response header", hostcalls::remove_map_value(MapType::HttpResponseHeaders, name));
}

/// Whatever headers of that name the answer had when it was read are replaced.
pub fn set_response_header(answer: &Headers, name: &'static str, value: &str) {
    if may_answer(value) {
        put(answer, name, value);
    } else {
        unfit(name);
    }
}

/// The first header that Envoy has to look for costs it an index of all of them, so a new one is only added.
fn put(answer: &Headers, name: &'static str, value: &str) {
    let set = match answer.get(name) {
        Some(_) => hostcalls::set_map_value(MapType::HttpResponseHeaders, name, Some(value)),
        None => hostcalls::add_map_value(MapType::HttpResponseHeaders, name, value),
    };
    warn_if_refused("set a response header", set);
}

/// What becomes of an answer's head: of one that has nothing to hide from the client, each header by itself; any other is written
/// anew as a whole, for it costs one call.
#[inline(never)]
pub fn pass_answer(
    answer: &Headers,
    mut set: Vec<(&'static str, String)>,
    remove: &[&'static str],
    allowed: Option<&[String]>,
) {
    set.retain(fits);
    if let Some(head) = allowed.and_then(|allowed| answers::sifted(answer, allowed, &set, remove)) {
        return warn_if_refused("write an answer's head", set_headers(MapType::HttpResponseHeaders, &head));
    }
    for (name, value) in &set {
        put(answer, name, value);
    }
    for name in remove {
        remove_response_header(name);
    }
}

/// No client has a use for them, and a provider could say there what it may not in its head.
pub fn drop_response_trailers() {
    for (name, _) in headers(MapType::HttpResponseTrailers).iter() {
        let dropped = hostcalls::remove_map_value(MapType::HttpResponseTrailers, &String::from_utf8_lossy(name));
        warn_if_refused("remove a response trailer", dropped);
    }
}

/// Envoy doesn't correct the length of an edited body: a wrong one would smuggle the rest into the next request.
pub fn correct_content_length(length: u64) {
    const NAME: &str = "content-length";
    match hostcalls::get_map_value_bytes(MapType::HttpRequestHeaders, NAME) {
        Ok(Some(_)) => {
            let length = length.to_string();
            let set = hostcalls::set_map_value(MapType::HttpRequestHeaders, NAME, Some(&length));
            warn_if_refused("correct the content-length", set);
        }
        // Chunked, or HTTP/2 without one: the framing tells the length.
        Ok(None) => {}
        Err(status) => refused("show the content-length", status),
    }
}

pub fn body(buffer: BufferType, from: usize, size: usize) -> Bytes {
    hostcalls::get_buffer(buffer, from, size).ok().flatten().unwrap_or_default()
}

/// Replaces the first `size` bytes of the buffer.
pub fn replace(buffer: BufferType, size: usize, bytes: &[u8]) {
    warn_if_refused("edit a body", hostcalls::set_buffer(buffer, 0, size, bytes));
}

pub fn append(buffer: BufferType, bytes: &[u8]) {
    warn_if_refused("append to a body", hostcalls::set_buffer(buffer, usize::MAX >> 1, 0, bytes));
}

/// Ends the answer at hand where it is, for the client and for whoever sends it.
pub fn reset_answer() {
    warn_if_refused("end an answer", hostcalls::reset_http_response());
}

pub fn reply(reply: &Reply) {
    send(reply.status, &reply.headers, &reply.body);
}

pub fn send(status: u32, headers: &[(&'static str, String)], body: &[u8]) {
    let headers = headers.iter().filter(|header| fits(header)).map(|(name, value)| (*name, value.as_str())).collect();
    warn_if_refused("reply", hostcalls::send_http_response(status, headers, Some(body)));
}

/// To another stream than the one whose turn it is, until this callback ends.
pub fn reply_to(context: u32, refusal: &Reply) {
    // The stream may have gone.
    if hostcalls::set_effective_context(context).is_ok() {
        reply(refusal);
    }
}

fn fits((name, value): &(&'static str, String)) -> bool {
    let fits = may_answer(value);
    if !fits {
        unfit(name);
    }
    fits
}

fn may_answer(value: &str) -> bool {
    value.len() <= LONGEST_VALUE && is_value(value.as_bytes())
}

/// The message goes on without the header: what reads it must not take another's words for ours.
fn unfit(name: &str) {
    lines::say(
        Level::Error,
        "header_left_out",
        format_args!("the value for the header `{name}` has a control character, or is too long. Please report this"),
    );
}

fn warn_if_refused(what: &'static str, result: Result<(), Status>) {
    if let Err(status) = result {
        refused(what, status);
    }
}

fn refused(what: &'static str, status: Status) {
    lines::say(
        Level::Warn,
        what,
        format_args!(
            "Envoy refused this ({status:?}); the plugin's `allow_on_headers_stop_iteration: true` may be missing"
        ),
    );
}
