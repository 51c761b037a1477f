//! Ports that nobody else is given.
//!
//! A port that was free a moment ago is anybody's: the kernel gives it to the next client that connects to somewhere. One that
//! is bound, and not listened on, is given to nobody; and a server that shares addresses (`SO_REUSEADDR`, as all servers here do)
//! may listen on it beside its keeper. That is how Linux does it.

use std::io;
use std::net::{Ipv4Addr, SocketAddr};

use tokio::net::TcpSocket;

/// A port of 127.0.0.1, for as long as this is.
pub struct Port {
    addr: SocketAddr,
    _socket: TcpSocket,
}

impl Port {
    /// One that the kernel chooses.
    pub fn free() -> io::Result<Self> {
        Self::keep(0)
    }

    /// This one, if nobody has it.
    fn keep(number: u16) -> io::Result<Self> {
        let socket = TcpSocket::new_v4()?;
        // Not shared yet: this fails if anybody keeps it, as well as if anybody listens.
        socket.set_reuseaddr(false)?;
        socket.bind(SocketAddr::from((Ipv4Addr::LOCALHOST, number)))?;
        socket.set_reuseaddr(true)?;
        // llama.cpp's server shares by this alone.
        socket.set_reuseport(true)?;
        Ok(Self { addr: socket.local_addr()?, _socket: socket })
    }

    /// So many in a row, below those that clients are given.
    pub fn row(length: u16) -> io::Result<Vec<Self>> {
        let firsts = (20_000..30_000).step_by(usize::from(length.max(1)));
        let keep = |first: u16| (first..first.saturating_add(length)).map(Self::keep).collect::<io::Result<Vec<_>>>();
        firsts.map(keep).find(Result::is_ok).unwrap_or_else(|| Err(io::ErrorKind::AddrNotAvailable.into()))
    }

    pub fn number(&self) -> u16 {
        self.addr.port()
    }

    pub fn addr(&self) -> SocketAddr {
        self.addr
    }
}
