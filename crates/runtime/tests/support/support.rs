//! What the tests of whole jobs share: configurations, waiting for conditions, quiet panics, and a
//! source that the test controls.
//!
//! Nothing here sleeps for a result: a test waits for a condition, and only a job that never gets
//! there runs into the limit.

#![allow(dead_code, reason = "each test binary uses its share")]
#![allow(clippy::unwrap_used, clippy::panic, reason = "test helpers")]

use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering::SeqCst};
use std::time::{Duration, Instant};

use headwater_core::{DeadLetter, Error, Key, Record, Result};
use headwater_operators::process::{Process, process_fn};
use headwater_runtime::{CheckpointConfig, Config, JobHandle, Outcome, RestartStrategy, start};
use headwater_topology::Topology;

pub mod files;
pub mod scripted;

/// After this a test gives up: far more than any machine needs.
const LIMIT: Duration = Duration::from_secs(120);

pub fn ms(n: u64) -> Duration {
    Duration::from_millis(n)
}

/// Checkpoints every 20 ms, in `dir` or in memory; restarts soon and often.
pub fn config(workers: usize, dir: Option<&Path>) -> Config {
    Config {
        workers,
        checkpoints: CheckpointConfig {
            location: dir.map(|d| d.to_string_lossy().into_owned()),
            interval: Some(ms(20)),
            ..CheckpointConfig::default()
        },
        restart: RestartStrategy::FixedDelay { attempts: 5, delay: ms(5) },
        ..Config::default()
    }
}

/// Waits until `holds`.
pub fn until(what: &str, mut holds: impl FnMut() -> bool) {
    let began = Instant::now();
    while !holds() {
        assert!(began.elapsed() < LIMIT, "waited for {what} in vain");
        std::thread::sleep(ms(1));
    }
}

/// Waits for the job to end, and meanwhile tells `checkpoints` how many have completed.
pub fn wait(handle: &mut JobHandle, checkpoints: &AtomicU64) -> Result<Outcome> {
    until("the job to end", || {
        checkpoints.store(handle.metrics().checkpoints.completed, SeqCst);
        handle.is_ended()
    });
    handle.wait()
}

/// Runs a job to its end.
pub fn run(topology: Topology, config: Config) -> Result<Outcome> {
    let mut handle = start(topology, config)?;
    wait(&mut handle, &AtomicU64::new(0))
}

/// Keeps panics whose text says that they are planted out of the output.
pub fn quiet_panics() {
    static ONCE: std::sync::Once = std::sync::Once::new();
    ONCE.call_once(|| {
        let usual = std::panic::take_hook();
        std::panic::set_hook(Box::new(move |info| {
            let planted = info.payload_as_str().is_some_and(|text| text.contains("planted"));
            if !planted {
                usual(info);
            }
        }));
    });
}

/// Passes records on with their number within the key, from 1.
pub fn numbered<K: Key, T: Record>() -> impl Process<Key = K, In = T, Out = (T, u64), State = u64> {
    process_fn(|cx, record| {
        *cx.state() += 1;
        let number = *cx.state();
        cx.emit((record, number));
        Ok(())
    })
}

/// Panics the first time it is asked to.
#[derive(Clone, Default)]
pub struct Mine(Arc<AtomicU64>);

impl Mine {
    pub fn step_on(&self) {
        if self.0.fetch_add(1, SeqCst) == 0 {
            panic!("planted");
        }
    }

    pub fn went_off(&self) -> bool {
        self.0.load(SeqCst) > 0
    }
}

/// An error as its reader sees it, without what differs from run to run: `DIR` for the directory.
pub fn show(e: &Error, dir: &Path) -> String {
    let mut text = format!("{:?}: {}", e.kind(), e.report());
    for path in [dir.to_path_buf(), dir.canonicalize().unwrap_or_default()] {
        if !path.as_os_str().is_empty() {
            text = text.replace(path.to_str().unwrap(), "DIR");
        }
    }
    text
}

/// Dead letters in a stable order, one line each.
pub fn letters(letters: Vec<DeadLetter>) -> String {
    let line =
        |l: DeadLetter| format!("{} | {} | {} | {}", l.operator, l.position, l.reason, l.record);
    let mut lines: Vec<String> = letters.into_iter().map(line).collect();
    lines.sort();
    lines.join("\n")
}
