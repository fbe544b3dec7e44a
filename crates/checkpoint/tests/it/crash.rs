//! Kills a real process at every crash point; the next one must go on as if nothing had happened.
//!
//! The killed process is this test binary, started again with only [`child`].

use std::process::{Command, Stdio};

use headwater_checkpoint::crash_point::{CRASH_POINT_VAR, CRASH_POINTS};
use headwater_checkpoint::{Location, inspect};

use super::common::{TestJob, check_restore, expected};

const DIR_VAR: &str = "HEADWATER_TEST_CRASH_DIR";
const LAST: u64 = 6;

/// The process that is killed; does nothing unless it was started by the test below.
#[test]
fn child() {
    let Ok(dir) = std::env::var(DIR_VAR) else { return };
    let location = Location::open(&dir).unwrap();
    let incarnation = format!("process {}", std::process::id());
    let mut job = TestJob::start(&location, &incarnation, true).unwrap();
    job.run_to(LAST).unwrap();
}

/// Runs the child; whether it came to its end.
fn run_child(dir: &std::path::Path, crash_point: Option<&str>) -> bool {
    let mut command = Command::new(std::env::current_exe().unwrap());
    command.args(["--exact", "crash::child", "--nocapture"]).env(DIR_VAR, dir);
    command.env(CRASH_POINT_VAR, crash_point.unwrap_or_default());
    let status = command.stdout(Stdio::null()).stderr(Stdio::null()).status().unwrap();
    // A failed assertion ends with a code, an abort does not.
    assert!(status.success() || status.code().is_none(), "{crash_point:?}: {status}");
    status.success()
}

#[test]
fn every_crash_point_is_survived() {
    for point in CRASH_POINTS {
        let dir = tempfile::tempdir().unwrap();
        let location = Location::open(&dir.path().to_string_lossy()).unwrap();
        let first_hit = run_child(dir.path(), Some(point));
        assert!(!first_hit, "{point} was never reached");
        let first = check_restore(&location);
        run_child(dir.path(), Some(&format!("{point}:2")));
        assert!(check_restore(&location) >= first, "{point} went back");
        assert!(run_child(dir.path(), None), "{point}: the next process did not get through");
        assert_eq!(check_restore(&location), LAST, "{point}");
        assert!(!expected(LAST).is_empty());

        let report = inspect::verify(&location, &mut |_| {}).unwrap();
        assert!(report.damaged.is_empty(), "{point}: {:?}", report.damaged);
        let staging = std::fs::read_dir(dir.path().join("staging")).unwrap();
        assert_eq!(staging.count(), 0, "{point} left something behind");
        // Nothing of killed attempts is left, only merge inputs of the last one.
        let last =
            format!("segments/{}/", inspect::show(&location, None).unwrap().manifest.attempt);
        assert!(report.orphans.iter().all(|o| o.starts_with(&last)), "{point}: {report:?}");
    }
}
