//! The names of objects below a location.

use headwater_core::Epoch;

pub(crate) const JOB: &str = "job.json";
pub(crate) const LATEST: &str = "latest";
pub(crate) const MANIFESTS: &str = "manifest";
pub(crate) const SEGMENTS: &str = "segments";

/// The name of the manifest of this number; 20 digits, so that names sort like numbers.
pub(crate) fn manifest(seq: u64) -> String {
    format!("{MANIFESTS}/{seq:020}.json")
}

/// The number in the name of a manifest.
pub(crate) fn manifest_seq(name: &str) -> Option<u64> {
    name.strip_prefix(MANIFESTS)?.strip_prefix('/')?.strip_suffix(".json")?.parse().ok()
}

/// The name of the `n`-th segment of a worker's part of an epoch.
pub(crate) fn segment(attempt: u64, epoch: Epoch, worker: usize, n: usize) -> String {
    format!("{SEGMENTS}/{attempt}/{epoch}-{worker}-{n}.seg")
}

/// The name of an attempt's `n`-th merged segment.
pub(crate) fn merged(attempt: u64, epoch: Epoch, max_epoch: Epoch, n: u64) -> String {
    format!("{SEGMENTS}/{attempt}/merged-{epoch}-{max_epoch}-{n}.seg")
}

/// The folder of an attempt's segments.
pub(crate) fn segments_of(attempt: u64) -> String {
    format!("{SEGMENTS}/{attempt}")
}

/// The attempt in the name of a segment.
pub(crate) fn segment_attempt(name: &str) -> Option<u64> {
    let (attempt, _) = name.strip_prefix(SEGMENTS)?.strip_prefix('/')?.split_once('/')?;
    attempt.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_read_back_from_names() {
        assert_eq!(manifest(42), "manifest/00000000000000000042.json");
        assert_eq!(manifest_seq(&manifest(u64::MAX)), Some(u64::MAX));
        assert_eq!(manifest_seq("manifest/notes.txt"), None);
        assert_eq!(segment(7, Epoch(3), 1, 0), "segments/7/3-1-0.seg");
        assert_eq!(segment_attempt(&segment(7, Epoch(3), 1, 0)), Some(7));
        assert_eq!(segment_attempt(&merged(8, Epoch(3), Epoch(9), 0)), Some(8));
        assert_eq!(segment_attempt("latest"), None);
    }
}
