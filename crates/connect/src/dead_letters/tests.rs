use headwater_core::EventTime;

use super::*;
use crate::conformance::exactly_once_sink_suite;
use crate::source::Wake;

fn letter(n: u64) -> DeadLetter {
    DeadLetter::new("orders", format!("line {n}"), "not JSON", b"{\"a\"")
}

fn committable(letters: &[u64]) -> Vec<Committable> {
    let sink = DeadLetterFile::new("unused");
    let mut records = letters.iter().map(|n| Timed::new(EventTime::MIN, letter(*n))).collect();
    let mut writer = writer(&sink);
    writer.write(&mut records).unwrap();
    writer.prepare(Epoch(1)).unwrap()
}

fn writer(sink: &DeadLetterFile) -> Box<dyn Writer<DeadLetter>> {
    let (name, wake) = ("test".to_owned(), Wake::none());
    sink.writer(&WriterContext { sink: name, worker: 0, workers: 1, attempt: 1, wake }).unwrap()
}

fn committer(path: &Path) -> Box<dyn Committer> {
    DeadLetterFile::new(path).committer().unwrap().unwrap()
}

fn read(path: &Path) -> Vec<DeadLetter> {
    let Ok(text) = std::fs::read_to_string(path) else { return Vec::new() };
    text.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
}

fn letters(numbers: &[u64]) -> Vec<DeadLetter> {
    numbers.iter().map(|n| letter(*n)).collect()
}

#[test]
fn a_dead_letter_file_is_exactly_once() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("dead.jsonl");
    exactly_once_sink_suite(|| DeadLetterFile::new(&path), || read(&path), letter).unwrap();
}

#[test]
fn a_crash_at_any_byte_of_a_commit_is_repaired() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("dead.jsonl");
    committer(&path).commit(Epoch(1), &committable(&[1])).unwrap();
    let (before, recorded) =
        (std::fs::read(&path).unwrap(), std::fs::read(beside(&path, ".committed")).unwrap());
    let second = [committable(&[2, 3]), committable(&[4])].concat();
    for appended in 0..=second.concat().len() {
        let crashed = [&before[..], &second.concat()[..appended]].concat();
        std::fs::write(&path, crashed).unwrap();
        std::fs::write(beside(&path, ".committed"), &recorded).unwrap();
        // A torn record that was to replace the old one is of no consequence.
        std::fs::write(beside(&path, ".committed.next"), b"{\"ep").unwrap();
        for _ in 0..2 {
            committer(&path).recover(Epoch(2), &second).unwrap();
            assert_eq!(read(&path), letters(&[1, 2, 3, 4]), "{appended} bytes appended");
        }
    }
}

#[test]
fn a_file_that_existed_is_appended_to() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("dead.jsonl");
    std::fs::write(&path, committable(&[1]).concat()).unwrap();
    let mut committer = committer(&path);
    committer.recover(Epoch::NONE, &[]).unwrap();
    committer.commit(Epoch(1), &committable(&[2])).unwrap();
    assert_eq!(read(&path), letters(&[1, 2]));
}

#[test]
fn a_file_that_was_taken_away_or_shortened_is_started_again() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("dead.jsonl");
    let mut committer = committer(&path);
    committer.commit(Epoch(1), &committable(&[1, 2])).unwrap();
    std::fs::remove_file(&path).unwrap();
    committer.commit(Epoch(2), &committable(&[3])).unwrap();
    assert_eq!(read(&path), letters(&[3]));
    std::fs::write(&path, b"").unwrap();
    committer.recover(Epoch(2), &committable(&[3])).unwrap();
    committer.commit(Epoch(3), &committable(&[4])).unwrap();
    assert_eq!(read(&path), letters(&[4]));
}

#[test]
fn a_restore_to_an_earlier_epoch_and_a_new_job_append() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("dead.jsonl");
    let mut first = committer(&path);
    for epoch in 1..=5 {
        first.commit(Epoch(epoch), &committable(&[epoch])).unwrap();
    }
    let mut earlier = committer(&path);
    earlier.recover(Epoch(3), &committable(&[3])).unwrap();
    earlier.commit(Epoch(4), &committable(&[40])).unwrap();
    let mut new = committer(&path);
    new.recover(Epoch::NONE, &[]).unwrap();
    new.commit(Epoch(1), &committable(&[10])).unwrap();
    assert_eq!(read(&path), letters(&[1, 2, 3, 4, 5, 40, 10]));
}

#[test]
fn nothing_is_touched_without_letters() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("dead.jsonl");
    let mut committer = committer(&path);
    committer.recover(Epoch::NONE, &[]).unwrap();
    committer.commit(Epoch(1), &[]).unwrap();
    assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 0);
}

#[test]
fn too_many_letters_and_wrong_paths_are_refused() {
    let folder = tempfile::tempdir().unwrap();
    let sink = DeadLetterFile::new(folder.path().join("dead.jsonl")).max_epoch_bytes(100);
    sink.validate().unwrap();
    let mut records = (0..2).map(|n| Timed::new(EventTime::MIN, letter(n))).collect();
    let error = writer(&sink).write(&mut records).unwrap_err();
    assert!(error.to_string().contains("more than 100 bytes"), "{error}");

    assert!(DeadLetterFile::new(folder.path()).validate().is_err());
    assert!(DeadLetterFile::new(folder.path().join("no/such")).validate().is_err());
    std::fs::write(folder.path().join("dead.jsonl.committed"), b"?").unwrap();
    let error = committer(sink.path()).commit(Epoch(1), &committable(&[1])).unwrap_err();
    assert!(error.to_string().ends_with("is not a record"), "{error}");
}
