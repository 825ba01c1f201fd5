use client::{Auth, SecretResponse, WrapInfo};

use crate::failure::{Failure, Outcome};
use crate::format::{Format, table};
use crate::json::Json;
use crate::out::{Out, no_such_form};

/// An answer of the server with its data read.
pub(crate) struct Reply {
    pub(crate) envelope: SecretResponse,
    /// Sorted by key; `None` where the answer has none.
    pub(crate) data: Option<Json>,
}

impl Reply {
    pub(crate) fn new(envelope: SecretResponse) -> Outcome<Self> {
        let data = match &envelope.data {
            Some(raw) => Json::parse(raw.get())
                .map_err(|why| Failure::remote(format!("data: {why}")))?
                .sorted(),
            None => Json::Null,
        };
        Ok(Self { envelope, data: Some(data).filter(|data| *data != Json::Null) })
    }

    /// An answer that has only `auth`: what a login looks like.
    pub(crate) fn of_auth(auth: Auth) -> Self {
        Self {
            envelope: SecretResponse { auth: Some(auth), ..SecretResponse::default() },
            data: None,
        }
    }

    /// The member `key` of the data, unless it is missing or null.
    pub(crate) fn get(&self, key: &str) -> Option<&Json> {
        self.data.as_ref()?.some(key)
    }

    /// The entries of a listing.
    pub(crate) fn keys(&self) -> Option<&[Json]> {
        self.get("keys")?.as_list()
    }

    /// Whether the answer itself waits elsewhere.
    pub(crate) fn is_wrapped(&self) -> bool {
        self.envelope.wrap_info.as_ref().is_some_and(|wrap| wrap.ttl != 0)
    }

    /// Prints the field called `name`.
    pub(crate) fn print_field(&self, out: &mut Out, name: &str) -> Outcome {
        if out.is_table() {
            self.print_warnings(out);
        }
        print_field(out, self.field(name), name, "secret")
    }

    /// Prints all of it in the form that was asked for.
    pub(crate) fn print(&self, out: &mut Out) -> Outcome {
        match out.format {
            Format::Json | Format::Yaml => out.data(&self.to_json()),
            Format::Table => {
                self.print_warnings(out);
                if let Some(text) = table::key_values(self.rows()) {
                    out.line(text);
                }
                Ok(())
            }
            Format::Pretty | Format::Raw => Err(no_such_form(out.format)),
        }
    }

    /// Prints the entries of a listing.
    pub(crate) fn print_list(&self, out: &mut Out) -> Outcome {
        let keys = self.keys().unwrap_or_default();
        match out.format {
            Format::Json if out.detailed => return out.data(&self.to_json()),
            Format::Table => {}
            _ => return out.data(&Json::List(keys.to_vec())),
        }
        self.print_warnings(out);
        let mut names: Vec<_> = keys.iter().filter_map(Json::as_text).collect();
        names.sort_unstable();
        if names.is_empty() {
            return Ok(());
        }
        let info = self.get("key_info").filter(|_| out.detailed);
        out.line(table::table(&listing(&names, info), table::DELIMITER));
        Ok(())
    }

    pub(crate) fn print_warnings(&self, out: &mut Out) {
        let warnings = self.envelope.warnings.as_deref().unwrap_or_default();
        if !warnings.is_empty() {
            out.warn("WARNING! The server returned these warnings:\n");
            for warning in warnings {
                out.warn(format!("  * {warning}\n"));
            }
        }
    }

    /// The field called `name`, by the names that the table shows.
    fn field(&self, name: &str) -> Option<Json> {
        let own = match (&self.envelope.auth, &self.envelope.wrap_info) {
            (Some(auth), _) => auth_field(auth, name),
            (None, Some(wrap)) => wrap_field(wrap, name),
            (None, None) => self.envelope_field(name),
        };
        own.or_else(|| self.get(name).cloned())
    }

    fn envelope_field(&self, name: &str) -> Option<Json> {
        let SecretResponse { request_id, lease_id, lease_duration, renewable, .. } = &self.envelope;
        Some(match name {
            "lease_duration" | "refresh_interval" => Json::number(*lease_duration),
            "lease_id" => Json::text(lease_id),
            "request_id" => Json::text(request_id),
            "renewable" => Json::Bool(*renewable),
            "data" => match self.data.as_ref()?.get("data") {
                Some(Json::Null) => return None,
                Some(data) => data.clone(),
                None => self.data.clone()?,
            },
            _ => return None,
        })
    }

    fn rows(&self) -> Vec<String> {
        let SecretResponse { lease_id, lease_duration, renewable, auth, wrap_info, .. } =
            &self.envelope;
        let mut rows = Vec::new();
        let mut add = |key: &str, value: &dyn std::fmt::Display| {
            rows.push(format!("{key} {} {value}", table::DELIMITER));
        };
        if *lease_duration > 0 {
            let duration = table::duration(*lease_duration);
            if lease_id.is_empty() {
                // Without a lease there is nothing to renew; it only says how often to read again.
                add("refresh_interval", &duration);
            } else {
                add("lease_id", lease_id);
                add("lease_duration", &duration);
                add("lease_renewable", renewable);
            }
        }
        if let Some(auth) = auth {
            auth_rows(auth, &mut add);
        }
        if let Some(wrap) = wrap_info {
            wrap_rows(wrap, &mut add);
        }
        let members = self.data.as_ref().map_or(&[][..], Json::members);
        rows.extend(members.iter().map(|(key, value)| table::row(key, value)));
        rows
    }

    fn to_json(&self) -> Json {
        let SecretResponse {
            request_id,
            lease_id,
            lease_duration,
            renewable,
            warnings,
            auth,
            wrap_info,
            ..
        } = &self.envelope;
        let mut json = Json::map([
            ("request_id", Json::text(request_id)),
            ("lease_id", Json::text(lease_id)),
            ("lease_duration", Json::number(*lease_duration)),
            ("renewable", Json::Bool(*renewable)),
            ("data", self.data.clone().unwrap_or(Json::Null)),
            ("warnings", warnings.as_ref().map_or(Json::Null, Json::texts)),
        ]);
        if let Some(auth) = auth {
            json.set("auth", auth_json(auth));
        }
        if let Some(wrap) = wrap_info {
            json.set("wrap_info", wrap_json(wrap));
        }
        json
    }
}

/// Prints `value`, or says that `whole` has no field of this name.
pub(crate) fn print_field(out: &mut Out, value: Option<Json>, name: &str, whole: &str) -> Outcome {
    match value {
        Some(Json::Null) | None => {
            Err(Failure::local(format!("Field {name:?} not present in {whole}")))
        }
        Some(value) => out.field(&value),
    }
}

fn listing(names: &[&str], info: Option<&Json>) -> Vec<String> {
    let about = |name: &str| info.and_then(|info| info.get(name));
    let mut headings: Vec<&str> = names
        .iter()
        .filter_map(|name| about(name))
        .flat_map(|about| about.members().iter().map(|(key, _)| key.as_str()))
        .collect();
    headings.sort_unstable();
    headings.dedup();
    let mut rows = vec![[&["Keys"], &headings[..]].concat().join(table::DELIMITER)];
    for name in names {
        let mut cells = vec![(*name).to_owned()];
        if let Some(about) = about(name) {
            cells.extend(headings.iter().map(|heading| {
                about.get(heading).map_or("n/a".to_owned(), |value| table::cell(heading, value))
            }));
        }
        rows.push(cells.join(table::DELIMITER));
    }
    rows
}

fn auth_field(auth: &Auth, name: &str) -> Option<Json> {
    let list = |texts: &Option<Vec<String>>| Json::texts(texts.iter().flatten());
    Some(match name {
        "token" => Json::text(&auth.client_token),
        "token_accessor" => Json::text(&auth.accessor),
        "token_duration" => Json::number(auth.lease_duration),
        "token_renewable" => Json::Bool(auth.renewable),
        "token_policies" => list(&auth.token_policies),
        "identity_policies" => list(&auth.identity_policies),
        "policies" => list(&auth.policies),
        _ => return None,
    })
}

fn wrap_field(wrap: &WrapInfo, name: &str) -> Option<Json> {
    Some(match name {
        "wrapping_token" => Json::text(&wrap.token),
        "wrapping_accessor" => Json::text(&wrap.accessor),
        "wrapping_token_ttl" => Json::number(wrap.ttl),
        "wrapping_token_creation_time" => Json::text(&wrap.creation_time),
        "wrapping_token_creation_path" => Json::text(&wrap.creation_path),
        "wrapped_accessor" => Json::text(&wrap.wrapped_accessor),
        _ => return None,
    })
}

fn auth_rows(auth: &Auth, add: &mut impl FnMut(&str, &dyn std::fmt::Display)) {
    add("token", &auth.client_token);
    add("token_accessor", &auth.accessor);
    match auth.lease_duration {
        0 => add("token_duration", &"∞"),
        seconds => add("token_duration", &table::duration(seconds)),
    }
    add("token_renewable", &auth.renewable);
    add("token_policies", &quoted(&auth.token_policies));
    add("identity_policies", &quoted(&auth.identity_policies));
    add("policies", &quoted(&auth.policies));
    for (key, value) in auth.metadata.iter().flatten() {
        add(&format!("token_meta_{key}"), value);
    }
}

fn quoted(texts: &Option<Vec<String>>) -> String {
    let quoted: Vec<_> = texts.iter().flatten().map(|text| format!("{text:?}")).collect();
    format!("[{}]", quoted.join(" "))
}

fn wrap_rows(wrap: &WrapInfo, add: &mut impl FnMut(&str, &dyn std::fmt::Display)) {
    add("wrapping_token:", &wrap.token);
    add("wrapping_accessor:", &wrap.accessor);
    add("wrapping_token_ttl:", &table::duration(wrap.ttl));
    add("wrapping_token_creation_time:", &go_time(&wrap.creation_time));
    add("wrapping_token_creation_path:", &wrap.creation_path);
    if !wrap.wrapped_accessor.is_empty() {
        add("wrapped_accessor:", &wrap.wrapped_accessor);
    }
}

/// An RFC 3339 time the way Go prints one: `2026-01-31 12:00:00.5 +0000 UTC`.
fn go_time(text: &str) -> String {
    let Some((date, time)) = text.split_once('T') else { return text.to_owned() };
    match time.strip_suffix('Z') {
        Some(time) => format!("{date} {time} +0000 UTC"),
        None => {
            let (time, zone) = time.split_at(time.find(['+', '-']).unwrap_or(time.len()));
            let zone = zone.replace(':', "");
            format!("{date} {time} {zone} {zone}")
        }
    }
}

fn auth_json(auth: &Auth) -> Json {
    let list = |texts: &Option<Vec<String>>| texts.as_ref().map_or(Json::Null, Json::texts);
    let metadata = |map: &std::collections::BTreeMap<String, String>| {
        Json::Map(map.iter().map(|(key, value)| (key.clone(), Json::text(value))).collect())
    };
    Json::map([
        ("client_token", Json::text(&auth.client_token)),
        ("accessor", Json::text(&auth.accessor)),
        ("policies", list(&auth.policies)),
        ("token_policies", list(&auth.token_policies)),
        ("identity_policies", list(&auth.identity_policies)),
        ("metadata", auth.metadata.as_ref().map_or(Json::Null, metadata)),
        ("orphan", Json::Bool(auth.orphan)),
        ("entity_id", Json::text(&auth.entity_id)),
        ("lease_duration", Json::number(auth.lease_duration)),
        ("renewable", Json::Bool(auth.renewable)),
        ("mfa_requirement", auth.mfa_requirement.as_ref().map_or(Json::Null, Json::of)),
    ])
}

fn wrap_json(wrap: &WrapInfo) -> Json {
    Json::map([
        ("token", Json::text(&wrap.token)),
        ("accessor", Json::text(&wrap.accessor)),
        ("ttl", Json::number(wrap.ttl)),
        ("creation_time", Json::text(&wrap.creation_time)),
        ("creation_path", Json::text(&wrap.creation_path)),
        ("wrapped_accessor", Json::text(&wrap.wrapped_accessor)),
    ])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_read_as_go_prints_them() {
        assert_eq!(go_time("2026-01-31T12:00:00.5Z"), "2026-01-31 12:00:00.5 +0000 UTC");
        assert_eq!(go_time("2026-01-31T12:00:00+01:00"), "2026-01-31 12:00:00 +0100 +0100");
        assert_eq!(go_time("never"), "never");
    }
}
