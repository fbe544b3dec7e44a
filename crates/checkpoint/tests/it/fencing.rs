//! Two attempts of one job, hints that are stale or lost, and writes of unknown outcome.

use headwater_checkpoint::job_log::repair;
use headwater_checkpoint::{JobLog, Location, envelope, restore};
use headwater_core::{ErrorKind, ProcessingTime};

use super::common::{TestJob, check_restore, start};
use super::stores::Flaky;

fn manifest_name(seq: u64) -> String {
    format!("manifest/{seq:020}.json")
}

#[test]
fn an_older_attempt_is_fenced_by_the_start_of_a_newer_one() {
    let location = Location::memory().unwrap();
    let mut old = TestJob::start(&location, "old", true).unwrap();
    old.run_to(2).unwrap();
    let mut new = TestJob::start(&location, "new", true).unwrap();
    let e = old.checkpoint().unwrap_err();
    assert_eq!(e.kind(), ErrorKind::Fenced);
    assert!(e.to_string().contains("was written by attempt 4 (new)"), "{e}");
    assert_eq!(old.log.retire().unwrap_err().kind(), ErrorKind::Fenced);
    new.checkpoint().unwrap();
    assert_eq!(check_restore(&location), 3);
}

#[test]
fn an_attempt_that_restored_too_early_does_not_start() {
    let location = Location::memory().unwrap();
    let mut first = TestJob::start(&location, "first", true).unwrap();
    let restored = restore(&location).unwrap();
    first.checkpoint().unwrap();
    let e = JobLog::start_attempt(&location, &restored, start("second", true)).err().unwrap();
    assert_eq!(e.kind(), ErrorKind::Fenced);
    first.checkpoint().unwrap();
    assert_eq!(check_restore(&location), 2);
}

#[test]
fn an_attempt_frozen_until_its_number_was_deleted_is_fenced() {
    let location = Location::memory().unwrap();
    let mut old = TestJob::start(&location, "old", true).unwrap();
    old.run_to(2).unwrap();
    let next = old.log.newest() + 1;
    let late = restore(&location).unwrap();
    let fresh = {
        let empty = Location::memory().unwrap();
        restore(&empty).unwrap()
    };
    let mut new = TestJob::start(&location, "new", true).unwrap();
    new.run_to(9).unwrap();
    assert_eq!(location.size(&manifest_name(next)).unwrap(), None, "the number is free again");

    assert_eq!(old.checkpoint().unwrap_err().kind(), ErrorKind::Fenced);
    assert_eq!(old.log.retire().unwrap_err().kind(), ErrorKind::Fenced);
    for restored in [late, fresh] {
        let late = JobLog::start_attempt(&location, &restored, start("late", true));
        assert_eq!(late.err().unwrap().kind(), ErrorKind::Fenced);
    }
    assert_eq!(location.size(&manifest_name(next)).unwrap(), None, "and nothing was left there");
    assert_eq!(check_restore(&location), 9);
    new.run_to(10).unwrap();
    assert_eq!(check_restore(&location), 10);
}

#[test]
fn a_stale_hint_is_harmless() {
    let location = Location::memory().unwrap();
    let mut job = TestJob::start(&location, "first", true).unwrap();
    let hint = location.get("latest").unwrap().unwrap();
    job.checkpoints(3);
    assert_eq!(location.get("latest").unwrap().unwrap(), hint, "only moved by retirement");
    assert_eq!(check_restore(&location), 3);
}

#[test]
fn a_lost_hint_is_refused_once_something_was_deleted() {
    let location = Location::memory().unwrap();
    let mut job = TestJob::start(&location, "first", true).unwrap();
    job.run_to(2).unwrap();
    location.delete("latest").unwrap();
    let restored = restore(&location).unwrap();
    assert_eq!(restored.manifest.unwrap().epoch.0, 2);
    assert!(restored.warnings[0].contains("\"memory:latest\" is missing"));

    let mut job = TestJob::start(&location, "second", true).unwrap();
    job.run_to(9).unwrap();
    let hint = location.get("latest").unwrap().unwrap();
    let lost = || {
        let e = restore(&location).err().unwrap();
        assert_eq!(e.kind(), ErrorKind::State);
        assert!(e.report().contains("headwater checkpoint repair"), "{}", e.report());
        e.to_string()
    };
    location.delete("latest").unwrap();
    assert!(lost().contains("\"memory:latest\" is missing, but manifest"));
    location.put("latest", hint.slice(..20).into()).unwrap();
    assert!(lost().contains("latest \"memory:latest\" is damaged (bytes 0..20)"));
    let ahead = String::from_utf8(hint.to_vec()).unwrap();
    let body = ahead.replace(&job.log.newest().to_string(), "77");
    let body = body.lines().skip(1).take(3).collect::<Vec<_>>().join("\n");
    location.put("latest", envelope::seal("latest", 1, &body).into()).unwrap();
    assert!(lost().contains("000077.json\", which is missing"));
    assert_eq!(repair(&location).unwrap(), job.log.newest());
    assert_eq!(check_restore(&location), 9);
}

#[test]
fn a_gap_in_the_log_is_refused() {
    let location = Location::memory().unwrap();
    let mut job = TestJob::start(&location, "first", true).unwrap();
    job.checkpoints(4);
    location.delete(&manifest_name(4)).unwrap();
    let e = restore(&location).err().unwrap();
    assert!(e.to_string().contains("00004.json\" is missing, but manifest 5 exists"), "{e}");
}

#[test]
fn lost_manifests_are_not_taken_for_a_new_job() {
    let location = Location::memory().unwrap();
    let mut job = TestJob::start(&location, "first", true).unwrap();
    job.checkpoint().unwrap();
    (1..=2).for_each(|seq| location.delete(&manifest_name(seq)).unwrap());
    let e = restore(&location).err().unwrap();
    assert!(e.to_string().contains("00001.json\", which is missing"), "{e}");
    location.put("latest", "garbage".into()).unwrap();
    let e = restore(&location).err().unwrap();
    assert!(e.to_string().contains("and there is no manifest 1"), "{e}");
    location.delete("latest").unwrap();
    let e = restore(&location).err().unwrap();
    assert!(e.to_string().contains("but there are segments"), "{e}");
}

#[test]
fn a_location_belongs_to_one_job() {
    let location = Location::memory().unwrap();
    TestJob::start(&location, "first", true).unwrap();
    let restored = restore(&location).unwrap();
    let mut other = start("other", true);
    other.job = "orders".into();
    let e = JobLog::start_attempt(&location, &restored, other).err().unwrap();
    assert!(e.to_string().contains("belongs to job \"clicks\", this is job \"orders\""), "{e}");
    let mut wider = start("wider", true);
    wider.max_parallelism = 16;
    let e = JobLog::start_attempt(&location, &restored, wider).err().unwrap();
    assert_eq!(e.kind(), ErrorKind::Config);
    location.delete("job.json").unwrap();
    let e = restore(&location).err().unwrap();
    assert!(e.to_string().contains("\"memory:job.json\" is missing"), "{e}");
    repair(&location).unwrap();
    assert_eq!(restore(&location).unwrap().job.unwrap().name, "clicks");
}

#[test]
fn a_write_that_succeeded_but_was_reported_failed_does_not_fence_its_own_attempt() {
    let store = Flaky::new();
    let location = store.location();
    let mut job = TestJob::start(&location, "first", true).unwrap();
    job.checkpoint().unwrap();
    let uploaded = job.upload().unwrap();
    job.next_manifest(uploaded);
    store.fail_after_writes(1);
    let e = job.log.write_manifest(job.manifest.clone()).unwrap_err();
    assert_eq!(e.kind(), ErrorKind::Transient);
    assert_eq!(job.log.newest(), 2, "not known to be written");
    // The next epoch's manifest carries the failed one's segments and goes behind it.
    assert_eq!(job.checkpoint().unwrap(), 4);
    assert_eq!(check_restore(&location), 3);
    job.manifest.created = ProcessingTime(0);
    job.run_to(9).unwrap();
    assert_eq!(check_restore(&location), 9);
}

#[test]
fn a_start_of_unknown_outcome_can_be_repeated() {
    let store = Flaky::new();
    let location = store.location();
    let restored = restore(&location).unwrap();
    // The self-test's one write and job.json come first.
    store.fail_after_writes_from(3, 1);
    assert!(TestJob::start_from(&location, &restored, "first", true).is_err());
    let mut job = TestJob::start_from(&location, &restored, "first", true).unwrap();
    assert_eq!(job.log.attempt(), 1);
    job.checkpoint().unwrap();
    assert_eq!(check_restore(&location), 1);
}
