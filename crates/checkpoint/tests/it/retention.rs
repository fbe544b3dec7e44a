//! Retirement deletes only what no kept checkpoint needs, whatever happens around it.

use headwater_checkpoint::job_log::Retired;
use headwater_checkpoint::{Location, Manifest, inspect};
use proptest::prelude::*;

use super::common::{TestJob, check_restore};

/// Every manifest that exists, newest first.
fn manifests(location: &Location) -> Vec<Manifest> {
    let mut listed = location.list("manifest").unwrap();
    listed.reverse();
    let read = |name: &str| Manifest::decode(name, &location.get(name).unwrap().unwrap()).unwrap();
    listed.iter().map(|object| read(&object.name)).collect()
}

/// Every kept manifest has all its segments, and the numbers have no gap.
fn check(location: &Location) {
    let all = manifests(location);
    for (n, manifest) in all.iter().enumerate() {
        assert_eq!(manifest.seq, all[0].seq - n as u64, "a gap");
        for segment in &manifest.segments {
            let size = location.size(&segment.path).unwrap();
            assert_eq!(size, Some(segment.bytes), "{} of {}", segment.path, manifest.seq);
        }
    }
}

#[derive(Clone, Debug)]
enum Step {
    Checkpoint,
    Merge,
    Retire,
    UploadAndForget,
    Restart,
}

fn step() -> impl Strategy<Value = Step> {
    prop_oneof![
        6 => Just(Step::Checkpoint),
        3 => Just(Step::Merge),
        3 => Just(Step::Retire),
        1 => Just(Step::UploadAndForget),
        1 => Just(Step::Restart),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn what_a_kept_manifest_lists_is_there(steps in prop::collection::vec(step(), 1..40)) {
        let location = Location::memory().unwrap();
        let mut job = TestJob::start(&location, "0", true).unwrap();
        for (n, step) in steps.into_iter().enumerate() {
            match step {
                Step::Checkpoint => job.checkpoints(1),
                Step::Merge => assert!(job.merge().is_ok()),
                Step::Retire => assert!(job.log.retire().is_ok()),
                Step::UploadAndForget => drop(job.upload().unwrap()),
                Step::Restart => {
                    job = TestJob::start(&location, &n.to_string(), true).unwrap();
                    let report = inspect::verify(&location, &mut |_| {}).unwrap();
                    prop_assert!(report.orphans.is_empty(), "{:?}", report.orphans);
                }
            }
            check(&location);
        }
        check_restore(&location);
        job.checkpoint().unwrap();
        job.log.retire().unwrap();
        let kept = manifests(&location).iter().filter(|m| m.seq != m.attempt).count();
        prop_assert!(kept <= 3, "{kept} checkpoints are kept");
        check(&location);
    }
}

#[test]
fn the_newest_three_are_kept_and_the_hint_comes_first() {
    let location = Location::memory().unwrap();
    let mut job = TestJob::start(&location, "first", true).unwrap();
    job.checkpoints(3);
    assert_eq!(job.log.retire().unwrap(), Retired { manifests: 1, segments: 0 });
    job.merge().unwrap();
    job.checkpoints(3);
    let retired = job.log.retire().unwrap();
    assert_eq!((retired.manifests, retired.segments), (3, 6), "the merged ones are gone");
    assert_eq!(manifests(&location).iter().map(|m| m.epoch.0).collect::<Vec<_>>(), [6, 5, 4]);
    let hint = String::from_utf8(location.get("latest").unwrap().unwrap().to_vec()).unwrap();
    assert!(hint.contains("\"seq\": 7"), "{hint}");
}

#[test]
fn a_failed_deletion_is_made_up_for_later() {
    let store = super::stores::Flaky::new();
    let location = store.location();
    let mut job = TestJob::start(&location, "first", true).unwrap();
    job.checkpoints(4);
    job.merge().unwrap();
    job.checkpoints(4);
    let mut failures = 0;
    store.fail_deletes(true);
    while job.log.retire().is_err() {
        failures += 1;
        store.fail_deletes(failures % 2 == 1);
        if failures > 1 {
            store.fail_deletes(false);
        }
        check(&location);
    }
    assert!(failures > 0);
    assert_eq!(manifests(&location).len(), 3);
    let report = inspect::verify(&location, &mut |_| {}).unwrap();
    assert!(report.orphans.is_empty() && report.damaged.is_empty(), "{report:?}");
}
