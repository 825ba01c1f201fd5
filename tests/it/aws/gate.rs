use std::net::SocketAddr;
use std::sync::{Arc, Mutex};

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;

/// Stands before a server and lets requests through, or not.
pub(super) struct Gate {
    pub(super) address: SocketAddr,
    keeping: Arc<Mutex<Keeping>>,
    kept: watch::Receiver<usize>,
}

/// What becomes of requests.
#[derive(Clone, Copy)]
pub(super) enum Keeping {
    /// All pass.
    Nothing,
    /// One with these words is never seen by the server.
    Request(&'static str),
    /// What the server answered to one with these words is never seen by whoever asked.
    Answer(&'static str),
    /// All are refused.
    Everything,
}

impl Gate {
    pub(super) async fn before(server: SocketAddr) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let keeping = Arc::new(Mutex::new(Keeping::Nothing));
        let (count, kept) = watch::channel(0);
        let (rule, count) = (keeping.clone(), Arc::new(count));
        tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                tokio::spawn(pass(stream, server, rule.clone(), count.clone()));
            }
        });
        Self { address, keeping, kept }
    }

    pub(super) fn keep(&self, what: Keeping) {
        *self.keeping.lock().unwrap() = what;
    }

    /// Waits until so many requests or answers have been kept in all.
    pub(super) async fn has_kept(&mut self, count: usize) {
        self.kept.wait_for(|kept| *kept >= count).await.unwrap();
    }
}

/// One request and its answer.
async fn pass(
    mut client: TcpStream,
    server: SocketAddr,
    rule: Arc<Mutex<Keeping>>,
    kept: Arc<watch::Sender<usize>>,
) {
    let Some(request) = read(&mut client).await else { return };
    let keeping = *rule.lock().unwrap();
    let has = |words: &str| request.contains(words);
    match keeping {
        Keeping::Everything => return,
        Keeping::Request(words) if has(words) => return keep(&kept).await,
        _ => {}
    }
    let mut stream = TcpStream::connect(server).await.unwrap();
    let closing = request.replacen("\r\n\r\n", "\r\nConnection: close\r\n\r\n", 1);
    stream.write_all(closing.as_bytes()).await.unwrap();
    let mut answer = Vec::new();
    stream.read_to_end(&mut answer).await.unwrap();
    match keeping {
        Keeping::Answer(words) if has(words) => keep(&kept).await,
        _ => client.write_all(&answer).await.unwrap_or_default(),
    }
}

async fn keep(kept: &watch::Sender<usize>) {
    kept.send_modify(|count| *count += 1);
    std::future::pending().await
}

/// A whole request, or nothing if there is none.
async fn read(client: &mut TcpStream) -> Option<String> {
    let mut request = Vec::new();
    loop {
        if client.read_buf(&mut request).await.ok()? == 0 {
            return None;
        }
        let text = std::str::from_utf8(&request).ok()?;
        let Some((head, body)) = text.split_once("\r\n\r\n") else { continue };
        let head = head.to_lowercase();
        let length = head.split_once("content-length: ")?.1.lines().next()?;
        if body.len() == length.parse::<usize>().ok()? {
            return Some(text.to_owned());
        }
    }
}
