//! How the tests start the job.

use std::path::Path;
use std::time::Duration;

use headwater_chaos::plants::Plant;
use headwater_chaos::process::JobCommand;
use headwater_chaos::workload::Workload;

/// Records per second while a process waits for its end. Low enough that the input does not run out
/// before the crash on a slow machine; the last run does without it.
pub const RATE: f64 = 4_000.0;

pub fn command(dir: &Path, records: u64, plant: Option<Plant>) -> JobCommand {
    JobCommand {
        program: env!("CARGO_BIN_EXE_chaos-job").into(),
        dir: dir.to_owned(),
        workload: Workload { records, splits: 4, seed: 11 },
        workers: 2,
        interval: Duration::from_millis(30),
        plant,
    }
}

/// Whether the long forms are asked for.
pub fn slow() -> bool {
    std::env::var_os("HEADWATER_SLOW_TESTS").is_some_and(|v| !v.is_empty() && v != "0")
}
