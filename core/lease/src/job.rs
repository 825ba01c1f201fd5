use base_types::{ErrorKind, Result, Timestamp};
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
    /// How often it has begun anew.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub pass: u32,
    /// It was asked for once more while it was under way, when there were so many leases.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub again: Option<u64>,
}

fn is_zero(number: &u32) -> bool {
    *number == 0
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

    /// The job as it begins anew.
    fn anew(&self, total: u64, now: Timestamp) -> Self {
        Self {
            started: now,
            stage: Stage::Handing,
            after: String::new(),
            total,
            handled: 0,
            irrevocable: 0,
            error: None,
            finished: None,
            pass: self.pass + 1,
            again: None,
            ..self.clone()
        }
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

    /// Stores how far a job is. The answer is how it goes on: anew, if it was asked for once more
    /// and has handed over all. `None` if it is gone, and then nothing is stored.
    pub async fn note_job(&self, tx: &Tx, job: &Job) -> Result<Option<Job>> {
        let again = match tx.get::<Job>(&job.key()).await {
            // What is written now can be read again.
            Err(error) if error.is(ErrorKind::Corrupt) => job.again,
            found => match found? {
                Some(stored) => stored.again,
                None => return Ok(None),
            },
        };
        let job = match again {
            Some(total) if job.stage == Stage::Waiting => job.anew(total, self.clock.now()),
            _ => Job { again, ..job.clone() },
        };
        tx.put(&job.key(), &job)?;
        Ok(Some(job))
    }

    /// As [`Self::note_job`], in a transaction of its own.
    pub async fn save_job(&self, job: &Job) -> Result<Option<Job>> {
        self.state.transact(move |tx| async move { self.note_job(&tx, job).await }).await
    }

    /// Has a job begin anew once it has handed over all, since leases may have been made after it
    /// started. The answer is in which pass that is; `None` if the job is over.
    pub async fn repeat_job(&self, namespace: &str, id: &str, total: u64) -> Result<Option<u32>> {
        let key = &job_key(namespace, id);
        let repeat = move |tx: Tx| async move {
            let stored = readable(tx.get::<Job>(key).await)?;
            let Some(job) = stored.filter(|job| job.finished.is_none()) else { return Ok(None) };
            let job = Job { again: Some(total), ..job };
            tx.put(key, &job)?;
            Ok(Some(job.pass + 1))
        };
        self.state.transact(repeat).await
    }

    /// Whether a job that waits has something else to do: it was asked for once more, or is gone.
    pub async fn is_recalled(&self, job: &Job) -> Result<bool> {
        match self.state.get::<Job>(&job.key()).await {
            Err(error) if error.is(ErrorKind::Corrupt) => Ok(false),
            found => Ok(found?.is_none_or(|stored| stored.again.is_some())),
        }
    }

    /// The jobs of a namespace, oldest first; of all namespaces if it is empty. One that cannot be
    /// read is in the server's log; it must not hide the others.
    pub async fn jobs(&self, namespace: &str) -> Result<Vec<Job>> {
        let area = match namespace {
            "" => "lease/job/".to_owned(),
            namespace => job_key(namespace, ""),
        };
        let mut jobs = Vec::new();
        for key in self.state.keys(&area, "", 0).await? {
            jobs.extend(readable(self.state.get::<Job>(&key).await)?);
        }
        Ok(jobs)
    }

    pub async fn job(&self, namespace: &str, id: &str) -> Result<Option<Job>> {
        self.state.get(&job_key(namespace, id)).await
    }
}

fn readable(found: Result<Option<Job>>) -> Result<Option<Job>> {
    match found {
        Err(error) if error.is(ErrorKind::Corrupt) => {
            tracing::error!(error = %error.log(), "the revocation of a prefix cannot be read and does not go on");
            Ok(None)
        }
        found => found,
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
            pass: 0,
            again: None,
        };
        let golden = r#"{"namespace":"root","id":"00000002540be400-x1","prefix":"database/","started":"1970-01-01T00:00:10Z","stage":"handing","after":"database/creds/a/1","total":9,"handled":4,"irrevocable":0}"#;
        assert_eq!(serde_json::to_string(&job).unwrap(), golden);
        assert_eq!(serde_json::from_str::<Job>(golden).unwrap(), job);
        let asked = Job { pass: 2, again: Some(7), ..job };
        let golden = golden.replace("\"irrevocable\":0}", r#""irrevocable":0,"pass":2,"again":7}"#);
        assert_eq!(serde_json::to_string(&asked).unwrap(), golden);
        assert_eq!(serde_json::from_str::<Job>(&golden).unwrap(), asked);
    }
}
