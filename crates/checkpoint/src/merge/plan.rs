//! Which segments to merge: size-tiered, like a binary counter.
//!
//! The run always ends with the newest segment and starts with the oldest one that is not larger
//! than all that follow it together. So a merge at least doubles the file that its oldest bytes are
//! in, and what is left in front of it falls geometrically: the number of segments is logarithmic
//! in the size of the state, and so is how often a byte is rewritten.

use std::ops::Range;

use crate::manifest::SegmentRef;

/// Fewer than this are not worth a merge.
const LEAST: usize = 4;
/// More than this are merged whatever their sizes.
const MOST: usize = 32;

/// The run of segments to merge now, if any; segments are given oldest first.
///
/// # Examples
/// ```
/// use headwater_checkpoint::{SegmentRef, plan_merge};
/// use headwater_core::Epoch;
/// let segment = |bytes| SegmentRef {
///     path: String::new(), hash: String::new(), entries: 0, bytes,
///     epoch: Epoch(1), max_epoch: Epoch(1),
/// };
/// assert_eq!(plan_merge(&[100, 1, 1, 1].map(segment)), None);
/// assert_eq!(plan_merge(&[100, 1, 1, 1, 1].map(segment)), Some(1..5));
/// assert_eq!(plan_merge(&[100, 90, 5, 5].map(segment)), Some(0..4));
/// ```
pub fn plan_merge(segments: &[SegmentRef]) -> Option<Range<usize>> {
    let n = segments.len();
    let mut after: u64 = segments.iter().map(|s| s.bytes).sum();
    for (i, segment) in segments.iter().enumerate().take((n + 1).saturating_sub(LEAST)) {
        after -= segment.bytes;
        if after >= segment.bytes {
            return Some(i..n);
        }
    }
    (n > MOST).then(|| n - LEAST..n)
}

#[cfg(test)]
mod tests {
    use headwater_core::Epoch;
    use proptest::prelude::*;

    use super::*;

    fn segment(bytes: u64) -> SegmentRef {
        SegmentRef {
            path: String::new(),
            bytes,
            hash: String::new(),
            entries: 0,
            epoch: Epoch(1),
            max_epoch: Epoch(1),
        }
    }

    /// Adds deltas one after another, merging when planned; `shrink` is what a merge leaves, in
    /// percent. Gives the greatest number of segments seen, and the bytes rewritten.
    fn run(deltas: &[u64], shrink: u64) -> (usize, u64) {
        let (mut most, mut rewritten) = (0, 0);
        let mut segments: Vec<SegmentRef> = Vec::new();
        for &delta in deltas {
            segments.push(segment(delta));
            most = most.max(segments.len());
            if let Some(range) = plan_merge(&segments) {
                assert_eq!(range.end, segments.len());
                assert!(range.len() >= LEAST);
                let sum: u64 = segments.drain(range).map(|s| s.bytes).sum();
                rewritten += sum;
                segments.push(segment((sum * shrink / 100).max(1)));
            }
        }
        (most, rewritten)
    }

    #[test]
    fn few_segments_and_few_rewrites_for_equal_deltas() {
        let (most, rewritten) = run(&[100; 10_000], 100);
        assert!(most <= 17, "{most}");
        assert!(rewritten <= 100 * 10_000 * 12, "{rewritten}");
    }

    #[test]
    fn more_than_the_most_are_merged_even_if_they_fall_geometrically() {
        let falling: Vec<SegmentRef> = (0..40).rev().map(|i| segment(3 << i)).collect();
        assert_eq!(plan_merge(&falling[..MOST]), None);
        assert_eq!(plan_merge(&falling), Some(36..40));
        assert_eq!(plan_merge(&[]), None);
    }

    proptest! {
        #[test]
        fn bounded_for_any_deltas(
            deltas in prop::collection::vec(1..100_000u64, 1..400),
            shrink in 1..=100u64,
        ) {
            let total: u64 = deltas.iter().sum();
            let tiers = u64::from(total.ilog2()) + 1;
            let (most, rewritten) = run(&deltas, shrink);
            prop_assert!(most as u64 <= tiers + LEAST as u64, "{most} segments");
            // Without shrinking each byte's file at least doubles, save for one merge.
            prop_assert!(shrink < 100 || rewritten <= total * (tiers + 1), "{rewritten} bytes");
        }
    }
}
