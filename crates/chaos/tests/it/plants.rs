//! A test per planted fault: the job is crashed, restarted and finishes, and the verifier finds it.

use headwater_chaos::crash_points::{before_commit, crash_at, finish};
use headwater_chaos::findings::Findings;
use headwater_chaos::job::SINKS;
use headwater_chaos::plants::Plant;
use headwater_chaos::verifier::Verdict;

use crate::support::{RATE, command};

const RECORDS: u64 = 20_000;
const BEFORE_MANIFEST: &str = "manifest.before-write:4";

/// Crashes the job at a point, lets it finish, and verifies; with the fault in it all the time.
fn verdict_of(plant: Option<Plant>, point: &str) -> Verdict {
    let dir = tempfile::tempdir().unwrap();
    let command = command(dir.path(), RECORDS, plant);
    crash_at(&command, point, RATE).unwrap();
    finish(&command).unwrap()
}

fn of<'v>(verdict: &'v Verdict, sink: &str) -> &'v Findings {
    verdict.sink(sink).unwrap()
}

/// Asserts that faults were found in these sinks only.
fn only_in(verdict: &Verdict, sinks: &[&str]) {
    for findings in &verdict.sinks {
        let expected = sinks.contains(&findings.sink.as_str());
        assert_eq!(findings.faults() > 0, expected, "{}:\n{verdict}", findings.sink);
    }
}

#[test]
fn without_a_fault_nothing_is_found() {
    for point in [before_commit().as_str(), BEFORE_MANIFEST] {
        let verdict = verdict_of(None, point);
        assert_eq!(verdict.faults(), 0, "{verdict}");
    }
}

#[test]
fn a_dropped_record_is_found() {
    let verdict = verdict_of(Some(Plant::DropRecord), BEFORE_MANIFEST);
    only_in(&verdict, &[SINKS[0]]);
    let echo = of(&verdict, SINKS[0]);
    // One on each of two workers, in each attempt whose output counts.
    assert!((1..=4).contains(&echo.lost) && echo.faults() == echo.lost, "{verdict}");
}

#[test]
fn a_duplicated_epoch_is_found() {
    let verdict = verdict_of(Some(Plant::DuplicateEpoch), &before_commit());
    only_in(&verdict, &[SINKS[0]]);
    let echo = of(&verdict, SINKS[0]);
    assert!(echo.duplicated > 0 && echo.lost + echo.wrong == 0, "{verdict}");
}

#[test]
fn a_commit_that_is_skipped_on_restore_is_found() {
    let verdict = verdict_of(Some(Plant::SkipCommitOnRestore), &before_commit());
    only_in(&verdict, &[SINKS[0]]);
    let echo = of(&verdict, SINKS[0]);
    assert!(echo.lost > 0 && echo.duplicated + echo.wrong == 0, "{verdict}");
}

#[test]
fn a_manifest_before_its_data_is_found() {
    let verdict = verdict_of(Some(Plant::ManifestBeforeData), &before_commit());
    only_in(&verdict, &[SINKS[0]]);
    assert!(of(&verdict, SINKS[0]).lost > 0, "{verdict}");
}

#[test]
fn a_commit_before_the_manifest_is_found() {
    let verdict = verdict_of(Some(Plant::CommitBeforeManifest), BEFORE_MANIFEST);
    only_in(&verdict, &[SINKS[0]]);
    assert!(of(&verdict, SINKS[0]).duplicated > 0, "{verdict}");
}

#[test]
fn a_reused_file_name_is_found() {
    let verdict = verdict_of(Some(Plant::ReuseFileName), &before_commit());
    only_in(&verdict, &[SINKS[0]]);
    assert!(of(&verdict, SINKS[0]).lost > 0, "{verdict}");
}

#[test]
fn staged_files_that_are_left_behind_are_found() {
    let verdict = verdict_of(Some(Plant::KeepStaged), BEFORE_MANIFEST);
    only_in(&verdict, &[SINKS[0]]);
    let echo = of(&verdict, SINKS[0]);
    assert!(echo.files > 0 && echo.faults() == echo.files, "{verdict}");
}

#[test]
fn a_record_that_a_restored_reader_leaves_out_is_found() {
    let verdict = verdict_of(Some(Plant::SkipRecordOnRestore), BEFORE_MANIFEST);
    let echo = of(&verdict, SINKS[0]);
    // One record of each split; a malformed one would be missing in the dead letters.
    let letters = of(&verdict, "dead letters");
    assert_eq!(echo.lost + letters.lost, 4, "{verdict}");
    assert!(!verdict.counters.is_empty(), "{verdict}");
}

#[test]
fn a_record_that_a_restored_reader_repeats_is_found() {
    let verdict = verdict_of(Some(Plant::RepeatRecordOnRestore), BEFORE_MANIFEST);
    let (echo, letters) = (of(&verdict, SINKS[0]), of(&verdict, "dead letters"));
    assert_eq!(echo.duplicated + letters.duplicated, 4, "{verdict}");
    assert!(!verdict.counters.is_empty(), "{verdict}");
}

#[test]
fn a_window_that_is_off_by_one_is_found() {
    let verdict = verdict_of(Some(Plant::OffByOneWindow), BEFORE_MANIFEST);
    assert!(of(&verdict, SINKS[1]).wrong > 0, "{verdict}");
    for sink in [SINKS[0], SINKS[3], SINKS[4]] {
        assert_eq!(of(&verdict, sink).faults(), 0, "{sink}:\n{verdict}");
    }
}

#[test]
fn a_wrong_merge_of_watermarks_is_found() {
    let verdict = verdict_of(Some(Plant::WrongWatermarkMerge), BEFORE_MANIFEST);
    assert_eq!(of(&verdict, SINKS[0]).faults(), 0, "{verdict}");
    // On-time records of slower splits come out as late.
    assert!(of(&verdict, SINKS[2]).wrong > 0, "{verdict}");
    assert!(of(&verdict, SINKS[1]).faults() > 0, "{verdict}");
}

#[test]
fn a_lost_timer_is_found() {
    let verdict = verdict_of(Some(Plant::LoseTimers), BEFORE_MANIFEST);
    only_in(&verdict, &[SINKS[3]]);
    let totals = of(&verdict, SINKS[3]);
    assert!(totals.lost > 0 && totals.wrong > 0, "{verdict}");
}

#[test]
fn malformed_records_that_disappear_are_found() {
    let verdict = verdict_of(Some(Plant::SkipDeadLetters), BEFORE_MANIFEST);
    only_in(&verdict, &["dead letters"]);
    assert!(of(&verdict, "dead letters").lost > 0, "{verdict}");
    assert!(!verdict.counters.is_empty(), "{verdict}");
}
