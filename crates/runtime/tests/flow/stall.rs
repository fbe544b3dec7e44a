//! A sink that stalls stops the sources; memory stays bounded; then everything arrives, once.

use std::sync::atomic::{AtomicBool, AtomicU8, AtomicU64, Ordering::SeqCst};
use std::sync::{Arc, Condvar, Mutex};

use headwater_api::Job;
use headwater_connect::callback::{callback, try_callback};
use headwater_connect::generator::generator;
use headwater_connect::{Sink, WriteStatus};
use headwater_core::Timed;
use headwater_operators::operator::BATCH_SIZE;
use headwater_runtime::{Config, JobHandle, Outcome, start};

use crate::support::{config, ms, numbered, until};

const RECORDS: u64 = 400_000;
/// Records that the sink takes before it stalls.
const FREE: u64 = 20_000;
const LIMIT: usize = 30_000;

/// How far above the limit the records in flight may be: on each worker a source reads one more
/// batch, and a batch counts on both sides of each of two exchanges while it is processed.
fn slack(workers: usize) -> u64 {
    (workers * 5 * BATCH_SIZE) as u64
}

/// A sink's memory: how often it got each number.
struct Seen {
    times: Vec<AtomicU8>,
    taken: AtomicU64,
}

impl Seen {
    fn new() -> Arc<Self> {
        let times = (0..RECORDS).map(|_| AtomicU8::new(0)).collect();
        Arc::new(Seen { times, taken: AtomicU64::new(0) })
    }

    /// Takes a number, or says that the free ones are used up.
    fn take(&self, number: u64, free: bool) -> bool {
        if !free && self.taken.load(SeqCst) >= FREE {
            return false;
        }
        self.times[number as usize].fetch_add(1, SeqCst);
        self.taken.fetch_add(1, SeqCst);
        true
    }

    fn assert_each_once(&self) {
        let wrong = self.times.iter().position(|n| n.load(SeqCst) != 1);
        assert_eq!(wrong, None, "a record did not come exactly once");
    }
}

/// How the records get from the source to the sink.
#[derive(Clone, Copy, Debug)]
enum Shape {
    /// By direct calls.
    Fused,
    /// Over one exchange.
    Exchanged,
    /// Over two, with keyed state between them.
    Keyed,
}

fn begin(workers: usize, shape: Shape, sink: impl Sink<Record = u64>) -> JobHandle {
    let mut job = Job::new("stall");
    let numbers = job.source("numbers", generator(|n| n).limit(RECORDS).splits(4));
    let stream = match shape {
        Shape::Fused => numbers,
        Shape::Exchanged => numbers.rebalance(),
        Shape::Keyed => {
            numbers.key_by(|n| n % 64).process("count", numbered()).map(|(n, _)| n).rebalance()
        }
    };
    stream.sink("out", sink);
    let config = Config { max_in_flight_records: LIMIT, ..config(workers, None) };
    start(job.build().unwrap(), config).unwrap()
}

/// Looks at the job and checks what must hold at any moment.
fn look(handle: &JobHandle, seen: &Seen, workers: usize) {
    let metrics = handle.metrics();
    let read = metrics.operator("numbers").unwrap().totals.records_in;
    // Later than the reading, so it can only be too large.
    let taken = seen.taken.load(SeqCst);
    let bound = LIMIT as u64 + slack(workers);
    assert!(read <= taken + bound, "{read} read, {taken} taken: more than {bound} on their way");
    let in_flight = metrics.in_flight;
    assert!(in_flight <= bound, "{in_flight} in flight, more than {bound}");
    assert_eq!(metrics.checkpoints.failed, 0, "a checkpoint failed instead of waiting");
}

/// Waits for the stall, watches it, ends it, and sees to it that everything arrives.
fn watch(
    mut handle: JobHandle,
    seen: &Seen,
    workers: usize,
    stalls: impl Fn(&JobHandle) -> bool,
    release: impl FnOnce(),
) {
    until("the stall", || {
        look(&handle, seen, workers);
        seen.taken.load(SeqCst) >= FREE && stalls(&handle)
    });
    let begun = handle.metrics().checkpoints.completed;
    for _ in 0..300 {
        look(&handle, seen, workers);
        std::thread::sleep(ms(1));
    }
    let stalled = handle.metrics();
    assert!(stalled.operator("numbers").unwrap().totals.records_in < RECORDS);
    // One that was cut before the stall may complete, one that waits for the sink must not.
    assert!(stalled.checkpoints.completed <= begun + 1);
    release();
    until("the end", || {
        look(&handle, seen, workers);
        handle.is_ended()
    });
    assert!(matches!(handle.wait().unwrap(), Outcome::Finished { .. }));
    let metrics = handle.metrics();
    assert!(metrics.checkpoints.completed > stalled.checkpoints.completed);
    assert_eq!((metrics.restarts, metrics.in_flight), (0, 0));
    seen.assert_each_once();
}

#[test]
fn a_sink_that_says_blocked_stops_the_sources() {
    for (workers, shape) in [
        (1, Shape::Fused),
        (2, Shape::Fused),
        (1, Shape::Exchanged),
        (2, Shape::Exchanged),
        (4, Shape::Exchanged),
        (2, Shape::Keyed),
        (4, Shape::Keyed),
    ] {
        println!("{workers} workers, {shape:?}");
        let (seen, open) = (Seen::new(), Arc::new(AtomicBool::new(false)));
        let (s, o) = (Arc::clone(&seen), Arc::clone(&open));
        let sink = try_callback(move |record: &Timed<u64>| {
            let took = s.take(record.value, o.load(SeqCst));
            Ok(if took { WriteStatus::Done } else { WriteStatus::Blocked })
        });
        let handle = begin(workers, shape, sink);
        let stalls = |handle: &JobHandle| handle.metrics().operator("out").unwrap().backlog > 0;
        watch(handle, &seen, workers, stalls, || open.store(true, SeqCst));
    }
}

#[test]
fn a_sink_that_blocks_its_thread_stops_the_sources() {
    for (workers, shape) in [
        (1, Shape::Exchanged),
        (2, Shape::Fused),
        (2, Shape::Exchanged),
        (4, Shape::Exchanged),
        (4, Shape::Keyed),
    ] {
        println!("{workers} workers, {shape:?}");
        let (seen, waiting) = (Seen::new(), Arc::new(AtomicU64::new(0)));
        let gate = Arc::new((Mutex::new(false), Condvar::new()));
        let (s, w, g) = (Arc::clone(&seen), Arc::clone(&waiting), Arc::clone(&gate));
        let sink = callback(move |record: &Timed<u64>| {
            let (open, opened) = &*g;
            let mut open = open.lock().unwrap();
            if !s.take(record.value, *open) {
                w.fetch_add(1, SeqCst);
                while !*open {
                    open = opened.wait(open).unwrap();
                }
                s.take(record.value, true);
            }
            Ok(())
        });
        let handle = begin(workers, shape, sink);
        let release = || {
            *gate.0.lock().unwrap() = true;
            gate.1.notify_all();
        };
        watch(handle, &seen, workers, |_| waiting.load(SeqCst) > 0, release);
    }
}

/// One of two sinks stalls: its own source stops, the other's job is done as far as that allows,
/// and stopping at once does not wait for the sink.
#[test]
fn a_job_with_a_stalled_sink_can_be_stopped_at_once() {
    let (seen, open) = (Seen::new(), AtomicBool::new(false));
    let s = Arc::clone(&seen);
    let sink = try_callback(move |record: &Timed<u64>| {
        let took = s.take(record.value, open.load(SeqCst));
        Ok(if took { WriteStatus::Done } else { WriteStatus::Blocked })
    });
    let mut handle = begin(2, Shape::Exchanged, sink);
    until("the stall", || handle.metrics().operator("out").unwrap().backlog > 0);
    handle.stop(headwater_runtime::StopMode::Now);
    assert!(matches!(handle.wait().unwrap(), Outcome::Stopped { .. }));
}
