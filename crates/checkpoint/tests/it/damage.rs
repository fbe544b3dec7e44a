//! Flipped bits and truncations all over real directories: found, and never used silently.

use std::path::{Path, PathBuf};

use headwater_checkpoint::{Location, inspect, restore};
use headwater_core::ErrorKind;

use super::common::{TestJob, content, expected};

const PLACES: usize = 200;

/// A fixed sequence of numbers that look random.
struct Numbers(u64);

impl Numbers {
    fn below(&mut self, n: usize) -> usize {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        (self.0 % n as u64) as usize
    }
}

fn files(dir: &Path) -> Vec<PathBuf> {
    let mut all = Vec::new();
    for entry in std::fs::read_dir(dir).unwrap() {
        let path = entry.unwrap().path();
        match path.is_dir() {
            true => all.extend(files(&path)),
            false => all.push(path),
        }
    }
    all.sort();
    all
}

#[derive(Debug, Default)]
struct Outcomes {
    refused: usize,
    went_back: usize,
    not_needed: usize,
}

/// Damages one place after another and restores.
fn damage_everywhere(visible: bool, retire: bool, seed: u64) -> Outcomes {
    let dir = tempfile::tempdir().unwrap();
    let location = Location::open(&dir.path().to_string_lossy()).unwrap();
    let mut job = TestJob::start(&location, "first", visible).unwrap();
    job.run_to(4).unwrap();
    let mut job = TestJob::start(&location, "second", visible).unwrap();
    while job.epoch() < 9 {
        job.checkpoint().unwrap();
        if retire {
            job.log.retire().unwrap();
        }
    }
    let newest = job.epoch();
    let all = files(dir.path());
    assert!(all.len() > 15, "{all:?}");
    let mut numbers = Numbers(seed);
    let mut outcomes = Outcomes::default();
    for _ in 0..PLACES {
        let path = &all[numbers.below(all.len())];
        let whole = std::fs::read(path).unwrap();
        let at = numbers.below(whole.len());
        let mut bad = whole.clone();
        let what = match numbers.below(3) {
            0 => {
                bad.truncate(at);
                format!("{path:?} cut at {at}")
            }
            _ => {
                bad[at] ^= 1 << numbers.below(8);
                format!("{path:?} flipped at {at}")
            }
        };
        std::fs::write(path, &bad).unwrap();
        check(&location, newest, visible, &what, &mut outcomes);
        let report = inspect::verify(&location, &mut |_| {}).unwrap();
        let orphan = report.orphans.iter().any(|name| path.ends_with(name));
        let found = report.damaged.iter().any(|(file, _)| Path::new(file) == path);
        assert!(found || orphan, "{what}: not found by verify");
        std::fs::write(path, &whole).unwrap();
    }
    let restored = restore(&location).unwrap();
    assert_eq!(content(&restored).unwrap(), expected(newest), "whole again");
    outcomes
}

fn check(location: &Location, newest: u64, visible: bool, what: &str, outcomes: &mut Outcomes) {
    let restored = match restore(location) {
        Ok(restored) => restored,
        Err(e) => {
            assert!(matches!(e.kind(), ErrorKind::State), "{what}: {}", e.report());
            assert!(e.hint_text().is_some() || e.to_string().contains("is damaged"), "{what}");
            outcomes.refused += 1;
            return;
        }
    };
    let epoch = restored.manifest.as_ref().unwrap().epoch.0;
    assert_eq!(content(&restored).unwrap(), expected(epoch), "{what}: silently wrong");
    if epoch == newest {
        outcomes.not_needed += 1;
    } else {
        assert!(!visible, "{what}: went back although output was visible");
        assert!(!restored.warnings.is_empty(), "{what}: went back without a warning");
        outcomes.went_back += 1;
    }
}

#[test]
fn no_damage_is_used_silently_and_output_is_never_repeated() {
    let outcomes = damage_everywhere(true, true, 42);
    assert_eq!(outcomes.went_back, 0);
    assert!(outcomes.refused > 50 && outcomes.not_needed > 20, "{outcomes:?}");
}

#[test]
fn no_damage_is_used_silently_where_going_back_is_harmless() {
    let outcomes = damage_everywhere(false, true, 43);
    assert!(outcomes.went_back > 10 && outcomes.not_needed > 10, "{outcomes:?}");
    let outcomes = damage_everywhere(false, false, 44);
    assert!(outcomes.went_back > 10 && outcomes.not_needed > 10, "{outcomes:?}");
}

/// A directory with checkpoints of epochs 1 to 3 and its newest manifest and segment.
fn three(visible: bool) -> (tempfile::TempDir, Location, PathBuf, PathBuf) {
    let dir = tempfile::tempdir().unwrap();
    let location = Location::open(&dir.path().to_string_lossy()).unwrap();
    let mut job = TestJob::start(&location, "first", visible).unwrap();
    job.checkpoints(3);
    let manifest = dir.path().join(format!("manifest/{:020}.json", job.log.newest()));
    let segment = dir.path().join(&job.manifest.segments.last().unwrap().path);
    (dir, location, manifest, segment)
}

fn flip(path: &Path, at: usize) {
    let mut bytes = std::fs::read(path).unwrap();
    bytes[at] ^= 0x10;
    std::fs::write(path, bytes).unwrap();
}

#[test]
fn the_refusal_names_file_range_and_reason() {
    let (_dir, location, _, segment) = three(true);
    flip(&segment, 10);
    let e = restore(&location).err().unwrap();
    let text = e.report();
    assert!(text.contains(&format!("segment \"{}\" is damaged (bytes 8..", segment.display())));
    assert!(text.contains("would write output a second time"), "{text}");
}

#[test]
fn going_back_is_announced() {
    for part in ["manifest", "segment"] {
        let (_dir, location, manifest, segment) = three(false);
        flip(if part == "manifest" { &manifest } else { &segment }, 30);
        let restored = restore(&location).unwrap();
        assert_eq!(restored.manifest.as_ref().unwrap().epoch.0, 2);
        assert_eq!((restored.newest, restored.warnings.len()), (4, 1), "{:?}", restored.warnings);
        assert!(restored.warnings[0].contains("going back to manifest 3"));
        // The next attempt goes on behind the damaged checkpoint, not over it.
        let mut job = TestJob::start_from(&location, &restored, "second", false).unwrap();
        assert_eq!((job.log.attempt(), job.epoch()), (5, 2));
        job.checkpoint().unwrap();
        assert_eq!(super::common::check_restore(&location), 3);
    }
}

#[test]
fn two_unreadable_manifests_in_a_row_are_refused() {
    let (_dir, location, manifest, _) = three(false);
    flip(&manifest, 30);
    flip(&manifest.with_file_name(format!("{:020}.json", 3)), 30);
    let e = restore(&location).err().unwrap();
    assert!(e.report().contains("the manifest before it is damaged too"), "{}", e.report());
}

#[test]
fn a_missing_segment_is_damage() {
    let (_dir, location, _, segment) = three(true);
    std::fs::remove_file(&segment).unwrap();
    let e = restore(&location).err().unwrap();
    assert!(e.to_string().contains("it is missing"), "{e}");
}
