//! `headwater checkpoint` on a directory that a short demo left.

use std::fs;
use std::path::{Path, PathBuf};

use super::{run, stderr, stdout};

/// A directory with `state`, the checkpoints of a demo.
fn after_a_demo() -> tempfile::TempDir {
    let dir = tempfile::tempdir().unwrap();
    let output = run(
        dir.path(),
        &["demo", "-q", "--for", "1s", "--rate", "2000", "--checkpoint-dir", "state"],
    );
    assert_eq!(output.status.code(), Some(0), "{}", stderr(&output));
    dir
}

fn json(dir: &Path, args: &[&str]) -> serde_json::Value {
    let output = run(dir, &[args, &["--output", "json"]].concat());
    assert_eq!(output.status.code(), Some(0), "{}", stderr(&output));
    serde_json::from_str(&stdout(&output)).unwrap()
}

fn segments(dir: &Path) -> Vec<PathBuf> {
    let folders = fs::read_dir(dir.join("state/segments")).unwrap();
    let files = folders.flat_map(|folder| fs::read_dir(folder.unwrap().path()).unwrap());
    files.map(|file| file.unwrap().path()).collect()
}

#[test]
fn a_whole_directory_is_listed_shown_and_verified() {
    let dir = after_a_demo();
    let listed = json(dir.path(), &["checkpoint", "ls", "state"]);
    let newest = &listed["checkpoints"][0];
    assert_eq!(newest["kind"], "checkpoint", "{listed}");
    assert!(newest["bytes"].as_u64().unwrap() > 0, "{listed}");

    let shown = json(dir.path(), &["checkpoint", "show", "state"]);
    assert_eq!((&shown["job"], &shown["seq"]), (&"demo".into(), &newest["seq"]));
    assert!(shown["counters"]["auction house/records_in"].as_u64().unwrap() > 0, "{shown}");
    let states = shown["states"].as_array().unwrap();
    assert!(states.iter().any(|s| s["operator"] == "bids per auction"), "{shown}");

    let verified = json(dir.path(), &["checkpoint", "verify", "state"]);
    assert_eq!((&verified["whole"], &verified["damaged"]), (&true.into(), &serde_json::json!([])));

    for (verb, says) in [("ls", "checkpoint"), ("show", "bids per auction"), ("verify", "whole: ")]
    {
        let output = run(dir.path(), &["checkpoint", verb, "state"]);
        assert_eq!(output.status.code(), Some(0));
        assert!(stdout(&output).contains(says), "{}", stdout(&output));
    }
}

#[test]
fn a_flipped_byte_is_found_and_its_file_named() {
    let dir = after_a_demo();
    let file = segments(dir.path()).pop().unwrap();
    let mut bytes = fs::read(&file).unwrap();
    let middle = bytes.len() / 2;
    bytes[middle] ^= 1;
    fs::write(&file, bytes).unwrap();
    let output = run(dir.path(), &["checkpoint", "verify", "state"]);
    assert_eq!(output.status.code(), Some(4));
    let name = file.file_name().unwrap().to_str().unwrap();
    assert!(stderr(&output).starts_with("error: 1 of "), "{}", stderr(&output));
    assert!(stderr(&output).contains(name), "{}", stderr(&output));
    assert!(stdout(&output).contains(name), "{}", stdout(&output));
}

#[test]
fn a_lost_pointer_is_repaired_when_told_twice() {
    let dir = after_a_demo();
    fs::remove_file(dir.path().join("state/latest")).unwrap();
    let refused = run(dir.path(), &["checkpoint", "repair", "state"]);
    assert_eq!(refused.status.code(), Some(2));
    assert!(stderr(&refused).contains("--yes"), "{}", stderr(&refused));
    let repaired = json(dir.path(), &["checkpoint", "repair", "state", "--yes"]);
    assert!(repaired["seq"].as_u64().unwrap() > 0);
    let shown = json(dir.path(), &["checkpoint", "show", "state"]);
    assert_eq!(shown["seq"], repaired["seq"]);
}
