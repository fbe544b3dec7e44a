//! Random numbers that a generated record may draw: SplitMix64, seeded by the record's number.
//!
//! What this does not do: cryptography; the numbers are predictable by design.

const GOLDEN: u64 = 0x9E37_79B9_7F4A_7C15;

/// The SplitMix64 finaliser: a bijection that spreads every bit over all others.
#[inline]
const fn mix(z: u64) -> u64 {
    let z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
    let z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
    z ^ (z >> 31)
}

/// The SplitMix64 random number generator: small, fast, the same on every machine and version.
///
/// # Examples
/// ```
/// use headwater_connect::generator::SplitMix64;
///
/// let mut rng = SplitMix64::of_record(42, 7);
/// assert_eq!(rng.clone().next_u64(), rng.next_u64());
/// assert!(rng.below(6) < 6);
/// assert!((0.0..1.0).contains(&rng.unit()));
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SplitMix64(u64);

impl SplitMix64 {
    /// The published generator, started at `seed`.
    #[inline]
    pub const fn new(seed: u64) -> Self {
        SplitMix64(seed)
    }

    /// The draws of record `n` under `seed`: they depend on nothing else.
    #[inline]
    pub const fn of_record(seed: u64, n: u64) -> Self {
        SplitMix64(mix(seed.wrapping_add(mix(n.wrapping_add(GOLDEN)))))
    }

    /// The next 64 random bits.
    #[inline]
    pub const fn next_u64(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(GOLDEN);
        mix(self.0)
    }

    /// A number in `[0, bound)`; 0 when `bound` is 0.
    #[inline]
    pub const fn below(&mut self, bound: u64) -> u64 {
        ((self.next_u64() as u128 * bound as u128) >> 64) as u64
    }

    /// A number in `[0, 1)`.
    #[inline]
    pub const fn unit(&mut self) -> f64 {
        (self.next_u64() >> 11) as f64 / (1_u64 << 53) as f64
    }

    /// One of `items`; `None` when there is none.
    #[inline]
    pub fn one_of<'a, T>(&mut self, items: &'a [T]) -> Option<&'a T> {
        items.get(self.below(items.len() as u64) as usize)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_numbers_are_the_published_ones() {
        let mut rng = SplitMix64::new(1_234_567);
        let drawn: Vec<u64> = (0..5).map(|_| rng.next_u64()).collect();
        assert_eq!(
            drawn,
            [
                6_457_827_717_110_365_317,
                3_203_168_211_198_807_973,
                9_817_491_932_198_370_423,
                4_593_380_528_125_082_431,
                16_408_922_859_458_223_821
            ]
        );
    }

    #[test]
    fn records_and_seeds_draw_differently_and_evenly() {
        let first = |seed, n| SplitMix64::of_record(seed, n).below(10);
        let mut counts = [0_u32; 10];
        for n in 0..10_000 {
            counts[first(1, n) as usize] += 1;
        }
        assert!(counts.iter().all(|count| (850..1150).contains(count)), "{counts:?}");
        assert!((0..100).any(|n| first(1, n) != first(2, n)));
        assert_eq!(SplitMix64::new(1).one_of::<u8>(&[]), None);
    }
}
