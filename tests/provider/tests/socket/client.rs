//! A client of raw HTTP/1.1, and the entry that it leaves in the ledger.

use std::io::{ErrorKind, Read, Write};
use std::net::TcpStream;
use std::time::Duration;

use simulated_provider::{Entry, Ledger, Provider};

pub const PATIENCE: Duration = Duration::from_secs(60);

pub fn open(provider: &Provider, method: &str, path: &str, headers: &str, body: &str) -> TcpStream {
    let mut socket = TcpStream::connect(provider.addr).expect("a connection");
    socket.set_read_timeout(Some(PATIENCE)).expect("a timeout");
    let length = body.len();
    let head = format!("{method} {path} HTTP/1.1\r\nhost: x\r\ncontent-length: {length}\r\n{headers}\r\n");
    socket.write_all(format!("{head}{body}").as_bytes()).expect("a request");
    socket
}

/// All that comes until the provider closes, and whether it closed in good order.
pub fn post(provider: &Provider, path: &str, headers: &str, body: &str) -> (Vec<u8>, Option<ErrorKind>) {
    let mut socket = open(provider, "POST", path, &format!("{headers}connection: close\r\n"), body);
    let mut bytes = Vec::new();
    let error = socket.read_to_end(&mut bytes).err().map(|error| error.kind());
    (bytes, error)
}

pub fn get(provider: &Provider, method: &str, path: &str) -> (String, String) {
    let mut socket = open(provider, method, path, "connection: close\r\n", "");
    let mut answer = String::new();
    socket.read_to_string(&mut answer).expect("an answer");
    let (head, body) = answer.split_once("\r\n\r\n").expect("a head");
    (head.to_owned(), body.to_owned())
}

/// The only entry.
pub fn entry(provider: &Provider) -> Entry {
    let Ledger { requests, .. } = provider.settled_ledger(PATIENCE);
    assert_eq!(requests.len(), 1);
    requests.into_iter().next().expect("an entry")
}
