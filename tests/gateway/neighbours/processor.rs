//! An external processor that sends each piece of a request back as it came: `envoy.service.ext_proc.v3` by hand, of which a handful of
//! fields is needed.

use std::convert::Infallible;
use std::net::SocketAddr;
use std::pin::Pin;
use std::task::{Context, Poll};

use http_body_util::BodyExt;
use hyper::body::{Body, Bytes, Frame, Incoming};
use hyper::header::{HeaderMap, HeaderValue};
use hyper::server::conn::http2;
use hyper::service::service_fn;
use hyper::{Request, Response};
use hyper_util::rt::{TokioExecutor, TokioIo};
use tokio::net::TcpListener;
use tokio::sync::mpsc;

/// On a thread of its own: it outlives the test that starts it.
pub fn start() -> SocketAddr {
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    listener.set_nonblocking(true).unwrap();
    let addr = listener.local_addr().unwrap();
    std::thread::spawn(move || {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        runtime.block_on(async move {
            let listener = TcpListener::from_std(listener).unwrap();
            while let Ok((socket, _)) = listener.accept().await {
                let service = service_fn(async |request| Ok::<_, Infallible>(process(request)));
                let serving = http2::Builder::new(TokioExecutor::new()).serve_connection(TokioIo::new(socket), service);
                tokio::spawn(async move {
                    let _ = serving.await;
                });
            }
        });
    });
    addr
}

/// What is sent into a channel.
struct Answers(mpsc::UnboundedReceiver<Frame<Bytes>>);

impl Body for Answers {
    type Data = Bytes;
    type Error = Infallible;

    fn poll_frame(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, Infallible>>> {
        self.0.poll_recv(cx).map(|frame| frame.map(Ok))
    }
}

/// Answers each message of the stream, in order.
fn process(request: Request<Incoming>) -> Response<Answers> {
    let mode = request.headers()["x-mode"].to_str().unwrap().to_owned();
    let mut asked = request.into_body();
    let (answer, answers) = mpsc::unbounded_channel();
    tokio::spawn(async move {
        let mut unread = Vec::new();
        while let Some(Ok(frame)) = asked.frame().await {
            unread.extend_from_slice(frame.data_ref().map_or(&[][..], |data| data));
            while let Some(message) = message(&mut unread) {
                let reply = answered(&message, &mode);
                let head = [&[0][..], &(reply.len() as u32).to_be_bytes()].concat();
                let _ = answer.send(Frame::data([head, reply].concat().into()));
            }
        }
        let ok = HeaderMap::from_iter([("grpc-status".parse().unwrap(), HeaderValue::from_static("0"))]);
        let _ = answer.send(Frame::trailers(ok));
    });
    let mut response = Response::new(Answers(answers));
    response.headers_mut().insert("content-type", HeaderValue::from_static("application/grpc"));
    response
}

/// The first whole message, without what gRPC puts before it.
fn message(unread: &mut Vec<u8>) -> Option<Vec<u8>> {
    let length = u32::from_be_bytes(unread.get(1..5)?.try_into().ok()?) as usize;
    unread.get(5..5 + length)?;
    let rest = unread.split_off(5 + length);
    Some(std::mem::replace(unread, rest).split_off(5))
}

/// The three answers: what was sent comes back, in the form that `mode` asks for.
fn answered(message: &[u8], mode: &str) -> Vec<u8> {
    match fields(message)
        .into_iter()
        .find(|(number, _)| [REQUEST_HEADERS, RESPONSE_HEADERS, REQUEST_BODY, REQUEST_TRAILERS].contains(number))
    {
        Some((RESPONSE_HEADERS, _)) => field(2, &[]),
        Some((REQUEST_HEADERS, _)) => field(1, &[]),
        Some((REQUEST_TRAILERS, _)) => field(5, &[]),
        // `StreamedBodyResponse` has the fields of `HttpBody`: the bytes, and whether they are the last.
        Some((_, body)) if mode == "FULL_DUPLEX_STREAMED" => field(3, &field(1, &field(3, &field(3, &body)))),
        // An empty answer leaves all as it was.
        _ => field(3, &[]),
    }
}

// Of `ProcessingRequest`.
const REQUEST_HEADERS: u64 = 2;
const RESPONSE_HEADERS: u64 = 3;
const REQUEST_BODY: u64 = 4;
const REQUEST_TRAILERS: u64 = 6;

/// The fields that have a length, with their bytes; the others are passed over.
fn fields(message: &[u8]) -> Vec<(u64, Vec<u8>)> {
    let (mut rest, mut found) = (message, Vec::new());
    while !rest.is_empty() {
        let tag = number(&mut rest);
        let value = number(&mut rest);
        if tag & 7 == 2 {
            let (bytes, behind) = rest.split_at(value as usize);
            found.push((tag >> 3, bytes.to_vec()));
            rest = behind;
        } else {
            assert_eq!(tag & 7, 0, "a field of a kind that is not expected");
        }
    }
    found
}

fn number(rest: &mut &[u8]) -> u64 {
    let mut value = 0;
    for shift in (0..64).step_by(7) {
        let (byte, behind) = rest.split_first().expect("the rest of a number");
        *rest = behind;
        value |= u64::from(byte & 0x7f) << shift;
        if byte & 0x80 == 0 {
            break;
        }
    }
    value
}

fn field(number: u64, bytes: &[u8]) -> Vec<u8> {
    let mut out = Vec::new();
    for mut value in [number << 3 | 2, bytes.len() as u64] {
        while value >= 0x80 {
            out.push(value as u8 | 0x80);
            value >>= 7;
        }
        out.push(value as u8);
    }
    out.extend_from_slice(bytes);
    out
}
