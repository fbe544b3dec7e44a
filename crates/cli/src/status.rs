//! The numbers of a running job as one line: what it has given, where it stands, how fast it is.

use std::time::Instant;

use headwater::cli::units;
use headwater::{CheckpointStats, EventTime, ProcessingTime};

/// A job at one moment.
#[derive(Clone, Debug)]
pub(crate) struct Status {
    /// Rows shown or written so far.
    pub(crate) rows: u64,
    /// The watermark where results are made; none where time plays no part.
    pub(crate) watermark: Option<EventTime>,
    /// The time on the wall.
    pub(crate) now: ProcessingTime,
    /// Records read per second.
    pub(crate) input_per_second: f64,
    /// Results per second.
    pub(crate) output_per_second: f64,
    /// The checkpoints so far; none where nobody goes on from them.
    pub(crate) checkpoints: Option<CheckpointStats>,
}

impl Status {
    /// The status as one line.
    pub(crate) fn line(&self) -> String {
        let mut parts = vec![format!("{} rows", units::count(self.rows))];
        let lag = |at: EventTime| self.now.0.saturating_sub(at.0).max(0) as f64 / 1e3;
        match self.watermark {
            None => {}
            Some(EventTime::MIN) => parts.push("watermark none yet".to_owned()),
            Some(EventTime::MAX) => parts.push("input read to its end".to_owned()),
            Some(at) if lag(at) > A_WEEK => parts.push(format!("watermark {at}")),
            Some(at) => parts.push(format!("watermark {} ({:.1} s behind)", clock(at), lag(at))),
        }
        parts.push(format!("in {}", units::rate(self.input_per_second)));
        parts.push(format!("out {}", units::rate(self.output_per_second)));
        parts.extend(self.checkpoints.as_ref().map(checkpoint));
        parts.join(" · ")
    }
}

/// Behind by more seconds, data is not of the present, and only its own time says something.
const A_WEEK: f64 = 604_800.0;

fn checkpoint(c: &CheckpointStats) -> String {
    match (c.completed, c.failed) {
        (0, 0) => "no checkpoint yet".to_owned(),
        (_, failed) => {
            let failed = if failed > 0 { format!(", {failed} failed") } else { String::new() };
            let size = units::bytes(c.last_bytes);
            let took = units::duration(c.last_duration);
            format!("checkpoint {} ok{failed}, {size}, {took}", c.last_epoch)
        }
    }
}

/// The time of day in UTC, to the millisecond.
pub(crate) fn clock(at: EventTime) -> String {
    let text = at.to_string();
    match text.split_once('T') {
        Some((_date, time)) => time.trim_end_matches('Z').to_owned(),
        None => text,
    }
}

/// The time on the wall.
pub(crate) fn now() -> ProcessingTime {
    let now = std::time::SystemTime::now().duration_since(std::time::SystemTime::UNIX_EPOCH);
    ProcessingTime(headwater_core::time::millis(now.unwrap_or_default()))
}

/// Rates over the last second or so.
#[derive(Default)]
pub(crate) struct Pace {
    last: Option<(Instant, u64, u64)>,
    input: f64,
    output: f64,
}

impl Pace {
    /// Records read and results given per second, from how many there are by now.
    pub(crate) fn rates(&mut self, input: u64, output: u64) -> (f64, f64) {
        let (since, old_input, old_output) =
            *self.last.get_or_insert_with(|| (Instant::now(), input, output));
        let seconds = since.elapsed().as_secs_f64();
        if seconds >= 1.0 {
            // After a restart the counters start from the checkpoint, which is earlier.
            self.input = input.saturating_sub(old_input) as f64 / seconds;
            self.output = output.saturating_sub(old_output) as f64 / seconds;
            self.last = Some((Instant::now(), input, output));
        }
        (self.input, self.output)
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use expect_test::expect;
    use headwater::Epoch;

    use super::*;

    #[test]
    fn the_status_is_a_line() {
        let mut status = Status {
            rows: 28,
            watermark: Some(EventTime(1_700_000_000_250)),
            now: ProcessingTime(1_700_000_001_300),
            input_per_second: 201_300.0,
            output_per_second: 12.0,
            checkpoints: Some(CheckpointStats {
                completed: 3,
                last_epoch: Epoch(3),
                last_bytes: 41_000,
                last_duration: Duration::from_millis(9),
                ..CheckpointStats::default()
            }),
        };
        expect!["28 rows · watermark 22:13:20.250 (1.1 s behind) · in 201 k/s · out 12/s · checkpoint 3 ok, 41 kB, 9 ms"].assert_eq(&status.line());
        status.checkpoints = Some(CheckpointStats::default());
        status.watermark = Some(EventTime::MIN);
        expect!["28 rows · watermark none yet · in 201 k/s · out 12/s · no checkpoint yet"]
            .assert_eq(&status.line());
        status.checkpoints = Some(CheckpointStats { failed: 2, ..CheckpointStats::default() });
        assert!(status.line().contains("2 failed"));
        (status.checkpoints, status.watermark) = (None, None);
        expect!["28 rows · in 201 k/s · out 12/s"].assert_eq(&status.line());
        status.watermark = Some(EventTime(1_436_918_400_000));
        assert!(status.line().contains("watermark 2015-07-15T00:00:00"), "{}", status.line());
        assert_eq!(clock(EventTime::MIN), "none");
    }
}
