use std::net::ToSocketAddrs;

use base_types::{Clock, Timestamp, Ttl};

use super::{Report, paths};
use crate::config::{Bind, ClientCertificates, Listener, Tls, UnixSocket};
use crate::listener::{
    Certificate, Listeners, answers, bindable, certificates, owner_ids, private_key,
};

/// One listener: its address, and its certificate if it has one.
pub(super) async fn check(report: &mut Report, listener: &Listener, clock: &dyn Clock) {
    match &listener.bind {
        Bind::Tcp(address) => {
            let name = format!("listener {address}");
            match &listener.tls {
                Some(tls) => check_tls(report, &name, tls, clock),
                None => check_plain(report, &name, address),
            }
            check_bind(report, &name, listener).await;
        }
        Bind::Unix(socket) => check_unix(report, socket),
    }
}

/// Binds as the server would, with TLS, and lets go at once.
async fn check_bind(report: &mut Report, name: &str, listener: &Listener) {
    match Listeners::bind(std::slice::from_ref(listener), 1).await {
        Ok(_) => report.ok(name, "can be bound"),
        Err(error) => report.failure(
            name,
            error.public(),
            "correct what it says; if this server is at work, that is why the address is taken",
        ),
    }
}

fn check_plain(report: &mut Report, name: &str, address: &str) {
    let resolved = bindable(address).to_socket_addrs();
    let local = resolved.is_ok_and(|mut all| all.all(|address| address.ip().is_loopback()));
    if !local {
        report.warning(
            name,
            "tls_disable: tokens and secrets can be read on the way",
            "name tls_cert_file and tls_key_file, or listen on 127.0.0.1 behind a proxy that has TLS",
        );
    }
}

fn check_unix(report: &mut Report, socket: &UnixSocket) {
    let name = format!("listener {}", socket.path.display());
    match answers(&socket.path) {
        Ok(false) => {}
        Ok(true) => report.failure(
            &name,
            "another process answers on the socket",
            "stop it, unless it is this server at work",
        ),
        Err(error) => report.failure(&name, error.public(), "choose another path"),
    }
    if let Err(error) = owner_ids(socket) {
        report.failure(&name, error.public(), "correct socket_user or socket_group");
    }
    if !socket.path.exists() {
        paths::check_appendable(report, &name, &socket.path);
    }
    if socket.mode.is_none() {
        report.warning(
            &name,
            "without socket_mode the umask decides who may open the socket",
            "add for example socket_mode = \"0660\"",
        );
    }
}

fn check_tls(report: &mut Report, name: &str, tls: &Tls, clock: &dyn Clock) {
    match certificates(&tls.cert_file) {
        Ok(chain) => {
            let ders: Vec<&[u8]> = chain.iter().map(AsRef::as_ref).collect();
            check_chain(report, name, &ders, clock.now());
        }
        Err(error) => report.failure(name, error.public(), "write a certificate chain in PEM form"),
    }
    match private_key(&tls.key_file) {
        Ok(_) => paths::check_private(report, name, &tls.key_file),
        Err(error) => report.failure(name, error.public(), "write a private key in PEM form"),
    }
    if let ClientCertificates::Required { ca_file } = &tls.clients
        && let Err(error) = certificates(ca_file)
    {
        report.failure(name, error.public(), "write the CA of the clients in PEM form");
    }
}

const SOON: Ttl = Ttl::from_seconds(30 * 24 * 3600);

/// The times of all certificates, and that each was issued by the next one.
pub(super) fn check_chain(report: &mut Report, name: &str, ders: &[&[u8]], now: Timestamp) {
    let mut chain = Vec::new();
    for der in ders {
        match Certificate::parse(der) {
            Ok(certificate) => chain.push(certificate),
            Err(error) => report.failure(name, error.public(), "replace the certificate file"),
        }
    }
    for (index, certificate) in chain.iter().enumerate() {
        let (from, until) = (certificate.not_before, certificate.not_after);
        let which = format!("certificate {} of the chain", index + 1);
        if now < from {
            let text = format!("{which} is not valid before {from}");
            report.failure(name, text, "wait, check the clock, or issue another");
        } else if now >= until {
            let text = format!("{which} expired at {until}");
            report.failure(name, text, "renew it, then send SIGHUP");
        } else if now.until(until) < SOON {
            let text = format!("{which} expires at {until}");
            report.warning(name, text, "renew it, then send SIGHUP");
        } else {
            report.ok(name, format!("{which} is valid until {until}"));
        }
    }
    if chain.windows(2).any(|pair| pair[0].issuer != pair[1].subject) {
        report.failure(
            name,
            "the chain is out of order: each certificate must be issued by the next",
            "put the server's own certificate first, then its issuer, and so on",
        );
    }
}
