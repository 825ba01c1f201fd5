use std::collections::BTreeMap;
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};

use base_crypto::{SeededRandom, random_array};
use base_types::{Error, ErrorKind};
use core_barrier::Tx;

use super::*;
use crate::probe::Probe;

#[derive(Clone, Copy, Debug, Default, Deserialize, PartialEq, Serialize)]
struct Number(u64);

impl Record for Number {
    const KIND: &'static str = "number";
}

async fn number(tx: &Tx, key: &str) -> Result<u64> {
    Ok(tx.get::<Number>(key).await?.unwrap_or_default().0)
}

#[tokio::test]
async fn a_transaction_sees_its_own_writes_and_nothing_leaves_before_its_end() {
    let (_, barrier) = new_barrier().await;
    let view = barrier.view("kv/");
    view.put("old", &note("old")).await.unwrap();
    let outcome = view.transact(async |tx| {
        tx.put("new", &note("new"))?;
        assert_eq!(tx.get::<Note>("new").await?, Some(note("new")));
        assert_eq!(view.get::<Note>("new").await?, None);
        tx.delete("old");
        assert_eq!(tx.get::<Note>("old").await?, None);
        assert_eq!(view.get::<Note>("old").await?, Some(note("old")));
        tx.put("old", &note("again"))?;
        Ok(tx.get::<Note>("old").await?.unwrap().text)
    });
    assert_eq!(outcome.await.unwrap(), "again");
    assert_eq!(view.get::<Note>("new").await.unwrap(), Some(note("new")));
    assert_eq!(view.get::<Note>("old").await.unwrap(), Some(note("again")));
}

#[tokio::test]
async fn an_error_commits_nothing() {
    let (_, barrier) = new_barrier().await;
    let view = barrier.view("kv/");
    let outcome: Result<()> = view
        .transact(async |tx| {
            tx.put("a", &note("x"))?;
            Err(Error::invalid("changed my mind"))
        })
        .await;
    assert_eq!(outcome.unwrap_err().public(), "changed my mind");
    assert!(view.keys("", "", 0).await.unwrap().is_empty());
}

#[tokio::test]
async fn it_runs_again_when_what_it_read_has_changed() {
    let (_, barrier) = new_barrier().await;
    let view = barrier.view("kv/");
    for (key, present) in [("absent", false), ("present", true)] {
        if present {
            view.put(key, &Number(1)).await.unwrap();
        }
        let runs = AtomicUsize::new(0);
        let seen = view.transact(async |tx| {
            let seen = number(&tx, key).await?;
            if runs.fetch_add(1, Ordering::SeqCst) == 0 {
                view.put(key, &Number(7)).await?;
            }
            assert_eq!(number(&tx, key).await?, seen, "the same read twice");
            tx.put("out", &Number(seen))?;
            Ok(seen)
        });
        assert_eq!(seen.await.unwrap(), 7);
        assert_eq!(runs.load(Ordering::SeqCst), 2);
        assert_eq!(view.get::<Number>("out").await.unwrap(), Some(Number(7)));
    }
}

#[tokio::test]
async fn it_gives_up_after_64_attempts() {
    let (_, barrier) = new_barrier().await;
    let view = barrier.view("kv/");
    view.put("taken", &Number(0)).await.unwrap();
    let runs = AtomicUsize::new(0);
    let outcome = view.transact(async |tx| {
        runs.fetch_add(1, Ordering::SeqCst);
        tx.absent("taken");
        tx.put("other", &Number(1))
    });
    assert!(outcome.await.unwrap_err().is(ErrorKind::Unavailable));
    assert_eq!(runs.load(Ordering::SeqCst), 64);
    assert_eq!(view.get::<Number>("other").await.unwrap(), None);
    view.delete("taken").await.unwrap();
    let outcome = view.transact(async |tx| {
        tx.absent("taken");
        tx.put("taken", &Number(1))
    });
    outcome.await.unwrap();
}

/// Reads that never belonged together may make `work` fail. Such an error is not the caller's.
#[tokio::test]
async fn an_error_from_torn_reads_is_not_reported() {
    let (_, barrier) = new_barrier().await;
    let view = barrier.view("kv/");
    let write_both = async |value| {
        let write = view.transact(async |tx| {
            tx.put("left", &Number(value))?;
            tx.put("right", &Number(value))
        });
        write.await
    };
    write_both(1).await.unwrap();
    let runs = AtomicUsize::new(0);
    let outcome = view.transact(async |tx| {
        let left = number(&tx, "left").await?;
        if runs.fetch_add(1, Ordering::SeqCst) == 0 {
            write_both(2).await?;
        }
        if left == number(&tx, "right").await? { Ok(left) } else { Err(Error::internal("torn")) }
    });
    assert_eq!(outcome.await.unwrap(), 2);
    assert_eq!(runs.load(Ordering::SeqCst), 2);
}

#[tokio::test]
async fn a_failed_commit_writes_nothing_of_many() {
    for commits in 0..3 {
        let (memory, _) = new_barrier().await;
        let probe = Probe::dying_after(memory.clone(), commits);
        let view = reopened(&probe).await.view("kv/");
        let outcome = view.transact(async |tx| {
            for n in 0..5 {
                tx.put(&n.to_string(), &Number(n))?;
            }
            Ok(())
        });
        let done = outcome.await;
        assert_eq!(done.is_ok(), commits == 2); // The first commit reserves encryptions.
        let left = reopened(&memory).await.view("kv/").keys("", "", 0).await.unwrap();
        assert_eq!(left.len(), if done.is_ok() { 5 } else { 0 }, "{commits}");
    }
}

const ACCOUNTS: u64 = 8;
const MONEY: u64 = 1000;

/// Money moves between accounts while auditors add it up: at no moment is there more or less.
#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn readers_see_whole_transactions_only() {
    let (_, barrier) = new_barrier().await;
    let view = barrier.view("bank/");
    for account in 0..ACCOUNTS {
        view.put(&account.to_string(), &Number(MONEY)).await.unwrap();
    }
    let mover = |seed| {
        let view = view.clone();
        async move {
            let random = SeededRandom::new(seed);
            for _ in 0..200 {
                let [from, to, amount]: [u8; 3] = random_array(&random);
                let (from, to) = (u64::from(from) % ACCOUNTS, u64::from(to) % ACCOUNTS);
                let outcome = view.transact(async |tx| {
                    let (from, to) = (from.to_string(), to.to_string());
                    let balance = number(&tx, &from).await?;
                    let rest = balance.checked_sub(amount.into());
                    let rest = rest.ok_or_else(|| Error::precondition("overdrawn"))?;
                    tx.put(&from, &Number(rest))?;
                    let credit = number(&tx, &to).await? + u64::from(amount);
                    tx.put(&to, &Number(credit))
                });
                let kind = outcome.await.err().map(|error| error.kind());
                assert!(matches!(kind, None | Some(ErrorKind::Precondition)), "{kind:?}");
            }
        }
    };
    let auditor = {
        let view = view.clone();
        async move {
            for _ in 0..100 {
                let sum = view.transact(async |tx| {
                    let mut sum = 0;
                    for account in 0..ACCOUNTS {
                        sum += number(&tx, &account.to_string()).await?;
                    }
                    Ok(sum)
                });
                match sum.await {
                    Ok(sum) => assert_eq!(sum, ACCOUNTS * MONEY),
                    Err(error) => assert!(error.is(ErrorKind::Unavailable), "{error:?}"),
                }
            }
        }
    };
    let mut tasks: Vec<_> = (0..3).map(|seed| tokio::spawn(mover(seed))).collect();
    tasks.push(tokio::spawn(auditor));
    for task in tasks {
        task.await.unwrap();
    }
}

/// One committed transaction: what it read and what it wrote.
#[derive(Clone, Default)]
struct Committed {
    order: u64,
    reads: Vec<(String, Option<u64>)>,
    writes: Vec<(String, Option<u64>)>,
}

/// Random transactions of many tasks, each of which also takes a number from a common counter,
/// must be the same as one after the other in the order of these numbers on a plain map.
#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn concurrent_transactions_equal_a_plain_model() {
    for seed in 0..6 {
        let (_, barrier) = new_barrier().await;
        let view = barrier.view("model/");
        let log = Arc::new(Mutex::new(Vec::new()));
        let worker = |seed| {
            let (view, log) = (view.clone(), Arc::clone(&log));
            async move {
                let random = SeededRandom::new(seed);
                for _ in 0..50 {
                    let plan: [u8; 12] = random_array(&random);
                    if let Ok(done) = view.transact(async |tx| random_work(&tx, &plan).await).await
                    {
                        log.lock().unwrap().push(done);
                    }
                }
            }
        };
        let tasks: Vec<_> = (0..4).map(|n| tokio::spawn(worker(seed * 100 + n))).collect();
        for task in tasks {
            task.await.unwrap();
        }
        let log = std::mem::take(&mut *log.lock().unwrap());
        assert!(log.len() > 50, "only {} were committed", log.len());
        assert_equals_model(log, &view.keys("key", "", 0).await.unwrap(), &view).await;
    }
}

/// Each byte of the plan is one step on one of six keys.
async fn random_work(tx: &Tx, plan: &[u8]) -> Result<Committed> {
    let order = number(tx, "order").await? + 1;
    tx.put("order", &Number(order))?;
    let mut done = Committed { order, ..Committed::default() };
    for (at, step) in plan.iter().enumerate() {
        let key = format!("key{}", step % 6);
        match step / 64 {
            0 | 1 => {
                let value = tx.get::<Number>(&key).await?.map(|number| number.0);
                done.reads.push((key, value));
            }
            2 => {
                let value = order * 100 + at as u64;
                tx.put(&key, &Number(value))?;
                done.writes.push((key, Some(value)));
            }
            _ => {
                tx.delete(&key);
                done.writes.push((key, None));
            }
        }
    }
    Ok(done)
}

async fn assert_equals_model(mut log: Vec<Committed>, keys: &[String], view: &core_barrier::View) {
    log.sort_by_key(|done| done.order);
    let mut model: BTreeMap<String, u64> = BTreeMap::new();
    for (done, order) in log.iter().zip(1..) {
        assert_eq!(done.order, order, "a number was given twice or lost");
        for (key, value) in &done.reads {
            let own = done.writes.iter().any(|(written, _)| written == key);
            assert!(own || model.get(key) == value.as_ref(), "{key} in {order}");
        }
        for (key, value) in &done.writes {
            match value {
                Some(value) => drop(model.insert(key.clone(), *value)),
                None => drop(model.remove(key)),
            }
        }
    }
    assert!(keys.iter().eq(model.keys()));
    for (key, value) in &model {
        assert_eq!(view.get::<Number>(key).await.unwrap(), Some(Number(*value)));
    }
}
