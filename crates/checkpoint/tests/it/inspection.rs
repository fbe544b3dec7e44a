//! What the command line shows of a checkpoint directory.

use headwater_checkpoint::manifest::ManifestKind;
use headwater_checkpoint::{Location, inspect};

use super::common::TestJob;

#[test]
fn checkpoints_are_listed_newest_first_and_shown_in_full() {
    let location = Location::memory().unwrap();
    assert!(inspect::list(&location).unwrap().is_empty());
    assert!(inspect::show(&location, None).is_err());
    let mut job = TestJob::start(&location, "first", true).unwrap();
    job.checkpoints(3);

    let list = inspect::list(&location).unwrap();
    let line = |l: &inspect::Listing| {
        let c = l.checkpoint.as_ref().unwrap();
        (c.seq, c.epoch.0, c.attempt, c.kind, c.segments)
    };
    let start = ManifestKind::AttemptStart;
    let checkpoint = ManifestKind::Checkpoint;
    assert_eq!(
        list.iter().map(line).collect::<Vec<_>>(),
        [
            (4, 3, 1, checkpoint, 6),
            (3, 2, 1, checkpoint, 4),
            (2, 1, 1, checkpoint, 2),
            (1, 0, 1, start, 0)
        ]
    );
    let newest = list[0].checkpoint.as_ref().unwrap();
    let shown = inspect::show(&location, None).unwrap();
    assert_eq!(shown.manifest.epoch.0, 3);
    let names: Vec<_> =
        shown.states.iter().map(|s| (s.operator.as_str(), s.name.as_str())).collect();
    assert_eq!(names, [("count", "timers"), ("count", "value"), ("join", "left")]);
    assert_eq!(shown.states.iter().map(|s| s.entries).sum::<u64>(), newest.entries);
    assert!(shown.states.iter().all(|s| s.key_groups > 0 && s.bytes < newest.bytes));
    assert_eq!(inspect::show(&location, Some(2)).unwrap().manifest.epoch.0, 1);

    location.put(&format!("manifest/{:020}.json", 3), "{}".into()).unwrap();
    let list = inspect::list(&location).unwrap();
    assert_eq!(list.len(), 4);
    assert!(list[1].checkpoint.is_err());
}

#[test]
fn verification_reports_progress_damage_and_orphans() {
    let location = Location::memory().unwrap();
    let mut job = TestJob::start(&location, "first", true).unwrap();
    job.checkpoints(2);
    let orphans = job.upload().unwrap();

    let mut steps = Vec::new();
    let report = inspect::verify(&location, &mut |p| steps.push((p.done, p.total))).unwrap();
    assert_eq!(steps, [(5, 9), (6, 9), (7, 9), (8, 9), (9, 9)]);
    assert!(report.damaged.is_empty(), "{:?}", report.damaged);
    assert_eq!(report.files, 9);
    assert_eq!(report.orphans, orphans.iter().map(|s| s.path.clone()).collect::<Vec<_>>());

    let path = &job.manifest.segments[0].path;
    location.delete(path).unwrap();
    location.put("job.json", "no".into()).unwrap();
    let report = inspect::verify(&location, &mut |_| {}).unwrap();
    let files: Vec<_> = report.damaged.iter().map(|(file, _)| file.as_str()).collect();
    assert_eq!(files, ["memory:job.json", &format!("memory:{path}")]);
}
