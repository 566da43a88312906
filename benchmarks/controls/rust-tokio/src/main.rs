//! TCP echo control in Rust: one tokio task per connection, read and write_all on a 64 KiB
//! buffer, as tokio's own echo example does it; awaiting write_all is the back-pressure. The
//! runtime is the current-thread one, which a single-threaded server should be held against, or
//! with `--multi-thread` the work-stealing one, tokio's default, with a worker for each core.

use std::io::Result;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::runtime::Builder;

async fn echo(mut stream: TcpStream) -> Result<()> {
    stream.set_nodelay(true)?;
    let mut buf = vec![0; 64 * 1024];
    loop {
        let n = stream.read(&mut buf).await?;
        if n == 0 {
            return stream.shutdown().await; // the client's FIN; all it sent has been written
        }
        stream.write_all(&buf[..n]).await?;
    }
}

async fn serve(port: u16) -> Result<()> {
    let listener = TcpListener::bind(("127.0.0.1", port)).await?;
    println!("listening on {}", listener.local_addr()?.port());
    loop {
        let (stream, _) = listener.accept().await?;
        tokio::spawn(async move {
            let _ = echo(stream).await; // a reset by the client ends that connection only
        });
    }
}

fn main() -> Result<()> {
    let mut args = std::env::args().skip(1);
    let port = args.next().and_then(|arg| arg.parse().ok());
    let port = port.expect("usage: echo-tokio PORT [--multi-thread]");
    let runtime = match args.next().as_deref() {
        None => Builder::new_current_thread().enable_io().build()?,
        Some("--multi-thread") => Builder::new_multi_thread().enable_io().build()?,
        Some(other) => panic!("unknown argument {other}"),
    };
    // Spawned, so that the multi-thread runtime runs it on a worker and not in block_on.
    runtime.block_on(async move { tokio::spawn(serve(port)).await })?
}
