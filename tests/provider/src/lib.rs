//! A provider that needs no key, no network and no model: what the gateway is run and tested against. It speaks
//! the APIs of [`Api`] over HTTP/1.1 and HTTP/2 with prior knowledge, writes down what it bills (`GET /ledger`),
//! fails in any way a request asks for (`GET /knobs`), keeps prompts where it is told to, and plays back the answers of real servers.
//!
//! Real servers are tested elsewhere; this one exists because none of them says what it billed, and none of them
//! hangs up on demand. The answer depends on the request alone, so that bytes can be compared; with `prompt_cache` its usage
//! depends on the requests before it, too.

mod answer;
pub mod api;
mod books;
mod corpus;
mod dialects;
mod event;
pub mod eventstream;
mod framing;
pub mod knobs;
pub mod ledger;
mod playback;
mod port;
pub mod prices;
mod prompts;
pub mod refusal;
mod request;
mod script;
mod server;
mod shelf;
mod sold;
mod squeeze;
mod stream;
mod unbilled;
mod wire;
mod words;

use std::io;
use std::net::{Ipv4Addr, SocketAddr};
use std::path::PathBuf;
use std::time::Duration;

use tokio::net::TcpListener;
use tokio::runtime::{Builder, Runtime};

pub use api::Api;
pub use books::{Bill, Books};
pub use ledger::{Ending, Entry, Ledger, Sum};
pub use port::Port;
pub use prices::{DEFAULT_RATES, PRICES, Rates, price_entries, price_entries_with_tiers};
pub use server::{CASES, Manners, Setup, serve};
pub use sold::Sold;

/// A provider in this process, on threads of its own; it stops when dropped.
pub struct Provider {
    pub addr: SocketAddr,
    setup: Setup,
    runtime: Option<Runtime>,
    /// Also while nobody listens on it. A free port might be given to a client that tries to connect to it, and then that
    /// client is connected to itself.
    _port: Option<Port>,
}

impl Provider {
    /// On a free port of 127.0.0.1.
    ///
    /// # Panics
    /// If no port can be had.
    pub fn start() -> Self {
        Self::start_on(SocketAddr::from((Ipv4Addr::LOCALHOST, 0))).expect("a port of 127.0.0.1 to listen on")
    }

    /// Like [`Provider::start`], with the cases of this folder to play.
    ///
    /// # Panics
    /// If no port can be had.
    pub fn playing(cases: impl Into<PathBuf>) -> Self {
        let setup = Setup { cases: Some(cases.into()), ..Setup::default() };
        Self::with(SocketAddr::from((Ipv4Addr::LOCALHOST, 0)), setup).expect("a port of 127.0.0.1 to listen on")
    }

    /// On this address, for instance that of a provider that was dropped.
    pub fn start_on(addr: SocketAddr) -> io::Result<Self> {
        Self::with(addr, Setup::default())
    }

    pub fn with(addr: SocketAddr, setup: Setup) -> io::Result<Self> {
        // A port that was named may be kept already, by who named it.
        let port = if addr == SocketAddr::from((Ipv4Addr::LOCALHOST, 0)) { Some(Port::free()?) } else { None };
        let addr = port.as_ref().map_or(addr, Port::addr);
        let (addr, runtime) = listen(addr, setup.clone())?;
        Ok(Self { addr, setup, runtime: Some(runtime), _port: port })
    }

    pub fn url(&self) -> String {
        format!("http://{}", self.addr)
    }

    pub fn ledger(&self) -> Ledger {
        self.setup.books.read()
    }

    /// The ledger once no request is open, or after `longest`: a client may be done before the provider knows.
    pub fn settled_ledger(&self, longest: Duration) -> Ledger {
        let step = Duration::from_millis(5);
        for _ in 0..longest.as_millis() / step.as_millis() {
            if self.ledger().open() == 0 {
                break;
            }
            std::thread::sleep(step);
        }
        self.ledger()
    }

    /// Turns these knobs for every request from now on, until others are turned; none: it behaves.
    ///
    /// # Panics
    /// If there is no such knob.
    pub fn behave(&self, knobs: &str) {
        self.setup.manners.turn(knobs);
    }

    /// Lets one answer go on that is held by `hold_after`, or the next that will be.
    pub fn let_go(&self) {
        self.setup.released.notify_one();
    }

    /// Refuses connections from now on, and breaks off those that there are.
    pub fn stop(&mut self) {
        if let Some(runtime) = self.runtime.take() {
            // Open connections end with their tasks. On a thread that may wait: a test's own may not.
            let ended = std::thread::spawn(|| runtime.shutdown_timeout(Duration::from_millis(200)));
            let _ = ended.join();
        }
    }

    /// Listens where it did before, with the books that it had.
    pub fn restart(&mut self) -> io::Result<()> {
        self.stop();
        let (_, runtime) = listen(self.addr, self.setup.clone())?;
        self.runtime = Some(runtime);
        Ok(())
    }

    pub fn clear(&self) {
        self.setup.books.clear();
    }
}

fn listen(addr: SocketAddr, setup: Setup) -> io::Result<(SocketAddr, Runtime)> {
    let listener = std::net::TcpListener::bind(addr)?;
    listener.set_nonblocking(true)?;
    let addr = listener.local_addr()?;
    let runtime = Builder::new_multi_thread().worker_threads(2).enable_all().thread_name("provider").build()?;
    let listener = {
        let _guard = runtime.enter();
        TcpListener::from_std(listener)?
    };
    runtime.spawn(server::serve(listener, setup));
    Ok((addr, runtime))
}

impl Drop for Provider {
    fn drop(&mut self) {
        if let Some(runtime) = self.runtime.take() {
            runtime.shutdown_background();
        }
    }
}
