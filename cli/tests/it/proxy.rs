use std::collections::VecDeque;
use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};
use std::sync::{Arc, Mutex};

/// A server that passes requests on and remembers the answers, or gives the answers it remembers.
pub(crate) struct Proxy {
    pub(crate) address: String,
    state: Arc<Mutex<State>>,
}

#[derive(Default)]
struct State {
    upstream: String,
    replaying: bool,
    recorded: VecDeque<Exchange>,
    requests: Vec<Asked>,
}

struct Exchange {
    asked: Asked,
    answer: Vec<u8>,
}

/// What a request asks for, apart from its token.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Asked {
    pub(crate) line: String,
    pub(crate) namespace: String,
    pub(crate) wrap_ttl: String,
    pub(crate) body: serde_json::Value,
}

impl Proxy {
    pub(crate) fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = format!("http://{}", listener.local_addr().unwrap());
        let state = Arc::<Mutex<State>>::default();
        let shared = state.clone();
        std::thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                answer(stream, &shared);
            }
        });
        Self { address, state }
    }

    /// From now on requests go to `upstream`, a host with a port, and are recorded.
    pub(crate) fn record(&self, upstream: &str) {
        *self.state.lock().unwrap() = State { upstream: upstream.to_owned(), ..State::default() };
    }

    /// From now on the recorded answers are given again. Returns what was asked while recording.
    pub(crate) fn replay(&self) -> Vec<Asked> {
        let mut state = self.state.lock().unwrap();
        state.replaying = true;
        std::mem::take(&mut state.requests)
    }

    /// What was asked since the replay began.
    pub(crate) fn asked(&self) -> Vec<Asked> {
        std::mem::take(&mut self.state.lock().unwrap().requests)
    }
}

fn answer(mut stream: TcpStream, state: &Mutex<State>) {
    let Some((request, asked)) = receive(&mut stream) else { return };
    let mut state = state.lock().unwrap();
    state.requests.push(asked.clone());
    let bytes = if state.replaying {
        // The next answer to the same question; a question never asked before has none.
        let found = state.recorded.iter().position(|exchange| exchange.asked.line == asked.line);
        match found.and_then(|at| state.recorded.remove(at)) {
            Some(exchange) => exchange.answer,
            None => b"HTTP/1.1 599 not recorded\r\nContent-Length: 0\r\n\r\n".to_vec(),
        }
    } else {
        let mut upstream = TcpStream::connect(&state.upstream).unwrap();
        upstream.write_all(&request).unwrap();
        let mut answer = Vec::new();
        upstream.read_to_end(&mut answer).unwrap();
        state.recorded.push_back(Exchange { asked, answer: answer.clone() });
        answer
    };
    let _ = stream.write_all(&bytes);
}

/// The request with `Connection: close`, and what it asks for.
fn receive(stream: &mut TcpStream) -> Option<(Vec<u8>, Asked)> {
    let mut bytes = Vec::new();
    let mut chunk = [0; 4096];
    let end = loop {
        if let Some(at) = bytes.windows(4).position(|four| four == b"\r\n\r\n") {
            break at + 4;
        }
        match stream.read(&mut chunk).ok()? {
            0 => return None,
            count => bytes.extend_from_slice(&chunk[..count]),
        }
    };
    let head = String::from_utf8(bytes[..end].to_vec()).unwrap();
    let header = |name: &str| {
        let found = head.lines().filter_map(|line| line.split_once(": "));
        let mut found = found.filter(|(key, _)| key.eq_ignore_ascii_case(name));
        found.next().map_or(String::new(), |(_, value)| value.to_owned())
    };
    let length: usize = header("content-length").parse().unwrap_or(0);
    while bytes.len() < end + length {
        match stream.read(&mut chunk).ok()? {
            0 => return None,
            count => bytes.extend_from_slice(&chunk[..count]),
        }
    }
    let mut body: serde_json::Value = serde_json::from_slice(&bytes[end..]).unwrap_or_default();
    let line = head.lines().next()?.trim_end_matches(" HTTP/1.1").to_owned();
    if let Some(body) = body.as_object_mut().filter(|_| line.ends_with("/sys/capabilities-self")) {
        // bao sends the token once more in the body; the header is enough.
        body.remove("token");
    }
    let asked = Asked {
        line,
        namespace: header("x-vault-namespace"),
        wrap_ttl: header("x-vault-wrap-ttl"),
        body: meaningful(body),
    };
    let (first, rest) = head.split_once("\r\n")?;
    let mut request = format!("{first}\r\nConnection: close\r\n{rest}").into_bytes();
    request.extend_from_slice(&bytes[end..]);
    Some((request, asked))
}

/// `body` without the members that say nothing: null, empty, false, zero. Whether such a member is
/// sent or left out makes no difference to the API.
fn meaningful(body: serde_json::Value) -> serde_json::Value {
    use serde_json::Value;
    let empty = |value: &Value| match value {
        Value::Null | Value::Bool(false) => true,
        Value::Number(number) => number.as_i64() == Some(0),
        Value::String(text) => text.is_empty() || text == "0s",
        Value::Array(items) => items.is_empty(),
        Value::Object(members) => members.is_empty(),
        Value::Bool(true) => false,
    };
    match body {
        Value::Object(members) => {
            let members = members.into_iter().map(|(key, value)| (key, meaningful(value)));
            Value::Object(members.filter(|(_, value)| !empty(value)).collect())
        }
        other => other,
    }
}
