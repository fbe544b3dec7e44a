//! Seeded disorder: batches cut anywhere, barriers, slow encoding and crashes between any two
//! inputs.

use headwater_core::Result;

use super::Driver;

/// What is to happen, from a small generator of numbers that look random (SplitMix64): the same
/// seed gives the same ones.
pub(super) struct Chaos {
    seed: u64,
    cuts_batches: bool,
}

impl Chaos {
    fn next(&mut self) -> u64 {
        self.seed = self.seed.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.seed;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    fn below(&mut self, n: usize) -> usize {
        (self.next() % n.max(1) as u64) as usize
    }

    fn one_in(&mut self, n: usize) -> bool {
        self.below(n) == 0
    }
}

impl Driver {
    /// From now on cuts batches anywhere, and puts barriers and crashes between inputs, all by
    /// `seed`. None of this may change the final output of a job that does not depend on it.
    pub fn set_chaos(&mut self, seed: u64) {
        self.chaos = Some(Chaos { seed, cuts_batches: true });
    }

    /// Like [`Driver::set_chaos`], with batches left as they are sent: then nothing at all may
    /// change but the order among keys.
    pub fn set_crashes(&mut self, seed: u64) {
        self.chaos = Some(Chaos { seed, cuts_batches: false });
    }

    /// How many of `len` records go into the next batch, and whether watermarks advance after it.
    pub(super) fn cut(&mut self, len: usize) -> (usize, bool) {
        match &mut self.chaos {
            Some(chaos) if len > 1 && chaos.cuts_batches => {
                // Mostly a few, sometimes most of them.
                let most = if chaos.one_in(4) { len } else { len.min(4) };
                (1 + chaos.below(most), !chaos.one_in(3))
            }
            _ => (len, true),
        }
    }

    /// What may happen between two inputs.
    pub(super) fn between(&mut self) -> Result<()> {
        let Some(mut chaos) = self.chaos.take() else { return Ok(()) };
        let outcome = self.disturb(&mut chaos);
        self.chaos = Some(chaos);
        outcome
    }

    fn disturb(&mut self, chaos: &mut Chaos) -> Result<()> {
        if self.pending.is_some() {
            if chaos.one_in(2) {
                self.encode(1 + chaos.below(4))?;
            }
        } else if chaos.one_in(4) {
            self.barrier()?;
        }
        if chaos.one_in(8) {
            self.crash_and_restore()?;
        }
        Ok(())
    }
}
