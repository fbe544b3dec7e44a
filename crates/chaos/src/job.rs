//! The job that is killed: ordinary user code, with a planted fault on request.
//!
//! ```text
//! lines ─ parse ─ event_time ─┬─> echo
//!            │                ├─ by key ───────┬─ windows ──> windows, late
//!            │                │                └─ totals ───> totals
//!            └─> dead letters └─ by lane, key ── sessions ──> sessions
//! ```

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering::SeqCst};
use std::time::Duration;

use headwater_api::Job;
use headwater_api::windowed::{Custom, Session, Tumbling};
use headwater_checkpoint::crash_point;
use headwater_connect::dead_letters::DeadLetterFile;
use headwater_connect::generator::generator;
use headwater_core::{BadRecordPolicy, Error, EventTime, Record, Result, Timed};
use headwater_files::{FileSink, sink};
use headwater_operators::watermarks::{WatermarkGenerator, Watermarks};
use headwater_operators::window::{Window, WindowAssigner, WindowSpec, count, sum};

use crate::plants::{Plant, faulty_sink, faulty_source};
use crate::rows::{Reading, SessionRow, WindowRow};
use crate::totals::RunningTotals;
use crate::workload::{BOUND_MS, GAP_MS, Line, WINDOW_MS, Workload};

/// Name of the job.
pub const JOB: &str = "chaos";
/// Name of the source.
pub const SOURCE: &str = "lines";
/// Name of the step that makes readings of lines.
pub const PARSE: &str = "parse";
/// Name of the step that stamps readings with event time.
pub const STAMP: &str = "stamp";
/// Names of the stateful steps.
pub const STATEFUL: [&str; 3] = ["windows", "totals", "sessions"];
/// Names of the file sinks; each writes to the folder of its name.
pub const SINKS: [&str; 5] = ["echo out", "windows out", "late out", "totals out", "sessions out"];

/// Where and how the job runs.
#[derive(Clone, Debug)]
pub struct JobOptions {
    /// The input.
    pub workload: Workload,
    /// Where the sinks write.
    pub out: PathBuf,
    /// Records per second; as fast as possible without.
    pub rate: Option<f64>,
    /// A fault to build in.
    pub plant: Option<Plant>,
}

/// The folder that a sink writes to.
pub fn folder(out: &Path, sink: &str) -> PathBuf {
    out.join(sink.replace(' ', "-"))
}

/// The file that the dead letters are in.
pub fn dead_letter_file(out: &Path) -> PathBuf {
    out.join("dead-letters.jsonl")
}

/// Builds the job.
pub fn job(options: &JobOptions) -> Job {
    let JobOptions { workload, plant, .. } = *options;
    let out = options.out.as_path();
    let mut job = Job::new(JOB);
    job.dead_letters(DeadLetterFile::new(dead_letter_file(out)));

    let mut lines = generator(move |n| workload.line(n))
        .limit(workload.records)
        .splits(workload.splits as usize);
    if let Some(rate) = options.rate {
        lines = lines.rate(rate);
    }
    let policy = match plant {
        Some(Plant::SkipDeadLetters) => BadRecordPolicy::Skip,
        _ => BadRecordPolicy::DeadLetter,
    };
    let readings = job
        .source(SOURCE, faulty_source(lines, plant))
        .on_error(policy)
        .try_map(parse)
        .named(PARSE)
        .event_time(|reading| EventTime(reading.time), watermarks(plant))
        .named(STAMP);
    readings.sink(SINKS[0], faulty_sink(file_sink(out, SINKS[0]), out, plant));

    let by_key = readings.key_by(|reading| reading.key);
    let windows = by_key
        .window(windows(plant))
        .aggregate(STATEFUL[0], (count(), sum(|reading: &Reading| reading.amount)));
    let window_row = |w: headwater_operators::window::WindowResult<u32, (u64, i64)>| WindowRow {
        key: w.key,
        start: w.window.start.0,
        end: w.window.end.0,
        count: w.value.0,
        sum: w.value.1,
    };
    windows.results().map(window_row).sink(SINKS[1], file_sink(out, SINKS[1]));
    windows.late().sink(SINKS[2], file_sink(out, SINKS[2]));

    let totals = RunningTotals { lose_timers: plant == Some(Plant::LoseTimers) };
    by_key.process(STATEFUL[1], totals).out().sink(SINKS[3], file_sink(out, SINKS[3]));

    let gap = Duration::from_millis(GAP_MS as u64);
    let sessions = readings
        .key_by(|reading| (reading.lane, reading.key))
        .window(Session::of(gap))
        .count(STATEFUL[2]);
    let session_row = |s: headwater_operators::window::WindowResult<(u8, u32), u64>| SessionRow {
        lane: s.key.0,
        key: s.key.1,
        start: s.window.start.0,
        end: s.window.end.0,
        count: s.value,
    };
    sessions.results().map(session_row).sink(SINKS[4], file_sink(out, SINKS[4]));
    job
}

fn file_sink<T: Record>(out: &Path, name: &str) -> FileSink<T> {
    sink(folder(out, name)).on_step(crash_point).json()
}

fn parse(line: &Line) -> Result<Reading> {
    let mut fields = line.text.split(';');
    let mut field = |name: &str| -> Result<i64> {
        let text = fields.next().ok_or_else(|| Error::data(format!("line without {name}")))?;
        text.parse().map_err(|e| Error::data(format!("{name} {text:?} is no number")).because(e))
    };
    let (lane, key) = (field("lane")?, field("key")?);
    let (time, amount) = (field("time")?, field("amount")?);
    let range = |e| Error::data("lane or key is out of range").because(e);
    let lane = u8::try_from(lane).map_err(range)?;
    let key = u32::try_from(key).map_err(range)?;
    Ok(Reading { n: line.n, lane, key, time, amount })
}

fn watermarks(plant: Option<Plant>) -> Watermarks<Reading> {
    if plant == Some(Plant::WrongWatermarkMerge) {
        let greatest = Arc::new(AtomicI64::new(i64::MIN));
        return Watermarks::custom(move || OfAllSplits { greatest: Arc::clone(&greatest) });
    }
    Watermarks::bounded(Duration::from_millis(BOUND_MS as u64))
}

/// A planted fault: all splits have the watermark of the one that is furthest.
struct OfAllSplits {
    greatest: Arc<AtomicI64>,
}

impl WatermarkGenerator<Reading> for OfAllSplits {
    fn on_record(&mut self, _record: &Reading, time: EventTime) -> Option<EventTime> {
        let greatest = self.greatest.fetch_max(time.0, SeqCst).max(time.0);
        Some(EventTime(greatest - BOUND_MS - 1))
    }
}

fn windows(plant: Option<Plant>) -> WindowSpec<Reading> {
    match plant {
        Some(Plant::OffByOneWindow) => Custom::of(ClosedAtTheEnd),
        _ => Tumbling::of(Duration::from_millis(WINDOW_MS as u64)),
    }
}

/// A planted fault: a record at the end of a window is in it, not in the next one.
struct ClosedAtTheEnd;

impl WindowAssigner<Reading> for ClosedAtTheEnd {
    fn assign(&self, record: &Timed<Reading>, windows: &mut Vec<Window>) {
        let start = (record.time.0 - 1).div_euclid(WINDOW_MS) * WINDOW_MS;
        windows.push(Window::new(EventTime(start), EventTime(start + WINDOW_MS)));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_are_parsed_or_refused_with_a_reason() {
        let line = |text: &str| Line { n: 9, text: text.into() };
        let reading = Reading { n: 9, lane: 1, key: 2, time: -3, amount: 4 };
        assert_eq!(parse(&line("1;2;-3;4")).unwrap(), reading);
        let refused = |text| parse(&line(text)).unwrap_err().to_string();
        assert_eq!(refused("1;2;;4"), "time \"\" is no number");
        assert_eq!(refused("1;2;3;12x4"), "amount \"12x4\" is no number");
        assert_eq!(refused("1;2;"), "time \"\" is no number");
        assert_eq!(refused("1;2;3"), "line without amount");
        assert_eq!(refused("256;2;3;4"), "lane or key is out of range");
    }

    #[test]
    fn the_topology_is_valid_with_every_plant() {
        let workload = Workload { records: 10, splits: 2, seed: 1 };
        for plant in std::iter::once(None).chain(Plant::ALL.iter().copied().map(Some)) {
            let options = JobOptions { workload, out: "out".into(), rate: None, plant };
            let topology = job(&options).build().unwrap();
            let names: Vec<&str> = topology.nodes.iter().map(|n| n.name.as_str()).collect();
            for name in [SOURCE, PARSE, STAMP].iter().chain(&STATEFUL).chain(&SINKS) {
                assert!(names.contains(name), "{name} is missing from {names:?}");
            }
        }
    }
}
