use std::sync::Weak;

use arc_swap::ArcSwap;
use base_types::{BoxFuture, Error, Result, Secret};
use core_engine_api::{Services, Tuning};

use crate::Core;
use crate::counters::Counters;

/// What one mount may ask of the server.
pub(crate) struct MountServices {
    core: Weak<Core>,
    namespace: std::sync::Arc<str>,
    tuning: ArcSwap<Tuning>,
}

impl MountServices {
    pub(crate) fn new(core: Weak<Core>, namespace: std::sync::Arc<str>, tuning: Tuning) -> Self {
        Self { core, namespace, tuning: ArcSwap::from_pointee(tuning) }
    }

    pub(crate) fn tune(&self, tuning: Tuning) {
        self.tuning.store(tuning.into());
    }
}

impl Services for MountServices {
    fn tuning(&self) -> Tuning {
        **self.tuning.load()
    }

    fn password<'a>(&'a self, policy: Option<&'a str>) -> BoxFuture<'a, Result<Secret<String>>> {
        Box::pin(async move {
            let core = self.core.upgrade().ok_or_else(Error::sealed)?;
            core.generate_password(&self.namespace, policy).await
        })
    }

    fn count_rotation(&self, succeeded: bool) {
        if let Some(core) = self.core.upgrade() {
            let Counters { rotations, rotation_failures, .. } = &core.counters;
            if succeeded { rotations.add_one() } else { rotation_failures.add_one() }
        }
    }
}
