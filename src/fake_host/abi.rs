//! Both sides of the Proxy-Wasm ABI: the SDK's imports, defined here, and its exports, declared here.
//!
//! The SDK's imports are plain `extern "C"`, so that a test binary that defines them runs the unmodified SDK.
#![expect(unsafe_code, reason = "the ABI speaks in raw pointers; nothing else of the test host does")]

use super::allocations::Phase;
use super::{Call, Host, with};
use proxy_wasm::types::{Action, BufferType, LogLevel, MapType, MetricType, Status};
use std::ptr::null_mut;

unsafe extern "C" {
    pub safe fn proxy_on_context_create(context: u32, root: u32);
    pub safe fn proxy_on_configure(root: u32, size: usize) -> bool;
    pub safe fn proxy_on_tick(root: u32);
    pub safe fn proxy_on_request_headers(context: u32, count: usize, end: bool) -> Action;
    pub safe fn proxy_on_request_body(context: u32, size: usize, end: bool) -> Action;
    pub safe fn proxy_on_request_trailers(context: u32, count: usize) -> Action;
    pub safe fn proxy_on_response_headers(context: u32, count: usize, end: bool) -> Action;
    pub safe fn proxy_on_response_body(context: u32, size: usize, end: bool) -> Action;
    pub safe fn proxy_on_response_trailers(context: u32, count: usize) -> Action;
    pub safe fn proxy_on_http_call_response(context: u32, call: u32, headers: usize, size: usize, trailers: usize);
    pub safe fn proxy_on_log(context: u32);
    pub safe fn proxy_on_done(context: u32) -> bool;
    pub safe fn proxy_on_delete(context: u32);
}

/// Counts the call and answers it, unless the test wants it to fail.
fn answer<T>(call: Call, work: impl FnOnce(&mut Host) -> Result<T, Status>) -> Result<T, Status> {
    let _host = Phase::of_the_host();
    with(|host| {
        *host.calls.entry(call).or_default() += 1;
        match host.failing.get(&call) {
            Some(status) => Err(*status),
            None => work(host),
        }
    })
}

fn status(result: Result<(), Status>) -> Status {
    result.err().unwrap_or(Status::Ok)
}

/// # Safety
/// `size` bytes must stand at `data`, unless there are none.
unsafe fn bytes(data: *const u8, size: usize) -> Vec<u8> {
    let _host = Phase::of_the_host();
    if size == 0 { Vec::new() } else { unsafe { std::slice::from_raw_parts(data, size) }.to_vec() }
}

/// # Safety
/// As for [`bytes`].
unsafe fn text(data: *const u8, size: usize) -> String {
    String::from_utf8(unsafe { bytes(data, size) }).expect("the SDK sends UTF-8 here")
}

/// The SDK frees what it gets as a `Vec` whose capacity is its length. No bytes are a null pointer, as in Envoy.
///
/// # Safety
/// Both pointers must be valid for a write.
unsafe fn hand_over(answer: Result<Vec<u8>, Status>, data: *mut *mut u8, size: *mut usize) -> Status {
    let _host = Phase::of_the_host();
    let bytes = match answer {
        Ok(bytes) => bytes.into_boxed_slice(),
        Err(status) => return status,
    };
    unsafe {
        *size = bytes.len();
        *data = if bytes.is_empty() { null_mut() } else { Box::into_raw(bytes).cast() };
    }
    Status::Ok
}

#[unsafe(no_mangle)]
unsafe extern "C" fn proxy_log(level: LogLevel, data: *const u8, size: usize) -> Status {
    let line = unsafe { text(data, size) };
    status(answer(Call::Log, |host| {
        host.log.push((level, line));
        Ok(())
    }))
}

#[unsafe(no_mangle)]
unsafe extern "C" fn proxy_get_current_time_nanoseconds(time: *mut u64) -> Status {
    match answer(Call::CurrentTime, |host| {
        host.clock.0 += host.look_takes;
        Ok(host.clock.0)
    }) {
        Ok(now) => {
            unsafe { *time = now };
            Status::Ok
        }
        Err(status) => status,
    }
}

#[unsafe(no_mangle)]
extern "C" fn proxy_set_tick_period_milliseconds(period: u32) -> Status {
    status(answer(Call::SetTickPeriod, |host| {
        host.tick_milliseconds = Some(period);
        Ok(())
    }))
}

#[unsafe(no_mangle)]
unsafe extern "C" fn proxy_get_buffer_bytes(
    buffer: BufferType,
    start: usize,
    length: usize,
    data: *mut *mut u8,
    size: *mut usize,
) -> Status {
    let found = answer(Call::GetBuffer, |host| host.buffer(buffer, start, length));
    unsafe { hand_over(found, data, size) }
}

#[unsafe(no_mangle)]
unsafe extern "C" fn proxy_set_buffer_bytes(
    buffer: BufferType,
    start: usize,
    length: usize,
    data: *const u8,
    size: usize,
) -> Status {
    let new = unsafe { bytes(data, size) };
    status(answer(Call::SetBuffer, |host| host.set_buffer(buffer, start, length, new)))
}

#[unsafe(no_mangle)]
unsafe extern "C" fn proxy_get_header_map_pairs(map: MapType, data: *mut *mut u8, size: *mut usize) -> Status {
    let found = answer(Call::HeaderPairs, |host| host.headers(map).map(|headers| crate::headers::written(&headers)));
    unsafe { hand_over(found, data, size) }
}

#[unsafe(no_mangle)]
unsafe extern "C" fn proxy_get_header_map_value(
    map: MapType,
    name: *const u8,
    name_size: usize,
    data: *mut *mut u8,
    size: *mut usize,
) -> Status {
    let name = unsafe { text(name, name_size) };
    let found = answer(Call::HeaderValue, |host| {
        let headers = host.headers(map)?;
        headers.into_iter().find(|(known, _)| *known == name).map(|(_, value)| value).ok_or(Status::NotFound)
    });
    unsafe { hand_over(found, data, size) }
}

#[unsafe(no_mangle)]
unsafe extern "C" fn proxy_replace_header_map_value(
    map: MapType,
    name: *const u8,
    name_size: usize,
    value: *const u8,
    value_size: usize,
) -> Status {
    let (name, value) = unsafe { (text(name, name_size), bytes(value, value_size)) };
    status(answer(Call::ReplaceHeader, |host| {
        host.remove_header(map, &name)?;
        host.add_header(map, &name, value)
    }))
}

#[unsafe(no_mangle)]
unsafe extern "C" fn proxy_add_header_map_value(
    map: MapType,
    name: *const u8,
    name_size: usize,
    value: *const u8,
    value_size: usize,
) -> Status {
    let (name, value) = unsafe { (text(name, name_size), bytes(value, value_size)) };
    status(answer(Call::AddHeader, |host| host.add_header(map, &name, value)))
}

#[unsafe(no_mangle)]
unsafe extern "C" fn proxy_remove_header_map_value(map: MapType, name: *const u8, name_size: usize) -> Status {
    let name = unsafe { text(name, name_size) };
    status(answer(Call::RemoveHeader, |host| host.remove_header(map, &name)))
}

#[unsafe(no_mangle)]
unsafe extern "C" fn proxy_set_header_map_pairs(map: MapType, data: *const u8, size: usize) -> Status {
    let headers = super::deserialized(unsafe { bytes(data, size) });
    status(answer(Call::SetHeaderPairs, |host| host.set_headers(map, headers)))
}

#[unsafe(no_mangle)]
unsafe extern "C" fn proxy_get_property(
    path: *const u8,
    path_size: usize,
    data: *mut *mut u8,
    size: *mut usize,
) -> Status {
    let path = unsafe { text(path, path_size) }.replace('\0', ".");
    let found = answer(Call::GetProperty, |host| {
        let stream = host.stream().ok_or(Status::NotFound)?;
        // What a filter sets, all filters of the stream find under `wasm.`.
        let state = path.strip_prefix("filter_state.wasm.").and_then(|name| stream.filter_state.get(name)?.last());
        state.or_else(|| stream.attributes.get(&path)).cloned().ok_or(Status::NotFound)
    });
    unsafe { hand_over(found, data, size) }
}

#[unsafe(no_mangle)]
unsafe extern "C" fn proxy_set_property(
    path: *const u8,
    path_size: usize,
    value: *const u8,
    value_size: usize,
) -> Status {
    let (path, value) = unsafe { (text(path, path_size), bytes(value, value_size)) };
    status(answer(Call::SetProperty, |host| {
        let stream = host.stream().ok_or(Status::NotFound)?;
        stream.filter_state.entry(path.replace('\0', ".")).or_default().push(value);
        Ok(())
    }))
}

#[unsafe(no_mangle)]
unsafe extern "C" fn proxy_get_shared_data(
    key: *const u8,
    key_size: usize,
    data: *mut *mut u8,
    size: *mut usize,
    cas: *mut u32,
) -> Status {
    let key = unsafe { text(key, key_size) };
    let found = answer(Call::GetSharedData, |host| host.shared.get(&key).cloned().ok_or(Status::NotFound));
    let found = found.map(|(value, number)| {
        unsafe { *cas = number };
        value
    });
    unsafe { hand_over(found, data, size) }
}

#[unsafe(no_mangle)]
unsafe extern "C" fn proxy_set_shared_data(
    key: *const u8,
    key_size: usize,
    value: *const u8,
    value_size: usize,
    cas: u32,
) -> Status {
    let (key, value) = unsafe { (text(key, key_size), bytes(value, value_size)) };
    status(answer(Call::SetSharedData, |host| {
        host.let_a_rival_write(&key);
        host.set_shared(key, value, cas)
    }))
}

#[unsafe(no_mangle)]
unsafe extern "C" fn proxy_define_metric(kind: MetricType, name: *const u8, size: usize, id: *mut u32) -> Status {
    let name = unsafe { text(name, size) };
    match answer(Call::DefineMetric, |host| Ok(host.define_metric(kind, name))) {
        Ok(new) => {
            unsafe { *id = new };
            Status::Ok
        }
        Err(status) => status,
    }
}

#[unsafe(no_mangle)]
extern "C" fn proxy_increment_metric(id: u32, offset: i64) -> Status {
    status(answer(Call::IncrementMetric, |host| host.increment_metric(id, offset)))
}

#[unsafe(no_mangle)]
extern "C" fn proxy_record_metric(id: u32, value: u64) -> Status {
    status(answer(Call::RecordMetric, |host| host.record_metric(id, value)))
}

#[unsafe(no_mangle)]
unsafe extern "C" fn proxy_send_local_response(
    code: u32,
    _details: *const u8,
    _details_size: usize,
    body: *const u8,
    body_size: usize,
    headers: *const u8,
    headers_size: usize,
    _grpc_status: i32,
) -> Status {
    let (body, headers) = unsafe { (bytes(body, body_size), bytes(headers, headers_size)) };
    status(answer(Call::SendLocalResponse, |host| host.reply(code, super::deserialized(headers), body)))
}

#[unsafe(no_mangle)]
unsafe extern "C" fn proxy_http_call(
    cluster: *const u8,
    cluster_size: usize,
    headers: *const u8,
    headers_size: usize,
    _body: *const u8,
    _body_size: usize,
    _trailers: *const u8,
    _trailers_size: usize,
    milliseconds: u32,
    call: *mut u32,
) -> Status {
    let (cluster, headers) = unsafe { (text(cluster, cluster_size), bytes(headers, headers_size)) };
    let asked = answer(Call::AskCluster, |host| Ok(host.ask(cluster, &super::deserialized(headers), milliseconds)));
    status(asked.map(|number| unsafe { *call = number }))
}

#[unsafe(no_mangle)]
extern "C" fn proxy_close_stream(_kind: u32) -> Status {
    status(answer(Call::CloseStream, Host::close))
}

/// Until the callback ends. The SDK sets it before each answer to a call, where it is that context's turn already.
#[unsafe(no_mangle)]
extern "C" fn proxy_set_effective_context(context: u32) -> Status {
    with(|host| {
        if host.active != context && !host.streams.contains_key(&context) {
            return Status::BadArgument;
        }
        host.active = context;
        Status::Ok
    })
}

/// Host calls that the product has no use for. The SDK names them, so that they must be there to link.
macro_rules! unused {
    ($($name:ident)*) => { $(
        #[unsafe(no_mangle)]
        extern "C" fn $name() -> ! {
            panic!(concat!(stringify!($name), " is not part of the test host"))
        }
    )* };
}

unused! {
    proxy_get_log_level
    proxy_register_shared_queue proxy_resolve_shared_queue proxy_dequeue_shared_queue proxy_enqueue_shared_queue
    proxy_continue_stream proxy_grpc_call proxy_grpc_stream proxy_grpc_send
    proxy_grpc_cancel proxy_grpc_close proxy_get_status proxy_call_foreign_function
    proxy_done proxy_get_metric
}
