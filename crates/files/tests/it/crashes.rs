//! A crash between any two steps of the sink loses and doubles nothing.
//!
//! The hook panics at one step, the n-th time it is reached; what the engine would have made
//! durable by then is kept, and a new attempt goes on from there.

use std::cell::Cell;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::Path;

use headwater_connect::{Committable, Sink};
use headwater_core::Epoch;
use headwater_files::sink::STEPS;
use headwater_files::{FileSink, sink, source};
use tempfile::tempdir;

use crate::support::*;

thread_local! {
    static ARMED: Cell<Option<(&'static str, u32)>> = const { Cell::new(None) };
}

fn hook(step: &'static str) {
    match ARMED.get() {
        Some((armed, 0)) if armed == step => {
            ARMED.set(None);
            // Not a panic: nothing is printed, and destructors run late, as after a real crash.
            std::panic::resume_unwind(Box::new("crash"));
        }
        Some((armed, n)) if armed == step => ARMED.set(Some((armed, n - 1))),
        _ => {}
    }
}

/// What survives a crash besides the files: the newest checkpoint and the attempts so far.
#[derive(Default)]
struct Engine {
    attempts: u64,
    epoch: u64,
    committables: Vec<Committable>,
    /// Rows up to here are in the checkpoint.
    rows: u64,
}

const EPOCHS: u64 = 3;
const ROWS_PER_WORKER: u64 = 40;

impl Engine {
    /// Runs an attempt from the newest checkpoint to the last epoch.
    fn run(&mut self, sink: &FileSink<Row>) {
        self.attempts += 1;
        let mut committer = sink.committer().unwrap().unwrap();
        committer.recover(Epoch(self.epoch), &self.committables).unwrap();
        let mut writers = [writer(sink, self.attempts, 0), writer(sink, self.attempts, 1)];
        while self.epoch < EPOCHS {
            let (mut next, mut committables) = (self.rows, Vec::new());
            for writer in &mut writers {
                write(&mut **writer, rows(next..next + ROWS_PER_WORKER));
                next += ROWS_PER_WORKER;
            }
            for writer in &mut writers {
                committables.extend(writer.prepare(Epoch(self.epoch + 1)).unwrap());
            }
            (self.epoch, self.rows, self.committables) = (self.epoch + 1, next, committables);
            committer.commit(Epoch(self.epoch), &self.committables).unwrap();
        }
    }
}

fn visible_ids(dir: &Path) -> Vec<u64> {
    let source = source(dir).json::<Row>();
    let read = |name: String| read_all(&mut *open(&source, &name, None)).0;
    let mut ids: Vec<u64> = names(dir).into_iter().flat_map(read).map(|row: Row| row.id).collect();
    ids.sort_unstable();
    ids
}

/// Crashes at the n-th time of `step`; `false` if it was not reached so often.
fn crash_at(step: &'static str, n: u32, aborted_before: bool) -> bool {
    let dir = tempdir().unwrap();
    // Two parts per worker and epoch, so that an epoch can be half committed.
    let sink = sink(dir.path()).roll_bytes(1500).on_step(hook).json::<Row>();
    let mut engine = Engine::default();
    if aborted_before {
        // Something to recover and to clean up, in the first epoch.
        ARMED.set(Some(("files.before-rename", 1)));
        assert!(catch_unwind(AssertUnwindSafe(|| engine.run(&sink))).is_err());
        write(&mut *writer(&sink, engine.attempts, 9), rows(0..3));
    }
    ARMED.set(Some((step, n)));
    let crashed = catch_unwind(AssertUnwindSafe(|| engine.run(&sink))).is_err();
    ARMED.set(None);

    let at = format!("{step}, time {n}, after an abort: {aborted_before}");
    engine.attempts += 1;
    let mut committer = sink.committer().unwrap().unwrap();
    committer.recover(Epoch(engine.epoch), &engine.committables).unwrap();
    let durable: Vec<u64> = (0..engine.rows).collect();
    assert_eq!(visible_ids(dir.path()), durable, "after recovery from {at}");
    assert_eq!(
        names(&dir.path().join(".staging")).iter().filter(|n| n.ends_with("inprogress")).count(),
        0,
        "{at}"
    );

    engine.run(&sink);
    let all: Vec<u64> = (0..EPOCHS * 2 * ROWS_PER_WORKER).collect();
    assert_eq!(visible_ids(dir.path()), all, "at the end, after {at}");
    crashed
}

#[test]
fn a_crash_at_any_step_loses_and_doubles_nothing() {
    for aborted_before in [false, true] {
        for step in STEPS {
            let times = (0..).take_while(|&n| crash_at(step, n, aborted_before)).count();
            let expected = match *step {
                "files.staged" => 2 * EPOCHS as usize,
                "files.before-cleanup" => usize::from(aborted_before),
                // At least two parts per worker and epoch.
                _ => 4 * EPOCHS as usize,
            };
            assert!(times >= expected || aborted_before && times > 0, "{step}: {times} crashes");
        }
    }
}
