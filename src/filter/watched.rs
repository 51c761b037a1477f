//! What the filter itself costs: of some streams, how long its callbacks took together.
//!
//! Trade-off: looking at the clock twice a callback is a cost of its own, so one stream in [`super::plugin::ONE_IN`] is watched, and
//! the others know nothing of it. Envoy's part (making a context, crossing over) is not seen from in here.

use super::downstream::Downstream;
use super::plugin::Plugin;
use crate::host::clock;
use proxy_wasm::traits::{Context, HttpContext};
use proxy_wasm::types::Action;
use std::rc::Rc;

pub struct Watched {
    plugin: Rc<Plugin>,
    stream: Downstream,
    nanoseconds: u64,
}

impl Watched {
    pub fn new(plugin: Rc<Plugin>, id: u32) -> Self {
        Self { stream: Downstream::new(Rc::clone(&plugin), id), plugin, nanoseconds: 0 }
    }

    fn timed<T>(&mut self, callback: impl FnOnce(&mut Downstream) -> T) -> T {
        let began = clock::now();
        let done = callback(&mut self.stream);
        self.nanoseconds = self.nanoseconds.saturating_add(clock::now().since(began));
        done
    }
}

impl Context for Watched {
    fn on_http_call_response(&mut self, call: u32, headers: usize, size: usize, trailers: usize) {
        self.stream.on_http_call_response(call, headers, size, trailers);
    }
}

impl HttpContext for Watched {
    fn on_http_request_headers(&mut self, count: usize, end_of_stream: bool) -> Action {
        self.timed(|stream| stream.on_http_request_headers(count, end_of_stream))
    }

    fn on_http_request_body(&mut self, buffered: usize, end_of_stream: bool) -> Action {
        self.timed(|stream| stream.on_http_request_body(buffered, end_of_stream))
    }

    fn on_http_request_trailers(&mut self, count: usize) -> Action {
        self.timed(|stream| stream.on_http_request_trailers(count))
    }

    fn on_http_response_headers(&mut self, count: usize, end_of_stream: bool) -> Action {
        self.timed(|stream| stream.on_http_response_headers(count, end_of_stream))
    }

    fn on_http_response_body(&mut self, size: usize, end_of_stream: bool) -> Action {
        self.timed(|stream| stream.on_http_response_body(size, end_of_stream))
    }

    fn on_http_response_trailers(&mut self, count: usize) -> Action {
        self.timed(|stream| stream.on_http_response_trailers(count))
    }

    fn on_log(&mut self) {
        let is_an_exchange = self.stream.has_exchange();
        self.timed(Downstream::on_log);
        if is_an_exchange {
            self.plugin.stats.filter_time(self.nanoseconds / 1_000);
        }
    }
}
