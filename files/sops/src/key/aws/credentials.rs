use std::fs;
use std::process::{Command, Stdio};

use base_sigv4::{Scope, Signer};
use base_types::Secret;
use bytes::Bytes;
use http::Request;
use serde::Deserialize;
use zeroize::Zeroizing;

use super::Arn;
use super::profile::Profile;
use crate::key::{Surroundings, cloud};
use crate::words::words;

/// Who we are to AWS.
#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct Credentials {
    #[serde(rename = "AccessKeyId")]
    pub(super) id: String,
    #[serde(rename = "SecretAccessKey")]
    pub(super) secret: Secret<String>,
    /// Of a session.
    #[serde(rename = "SessionToken")]
    pub(super) token: Option<Secret<String>>,
}

/// A profile may stand on another one, which may do so too.
const DEPTH_MAX: usize = 5;

impl Credentials {
    /// Those that AWS's own tools would use: of a profile that is named, of the environment, of a
    /// token that a platform gives, of the default profile.
    pub(super) fn find(
        profile: &str,
        place: &Arn,
        with: &Surroundings<'_>,
    ) -> Result<Self, String> {
        if !profile.is_empty() {
            return Self::of_profile(profile, place, with, 0);
        }
        if let (Some(id), Some(secret)) =
            (with.variable("AWS_ACCESS_KEY_ID"), with.variable("AWS_SECRET_ACCESS_KEY"))
        {
            let token = with.variable("AWS_SESSION_TOKEN");
            return Ok(Self::new(id, secret, token));
        }
        if let (Some(role), Some(file)) =
            (with.variable("AWS_ROLE_ARN"), with.variable("AWS_WEB_IDENTITY_TOKEN_FILE"))
        {
            return Self::of_web_identity(role, file, place, with);
        }
        let profile = with.variable("AWS_PROFILE").unwrap_or("default");
        Self::of_profile(profile, place, with, 0)
    }

    fn new(id: &str, secret: &str, token: Option<&str>) -> Self {
        Self {
            id: id.to_owned(),
            secret: Secret::new(secret.to_owned()),
            token: token.map(|token| Secret::new(token.to_owned())),
        }
    }

    fn of_profile(
        name: &str,
        place: &Arn,
        with: &Surroundings<'_>,
        depth: usize,
    ) -> Result<Self, String> {
        let profile = Profile::read(name, with)?.ok_or_else(|| {
            format!(
                "no AWS credentials were found: set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, or \
                 make the profile '{name}' in ~/.aws/credentials"
            )
        })?;
        let get = |key: &str| profile.get(key);
        if depth > DEPTH_MAX {
            return Err(format!("the profile '{name}' stands on too many others"));
        }
        if let Some(role) = get("role_arn") {
            if let Some(file) = get("web_identity_token_file") {
                return Self::of_web_identity(role, file, place, with);
            }
            let source = get("source_profile").ok_or_else(|| {
                format!(
                    "the profile '{name}' names a role and no source_profile to take it on from"
                )
            })?;
            let source = match source == name {
                true => Self::of_keys(&profile),
                false => Some(Self::of_profile(source, place, with, depth + 1)?),
            };
            let source = source.ok_or_else(|| format!("the profile '{name}' stands on itself"))?;
            return source.assume(role, place, with);
        }
        if let Some(credentials) = Self::of_keys(&profile) {
            return Ok(credentials);
        }
        match get("credential_process") {
            Some(command) => Self::of_process(command),
            None => Err(format!(
                "the profile '{name}' holds no keys; after a login with SSO this hands them on: \
                 eval \"$(aws configure export-credentials --profile {name} --format env)\""
            )),
        }
    }

    fn of_keys(profile: &Profile) -> Option<Self> {
        let (id, secret) =
            (profile.get("aws_access_key_id")?, profile.get("aws_secret_access_key")?);
        Some(Self::new(id, secret, profile.get("aws_session_token")))
    }

    fn of_process(command: &str) -> Result<Self, String> {
        let words = words(command).map_err(|failure| failure.text)?;
        let [program, arguments @ ..] = words.as_slice() else {
            return Err("credential_process names no command".to_owned());
        };
        let output = Command::new(program)
            .args(arguments)
            .stderr(Stdio::inherit())
            .output()
            .map_err(|error| format!("'{program}' cannot be started: {error}"))?;
        let stdout = Zeroizing::new(output.stdout);
        if !output.status.success() {
            return Err(format!("'{program}' failed: {}", output.status));
        }
        serde_json::from_slice(&stdout)
            .map_err(|_| format!("'{program}' gives no credentials in JSON"))
    }

    /// Those of a role that this identity may take on.
    /// <https://docs.aws.amazon.com/STS/latest/APIReference/API_AssumeRole.html>
    pub(super) fn assume(
        &self,
        role: &str,
        place: &Arn,
        with: &Surroundings<'_>,
    ) -> Result<Self, String> {
        let session = session_name(with);
        let fields = [
            ("Action", "AssumeRole"),
            ("Version", VERSION),
            ("RoleArn", role),
            ("RoleSessionName", &session),
        ];
        let request = cloud::post_form(&format!("{}/", place.endpoint("sts", with)), &fields)?;
        let request = self.sign(request, &Scope { region: &place.region, service: "sts" }, with)?;
        of_session(request).map_err(|text| format!("the role {role} cannot be taken on: {text}"))
    }

    /// Adds the headers that prove who sends `request`.
    pub(super) fn sign(
        &self,
        request: Request<Bytes>,
        scope: &Scope<'_>,
        with: &Surroundings<'_>,
    ) -> Result<Request<Bytes>, String> {
        let signer = Signer { id: &self.id, secret: &self.secret, token: self.token.as_ref() };
        signer.sign(request, scope, with.clock.now()).map_err(|error| error.public().to_owned())
    }

    /// Those of a role that a platform vouches for.
    fn of_web_identity(
        role: &str,
        file: &str,
        place: &Arn,
        with: &Surroundings<'_>,
    ) -> Result<Self, String> {
        let token =
            fs::read_to_string(file).map_err(|error| format!("{file} cannot be read: {error}"))?;
        let token = Zeroizing::new(token);
        let session = session_name(with);
        let session = with.variable("AWS_ROLE_SESSION_NAME").unwrap_or(&session);
        let fields = [
            ("Action", "AssumeRoleWithWebIdentity"),
            ("Version", VERSION),
            ("RoleArn", role),
            ("RoleSessionName", session),
            ("WebIdentityToken", token.trim()),
        ];
        let request = cloud::post_form(&format!("{}/", place.endpoint("sts", with)), &fields)?;
        of_session(request).map_err(|text| format!("the role {role} cannot be taken on: {text}"))
    }
}

/// Of the interface of STS.
const VERSION: &str = "2011-06-15";

/// By what AWS's own records name the session: `sops@` and the machine's name.
fn session_name(with: &Surroundings<'_>) -> String {
    let host = with.variable("HOSTNAME").map(str::to_owned);
    let host = host.or_else(|| fs::read_to_string("/etc/hostname").ok()).unwrap_or_default();
    let is_known = |next: &char| next.is_ascii_alphanumeric() || "_+=,.@-".contains(*next);
    format!("sops@{host}").chars().filter(is_known).take(64).collect()
}

fn of_session(request: Request<Bytes>) -> Result<Credentials, String> {
    let answer = cloud::send(request)?;
    let text = std::str::from_utf8(answer.body()).unwrap_or_default();
    let part = |name| cloud::element(text, name);
    match (part("AccessKeyId"), part("SecretAccessKey"), part("SessionToken")) {
        (Some(id), Some(secret), Some(token)) => Ok(Credentials::new(id, secret, Some(token))),
        _ => Err("the service answers with something else".to_owned()),
    }
}
