use std::io::{BufRead, BufReader, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::time::Duration;

use serde_json::Value;

use crate::Result;

/// A blocking HTTP/1.1 client for one server on this machine. It keeps its connection, never
/// repeats a request by itself, and forgets the connection after any failure.
pub(crate) struct Client {
    address: SocketAddr,
    token: Option<String>,
    connection: Option<BufReader<TcpStream>>,
}

pub(crate) struct Response {
    pub(crate) status: u16,
    /// Names in lower case.
    pub(crate) headers: Vec<(String, String)>,
    pub(crate) body: Vec<u8>,
}

/// Longer than any request here takes, so that a server that hangs is an error and not a wait.
const TIMEOUT: Duration = Duration::from_secs(60);

impl Client {
    pub(crate) fn new(address: SocketAddr) -> Self {
        Self { address, token: None, connection: None }
    }

    /// The same server, asked with `token`.
    pub(crate) fn with_token(address: SocketAddr, token: &str) -> Self {
        Self { address, token: Some(token.to_owned()), connection: None }
    }

    /// A new connection to the same server with another token.
    pub(crate) fn acting_as(&self, token: &str) -> Self {
        Self::with_token(self.address, token)
    }

    /// Sends a request whose body is `body`, or has none if that is `Null`.
    pub(crate) fn call(&mut self, method: &str, path: &str, body: &Value) -> Result<Response> {
        let body = if body.is_null() { Vec::new() } else { body.to_string().into_bytes() };
        self.send(method, path, &[], &body)
    }

    /// As [`Client::call`], but anything other than a 2xx status is an error.
    pub(crate) fn expect(&mut self, method: &str, path: &str, body: &Value) -> Result<Value> {
        let response = self.call(method, path, body)?;
        if !(200..300).contains(&response.status) {
            return Err(format!(
                "{method} {path} was answered {}: {}",
                response.status,
                response.text()
            ));
        }
        Ok(response.json())
    }

    pub(crate) fn send(
        &mut self,
        method: &str,
        path: &str,
        headers: &[(String, String)],
        body: &[u8],
    ) -> Result<Response> {
        let mut head = format!("{method} {path} HTTP/1.1\r\nHost: {}\r\n", self.address);
        if let Some(token) = &self.token {
            head.push_str(&format!("X-Vault-Token: {token}\r\n"));
        }
        for (name, value) in headers {
            head.push_str(&format!("{name}: {value}\r\n"));
        }
        if !body.is_empty() || matches!(method, "POST" | "PUT" | "PATCH") {
            head.push_str(&format!("Content-Length: {}\r\n", body.len()));
        }
        head.push_str("\r\n");
        let mut message = head.into_bytes();
        message.extend_from_slice(body);
        self.exchange(&message, method == "HEAD")
            .map_err(|error| format!("{method} {path} at {}: {error}", self.address))
    }

    fn exchange(&mut self, message: &[u8], head_only: bool) -> std::io::Result<Response> {
        let mut connection = match self.connection.take() {
            Some(connection) => connection,
            None => connect(self.address)?,
        };
        connection.get_mut().write_all(message)?;
        let (response, keep) = read_response(&mut connection, head_only)?;
        self.connection = keep.then_some(connection);
        Ok(response)
    }
}

impl Response {
    /// The body as JSON; `Null` if it is empty or something else.
    pub(crate) fn json(&self) -> Value {
        serde_json::from_slice(&self.body).unwrap_or_default()
    }

    pub(crate) fn text(&self) -> String {
        String::from_utf8_lossy(&self.body).into_owned()
    }

    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        self.headers.iter().find(|(known, _)| known == name).map(|(_, value)| value.as_str())
    }
}

fn connect(address: SocketAddr) -> std::io::Result<BufReader<TcpStream>> {
    let stream = TcpStream::connect(address)?;
    stream.set_nodelay(true)?;
    stream.set_read_timeout(Some(TIMEOUT))?;
    Ok(BufReader::new(stream))
}

/// Reads one response and says whether the connection may be used again.
fn read_response(
    reader: &mut BufReader<TcpStream>,
    head_only: bool,
) -> std::io::Result<(Response, bool)> {
    let status_line = read_line(reader)?;
    let status = status_line.split(' ').nth(1).and_then(|code| code.parse().ok());
    let status = status.ok_or_else(|| malformed("status line"))?;
    let mut headers = Vec::new();
    loop {
        let line = read_line(reader)?;
        if line.is_empty() {
            break;
        }
        let (name, value) = line.split_once(':').ok_or_else(|| malformed("header"))?;
        headers.push((name.to_ascii_lowercase(), value.trim().to_owned()));
    }
    let mut response = Response { status, headers, body: Vec::new() };
    let closes = response.header("connection").is_some_and(|v| v.eq_ignore_ascii_case("close"));
    if head_only || matches!(status, 204 | 304) {
        return Ok((response, !closes));
    }
    let length = match response.header("content-length") {
        Some(text) => Some(text.parse::<usize>().map_err(|_| malformed("content-length"))?),
        None => None,
    };
    if let Some(length) = length {
        response.body.resize(length, 0);
        reader.read_exact(&mut response.body)?;
    } else if response.header("transfer-encoding").is_some() {
        response.body = read_chunks(reader)?;
    } else {
        reader.read_to_end(&mut response.body)?;
        return Ok((response, false));
    }
    Ok((response, !closes))
}

fn read_chunks(reader: &mut BufReader<TcpStream>) -> std::io::Result<Vec<u8>> {
    let mut body = Vec::new();
    loop {
        let line = read_line(reader)?;
        let size = usize::from_str_radix(line.trim(), 16).map_err(|_| malformed("chunk size"))?;
        let start = body.len();
        body.resize(start + size, 0);
        reader.read_exact(&mut body[start..])?;
        read_line(reader)?;
        if size == 0 {
            return Ok(body);
        }
    }
}

/// One line without its line break; the end of the stream is an error.
fn read_line(reader: &mut BufReader<TcpStream>) -> std::io::Result<String> {
    let mut line = String::new();
    if reader.read_line(&mut line)? == 0 {
        return Err(std::io::ErrorKind::UnexpectedEof.into());
    }
    line.truncate(line.trim_end_matches(['\r', '\n']).len());
    Ok(line)
}

fn malformed(what: &str) -> std::io::Error {
    std::io::Error::new(std::io::ErrorKind::InvalidData, format!("malformed {what}"))
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use std::net::TcpListener;

    use super::*;

    /// Answers one connection with `answer`, whatever is asked.
    fn server(answer: &'static [u8]) -> SocketAddr {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        std::thread::spawn(move || {
            let (mut stream, _) = listener.accept().unwrap();
            let mut asked = [0; 1024];
            let _ = stream.read(&mut asked).unwrap();
            stream.write_all(answer).unwrap();
        });
        address
    }

    #[test]
    fn reads_bodies_by_length_by_chunks_and_to_the_end() {
        for answer in [
            &b"HTTP/1.1 200 OK\r\nContent-Length: 7\r\n\r\n{\"a\":1}"[..],
            b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\n{\"a\r\n4\r\n\":1}\r\n0\r\n\r\n",
            b"HTTP/1.1 200 OK\r\n\r\n{\"a\":1}",
        ] {
            let response = Client::new(server(answer)).call("GET", "/", &Value::Null).unwrap();
            assert_eq!((response.status, response.text().as_str()), (200, "{\"a\":1}"));
        }
    }

    #[test]
    fn a_cut_answer_is_an_error() {
        for answer in [&b""[..], b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\n{\"a\""] {
            assert!(Client::new(server(answer)).call("GET", "/", &Value::Null).is_err());
        }
    }
}
