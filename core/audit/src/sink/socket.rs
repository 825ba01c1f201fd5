use std::io;
use std::net::{TcpStream, ToSocketAddrs, UdpSocket};
use std::os::unix::net::UnixStream;
use std::time::Duration;

use base_types::Error;

use super::{Batch, Sink, Tail, Written, failed, send_datagrams, write_stream};

/// The kinds of socket, by the names that Vault gives them.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum SocketKind {
    Tcp,
    Udp,
    Unix,
}

/// Lines over a socket. Over TCP and UNIX sockets they are a stream; over UDP each is a datagram,
/// and nobody can tell whether it has arrived. A line that was handed to the system just before
/// the other side went away counts as written.
pub(crate) struct SocketSink {
    kind: SocketKind,
    address: String,
    /// How long connecting or one write may take; `None` has no limit.
    timeout: Option<Duration>,
    connection: Option<Connection>,
}

enum Connection {
    Tcp(TcpStream),
    Udp(UdpSocket),
    Unix(UnixStream),
}

impl SocketSink {
    pub(crate) fn new(kind: SocketKind, address: String, timeout: Option<Duration>) -> Self {
        Self { kind, address, timeout, connection: None }
    }

    fn connect(&self) -> io::Result<Connection> {
        match self.kind {
            SocketKind::Tcp => {
                let stream = self.connect_tcp()?;
                stream.set_write_timeout(self.timeout)?;
                stream.set_nodelay(true)?;
                Ok(Connection::Tcp(stream))
            }
            SocketKind::Udp => {
                let peer = self.address.to_socket_addrs()?.next().ok_or(io::ErrorKind::NotFound)?;
                let local = if peer.is_ipv4() { "0.0.0.0:0" } else { "[::]:0" };
                let socket = UdpSocket::bind(local)?;
                socket.connect(peer)?;
                socket.set_write_timeout(self.timeout)?;
                Ok(Connection::Udp(socket))
            }
            SocketKind::Unix => {
                let stream = UnixStream::connect(&self.address)?;
                stream.set_write_timeout(self.timeout)?;
                Ok(Connection::Unix(stream))
            }
        }
    }

    fn connect_tcp(&self) -> io::Result<TcpStream> {
        let mut refusal = io::Error::from(io::ErrorKind::NotFound);
        for peer in self.address.to_socket_addrs()? {
            let connected = match self.timeout {
                Some(timeout) => TcpStream::connect_timeout(&peer, timeout),
                None => TcpStream::connect(peer),
            };
            match connected {
                Ok(stream) => return Ok(stream),
                Err(error) => refusal = error,
            }
        }
        Err(refusal)
    }

    fn written(&self, batch: &Batch, (done, error): (usize, Option<io::Error>)) -> Written {
        match error {
            None => Written::all(batch),
            Some(error) => {
                Written::broken(batch.lines_within(done), failed("send to", &self.address, &error))
            }
        }
    }
}

impl Sink for SocketSink {
    fn open(&mut self) -> Result<Tail, Error> {
        self.close();
        let connection =
            self.connect().map_err(|error| failed("connect to", &self.address, &error))?;
        self.connection = Some(connection);
        Ok(Tail::default())
    }

    fn write(&mut self, batch: &Batch) -> Written {
        match &self.connection {
            Some(Connection::Tcp(stream)) => self.written(batch, write_stream(stream, batch)),
            Some(Connection::Unix(stream)) => self.written(batch, write_stream(stream, batch)),
            Some(Connection::Udp(socket)) => {
                send_datagrams(batch, &self.address, |line| socket.send(line))
            }
            None => Written::broken(0, Error::unavailable(format!("{} is closed", self.address))),
        }
    }

    fn close(&mut self) {
        self.connection = None;
    }
}
