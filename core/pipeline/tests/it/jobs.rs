//! The end of all leases below a prefix.

use std::sync::atomic::Ordering;
use std::time::Duration;

use base_types::{Namespace, Ttl};
use core_lease::{Job, Lease, Stage};
use serde_json::json;

use crate::world::World;

/// Stores many leases like the one of `lab/creds/<name>`.
async fn lend(world: &World, target: &str, count: usize) {
    let body = json!({"ttl": "9h", "target": target});
    let made = world.write(&format!("lab/creds/{target}"), &world.root, body).await;
    let first = made["lease_id"].as_str().unwrap();
    let first = &world.core.leases.read("root", first).await.unwrap().unwrap();
    for page in 0..(count - 1).div_ceil(500) {
        let numbers = page * 500..(count - 1).min((page + 1) * 500);
        let insert = move |tx| {
            let numbers = numbers.clone();
            async move {
                for number in numbers {
                    let lease = Lease { id: format!("{}-{number:06}", first.id), ..first.clone() };
                    world.core.leases.insert(&tx, &lease)?;
                }
                Ok(())
            }
        };
        world.core.state.transact(insert).await.unwrap();
    }
}

fn revoked(world: &World) -> usize {
    world.lab.revoked.lock().unwrap().len()
}

async fn left(world: &World) -> u64 {
    world.core.leases.count("root", "lab/").await.unwrap()
}

async fn job(world: &World) -> Job {
    world.core.leases.jobs("root").await.unwrap().pop().unwrap()
}

#[tokio::test(start_paused = true)]
async fn thousands_end_in_small_steps_and_what_comes_later_stays() {
    let world = World::start().await;
    lend(&world, "db", 3000).await;
    world.store.largest.store(0, Ordering::SeqCst);
    let mut progress =
        world.core.begin_revoking("root", "lab/creds/", false).await.unwrap().unwrap();
    world.store.dies_after(9);
    world.clock.advance(Ttl::from_seconds(1));
    tokio::time::sleep(Duration::from_secs(1)).await;
    let halfway = job(&world).await;
    assert!(halfway.finished.is_none() && halfway.total == 3000);
    assert!((128..3000).contains(&halfway.handled), "{}", halfway.handled);
    world.store.heal();
    world.write("lab/creds/later", &world.root, json!({"ttl": "9h"})).await;
    progress.wait_for(|job| job.finished.is_some()).await.unwrap();
    // Some were taken back when the store stopped, and again since nobody could note it.
    assert!((3000..3100).contains(&revoked(&world)));
    assert_eq!(left(&world).await, 1);
    let largest = world.store.largest.load(Ordering::SeqCst);
    assert!(largest <= 1024, "{largest} keys at once");
    let job = job(&world).await;
    assert_eq!((job.total, job.handled, job.irrevocable, job.error), (3000, 3000, 0, None));
}

#[tokio::test(start_paused = true)]
async fn a_job_goes_on_after_a_crash_at_any_moment() {
    for commits in (0..).step_by(7) {
        let mut world = World::start().await;
        lend(&world, "db", 300).await;
        world.store.dies_after(commits);
        let begun = world.core.begin_revoking("root", "lab/", false).await;
        tokio::time::sleep(Duration::from_secs(30)).await;
        let is_through = left(&world).await == 0;
        world.store.heal();
        world.restart().await;
        if begun.is_err() {
            assert_eq!(left(&world).await, 300);
            continue;
        }
        world.until(|| async { job(&world).await.finished.is_some() }).await;
        assert_eq!(left(&world).await, 0);
        assert!(revoked(&world) >= 300);
        if is_through {
            return;
        }
    }
}

#[tokio::test(start_paused = true)]
async fn a_dead_system_is_told_of_and_the_work_goes_on_behind_it() {
    let mut world = World::start().await;
    lend(&world, "dead", 200).await;
    lend(&world, "live", 200).await;
    world.lab.dead.lock().unwrap().insert("dead".into());
    let error = world.core.revoke_prefix("root", "lab/", false).await.unwrap_err();
    let text = error.public();
    assert!(text.starts_with("failed to revoke \"lab/creds/dead/"), "{text}");
    assert!(text.ends_with("\": no connection to dead"), "{text}");
    world.until(|| async { left(&world).await == 200 }).await;
    let waiting = job(&world).await;
    assert_eq!((waiting.stage, waiting.handled), (Stage::Waiting, 400));
    assert!(waiting.finished.is_none() && waiting.error.is_some());
    world.restart().await;
    world.lab.dead.lock().unwrap().clear();
    world.until(|| async { job(&world).await.finished.is_some() }).await;
    assert_eq!((left(&world).await, revoked(&world)), (0, 400));
}

#[tokio::test(start_paused = true)]
async fn force_asks_a_dead_system_once_and_forgets() {
    let world = World::start().await;
    lend(&world, "dead", 500).await;
    lend(&world, "live", 100).await;
    world.lab.dead.lock().unwrap().insert("dead".into());
    world.core.revoke_prefix("root", "lab/", true).await.unwrap();
    assert_eq!((left(&world).await, revoked(&world)), (0, 100));
    assert!(world.lab.asked.load(Ordering::SeqCst) <= 100 + 16);
    assert!(job(&world).await.finished.is_some());
}

/// A system that refuses one thing still takes back all others, and so does one that is silent to it.
#[tokio::test(start_paused = true)]
async fn force_revokes_all_but_the_one_that_fails() {
    for silent in [false, true] {
        let world = World::start().await;
        let body = json!({"ttl": "9h", "target": "live"});
        world.write("lab/creds/bad", &world.root, body).await;
        lend(&world, "live", 200).await;
        let list = if silent { &world.lab.dead } else { &world.lab.broken };
        list.lock().unwrap().insert("bad".into());
        world.core.revoke_prefix("root", "lab/", true).await.unwrap();
        assert_eq!((left(&world).await, revoked(&world)), (0, 200));
    }
}

#[tokio::test(start_paused = true)]
async fn what_is_given_up_on_ends_the_wait() {
    let world = World::start().await;
    lend(&world, "live", 2).await;
    let body = json!({"ttl": "9h", "target": "live"});
    world.write("lab/creds/bad", &world.root, body).await;
    world.lab.broken.lock().unwrap().insert("bad".into());
    assert!(world.core.revoke_prefix("root", "lab/", false).await.is_err());
    let is_over = || async {
        world.clock.advance(Ttl::from_seconds(10));
        job(&world).await.finished.is_some()
    };
    world.until(is_over).await;
    assert_eq!((job(&world).await.irrevocable, left(&world).await), (1, 1));
    // Asked for once more, it is tried anew.
    world.lab.broken.lock().unwrap().clear();
    world.core.revoke_prefix("root", "lab/", false).await.unwrap();
    assert_eq!(left(&world).await, 0);
}

#[tokio::test(start_paused = true)]
async fn finished_jobs_are_forgotten_in_the_end() {
    let world = World::start().await;
    for _ in 0..40 {
        lend(&world, "live", 1).await;
        world.core.revoke_prefix("root", "lab/", false).await.unwrap();
    }
    assert!(world.core.revoke_prefix("root", "lab/", false).await.is_ok(), "nothing to do");
    assert!(world.core.leases.jobs("root").await.unwrap().len() <= 34);
}

#[tokio::test(start_paused = true)]
async fn a_mount_goes_with_its_leases_also_over_a_restart() {
    let mut world = World::start().await;
    lend(&world, "dead", 300).await;
    world.lab.dead.lock().unwrap().insert("dead".into());
    let lab = world.core.mount_at(&Namespace::root(), "lab").unwrap();
    assert!(world.core.unmount(&lab).await.is_err());
    let refused = world.refused("lab/creds/x", &world.root, json!({})).await;
    assert!(refused.contains("no handler"), "{refused}");
    // The start does not wait for the system, and the removal goes on once it works.
    world.restart().await;
    assert_eq!(left(&world).await, 300);
    world.lab.dead.lock().unwrap().clear();
    world.until(|| async { left(&world).await == 0 }).await;
    let is_gone = || async { world.core.mount_at(&Namespace::root(), "lab").is_none() };
    world.until(is_gone).await;
    assert_eq!(revoked(&world), 300);
    // Who still has the old one in hand does nothing to a new one in its place.
    world.mount("", "lab/", "lab").await;
    lend(&world, "live", 2).await;
    world.core.unmount(&lab).await.unwrap();
    assert_eq!((left(&world).await, revoked(&world)), (2, 300));
}

/// Whatever was wrong before: the answer is about what happens now.
#[tokio::test(start_paused = true)]
async fn a_system_that_is_back_is_not_judged_by_its_past() {
    let world = World::start().await;
    lend(&world, "dead", 20).await;
    world.lab.dead.lock().unwrap().insert("dead".into());
    assert!(world.core.revoke_prefix("root", "lab/creds/", false).await.is_err());
    tokio::time::sleep(Duration::from_secs(3600)).await;
    world.lab.dead.lock().unwrap().clear();
    world.advance(1);
    let asked = world.lab.asked.load(Ordering::SeqCst);
    let began = tokio::time::Instant::now();
    world.core.revoke_prefix("root", "lab/", false).await.unwrap();
    assert!(began.elapsed() < Duration::from_secs(10), "it does not wait until it is time");
    assert_eq!(world.lab.asked.load(Ordering::SeqCst), asked + 20);
    assert_eq!((left(&world).await, revoked(&world)), (0, 20));
}

/// The same of one lease that failed by its own fault and was repaired.
#[tokio::test(start_paused = true)]
async fn a_lease_that_is_repaired_is_not_judged_by_its_past() {
    let world = World::start().await;
    lend(&world, "live", 1).await;
    let body = json!({"ttl": "9h", "target": "live"});
    world.write("lab/creds/bad", &world.root, body).await;
    world.lab.broken.lock().unwrap().insert("bad".into());
    assert!(world.core.revoke_prefix("root", "lab/creds/", false).await.is_err());
    let has_failed = || async {
        let ids = world.core.leases.page("root", "lab/creds/bad/", "", 0).await.unwrap();
        world.core.leases.read("root", &ids[0]).await.unwrap().unwrap().failures == 1
    };
    world.until(has_failed).await;
    world.lab.broken.lock().unwrap().clear();
    world.core.revoke_prefix("root", "lab/", false).await.unwrap();
    assert_eq!((left(&world).await, revoked(&world)), (0, 2));
}

#[tokio::test(start_paused = true)]
async fn who_asks_again_joins_the_job_under_way() {
    let mut world = World::start().await;
    lend(&world, "dead", 200).await;
    world.lab.dead.lock().unwrap().insert("dead".into());
    for round in 0..5 {
        assert!(world.core.revoke_prefix("root", "lab/", false).await.is_err());
        world.advance(60);
        let body = json!({"ttl": "9h", "target": "live"});
        world.write(&format!("lab/creds/{round}"), &world.root, body).await;
    }
    let begin = || world.core.begin_revoking("root", "lab/", false);
    let (mut one, mut two) = (begin().await.unwrap().unwrap(), begin().await.unwrap().unwrap());
    assert_eq!(world.core.leases.jobs("root").await.unwrap().len(), 1);
    // What was made since the first time is in it too, and the system need not be back for that.
    world.until(|| async { left(&world).await == 200 }).await;
    assert_eq!(revoked(&world), 5);
    one.wait_for(|job| job.error.is_some()).await.unwrap();
    two.wait_for(|job| job.error.is_some()).await.unwrap();
    world.restart().await;
    world.lab.dead.lock().unwrap().clear();
    world.advance(60);
    world.core.revoke_prefix("root", "lab/", false).await.unwrap();
    assert_eq!((left(&world).await, revoked(&world)), (0, 205));
    world.until(|| async { job(&world).await.finished.is_some() }).await;
    let jobs = world.core.leases.jobs("root").await.unwrap();
    assert!(jobs.len() == 1 && jobs[0].error.is_none(), "{jobs:?}");
    // Another prefix, and force, are other jobs.
    lend(&world, "hanging", 1).await;
    world.lab.hanging.lock().unwrap().insert("hanging".into());
    for (prefix, force) in [("lab/", false), ("lab/creds/", false), ("lab/", true)] {
        drop(world.core.begin_revoking("root", prefix, force).await.unwrap());
    }
    assert_eq!(world.core.leases.jobs("root").await.unwrap().len(), 4);
}

/// Who joins while leases are being handed over gets those made since too.
#[tokio::test(start_paused = true)]
async fn a_job_that_is_joined_early_goes_over_everything_again() {
    for (force, commits) in [(false, 4), (true, 200)] {
        let world = World::start().await;
        lend(&world, "live", 600).await;
        world.store.dies_after(commits);
        drop(world.core.begin_revoking("root", "lab/", force).await.unwrap());
        tokio::time::sleep(Duration::from_secs(1)).await;
        world.store.heal();
        let halfway = job(&world).await;
        assert!(halfway.stage == Stage::Handing && !halfway.after.is_empty());
        world.advance(1);
        // It sorts before all that there is, where the job does not look any more.
        let body = json!({"ttl": "9h", "target": "live"});
        world.write("lab/creds/early", &world.root, body).await;
        world.core.revoke_prefix("root", "lab/", force).await.unwrap();
        assert_eq!(left(&world).await, 0);
        assert!(world.lab.revoked().contains(&"early".to_owned()));
        assert!((601..700).contains(&revoked(&world)), "{}", revoked(&world));
        assert_eq!(world.core.leases.jobs("root").await.unwrap().len(), 1);
    }
}

/// A job that sleeps while its namespace goes leaves nothing behind.
#[tokio::test(start_paused = true)]
async fn a_job_goes_with_its_namespace() {
    let world = World::start().await;
    let namespace = world.add_namespace("n1").await;
    world.mount("n1", "lab/", "lab").await;
    let with = crate::world::With {
        token: Some(&world.root),
        body: json!({"ttl": "9h", "target": "dead"}),
        namespace: "n1",
        ..Default::default()
    };
    world.send(core_engine_api::Verb::Write, "lab/creds/a", with).await.ok();
    world.lab.dead.lock().unwrap().insert("dead".into());
    let begun = world.core.begin_revoking(namespace.id(), "lab/creds/", false).await;
    let mut progress = begun.unwrap().unwrap();
    tokio::time::sleep(Duration::from_secs(60)).await;
    world.lab.dead.lock().unwrap().clear();
    world.advance(1);
    world.core.delete_namespace(&namespace.path).await.unwrap();
    tokio::time::sleep(Duration::from_secs(60)).await;
    assert!(world.store.keys(&format!("lease/job/{}/", namespace.id())).await.is_empty());
    progress.wait_for(|job| job.finished.is_some()).await.unwrap();
}
