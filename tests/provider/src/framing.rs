//! What stands around the events of a stream.

use crate::event::{Data, Event};
use crate::eventstream;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Framing {
    Sse,
    /// One object a line.
    Lines,
    /// One JSON array, an element at a time.
    Array,
    /// AWS' binary frames.
    EventStream,
}

impl Framing {
    pub fn content_type(self) -> &'static str {
        match self {
            Framing::Sse => "text/event-stream; charset=utf-8",
            Framing::Lines => "application/x-ndjson",
            Framing::Array => "application/json; charset=UTF-8",
            Framing::EventStream => "application/vnd.amazon.eventstream",
        }
    }

    /// The bytes of the `nth` event; `end` ends its lines.
    pub fn around(self, event: Event, nth: u64, end: &str) -> Data {
        match self {
            Framing::Sse => {
                let name = event.name.map(|name| format!("event: {name}{end}")).unwrap_or_default();
                event.data.between(format!("{name}data: ").as_bytes(), end.repeat(2).as_bytes())
            }
            Framing::Lines => event.data.between(b"", end.as_bytes()),
            Framing::Array => event.data.between(if nth == 0 { b"[" } else { b"\n,\r\n" }, b""),
            Framing::EventStream => Data::from(eventstream::of_event(event)),
        }
    }

    /// What may stand before an event and means nothing.
    pub fn comment(self, end: &str) -> Option<String> {
        (self == Framing::Sse).then(|| format!(": keep-alive{end}{end}"))
    }

    /// The end of a stream of so many events.
    pub fn close(self, events: u64) -> &'static [u8] {
        match self {
            Framing::Array if events == 0 => b"[]",
            Framing::Array => b"\n]\n",
            _ => b"",
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_framing_is_its_own() {
        let of = |framing: Framing, events: [Event; 2]| {
            let framed = (0..).zip(events).flat_map(|(nth, event)| framing.around(event, nth, "\n").whole());
            let bytes: Vec<u8> = framed.chain(framing.close(2).iter().copied()).collect();
            String::from_utf8_lossy(&bytes).into_owned()
        };
        let events = || [Event::plain("{}"), Event::typed("ping", &serde_json::json!({}))];
        let sse = "data: {}\n\nevent: ping\ndata: {\"type\":\"ping\"}\n\n";
        assert_eq!(of(Framing::Sse, events()), sse);
        assert_eq!(of(Framing::Lines, events()), "{}\n{\"type\":\"ping\"}\n");
        let array: Vec<serde_json::Value> = serde_json::from_str(&of(Framing::Array, events())).expect("an array");
        assert_eq!(array.len(), 2);
        assert_eq!(Framing::Array.close(0), b"[]");
    }
}
