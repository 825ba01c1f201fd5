//! Leases over a barrier in memory.
#![allow(clippy::unwrap_used)]

use std::sync::Arc;

use base_crypto::{Random, SeededRandom};
use base_types::{ManualClock, Secret, Timestamp, TokenId, Ttl};
use core_barrier::{Barrier, View};
use core_lease::{Due, DueSearch, Lease, Leases, Subject, Target, Trouble};
use serde_json::value::RawValue;
use store_mem::MemStore;

struct World {
    leases: Leases,
    clock: Arc<ManualClock>,
    state: View,
}

async fn world() -> World {
    let clock = Arc::new(ManualClock::at(Timestamp::from_seconds(1000)));
    let random: Arc<dyn Random> = Arc::new(SeededRandom::new(3));
    let barrier = Barrier::new(Arc::new(MemStore::new()), random, clock.clone());
    let key = Secret::new([1; 32]);
    barrier.initialize(&key).await.unwrap();
    barrier.unseal(&key).await.unwrap();
    let state = barrier.view("");
    World { leases: Leases::new(state.clone(), clock.clone()), clock, state }
}

fn secret(id: &str, token: &str, expires: i64) -> Lease {
    Lease {
        namespace: "root".into(),
        id: id.into(),
        issued: Timestamp::from_seconds(1000),
        expires: Some(Timestamp::from_seconds(expires)),
        renewed: None,
        renewable: true,
        subject: Subject::Secret {
            mount: "m".into(),
            kind: "creds".into(),
            target: String::new(),
            internal: RawValue::from_string("{}".into()).unwrap(),
            max_ttl: Ttl::ZERO,
            token: TokenId(token.into()),
        },
        queued: false,
        failures: 0,
        cause: None,
    }
}

impl World {
    async fn insert(&self, lease: &Lease) {
        self.state.transact(move |tx| async move { self.leases.insert(&tx, lease) }).await.unwrap();
    }

    async fn due(&self, limit: usize) -> (Vec<String>, Option<i64>) {
        let due = DueSearch::default().next(&self.leases, limit).await.unwrap();
        let mut ids = Vec::new();
        for entry in due.entries {
            ids.extend(self.leases.read_due(&entry).await.unwrap().map(|lease| lease.id));
        }
        (ids, due.next.map(Timestamp::seconds))
    }

    async fn read(&self, id: &str) -> Lease {
        self.leases.read("root", id).await.unwrap().unwrap()
    }
}

#[tokio::test]
async fn what_is_due_comes_in_the_order_of_time() {
    let world = world().await;
    for (id, at) in [("a/3", 1030), ("a/1", 1010), ("b/2", 1020), ("a/4", 1040), ("c/0", -5)] {
        world.insert(&secret(id, "t", at)).await;
    }
    world.insert(&Lease { expires: None, ..secret("never", "t", 0) }).await;
    assert_eq!(world.due(10).await, (vec!["c/0".to_owned()], Some(1010)));
    world.clock.set(Timestamp::from_seconds(1030));
    assert_eq!(
        world.due(10).await,
        (["c/0", "a/1", "b/2", "a/3"].map(str::to_owned).to_vec(), Some(1040))
    );
    assert_eq!(world.due(2).await, (["c/0", "a/1"].map(str::to_owned).to_vec(), None));
    world.clock.set(Timestamp::from_seconds(0));
    assert_eq!(world.due(10).await.1, Some(1010));
}

#[tokio::test]
async fn a_search_goes_on_where_it_was_and_misses_nothing_that_is_made_due() {
    let world = world().await;
    for at in 0..6 {
        world.insert(&secret(&format!("a/{at}"), "t", 1001 + at)).await;
    }
    let mut search = DueSearch::default();
    let ids = |due: Due| due.entries.into_iter().map(|entry| entry.id).collect::<Vec<_>>();
    world.clock.set(Timestamp::from_seconds(1004));
    assert_eq!(ids(search.next(&world.leases, 2).await.unwrap()), ["a/0", "a/1"]);
    assert_eq!(ids(search.next(&world.leases, 2).await.unwrap()), ["a/2", "a/3"]);
    // What became due just now may have been passed by: it is looked at again.
    world.insert(&secret("now", "t", 1004)).await;
    assert_eq!(ids(search.next(&world.leases, 9).await.unwrap()), ["a/3", "now"]);
    world.clock.set(Timestamp::from_seconds(1006));
    world.insert(&secret("back then", "t", 1002)).await;
    assert_eq!(ids(search.next(&world.leases, 9).await.unwrap()), ["a/3", "now", "a/4", "a/5"]);
    search.restart();
    let all = ids(search.next(&world.leases, 9).await.unwrap());
    assert_eq!(all, ["a/0", "a/1", "back then", "a/2", "a/3", "now", "a/4", "a/5"]);
}

#[tokio::test]
async fn a_replaced_lease_is_due_at_its_new_time_only() {
    let world = world().await;
    let old = secret("a", "t", 1010);
    world.insert(&old).await;
    let new = secret("a", "t", 1050);
    let (old, new) = (&old, &new);
    world
        .state
        .transact(|tx| async {
            let tx = tx;
            world.leases.replace(&tx, old, new)
        })
        .await
        .unwrap();
    world.clock.set(Timestamp::from_seconds(1049));
    assert_eq!(world.due(10).await, (vec![], Some(1050)));
    assert_eq!(world.state.keys("lease/due/", "", 0).await.unwrap().len(), 1);
    world
        .state
        .transact(|tx| async {
            let tx = tx;
            world.leases.remove(&tx, new);
            Ok(())
        })
        .await
        .unwrap();
    assert!(world.state.keys("lease/", "", 0).await.unwrap().is_empty());
}

#[tokio::test]
async fn a_released_lease_is_due_now_and_no_longer_its_tokens() {
    let world = world().await;
    let lease = secret("a", "t", 5000);
    world.insert(&lease).await;
    world.insert(&secret("b", "other", 5000)).await;
    assert_eq!(world.leases.of_token(&TokenId("t".into()), 10).await.unwrap().len(), 1);
    let lease = &lease;
    world
        .state
        .transact(|tx| async {
            let tx = tx;
            world.leases.release(&tx, lease)
        })
        .await
        .unwrap();
    assert!(world.leases.of_token(&TokenId("t".into()), 10).await.unwrap().is_empty());
    assert_eq!(world.due(10).await, (vec!["a".to_owned()], Some(5000)));
}

#[tokio::test]
async fn failures_are_retried_ever_later_and_then_given_up() {
    let world = world().await;
    world.insert(&secret("a", "t", 1000)).await;
    let mut waits = Vec::new();
    for failures in 1..=6 {
        // The caller may hold an older record than the one that is stored.
        world.leases.postpone(&secret("a", "t", 1000), "no").await.unwrap();
        let lease = world.read("a").await;
        assert_eq!((lease.failures, lease.cause.as_deref()), (failures, Some("no")));
        waits.push(lease.expires.map(|at| at.seconds() - 1000));
        // It does not come back to its token, which may be gone by now.
        assert!(world.leases.of_token(&TokenId("t".into()), 10).await.unwrap().is_empty());
        assert_eq!(
            world.state.keys("lease/due/", "", 0).await.unwrap().len(),
            usize::from(failures < 6)
        );
    }
    assert_eq!(waits, [Some(10), Some(20), Some(40), Some(80), Some(160), None]);
    let stuck = world.leases.stuck("root", "", 10).await.unwrap();
    assert_eq!(stuck.iter().map(|lease| lease.id.as_str()).collect::<Vec<_>>(), ["a"]);
    assert!(world.leases.stuck("other", "", 10).await.unwrap().is_empty());
    let stuck = &stuck[0];
    world
        .state
        .transact(|tx| async {
            let tx = tx;
            world.leases.release(&tx, stuck)
        })
        .await
        .unwrap();
    assert!(world.leases.stuck("root", "", 10).await.unwrap().is_empty());
    assert_eq!(world.due(1).await.0, ["a"]);
    world.leases.postpone(&secret("gone", "t", 1000), "no").await.unwrap();
    assert!(world.leases.read("root", "gone").await.unwrap().is_none());
}

#[tokio::test]
async fn ids_are_listed_paged_and_counted_within_one_namespace() {
    let world = world().await;
    for n in 0..25 {
        world.insert(&secret(&format!("db/creds/a/{n:02}"), "t", 2000)).await;
    }
    world.insert(&secret("db/creds/ab/x", "t", 2000)).await;
    world.insert(&Lease { namespace: "n1".into(), ..secret("db/creds/a/other", "t", 2000) }).await;
    assert_eq!(world.leases.count("root", "").await.unwrap(), 26);
    assert_eq!(world.leases.count("root", "db/creds/a/").await.unwrap(), 25);
    assert_eq!(world.leases.count("n1", "db/").await.unwrap(), 1);
    assert_eq!(world.leases.count("n", "").await.unwrap(), 0);
    assert_eq!(world.leases.list("root", "db/creds/").await.unwrap(), ["a/", "ab/"]);
    let (mut all, mut after) = (Vec::new(), String::new());
    loop {
        let page = world.leases.page("root", "db/creds/a/", &after, 7).await.unwrap();
        let Some(last) = page.last() else { break };
        after.clone_from(last);
        all.extend(page);
    }
    assert_eq!(all.len(), 25);
    assert!(all.is_sorted() && all.iter().all(|id| id.starts_with("db/creds/a/")));
}

#[tokio::test]
async fn an_entry_without_its_lease_is_forgotten() {
    let world = world().await;
    let lease = secret("a", "t", 1000);
    world.insert(&lease).await;
    world.state.delete("lease/id/root/a").await.unwrap();
    assert_eq!(world.due(10).await, (vec![], None));
    assert!(world.leases.of_token(&TokenId("t".into()), 10).await.unwrap().is_empty());
    assert!(world.state.keys("lease/", "", 0).await.unwrap().is_empty());
}

#[tokio::test]
async fn somebody_waiting_hears_of_a_new_lease() {
    let world = world().await;
    let lease = secret("a", "t", 1000);
    tokio::join!(world.leases.sooner(), world.insert(&lease));
}

fn at(target: &str, lease: Lease) -> Lease {
    let Subject::Secret { mount, kind, internal, max_ttl, token, .. } = lease.subject else {
        panic!("no secret")
    };
    let target = target.into();
    Lease { subject: Subject::Secret { mount, kind, target, internal, max_ttl, token }, ..lease }
}

#[tokio::test]
async fn what_is_due_moves_to_its_target_once() {
    let world = world().await;
    for (id, target, expires) in
        [("a/1", "x", 1010), ("a/2", "y/z", 1020), ("a/3", "", 1030), ("a/4", "x", 1050)]
    {
        world.insert(&at(target, secret(id, "t", expires))).await;
    }
    world.clock.set(Timestamp::from_seconds(1040));
    let due = [world.read("a/1").await, world.read("a/2").await, world.read("a/3").await];
    // One of them is renewed at the last moment, and one ends.
    let (old, renewed) = (&due[0], &Lease { expires: Some(Timestamp(i64::MAX)), ..due[0].clone() });
    let (gone, state, leases) = (&due[2], &world.state, &world.leases);
    let change = |tx| async move {
        leases.remove(&tx, gone);
        leases.replace(&tx, old, renewed)
    };
    state.transact(change).await.unwrap();
    leases.enqueue_due(&due).await.unwrap();
    let target = |name: &str| Target { mount: "m".into(), name: name.into() };
    assert_eq!(leases.queues().await.unwrap(), [target("y/z")]);
    assert_eq!(leases.queue(&target("y/z"), "", 0).await.unwrap(), ["root/a/2"]);
    assert_eq!(leases.count_queue(&target("y/z")).await.unwrap(), 1);
    assert_eq!(world.due(10).await, (vec![], Some(1050)));
    let queued = leases.queued(&target("y/z"), "root/a/2").await.unwrap().unwrap();
    assert!(queued.queued && !queued.is_alive(Timestamp::from_seconds(0)));
    assert_eq!(queued.target(), Some(target("y/z")));
    assert!(world.read("a/1").await.is_alive(Timestamp::from_seconds(1040)));
    // It is not its token's any more, and going on waiting is all that a release changes.
    let of_token = leases.of_token(&TokenId("t".into()), 10).await.unwrap();
    assert_eq!(of_token.iter().map(|lease| &*lease.id).collect::<Vec<_>>(), ["a/1", "a/4"]);
    let queued = &queued;
    state.transact(|tx| async move { leases.release(&tx, queued) }).await.unwrap();
    assert_eq!(leases.count_queue(&target("y/z")).await.unwrap(), 1);
    // A failure of its own takes it back to those that are due, later.
    leases.postpone(queued, "no").await.unwrap();
    assert!(leases.queues().await.unwrap().is_empty());
    assert_eq!(world.due(10).await.1, Some(1050));
    assert_eq!((world.read("a/2").await.failures, world.read("a/2").await.queued), (1, false));
}

#[tokio::test]
async fn what_was_given_up_on_begins_anew_in_the_queue() {
    let world = world().await;
    world.insert(&at("x", secret("a", "t", 1000))).await;
    for _ in 0..6 {
        world.leases.postpone(&secret("a", "t", 1000), "no").await.unwrap();
    }
    assert_eq!(world.leases.count_stuck().await.unwrap(), 1);
    let (leases, lease) = (&world.leases, &world.read("a").await);
    world.state.transact(|tx| async move { leases.enqueue(&tx, lease) }).await.unwrap();
    assert_eq!(leases.count_stuck().await.unwrap(), 0);
    let queued = world.read("a").await;
    assert_eq!((queued.failures, queued.queued), (0, true));
    assert_eq!(queued.expires, Some(Timestamp::from_seconds(1000)));
    let queued = &queued;
    let remove = |tx| async move {
        leases.remove(&tx, queued);
        Ok(())
    };
    world.state.transact(remove).await.unwrap();
    assert!(world.state.keys("lease/", "", 0).await.unwrap().is_empty());
}

#[tokio::test]
async fn an_entry_of_a_queue_without_its_lease_is_forgotten() {
    let world = world().await;
    world.insert(&Lease { queued: true, ..at("x", secret("a", "t", 1000)) }).await;
    world.state.delete("lease/id/root/a").await.unwrap();
    let target = &world.leases.queues().await.unwrap()[0];
    assert!(world.leases.queued(target, "root/a").await.unwrap().is_none());
    assert!(world.state.keys("lease/", "", 0).await.unwrap().is_empty());
}

#[tokio::test]
async fn the_trouble_of_a_target_is_kept_until_it_is_over() {
    let world = world().await;
    let target = Target { mount: "m".into(), name: "a/b".into() };
    let now = Timestamp::from_seconds(1000);
    let error = "no connection".to_owned();
    let trouble = Trouble { since: now, tries: 1, error, next_try: now, waiting: 3, tried: now };
    world.leases.note_trouble(&target, &trouble).await.unwrap();
    assert_eq!(world.leases.troubles().await.unwrap(), [(target.clone(), trouble)]);
    world.leases.clear_trouble(&target).await.unwrap();
    assert!(world.leases.troubles().await.unwrap().is_empty());
}
