use std::io;
use std::sync::Arc;

use base_tls::ClientTls;
use base_types::{Error, Result, Secret};
use rustls::ClientConfig;
use rustls::pki_types::ServerName;
use tokio::io::{AsyncBufReadExt, AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt, BufStream};
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;

/// Where a server is and how to speak to it.
pub(super) struct Address {
    host: String,
    port: u16,
    tls: Option<(Arc<ClientConfig>, ServerName<'static>)>,
}

/// A connection that speaks RESP 2. <https://redis.io/docs/latest/develop/reference/protocol-spec/>
pub(super) struct Client(BufStream<Box<dyn Stream>>);

trait Stream: AsyncRead + AsyncWrite + Send + Unpin {}

impl<S: AsyncRead + AsyncWrite + Send + Unpin> Stream for S {}

/// What a server answers, as far as it matters here.
#[derive(Debug, Eq, PartialEq)]
pub(super) enum Answer {
    Error(String),
    /// A list that has been read and is of no interest.
    List,
    Nothing,
    Number(i64),
    Text(String),
}

/// No answer to what is asked here comes near.
const BULK_MAX: u64 = 1 << 20;
const LINE_MAX: u64 = 64 << 10;
const ITEMS_MAX: u64 = 10_000;

impl Address {
    pub(super) fn new(host: &str, port: u16, tls: Option<&ClientTls>) -> Result<Self> {
        let tls = match tls {
            Some(tls) => Some((Arc::new(tls.config()?), tls.server_name_for(host)?)),
            None => None,
        };
        Ok(Self { host: host.trim_matches(['[', ']']).to_owned(), port, tls })
    }

    pub(super) async fn connect(&self) -> Result<Client> {
        let stream = TcpStream::connect((self.host.as_str(), self.port)).await.map_err(broken)?;
        stream.set_nodelay(true).map_err(broken)?;
        let stream: Box<dyn Stream> = match &self.tls {
            Some((config, name)) => {
                let connector = TlsConnector::from(config.clone());
                Box::new(connector.connect(name.clone(), stream).await.map_err(broken)?)
            }
            None => Box::new(stream),
        };
        Ok(Client(BufStream::new(stream)))
    }
}

impl Client {
    pub(super) async fn log_in(
        &mut self,
        username: &str,
        password: &Secret<String>,
    ) -> Result<Answer> {
        self.call(&["AUTH", username, password.expose()]).await
    }

    /// # Errors
    /// `Unavailable` if the connection breaks or the answer is none; what the server refuses is an
    /// answer.
    pub(super) async fn call(&mut self, words: &[&str]) -> Result<Answer> {
        // Every word is sent with its length, so that none can become another command.
        let mut command = Secret::new(format!("*{}\r\n", words.len()).into_bytes());
        for word in words {
            let head = format!("${}\r\n", word.len());
            let parts = [command.expose(), head.as_bytes(), word.as_bytes(), b"\r\n"];
            command = Secret::new(parts.concat());
        }
        self.0.write_all(command.expose()).await.map_err(broken)?;
        self.0.flush().await.map_err(broken)?;
        let mut items = 1;
        let mut answer = None;
        while items > 0 {
            items -= 1;
            let (part, more) = self.part().await?;
            items += more;
            if items > ITEMS_MAX {
                return Err(broken(io::Error::other("the answer is too long")));
            }
            // The first part says what kind of answer it is.
            answer.get_or_insert(part);
        }
        answer.ok_or_else(|| Error::internal("an answer without parts"))
    }

    /// One part of an answer, and how many follow because of it.
    async fn part(&mut self) -> Result<(Answer, u64)> {
        let line = self.line().await?;
        let (kind, rest) = line.split_at_checked(1).ok_or_else(unexpected)?;
        let count = || rest.parse::<i64>().map_err(|_| unexpected());
        Ok(match kind {
            "+" => (Answer::Text(rest.to_owned()), 0),
            "-" => (Answer::Error(rest.to_owned()), 0),
            ":" => (Answer::Number(count()?), 0),
            "$" => match u64::try_from(count()?) {
                Ok(length) => (Answer::Text(self.bulk(length).await?), 0),
                Err(_) => (Answer::Nothing, 0),
            },
            "*" => match u64::try_from(count()?) {
                Ok(length) => (Answer::List, length),
                Err(_) => (Answer::Nothing, 0),
            },
            _ => return Err(unexpected()),
        })
    }

    async fn line(&mut self) -> Result<String> {
        let mut line = String::new();
        (&mut self.0).take(LINE_MAX).read_line(&mut line).await.map_err(broken)?;
        let line = line.strip_suffix("\r\n").ok_or_else(unexpected)?;
        Ok(line.to_owned())
    }

    async fn bulk(&mut self, length: u64) -> Result<String> {
        if length > BULK_MAX {
            return Err(unexpected());
        }
        let mut bytes = vec![0; length as usize + 2];
        self.0.read_exact(&mut bytes).await.map_err(broken)?;
        bytes.truncate(length as usize);
        Ok(String::from_utf8_lossy(&bytes).into_owned())
    }
}

fn broken(error: io::Error) -> Error {
    Error::unavailable(format!("failed to connect to Redis: {error}"))
}

fn unexpected() -> Error {
    Error::unavailable("what answers at this address does not speak like Redis")
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    /// What is sent, and what becomes of the answer.
    async fn check(said: &[u8], expected: Result<Answer, &str>) {
        let (ours, mut theirs) = tokio::io::duplex(1 << 16);
        theirs.write_all(said).await.unwrap();
        theirs.shutdown().await.unwrap();
        let mut client = Client(BufStream::new(Box::new(ours)));
        let answer = client.call(&["ACL", "a\r\nFLUSHALL\r\n"]).await;
        assert_eq!(
            answer.map_err(|error| error.public().to_owned()),
            expected.map_err(str::to_owned)
        );
        let mut sent = vec![0; 33];
        theirs.read_exact(&mut sent).await.unwrap();
        assert_eq!(sent, b"*2\r\n$3\r\nACL\r\n$13\r\na\r\nFLUSHALL\r\n\r\n"[..].to_vec());
    }

    #[tokio::test]
    async fn answers_are_read_within_limits() {
        let other = Err("what answers at this address does not speak like Redis");
        check(b"+OK\r\n", Ok(Answer::Text("OK".into()))).await;
        check(b"-ERR no\r\n", Ok(Answer::Error("ERR no".into()))).await;
        check(b":7\r\n", Ok(Answer::Number(7))).await;
        check(b"$3\r\na\nb\r\n", Ok(Answer::Text("a\nb".into()))).await;
        check(b"$-1\r\n", Ok(Answer::Nothing)).await;
        check(b"*-1\r\n", Ok(Answer::Nothing)).await;
        check(b"*2\r\n$1\r\na\r\n*1\r\n:1\r\n", Ok(Answer::List)).await;
        check(b"HTTP/1.1 400 Bad Request\r\n", other).await;
        let other = Err("what answers at this address does not speak like Redis");
        check(b"$9999999999\r\n", other).await;
        let other = Err("what answers at this address does not speak like Redis");
        check(b"", other).await;
        check(b"*99999\r\n", Err("failed to connect to Redis: the answer is too long")).await;
    }
}
