use std::collections::BTreeMap;

use base_types::{Error, Result, Secret, Timestamp, TokenId, Ttl};
use core_barrier::Record;
use core_engine_api::WrapReply;
use core_identity::{Kind, NewToken, Token, Uses};
use serde::{Deserialize, Serialize};

use crate::Core;
use crate::namespaces::NamespaceEntry;

/// An answer that waits for the holder of a wrapping token, who may read it once.
#[derive(Debug, Deserialize, Serialize)]
pub struct WrappedRecord {
    /// The whole answer as JSON.
    pub response: String,
    pub creation_time: Timestamp,
    pub creation_path: String,
    pub creation_ttl: Ttl,
    /// The accessor of the token inside, if there is one.
    #[serde(default)]
    pub wrapped_accessor: String,
}

impl Record for WrappedRecord {
    const KIND: &'static str = "wrapped response";
}

const POLICY: &str = "response-wrapping";

impl Core {
    /// Puts an answer aside and gives the token that opens it once.
    pub async fn wrap(
        &self,
        namespace: &NamespaceEntry,
        ttl: Ttl,
        record: WrappedRecord,
    ) -> Result<WrapReply> {
        let new = NewToken {
            kind: Kind::Service,
            namespace: namespace.id().clone(),
            policies: vec![POLICY.to_owned()],
            display_name: String::new(),
            metadata: BTreeMap::new(),
            parent: None,
            ttl,
            explicit_max_ttl: ttl,
            period: Ttl::ZERO,
            uses: Uses::Left(1),
            path: record.creation_path.clone(),
            entity: None,
            bound_cidrs: Vec::new(),
            role: None,
            renewable: false,
            login: None,
            text: None,
        };
        let issued = self.tokens.create(new).await?;
        self.state.put(&key(&issued.token.id), &record).await?;
        Ok(WrapReply {
            token: issued.text,
            accessor: issued.token.accessor.to_string(),
            ttl,
            creation_time: record.creation_time,
            creation_path: record.creation_path,
            wrapped_accessor: record.wrapped_accessor,
        })
    }

    /// The wrapping token with this text, if it still wraps something.
    ///
    /// # Errors
    /// `Invalid` for anything else.
    pub async fn wrapping_token(&self, text: &Secret<String>) -> Result<std::sync::Arc<Token>> {
        let token = self.tokens.authenticate(text.expose()).await?;
        token.filter(|token| is_wrapping(token)).ok_or_else(gone)
    }

    /// What a wrapping token is about, without opening it.
    pub async fn wrapped(&self, token: &Token) -> Result<WrappedRecord> {
        self.state.get(&key(&token.id)).await?.ok_or_else(gone)
    }

    /// Opens what a wrapping token holds, and ends the token: of several callers one succeeds.
    pub async fn unwrap(&self, token: &Token) -> Result<WrappedRecord> {
        let key = key(&token.id);
        let key = key.as_str();
        let record = self
            .state
            .transact(move |tx| async move {
                let record = tx.get::<WrappedRecord>(key).await?.ok_or_else(gone)?;
                tx.delete(key);
                Ok(record)
            })
            .await?;
        // What it held has been taken out: it must reach the caller even if the empty token stays.
        if let Err(error) = self.revoke_token(&token.id).await {
            tracing::warn!(error = %error.log(), "could not end a wrapping token");
        }
        Ok(record)
    }

    /// Forgets what a token wraps, when it dies unopened.
    pub(crate) async fn drop_wrapped(&self, token: &TokenId) -> Result<()> {
        self.state.delete(&key(token)).await
    }
}

pub(crate) fn is_wrapping(token: &Token) -> bool {
    token.policies.iter().any(|policy| policy == POLICY)
}

fn gone() -> Error {
    Error::invalid("wrapping token is not valid or does not exist")
}

fn key(token: &TokenId) -> String {
    format!("wrapped/{token}")
}
