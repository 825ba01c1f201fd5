use std::sync::Arc;

use base_types::{Error, Result, Secret};
use core_identity::{Entity, Token};
use core_policy::Acl;

use crate::namespaces::NamespaceEntry;
use crate::request::Peer;
use crate::{Core, Request};

/// A caller with a good token: who it is and what it may do.
pub struct Session {
    pub token: Arc<Token>,
    /// The token's own namespace.
    pub namespace: Arc<NamespaceEntry>,
    pub entity: Option<Arc<Entity>>,
    pub acl: Arc<Acl>,
    /// The token itself, if this is the session of a request. It is for the token engine alone,
    /// whose answers repeat it.
    pub text: Option<Secret<String>>,
}

impl Session {
    /// The caller may do this on `full_path` with `sudo`, or everything.
    pub fn has_sudo(&self, full_path: &str) -> bool {
        self.acl.capabilities(full_path).iter().any(|name| matches!(*name, "sudo" | "root"))
    }
}

impl Core {
    /// # Errors
    /// `Denied` for a token that is unknown, expired, revoked, or used from elsewhere.
    pub(crate) async fn authenticate(&self, request: &Request) -> Result<Arc<Session>> {
        let text = request.token.as_ref().ok_or_else(|| Error::denied().because("no token"))?;
        let token = self.tokens.authenticate(text.expose()).await?;
        let token = token.ok_or_else(|| Error::denied().because("invalid token"))?;
        check_origin(&token, &request.peer)?;
        let session = self.session(token).await?;
        Ok(Arc::new(Session { text: Some(text.clone()), ..session }))
    }

    /// What a known token amounts to.
    pub async fn session(&self, token: Arc<Token>) -> Result<Session> {
        let namespace = self.namespaces.by_id(&token.namespace);
        let namespace =
            namespace.ok_or_else(|| Error::denied().because("its namespace is gone"))?;
        let entity = match &token.entity {
            Some(id) => self.entities.read(&token.namespace, id).await?,
            None => None,
        };
        if entity.as_ref().is_some_and(|entity| entity.disabled) {
            return Err(Error::denied().because("its entity is disabled"));
        }
        let acl = self.policies.acl(&token, &namespace, entity.as_deref()).await?;
        Ok(Session { token, namespace, entity, acl, text: None })
    }
}

fn check_origin(token: &Token, peer: &Peer) -> Result<()> {
    if token.admits(peer.remote.map(|remote| remote.ip())) {
        Ok(())
    } else {
        Err(Error::denied().because("the token is bound to other networks"))
    }
}
