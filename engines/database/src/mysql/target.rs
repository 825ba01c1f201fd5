use base_types::{Error, Result};
use mysql_async::{ClientIdentity, Opts, OptsBuilder, SslOpts};

use crate::details::Details;

const PORT: u16 = 3306;
/// How a script is read depends on these modes, so they are as [`crate::sql`] expects them.
const MODES: &str = "SET SESSION sql_mode = REPLACE(REPLACE(@@sql_mode, 'NO_BACKSLASH_ESCAPES', ''), \
                     'ANSI_QUOTES', '')";
/// Settings of Go's driver that change nothing in what is done here.
const WITHOUT_EFFECT: [&str; 7] = [
    "charset",
    "collation",
    "loc",
    "multiStatements",
    "parseTime",
    "timeout",
    "allowNativePasswords",
];

/// Reads `user:password@tcp(host:port)/database?tls=…`, the form of Go's driver that Vault takes.
///
/// # Errors
/// `Invalid` if it has another form, without a word of it: it may hold a password.
pub(super) fn read(details: &Details) -> Result<Opts> {
    let url = details.connection_url.expose();
    if url.is_empty() {
        return Err(Error::invalid("connection_url cannot be empty"));
    }
    let form = || {
        Error::invalid(
            "connection_url has another form than {{username}}:{{password}}@tcp(host:port)/database",
        )
    };
    let (credentials, rest) = url.rsplit_once("@tcp(").ok_or_else(form)?;
    let (address, rest) = rest.split_once(')').ok_or_else(form)?;
    let rest = rest.strip_prefix('/').ok_or_else(form)?;
    let (database, parameters) = rest.split_once('?').unwrap_or((rest, ""));
    let (user, password) = credentials.split_once(':').unwrap_or((credentials, ""));
    let (host, port) = match address.rsplit_once(':') {
        Some((host, port)) => (host, port.parse().map_err(|_| form())?),
        None => (address, PORT),
    };
    let fill = |text: &str, placeholder: &str, value: &str| text.replace(placeholder, value);
    let builder = OptsBuilder::default()
        .ip_or_hostname(host.trim_matches(['[', ']']))
        .tcp_port(port)
        .user(Some(fill(user, "{{username}}", &details.username)))
        .pass(Some(fill(password, "{{password}}", details.password.expose())))
        .db_name(Some(database).filter(|database| !database.is_empty()))
        .prefer_socket(false)
        .init(vec![MODES])
        .ssl_opts(tls(details, parameters)?);
    Ok(builder.into())
}

fn tls(details: &Details, parameters: &str) -> Result<Option<SslOpts>> {
    let given = !details.tls_ca.is_empty() || !details.tls_certificate_key.expose().is_empty();
    let (mut wanted, mut skips) = (given, details.tls_skip_verify);
    for parameter in parameters.split('&').filter(|parameter| !parameter.is_empty()) {
        match parameter.split_once('=').unwrap_or((parameter, "")) {
            ("tls", "false") => wanted = given,
            ("tls", "true") => wanted = true,
            ("tls", "skip-verify") => (wanted, skips) = (true, true),
            (name, _) if WITHOUT_EFFECT.contains(&name) => {}
            (name, _) => {
                return Err(Error::invalid(format!(
                    "the parameter {name:?} of connection_url is not known here: there is tls=true, \
                     tls=false and tls=skip-verify"
                )));
            }
        }
    }
    if !wanted {
        return Ok(None);
    }
    let mut opts = SslOpts::default().with_danger_accept_invalid_certs(skips);
    if !details.tls_ca.is_empty() {
        let authority = details.tls_ca.clone().into_bytes();
        opts = opts.with_root_certs(vec![authority.into()]).with_disable_built_in_roots(true);
    }
    let pair = details.tls_certificate_key.expose();
    if !pair.is_empty() {
        // Both are in one text, and each reader finds its own.
        let part = || pair.clone().into_bytes();
        let identity = ClientIdentity::new(part().into(), part().into());
        opts = opts.with_client_identity(Some(identity));
    }
    if !details.tls_server_name.is_empty() {
        let name = details.tls_server_name.clone();
        opts = opts.with_danger_tls_hostname_override(Some(name));
    }
    Ok(Some(opts))
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use base_types::Secret;

    use super::*;

    fn target(url: &str, password: &str) -> Result<Opts> {
        read(&Details {
            connection_url: Secret::new(url.to_owned()),
            username: "us'er".to_owned(),
            password: Secret::new(password.to_owned()),
            ..Details::default()
        })
    }

    #[test]
    fn the_form_of_gos_driver_is_read() {
        for password in ["simple", "a:b@tcp(x)/y?z", "@tcp("] {
            let opts =
                target("{{username}}:{{password}}@tcp(10.0.0.1:33)/app?parseTime=true", password);
            let opts = opts.unwrap();
            assert_eq!((opts.user(), opts.pass()), (Some("us'er"), Some(password)));
            assert_eq!(
                (opts.ip_or_hostname(), opts.tcp_port(), opts.db_name()),
                ("10.0.0.1", 33, Some("app"))
            );
            assert!(opts.ssl_opts().is_none());
        }
        let opts = target("u:p@w@tcp(h)/?tls=skip-verify", "").unwrap();
        assert_eq!((opts.user(), opts.pass(), opts.tcp_port()), (Some("u"), Some("p@w"), 3306));
        assert!(opts.ssl_opts().unwrap().accept_invalid_certs());
    }

    #[test]
    fn a_fault_never_repeats_the_url() {
        for url in [
            "hunter2",
            "u:hunter2@h/",
            "u:hunter2@tcp(h:port)/",
            "u:hunter2@tcp(h)",
            "u:hunter2@tcp(h)/?foo=1",
        ] {
            let error = target(url, "").err().unwrap();
            assert!(!error.log().to_string().contains("hunter2"), "{}", error.public());
        }
        assert_eq!(target("", "").err().unwrap().public(), "connection_url cannot be empty");
    }
}
