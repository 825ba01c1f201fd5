use base_types::{Result, Timestamp};
use core_barrier::{Record, Tx};
use serde::{Deserialize, Serialize};

use crate::Leases;
use crate::lease::sortable;

/// The end of all leases below a prefix. It is stored, so that it goes on where it was when the
/// server comes back.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
pub struct Job {
    pub namespace: String,
    /// Sorts by the time of the start.
    pub id: String,
    pub prefix: String,
    /// A lease whose engine fails to revoke it is forgotten.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub force: bool,
    /// Leases made after this are not touched.
    pub started: Timestamp,
    pub stage: Stage,
    /// The last lease id of this stage that is done.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub after: String,
    /// How many leases there were below the prefix at the start.
    pub total: u64,
    /// How many have ended, or were handed to the queues of their targets.
    pub handled: u64,
    /// How many were given up on.
    #[serde(default)]
    pub irrevocable: u64,
    /// The first failure, which did not stop the others.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub error: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub finished: Option<Timestamp>,
}

/// How far a job is.
#[derive(Clone, Copy, Debug, Deserialize, Eq, PartialEq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Stage {
    /// Leases are ended, or handed to their targets.
    Handing,
    /// The targets are waited for.
    Waiting,
}

impl Record for Job {
    const KIND: &'static str = "revocation job";
}

/// How many finished jobs of a namespace stay readable.
const FINISHED_MAX: usize = 32;

impl Job {
    fn key(&self) -> String {
        job_key(&self.namespace, &self.id)
    }

    /// An id for a job that starts at `now`; `random` keeps those of one moment apart.
    pub fn id_at(now: Timestamp, random: &str) -> String {
        format!("{}-{random}", sortable(now))
    }
}

impl Leases {
    /// Stores a new job, and forgets the oldest finished ones if there are many.
    pub async fn add_job(&self, job: &Job) -> Result<()> {
        self.state.put(&job.key(), job).await?;
        let jobs = self.jobs(&job.namespace).await?;
        let finished: Vec<_> = jobs.iter().filter(|job| job.finished.is_some()).collect();
        for old in finished.iter().take(finished.len().saturating_sub(FINISHED_MAX)) {
            self.state.delete(&old.key()).await?;
        }
        Ok(())
    }

    pub fn note_job(&self, tx: &Tx, job: &Job) -> Result<()> {
        tx.put(&job.key(), job)
    }

    pub async fn save_job(&self, job: &Job) -> Result<()> {
        self.state.put(&job.key(), job).await
    }

    /// The jobs of a namespace, oldest first; of all namespaces if it is empty.
    pub async fn jobs(&self, namespace: &str) -> Result<Vec<Job>> {
        let area = match namespace {
            "" => "lease/job/".to_owned(),
            namespace => job_key(namespace, ""),
        };
        let mut jobs = Vec::new();
        for key in self.state.keys(&area, "", 0).await? {
            jobs.extend(self.state.get::<Job>(&key).await?);
        }
        Ok(jobs)
    }

    pub async fn job(&self, namespace: &str, id: &str) -> Result<Option<Job>> {
        self.state.get(&job_key(namespace, id)).await
    }
}

fn job_key(namespace: &str, id: &str) -> String {
    format!("lease/job/{namespace}/{id}")
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    #[test]
    fn the_stored_form_does_not_change() {
        let job = Job {
            namespace: "root".into(),
            id: Job::id_at(Timestamp::from_seconds(10), "x1"),
            prefix: "database/".into(),
            force: false,
            started: Timestamp::from_seconds(10),
            stage: Stage::Handing,
            after: "database/creds/a/1".into(),
            total: 9,
            handled: 4,
            irrevocable: 0,
            error: None,
            finished: None,
        };
        let golden = r#"{"namespace":"root","id":"00000002540be400-x1","prefix":"database/","started":"1970-01-01T00:00:10Z","stage":"handing","after":"database/creds/a/1","total":9,"handled":4,"irrevocable":0}"#;
        assert_eq!(serde_json::to_string(&job).unwrap(), golden);
        assert_eq!(serde_json::from_str::<Job>(golden).unwrap(), job);
    }
}
