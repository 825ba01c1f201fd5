use std::collections::BTreeMap;

use base_types::{Error, Result, Ttl};
use core_barrier::Record;
use serde::{Deserialize, Serialize};

/// What credentials are made, and what they may do.
#[derive(Clone, Default, Deserialize, Serialize)]
pub(crate) struct Role {
    pub(crate) credential_type: Option<CredentialType>,
    pub(crate) policy_arns: Vec<String>,
    pub(crate) role_arns: Vec<String>,
    /// JSON without spaces; empty for none.
    pub(crate) policy_document: String,
    pub(crate) iam_groups: Vec<String>,
    pub(crate) iam_tags: BTreeMap<String, String>,
    pub(crate) session_tags: BTreeMap<String, String>,
    pub(crate) external_id: String,
    pub(crate) default_sts_ttl: Ttl,
    pub(crate) max_sts_ttl: Ttl,
    pub(crate) user_path: String,
    pub(crate) permissions_boundary_arn: String,
    pub(crate) mfa_serial_number: String,
}

impl Record for Role {
    const KIND: &'static str = "AWS role";
}

#[derive(Clone, Copy, Debug, Deserialize, Eq, PartialEq, Serialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum CredentialType {
    AssumedRole,
    FederationToken,
    IamUser,
    SessionToken,
}

impl CredentialType {
    const ALL: [Self; 4] =
        [Self::AssumedRole, Self::FederationToken, Self::IamUser, Self::SessionToken];

    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::AssumedRole => "assumed_role",
            Self::FederationToken => "federation_token",
            Self::IamUser => "iam_user",
            Self::SessionToken => "session_token",
        }
    }

    /// # Errors
    /// `Invalid` for anything else than one of the names.
    pub(crate) fn parse(text: &str) -> Result<Self> {
        let found = Self::ALL.into_iter().find(|kind| kind.name() == text);
        found.ok_or_else(|| faulty(&[format!("unrecognized credential type: {text}")]))
    }
}

impl Role {
    /// Which field goes with which type of credentials, as in Vault.
    ///
    /// # Errors
    /// `Invalid` with all faults at once.
    pub(crate) fn check(&self) -> Result<()> {
        let faults = self.faults();
        if faults.is_empty() { Ok(()) } else { Err(faulty(&faults)) }
    }

    fn faults(&self) -> Vec<String> {
        let is = |kind| self.credential_type == Some(kind);
        let (is_user, is_assumed) = (is(CredentialType::IamUser), is(CredentialType::AssumedRole));
        let (path, boundary) = (&self.user_path, &self.permissions_boundary_arn);
        let has_policy = !self.policy_document.is_empty() || !self.policy_arns.is_empty();
        let no_boundary = check_policy_arn(boundary).err().unwrap_or_default();
        let of_sessions = |name| {
            format!(
                "{name} parameter only valid for assumed_role, federation_token, and session_token \
                 credential types"
            )
        };
        let of_assumed =
            |name| format!("cannot supply {name} when credential_type isn't assumed_role");
        let all = [
            (self.credential_type.is_none(), "did not supply credential_type".to_owned()),
            (is_user && !self.default_sts_ttl.is_zero(), of_sessions("default_sts_ttl")),
            (is_user && !self.max_sts_ttl.is_zero(), of_sessions("max_sts_ttl")),
            (
                self.default_sts_ttl.limited_to(self.max_sts_ttl) < self.default_sts_ttl,
                r#""default_sts_ttl" value must be less than or equal to "max_sts_ttl" value"#
                    .to_owned(),
            ),
            (
                !path.is_empty() && !is_user,
                "user_path parameter only valid for iam_user credential type".to_owned(),
            ),
            (
                !path.is_empty() && !is_user_path(path),
                "the specified value for user_path is invalid: it begins and ends with '/', and has \
                 no spaces and at most 512 characters"
                    .to_owned(),
            ),
            (
                !boundary.is_empty() && !is_user,
                "cannot supply permissions_boundary_arn when credential_type isn't iam_user"
                    .to_owned(),
            ),
            (
                !boundary.is_empty() && !no_boundary.is_empty(),
                format!("invalid permissions_boundary_arn parameter: {no_boundary}"),
            ),
            (
                has_policy && is(CredentialType::SessionToken),
                "cannot supply a policy or role when using credential_type session_token"
                    .to_owned(),
            ),
            (!is_assumed && !self.role_arns.is_empty(), of_assumed("role_arns")),
            (!is_assumed && !self.session_tags.is_empty(), of_assumed("session_tags")),
            (!is_assumed && !self.external_id.is_empty(), of_assumed("external_id")),
        ];
        all.into_iter().filter(|(is_wrong, _)| *is_wrong).map(|(_, fault)| fault).collect()
    }
}

/// In the form of Vault's lists of errors.
fn faulty(faults: &[String]) -> Error {
    let head = match faults.len() {
        1 => "1 error occurred:".to_owned(),
        several => format!("{several} errors occurred:"),
    };
    let items: String = faults.iter().map(|fault| format!("\n\t* {fault}")).collect();
    let list = format!("{head}{items}\n\n");
    Error::invalid(format!("error(s) validating supplied role data: {list:?}"))
}

/// <https://docs.aws.amazon.com/IAM/latest/APIReference/API_CreateUser.html>
fn is_user_path(path: &str) -> bool {
    const LENGTH_MAX: usize = 512;
    path.starts_with('/')
        && path.ends_with('/')
        && path.len() <= LENGTH_MAX
        && path.bytes().all(|byte| (0x21..=0x7f).contains(&byte))
}

/// <https://docs.aws.amazon.com/IAM/latest/UserGuide/reference-arns.html>
fn check_policy_arn(arn: &str) -> Result<(), String> {
    let parts: Vec<&str> = arn.splitn(6, ':').collect();
    match parts.as_slice() {
        ["arn", _, "iam", _, _, resource] if resource.starts_with("policy/") => Ok(()),
        ["arn", _, "iam", _, _, resource] => {
            Err(format!("expected a resource type of policy but got {resource}"))
        }
        ["arn", _, service, _, _, _] => Err(format!("expected a service of iam but got {service}")),
        ["arn", ..] => Err("arn: not enough sections".to_owned()),
        _ => Err("arn: invalid prefix".to_owned()),
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    #[test]
    fn the_stored_form_is_fixed() {
        let golden = r#"{"credential_type":"assumed_role","policy_arns":["p"],"role_arns":["r"],"policy_document":"{}","iam_groups":["g"],"iam_tags":{"k":"v"},"session_tags":{"s":"t"},"external_id":"e","default_sts_ttl":1,"max_sts_ttl":2,"user_path":"/","permissions_boundary_arn":"b","mfa_serial_number":"m"}"#;
        let role: Role = serde_json::from_str(golden).unwrap();
        assert_eq!(serde_json::to_string(&role).unwrap(), golden);
        for kind in CredentialType::ALL {
            assert_eq!(serde_json::to_value(kind).unwrap(), kind.name());
            assert_eq!(CredentialType::parse(kind.name()).unwrap(), kind);
        }
        let error = CredentialType::parse("IAM_USER").unwrap_err();
        let text = r#"error(s) validating supplied role data: "1 error occurred:\n\t* unrecognized credential type: IAM_USER\n\n""#;
        assert_eq!(error.public(), text);
    }

    #[test]
    fn paths_of_users_begin_and_end_with_a_slash() {
        for path in ["/", "/a/", "/a/b!~/", &format!("/{}/", "x".repeat(510))] {
            assert!(is_user_path(path), "{path}");
        }
        for path in ["", "a", "/a", "a/", "/a b/", "/ä/", "/\n/", &format!("/{}/", "x".repeat(511))]
        {
            assert!(!is_user_path(path), "{path}");
        }
    }

    #[test]
    fn a_boundary_is_the_arn_of_a_policy() {
        assert!(check_policy_arn("arn:aws:iam::123456789012:policy/a:b").is_ok());
        for (arn, fault) in [
            ("policy/x", "arn: invalid prefix"),
            ("arn:aws:iam", "arn: not enough sections"),
            ("arn:aws:s3:::policy/x", "expected a service of iam but got s3"),
            ("arn:aws:iam::1:user/x", "expected a resource type of policy but got user/x"),
        ] {
            assert_eq!(check_policy_arn(arn).unwrap_err(), fault);
        }
    }
}
