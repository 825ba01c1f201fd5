//! Key services of sops: another process, that holds keys which this one has not, wraps and unwraps
//! data keys. gRPC without TLS and without any proof of who asks, so for a socket of the file system or
//! a tunnel: <https://github.com/getsops/sops/blob/main/keyservice/keyservice.proto>.

mod client;
mod frame;
mod message;
mod server;

use std::fmt;
use std::path::PathBuf;
use std::str::FromStr;

pub use message::{Question, Verb};
pub use server::{Job, listen};

use crate::{Failure, Result};

/// Where a key service is.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum Address {
    /// Host and port.
    Tcp(String),
    Unix(PathBuf),
}

impl Address {
    /// By the name of the network and the address in it.
    ///
    /// # Errors
    /// `Invalid` for another network than `tcp` and `unix`, and for no address.
    pub fn new(network: &str, address: &str) -> Result<Self> {
        match network {
            _ if address.is_empty() => Err(Failure::invalid("the key service has no address")),
            "tcp" => Ok(Self::Tcp(address.to_owned())),
            "unix" => Ok(Self::Unix(address.into())),
            _ => Err(Failure::invalid(format!("'{network}' is no network: use tcp or unix"))),
        }
    }
}

/// `tcp://host:port` or `unix:///path`.
impl FromStr for Address {
    type Err = Failure;

    fn from_str(text: &str) -> Result<Self> {
        let (network, address) = text.split_once("://").ok_or_else(|| {
            Failure::invalid(format!(
                "'{text}' is no key service: write tcp://HOST:PORT or unix:///PATH"
            ))
        })?;
        Self::new(network, address)
    }
}

impl fmt::Display for Address {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Tcp(address) => write!(f, "tcp://{address}"),
            Self::Unix(path) => write!(f, "unix://{}", path.display()),
        }
    }
}

/// The key services of a run.
#[derive(Clone, Debug)]
pub struct KeyServices {
    /// Whether this process uses the keys that it has itself.
    pub local: bool,
    /// Those that are asked where it cannot.
    pub others: Vec<Address>,
}

impl Default for KeyServices {
    fn default() -> Self {
        Self { local: true, others: Vec::new() }
    }
}

impl KeyServices {
    /// The first answer, of this process or of a service.
    ///
    /// # Errors
    /// That of this process, or else of the last service.
    pub(crate) fn first<T>(
        &self,
        local: impl FnOnce() -> Result<T>,
        remote: impl Fn(&Address) -> Result<T>,
    ) -> Result<T> {
        let mut failure = Failure::invalid("there is no key service to ask");
        if self.local {
            match local() {
                Ok(answer) => return Ok(answer),
                Err(why) => failure = why,
            }
        }
        for address in &self.others {
            match remote(address) {
                Ok(answer) => return Ok(answer),
                Err(why) if self.local => {
                    failure.text.push_str(&format!("; {address}: {}", why.text));
                }
                Err(why) => failure = why.at(address),
            }
        }
        Err(failure)
    }
}

pub(crate) use client::ask;
