//! The protocol: who binds, what is looked for, what changes. <https://www.rfc-editor.org/rfc/rfc4511>

use std::collections::HashSet;
use std::future::poll_fn;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::pin::pin;
use std::sync::Arc;
use std::task::Poll;
use std::time::Duration;

use base_tls::{ClientTls, ServerCheck};
use base_types::{Error, Result, Secret, Ttl};
use core_rotation::Login;
use ldap3::{
    LdapConnAsync, LdapConnSettings, LdapError, LdapResult, Mod, Scope, SearchEntry, SearchOptions,
    ldap_escape,
};

use crate::config::{Config, Schema};
use crate::ldif::{Action, Change, ChangeKind, Record};
use crate::names::tells;
use crate::url::ServerUrl;

/// A directory and how it is reached. Every piece of work has a connection of its own.
///
/// Whatever fails because the directory cannot be reached, or does not let its administrator in, is
/// `Unavailable`; what it refuses to do is `Invalid`.
pub(crate) struct Directory {
    urls: Vec<ServerUrl>,
    settings: LdapConnSettings,
    connection_timeout: Ttl,
    request_timeout: Ttl,
    bind_name: String,
    bind_password: Secret<String>,
    schema: Schema,
    search_base: String,
    search_attribute: String,
}

/// A connection on which the administrator has logged in.
pub(crate) struct Session<'d> {
    directory: &'d Directory,
    ldap: ldap3::Ldap,
}

/// What the protocol calls the results that matter here.
/// <https://www.rfc-editor.org/rfc/rfc4511#appendix-A>
mod code {
    pub(super) const SUCCESS: u32 = 0;
    pub(super) const SIZE_LIMIT_EXCEEDED: u32 = 4;
    pub(super) const NO_SUCH_ATTRIBUTE: u32 = 16;
    pub(super) const NO_SUCH_OBJECT: u32 = 32;
    pub(super) const INAPPROPRIATE_AUTHENTICATION: u32 = 48;
    pub(super) const INVALID_CREDENTIALS: u32 = 49;
    pub(super) const BUSY: u32 = 51;
    pub(super) const UNAVAILABLE: u32 = 52;
}

/// What a server says beyond this tells nobody anything.
const TEXT_MAX: usize = 300;

impl Directory {
    /// # Errors
    /// `Invalid` if the URL or the settings of TLS cannot be used.
    pub(crate) fn of(config: &Config) -> Result<Self> {
        let urls = ServerUrl::parse_all(&config.url)?;
        let mut settings = LdapConnSettings::new().set_starttls(config.starttls);
        if config.starttls || urls.iter().any(|url| url.is_secure) {
            settings = settings.set_config(Arc::new(tls(config).config()?));
        }
        Ok(Self {
            urls,
            settings,
            connection_timeout: config.connection_timeout,
            request_timeout: config.request_timeout,
            bind_name: config.bind_name(),
            bind_password: config.bindpass.open().clone(),
            schema: config.schema,
            search_base: config.userdn.clone(),
            search_attribute: config.userattr.clone(),
        })
    }

    /// The servers are tried in their order.
    async fn connect(&self) -> Result<ldap3::Ldap> {
        let mut last = Error::invalid("no url is configured");
        for url in &self.urls {
            let opened = LdapConnAsync::with_settings(self.settings.clone(), url.as_str());
            let opened = limited(self.connection_timeout, "take a connection", caught(opened));
            match opened.await {
                Ok((connection, ldap)) => {
                    // It ends with the last handle, and what goes wrong the handle tells.
                    tokio::spawn(async move { drop(connection.drive().await) });
                    return Ok(ldap);
                }
                Err(error) => last = error.at(format!("cannot reach {}", url.as_str())),
            }
        }
        Err(last)
    }

    /// An empty password would be taken for nobody's, who is always let in: it is not sent.
    /// <https://www.rfc-editor.org/rfc/rfc4513#section-5.1.2>
    async fn bind(
        &self,
        name: &str,
        password: &Secret<String>,
    ) -> Result<(ldap3::Ldap, LdapResult)> {
        if name.is_empty() || password.expose().is_empty() {
            return Err(Error::invalid("a login needs a name and a password"));
        }
        let mut ldap = self.connect().await?;
        let bound = self.within(ldap.simple_bind(name, password.expose())).await?;
        Ok((ldap, bound))
    }

    /// Logs in as the administrator.
    pub(crate) async fn session(&self) -> Result<Session<'_>> {
        let (ldap, bound) = self.bind(&self.bind_name, &self.bind_password).await?;
        if bound.rc != code::SUCCESS {
            let place = "the directory does not let binddn log in with bindpass";
            return Err(Error::unavailable(said(&bound)).at(place));
        }
        Ok(Session { directory: self, ldap })
    }

    /// Logs in as somebody, by the name of an entry.
    pub(crate) async fn check_login(&self, dn: &str, password: &Secret<String>) -> Result<Login> {
        if password.expose().is_empty() {
            return Ok(Login::Refused);
        }
        let (mut ldap, bound) = self.bind(dn, password).await?;
        let _ = ldap.unbind().await;
        match bound.rc {
            code::SUCCESS => Ok(Login::Accepted),
            code::INVALID_CREDENTIALS
            | code::INAPPROPRIATE_AUTHENTICATION
            | code::NO_SUCH_OBJECT => Ok(Login::Refused),
            _ => Err(refusal(&bound)),
        }
    }

    /// Tells which of two passwords of the administrator the directory takes.
    pub(crate) async fn check_bind(&self, password: &Secret<String>) -> Result<Login> {
        self.check_login(&self.bind_name, password).await
    }

    async fn within<T>(&self, work: impl Future<Output = Result<T, LdapError>>) -> Result<T> {
        limited(self.request_timeout, "answer", caught(work)).await
    }
}

impl Session<'_> {
    /// Does what the records say, in their order, up to the first that is refused.
    pub(crate) async fn apply(
        mut self,
        records: &[Record],
        password: &Secret<String>,
    ) -> Result<()> {
        for record in records {
            let result = self.perform(record).await?;
            succeeded(&result).map_err(|error| without(error, password))?;
        }
        self.end().await;
        Ok(())
    }

    /// Does as much of what the records say as can be done. What is not there any more, or never was,
    /// is gone as it should be.
    ///
    /// # Errors
    /// The first failure.
    pub(crate) async fn remove(mut self, records: &[Record]) -> Result<()> {
        let mut outcome = Ok(());
        for record in records {
            let result = self.perform(record).await?;
            let is_absent = matches!(result.rc, code::NO_SUCH_OBJECT | code::NO_SUCH_ATTRIBUTE);
            if !is_absent {
                outcome = outcome.and(succeeded(&result));
            }
        }
        self.end().await;
        outcome
    }

    async fn perform(&mut self, record: &Record) -> Result<LdapResult> {
        let (directory, ldap, dn) = (self.directory, &mut self.ldap, record.dn.as_str());
        match &record.action {
            Action::Add(attributes) => {
                let all = attributes.iter().map(|attribute| {
                    let values = attribute.values.iter().cloned().collect();
                    (attribute.name.clone().into_bytes(), values)
                });
                directory.within(ldap.add(dn, all.collect())).await
            }
            Action::Delete => directory.within(ldap.delete(dn)).await,
            Action::Modify(changes) => {
                let changes = changes.iter().map(Change::to_modification).collect();
                directory.within(ldap.modify(dn, changes)).await
            }
        }
    }

    /// The name of the one entry that is called so.
    ///
    /// # Errors
    /// `Invalid` if there is none, or several.
    pub(crate) async fn find(&mut self, username: &str) -> Result<String> {
        let directory = self.directory;
        let filter = format!("({}={})", directory.search_attribute, ldap_escape(username));
        self.ldap.with_search_options(SearchOptions::new().sizelimit(2));
        let base = directory.search_base.as_str();
        let found = directory.within(async {
            // No attributes: the name is enough.
            let found = self.ldap.search(base, Scope::Subtree, &filter, ["1.1"]).await?;
            let entries = found.0.into_iter().filter(|entry| !entry.is_ref());
            let names: Vec<_> = entries.map(|entry| SearchEntry::construct(entry).dn).collect();
            Ok((names, found.1))
        });
        let (names, result) = found.await?;
        if !matches!(result.rc, code::SUCCESS | code::SIZE_LIMIT_EXCEEDED) {
            return Err(refusal(&result).at(format!("cannot look for {username:?}")));
        }
        let mut names = names.into_iter();
        match (names.next(), names.next()) {
            (Some(dn), None) => Ok(dn),
            (first, _) => Err(Error::invalid(format!(
                "expected one entry with {}={username:?} below {base:?}, but found {}",
                directory.search_attribute,
                if first.is_some() { "several" } else { "none" }
            ))),
        }
    }

    /// Gives an entry a password, in the attribute that its kind of directory has for it.
    pub(crate) async fn set_password(mut self, dn: &str, password: &Secret<String>) -> Result<()> {
        if password.expose().is_empty() {
            return Err(Error::invalid("the password policy gives an empty password"));
        }
        let changes = self.directory.schema.modifications(password.expose());
        let result = self.directory.within(self.ldap.modify(dn, changes)).await?;
        succeeded(&result)
            .map_err(|error| without(error, password).at("cannot change the password"))?;
        self.end().await;
        Ok(())
    }

    pub(crate) async fn end(mut self) {
        let _ = self.ldap.unbind().await;
    }
}

impl Change {
    fn to_modification(&self) -> Mod<Vec<u8>> {
        let name = self.attribute.name.clone().into_bytes();
        let values = self.attribute.values.iter().cloned().collect();
        match self.kind {
            ChangeKind::Add => Mod::Add(name, values),
            ChangeKind::Delete => Mod::Delete(name, values),
            ChangeKind::Replace => Mod::Replace(name, values),
        }
    }
}

impl Schema {
    fn modifications(self, password: &str) -> Vec<Mod<Vec<u8>>> {
        let replace = |name: &str, value: Vec<u8>| {
            Mod::Replace(name.as_bytes().to_vec(), HashSet::from([value]))
        };
        match self {
            Self::Openldap => vec![replace("userPassword", password.as_bytes().to_vec())],
            Self::Racf => vec![
                replace("racfPassword", password.as_bytes().to_vec()),
                replace("racfAttributes", b"noexpired".to_vec()),
            ],
            // In quotes and UTF-16. <https://learn.microsoft.com/openspecs/windows_protocols/ms-adts/6e803168-f140-4d23-b2d3-c3a8ab5917d2>
            Self::Ad => {
                let quoted = Secret::new(format!("\"{password}\""));
                let bytes = quoted.expose().encode_utf16().flat_map(u16::to_le_bytes);
                vec![replace("unicodePwd", bytes.collect())]
            }
        }
    }
}

pub(crate) fn tls(config: &Config) -> ClientTls {
    let check =
        if config.insecure_tls { ServerCheck::DangerNothing } else { ServerCheck::default() };
    ClientTls {
        ca: config.certificate.clone(),
        certificate: config.client_tls_cert.clone(),
        private_key: config.client_tls_key.open().clone(),
        check,
        ..ClientTls::default()
    }
}

/// Work of a directory, which may not take for ever.
async fn limited<T>(limit: Ttl, what: &str, work: impl Future<Output = Result<T>>) -> Result<T> {
    let seconds = limit.seconds();
    tokio::time::timeout(Duration::from_secs(seconds), work).await.unwrap_or_else(|_| {
        let text = format!("the directory did not {what} within {seconds} seconds");
        Err(Error::unavailable(text))
    })
}

/// The client panics on an answer that is no LDAP; here that is an error like any other.
async fn caught<T>(work: impl Future<Output = Result<T, LdapError>>) -> Result<T> {
    let mut work = pin!(work);
    poll_fn(|context| {
        let poll = catch_unwind(AssertUnwindSafe(|| work.as_mut().poll(context)));
        match poll {
            Ok(poll) => poll.map_err(|error| unreachable(&error)),
            Err(_) => Poll::Ready(Err(Error::unavailable("it does not speak LDAP"))),
        }
    })
    .await
}

fn unreachable(error: &LdapError) -> Error {
    let mut cause: &dyn std::error::Error = error;
    while let Some(source) = cause.source() {
        cause = source;
    }
    Error::unavailable(cause.to_string())
}

fn succeeded(result: &LdapResult) -> Result<()> {
    if result.rc == code::SUCCESS { Ok(()) } else { Err(refusal(result)) }
}

fn refusal(result: &LdapResult) -> Error {
    match result.rc {
        code::BUSY | code::UNAVAILABLE => Error::unavailable(said(result)),
        _ => Error::invalid(said(result)),
    }
}

/// The server's own words.
fn said(result: &LdapResult) -> String {
    let text = result.to_string();
    let name = text.split_once('(').and_then(|(_, rest)| rest.split_once(')'));
    let name = name.map_or("unknown", |(name, _)| name);
    let words: String = result.text.chars().take(TEXT_MAX).collect();
    let separator = if words.is_empty() { "" } else { ": " };
    format!("LDAP result {} ({name}){separator}{words}", result.rc)
}

/// What a directory says, unless it repeats the password that it was told.
fn without(error: Error, password: &Secret<String>) -> Error {
    if tells(error.public(), password) {
        return Error::new(error.kind(), "the directory refused a request with the password in it");
    }
    error
}

#[cfg(test)]
mod tests {
    use base_types::ErrorKind;

    use super::*;

    fn result(rc: u32, text: &str) -> LdapResult {
        let text = text.to_owned();
        LdapResult { rc, matched: String::new(), text, refs: Vec::new(), ctrls: Vec::new() }
    }

    #[test]
    fn the_words_of_the_directory_are_told_and_cut() {
        let long = "ä".repeat(1 << 20);
        assert_eq!(said(&result(49, "")), "LDAP result 49 (invalidCredentials)");
        assert_eq!(said(&result(9999, "x")), "LDAP result 9999 (unknown): x");
        assert_eq!(said(&result(53, &long)).chars().count(), 37 + TEXT_MAX);
        assert_eq!(refusal(&result(51, "")).kind(), ErrorKind::Unavailable);
        let password = Secret::new("hunter2".to_owned());
        let error = without(refusal(&result(19, "hunter2 is too weak")), &password);
        assert_eq!(error.public(), "the directory refused a request with the password in it");
        assert_eq!(
            without(refusal(&result(19, "w")), &Secret::default()).kind(),
            ErrorKind::Invalid
        );
    }

    #[test]
    fn each_kind_of_directory_has_its_attribute() {
        let shape = |schema: Schema| {
            let all = schema.modifications("ä\"").into_iter().map(|change| match change {
                Mod::Replace(name, values) => {
                    (String::from_utf8_lossy(&name).into_owned(), values.into_iter().next())
                }
                other => panic!("{other:?}"),
            });
            all.collect::<Vec<_>>()
        };
        let text = |text: &str| Some(text.as_bytes().to_vec());
        assert_eq!(shape(Schema::Openldap), [("userPassword".to_owned(), text("ä\""))]);
        let utf16 = Some(vec![0x22, 0, 0xe4, 0, 0x22, 0, 0x22, 0]);
        assert_eq!(shape(Schema::Ad), [("unicodePwd".to_owned(), utf16)]);
        let noexpired = ("racfAttributes".to_owned(), text("noexpired"));
        assert_eq!(shape(Schema::Racf), [("racfPassword".to_owned(), text("ä\"")), noexpired]);
    }
}
