//! Answers of HTTP/1.1 held against the grammar, byte for byte (RFC 9110, 5; RFC 9112, 2 to 7). A client's library forgives what a
//! proxy in front takes for the next answer.

use std::collections::VecDeque;
use std::io;
use std::net::SocketAddr;
use std::pin::Pin;
use std::sync::{Arc, Mutex};
use std::task::{Context, Poll};

use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt, ReadBuf};
use tokio::net::TcpStream;
use tokio::time::timeout;

use crate::client::PATIENCE;

#[derive(Debug, Default)]
pub struct Raw {
    pub status: u16,
    pub headers: Vec<(String, String)>,
    pub body: Vec<u8>,
}

impl Raw {
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.iter().find(|(known, _)| known == name).map(|(_, value)| value.as_str())
    }

    fn all(&self, name: &str) -> Vec<&str> {
        self.headers.iter().filter(|(known, _)| known == name).map(|(_, value)| value.as_str()).collect()
    }

    pub fn text(&self) -> String {
        String::from_utf8_lossy(&self.body).into_owned()
    }
}

/// What a server writes into one connection, as its bytes come.
#[derive(Default)]
pub struct Answers {
    /// What came and can't be read yet.
    unread: Vec<u8>,
    next: Next,
    /// The answer that is being read.
    open: Raw,
    keep: bool,
    /// Of the requests that wait for an answer: whether it has no body, whatever its head says.
    asked: VecDeque<bool>,
    done: VecDeque<Raw>,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum Next {
    #[default]
    Head,
    Body {
        left: usize,
        chunk: bool,
    },
    ChunkLength,
    Trailer,
    ToTheEnd,
}

type Held = Result<(), String>;

impl Answers {
    fn feed(&mut self, bytes: &[u8]) -> Held {
        self.unread.extend_from_slice(bytes);
        while self.step()? {}
        Ok(())
    }

    /// Whether something was read. What remains waits for more.
    fn step(&mut self) -> Result<bool, String> {
        match self.next {
            Next::Head => match find(&self.unread, b"\r\n\r\n") {
                Some(end) => {
                    let head: Vec<u8> = self.unread.drain(..end + 4).collect();
                    self.head(&head)?;
                }
                None => return Ok(false),
            },
            Next::Body { left, chunk } => {
                let taken: Vec<u8> = self.unread.drain(..left.min(self.unread.len())).collect();
                let left = left - taken.len();
                self.took(&taken);
                self.next = Next::Body { left, chunk };
                match (left, chunk) {
                    (0, true) if self.unread.len() < 2 => return Ok(false),
                    (0, true) => {
                        let end: Vec<u8> = self.unread.drain(..2).collect();
                        if end != b"\r\n" {
                            return Err(format!("behind a chunk: {}", end.escape_ascii()));
                        }
                        self.next = Next::ChunkLength;
                    }
                    (0, false) => self.ended(),
                    _ => return Ok(false),
                }
            }
            Next::ChunkLength | Next::Trailer => {
                let Some(end) = find(&self.unread, b"\r\n") else { return Ok(false) };
                let line: Vec<u8> = self.unread.drain(..end + 2).take(end).collect();
                match (self.next, &line[..]) {
                    (Next::Trailer, b"") => self.ended(),
                    (Next::Trailer, line) => drop(field(line)?),
                    (_, line) => {
                        let digits = line.iter().all(u8::is_ascii_hexdigit);
                        let length = std::str::from_utf8(line).ok().filter(|_| digits);
                        let length = length.and_then(|text| usize::from_str_radix(text, 16).ok());
                        let left = length.ok_or_else(|| format!("a chunk's length: {}", line.escape_ascii()))?;
                        self.next = if left == 0 { Next::Trailer } else { Next::Body { left, chunk: true } };
                    }
                }
            }
            Next::ToTheEnd => {
                let taken = std::mem::take(&mut self.unread);
                self.took(&taken);
                return Ok(false);
            }
        }
        Ok(true)
    }

    fn took(&mut self, bytes: &[u8]) {
        if self.keep {
            self.open.body.extend_from_slice(bytes);
        }
    }

    fn ended(&mut self) {
        self.next = Next::Head;
        let answer = std::mem::take(&mut self.open);
        if self.keep {
            self.done.push_back(answer);
        }
    }

    fn head(&mut self, head: &[u8]) -> Held {
        let (status, headers) = head_of(head)?;
        self.open = Raw { status, headers, body: Vec::new() };
        if status < 200 {
            self.open = Raw::default();
            return Ok(());
        }
        let Some(bodiless) = self.asked.pop_front() else {
            return Err(format!("an answer that nobody asked for: {}", head.escape_ascii()));
        };
        let (lengths, codings) = (self.open.all("content-length"), self.open.all("transfer-encoding"));
        let left = |length: &str| length.parse().map_err(|_| format!("a length: {length}"));
        let next = match (&lengths[..], &codings[..]) {
            _ if bodiless || matches!(status, 204 | 304) => Next::Body { left: 0, chunk: false },
            ([length], []) if length.bytes().all(|digit| digit.is_ascii_digit()) => {
                Next::Body { left: left(length)?, chunk: false }
            }
            ([], [coding]) if coding.eq_ignore_ascii_case("chunked") => Next::ChunkLength,
            // To the connection's end, which the head must announce.
            ([], []) if head.starts_with(b"HTTP/1.0") || self.open.header("connection") == Some("close") => {
                Next::ToTheEnd
            }
            _ => return Err(format!("framed in two ways, or in none: {}", head.escape_ascii())),
        };
        self.next = next;
        Ok(())
    }

    /// The connection has ended.
    fn end(&mut self) {
        if self.next == Next::ToTheEnd {
            self.ended();
        }
    }
}

fn find(bytes: &[u8], what: &[u8]) -> Option<usize> {
    bytes.windows(what.len()).position(|window| window == what)
}

/// The status line and the fields, with the blank line that ends them.
fn head_of(head: &[u8]) -> Result<(u16, Vec<(String, String)>), String> {
    let wrong = || format!("no head: {}", head.escape_ascii());
    let lines = head.strip_suffix(b"\r\n\r\n").ok_or_else(wrong)?;
    let mut lines = lines.split(|byte| *byte == b'\n').enumerate();
    let count = head.iter().filter(|byte| **byte == b'\n').count() - 2;
    let mut next = || {
        let (nth, line) = lines.next()?;
        // The blank line's own ends are gone; every other line ends by both.
        Some(if nth == count { Ok(line) } else { line.strip_suffix(b"\r").ok_or_else(wrong) })
    };
    let status = next().ok_or_else(wrong)??;
    let version = status.starts_with(b"HTTP/1.1 ") || status.starts_with(b"HTTP/1.0 ");
    let code = status.get(9..12).filter(|code| code.iter().all(u8::is_ascii_digit));
    let code = code.and_then(|code| std::str::from_utf8(code).ok()?.parse().ok());
    let code = code.filter(|_| version && matches!(status.get(12), Some(b' ') | None)).ok_or_else(wrong)?;
    let mut fields = Vec::new();
    while let Some(line) = next() {
        fields.push(field(line?)?);
    }
    Ok((code, fields))
}

fn field(line: &[u8]) -> Result<(String, String), String> {
    let wrong = || format!("no field: {}", line.escape_ascii());
    let at = line.iter().position(|byte| *byte == b':').ok_or_else(wrong)?;
    let (name, value) = (&line[..at], &line[at + 1..]);
    let token = |byte: &u8| byte.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(byte);
    let fits = |byte: &u8| (*byte >= b' ' && *byte != 0x7f) || *byte == b'\t';
    if name.is_empty() || !name.iter().all(token) || !value.iter().all(fits) {
        return Err(wrong());
    }
    Ok((String::from_utf8_lossy(name).to_lowercase(), String::from_utf8_lossy(value).trim().to_owned()))
}

/// A connection in raw bytes.
pub struct Wire {
    socket: TcpStream,
    answers: Answers,
}

impl Wire {
    pub async fn open(addr: SocketAddr) -> Self {
        let answers = Answers { keep: true, ..Answers::default() };
        Self { socket: TcpStream::connect(addr).await.expect("a connection"), answers }
    }

    /// Sends what may be so many requests.
    pub async fn send(&mut self, bytes: &[u8], requests: usize) {
        self.answers.asked.extend(std::iter::repeat_n(false, requests));
        self.socket.write_all(bytes).await.expect("a request");
    }

    /// The next answer; `None` if the connection ends before its first byte.
    pub async fn answer(&mut self) -> Option<Raw> {
        while self.answers.done.is_empty() {
            let mut bytes = [0; 16 * 1024];
            // A reset is an end, too.
            let read = timeout(PATIENCE, self.socket.read(&mut bytes)).await.expect("bytes in time").unwrap_or(0);
            self.answers.feed(&bytes[..read]).unwrap_or_else(|fault| panic!("{fault}"));
            if read == 0 {
                self.answers.end();
                self.is_spent();
                break;
            }
        }
        self.answers.done.pop_front()
    }

    /// That nothing has come which belongs to no answer.
    pub fn is_spent(&self) {
        let Answers { unread, next, .. } = &self.answers;
        assert!(unread.is_empty() && *next == Next::Head, "behind the last answer: {}", unread.escape_ascii());
    }
}

/// A request in raw bytes, for a connection that is kept.
pub fn post(path: &str, headers: &[(&str, &str)], body: &[u8]) -> Vec<u8> {
    let headers: String = headers.iter().map(|(name, value)| format!("{name}: {value}\r\n")).collect();
    let head = format!("POST {path} HTTP/1.1\r\nhost: gateway\r\n{headers}content-length: {}\r\n\r\n", body.len());
    [head.as_bytes(), body].concat()
}

/// What a client's library reads, read along: so the answers to all tests are held against the grammar.
pub struct Overheard {
    socket: TcpStream,
    heard: Heard,
}

#[derive(Clone, Default)]
pub struct Heard(Arc<Mutex<(Answers, Vec<String>)>>);

impl Heard {
    pub fn asked(&self, bodiless: bool) {
        self.0.lock().unwrap().0.asked.push_back(bodiless);
    }

    pub fn faults(&self) -> Vec<String> {
        self.0.lock().unwrap().1.clone()
    }

    fn feed(&self, bytes: &[u8]) {
        let (answers, faults) = &mut *self.0.lock().unwrap();
        // Behind a fault nothing has a place.
        if faults.is_empty() {
            faults.extend(answers.feed(bytes).err());
        }
    }
}

impl Overheard {
    pub fn new(socket: TcpStream, heard: Heard) -> Self {
        Self { socket, heard }
    }
}

impl AsyncRead for Overheard {
    fn poll_read(mut self: Pin<&mut Self>, context: &mut Context<'_>, bytes: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        let before = bytes.filled().len();
        let read = Pin::new(&mut self.socket).poll_read(context, bytes);
        self.heard.feed(&bytes.filled()[before..]);
        read
    }
}

impl AsyncWrite for Overheard {
    fn poll_write(mut self: Pin<&mut Self>, context: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.socket).poll_write(context, bytes)
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.socket).poll_flush(context)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.socket).poll_shutdown(context)
    }
}

fn held(bytes: &[u8], asked: usize, size: usize) -> Result<usize, String> {
    let mut answers = Answers { keep: true, asked: vec![false; asked].into(), ..Answers::default() };
    for piece in bytes.chunks(size) {
        answers.feed(piece)?;
    }
    answers.end();
    let over = answers.unread.is_empty() && answers.next == Next::Head;
    over.then_some(answers.done.len()).ok_or_else(|| "it is not over".to_owned())
}

/// The ruler itself: what it takes, in whatever pieces, and what it must not.
#[test]
fn the_grammar_takes_answers_and_nothing_else() {
    const LINE: &str = "HTTP/1.1 200 OK\r\n";
    const PLAIN: &str = "content-length: 2\r\n\r\nok";
    const CHUNKED: &str = "transfer-encoding: chunked\r\n\r\n2\r\nok\r\n0\r\n\r\n";
    let two = [LINE, PLAIN, LINE, "x: é\r\n", CHUNKED].concat();
    for size in 1..two.len() {
        assert_eq!(held(two.as_bytes(), 2, size), Ok(2));
        assert!(held(two.as_bytes(), 1, size).is_err(), "one request, two answers");
    }
    for wrong in [
        [LINE, "a\r\n", PLAIN],
        [LINE, "a b: c\r\n", PLAIN],
        [LINE, "a: b\rc\r\n", PLAIN],
        [LINE, "a: b\nc: d\r\n", PLAIN],
        [LINE, "a: b\0\r\n", PLAIN],
        [LINE, "content-length: 2\r\n", PLAIN],
        [LINE, "content-length: 2\r\n", CHUNKED],
        [LINE, "\r\n", "rest"],
        ["HTTP/1.1 2000\r\n", "", PLAIN],
        [LINE, "transfer-encoding: chunked\r\n\r\n", "2\r\nok!\r\n0\r\n\r\n"],
        [LINE, "content-length: 3\r\n\r\n", "ok"],
    ] {
        assert!(held(wrong.concat().as_bytes(), 1, 7).is_err(), "{wrong:?}");
    }
}
