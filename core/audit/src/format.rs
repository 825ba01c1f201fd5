use std::collections::BTreeMap;
use std::io::Write;
use std::ops::Range;

use base_types::{Timestamp, Ttl};
use serde_json::value::RawValue;

use crate::redact::{Style, push_redacted, push_text};
use crate::{
    Auth, GrantingPolicy, Mount, NamespaceInfo, PolicyResults, Request, RequestEntry, Response,
    ResponseEntry, WrapInfo,
};

/// Header name in lower case -> whether its values are hashed.
pub(crate) type HeaderRules = BTreeMap<String, bool>;

/// A formatted entry: a JSON object without its closing brace, because the chain's member is added
/// when the line gets its place in a device's stream.
pub(crate) struct Text {
    pub(crate) json: Vec<u8>,
    /// Where the members `auth` and `request` lie, for the response entry to take over.
    auth: Range<usize>,
    request: Range<usize>,
}

/// Hides and writes entries in one style.
pub(crate) struct Formatter<'a> {
    pub(crate) style: &'a Style,
    pub(crate) headers: &'a HeaderRules,
    pub(crate) time: Timestamp,
}

/// Most entries fit; the vector grows for the rest.
const CAPACITY: usize = 2048;

impl<'a> Formatter<'a> {
    /// The line of a request.
    pub(crate) fn request(&self, entry: &RequestEntry<'_>) -> Text {
        let mut json = Vec::with_capacity(CAPACITY);
        let mut line = Object::open(&mut json);
        self.start(&mut line, "request");
        let known = self.auth(line.member("auth"), &entry.auth);
        let request = self.request_object(line.member("request"), entry, &known);
        line.text("error", entry.error);
        Text { json, auth: known.whole, request }
    }

    /// The line of a response, with what is equal in its request's line taken from there.
    pub(crate) fn response(&self, entry: &ResponseEntry<'_>, begun: &Text) -> Text {
        let mut json = Vec::with_capacity(CAPACITY.max(begun.json.len() + CAPACITY / 2));
        let mut line = Object::open(&mut json);
        self.start(&mut line, "response");
        let auth = match entry.auth {
            Some(auth) => self.auth(line.member("auth"), auth).whole,
            None => line.copy("auth", &begun.json[begun.auth.clone()]),
        };
        let request = line.copy("request", &begun.json[begun.request.clone()]);
        self.response_object(line.member("response"), entry);
        line.text("error", entry.error);
        Text { json, auth, request }
    }

    fn start(&self, line: &mut Object<'_>, kind: &str) {
        write!(line.member("time"), "\"{}\"", self.time).expect("a vector takes every byte");
        line.text("type", kind);
    }

    fn auth(&self, out: &mut Vec<u8>, auth: &Auth<'_>) -> AuthText {
        let Auth {
            client_token,
            accessor,
            display_name,
            policies,
            token_policies,
            identity_policies,
            no_default_policy,
            policy_results,
            metadata,
            num_uses,
            remaining_uses,
            entity_id,
            entity_created,
            token_type,
            token_ttl,
            token_issue_time,
        } = auth;
        let start = out.len();
        let mut object = Object::open(out);
        let token = object.secret("client_token", client_token, self.style);
        let accessor = self.accessor(&mut object, "accessor", accessor);
        object.text("display_name", display_name);
        object.texts("policies", policies);
        object.texts("token_policies", token_policies);
        object.texts("identity_policies", identity_policies);
        object.flag("no_default_policy", *no_default_policy);
        if let Some(results) = policy_results {
            policy_results_object(object.member("policy_results"), results);
        }
        object.pairs("metadata", metadata);
        object.number("num_uses", *num_uses);
        object.number("remaining_uses", *remaining_uses);
        object.text("entity_id", entity_id);
        object.flag("entity_created", *entity_created);
        object.text("token_type", token_type);
        object.number("token_ttl", token_ttl.seconds());
        if let Some(time) = token_issue_time {
            object.time("token_issue_time", Timestamp::from_seconds(time.seconds()));
        }
        object.close();
        AuthText { token, accessor, whole: start..out.len() }
    }

    fn accessor(
        &self,
        object: &mut Object<'_>,
        name: &'static str,
        accessor: &str,
    ) -> Range<usize> {
        if self.style.hmac_accessor {
            object.secret(name, accessor, self.style)
        } else {
            object.text(name, accessor)
        }
    }

    fn request_object(
        &self,
        out: &mut Vec<u8>,
        entry: &RequestEntry<'_>,
        known: &AuthText,
    ) -> Range<usize> {
        let Request {
            id,
            client_id,
            replication_cluster,
            operation,
            mount,
            client_token,
            client_token_accessor,
            namespace,
            path,
            data,
            policy_override,
            remote_address,
            remote_port,
            wrap_ttl,
            headers,
            client_certificate_serial_number,
        } = &entry.request;
        let start = out.len();
        let mut object = Object::open(out);
        object.text("id", id);
        object.text("client_id", client_id);
        object.text("replication_cluster", replication_cluster);
        object.text("operation", operation);
        mount_members(&mut object, mount, "mount_running_version");
        // The request repeats the caller's token; hashing is the largest part of an entry's cost.
        if *client_token == entry.auth.client_token {
            object.repeat("client_token", &known.token);
        } else {
            object.secret("client_token", client_token, self.style);
        }
        if *client_token_accessor == entry.auth.accessor {
            object.repeat("client_token_accessor", &known.accessor);
        } else {
            self.accessor(&mut object, "client_token_accessor", client_token_accessor);
        }
        namespace_object(object.member("namespace"), namespace);
        object.text("path", path);
        self.data(&mut object, *data, mount.plain_request_keys, false);
        object.flag("policy_override", *policy_override);
        object.text("remote_address", remote_address);
        object.number("remote_port", u64::from(*remote_port));
        object.number("wrap_ttl", wrap_ttl.seconds());
        self.request_headers(&mut object, headers);
        object.text("client_certificate_serial_number", client_certificate_serial_number);
        object.close();
        start..out.len()
    }

    fn response_object(&self, out: &mut Vec<u8>, entry: &ResponseEntry<'_>) {
        let Response { auth, lease_id, data, warnings, redirect, wrap_info, headers } =
            &entry.response;
        let request = &entry.request.request;
        let mut object = Object::open(out);
        if let Some(auth) = auth {
            self.auth(object.member("auth"), auth);
        }
        mount_members(&mut object, &request.mount, "mount_running_plugin_version");
        if let Some(lease_id) = lease_id {
            let mut secret = Object::open(object.member("secret"));
            secret.text("lease_id", lease_id);
            secret.close();
        }
        let elide = self.style.elide_list_responses && request.operation == "list";
        self.data(&mut object, *data, request.mount.plain_response_keys, elide);
        object.texts("warnings", warnings);
        object.text("redirect", redirect);
        if let Some(info) = wrap_info {
            self.wrap_info(object.member("wrap_info"), info);
        }
        if !headers.is_empty() {
            let mut names: Vec<&str> = headers.iter().map(|(name, _)| *name).collect();
            names.sort_unstable();
            names.dedup();
            let mut map = Object::open(object.member("headers"));
            for name in names {
                push_header(map.member_named(name), name, headers, push_text);
            }
            map.close();
        }
        object.close();
    }

    fn wrap_info(&self, out: &mut Vec<u8>, info: &WrapInfo<'_>) {
        let WrapInfo { ttl, token, accessor, creation_time, creation_path, wrapped_accessor } =
            info;
        let mut object = Object::open(out);
        object.number("ttl", Ttl::seconds(*ttl));
        object.secret("token", token, self.style);
        self.accessor(&mut object, "accessor", accessor);
        object.time("creation_time", *creation_time);
        object.text("creation_path", creation_path);
        self.accessor(&mut object, "wrapped_accessor", wrapped_accessor);
        object.close();
    }

    fn data(
        &self,
        object: &mut Object<'_>,
        data: Option<&RawValue>,
        plain: &[String],
        elide: bool,
    ) {
        if let Some(data) = data.filter(|data| !is_empty_object(data)) {
            push_redacted(data, self.style, plain, elide, object.member("data"));
        }
    }

    /// The headers on the allow-list. `log_raw` does not uncover them, as in Vault.
    fn request_headers(&self, object: &mut Object<'_>, headers: &[(&str, &str)]) {
        let present =
            |name: &str| headers.iter().any(|(header, _)| header.eq_ignore_ascii_case(name));
        if !self.headers.keys().any(|name| present(name)) {
            return;
        }
        let mut map = Object::open(object.member("headers"));
        for (name, hidden) in self.headers.iter().filter(|(name, _)| present(name)) {
            push_header(map.member_named(name), name, headers, |value, out| {
                if *hidden {
                    self.style.push_hidden(value.as_bytes(), out)
                } else {
                    push_text(value, out)
                }
            });
        }
        map.close();
    }
}

fn push_header(
    out: &mut Vec<u8>,
    name: &str,
    headers: &[(&str, &str)],
    push: impl Fn(&str, &mut Vec<u8>),
) {
    let values = headers.iter().filter(|(header, _)| header.eq_ignore_ascii_case(name));
    push_list(out, values.map(|(_, value)| value), |value, out| push(value, out));
}

fn push_list<T>(out: &mut Vec<u8>, items: impl Iterator<Item = T>, push: impl Fn(T, &mut Vec<u8>)) {
    out.push(b'[');
    for (index, item) in items.enumerate() {
        if index > 0 {
            out.push(b',');
        }
        push(item, out);
    }
    out.push(b']');
}

fn policy_results_object(out: &mut Vec<u8>, results: &PolicyResults<'_>) {
    let PolicyResults { allowed, granting_policies } = results;
    let mut object = Object::open(out);
    let allowed: &[u8] = if *allowed { b"true" } else { b"false" };
    object.copy("allowed", allowed);
    if !granting_policies.is_empty() {
        push_list(object.member("granting_policies"), granting_policies.iter(), |policy, out| {
            let GrantingPolicy { name, namespace_id, namespace_path, kind } = policy;
            let mut object = Object::open(out);
            object.text("name", name);
            object.text("namespace_id", namespace_id);
            object.text("namespace_path", namespace_path);
            push_text(kind, object.member("type"));
            object.close();
        });
    }
    object.close();
}

fn namespace_object(out: &mut Vec<u8>, namespace: &NamespaceInfo<'_>) {
    let mut object = Object::open(out);
    object.text("id", namespace.id);
    object.text("path", namespace.path);
    object.close();
}

/// Vault calls the version differently in requests and responses.
fn mount_members(object: &mut Object<'_>, mount: &Mount<'_>, version: &'static str) {
    object.text("mount_point", mount.point);
    object.text("mount_type", mount.kind);
    object.text("mount_accessor", mount.accessor);
    object.text(version, mount.running_version);
    object.text("mount_class", mount.class);
}

fn is_empty_object(data: &RawValue) -> bool {
    let text = data.get();
    text == "null"
        || text
            .strip_prefix('{')
            .and_then(|text| text.strip_suffix('}'))
            .is_some_and(|text| text.trim_ascii().is_empty())
}

/// Where the parts of an `auth` were written; an empty range for what was left out.
struct AuthText {
    token: Range<usize>,
    accessor: Range<usize>,
    whole: Range<usize>,
}

/// A JSON object that is being appended. Members that are empty, zero or false are left out.
struct Object<'a> {
    out: &'a mut Vec<u8>,
    start: usize,
}

impl<'a> Object<'a> {
    fn open(out: &'a mut Vec<u8>) -> Self {
        out.push(b'{');
        let start = out.len();
        Self { out, start }
    }

    fn close(self) {
        self.out.push(b'}');
    }

    /// Writes a name that needs no escapes; the caller appends the value.
    fn member(&mut self, name: &'static str) -> &mut Vec<u8> {
        self.separate();
        self.out.push(b'"');
        self.out.extend_from_slice(name.as_bytes());
        self.out.extend_from_slice(b"\":");
        self.out
    }

    /// Writes a name from outside.
    fn member_named(&mut self, name: &str) -> &mut Vec<u8> {
        self.separate();
        push_text(name, self.out);
        self.out.push(b':');
        self.out
    }

    fn separate(&mut self) {
        if self.out.len() > self.start {
            self.out.push(b',');
        }
    }

    /// Appends a value that is already JSON, and says where.
    fn copy(&mut self, name: &'static str, json: &[u8]) -> Range<usize> {
        let out = self.member(name);
        let start = out.len();
        out.extend_from_slice(json);
        start..out.len()
    }

    /// Appends what lies at `range` once more.
    fn repeat(&mut self, name: &'static str, range: &Range<usize>) {
        if !range.is_empty() {
            self.member(name).extend_from_within(range.clone());
        }
    }

    fn text(&mut self, name: &'static str, value: &str) -> Range<usize> {
        self.push(name, value, push_text)
    }

    fn secret(&mut self, name: &'static str, value: &str, style: &Style) -> Range<usize> {
        self.push(name, value, |value, out| style.push_secret(value, out))
    }

    fn push(
        &mut self,
        name: &'static str,
        value: &str,
        push: impl Fn(&str, &mut Vec<u8>),
    ) -> Range<usize> {
        if value.is_empty() {
            return 0..0;
        }
        let out = self.member(name);
        let start = out.len();
        push(value, out);
        start..out.len()
    }

    fn texts(&mut self, name: &'static str, values: &[&str]) {
        if !values.is_empty() {
            push_list(self.member(name), values.iter(), |value, out| push_text(value, out));
        }
    }

    fn pairs(&mut self, name: &'static str, values: &[(&str, &str)]) {
        if !values.is_empty() {
            let mut object = Object::open(self.member(name));
            for (name, value) in values {
                push_text(value, object.member_named(name));
            }
            object.close();
        }
    }

    fn number(&mut self, name: &'static str, value: u64) {
        if value != 0 {
            self.copy(name, value.to_string().as_bytes());
        }
    }

    fn flag(&mut self, name: &'static str, value: bool) {
        if value {
            self.copy(name, b"true");
        }
    }

    fn time(&mut self, name: &'static str, value: Timestamp) {
        write!(self.member(name), "\"{value}\"").expect("a vector takes every byte");
    }
}
