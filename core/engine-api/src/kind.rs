use std::sync::Arc;

use base_types::{BoxFuture, Result};

use crate::backend::{Adapter, Backend};
use crate::{Endpoint, Engine, Mount, Routes};

/// Where an engine can be mounted.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Role {
    Auth,
    Secrets,
}

/// What there is to say about an engine before it is mounted.
#[derive(Debug)]
pub struct Meta {
    /// The type in `sys/mounts`, for example `kv`.
    pub name: &'static str,
    /// Which `version` option selects it, where one name has several engines.
    pub version: Option<&'static str>,
    pub role: Role,
    /// One sentence.
    pub summary: &'static str,
    /// Mounted by the server itself, once in each namespace; cannot be enabled, moved or disabled.
    pub built_in: bool,
}

type Open = dyn Fn(Mount) -> BoxFuture<'static, Result<Arc<dyn Backend>>> + Send + Sync;

/// An engine as the registry knows it: its meta data, its endpoints and how to open it.
#[derive(Clone)]
pub struct Kind {
    meta: &'static Meta,
    endpoints: Arc<[Endpoint]>,
    open: Arc<Open>,
}

impl Kind {
    pub fn of<E: Engine>() -> Self {
        Self::with(E::open)
    }

    /// An engine that is given more than its mount, such as the one behind `sys/`.
    pub fn with<E, F, Fut>(open: F) -> Self
    where
        E: Engine,
        F: Fn(Mount) -> Fut + Send + Sync + 'static,
        Fut: Future<Output = Result<E>> + Send + 'static,
    {
        let mut routes = Routes::new();
        E::routes(&mut routes);
        let table = Arc::new(routes.build());
        let endpoints = table.endpoints();
        let open = move |mount: Mount| {
            let (opening, table) = (open(mount), table.clone());
            Box::pin(async move {
                let engine = Arc::new(opening.await?);
                Ok(Arc::new(Adapter { engine, table }) as Arc<dyn Backend>)
            }) as BoxFuture<'static, _>
        };
        Self { meta: E::META, endpoints, open: Arc::new(open) }
    }

    pub fn meta(&self) -> &'static Meta {
        self.meta
    }

    pub fn endpoints(&self) -> &[Endpoint] {
        &self.endpoints
    }

    pub async fn open(&self, mount: Mount) -> Result<Arc<dyn Backend>> {
        (self.open)(mount).await
    }
}
