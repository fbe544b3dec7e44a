//! The input, as pure functions of a record's number: what the job reads and the verifier expects.
//!
//! Record `n` belongs to lane `n mod splits` (the split of the generator that gives it) and has
//! about the event time `n / 2` ms. Most records are out of order by less than [`BOUND_MS`]; some
//! are so by just about it, which makes them late by a millisecond or not at all, some by seconds.
//! Times gather at the edges of windows, where mistakes of one would show. Some records are
//! malformed.
//!
//! What this does not do: decide what is late. That depends on the records before, see [`model`].
//!
//! [`model`]: crate::model

use headwater_connect::generator::SplitMix64;
use serde::{Deserialize, Serialize};

/// Out-of-orderness that the watermarks allow for.
pub const BOUND_MS: i64 = 200;
/// Size of the tumbling windows and of the buckets of the running totals.
pub const WINDOW_MS: i64 = 1_000;
/// Gap of the sessions.
pub const GAP_MS: i64 = 400;
/// Number of keys.
pub const KEYS: u64 = 100;
/// Event time of record 0: a multiple of the window size.
const START_MS: i64 = 1_700_000_000_000;
/// Records per millisecond of event time.
const PER_MS: u64 = 2;

/// How much input, and which.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Workload {
    /// Number of records, malformed ones included.
    pub records: u64,
    /// Number of splits; fixed for the life of a job.
    pub splits: u64,
    /// Chooses keys, times and amounts.
    pub seed: u64,
}

/// A line of input, as the job reads it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Line {
    /// Number of the record.
    pub n: u64,
    /// `lane;key;time;amount`, or something else in a malformed record.
    pub text: String,
}

/// What a line says when it can be read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Drawn {
    /// Number of the record.
    pub n: u64,
    /// Number of the split it comes from.
    pub lane: u8,
    /// Key, below [`KEYS`]; small ones are more frequent.
    pub key: u32,
    /// Event time in milliseconds.
    pub time: i64,
    /// Something to add up.
    pub amount: i64,
}

enum Form {
    Good,
    WithoutTime,
    WithoutNumber,
    Cut,
}

impl Workload {
    /// The record of that number; `None` if it is malformed.
    pub fn drawn(&self, n: u64) -> Option<Drawn> {
        match self.draw(n) {
            (drawn, Form::Good) => Some(drawn),
            _ => None,
        }
    }

    /// The line of that number.
    pub fn line(&self, n: u64) -> Line {
        let (Drawn { lane, key, time, amount, .. }, form) = self.draw(n);
        let text = match form {
            Form::Good => format!("{lane};{key};{time};{amount}"),
            Form::WithoutTime => format!("{lane};{key};;{amount}"),
            Form::WithoutNumber => format!("{lane};{key};{time};12x{amount}"),
            Form::Cut => format!("{lane};{key};"),
        };
        Line { n, text }
    }

    fn draw(&self, n: u64) -> (Drawn, Form) {
        let mut rng = SplitMix64::of_record(self.seed, n);
        let form = match rng.below(600) {
            0 => Form::WithoutTime,
            1 => Form::WithoutNumber,
            2 => Form::Cut,
            _ => Form::Good,
        };
        let disorder = match rng.below(100) {
            0 | 1 => BOUND_MS + rng.below(2_500) as i64,
            2 | 3 => BOUND_MS + rng.below(3) as i64,
            _ => rng.below(BOUND_MS as u64) as i64,
        };
        let mut time = START_MS + (n / PER_MS) as i64 - disorder;
        let into_window = time.rem_euclid(WINDOW_MS);
        if into_window < 20 {
            // To the first millisecond of this window, or to the last one of the window before.
            time -= into_window + rng.below(2) as i64;
        }
        let key = rng.below(KEYS).min(rng.below(KEYS)) as u32;
        let amount = rng.below(1_000) as i64 - 200;
        let lane = (n % self.splits) as u8;
        (Drawn { n, lane, key, time, amount }, form)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SMALL: Workload = Workload { records: 20_000, splits: 4, seed: 7 };

    #[test]
    fn every_kind_of_record_occurs() {
        let drawn: Vec<Drawn> = (0..SMALL.records).filter_map(|n| SMALL.drawn(n)).collect();
        let bad = SMALL.records as usize - drawn.len();
        assert!((50..200).contains(&bad), "{bad} malformed");
        let disorder = |d: &Drawn| START_MS + (d.n / PER_MS) as i64 - d.time;
        assert!(drawn.iter().any(|d| disorder(d) > BOUND_MS + 1_500));
        assert!(drawn.iter().any(|d| disorder(d) == BOUND_MS));
        for edge in [0, WINDOW_MS - 1] {
            let at_edge = drawn.iter().filter(|d| d.time.rem_euclid(WINDOW_MS) == edge).count();
            assert!(at_edge > 100, "{at_edge} records at {edge}");
        }
        let occurs = |key: &u64| drawn.iter().any(|d| u64::from(d.key) == *key);
        assert!((0..KEYS).filter(occurs).count() > 90, "the last keys are rare");
        assert!((0..4).all(|lane| drawn.iter().any(|d| d.lane == lane && d.n % 4 == lane as u64)));
    }

    #[test]
    fn a_line_says_what_was_drawn() {
        for n in 0..SMALL.records {
            let fields: Vec<Option<i64>> =
                SMALL.line(n).text.split(';').map(|field| field.parse().ok()).collect();
            let read: Option<Vec<i64>> = fields.into_iter().collect();
            let said =
                SMALL.drawn(n).map(|d| vec![i64::from(d.lane), i64::from(d.key), d.time, d.amount]);
            assert_eq!(read, said, "record {n}");
        }
        assert_ne!(SMALL.line(1), Workload { seed: 8, ..SMALL }.line(1));
    }
}
