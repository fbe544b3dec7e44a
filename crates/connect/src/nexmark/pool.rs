//! Random numbers that depend on an event's number only, and the texts that events borrow.
//!
//! [`Draws`] is SplitMix64 seeded with the event's number. [`Pool`] is built once per process, a
//! few milliseconds and 2 MiB: 65,536 random letters of which any slice is a text, the channels and
//! their URLs. Everything cut from it lives as long as the process and costs no allocation.
//!
//! Invariant: the pool depends on nothing, so every process has the same one.
//!
//! What this does not do: cryptography; the numbers are predictable by design.

use std::sync::LazyLock;

/// How many letters texts are cut from.
const LETTERS: u32 = 1 << 16;

/// The longest text that may be asked for; what is left is room for texts to differ.
pub(super) const MAX_TEXT: u32 = LETTERS / 2;

/// How many channels other than the hot ones there are.
const COLD_CHANNELS: u32 = 10_000;

const HOT_CHANNELS: [&str; 4] = ["Google", "Facebook", "Baidu", "Apple"];

pub(super) const FIRST_NAMES: [&str; 11] =
    ["Ana", "Bo", "Cy", "Dee", "Eli", "Fay", "Gus", "Hal", "Ida", "Jo", "Kit"];
pub(super) const LAST_NAMES: [&str; 9] =
    ["Ash", "Birch", "Cedar", "Elm", "Fir", "Hazel", "Larch", "Oak", "Pine"];
pub(super) const STATES: [&str; 6] = ["AZ", "CA", "ID", "OR", "WA", "WY"];
pub(super) const CITIES: [&str; 10] = [
    "Phoenix",
    "Los Angeles",
    "San Francisco",
    "Boise",
    "Portland",
    "Bend",
    "Redmond",
    "Seattle",
    "Kent",
    "Cheyenne",
];

const GOLDEN: u64 = 0x9E37_79B9_7F4A_7C15;

/// The SplitMix64 finaliser.
#[inline]
fn mix(z: u64) -> u64 {
    let z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
    let z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
    z ^ (z >> 31)
}

/// The upper half of `random`, scaled to `[0, bound)`.
#[inline]
fn scale(random: u64, bound: u32) -> u32 {
    (((random >> 32) * u64::from(bound)) >> 32) as u32
}

/// The random draws of one event, in order.
pub(super) struct Draws(u64);

impl Draws {
    /// The draws of event `n`.
    #[inline]
    pub(super) fn of_event(n: u64) -> Self {
        Draws(mix(n.wrapping_add(0x123_4567)))
    }

    #[inline]
    fn draw(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(GOLDEN);
        mix(self.0)
    }

    /// Passes draws over; gives 0, for what they would have made.
    #[inline]
    pub(super) fn skip(&mut self, draws: u64) -> u64 {
        self.0 = self.0.wrapping_add(GOLDEN.wrapping_mul(draws));
        0
    }

    /// Uniform in `[0, bound)`; 0 when `bound` is.
    #[inline]
    pub(super) fn below(&mut self, bound: u32) -> u32 {
        scale(self.draw(), bound)
    }

    /// Uniform in `[0, 1)`.
    #[inline]
    pub(super) fn unit(&mut self) -> f64 {
        (self.draw() >> 11) as f64 * (1.0 / (1_u64 << 53) as f64)
    }

    /// One of `items`, all alike probable.
    #[inline]
    pub(super) fn one_of<const N: usize>(&mut self, items: &[&'static str; N]) -> &'static str {
        items[self.below(N as u32) as usize]
    }
}

/// A channel through which bidders come, and the page they bid on.
pub(super) struct Channel {
    pub(super) name: Box<str>,
    pub(super) url: Box<str>,
}

/// All texts that events borrow.
pub(super) struct Pool {
    letters: String,
    hot: Vec<Channel>,
    cold: Vec<Channel>,
}

static POOL: LazyLock<Pool> = LazyLock::new(Pool::new);

impl Pool {
    /// The pool of this process; the first call builds it.
    pub(super) fn shared() -> &'static Pool {
        &POOL
    }

    fn new() -> Self {
        let mut draws = Draws(42);
        let letters: String =
            (0..LETTERS).map(|_| char::from(b'a' + draws.below(26) as u8)).collect();
        let hot = (0_u64..).zip(HOT_CHANNELS).map(|(i, name)| Channel {
            name: name.into(),
            url: url(&letters, 1_000_000 + i).into(),
        });
        let cold = (0..u64::from(COLD_CHANNELS)).map(|i| {
            let url = url(&letters, i);
            // Every tenth has no `channel_id`, so that queries that look for one meet its absence.
            let url = if i % 10 == 0 { url } else { format!("{url}&channel_id={i}") };
            Channel { name: format!("channel-{i}").into(), url: url.into() }
        });
        let (hot, cold) = (hot.collect(), cold.collect());
        Pool { letters, hot, cold }
    }

    /// `len` random letters; `len` is at most [`MAX_TEXT`].
    #[inline]
    pub(super) fn text(&'static self, len: u32, draws: &mut Draws) -> &'static str {
        debug_assert!(len <= MAX_TEXT, "texts are shorter than the pool");
        let at = draws.below(LETTERS - len) as usize;
        &self.letters[at..at + len as usize]
    }

    /// A hot channel for half of the draws, otherwise one of [`COLD_CHANNELS`] others.
    #[inline]
    pub(super) fn channel(&'static self, draws: &mut Draws) -> &'static Channel {
        if draws.below(2) > 0 {
            &self.hot[draws.below(HOT_CHANNELS.len() as u32) as usize]
        } else {
            &self.cold[draws.below(COLD_CHANNELS) as usize]
        }
    }
}

/// Page number `k`: three folders of five letters each and a query.
fn url(letters: &str, k: u64) -> String {
    let folder = |part: u64| {
        let at = scale(mix(k * 31 + part), LETTERS - 5) as usize;
        &letters[at..at + 5]
    };
    let (a, b, c) = (folder(0), folder(1), folder(2));
    format!("https://www.nexmark.com/{a}/{b}/{c}/item.htm?query=1")
}

/// How long a filler text is: `least` letters and up to `spread` more, at random.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Filler {
    least: u32,
    spread: u32,
}

impl Filler {
    /// The filler that brings an event of `current` bytes to `average` bytes, a fifth more or less;
    /// none for an event that is as large already.
    #[inline]
    pub(super) fn reaching(average: u32, current: u32) -> Option<Filler> {
        let missing = average.saturating_sub(current);
        let delta = (f64::from(missing) * 0.2 + 0.5) as u32;
        (missing > 0).then_some(Filler { least: missing - delta, spread: 2 * delta })
    }

    /// Draws the text.
    #[inline]
    pub(super) fn text(self, pool: &'static Pool, draws: &mut Draws) -> &'static str {
        let more = if self.spread == 0 { 0 } else { draws.below(self.spread) };
        pool.text(self.least + more, draws)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn fillers_miss_the_average_by_a_fifth_at_most() {
        assert_eq!(Filler::reaching(100, 32), Some(Filler { least: 54, spread: 28 }));
        assert_eq!(Filler::reaching(34, 32), Some(Filler { least: 2, spread: 0 }));
        assert_eq!(Filler::reaching(32, 32), None);
        assert_eq!(Filler::reaching(0, 32), None);
    }

    #[test]
    fn nine_channels_in_ten_are_named_in_their_url() {
        let named = |i: usize| Pool::shared().cold[i].url.contains("&channel_id=");
        assert_eq!((0..COLD_CHANNELS as usize).filter(|i| named(*i)).count(), 9000);
        assert!(!named(20) && named(21));
    }
}
