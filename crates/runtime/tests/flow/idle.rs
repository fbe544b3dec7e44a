//! Sources that have nothing to say: idle ones, quiet ones.

use std::sync::Arc;
use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, Ordering::SeqCst};

use headwater_api::{Job, Stream};
use headwater_connect::callback::callback;
use headwater_connect::{Position, ReadBuffer, ReadStatus, Reader, Sink, Source, SplitId, Wake};
use headwater_core::{EventTime, Result, Timed};
use headwater_operators::broadcast::{BroadcastCx, BroadcastProcess};
use headwater_operators::process::{Cx, Process};
use headwater_operators::watermarks::Watermarks;
use headwater_operators::window::{WindowResult, WindowSpec};
use headwater_runtime::{Outcome, start};

use crate::support::scripted::{Gate, scripted};
use crate::support::{config, ms, until};

/// One split that has nothing, and wakes nobody, until it is told to end.
struct Silent {
    end: Arc<AtomicBool>,
    wake: Arc<Mutex<Vec<Wake>>>,
}

impl Silent {
    fn new() -> (Self, impl Fn()) {
        let (end, wake) = (Arc::new(AtomicBool::new(false)), Arc::<Mutex<Vec<Wake>>>::default());
        let (e, w) = (Arc::clone(&end), Arc::clone(&wake));
        let stop = move || {
            e.store(true, SeqCst);
            w.lock().unwrap().iter().for_each(Wake::wake);
        };
        (Silent { end, wake }, stop)
    }
}

impl Source for Silent {
    type Record = i64;
    fn splits(&self) -> Result<Vec<SplitId>> {
        Ok(vec![SplitId("silent".into())])
    }
    fn open(&self, _: &SplitId, _: Option<&Position>, wake: Wake) -> Result<Box<dyn Reader<i64>>> {
        self.wake.lock().unwrap().push(wake);
        Ok(Box::new(SilentReader(Arc::clone(&self.end))))
    }
}

struct SilentReader(Arc<AtomicBool>);

impl Reader<i64> for SilentReader {
    fn read(&mut self, _: &mut ReadBuffer<i64>) -> Result<ReadStatus> {
        Ok(if self.0.load(SeqCst) { ReadStatus::End } else { ReadStatus::Idle })
    }
    fn position(&self) -> Position {
        Position("0".into())
    }
}

/// A sink whose records are seen at once, without a checkpoint.
fn seen<T: headwater_core::Record>() -> (impl Sink<Record = T>, Arc<Mutex<Vec<T>>>) {
    let seen = Arc::new(Mutex::new(Vec::new()));
    let s = Arc::clone(&seen);
    let sink = callback(move |record: &Timed<T>| {
        s.lock().unwrap().push(record.value.clone());
        Ok(())
    });
    (sink, seen)
}

const SIZE: i64 = 100;
const TIMES: i64 = 1_000;

/// Times 0..1000, then nothing more until `open`.
fn talking(job: &mut Job, open: &Arc<AtomicBool>) -> Stream<i64> {
    let times: Vec<i64> = (0..TIMES).collect();
    let source = scripted(times).step(100).gate(TIMES as usize, Gate::Open(Arc::clone(open)));
    job.source("talking", source).event_time(|t| EventTime(*t), Watermarks::ascending())
}

fn counted(stream: &Stream<i64>, sink: impl Sink<Record = WindowResult<i64, u64>>) {
    let windows = WindowSpec::tumbling(ms(SIZE as u64));
    stream.key_by(|t| t % 5).window(windows).count("windows").results().sink("out", sink);
}

/// Nine of ten windows are complete when the last record has come: its own waits for more.
const COMPLETE: usize = 9 * 5;

#[test]
fn windows_close_though_a_source_is_idle() {
    for workers in [1, 2, 4] {
        let (open, (silent, end)) = (Arc::new(AtomicBool::new(false)), Silent::new());
        let (sink, results) = seen();
        let mut job = Job::new("idle");
        let talking = talking(&mut job, &open);
        let silent = job
            .source("silent", silent)
            .event_time(|t| EventTime(*t), Watermarks::ascending().idle_after(ms(30)));
        counted(&talking.union(&silent), sink);
        let mut handle = start(job.build().unwrap(), config(workers, None)).unwrap();
        until("the windows", || results.lock().unwrap().len() >= COMPLETE);
        assert_eq!(results.lock().unwrap().len(), COMPLETE, "{workers} workers");
        open.store(true, SeqCst);
        end();
        assert!(matches!(handle.wait().unwrap(), Outcome::Finished { .. }));
        let results = results.lock().unwrap();
        assert_eq!(results.len(), COMPLETE + 5);
        assert!(results.iter().all(|r| r.value == SIZE as u64 / 5), "{results:?}");
    }
}

/// Without `idle_after` the silent source holds everything back, until it ends.
#[test]
fn windows_wait_for_a_source_that_may_not_be_idle() {
    let (open, (silent, end)) = (Arc::new(AtomicBool::new(true)), Silent::new());
    let (sink, results) = seen();
    let mut job = Job::new("held");
    let talking = talking(&mut job, &open);
    let silent =
        job.source("silent", silent).event_time(|t| EventTime(*t), Watermarks::ascending());
    counted(&talking.union(&silent), sink);
    let mut handle = start(job.build().unwrap(), config(2, None)).unwrap();
    let read = |h: &headwater_runtime::JobHandle| {
        h.metrics().operator("windows").unwrap().totals.records_in as i64
    };
    until("all records", || read(&handle) == TIMES);
    let completed = handle.metrics().checkpoints.completed;
    until("two checkpoints", || handle.metrics().checkpoints.completed >= completed + 2);
    assert!(results.lock().unwrap().is_empty());
    end();
    handle.wait().unwrap();
    assert_eq!(results.lock().unwrap().len(), COMPLETE + 5);
}

/// Emits the time of each record when the watermark gets there; rules say nothing.
struct Echo;

impl Process for Echo {
    type Key = i64;
    type In = i64;
    type Out = i64;
    type State = ();
    fn process(&self, cx: &mut Cx<'_, Self>, time: i64) -> Result<()> {
        cx.timer_at(EventTime(time));
        Ok(())
    }
    fn on_timer(&self, cx: &mut Cx<'_, Self>, at: EventTime) -> Result<()> {
        cx.emit(at.0);
        Ok(())
    }
}

impl BroadcastProcess for Echo {
    type Update = i64;
    type RuleKey = i64;
    type Rule = i64;
    fn on_broadcast(&self, cx: &mut BroadcastCx<'_, Self>, rule: i64) -> Result<()> {
        cx.rules().insert(rule, rule);
        Ok(())
    }
}

/// Times at or below the watermark that 0..1000 in order give.
const REACHED: usize = TIMES as usize - 1;

/// The idle source is broadcast, so with several workers it is in a group of its own.
#[test]
fn timers_fire_though_the_rules_are_idle() {
    for workers in [1, 2, 4] {
        let (open, (silent, end)) = (Arc::new(AtomicBool::new(false)), Silent::new());
        let (sink, fired) = seen();
        let mut job = Job::new("idle rules");
        let talking = talking(&mut job, &open);
        let rules = job
            .source("rules", silent)
            .event_time(|t| EventTime(*t), Watermarks::ascending().idle_after(ms(30)));
        talking.key_by(|t| t % 5).process_with_broadcast("echo", &rules, Echo).sink("out", sink);
        let mut handle = start(job.build().unwrap(), config(workers, None)).unwrap();
        until("the timers", || fired.lock().unwrap().len() >= REACHED);
        assert_eq!(fired.lock().unwrap().len(), REACHED, "{workers} workers");
        open.store(true, SeqCst);
        end();
        handle.wait().unwrap();
        assert_eq!(fired.lock().unwrap().len(), TIMES as usize);
    }
}

/// Another part of the job without event time has nothing to do with the idle rules.
#[test]
fn an_idle_source_does_not_follow_streams_it_never_meets() {
    for workers in [1, 2] {
        let (open, (silent, end)) = (Arc::new(AtomicBool::new(false)), Silent::new());
        let (sink, fired) = seen();
        let (plain, plain_seen) = seen::<i64>();
        let (raw, raw_seen) = seen::<i64>();
        let mut job = Job::new("idle rules beside a plain stream");
        let talking = talking(&mut job, &open);
        let rules = job
            .source("rules", silent)
            .event_time(|t| EventTime(*t), Watermarks::ascending().idle_after(ms(30)));
        talking.key_by(|t| t % 5).process_with_broadcast("echo", &rules, Echo).sink("out", sink);
        let other = scripted(vec![1i64, 2, 3]).gate(3, Gate::Open(Arc::clone(&open)));
        job.source("other", other).sink("plain", plain);
        let another = scripted(vec![4i64, 5]).gate(2, Gate::Open(Arc::clone(&open)));
        job.source("another", another).rebalance().sink("raw", raw);
        let mut handle = start(job.build().unwrap(), config(workers, None)).unwrap();
        until("the plain records", || plain_seen.lock().unwrap().len() == 3);
        until("the raw records", || raw_seen.lock().unwrap().len() == 2);
        until("the timers", || fired.lock().unwrap().len() >= REACHED);
        open.store(true, SeqCst);
        end();
        handle.wait().unwrap();
        assert_eq!(fired.lock().unwrap().len(), TIMES as usize);
    }
}

#[test]
fn a_quiet_stream_closes_its_last_window_if_asked() {
    for workers in [1, 2] {
        let open = Arc::new(AtomicBool::new(false));
        let (sink, results) = seen();
        let mut job = Job::new("quiet");
        let times: Vec<i64> = (0..TIMES).collect();
        let source = scripted(times).gate(TIMES as usize, Gate::Open(Arc::clone(&open)));
        let watermarks = Watermarks::ascending().advance_when_quiet(ms(20));
        let stream = job.source("talking", source).event_time(|t| EventTime(*t), watermarks);
        counted(&stream, sink);
        let mut handle = start(job.build().unwrap(), config(workers, None)).unwrap();
        // All ten, though the source has not ended and no newer record has come.
        until("the last window", || results.lock().unwrap().len() >= COMPLETE + 5);
        assert!(!handle.is_ended());
        open.store(true, SeqCst);
        handle.wait().unwrap();
        assert_eq!(results.lock().unwrap().len(), COMPLETE + 5);
    }
}
