//! Random operations on secrets, tokens and policies, against the server and against a plain model
//! of it side by side. They must agree about every answer.
//!
//! `MODEL_SEEDS=5000 cargo test -p tests --test model` runs more of them, and `MODEL_SEED=17` one.
#![allow(clippy::unwrap_used)]

mod kv;
mod machine;
mod permissions;
mod steps;
mod tokens;

use base_crypto::{Random, SeededRandom, random_array};

use crate::steps::Run;

const SEEDS: u64 = 200;
const STEPS: usize = 60;

/// What the operations are drawn with.
pub(crate) struct Dice(SeededRandom);

impl Dice {
    /// A number below `sides`.
    pub(crate) fn roll(&self, sides: usize) -> usize {
        let random: &dyn Random = &self.0;
        (u64::from_le_bytes(random_array(random)) % sides as u64) as usize
    }

    /// True once in `times`.
    pub(crate) fn once_in(&self, times: usize) -> bool {
        self.roll(times) == 0
    }
}

#[tokio::test(start_paused = true)]
async fn the_server_and_the_model_agree() {
    let seeds = match number("MODEL_SEED") {
        Some(seed) => seed..seed + 1,
        None => 0..number("MODEL_SEEDS").unwrap_or(SEEDS),
    };
    for seed in seeds {
        let mut run = Run::start(Dice(SeededRandom::new(seed))).await;
        for step in 0..STEPS {
            if let Err(difference) = run.step().await {
                panic!("MODEL_SEED={seed}, step {step}: {difference}\n{}", run.history());
            }
        }
        run.end().await;
    }
}

#[allow(clippy::disallowed_methods)] // Tests choose how long they run.
fn number(variable: &str) -> Option<u64> {
    std::env::var(variable).ok().map(|text| text.parse().unwrap())
}
