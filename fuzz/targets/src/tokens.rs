use std::collections::BTreeMap;
use std::sync::{Arc, OnceLock};

use base_crypto::{Random, SeededRandom};
use base_types::{Secret, Ttl};
use core_barrier::Barrier;
use core_identity::{Kind, NewToken, Tokens, Uses};
use core_lease::Leases;
use store_mem::MemStore;

use crate::{block_on, clock, text};

/// Token texts: whoever is let in has the text of a token that was issued, letter by letter, even
/// where its checksum is right.
pub fn tokens(data: &[u8]) {
    let world = world();
    let text = text(data);
    world.refuses_all_but_issued(&text);
    world.refuses_all_but_issued(&with_checksum(&text));
    for issued in &world.issued {
        let mut bytes = issued.clone().into_bytes();
        for edit in data.chunks_exact(2).take(8) {
            let at = usize::from(edit[0]) % bytes.len();
            bytes[at] = edit[1];
        }
        let Ok(edited) = String::from_utf8(bytes) else { continue };
        world.refuses_all_but_issued(&edited);
        let payload = edited.get(4..edited.len() - 6).unwrap_or_default();
        world.refuses_all_but_issued(&with_checksum(payload));
    }
}

struct World {
    tokens: Tokens,
    /// A service token and a batch token.
    issued: Vec<String>,
}

impl World {
    fn refuses_all_but_issued(&self, text: &str) {
        let found = block_on(self.tokens.authenticate(text)).expect("no text is an error");
        let expected = self.issued.iter().any(|issued| issued == text);
        assert_eq!(found.is_some(), expected, "{text:?}");
    }
}

fn world() -> &'static World {
    static WORLD: OnceLock<World> = OnceLock::new();
    WORLD.get_or_init(|| block_on(open()))
}

async fn open() -> World {
    let (clock, random) = (clock(), Arc::new(SeededRandom::new(1)) as Arc<dyn Random>);
    let barrier = Barrier::new(Arc::new(MemStore::new()), random.clone(), clock.clone());
    let root_key = Secret::new([7; 32]);
    barrier.initialize(&root_key).await.unwrap();
    barrier.unseal(&root_key).await.unwrap();
    let state = barrier.view("");
    let leases = Arc::new(Leases::new(state.clone(), clock.clone()));
    let tokens = Tokens::new(state, leases, clock, random);
    tokens.unseal(&barrier).unwrap();
    let mut issued = Vec::new();
    for kind in [Kind::Service, Kind::Batch] {
        let made = tokens.create(new_token(kind)).await.unwrap();
        issued.push(made.text.expose().clone());
    }
    World { tokens, issued }
}

fn new_token(kind: Kind) -> NewToken {
    NewToken {
        kind,
        namespace: "root".into(),
        policies: vec!["default".to_owned()],
        display_name: "fuzz".to_owned(),
        metadata: BTreeMap::new(),
        parent: None,
        ttl: Ttl::from_seconds(3600),
        explicit_max_ttl: Ttl::ZERO,
        period: Ttl::ZERO,
        uses: Uses::Unlimited,
        path: "auth/token/create".to_owned(),
        entity: None,
        bound_cidrs: Vec::new(),
        role: None,
        renewable: false,
        login: None,
        text: None,
    }
}

/// A batch token with this payload: six base-62 digits of its CRC-32 follow it.
fn with_checksum(payload: &str) -> String {
    const DIGITS: &[u8; 62] = b"0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz";
    let mut rest = crc32fast::hash(payload.as_bytes());
    let mut digits = ['0'; 6];
    for digit in digits.iter_mut().rev() {
        *digit = char::from(DIGITS[(rest % 62) as usize]);
        rest /= 62;
    }
    format!("srb_{payload}{}", String::from_iter(digits))
}
