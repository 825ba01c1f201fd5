//! AWS KMS: `arn:aws:kms:REGION:ACCOUNT:key/ID`, with `+` and a role to take on first.

mod credentials;
mod profile;

use std::collections::BTreeMap;

use base_sigv4::Scope;
use base_types::Secret;
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use files_document::{Item, Scalar, Value, get};
use http::Request;
use serde::{Deserialize, Serialize};
use zeroize::Zeroizing;

use super::{KeyOption, KeySource, Row, Surroundings, cloud, failed, field};
use crate::metadata::with as with_field;
use crate::{Failure, FailureKind, Result, flat};
use credentials::Credentials;

pub(super) struct AwsKms;

impl KeySource for AwsKms {
    fn row(&self) -> &'static Row {
        &Row {
            metadata: "kms",
            flag: "kms",
            letter: Some('k'),
            variable: "SOPS_KMS_ARN",
            rule: "kms",
            group: "kms",
            order: "kms",
            options: &OPTIONS,
        }
    }

    fn name(&self, fields: &[Item]) -> String {
        let (arn, role) = (field(fields, "arn"), field(fields, "role"));
        if role.is_empty() { arn } else { format!("{arn}+{role}") }
    }

    fn fields(&self, name: &str, surroundings: &Surroundings<'_>) -> Result<Vec<Item>> {
        let (arn, role) = name.split_once('+').unwrap_or((name, ""));
        Arn::parse(arn.trim())?;
        let mut fields = vec![Item::member("arn", Scalar::text(arn.trim()))];
        if !role.is_empty() {
            fields.push(Item::member("role", Scalar::text(role.trim())));
        }
        fields.extend([
            Item::member("created_at", Scalar::text(surroundings.now())),
            Item::member("enc", Scalar::text("")),
            Item::member("aws_profile", Scalar::text("")),
        ]);
        Ok(fields)
    }

    fn of_mapping(&self, mapping: &[Item], surroundings: &Surroundings<'_>) -> Result<Vec<Item>> {
        let mut fields = self.fields(&self.name(mapping), surroundings)?;
        for option in ["context", "aws_profile"] {
            if let Some(value) = get(mapping, option) {
                fields = with_field(fields, option, Some(value.clone()));
            }
        }
        Ok(fields)
    }

    fn with_option(&self, fields: Vec<Item>, option: &str, value: &str) -> Result<Vec<Item>> {
        let value = match option {
            "context" => context(value)?,
            "aws_profile" => Scalar::text(value).into(),
            _ => return Ok(fields),
        };
        Ok(with_field(fields, option, Some(value)))
    }

    fn wrap(&self, fields: &[Item], secret: &[u8], with: &Surroundings<'_>) -> Result<String> {
        #[derive(Deserialize)]
        #[serde(rename_all = "PascalCase")]
        struct Answer {
            ciphertext_blob: String,
        }
        let plaintext = Zeroizing::new(STANDARD.encode(secret));
        let answer: Answer = ask(Subject::Plaintext(&plaintext), fields, with)
            .map_err(|text| Failure::new(FailureKind::Unavailable, text))?;
        Ok(answer.ciphertext_blob)
    }

    fn unwrap(
        &self,
        fields: &[Item],
        wrapped: &str,
        with: &Surroundings<'_>,
    ) -> Result<Secret<Vec<u8>>> {
        #[derive(Deserialize)]
        #[serde(rename_all = "PascalCase")]
        struct Answer {
            plaintext: Secret<String>,
        }
        let answer: Answer = ask(Subject::CiphertextBlob(wrapped), fields, with).map_err(failed)?;
        let plain = STANDARD.decode(answer.plaintext.expose());
        plain.map(Secret::new).map_err(|_| failed("the plaintext of AWS KMS is no base64"))
    }
}

const OPTIONS: [KeyOption; 2] = [
    KeyOption {
        flag: "aws-profile",
        rule: "aws_profile",
        field: "aws_profile",
        about: "the AWS profile whose credentials the keys of --kms need",
    },
    KeyOption {
        flag: "encryption-context",
        rule: "",
        field: "context",
        about: "the context of the keys of --kms, as key:value,key:value",
    },
];

/// What the key is asked to do: to encrypt a plaintext or to decrypt what it has encrypted, both in
/// base64.
#[derive(Serialize)]
enum Subject<'a> {
    CiphertextBlob(&'a str),
    Plaintext(&'a str),
}

impl Subject<'_> {
    fn operation(&self) -> &'static str {
        match self {
            Self::CiphertextBlob(_) => "Decrypt",
            Self::Plaintext(_) => "Encrypt",
        }
    }
}

#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
struct Question<'a> {
    key_id: &'a str,
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    encryption_context: BTreeMap<&'a str, String>,
    #[serde(flatten)]
    subject: Subject<'a>,
}

/// Has the key do something, in its context.
/// <https://docs.aws.amazon.com/kms/latest/APIReference/API_Encrypt.html>
fn ask<T: for<'de> Deserialize<'de>>(
    subject: Subject<'_>,
    fields: &[Item],
    with: &Surroundings<'_>,
) -> Result<T, String> {
    let arn = field(fields, "arn");
    let place = Arn::parse(&arn).map_err(|failure| failure.text)?;
    let profile = field(fields, "aws_profile");
    let mut credentials = Credentials::find(&profile, &place, with)?;
    let role = field(fields, "role");
    if !role.is_empty() {
        credentials = credentials.assume(&role, &place, with)?;
    }
    let encryption_context = match get(fields, "context") {
        Some(Value::Map(context)) => texts(context).collect(),
        _ => BTreeMap::new(),
    };
    let target = format!("TrentService.{}", subject.operation());
    let question = Question { key_id: &arn, encryption_context, subject };
    let address = place.endpoint("kms", with);
    let request = Request::post(format!("{address}/"))
        .header("content-type", "application/x-amz-json-1.1")
        .header("x-amz-target", target)
        .body(cloud::json(&question))
        .map_err(|_| format!("'{address}' is no address"))?;
    let scope = Scope { region: &place.region, service: "kms" };
    cloud::ask(credentials.sign(request, &scope, with)?)
}

/// Where a key is.
struct Arn {
    partition: String,
    region: String,
}

impl Arn {
    fn parse(arn: &str) -> Result<Self> {
        let mut parts = arn.splitn(6, ':');
        let [prefix, partition, service, region, account, resource] =
            std::array::from_fn(|_| parts.next().unwrap_or_default());
        let is_key = ["key/", "alias/"]
            .iter()
            .any(|kind| resource.strip_prefix(kind).is_some_and(|id| !id.is_empty()));
        // The region becomes part of a host name, to which credentials are shown.
        let is_name = |text: &str| {
            !text.is_empty()
                && text.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'-')
        };
        let is_account = !account.is_empty() && account.bytes().all(|byte| byte.is_ascii_digit());
        let is_arn = prefix == "arn" && partition.starts_with("aws") && service == "kms";
        if !(is_arn && is_name(partition) && is_name(region) && is_account && is_key) {
            return Err(Failure::invalid(format!(
                "'{arn}' is no key of AWS KMS: write arn:aws:kms:REGION:ACCOUNT:key/ID"
            )));
        }
        Ok(Self { partition: partition.to_owned(), region: region.to_owned() })
    }

    /// Where a service is for this key, without a slash at the end.
    fn endpoint(&self, service: &str, with: &Surroundings<'_>) -> String {
        let own = format!("AWS_ENDPOINT_URL_{}", service.to_uppercase());
        if let Some(address) = with.variable(&own).or_else(|| with.variable("AWS_ENDPOINT_URL")) {
            return address.trim_end_matches('/').to_owned();
        }
        let domain = match self.partition.as_str() {
            "aws-cn" => "amazonaws.com.cn",
            _ => "amazonaws.com",
        };
        format!("https://{service}.{}.{domain}", self.region)
    }
}

/// `key:value,key:value` as the mapping that metadata hold.
fn context(text: &str) -> Result<Value> {
    let mut items: Vec<Item> = Vec::new();
    for pair in text.split(',').map(str::trim).filter(|pair| !pair.is_empty()) {
        let (key, value) = pair.split_once(':').ok_or_else(|| {
            Failure::invalid(format!("'{pair}' is no part of a KMS context: write key:value"))
        })?;
        items.push(Item::member(key, Scalar::text(value)));
    }
    Ok(items.into())
}

/// The texts of a mapping.
fn texts(items: &[Item]) -> impl Iterator<Item = (&str, String)> {
    items.iter().filter_map(|item| match item {
        Item::Member(member) => match &member.value {
            Value::Scalar(scalar) => Some((member.key.as_str(), flat::text(scalar)?)),
            Value::List(_) | Value::Map(_) => None,
        },
        Item::Comment(_) => None,
    })
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    #[test]
    fn a_key_has_a_region() {
        let arn = Arn::parse("arn:aws-cn:kms:cn-north-1:123456789012:alias/a:b").unwrap();
        assert_eq!((arn.partition.as_str(), arn.region.as_str()), ("aws-cn", "cn-north-1"));
        for wrong in [
            "",
            "arn:aws:kms:eu-west-1:123:key/",
            "arn:aws:s3:eu-west-1:123:key/x",
            "arn:aws:kms:evil.example/x:123:key/x",
            "arn:aws:kms::123:key/x",
            "arn:aws:kms:eu-west-1:abc:key/x",
            "arn:other:kms:eu-west-1:123:key/x",
        ] {
            assert!(Arn::parse(wrong).is_err(), "{wrong}");
        }
    }

    #[test]
    fn a_context_is_pairs() {
        let Value::Map(items) = context("a:b, c:d:e,").unwrap() else { panic!("no mapping") };
        let pairs: Vec<_> = texts(&items).collect();
        assert_eq!(pairs, [("a", "b".to_owned()), ("c", "d:e".to_owned())]);
        assert!(context("a").is_err());
    }
}
