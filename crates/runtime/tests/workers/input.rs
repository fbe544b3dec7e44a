//! Random inputs: splits with disorder and late records, read in small steps.

use std::sync::Arc;
use std::sync::atomic::AtomicU64;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use proptest::prelude::*;
use proptest::test_runner::{Config, RngAlgorithm, TestCaseError, TestRng, TestRunner};
use serde::{Deserialize, Serialize};

use crate::naive::Item;
use crate::support::scripted::{Gate, Scripted, scripted};

pub const WORKERS: [usize; 3] = [1, 2, 4];

#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct Event {
    pub id: u32,
    pub key: u8,
    pub time: i64,
    /// Session gap, where sessions are by record.
    pub gap: u8,
}

/// A stream of events and how it is read.
#[derive(Clone, Debug)]
pub struct Input {
    /// In the order of arrival; event `n` is in split `n mod splits`.
    pub events: Vec<Event>,
    pub splits: usize,
    /// Most records per batch of the source.
    pub step: usize,
    /// Disorder that the watermarks allow for, in ms.
    pub delay: i64,
}

impl Input {
    /// What the model needs to know: each event with its split's watermark if that made it late.
    pub fn items(&self) -> Vec<Item> {
        let mut watermarks = vec![i64::MIN; self.splits];
        let item = |(n, event): (usize, &Event)| {
            let watermark = &mut watermarks[n % self.splits];
            let read_under = if event.time <= *watermark { *watermark } else { i64::MIN };
            *watermark = (*watermark).max(event.time - self.delay - 1);
            let Event { id, key, time, gap } = *event;
            Item { key, time, id, gap: i64::from(gap), read_under }
        };
        self.events.iter().enumerate().map(item).collect()
    }

    /// The source of these events; it waits for checkpoints a third and two thirds on its way, so
    /// that the event in the middle, [`Input::middle`], lies between two.
    pub fn source(&self, checkpoints: &Arc<AtomicU64>) -> Scripted<Event> {
        let source = scripted(self.events.clone()).splits(self.splits).step(self.step);
        let share = source.share();
        let gate = || Gate::Checkpoint(Arc::clone(checkpoints));
        source.gate(share / 3, gate()).gate(share * 2 / 3, gate())
    }

    /// The event at which to crash.
    pub fn middle(&self) -> u32 {
        let in_split = self.events.len() / self.splits / 2;
        self.events[in_split * self.splits].id
    }

    pub fn delay(&self) -> Duration {
        Duration::from_millis(self.delay as u64)
    }
}

/// Inputs whose keys are spread over all splits, or with `split_keys` keys of one split each: then
/// the order of a key's records is fixed.
pub fn input(split_keys: bool) -> impl Strategy<Value = Input> {
    let draw = (0..4u8, 0..4i64, prop_oneof![5 => 0..6i64, 1 => 0..40i64], 1..12u8);
    let draws = prop::collection::vec(draw, 30..240);
    (draws, 1..4usize, 1..24usize, 1..8i64).prop_map(move |(draws, splits, step, delay)| {
        let mut now = 40;
        let event = |(n, (key, forward, back, gap)): (usize, (u8, i64, i64, u8))| {
            now += forward;
            let key = if split_keys { key * splits as u8 + (n % splits) as u8 } else { key };
            Event { id: n as u32, key, time: now - back, gap }
        };
        let events = draws.into_iter().enumerate().map(event).collect();
        Input { events, splits, step, delay }
    })
}

/// One large input with everything in it.
pub fn fixed(split_keys: bool) -> Input {
    let event = |n: u32| {
        let back = match n % 23 {
            // Late by anything from nothing to much, and a little disorder.
            0 => i64::from(n / 23 % 40),
            r => i64::from(r * 7 % 5),
        };
        let key = if split_keys { (n / 3 % 5 * 3 + n % 3) as u8 } else { (n * n % 7) as u8 };
        let gap = (n % 11) as u8 + 1;
        // A pause now and then, for sessions to end in.
        let now = 100 + i64::from(n / 2) + i64::from(n / 150 * 20);
        Event { id: n, key, time: now - back, gap }
    };
    Input { events: (0..3_000).map(event).collect(), splits: 3, step: 100, delay: 5 }
}

/// Checks random inputs, shrinking what fails, and the fixed one.
pub fn check(name: &str, split_keys: bool, property: impl Fn(&Input) -> Result<(), String>) {
    if let Err(e) = property(&fixed(split_keys)) {
        panic!("{name}, fixed input: {e}");
    }
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_millis() as u64;
    let seed = std::env::var("HEADWATER_SEED").map_or(now, |seed| seed.parse().unwrap());
    println!("{name}: HEADWATER_SEED={seed}");
    let mut bytes = [0; 32];
    bytes[..8].copy_from_slice(&seed.to_le_bytes());
    let rng = TestRng::from_seed(RngAlgorithm::ChaCha, &bytes);
    let config =
        Config { cases: 3, max_shrink_iters: 40, failure_persistence: None, ..Config::default() };
    let tested = TestRunner::new_with_rng(config, rng)
        .run(&input(split_keys), |input| property(&input).map_err(TestCaseError::fail));
    if let Err(e) = tested {
        panic!("{name}, HEADWATER_SEED={seed}: {e}");
    }
}
