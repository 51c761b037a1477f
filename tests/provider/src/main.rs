//! `simulated-provider --listen 127.0.0.1:18080`: the provider as a program of its own.

use std::io;
use std::process::ExitCode;

use simulated_provider::{CASES, Setup, knobs};
use tokio::net::TcpListener;
use tokio::signal::unix::{SignalKind, signal};

const USAGE: &str = "usage: simulated-provider [--listen ADDRESS:PORT]   (127.0.0.1:18080; port 0 takes a free one)";

#[tokio::main]
async fn main() -> ExitCode {
    let mut listen = "127.0.0.1:18080".to_owned();
    let mut arguments = std::env::args().skip(1);
    while let Some(argument) = arguments.next() {
        match (argument.as_str(), arguments.next()) {
            ("--listen", Some(address)) => listen = address,
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
    match run(&listen).await {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("simulated-provider: cannot serve on {listen}: {error}");
            ExitCode::FAILURE
        }
    }
}

async fn run(listen: &str) -> io::Result<()> {
    let listener = TcpListener::bind(listen).await?;
    let mut terminate = signal(SignalKind::terminate())?;
    let mut interrupt = signal(SignalKind::interrupt())?;
    println!("simulated-provider: listening on http://{}", listener.local_addr()?);
    tokio::select! {
        () = simulated_provider::serve(listener, Setup::default()) => {}
        _ = terminate.recv() => {}
        _ = interrupt.recv() => {}
    }
    Ok(())
}
