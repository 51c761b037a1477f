//! AWS' binary event stream: a prelude of two lengths and its CRC, headers, a payload, and a CRC over all of it.

use crate::event::Event;

const JSON: &str = "application/json";
/// The type of a header's value that is a string.
const STRING: u8 = 7;
/// Both lengths, the prelude's CRC, and the one at the end.
const AROUND: usize = 4 + 4 + 4 + 4;

/// The event as Bedrock sends it.
pub fn of_event(event: Event) -> Vec<u8> {
    let name = event.name.unwrap_or_default();
    let (kind, named) = if event.fault { ("exception", ":exception-type") } else { ("event", ":event-type") };
    message(&[(named, name), (":content-type", JSON), (":message-type", kind)], &event.data.whole())
}

/// One message with these headers, all of them strings.
pub fn message(headers: &[(&str, &str)], payload: &[u8]) -> Vec<u8> {
    let mut head = Vec::new();
    for (name, value) in headers {
        head.push(u8::try_from(name.len()).unwrap_or(u8::MAX));
        head.extend_from_slice(name.as_bytes());
        head.push(STRING);
        head.extend_from_slice(&u16::try_from(value.len()).unwrap_or(u16::MAX).to_be_bytes());
        head.extend_from_slice(value.as_bytes());
    }
    let length = |bytes: usize| u32::try_from(bytes).unwrap_or(u32::MAX).to_be_bytes();
    let mut message = Vec::with_capacity(AROUND + head.len() + payload.len());
    message.extend_from_slice(&length(AROUND + head.len() + payload.len()));
    message.extend_from_slice(&length(head.len()));
    let crc = crc32fast::hash(&message);
    message.extend_from_slice(&crc.to_be_bytes());
    message.extend_from_slice(&head);
    message.extend_from_slice(payload);
    let crc = crc32fast::hash(&message);
    message.extend_from_slice(&crc.to_be_bytes());
    message
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The smallest message there is, as AWS publishes it for those who write decoders.
    #[test]
    fn an_empty_message_is_that_of_the_specification() {
        let expected = [0, 0, 0, 0x10, 0, 0, 0, 0, 0x05, 0xc2, 0x48, 0xeb, 0x7d, 0x98, 0xc8, 0xff];
        assert_eq!(message(&[], b""), expected);
    }

    #[test]
    fn an_event_is_framed_with_its_headers() {
        let frame = of_event(Event::plain("{}").named("messageStop"));
        let length = u32::from_be_bytes(frame[..4].try_into().expect("four bytes")) as usize;
        assert_eq!(length, frame.len());
        let head = &frame[12..frame.len() - 6];
        assert_eq!(head[0] as usize, ":event-type".len());
        assert_eq!(&head[1..12], b":event-type");
        assert_eq!(&head[12..15], &[7, 0, 11]);
        assert_eq!(&head[15..26], b"messageStop");
        assert_eq!(&frame[frame.len() - 6..frame.len() - 4], b"{}");
        let crc = crc32fast::hash(&frame[..frame.len() - 4]).to_be_bytes();
        assert_eq!(&frame[frame.len() - 4..], crc);
        let fault = of_event(Event::plain("{}").named("throttlingException").fault());
        assert!(fault.windows(15).any(|bytes| bytes == b":exception-type"));
    }
}
