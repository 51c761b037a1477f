//! A way to a server on which its answers come late.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::mpsc;
use tokio::time::Instant;

pub struct Lane {
    port: u16,
    millis: Arc<AtomicU64>,
}

impl Lane {
    pub async fn to(server: u16) -> Self {
        let listener = TcpListener::bind(("127.0.0.1", 0)).await.unwrap();
        let port = listener.local_addr().unwrap().port();
        let millis = Arc::new(AtomicU64::new(0));
        let slow = Arc::clone(&millis);
        tokio::spawn(async move {
            while let Ok((client, _)) = listener.accept().await {
                tokio::spawn(carry(client, server, Arc::clone(&slow)));
            }
        });
        Self { port, millis }
    }

    pub fn port(&self) -> u16 {
        self.port
    }

    /// What is asked arrives as ever: a server that does it, and is too late to say so, is the worst one to count by.
    pub fn delay(&self, delay: Duration) {
        self.millis.store(delay.as_millis().try_into().unwrap(), Ordering::Relaxed);
    }
}

async fn carry(client: TcpStream, server: u16, slow: Arc<AtomicU64>) {
    let Ok(server) = TcpStream::connect(("127.0.0.1", server)).await else { return };
    let _ = (client.set_nodelay(true), server.set_nodelay(true));
    let ((mut asked, mut to_client), (mut answers, mut to_server)) = (client.into_split(), server.into_split());
    let (later, mut due) = mpsc::unbounded_channel::<(Instant, Vec<u8>)>();
    let ask = tokio::io::copy(&mut asked, &mut to_server);
    let read = async move {
        let mut piece = vec![0; 65_536];
        while let Ok(length @ 1..) = answers.read(&mut piece).await {
            let at = Instant::now() + Duration::from_millis(slow.load(Ordering::Relaxed));
            let _ = later.send((at, piece[..length].to_vec()));
        }
    };
    let write = async move {
        while let Some((at, piece)) = due.recv().await {
            tokio::time::sleep_until(at).await;
            if to_client.write_all(&piece).await.is_err() {
                break;
            }
        }
    };
    tokio::select! {
        _ = ask => {}
        _ = async { tokio::join!(read, write) } => {}
    }
}
