//! Which manifests and segments may go.

use std::collections::BTreeSet;

use headwater_core::{ErrorKind, Result};

use super::{names, read_manifest};
use crate::crash_point;
use crate::location::Location;
use crate::manifest::{Manifest, ManifestKind};

/// What was deleted.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Retired {
    /// Number of manifests.
    pub manifests: usize,
    /// Number of segments.
    pub segments: usize,
}

/// A manifest that exists and what it lists.
#[derive(Clone, Debug)]
pub(super) struct Kept {
    pub(super) seq: u64,
    pub(super) checkpoint: bool,
    pub(super) segments: BTreeSet<String>,
}

impl Kept {
    pub(super) fn of(manifest: &Manifest) -> Kept {
        Kept {
            seq: manifest.seq,
            checkpoint: manifest.kind == ManifestKind::Checkpoint,
            segments: manifest.segments.iter().map(|segment| segment.path.clone()).collect(),
        }
    }
}

/// The number of the oldest manifest to keep: that of the `retained`-newest checkpoint. Attempt
/// starts after it are kept as well, so that the numbers have no gap.
pub(super) fn first_kept(history: &[Kept], retained: usize) -> u64 {
    let checkpoints = history.iter().rev().filter(|kept| kept.checkpoint);
    checkpoints.map(|kept| kept.seq).nth(retained.max(1) - 1).unwrap_or(0)
}

/// Reads the manifests up to `newest`, oldest first; a damaged one lists nothing.
pub(super) fn read_history(location: &Location, newest: u64) -> Result<Vec<Kept>> {
    let mut history = Vec::new();
    for seq in (1..=newest).rev() {
        match read_manifest(location, seq) {
            Ok(manifest) => history.push(Kept::of(&manifest)),
            Err(_) if location.size(&names::manifest(seq))?.is_none() => break,
            Err(e) if e.kind() == ErrorKind::State => {
                history.push(Kept { seq, checkpoint: false, segments: BTreeSet::new() });
            }
            Err(e) => return Err(e),
        }
    }
    history.reverse();
    Ok(history)
}

/// Deletes the segments of attempts before `attempt` that no manifest lists.
///
/// Those attempts are fenced: whatever they still write will never be listed.
pub(super) fn delete_orphans(location: &Location, attempt: u64, history: &[Kept]) -> Result<()> {
    let listed: BTreeSet<&str> =
        history.iter().flat_map(|kept| kept.segments.iter().map(String::as_str)).collect();
    let mut dead = BTreeSet::new();
    crash_point("orphans.before-delete");
    for object in location.list(names::SEGMENTS)? {
        let Some(of) = names::segment_attempt(&object.name).filter(|&of| of < attempt) else {
            continue;
        };
        dead.insert(of);
        if !listed.contains(object.name.as_str()) {
            location.delete(&object.name)?;
        }
    }
    crash_point("orphans.after-delete");
    dead.iter().for_each(|&of| location.remove_empty_folder(&names::segments_of(of)));
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn history(kinds: &str) -> Vec<Kept> {
        let kept = |(seq, kind)| Kept {
            seq: seq as u64 + 1,
            checkpoint: kind == 'c',
            segments: BTreeSet::new(),
        };
        kinds.chars().enumerate().map(kept).collect()
    }

    #[test]
    fn the_newest_checkpoints_are_kept_and_what_lies_between_them() {
        assert_eq!(first_kept(&history(""), 3), 0);
        assert_eq!(first_kept(&history("scc"), 3), 0);
        assert_eq!(first_kept(&history("sccc"), 3), 2);
        assert_eq!(first_kept(&history("scccc"), 3), 3);
        assert_eq!(first_kept(&history("sccsscsc"), 3), 3);
        assert_eq!(first_kept(&history("sccsss"), 1), 3);
        assert_eq!(first_kept(&history("scc"), 0), 3);
    }
}
