//! `simulated-provider --listen 127.0.0.1:18080`: the provider as a program of its own.

use std::process::ExitCode;
use std::{fs, io};

use simulated_provider::{Books, CASES, Setup, knobs};
use tokio::net::TcpListener;
use tokio::runtime::Runtime;
use tokio::signal::unix::{SignalKind, signal};

const USAGE: &str = "usage: simulated-provider [--listen ADDRESS:PORT] [--ledger FILE]
  --listen  127.0.0.1:18080, if not given; port 0 takes a free one
  --ledger  where the ledger is left when the provider is told to end";

fn main() -> ExitCode {
    let mut listen = "127.0.0.1:18080".to_owned();
    let mut ledger = None;
    let mut arguments = std::env::args().skip(1);
    while let Some(argument) = arguments.next() {
        match (argument.as_str(), arguments.next()) {
            ("--listen", Some(address)) => listen = address,
            ("--ledger", Some(file)) => ledger = Some(file),
            ("--help" | "-h", _) => {
                println!("{USAGE}\n\nknobs (`x-sim: name=value; ...`, or `model+name=value,...`):");
                print!("{}", knobs::explained());
                println!("\n{CASES} names the folder with the corpus from which `case` plays.");
                return ExitCode::SUCCESS;
            }
            _ => {
                eprintln!("{USAGE}");
                return ExitCode::from(2);
            }
        }
    }
    let setup = Setup::default();
    let books = setup.books.clone();
    let served = Runtime::new().and_then(|runtime| runtime.block_on(run(&listen, setup)));
    // The runtime is gone, and with it every connection: no bill is open any more.
    let left = served.and_then(|()| ledger.map_or(Ok(()), |file| leave(&file, &books)));
    match left {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("simulated-provider: {error}");
            ExitCode::FAILURE
        }
    }
}

fn leave(file: &str, books: &Books) -> io::Result<()> {
    let told = |error: io::Error| io::Error::other(format!("cannot write {file}: {error}"));
    fs::write(file, books.read().to_json().to_string()).map_err(told)
}

async fn run(listen: &str, setup: Setup) -> io::Result<()> {
    let told = |error: io::Error| io::Error::other(format!("cannot serve on {listen}: {error}"));
    let listener = TcpListener::bind(listen).await.map_err(told)?;
    let mut terminate = signal(SignalKind::terminate())?;
    let mut interrupt = signal(SignalKind::interrupt())?;
    println!("simulated-provider: listening on http://{}", listener.local_addr()?);
    tokio::select! {
        () = simulated_provider::serve(listener, setup) => {}
        _ = terminate.recv() => {}
        _ = interrupt.recv() => {}
    }
    Ok(())
}
