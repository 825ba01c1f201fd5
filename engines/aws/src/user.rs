use base_types::{Error, Result, Secret, Timestamp};

use crate::access_key::AccessKey;
use crate::client::Client;
use crate::fault::Fault;
use crate::query::Query;
use crate::role::Role;

/// A user that is to be.
pub(crate) struct NewUser {
    pub(crate) name: String,
    pub(crate) role: Role,
    /// Becomes the name of the user's own policy.
    pub(crate) role_name: String,
}

/// A key as IAM lists it: without its secret.
pub(crate) struct ListedKey {
    pub(crate) id: String,
    pub(crate) made: Timestamp,
    pub(crate) is_active: bool,
}

/// What else keeps a user from being deleted, if somebody gave it that.
const LOGIN_PROFILE: &str = "DeleteLoginProfile";

impl Client {
    /// Makes sure that IAM can be reached, and that what is later removed by its name is not
    /// somebody else.
    ///
    /// # Errors
    /// `Invalid` if there is such a user or AWS refuses the question, `Unavailable` if it cannot be
    /// reached.
    pub(crate) async fn check_is_free(&self, name: &str) -> Result<()> {
        match self.call(&of("ListAccessKeys", name)).await {
            Ok(_) => Err(Error::invalid(format!("there is a user {name} in IAM already"))),
            Err(fault) if fault.is("NoSuchEntity") => Ok(()),
            Err(fault) => Err(fault.into_invalid().at("Error looking for the IAM user")),
        }
    }

    /// Makes the user, who may do nothing yet.
    ///
    /// # Errors
    /// `Invalid` if AWS refuses, `Unavailable` if it does not answer: the user may have been made.
    pub(crate) async fn create_user(&self, user: &NewUser) -> Result<()> {
        let NewUser { name, role, .. } = user;
        let path = if role.user_path.is_empty() { "/" } else { &role.user_path };
        let query = of("CreateUser", name)
            .with("Path", path)
            .with_given("PermissionsBoundary", &role.permissions_boundary_arn)
            .with_tags(&role.iam_tags);
        self.change(&query, "Error creating IAM user").await
    }

    /// Gives a user its policies and groups, and then a key.
    ///
    /// # Errors
    /// As [`Self::create_user`].
    pub(crate) async fn furnish_user(&self, user: &NewUser) -> Result<AccessKey> {
        let NewUser { name, role, role_name } = user;
        for arn in &role.policy_arns {
            let query = of("AttachUserPolicy", name).with("PolicyArn", arn);
            self.change(&query, "Error attaching user policy").await?;
        }
        if !role.policy_document.is_empty() {
            let query = of("PutUserPolicy", name)
                .with("PolicyName", role_name)
                .with("PolicyDocument", &role.policy_document);
            self.change(&query, "Error putting user policy").await?;
        }
        for group in &role.iam_groups {
            let query = of("AddUserToGroup", name).with("GroupName", group);
            self.change(&query, "Error adding user to group").await?;
        }
        let made = self.create_access_key(name).await;
        made.map_err(|fault| fault.into_invalid().at("Error creating access keys"))
    }

    /// # Errors
    /// As [`Client::call`].
    pub(crate) async fn create_access_key(&self, user: &str) -> Result<AccessKey, Fault> {
        let answer = self.call(&of("CreateAccessKey", user)).await?;
        let secret: Secret<String> = answer.secret("SecretAccessKey")?;
        Ok(AccessKey { id: answer.text("AccessKeyId")?.to_owned(), secret })
    }

    /// The keys of a user, the oldest first.
    ///
    /// # Errors
    /// As [`Client::call`].
    pub(crate) async fn access_keys(&self, user: &str) -> Result<Vec<ListedKey>, Fault> {
        let answer = self.call(&of("ListAccessKeys", user)).await?;
        let mut keys = Vec::new();
        for key in answer.members("AccessKeyMetadata") {
            keys.push(ListedKey {
                id: key.text("AccessKeyId")?.to_owned(),
                made: key.text("CreateDate")?.parse()?,
                is_active: key.text("Status").ok() != Some("Inactive"),
            });
        }
        keys.sort_by_key(|key| key.made);
        Ok(keys)
    }

    /// By what AWS knows a user whatever the name, which may come to be another's.
    ///
    /// # Errors
    /// As [`Client::call`].
    pub(crate) async fn user_id(&self, user: &str) -> Result<String, Fault> {
        let answer = self.call(&of("GetUser", user)).await?;
        Ok(answer.text("UserId")?.to_owned())
    }

    /// Deletes a key, if it is there.
    ///
    /// # Errors
    /// As [`Client::call`].
    pub(crate) async fn delete_access_key(&self, user: &str, id: &str) -> Result<(), Fault> {
        self.delete(of("DeleteAccessKey", user).with("AccessKeyId", id)).await
    }

    /// Takes down a user with all that it has, its keys first; false if there is none.
    ///
    /// # Errors
    /// As [`Client::call`].
    pub(crate) async fn remove_user(&self, name: &str) -> Result<bool, Fault> {
        let keys = match self.list(&of("ListAccessKeys", name), "AccessKeyId").await {
            Err(fault) if fault.is("NoSuchEntity") => return Ok(false),
            keys => keys?,
        };
        for key in keys {
            self.delete_access_key(name, &key).await?;
        }
        for (listing, item, deletion, parameter) in [
            ("ListAttachedUserPolicies", "PolicyArn", "DetachUserPolicy", "PolicyArn"),
            ("ListUserPolicies", "member", "DeleteUserPolicy", "PolicyName"),
            ("ListGroupsForUser", "GroupName", "RemoveUserFromGroup", "GroupName"),
        ] {
            for found in self.list(&of(listing, name), item).await? {
                self.delete(of(deletion, name).with(parameter, &found)).await?;
            }
        }
        match self.delete(of("DeleteUser", name)).await {
            // The permission for it is asked of nobody whose users have none.
            Err(fault) if fault.is("DeleteConflict") => {
                self.delete(of(LOGIN_PROFILE, name)).await?;
                self.delete(of("DeleteUser", name)).await?;
            }
            deleted => deleted?,
        }
        Ok(true)
    }

    /// What is not there is deleted.
    async fn delete(&self, query: Query) -> Result<(), Fault> {
        match self.call(&query).await {
            Err(fault) if fault.is("NoSuchEntity") => Ok(()),
            answer => answer.map(drop),
        }
    }

    async fn change(&self, query: &Query, place: &str) -> Result<()> {
        self.call(query).await.map(drop).map_err(|fault| fault.into_invalid().at(place))
    }
}

/// An action on one user.
///
/// <https://docs.aws.amazon.com/IAM/latest/APIReference/API_Operations.html>
pub(crate) fn of(action: &'static str, user: &str) -> Query {
    Query::iam(action).with("UserName", user)
}
