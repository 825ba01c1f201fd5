use base_tls::ServerCheck;
use base_types::{Error, Result, Secret};
use percent_encoding::{NON_ALPHANUMERIC, utf8_percent_encode};
use tokio_postgres::Config;
use tokio_postgres::config::SslMode;

use crate::details::Details;
use crate::url::{is_url, pairs};

/// What a connection URL or a list of `key=value` pairs says.
/// <https://www.postgresql.org/docs/current/libpq-connect.html#LIBPQ-CONNSTRING>
pub(super) struct Target {
    pub(super) config: Config,
    /// What is asked of the server's certificate, where there is TLS.
    pub(super) check: ServerCheck,
}

impl Target {
    /// # Errors
    /// `Invalid` if it is neither, without a word of it: it may hold a password.
    pub(super) fn read(details: &Details) -> Result<Self> {
        let given = details.connection_url.expose();
        if given.is_empty() {
            return Err(Error::invalid("connection_url cannot be empty"));
        }
        let (text, mode) = without_mode(given);
        let filled = Secret::new(filled(&text, details)?);
        let mut config: Config = filled.expose().parse().map_err(|_| {
            Error::invalid(
                "connection_url is neither a URL (postgresql://host/database) nor key=value pairs \
                 that are known here; certificates are given as tls_ca, tls_certificate and \
                 private_key",
            )
        })?;
        // What the library has found and we have not holds all the same.
        let mode = mode.as_deref().unwrap_or(match config.get_ssl_mode() {
            SslMode::Disable => "disable",
            SslMode::Prefer => "prefer",
            _ => "require",
        });
        let has_authority = !details.tls_ca.is_empty();
        let (ssl, check) = match mode {
            "disable" => (SslMode::Disable, ServerCheck::DangerNothing),
            "allow" | "prefer" => (SslMode::Prefer, ServerCheck::DangerNothing),
            // Whoever names an authority wants it asked, as with libpq.
            "require" if has_authority => (SslMode::Require, ServerCheck::Chain),
            "require" => (SslMode::Require, ServerCheck::DangerNothing),
            "verify-ca" => (SslMode::Require, ServerCheck::Chain),
            "verify-full" => (SslMode::Require, ServerCheck::Full),
            _ => {
                let known = "disable, allow, prefer, require, verify-ca and verify-full";
                return Err(Error::invalid(format!(
                    "sslmode in connection_url: there are {known}"
                )));
            }
        };
        config.ssl_mode(ssl);
        if config.get_application_name().is_none() {
            config.application_name("strongroom");
        }
        Ok(Self { config, check })
    }
}

/// The text without its `sslmode`, of which the library knows only some.
fn without_mode(text: &str) -> (String, Option<String>) {
    let mut mode = None;
    let unquoted = |value: &str| Some(value.trim_matches('\'').to_owned());
    if !is_url(text) {
        let Some(pairs) = pairs(text) else { return (text.to_owned(), None) };
        let mut kept = Vec::new();
        for pair in pairs {
            match pair.key {
                "sslmode" => mode = unquoted(&text[pair.value]),
                _ => kept.push(&text[pair.place]),
            }
        }
        return (kept.join(" "), mode);
    }
    let Some((base, query)) = text.split_once('?') else { return (text.to_owned(), None) };
    let keep = |pair: &&str| match pair.strip_prefix("sslmode=") {
        Some(value) => {
            mode = unquoted(value);
            false
        }
        None => true,
    };
    let kept: Vec<&str> = query.split('&').filter(keep).collect();
    let joined =
        if kept.is_empty() { base.to_owned() } else { format!("{base}?{}", kept.join("&")) };
    (joined, mode)
}

/// The text with the username and the password in their places.
fn filled(text: &str, details: &Details) -> Result<String> {
    let mut text = text.to_owned();
    let values = [("{{username}}", &details.username), ("{{password}}", details.password.expose())];
    for (placeholder, value) in values {
        if !text.contains(placeholder) {
            continue;
        }
        let escaped = match (details.disable_escaping, is_url(&text)) {
            (true, _) => value.clone(),
            (false, true) => utf8_percent_encode(value, NON_ALPHANUMERIC).to_string(),
            (false, false) => {
                let quoted = text.contains(&format!("'{placeholder}'"));
                let value = value.replace('\\', "\\\\").replace('\'', "\\'");
                if quoted { value } else { format!("'{value}'") }
            }
        };
        text = text.replace(placeholder, &escaped);
    }
    Ok(text)
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    fn target(url: &str, password: &str, ca: &str) -> Result<Target> {
        Target::read(&Details {
            connection_url: Secret::new(url.to_owned()),
            username: "us'er".to_owned(),
            password: Secret::new(password.to_owned()),
            tls_ca: ca.to_owned(),
            ..Details::default()
        })
    }

    #[test]
    fn names_and_passwords_arrive_unchanged() {
        for url in [
            "postgresql://{{username}}:{{password}}@127.0.0.1:5/db",
            "host=127.0.0.1 port=5 user={{username}} password={{password}} dbname=db",
            "host=127.0.0.1 port=5 user='{{username}}' password='{{password}}' dbname=db",
        ] {
            for password in ["simple", "a@b:c/d?e#f%", "it's \\ &sslmode=disable x={{username}}"] {
                let config = target(url, password, "").unwrap().config;
                assert_eq!(config.get_user(), Some("us'er"), "{url}");
                assert_eq!(config.get_password(), Some(password.as_bytes()), "{url}");
                assert_eq!(config.get_ports(), [5]);
                assert_eq!(config.get_dbname(), Some("db"));
            }
        }
    }

    #[test]
    fn the_mode_says_what_is_asked_of_the_certificate() {
        let check = |mode: &str, ca: &str| {
            let (name, value) = mode.split_once('=').unwrap();
            let modes = [
                format!("postgresql://h/?{mode}&connect_timeout=3"),
                format!("host=h {mode} user=u"),
                format!("host=h\n{mode}\tuser=u"),
                format!("host=h {name} = '{value}' user=u"),
                format!("password='a {name}=disable' {mode}"),
            ];
            modes.map(|url| {
                let target = target(&url, "", ca).map_err(|e| e.public().to_owned())?;
                Ok::<_, String>((target.config.get_ssl_mode(), target.check))
            })
        };
        for (mode, ca, ssl, asked) in [
            ("sslmode=disable", "", SslMode::Disable, ServerCheck::DangerNothing),
            ("sslmode=allow", "", SslMode::Prefer, ServerCheck::DangerNothing),
            ("sslmode=prefer", "x", SslMode::Prefer, ServerCheck::DangerNothing),
            ("sslmode=require", "", SslMode::Require, ServerCheck::DangerNothing),
            ("sslmode=require", "x", SslMode::Require, ServerCheck::Chain),
            ("sslmode=verify-ca", "", SslMode::Require, ServerCheck::Chain),
            ("sslmode=verify-full", "", SslMode::Require, ServerCheck::Full),
        ] {
            assert_eq!(check(mode, ca), std::array::from_fn(|_| Ok((ssl, asked))), "{mode}");
        }
        assert!(check("sslmode=maybe", "").iter().all(Result::is_err));
        // What only the library finds.
        for url in ["postgresql://h/?ssl%6Dode=require", "postgresql://u:p?w@h/?sslmode=require"] {
            let found = |ca| target(url, "", ca).map(|it| (it.config.get_ssl_mode(), it.check));
            assert_eq!(found("").unwrap(), (SslMode::Require, ServerCheck::DangerNothing), "{url}");
            assert_eq!(found("x").unwrap(), (SslMode::Require, ServerCheck::Chain), "{url}");
        }
    }

    #[test]
    fn a_fault_never_repeats_the_url() {
        for url in [
            "http://u:hunter2@h/",
            "host=h hunter2",
            "host=h password=a hunter2=b",
            "postgresql://u:hunter2@h:port/",
        ] {
            let error = target(url, "", "").err().unwrap();
            assert!(!error.log().to_string().contains("hunter2"), "{}", error.public());
        }
    }
}
