//! The body of every response: performs the steps of a script, and keeps the bill as it goes.

use std::io;
use std::iter::Peekable;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::task::{Context, Poll, ready};

use hyper::body::{Body, Bytes, Frame, SizeHint};
use tokio::sync::Notify;

use crate::books::Bill;
use crate::ledger::Ending;
use crate::script::{Step, Steps};

pub struct Playback {
    steps: Peekable<Steps>,
    /// Told to the client if known; chunked otherwise.
    length: Option<u64>,
    bill: Option<Bill>,
    /// Set when a break is to be a TCP RST.
    rst: Option<Arc<AtomicBool>>,
    pause: Option<Pin<Box<dyn Future<Output = ()> + Send>>>,
    /// Told when the provider lets go.
    released: Option<Arc<Notify>>,
}

impl Playback {
    pub fn new(steps: Steps, length: Option<u64>) -> Self {
        Self { steps: steps.peekable(), length, bill: None, rst: None, pause: None, released: None }
    }

    pub fn billed(self, bill: Bill) -> Self {
        Self { bill: Some(bill), ..self }
    }

    pub fn break_by(&mut self, rst: Option<Arc<AtomicBool>>) {
        self.rst = rst;
    }

    pub fn hold_until(&mut self, released: Arc<Notify>) {
        self.released = Some(released);
    }

    fn end(&mut self, ending: Ending, delivered: bool) {
        if let Some(bill) = &mut self.bill {
            bill.end(ending, delivered);
        }
    }
}

impl Body for Playback {
    type Data = Bytes;
    type Error = io::Error;

    fn poll_frame(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<io::Result<Frame<Bytes>>>> {
        loop {
            if let Some(pause) = &mut self.pause {
                ready!(pause.as_mut().poll(cx));
                self.pause = None;
            }
            match self.steps.next() {
                Some(Step::Send { bytes, tokens, sold }) => {
                    if let Some(bill) = &self.bill {
                        bill.generated(tokens);
                        bill.sold(sold);
                    }
                    // Now, not at the next poll: behind a content-length there is none, and the client that
                    // has read the last byte must find a closed entry.
                    if self.steps.peek().is_none() {
                        self.end(Ending::Complete, true);
                    }
                    return Poll::Ready(Some(Ok(Frame::data(bytes))));
                }
                // hyper flushes whenever its body has nothing for it.
                Some(Step::Flush) => {
                    cx.waker().wake_by_ref();
                    return Poll::Pending;
                }
                Some(Step::Wait(duration)) => self.pause = Some(Box::pin(tokio::time::sleep(duration))),
                Some(Step::Hold) => {
                    let released = self.released.clone().unwrap_or_default();
                    self.pause = Some(Box::pin(async move { released.notified().await }));
                }
                Some(Step::Break { delivered }) => {
                    self.end(Ending::Cut, delivered);
                    if let Some(rst) = &self.rst {
                        rst.store(true, Ordering::Relaxed);
                    }
                    return Poll::Ready(Some(Err(io::ErrorKind::ConnectionAborted.into())));
                }
                None => {
                    self.end(Ending::Complete, true);
                    return Poll::Ready(None);
                }
            }
        }
    }

    fn size_hint(&self) -> SizeHint {
        self.length.map_or_else(SizeHint::default, SizeHint::with_exact)
    }
}
