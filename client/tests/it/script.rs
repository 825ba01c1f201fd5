use std::path::Path;
use std::sync::Arc;

use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::net::{TcpListener, UnixListener};
use tokio::sync::Mutex;

/// A server that gives its answers in order and keeps what it was asked.
pub(crate) struct Script {
    pub(crate) address: String,
    seen: Seen,
}

type Seen = Arc<Mutex<Vec<Received>>>;

#[derive(Clone)]
pub(crate) struct Received {
    /// Method and target.
    pub(crate) line: String,
    pub(crate) headers: Vec<(String, String)>,
    pub(crate) body: String,
}

impl Received {
    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        self.headers.iter().find(|(key, _)| key == name).map(|(_, value)| value.as_str())
    }
}

impl Script {
    pub(crate) async fn serve<const N: usize>(answers: [(u16, &str); N]) -> Self {
        Self::on_tcp(answers.map(|(status, body)| answer(status, "", body)).into()).await
    }

    pub(crate) async fn redirecting(location: &str) -> Self {
        Self::on_tcp(vec![answer(307, &format!("Location: {location}\r\n"), "")]).await
    }

    /// Accepts and never answers.
    pub(crate) async fn silent() -> Self {
        Self::on_tcp(vec![String::new()]).await
    }

    /// An address where nothing listens.
    pub(crate) async fn closed_port() -> String {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        format!("http://{}", listener.local_addr().unwrap())
    }

    pub(crate) async fn on_socket<const N: usize>(path: &Path, answers: [(u16, &str); N]) -> Self {
        let listener = UnixListener::bind(path).unwrap();
        let seen = Seen::default();
        let answers = answers.map(|(status, body)| answer(status, "", body));
        let kept = seen.clone();
        tokio::spawn(async move {
            let (stream, _) = listener.accept().await.unwrap();
            converse(stream, &mut answers.into_iter(), &kept).await;
        });
        Self { address: format!("unix://{}", path.display()), seen }
    }

    async fn on_tcp(answers: Vec<String>) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = format!("http://{}", listener.local_addr().unwrap());
        let seen = Seen::default();
        let kept = seen.clone();
        tokio::spawn(async move {
            let mut answers = answers.into_iter();
            while let Ok((stream, _)) = listener.accept().await {
                converse(stream, &mut answers, &kept).await;
            }
        });
        Self { address, seen }
    }

    pub(crate) async fn requests(&self) -> Vec<Received> {
        self.seen.lock().await.clone()
    }
}

fn answer(status: u16, headers: &str, body: &str) -> String {
    let length = body.len();
    format!("HTTP/1.1 {status} x\r\n{headers}Content-Length: {length}\r\n\r\n{body}")
}

/// Answers the requests of one connection until the answers or the requests end.
pub(crate) async fn converse(
    mut stream: impl AsyncRead + AsyncWrite + Unpin,
    answers: &mut impl Iterator<Item = String>,
    seen: &Mutex<Vec<Received>>,
) {
    while let Some(request) = receive(&mut stream).await {
        seen.lock().await.push(request);
        match answers.next() {
            Some(text) if text.is_empty() => std::future::pending().await,
            Some(text) => stream.write_all(text.as_bytes()).await.unwrap(),
            None => return,
        }
    }
}

async fn receive(stream: &mut (impl AsyncRead + Unpin)) -> Option<Received> {
    let mut bytes = Vec::new();
    let end = loop {
        if let Some(at) = bytes.windows(4).position(|four| four == b"\r\n\r\n") {
            break at + 4;
        }
        if stream.read_buf(&mut bytes).await.ok()? == 0 {
            return None;
        }
    };
    let head = String::from_utf8(bytes[..end].to_vec()).unwrap();
    let mut lines = head.trim_end().split("\r\n");
    let line = lines.next()?.trim_end_matches(" HTTP/1.1").to_owned();
    let headers: Vec<_> = lines
        .filter_map(|line| line.split_once(": "))
        .map(|(name, value)| (name.to_lowercase(), value.to_owned()))
        .collect();
    let length = headers.iter().find(|(name, _)| name == "content-length");
    let length: usize = length.map_or(0, |(_, value)| value.parse().unwrap());
    while bytes.len() < end + length {
        if stream.read_buf(&mut bytes).await.ok()? == 0 {
            return None;
        }
    }
    let body = String::from_utf8(bytes[end..end + length].to_vec()).unwrap();
    Some(Received { line, headers, body })
}
