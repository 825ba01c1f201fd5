//! Tokens and entities over a barrier in memory.
#![allow(clippy::unwrap_used)]

use std::collections::BTreeMap;
use std::sync::Arc;

use base_crypto::{Random, SeededRandom};
use base_types::{Clock, ErrorKind, ManualClock, Secret, Timestamp, Ttl};
use core_barrier::{Barrier, View};
use core_identity::{Entities, Issued, Kind, NewToken, Tokens, Uses};
use core_lease::{DueEntry, DueSearch, Leases};
use store_mem::MemStore;

struct World {
    tokens: Tokens,
    entities: Entities,
    leases: Arc<Leases>,
    barrier: Arc<Barrier>,
    clock: Arc<ManualClock>,
    state: View,
}

async fn world() -> World {
    installation(3).await
}

async fn installation(seed: u64) -> World {
    let clock = Arc::new(ManualClock::at(Timestamp::from_seconds(1000)));
    let random: Arc<dyn Random> = Arc::new(SeededRandom::new(seed));
    let barrier = Barrier::new(Arc::new(MemStore::new()), random.clone(), clock.clone());
    let key = Secret::new([1; 32]);
    barrier.initialize(&key).await.unwrap();
    barrier.unseal(&key).await.unwrap();
    let state = barrier.view("");
    let leases = Arc::new(Leases::new(state.clone(), clock.clone()));
    let tokens = Tokens::new(state.clone(), leases.clone(), clock.clone(), random.clone());
    tokens.unseal(&barrier).unwrap();
    let entities = Entities::new(state.clone(), clock.clone(), random);
    World { tokens, entities, leases, barrier, clock, state }
}

fn plain() -> NewToken {
    NewToken {
        kind: Kind::Service,
        namespace: "root".into(),
        policies: vec!["default".into()],
        display_name: "token".into(),
        metadata: BTreeMap::new(),
        parent: None,
        ttl: Ttl::from_seconds(60),
        explicit_max_ttl: Ttl::ZERO,
        period: Ttl::ZERO,
        uses: Uses::Unlimited,
        path: "auth/token/create".into(),
        entity: None,
        bound_cidrs: Vec::new(),
        role: None,
        renewable: true,
        login: None,
        text: None,
    }
}

impl World {
    async fn make(&self, new: NewToken) -> Issued {
        self.tokens.create(new).await.unwrap()
    }

    async fn child(&self, parent: &Issued) -> Issued {
        self.make(NewToken { parent: Some(parent.token.id.clone()), ..plain() }).await
    }

    async fn due(&self) -> Vec<DueEntry> {
        DueSearch::default().next(&self.leases, 10).await.unwrap().entries
    }

    async fn is_alive(&self, issued: &Issued) -> bool {
        self.tokens.authenticate(issued.text.expose()).await.unwrap().is_some()
    }
}

#[tokio::test]
async fn a_token_is_found_by_its_text_and_its_accessor_until_it_ends() {
    let world = world().await;
    let issued = world.make(plain()).await;
    assert!(issued.text.expose().starts_with("srs_"));
    let found = world.tokens.authenticate(issued.text.expose()).await.unwrap().unwrap();
    assert_eq!(found.id, issued.token.id);
    let accessor = &issued.token.accessor;
    assert!(world.tokens.by_accessor("root", accessor).await.unwrap().is_some());
    for elsewhere in ["", "roo", "root/", "n1"] {
        assert!(world.tokens.by_accessor(elsewhere, accessor).await.unwrap().is_none());
    }
    assert_eq!(world.tokens.accessors("root", "", 0).await.unwrap(), [&**accessor]);
    world.clock.advance(Ttl::from_seconds(60));
    assert!(!world.is_alive(&issued).await);
    assert!(world.tokens.by_accessor("root", accessor).await.unwrap().is_none());
    assert_eq!(world.due().await.len(), 1);
}

#[tokio::test]
async fn what_has_ended_is_not_renewed_back_to_life() {
    let world = world().await;
    let (expired, revoked) = (world.make(plain()).await, world.make(plain()).await);
    let later = world.clock.now().plus(Ttl::from_seconds(600));
    world.tokens.begin_revocation(&revoked.token.id).await.unwrap();
    assert!(world.tokens.renew(&revoked.token.id, later).await.unwrap_err().is(ErrorKind::Denied));
    let renewed = world.tokens.renew(&expired.token.id, later).await.unwrap();
    assert_eq!(
        (renewed.expires, renewed.renewed),
        (Some(later), Some(Timestamp::from_seconds(1000)))
    );
    world.clock.set(later);
    let much_later = later.plus(Ttl::from_seconds(600));
    assert!(
        world.tokens.renew(&expired.token.id, much_later).await.unwrap_err().is(ErrorKind::Denied)
    );
    assert!(!world.is_alive(&expired).await && !world.is_alive(&revoked).await);
}

#[tokio::test]
async fn no_child_is_born_to_a_dying_parent() {
    let world = world().await;
    let parent = world.make(plain()).await;
    let orphan = NewToken { parent: Some(parent.token.id.clone()), ..plain() };
    world.child(&parent).await;
    world.tokens.begin_revocation(&parent.token.id).await.unwrap().unwrap();
    assert!(world.tokens.create(orphan.clone()).await.err().unwrap().is(ErrorKind::Denied));
    assert!(world.tokens.erase(&parent.token.id, None).await.unwrap());
    assert!(!world.tokens.erase(&parent.token.id, None).await.unwrap());
    assert!(world.tokens.create(orphan).await.err().unwrap().is(ErrorKind::Denied));
    assert!(world.tokens.begin_revocation(&parent.token.id).await.unwrap().is_none());
}

#[tokio::test]
async fn children_are_paged_and_cut_off() {
    let world = world().await;
    let parent = world.make(plain()).await;
    let id = &parent.token.id;
    let mut made = Vec::new();
    for _ in 0..5 {
        made.push(world.child(&parent).await.token.id.clone());
    }
    made.sort();
    assert_eq!(world.tokens.children(id, None, 0).await.unwrap(), made);
    assert_eq!(world.tokens.children(id, Some(&made[1]), 2).await.unwrap(), made[2..4]);
    world.tokens.orphan(id, &made[0]).await.unwrap();
    assert_eq!(world.tokens.children(id, None, 0).await.unwrap(), made[1..]);
    assert!(world.tokens.by_id(&made[0]).await.unwrap().unwrap().is_orphan());
}

#[tokio::test]
async fn only_bare_tokens_go_at_once() {
    let world = world().await;
    let mut made = Vec::new();
    for _ in 0..5 {
        made.push(world.make(plain()).await);
    }
    let [bare, parent, owner, renewed, kept] = &made[..] else { unreachable!() };
    world.child(parent).await;
    world.tokens.burden(&owner.token.id).await.unwrap();
    world.clock.advance(Ttl::from_seconds(59));
    let later = world.clock.now().plus(Ttl::from_seconds(90));
    let mut leases = Vec::new();
    for Issued { token, .. } in &made {
        leases.extend(world.leases.read("root", &token.lease_id()).await.unwrap());
    }
    let entries: Vec<_> = leases.iter().filter_map(DueEntry::of).collect();
    world.tokens.renew(&renewed.token.id, later).await.unwrap();
    let kept = &kept.token.id;
    let erase = || world.tokens.erase_bare(&entries, |token| token.id != *kept);
    assert_eq!(erase().await.unwrap(), [entries[0].clone()].into());
    assert!(erase().await.unwrap().is_empty(), "it is gone already");
    assert!(!world.is_alive(bare).await);
    assert!(!world.state.keys("", "", 0).await.unwrap().iter().any(|key| {
        key.contains(bare.token.id.as_str()) || key.contains(&*bare.token.accessor)
    }));
    world.clock.advance(Ttl::from_seconds(1));
    let late = world.tokens.burden(&owner.token.id).await;
    assert!(late.unwrap_err().is(ErrorKind::Denied), "nothing leans on a token that expired");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn exactly_as_many_uses_are_taken_as_there_are() {
    let world = Arc::new(world().await);
    let issued = world.make(NewToken { uses: Uses::Left(10), ..plain() }).await;
    let mut tasks = tokio::task::JoinSet::new();
    for _ in 0..40 {
        let (world, id) = (world.clone(), issued.token.id.clone());
        tasks.spawn(async move { world.tokens.take_use(&id).await.is_ok() });
    }
    assert_eq!(tasks.join_all().await.into_iter().filter(|taken| *taken).count(), 10);
    assert!(!world.is_alive(&issued).await);
    // Whoever took the last one has a while before the rest is cleaned up.
    assert!(world.due().await.is_empty());
    world.clock.advance(Ttl::from_seconds(60));
    assert_eq!(world.due().await.len(), 1);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn a_chosen_text_is_given_once() {
    let world = Arc::new(world().await);
    let mut tasks = tokio::task::JoinSet::new();
    for _ in 0..16 {
        let world = world.clone();
        let text = Some(Secret::new("mine".to_owned()));
        tasks.spawn(async move { world.tokens.create(NewToken { text, ..plain() }).await.is_ok() });
    }
    assert_eq!(tasks.join_all().await.into_iter().filter(|made| *made).count(), 1);
    assert_eq!(world.state.keys("token/accessor/", "", 0).await.unwrap().len(), 1);
    assert_eq!(world.state.keys("lease/", "", 0).await.unwrap().len(), 2);
}

#[tokio::test]
async fn the_stored_keys_are_those_of_the_layout() {
    let world = world().await;
    let parent = world.make(plain()).await;
    let child = world.child(&parent).await;
    let (p, c) = (&parent.token, &child.token);
    let mut expect = vec![
        format!("token/accessor/root/{}", p.accessor),
        format!("token/accessor/root/{}", c.accessor),
        format!("token/id/{}", p.id),
        format!("token/id/{}", c.id),
        format!("token/parent/{}/{}", p.id, c.id),
    ];
    expect.sort();
    assert_eq!(world.state.keys("token/", "", 0).await.unwrap(), expect);
    assert!(world.tokens.erase(&c.id, None).await.unwrap());
    assert!(world.tokens.erase(&p.id, None).await.unwrap());
    assert!(world.state.keys("token/", "", 0).await.unwrap().is_empty());
    assert!(world.state.keys("lease/", "", 0).await.unwrap().is_empty());
}

/// The keyed hash of a token must stay what it is, or every stored token would be lost.
#[tokio::test]
async fn the_hash_of_a_token_does_not_change() {
    let world = world().await;
    let id = world.tokens.id("srs_example").unwrap();
    assert_eq!(id.as_str().len(), 40);
    let key = world.barrier.derive_key("token id").unwrap();
    let mac = base_crypto::HmacKey::new(key.expose()).sign(b"srs_example");
    assert_eq!(id.as_str(), base_crypto::hex(&mac[..20]));
}

#[tokio::test]
async fn batch_tokens_are_never_alike_and_open_only_here() {
    let world = world().await;
    let batch = || NewToken { kind: Kind::Batch, ..plain() };
    let (a, b) = (world.make(batch()).await, world.make(batch()).await);
    assert_ne!(a.text.expose(), b.text.expose());
    assert!(world.is_alive(&a).await && a.text.expose().starts_with("srb_"));
    let elsewhere = installation(4).await;
    assert!(elsewhere.is_alive(&elsewhere.make(batch()).await).await);
    assert!(!elsewhere.is_alive(&a).await, "another installation has other keys");
    world.clock.advance(Ttl::from_seconds(60));
    assert!(!world.is_alive(&a).await);
}

#[tokio::test]
async fn sealed_means_sealed() {
    let world = world().await;
    let issued = world.make(plain()).await;
    assert!(world.is_alive(&issued).await);
    world.barrier.seal();
    world.tokens.seal();
    let error = world.tokens.authenticate(issued.text.expose()).await.unwrap_err();
    assert!(error.is(ErrorKind::Sealed));
    assert!(world.tokens.create(plain()).await.err().unwrap().is(ErrorKind::Sealed));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn a_first_login_makes_one_entity_however_many_arrive_at_once() {
    let world = Arc::new(world().await);
    let mut tasks = tokio::task::JoinSet::new();
    for _ in 0..16 {
        let world = world.clone();
        tasks.spawn(async move {
            world
                .entities
                .of_login("root", "userpass_1", "alice", &BTreeMap::new())
                .await
                .unwrap()
                .id
                .clone()
        });
    }
    let mut ids = tasks.join_all().await;
    ids.dedup();
    assert_eq!(ids.len(), 1);
    assert_eq!(world.state.keys("entity/", "", 0).await.unwrap().len(), 2);
    let other =
        world.entities.of_login("root", "userpass_2", "alice", &BTreeMap::new()).await.unwrap();
    assert_ne!(other.id, ids[0], "the same name at another mount is somebody else");
    assert!(
        world.entities.read("n1", &other.id).await.unwrap().is_none(),
        "another namespace has others"
    );
}
