//! Leases in systems that work, and in systems that do not.

use std::sync::atomic::Ordering;
use std::time::Duration;

use base_types::{Clock, Ttl};
use core_lease::{Target, Trouble};
use serde_json::json;

use crate::world::World;

async fn lend(world: &World, target: &str, names: impl Iterator<Item = usize>) {
    for name in names {
        let body = json!({"ttl": "1m", "target": target});
        let path = format!("lab/creds/{}-{name}", target.replace('/', "-"));
        world.write(&path, &world.root, body).await;
    }
}

fn target(world: &World, name: &str) -> Target {
    let lab = world.core.mount_at(&base_types::Namespace::root(), "lab").unwrap();
    Target { mount: lab.record.uuid.clone(), name: name.into() }
}

async fn trouble(world: &World, name: &str) -> Option<Trouble> {
    world.core.leases.trouble(&target(world, name)).await.unwrap()
}

async fn waiting(world: &World, name: &str) -> u64 {
    world.core.leases.count_queue(&target(world, name)).await.unwrap()
}

fn asked(world: &World) -> u64 {
    world.lab.asked.load(Ordering::SeqCst)
}

fn revoked(world: &World) -> usize {
    world.lab.revoked.lock().unwrap().len()
}

async fn nothing_is_left(world: &World) {
    let is_gone = || async {
        let keys = world.store.keys("lease/").await;
        keys.iter().all(|key| !key.contains("lab/") && !key.starts_with("lease/trouble/"))
    };
    world.until(is_gone).await;
}

#[tokio::test(start_paused = true)]
async fn a_dead_system_holds_up_no_other_and_goes_on_when_it_returns() {
    let mut world = World::start().await;
    lend(&world, "dead", 0..1000).await;
    lend(&world, "live", 0..1000).await;
    world.lab.dead.lock().unwrap().insert("dead".into());
    world.advance(60);
    world.until(|| async { revoked(&world) == 1000 }).await;
    assert!(world.lab.revoked().iter().all(|name| name.starts_with("live")));
    world.until(|| async { trouble(&world, "dead").await.is_some() }).await;

    // All of them wait in one place, where nobody who looks for what is due meets them.
    let dead = target(&world, "dead");
    world.until(|| async { waiting(&world, "dead").await == 1000 }).await;
    let due = world.store.keys("lease/due/").await;
    assert!(due.iter().all(|key| !key.contains("lab/")));
    assert_eq!(world.core.leases.queues().await.unwrap(), std::slice::from_ref(&dead));

    // An outage of a day costs few attempts, and no lease one of its own.
    tokio::time::sleep(Duration::from_secs(24 * 3600)).await;
    let attempts = asked(&world) - 1000;
    assert!((16..500).contains(&attempts), "{attempts} attempts");
    let seen = trouble(&world, "dead").await.unwrap();
    assert_eq!((seen.error.as_str(), seen.waiting), ("no connection to dead", 1000));
    for entry in world.core.leases.queue(&dead, "", 0).await.unwrap() {
        let lease = world.core.leases.queued(&dead, &entry).await.unwrap().unwrap();
        assert_eq!((lease.failures, lease.cause), (0, None));
    }

    let before = asked(&world);
    world.restart().await;
    world.until(|| async { asked(&world) > before }).await;
    tokio::time::sleep(Duration::from_secs(10)).await;
    let after = trouble(&world, "dead").await.unwrap();
    assert_eq!(after.since, seen.since, "a restart does not make it forgotten");
    assert!(after.tries > seen.tries);
    assert_eq!(waiting(&world, "dead").await, 1000);

    lend(&world, "live", 1000..1010).await;
    world.advance(60);
    world.until(|| async { revoked(&world) == 1010 }).await;
    world.lab.dead.lock().unwrap().clear();
    world.until(|| async { revoked(&world) == 2010 }).await;
    nothing_is_left(&world).await;
    assert!(trouble(&world, "dead").await.is_none());
}

#[tokio::test(start_paused = true)]
async fn a_system_that_never_answers_is_like_a_dead_one() {
    let world = World::start().await;
    lend(&world, "mute", 0..40).await;
    lend(&world, "live", 0..40).await;
    world.lab.hanging.lock().unwrap().insert("mute".into());
    world.advance(60);
    world.until(|| async { revoked(&world) == 40 }).await;
    assert!(trouble(&world, "mute").await.is_none(), "it has its minute");
    world.until(|| async { trouble(&world, "mute").await.is_some() }).await;
    assert_eq!(asked(&world), 40 + 16, "so many at a time");
    let error = trouble(&world, "mute").await.unwrap().error;
    assert_eq!(error, "the system did not answer within 60 seconds");
    world.lab.hanging.lock().unwrap().clear();
    world.until(|| async { revoked(&world) == 80 }).await;
    nothing_is_left(&world).await;
}

#[tokio::test(start_paused = true)]
async fn the_waits_double_up_to_five_minutes() {
    let world = World::start().await;
    lend(&world, "dead", 0..3).await;
    world.lab.dead.lock().unwrap().insert("dead".into());
    world.advance(60);
    for tries in 1..=12 {
        let is_reached =
            || async { trouble(&world, "dead").await.is_some_and(|t| t.tries >= tries) };
        world.until(is_reached).await;
        let seen = trouble(&world, "dead").await.unwrap();
        let wait = world.clock.now().until(seen.next_try);
        let whole = Ttl::from_seconds((1 << (tries - 1)).min(300));
        assert_eq!(seen.tries, tries);
        let (wait, whole) = (wait.seconds() as f64, whole.seconds() as f64);
        assert!(wait >= (whole * 0.75).floor() && wait <= whole, "{wait} after {tries}");
    }
    // Somebody who knows better need not wait.
    world.lab.dead.lock().unwrap().clear();
    let began = tokio::time::Instant::now();
    world.core.try_target(target(&world, "dead"));
    while revoked(&world) < 3 {
        assert!(began.elapsed() < Duration::from_secs(60));
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    nothing_is_left(&world).await;
}

#[tokio::test(start_paused = true)]
async fn what_fails_by_itself_does_not_accuse_a_system_that_works() {
    let world = World::start().await;
    lend(&world, "live", 0..100).await;
    let broken = ["live-3", "live-50", "live-97"].map(str::to_owned);
    world.lab.broken.lock().unwrap().extend(broken.clone());
    world.advance(60);
    world.until(|| async { revoked(&world) == 97 }).await;
    let failed = || async {
        let mut failed = 0;
        for id in world.core.leases.page("root", "lab/", "", 0).await.unwrap() {
            let lease = world.core.leases.read("root", &id).await.unwrap().unwrap();
            failed += usize::from(lease.failures == 1 && lease.cause.is_some());
        }
        failed
    };
    world.until(|| async { failed().await == 3 }).await;
    assert!(world.core.leases.queues().await.unwrap().is_empty());
    world.until(|| async { trouble(&world, "live").await.is_none() }).await;
    world.lab.broken.lock().unwrap().clear();
    world.advance(10);
    world.until(|| async { revoked(&world) == 100 }).await;
    nothing_is_left(&world).await;
}

/// A crash between the end of the last lease and the end of the trouble.
#[tokio::test(start_paused = true)]
async fn a_trouble_for_which_nothing_waits_is_forgotten() {
    let mut world = World::start().await;
    lend(&world, "dead", 0..1).await;
    world.lab.dead.lock().unwrap().insert("dead".into());
    world.advance(60);
    world.until(|| async { trouble(&world, "dead").await.is_some() }).await;
    let (dead, seen) = (target(&world, "dead"), trouble(&world, "dead").await.unwrap());
    world.lab.dead.lock().unwrap().clear();
    nothing_is_left(&world).await;
    world.core.leases.note_trouble(&dead, &seen).await.unwrap();
    world.restart().await;
    nothing_is_left(&world).await;
}

/// Lets both clocks go on, the server's and the runtime's.
async fn pass_minutes(world: &World, minutes: u64) {
    for _ in 0..minutes {
        world.advance(60);
        tokio::time::sleep(Duration::from_secs(60)).await;
    }
}

async fn leases(world: &World) -> Vec<core_lease::Lease> {
    let mut leases = Vec::new();
    for id in world.core.leases.page("root", "lab/", "", 0).await.unwrap() {
        leases.extend(world.core.leases.read("root", &id).await.unwrap());
    }
    leases
}

/// What was revoked before an outage accuses nobody who is caught in it, however long it is.
#[tokio::test(start_paused = true)]
async fn an_outage_after_a_success_uses_up_nobodys_tries() {
    for caught in [1, 2] {
        let mut world = World::start().await;
        lend(&world, "live", 0..1 + caught).await;
        let names = (1..=caught).map(|name| format!("live-{name}"));
        world.lab.dead.lock().unwrap().extend(names);
        world.advance(60);
        world.until(|| async { revoked(&world) == 1 }).await;
        let after_one = asked(&world);
        pass_minutes(&world, 12 * 60).await;
        world.restart().await;
        pass_minutes(&world, 12 * 60).await;
        assert!((10..500).contains(&(asked(&world) - after_one)), "{}", asked(&world));
        let waiting = leases(&world).await;
        assert_eq!(waiting.len(), caught);
        for lease in waiting {
            assert_eq!((lease.failures, lease.cause, lease.queued), (0, None, true));
        }
        assert!(trouble(&world, "live").await.is_some());
        world.lab.dead.lock().unwrap().clear();
        world.until(|| async { revoked(&world) == 1 + caught }).await;
        nothing_is_left(&world).await;
    }
}

/// A system that comes and goes is not held against those that it does not answer.
#[tokio::test(start_paused = true)]
async fn many_short_outages_use_up_nobodys_tries() {
    let world = World::start().await;
    lend(&world, "live", 0..1).await;
    for round in 0..20 {
        world.lab.dead.lock().unwrap().insert("live".into());
        lend(&world, "live", 2 * round + 1..2 * round + 3).await;
        pass_minutes(&world, 3).await;
        assert!(leases(&world).await.iter().all(|lease| lease.failures == 0), "{round}");
        world.lab.dead.lock().unwrap().clear();
        world.until(|| async { leases(&world).await.is_empty() }).await;
    }
    nothing_is_left(&world).await;
}

/// It is not the system if all others are answered.
#[tokio::test(start_paused = true)]
async fn one_that_is_never_answered_does_not_hold_up_the_others() {
    let world = World::start().await;
    lend(&world, "live", 0..200).await;
    world.lab.dead.lock().unwrap().insert("live-50".into());
    world.advance(60);
    let began = tokio::time::Instant::now();
    world.until(|| async { revoked(&world) == 199 }).await;
    assert!(began.elapsed() < Duration::from_secs(60), "{:?}", began.elapsed());
    // Those that come later are answered too, and in the end it is left to a person.
    for name in 200..260 {
        lend(&world, "live", name..name + 1).await;
        pass_minutes(&world, 6).await;
        assert_eq!(revoked(&world), name);
    }
    let left = leases(&world).await;
    assert!(left.len() == 1 && left[0].is_stuck(), "{:?}", left[0]);
    assert!(trouble(&world, "live").await.is_none());
}

/// It answers, if wrongly, and so it may be this one lease: a new one is tried at once.
#[tokio::test(start_paused = true)]
async fn one_that_fails_alone_does_not_keep_those_that_come_later() {
    let world = World::start().await;
    lend(&world, "live", 0..1).await;
    world.lab.broken.lock().unwrap().insert("live-0".into());
    world.advance(60);
    world.until(|| async { trouble(&world, "live").await.is_some_and(|it| it.tries > 9) }).await;
    lend(&world, "live", 1..2).await;
    let began = tokio::time::Instant::now();
    world.advance(60);
    while revoked(&world) < 1 {
        assert!(began.elapsed() < Duration::from_secs(20), "longer than it takes to look");
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    let id = &world.core.leases.page("root", "lab/", "", 0).await.unwrap()[0];
    let failures = || async { world.core.leases.read("root", id).await.unwrap().unwrap().failures };
    world.until(|| async { failures().await == 1 }).await;
    assert!(trouble(&world, "live").await.is_none());
}

#[tokio::test(start_paused = true)]
async fn a_crash_at_any_moment_loses_nothing() {
    for commits in 0.. {
        let mut world = World::start().await;
        lend(&world, "a", 0..4).await;
        lend(&world, "b/c", 0..4).await;
        world.lab.dead.lock().unwrap().insert("b/c".into());
        world.store.dies_after(commits);
        world.advance(60);
        tokio::time::sleep(Duration::from_secs(30)).await;
        let is_through = revoked(&world) == 4 && trouble(&world, "b/c").await.is_some();
        world.store.heal();
        world.restart().await;
        world
            .until(|| async {
                world.lab.revoked().iter().filter(|n| n.starts_with('a')).count() >= 4
            })
            .await;
        world.lab.dead.lock().unwrap().clear();
        nothing_is_left(&world).await;
        let mut names = world.lab.revoked();
        names.dedup();
        assert_eq!(names.len(), 8, "each was taken back, {commits} commits before the crash");
        if is_through && commits > 20 {
            return;
        }
    }
}

#[tokio::test(start_paused = true)]
async fn tokens_wait_for_no_system() {
    let world = World::start().await;
    lend(&world, "mute", 0..200).await;
    world.lab.hanging.lock().unwrap().insert("mute".into());
    let mut tokens = Vec::new();
    for _ in 0..150 {
        tokens.push(world.token(json!({"policies": ["default"], "ttl": "1m"})).await.0);
    }
    let (parent, _) = world.token(json!({"policies": ["root"], "ttl": "1m"})).await;
    let (child, _) = world.token_at("auth/token/create", &parent, json!({"ttl": "9h"})).await;
    world.write("cubbyhole/x", &parent, json!({"a": 1})).await;
    let ids = tokens.iter().chain([&parent, &child]).map(|token| world.id(token));
    let ids: Vec<_> = ids.collect();
    world.advance(60);
    let began = tokio::time::Instant::now();
    for id in &ids {
        world.until(|| async { world.core.tokens.by_id(id).await.unwrap().is_none() }).await;
    }
    assert!(began.elapsed() < Duration::from_secs(60), "before the first answer was given up on");
    assert_eq!(world.core.leases.count("root", "auth/token/create/").await.unwrap(), 0);
    assert!(world.store.keys("logical/").await.iter().all(|key| !key.contains(parent.as_str())));
}
