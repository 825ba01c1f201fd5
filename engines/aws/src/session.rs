use base_types::{Error, Result, Secret, Timestamp, Ttl};
use percent_encoding::percent_decode_str;

use crate::access_key::AccessKey;
use crate::client::Client;
use crate::fault::Fault;
use crate::policy;
use crate::query::Query;
use crate::role::Role;
use crate::xml::Element;

/// A key that ends by itself.
pub(crate) struct Session {
    pub(crate) key: AccessKey,
    pub(crate) token: Secret<String>,
    pub(crate) expires: Timestamp,
    /// Of an assumed role.
    pub(crate) arn: Option<String>,
}

/// What a session may do at most, besides what its role or user may.
pub(crate) struct Filter {
    document: String,
    arns: Vec<String>,
}

impl Client {
    /// The policies of the role, and those of its groups as they are now.
    ///
    /// # Errors
    /// `Invalid` if AWS refuses to tell, if a document is none, or if there are groups and nothing
    /// in them: what was to be limited by them would not be limited at all.
    pub(crate) async fn filter(&self, role: &Role) -> Result<Filter> {
        let (mut documents, mut arns) = (Vec::new(), role.policy_arns.clone());
        for group in &role.iam_groups {
            let place = format!("unable to read the policies of group {group}");
            let read = self.group_policies(group, &mut documents, &mut arns).await;
            read.map_err(|fault| fault.into_invalid().at(place))?;
        }
        let own = role.policy_document.as_str();
        let document = if documents.is_empty() {
            own.to_owned()
        } else {
            let own = Some(own).filter(|own| !own.is_empty());
            policy::combine(documents.iter().map(String::as_str).chain(own))?
        };
        if !role.iam_groups.is_empty() && document.is_empty() && arns.is_empty() {
            return Err(Error::invalid(
                "iam_groups have no policies, so nothing limits the session",
            ));
        }
        Ok(Filter { document, arns })
    }

    async fn group_policies(
        &self,
        group: &str,
        documents: &mut Vec<String>,
        arns: &mut Vec<String>,
    ) -> Result<(), Fault> {
        let of = |action| Query::iam(action).with("GroupName", group);
        for name in self.list(&of("ListGroupPolicies"), "member").await? {
            let answer = self.call(&of("GetGroupPolicy").with("PolicyName", &name)).await?;
            let encoded = answer.text("PolicyDocument")?;
            let document = percent_decode_str(encoded).decode_utf8();
            let document =
                document.map_err(|_| Error::upstream("the policy of a group is not UTF-8"))?;
            documents.push(document.into_owned());
        }
        arns.extend(self.list(&of("ListAttachedGroupPolicies"), "PolicyArn").await?);
        Ok(())
    }

    /// <https://docs.aws.amazon.com/STS/latest/APIReference/API_AssumeRole.html>
    ///
    /// # Errors
    /// `Invalid` if AWS refuses, `Unavailable` if it does not answer.
    pub(crate) async fn assume_role(
        &self,
        role: &Role,
        role_arn: &str,
        name: &str,
        ttl: Ttl,
    ) -> Result<Session> {
        let query = Query::sts("AssumeRole")
            .with("RoleArn", role_arn)
            .with("RoleSessionName", name)
            .with_tags(&role.session_tags)
            .with_given("ExternalId", &role.external_id);
        let query = self.filter(role).await?.add_to(query);
        self.session(query, ttl, "Error assuming role").await
    }

    /// <https://docs.aws.amazon.com/STS/latest/APIReference/API_GetFederationToken.html>
    ///
    /// # Errors
    /// As [`Self::assume_role`]; `Invalid` if the role has no policies, since a session without a
    /// filter might do nothing or, by the policy of a bucket, anything.
    pub(crate) async fn federation_token(
        &self,
        role: &Role,
        name: &str,
        ttl: Ttl,
    ) -> Result<Session> {
        let filter = self.filter(role).await?;
        if filter.document.is_empty() && filter.arns.is_empty() {
            return Err(Error::invalid(
                "must specify at least one of policy_arns or policy_document with federation_token credential_type",
            ));
        }
        let query = filter.add_to(Query::sts("GetFederationToken").with("Name", name));
        self.session(query, ttl, "Error generating STS keys").await
    }

    /// <https://docs.aws.amazon.com/STS/latest/APIReference/API_GetSessionToken.html>
    ///
    /// # Errors
    /// As [`Self::assume_role`]; `Invalid` if the role has a device and there is no code of it.
    pub(crate) async fn session_token(
        &self,
        role: &Role,
        mfa_code: &str,
        ttl: Ttl,
    ) -> Result<Session> {
        let mut query = Query::sts("GetSessionToken");
        if !role.mfa_serial_number.is_empty() {
            if mfa_code.is_empty() {
                return Err(Error::invalid(
                    "mfa_code is needed: the role has an mfa_serial_number",
                ));
            }
            query = query.with("SerialNumber", &role.mfa_serial_number).with("TokenCode", mfa_code);
        }
        self.session(query, ttl, "Error generating STS keys").await
    }

    async fn session(&self, query: Query, ttl: Ttl, place: &str) -> Result<Session> {
        let query = query.with("DurationSeconds", &ttl.seconds().to_string());
        let answer = self.call(&query).await.map_err(|fault| fault.into_invalid().at(place))?;
        Session::of(&answer)
    }
}

impl Filter {
    fn add_to(&self, query: Query) -> Query {
        query.with_given("Policy", &self.document).with_policy_arns(&self.arns)
    }
}

impl Session {
    fn of(answer: &Element) -> Result<Self> {
        let secret = answer.secret("SecretAccessKey")?;
        let key = AccessKey { id: answer.text("AccessKeyId")?.to_owned(), secret };
        let expires = answer.text("Expiration")?.parse();
        let user = answer.find("AssumedRoleUser").and_then(|user| user.text("Arn").ok());
        Ok(Self {
            key,
            token: answer.secret("SessionToken")?,
            expires: expires.map_err(|_| Error::upstream("the answer of AWS has no Expiration"))?,
            arn: user.map(str::to_owned),
        })
    }
}
