//! A split that is ahead in event time waits for the others.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicI64, Ordering::SeqCst};
use std::time::Instant;

use headwater_api::Job;
use headwater_connect::collect::collect;
use headwater_connect::{Position, ReadBuffer, ReadStatus, Reader, Source, SplitId, Wake};
use headwater_core::{EventTime, Result};
use headwater_operators::watermarks::{Alignment, Watermarks};
use headwater_runtime::start;

use crate::support::{config, ms, numbered, until};

const RECORDS: i64 = 2_000;
const BATCH: i64 = 50;
/// Event time from one record to the next, in ms.
const STEP: i64 = 10;
const DRIFT: i64 = 2_000;

/// How far each split has been read: greatest event time given.
struct Progress {
    fast: AtomicI64,
    slow: AtomicI64,
    /// The slow split gives records up to this time.
    permitted: AtomicI64,
    /// Greatest lead that the fast split had when it was read.
    lead: AtomicI64,
    /// Whether opening the slow split takes its time.
    slow_to_open: AtomicBool,
}

/// Two splits over the same stretch of event time: `fast`, and `slow`, which needs permission.
struct Pair(Arc<Progress>);

impl Source for Pair {
    type Record = i64;

    fn splits(&self) -> Result<Vec<SplitId>> {
        Ok(vec![SplitId("fast".into()), SplitId("slow".into())])
    }

    fn open(&self, split: &SplitId, _: Option<&Position>, _: Wake) -> Result<Box<dyn Reader<i64>>> {
        let is_fast = split.0 == "fast";
        if !is_fast && self.0.slow_to_open.load(SeqCst) {
            // Long enough for the fast one to run away, if it may.
            let began = Instant::now();
            while began.elapsed() < ms(300) && self.0.fast.load(SeqCst) < RECORDS * STEP / 2 {
                std::thread::sleep(ms(1));
            }
        }
        Ok(Box::new(PairReader { progress: Arc::clone(&self.0), is_fast, next: 0 }))
    }
}

struct PairReader {
    progress: Arc<Progress>,
    is_fast: bool,
    next: i64,
}

impl Reader<i64> for PairReader {
    fn read(&mut self, buffer: &mut ReadBuffer<i64>) -> Result<ReadStatus> {
        let p = &self.progress;
        if self.is_fast {
            let lead = p.fast.load(SeqCst) - p.slow.load(SeqCst);
            p.lead.fetch_max(lead, SeqCst);
        } else if self.next * STEP > p.permitted.load(SeqCst) {
            return Ok(ReadStatus::After(ms(1)));
        }
        let until = (self.next + BATCH).min(RECORDS);
        (self.next..until).for_each(|n| buffer.push(n * STEP));
        self.next = until;
        let of = if self.is_fast { &p.fast } else { &p.slow };
        of.store((until - 1) * STEP, SeqCst);
        Ok(if until == RECORDS { ReadStatus::End } else { ReadStatus::Ready })
    }

    fn position(&self) -> Position {
        Position(self.next.to_string())
    }
}

/// Runs the two splits, the slow one by small permissions; gives the greatest lead.
fn lead(workers: usize, aligned: bool, slow_to_open: bool) -> i64 {
    let progress = Arc::new(Progress {
        fast: AtomicI64::new(0),
        slow: AtomicI64::new(0),
        permitted: AtomicI64::new(0),
        lead: AtomicI64::new(0),
        slow_to_open: AtomicBool::new(slow_to_open),
    });
    let out = collect::<(i64, u64)>();
    let alignment = Alignment::within(ms(DRIFT as u64));
    let mut watermarks = Watermarks::ascending();
    if aligned {
        watermarks = watermarks.align(&alignment);
    }
    let mut job = Job::new("pair");
    job.source("pair", Pair(Arc::clone(&progress)))
        .event_time(|t| EventTime(*t), watermarks)
        .key_by(|t| t % 7)
        .process("pass", numbered())
        .sink("out", out.clone());
    let mut handle = start(job.build().unwrap(), config(workers, None)).unwrap();
    let end = (RECORDS - 1) * STEP;
    if !aligned {
        until("the fast split to run away", || progress.fast.load(SeqCst) == end);
        progress.permitted.store(end, SeqCst);
    }
    let step = BATCH * STEP;
    while progress.permitted.load(SeqCst) < end {
        // The fast split is let run as far as it may before the slow one goes on.
        let slow = progress.slow.load(SeqCst);
        let allowed = (slow + DRIFT).min(end);
        until("the fast split", || progress.fast.load(SeqCst) >= allowed - step);
        progress.permitted.fetch_add(step, SeqCst);
        until("the slow split", || progress.slow.load(SeqCst) > slow || slow == end);
    }
    until("the end", || handle.is_ended());
    handle.wait().unwrap();
    assert_eq!(out.len() as i64, 2 * RECORDS);
    progress.lead.load(SeqCst)
}

#[test]
fn a_fast_split_does_not_run_away_from_a_slow_one() {
    for workers in [1, 2, 4] {
        let lead = lead(workers, true, false);
        // It is read when its watermark (1 ms behind) is within the drift, and then gives a batch:
        // so before a read its lead was the drift at most.
        assert!(lead <= DRIFT + 1, "{workers} workers: the lead was {lead} ms");
        assert!(lead >= DRIFT - BATCH * STEP, "{workers} workers: it lagged, {lead} ms");
    }
}

/// Splits count from the start, also while another worker is still opening its own.
#[test]
fn a_fast_split_waits_for_one_that_is_slow_to_open() {
    let lead = lead(2, true, true);
    assert!(lead <= DRIFT + 1, "the lead was {lead} ms");
}

#[test]
fn without_alignment_it_does_run_away() {
    let lead = lead(2, false, false);
    assert!(lead > 2 * DRIFT, "the lead was only {lead} ms, so the tests above prove nothing");
}
