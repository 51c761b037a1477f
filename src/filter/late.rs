//! Refusals that wait for the rest of their request's body, which is dropped as it comes.
//!
//! Envoy ends a stream with its answer, and then a client that sends its whole body before it reads loses the answer: the
//! connection or the stream is reset under its hands. What is dropped is held nowhere, and all of it is bounded: the bytes,
//! the silence between them, and how many wait, which are among the tenant's waiting bodies. Beyond, a refusal goes out at once.

use super::waiting::Seat;
use crate::host::http;
use crate::outcome::Reply;
use proxy_wasm::types::BufferType;
use std::cell::Cell;
use std::rc::Rc;

/// Ticks without a byte, after which nobody is sending any more: about five seconds.
const MOST_SILENT: u8 = 5;

struct Wait {
    context: u32,
    /// Until it is sent.
    reply: Cell<Option<Reply>>,
    silent: Cell<u8>,
}

/// Those of this worker.
#[derive(Default)]
pub struct Waits(Cell<Vec<Rc<Wait>>>);

impl Waits {
    pub fn begin(self: &Rc<Self>, context: u32, reply: Reply, place: Seat, most: u64) -> Late {
        let wait = Rc::new(Wait { context, reply: Cell::new(Some(reply)), silent: Cell::new(0) });
        let mut all = self.0.take();
        all.push(Rc::clone(&wait));
        self.0.set(all);
        Late { waits: Rc::clone(self), wait, left: most, _place: place }
    }

    /// A second has passed. Must be the last that is done in it: what is asked of the host afterwards would be about a stream.
    pub fn tick(&self) {
        let all = self.0.take();
        for wait in &all {
            let silent = wait.silent.get().saturating_add(1);
            wait.silent.set(silent);
            if silent > MOST_SILENT
                && let Some(reply) = wait.reply.take()
            {
                http::reply_to(wait.context, &reply);
            }
        }
        self.0.set(all);
    }

    fn end(&self, wait: &Rc<Wait>) {
        let mut all = self.0.take();
        all.retain(|known| !Rc::ptr_eq(known, wait));
        self.0.set(all);
    }
}

/// One that waits. Dropped, on whatever ending, it gives its place back.
pub struct Late {
    waits: Rc<Waits>,
    wait: Rc<Wait>,
    /// Bytes that are still dropped for its sake.
    left: u64,
    _place: Seat,
}

impl Late {
    /// So much is in Envoy's buffer. Nothing of it stays.
    pub fn drop_body(&mut self, buffered: usize, end_of_stream: bool) {
        self.wait.silent.set(0);
        if buffered > 0 {
            http::replace(BufferType::HttpRequestBody, buffered, &[]);
        }
        self.left = self.left.saturating_sub(buffered as u64);
        if end_of_stream || self.left == 0 {
            self.send();
        }
    }

    pub fn send(&self) {
        if let Some(reply) = self.wait.reply.take() {
            http::reply(&reply);
        }
    }
}

impl Drop for Late {
    fn drop(&mut self) {
        self.waits.end(&self.wait);
    }
}
