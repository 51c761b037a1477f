//! HTTP/2 as no library would speak it: streams without end, windows that stay shut, heads that go on for ever.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::time::{Duration, Instant};

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

use crate::client::PATIENCE;

const DATA: u8 = 0;
const HEADERS: u8 = 1;
const RST_STREAM: u8 = 3;
const SETTINGS: u8 = 4;
const PING: u8 = 6;
const GOAWAY: u8 = 7;
const WINDOW_UPDATE: u8 = 8;
const CONTINUATION: u8 = 9;

const END_STREAM: u8 = 1;
const ACK: u8 = 1;
const END_HEADERS: u8 = 4;

const INITIAL_WINDOW_SIZE: u16 = 4;

/// A window that never shuts.
pub const WIDE: u32 = 0x7fff_0000;

/// Frames that have come already are here by then.
const AT_ONCE: Duration = Duration::from_millis(1);
const BEGINNING: &[u8] = br#"{"model":"gpt-4o-mini","max_tokens":1,"messages":[{"role":"user","content":""#;

pub struct Wire {
    socket: TcpStream,
    inbound: Vec<u8>,
    /// What may still be sent on the connection, and on each stream that is open.
    window: i64,
    initial: i64,
    streams: BTreeMap<u32, i64>,
    next: u32,
    /// Envoy's own settings have come, and answers to as many questions.
    settled: bool,
    pongs: usize,
    /// Envoy has closed it, or takes nothing more.
    pub ended: bool,
    pub refused: usize,
}

fn frame(kind: u8, flags: u8, stream: u32, payload: &[u8]) -> Vec<u8> {
    let length = u32::try_from(payload.len()).unwrap().to_be_bytes();
    [&length[1..], &[kind, flags], &stream.to_be_bytes(), payload].concat()
}

/// Literals without an index, and without Huffman's code.
pub fn block(headers: &[(&str, &str)]) -> Vec<u8> {
    let text = |text: &str| {
        assert!(text.len() < 127, "one byte of length");
        [&[text.len() as u8], text.as_bytes()].concat()
    };
    headers.iter().flat_map(|(name, value)| [vec![0], text(name), text(value)].concat()).collect()
}

impl Wire {
    /// With this window for each of the answers.
    pub async fn open(addr: SocketAddr, window: u32) -> Self {
        let mut socket = TcpStream::connect(addr).await.expect("a connection");
        let settings = [&INITIAL_WINDOW_SIZE.to_be_bytes()[..], &window.to_be_bytes()].concat();
        let hello = [
            &b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"[..],
            &frame(SETTINGS, 0, 0, &settings),
            &frame(WINDOW_UPDATE, 0, 0, &WIDE.to_be_bytes()),
        ];
        socket.write_all(&hello.concat()).await.expect("a preface");
        let mut wire = Self {
            socket,
            inbound: Vec::new(),
            window: 65_535,
            initial: 65_535,
            streams: BTreeMap::new(),
            next: 1,
            settled: false,
            pongs: 0,
            ended: false,
            refused: 0,
        };
        wire.until(|wire| wire.settled).await;
        wire
    }

    pub fn open_streams(&self) -> usize {
        self.streams.len()
    }

    /// Takes what comes until this holds, or nothing more can come.
    async fn until(&mut self, holds: impl Fn(&Self) -> bool) {
        let began = Instant::now();
        while !self.ended && !holds(self) {
            assert!(began.elapsed() < PATIENCE, "Envoy says nothing");
            self.take(PATIENCE).await;
        }
    }

    /// Envoy has read all that was sent, and what it said to that has come.
    async fn is_heard(&mut self) {
        let before = self.pongs;
        self.send(&frame(PING, 0, 0, &[0; 8])).await;
        self.until(|wire| wire.pongs > before).await;
    }

    async fn send(&mut self, bytes: &[u8]) {
        let sent = tokio::time::timeout(PATIENCE, self.socket.write_all(bytes)).await;
        self.ended |= !matches!(sent, Ok(Ok(())));
    }

    /// Takes what has come, or comes within this time.
    async fn take(&mut self, patience: Duration) {
        let mut bytes = vec![0; 1 << 16];
        match tokio::time::timeout(patience, self.socket.read(&mut bytes)).await {
            Err(_) => return,
            Ok(Ok(0) | Err(_)) => self.ended = true,
            Ok(Ok(count)) => self.inbound.extend_from_slice(&bytes[..count]),
        }
        while self.inbound.len() >= 9 {
            let length = u32::from_be_bytes([0, self.inbound[0], self.inbound[1], self.inbound[2]]) as usize;
            if self.inbound.len() < 9 + length {
                break;
            }
            let whole: Vec<u8> = self.inbound.drain(..9 + length).collect();
            let stream = u32::from_be_bytes([whole[5] & 0x7f, whole[6], whole[7], whole[8]]);
            self.read(whole[3], whole[4], stream, &whole[9..]).await;
        }
    }

    async fn read(&mut self, kind: u8, flags: u8, stream: u32, payload: &[u8]) {
        let number = |at: usize| i64::from(u32::from_be_bytes(payload[at..at + 4].try_into().unwrap()));
        match kind {
            SETTINGS if flags & ACK == 0 => {
                self.settled = true;
                for at in (0..payload.len()).step_by(6) {
                    if payload[at..at + 2] == INITIAL_WINDOW_SIZE.to_be_bytes() {
                        self.initial = number(at + 2);
                    }
                }
                self.send(&frame(SETTINGS, ACK, 0, &[])).await;
            }
            PING if flags & ACK == 0 => self.send(&frame(PING, ACK, 0, payload)).await,
            PING => self.pongs += 1,
            WINDOW_UPDATE if stream == 0 => self.window += number(0),
            WINDOW_UPDATE => {
                if let Some(window) = self.streams.get_mut(&stream) {
                    *window += number(0);
                }
            }
            RST_STREAM => {
                self.refused += 1;
                self.streams.remove(&stream);
            }
            HEADERS | DATA if flags & END_STREAM != 0 => {
                self.streams.remove(&stream);
            }
            GOAWAY => self.ended |= number(4) != 0,
            _ => {}
        }
    }

    /// One request whose body is yet to come.
    pub async fn begin(&mut self, head: &[(&str, &str)]) -> u32 {
        let stream = self.next;
        self.next += 2;
        self.streams.insert(stream, self.initial);
        self.send(&frame(HEADERS, END_HEADERS, stream, &block(head))).await;
        stream
    }

    pub async fn ask(&mut self, head: &[(&str, &str)], body: &[u8]) {
        let stream = self.begin(head).await;
        self.window -= body.len() as i64;
        self.send(&frame(DATA, END_STREAM, stream, body)).await;
    }

    /// So many unfinished bodies at a time, each as long as Envoy bears it, until `most` were begun.
    pub async fn pour(&mut self, head: &[(&str, &str)], at_once: usize, most: usize, each: usize) {
        let filling = vec![b'x'; 16_384];
        let mut sent: BTreeMap<u32, usize> = BTreeMap::new();
        for _ in 0..at_once {
            self.begin(head).await;
        }
        let (mut begun, mut heard) = (at_once, false);
        while !self.ended && !heard {
            let mut moved = false;
            for stream in self.streams.keys().copied().collect::<Vec<_>>() {
                let done = sent.entry(stream).or_default();
                let room = self.window.min(self.streams.get(&stream).copied().unwrap_or(0)).max(0) as usize;
                let size = filling.len().min(room).min(each - *done);
                if size == 0 || *done == 0 && size < BEGINNING.len() {
                    continue;
                }
                let piece = if *done == 0 { BEGINNING } else { &filling[..size] };
                *done += piece.len();
                self.window -= piece.len() as i64;
                self.streams.entry(stream).and_modify(|window| *window -= piece.len() as i64);
                self.send(&frame(DATA, 0, stream, piece)).await;
                moved = true;
            }
            // What can't be sent now never can, once Envoy has nothing more to say to what it has read.
            if moved {
                self.take(AT_ONCE).await;
            } else {
                let (window, refused) = (self.window, self.refused);
                let open: i64 = self.streams.values().sum();
                self.is_heard().await;
                moved = (window, refused, open) != (self.window, self.refused, self.streams.values().sum());
            }
            // What was refused makes room for the next.
            while self.streams.len() < at_once && begun < most && !self.ended {
                self.begin(head).await;
                begun += 1;
                moved = true;
            }
            heard = !moved;
        }
    }

    /// A head that goes on for ever, until Envoy has had enough.
    pub async fn flood(&mut self, head: &[(&str, &str)], most_bytes: usize) -> usize {
        let stream = self.next;
        self.next += 2;
        self.send(&frame(HEADERS, 0, stream, &block(head))).await;
        let more = block(&[("x-flood", &"y".repeat(100))]).repeat(140);
        let mut sent = 0;
        while !self.ended && sent < most_bytes {
            self.send(&frame(CONTINUATION, 0, stream, &more)).await;
            sent += more.len();
            self.take(AT_ONCE).await;
        }
        sent
    }
}
