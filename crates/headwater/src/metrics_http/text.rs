//! A snapshot of a job's metrics as Prometheus text (exposition format 0.0.4): a pure function.
//!
//! Names follow the convention of that format: one prefix, base units, `_total` on counters, sums
//! over labels mean something, no label without bound (never a key). Counters start anew with an
//! attempt except those that a checkpoint keeps; that is what `rate` expects of them.

use std::fmt::Write;
use std::time::Instant;

use headwater_connect::MeasureKind;
use headwater_core::{EventTime, ProcessingTime};
use headwater_runtime::{MetricsSnapshot, OperatorSnapshotMetrics};

/// The moment at which a snapshot is rendered: lags and ages are relative to it.
#[derive(Clone, Copy, Debug)]
pub struct Now {
    /// The time on the wall.
    pub wall: ProcessingTime,
    /// The same moment for measuring how long ago something was.
    pub monotonic: Instant,
}

type Count = fn(&OperatorSnapshotMetrics) -> u64;

/// Counters of each operator: name, help, value.
const COUNTERS: [(&str, &str, Count); 9] = [
    ("records_in_total", "Records taken in.", |o| o.totals.records_in),
    ("records_out_total", "Records emitted, over all outputs.", |o| o.totals.records_out),
    ("records_filtered_total", "Records filtered out by user code.", |o| o.totals.filtered),
    ("records_late_total", "Records that came too late.", |o| o.totals.late),
    ("records_dead_lettered_total", "Records refused, to the dead letters.", |o| {
        o.totals.dead_lettered
    }),
    ("records_dropped_total", "Records dropped by a declared policy.", |o| o.totals.dropped),
    ("records_future_total", "Records too far in the future to move the watermark.", |o| {
        o.totals.future
    }),
    ("source_skipped_total", "Places of gone records passed over, as allowed.", |o| {
        o.totals.skipped
    }),
    ("state_entries_restored_total", "State entries put back from checkpoints.", |o| o.restored),
];

/// The page for `snapshot` at `now`.
pub fn render(snapshot: &MetricsSnapshot, now: Now) -> String {
    let mut page = Page { text: String::with_capacity(16 * 1024), job: &snapshot.job };
    job(&mut page, snapshot);
    operators(&mut page, snapshot);
    connectors(&mut page, snapshot);
    watermarks(&mut page, snapshot, now.wall);
    checkpoints(&mut page, snapshot, now.monotonic);
    page.text
}

/// Name, help text, and how the value comes about.
type Gauge<T> = (&'static str, &'static str, fn(T) -> f64);

fn job(page: &mut Page<'_>, s: &MetricsSnapshot) {
    page.one("up", "gauge", "1 while the job runs or recovers.", 1.0);
    page.one("workers", "gauge", "Worker threads.", s.workers as f64);
    page.one("uptime_seconds", "gauge", "Time since the job started.", s.uptime.as_secs_f64());
    page.one("restarts_total", "counter", "Restarts after failures.", s.restarts as f64);
    let help = "How long the last recovery took, until records were read again.";
    page.one("recovery_duration_seconds", "gauge", help, s.recovery.as_secs_f64());
    let help = "Records between workers and in the queues of sinks.";
    page.one("in_flight_records", "gauge", help, s.in_flight as f64);
}

fn operators(page: &mut Page<'_>, s: &MetricsSnapshot) {
    for (name, help, value) in COUNTERS {
        page.family(name, "counter", help);
        for o in &s.operators {
            page.operator(name, o, &[], value(o) as f64);
        }
    }
    let seconds: [Gauge<&OperatorSnapshotMetrics>; 2] = [
        ("operator_busy_seconds_total", "Time at work, over all workers.", |o| {
            o.busy.as_secs_f64()
        }),
        ("operator_blocked_seconds_total", "Time without room for more, over all workers.", |o| {
            o.blocked.as_secs_f64()
        }),
    ];
    for (name, help, value) in seconds {
        page.family(name, "counter", help);
        for o in &s.operators {
            page.operator(name, o, &[], value(o));
        }
    }
    let available = (s.uptime.as_secs_f64() * s.workers as f64).max(f64::MIN_POSITIVE);
    let ratios: [Gauge<(f64, f64)>; 3] = [
        ("operator_busy_ratio", "Share of time at work, since the start.", |(busy, _)| busy),
        ("operator_blocked_ratio", "Share of time without room, since the start.", |(_, b)| b),
        ("operator_idle_ratio", "The rest of the time, since the start.", |(busy, blocked)| {
            1.0 - busy - blocked
        }),
    ];
    for (name, help, value) in ratios {
        page.family(name, "gauge", help);
        for o in &s.operators {
            let busy = (o.busy.as_secs_f64() / available).min(1.0);
            let blocked = (o.blocked.as_secs_f64() / available).min(1.0 - busy);
            page.operator(name, o, &[], value((busy, blocked)));
        }
    }
    page.family("state_entries", "gauge", "Entries of keyed state.");
    for o in &s.operators {
        page.operator("state_entries", o, &[], o.state_entries as f64);
    }
    page.family("state_bytes", "gauge", "Estimated bytes of keyed state.");
    for o in &s.operators {
        page.operator("state_bytes", o, &[("tier", "memory")], o.state_bytes as f64);
    }
    page.family("sink_backlog_records", "gauge", "Records that a sink does not take yet.");
    for o in s.operators.iter().filter(|o| o.label == "sink") {
        page.operator("sink_backlog_records", o, &[], o.backlog as f64);
    }
}

/// What connectors tell about themselves; a family's samples stand together over all operators.
fn connectors(page: &mut Page<'_>, s: &MetricsSnapshot) {
    let all = || s.operators.iter().flat_map(|o| o.measures.iter().map(move |m| (o, m)));
    let mut told: Vec<&str> = Vec::new();
    for (_, first) in all() {
        if told.contains(&first.family) {
            continue;
        }
        told.push(first.family);
        let kind = match first.kind {
            MeasureKind::Counter => "counter",
            MeasureKind::Gauge => "gauge",
            MeasureKind::Summary => "summary",
        };
        page.family(first.family, kind, first.help);
        for (o, m) in all().filter(|(_, m)| m.family == first.family) {
            let labels: Vec<_> = m.labels.iter().map(|(k, v)| (*k, v.as_str())).collect();
            page.operator(m.name, o, &labels, m.value);
        }
    }
}

/// An operator without a watermark has no sample; one whose input has ended is at `+Inf`, lag 0.
fn watermarks(page: &mut Page<'_>, s: &MetricsSnapshot, now: ProcessingTime) {
    let known = || s.operators.iter().filter(|o| o.watermark != EventTime::MIN);
    let help = "The watermark, in seconds since 1970.";
    page.family("watermark_timestamp_seconds", "gauge", help);
    for o in known() {
        let seconds = match o.watermark {
            EventTime::MAX => f64::INFINITY,
            EventTime(ms) => ms as f64 / 1e3,
        };
        page.operator("watermark_timestamp_seconds", o, &[], seconds);
    }
    page.family("watermark_lag_seconds", "gauge", "How far the watermark is behind the clock.");
    for o in known() {
        let lag = now.0.saturating_sub(o.watermark.0).max(0);
        page.operator("watermark_lag_seconds", o, &[], lag as f64 / 1e3);
    }
}

fn checkpoints(page: &mut Page<'_>, s: &MetricsSnapshot, now: Instant) {
    let c = &s.checkpoints;
    page.family("checkpoints_total", "counter", "Checkpoints, by how they ended.");
    page.sample("checkpoints_total", &[("result", "completed")], c.completed as f64);
    page.sample("checkpoints_total", &[("result", "failed")], c.failed as f64);
    let help = "The epoch of the last complete checkpoint.";
    page.one("checkpoint_epoch", "gauge", help, c.last_epoch.0 as f64);
    let help = "From barrier to commit, of the last checkpoint.";
    page.one("checkpoint_duration_seconds", "gauge", help, c.last_duration.as_secs_f64());
    page.family("checkpoint_size_bytes", "gauge", "Bytes written for the last checkpoint.");
    page.sample("checkpoint_size_bytes", &[("kind", "delta")], c.last_bytes as f64);
    let help = "Bytes written for all checkpoints.";
    page.one("checkpoint_written_bytes_total", "counter", help, c.total_bytes as f64);
    if let Some(completed) = c.last_completed {
        let age = now.saturating_duration_since(completed).as_secs_f64();
        page.one("checkpoint_age_seconds", "gauge", "Time since the last checkpoint.", age);
    }
}

struct Page<'a> {
    text: String,
    job: &'a str,
}

impl Page<'_> {
    fn family(&mut self, name: &str, kind: &str, help: &str) {
        let _ = writeln!(self.text, "# HELP headwater_{name} {help}");
        let _ = writeln!(self.text, "# TYPE headwater_{name} {kind}");
    }

    fn one(&mut self, name: &str, kind: &str, help: &str, value: f64) {
        self.family(name, kind, help);
        self.sample(name, &[], value);
    }

    fn operator(
        &mut self,
        name: &str,
        operator: &OperatorSnapshotMetrics,
        labels: &[(&str, &str)],
        value: f64,
    ) {
        let own = [("operator", operator.name.as_str()), ("kind", operator.label.as_str())];
        self.sample(name, &[&own, labels].concat(), value);
    }

    fn sample(&mut self, name: &str, labels: &[(&str, &str)], value: f64) {
        let _ = write!(self.text, "headwater_{name}{{job=\"{}\"", escape(self.job));
        for (label, of) in labels {
            let _ = write!(self.text, ",{label}=\"{}\"", escape(of));
        }
        // The format spells infinity with a capital letter.
        let _ = match value {
            f64::INFINITY => writeln!(self.text, "}} +Inf"),
            value => writeln!(self.text, "}} {value}"),
        };
    }
}

/// A label's value as the format wants it.
fn escape(value: &str) -> String {
    value.replace('\\', "\\\\").replace('"', "\\\"").replace('\n', "\\n")
}

#[cfg(test)]
pub(crate) mod tests {
    use std::time::Duration;

    use expect_test::expect;
    use headwater_core::Epoch;
    use headwater_runtime::CheckpointStats;
    use headwater_topology::OperatorTotals;

    use super::*;

    fn operator(name: &str, label: &str, records_in: u64) -> OperatorSnapshotMetrics {
        OperatorSnapshotMetrics {
            name: name.into(),
            label: label.into(),
            totals: OperatorTotals { records_in, ..OperatorTotals::default() },
            restored: 0,
            busy: Duration::from_secs(1),
            blocked: Duration::from_secs(2),
            watermark: EventTime::MIN,
            state_entries: 0,
            state_bytes: 0,
            backlog: 0,
            measures: Vec::new(),
        }
    }

    pub(crate) fn snapshot(completed: Instant) -> MetricsSnapshot {
        let mut window = operator("per \"user\"\\day\n", "window", 97);
        window.watermark = EventTime(1_700_000_000_250);
        (window.state_entries, window.state_bytes, window.restored) = (40, 4_096, 7);
        (window.totals.late, window.totals.records_out) = (3, 43);
        let mut sink = operator("out", "sink", 40);
        sink.watermark = EventTime::MAX;
        sink.backlog = 5;
        MetricsSnapshot {
            job: "orders".into(),
            workers: 2,
            uptime: Duration::from_secs(10),
            operators: vec![operator("orders", "source", 100), window, sink],
            checkpoints: CheckpointStats {
                completed: 9,
                failed: 1,
                last_epoch: Epoch(11),
                last_duration: Duration::from_millis(12),
                last_bytes: 52_000,
                total_bytes: 500_000,
                last_completed: Some(completed),
            },
            restarts: 1,
            recovery: Duration::from_millis(250),
            in_flight: 17,
        }
    }

    #[test]
    fn the_page() {
        let completed = Instant::now();
        let now = Now {
            wall: ProcessingTime(1_700_000_001_500),
            monotonic: completed + Duration::from_millis(1_500),
        };
        expect![[r##"
            # HELP headwater_up 1 while the job runs or recovers.
            # TYPE headwater_up gauge
            headwater_up{job="orders"} 1
            # HELP headwater_workers Worker threads.
            # TYPE headwater_workers gauge
            headwater_workers{job="orders"} 2
            # HELP headwater_uptime_seconds Time since the job started.
            # TYPE headwater_uptime_seconds gauge
            headwater_uptime_seconds{job="orders"} 10
            # HELP headwater_restarts_total Restarts after failures.
            # TYPE headwater_restarts_total counter
            headwater_restarts_total{job="orders"} 1
            # HELP headwater_recovery_duration_seconds How long the last recovery took, until records were read again.
            # TYPE headwater_recovery_duration_seconds gauge
            headwater_recovery_duration_seconds{job="orders"} 0.25
            # HELP headwater_in_flight_records Records between workers and in the queues of sinks.
            # TYPE headwater_in_flight_records gauge
            headwater_in_flight_records{job="orders"} 17
            # HELP headwater_records_in_total Records taken in.
            # TYPE headwater_records_in_total counter
            headwater_records_in_total{job="orders",operator="orders",kind="source"} 100
            headwater_records_in_total{job="orders",operator="per \"user\"\\day\n",kind="window"} 97
            headwater_records_in_total{job="orders",operator="out",kind="sink"} 40
            # HELP headwater_records_out_total Records emitted, over all outputs.
            # TYPE headwater_records_out_total counter
            headwater_records_out_total{job="orders",operator="orders",kind="source"} 0
            headwater_records_out_total{job="orders",operator="per \"user\"\\day\n",kind="window"} 43
            headwater_records_out_total{job="orders",operator="out",kind="sink"} 0
            # HELP headwater_records_filtered_total Records filtered out by user code.
            # TYPE headwater_records_filtered_total counter
            headwater_records_filtered_total{job="orders",operator="orders",kind="source"} 0
            headwater_records_filtered_total{job="orders",operator="per \"user\"\\day\n",kind="window"} 0
            headwater_records_filtered_total{job="orders",operator="out",kind="sink"} 0
            # HELP headwater_records_late_total Records that came too late.
            # TYPE headwater_records_late_total counter
            headwater_records_late_total{job="orders",operator="orders",kind="source"} 0
            headwater_records_late_total{job="orders",operator="per \"user\"\\day\n",kind="window"} 3
            headwater_records_late_total{job="orders",operator="out",kind="sink"} 0
            # HELP headwater_records_dead_lettered_total Records refused, to the dead letters.
            # TYPE headwater_records_dead_lettered_total counter
            headwater_records_dead_lettered_total{job="orders",operator="orders",kind="source"} 0
            headwater_records_dead_lettered_total{job="orders",operator="per \"user\"\\day\n",kind="window"} 0
            headwater_records_dead_lettered_total{job="orders",operator="out",kind="sink"} 0
            # HELP headwater_records_dropped_total Records dropped by a declared policy.
            # TYPE headwater_records_dropped_total counter
            headwater_records_dropped_total{job="orders",operator="orders",kind="source"} 0
            headwater_records_dropped_total{job="orders",operator="per \"user\"\\day\n",kind="window"} 0
            headwater_records_dropped_total{job="orders",operator="out",kind="sink"} 0
            # HELP headwater_records_future_total Records too far in the future to move the watermark.
            # TYPE headwater_records_future_total counter
            headwater_records_future_total{job="orders",operator="orders",kind="source"} 0
            headwater_records_future_total{job="orders",operator="per \"user\"\\day\n",kind="window"} 0
            headwater_records_future_total{job="orders",operator="out",kind="sink"} 0
            # HELP headwater_source_skipped_total Places of gone records passed over, as allowed.
            # TYPE headwater_source_skipped_total counter
            headwater_source_skipped_total{job="orders",operator="orders",kind="source"} 0
            headwater_source_skipped_total{job="orders",operator="per \"user\"\\day\n",kind="window"} 0
            headwater_source_skipped_total{job="orders",operator="out",kind="sink"} 0
            # HELP headwater_state_entries_restored_total State entries put back from checkpoints.
            # TYPE headwater_state_entries_restored_total counter
            headwater_state_entries_restored_total{job="orders",operator="orders",kind="source"} 0
            headwater_state_entries_restored_total{job="orders",operator="per \"user\"\\day\n",kind="window"} 7
            headwater_state_entries_restored_total{job="orders",operator="out",kind="sink"} 0
            # HELP headwater_operator_busy_seconds_total Time at work, over all workers.
            # TYPE headwater_operator_busy_seconds_total counter
            headwater_operator_busy_seconds_total{job="orders",operator="orders",kind="source"} 1
            headwater_operator_busy_seconds_total{job="orders",operator="per \"user\"\\day\n",kind="window"} 1
            headwater_operator_busy_seconds_total{job="orders",operator="out",kind="sink"} 1
            # HELP headwater_operator_blocked_seconds_total Time without room for more, over all workers.
            # TYPE headwater_operator_blocked_seconds_total counter
            headwater_operator_blocked_seconds_total{job="orders",operator="orders",kind="source"} 2
            headwater_operator_blocked_seconds_total{job="orders",operator="per \"user\"\\day\n",kind="window"} 2
            headwater_operator_blocked_seconds_total{job="orders",operator="out",kind="sink"} 2
            # HELP headwater_operator_busy_ratio Share of time at work, since the start.
            # TYPE headwater_operator_busy_ratio gauge
            headwater_operator_busy_ratio{job="orders",operator="orders",kind="source"} 0.05
            headwater_operator_busy_ratio{job="orders",operator="per \"user\"\\day\n",kind="window"} 0.05
            headwater_operator_busy_ratio{job="orders",operator="out",kind="sink"} 0.05
            # HELP headwater_operator_blocked_ratio Share of time without room, since the start.
            # TYPE headwater_operator_blocked_ratio gauge
            headwater_operator_blocked_ratio{job="orders",operator="orders",kind="source"} 0.1
            headwater_operator_blocked_ratio{job="orders",operator="per \"user\"\\day\n",kind="window"} 0.1
            headwater_operator_blocked_ratio{job="orders",operator="out",kind="sink"} 0.1
            # HELP headwater_operator_idle_ratio The rest of the time, since the start.
            # TYPE headwater_operator_idle_ratio gauge
            headwater_operator_idle_ratio{job="orders",operator="orders",kind="source"} 0.85
            headwater_operator_idle_ratio{job="orders",operator="per \"user\"\\day\n",kind="window"} 0.85
            headwater_operator_idle_ratio{job="orders",operator="out",kind="sink"} 0.85
            # HELP headwater_state_entries Entries of keyed state.
            # TYPE headwater_state_entries gauge
            headwater_state_entries{job="orders",operator="orders",kind="source"} 0
            headwater_state_entries{job="orders",operator="per \"user\"\\day\n",kind="window"} 40
            headwater_state_entries{job="orders",operator="out",kind="sink"} 0
            # HELP headwater_state_bytes Estimated bytes of keyed state.
            # TYPE headwater_state_bytes gauge
            headwater_state_bytes{job="orders",operator="orders",kind="source",tier="memory"} 0
            headwater_state_bytes{job="orders",operator="per \"user\"\\day\n",kind="window",tier="memory"} 4096
            headwater_state_bytes{job="orders",operator="out",kind="sink",tier="memory"} 0
            # HELP headwater_sink_backlog_records Records that a sink does not take yet.
            # TYPE headwater_sink_backlog_records gauge
            headwater_sink_backlog_records{job="orders",operator="out",kind="sink"} 5
            # HELP headwater_watermark_timestamp_seconds The watermark, in seconds since 1970.
            # TYPE headwater_watermark_timestamp_seconds gauge
            headwater_watermark_timestamp_seconds{job="orders",operator="per \"user\"\\day\n",kind="window"} 1700000000.25
            headwater_watermark_timestamp_seconds{job="orders",operator="out",kind="sink"} +Inf
            # HELP headwater_watermark_lag_seconds How far the watermark is behind the clock.
            # TYPE headwater_watermark_lag_seconds gauge
            headwater_watermark_lag_seconds{job="orders",operator="per \"user\"\\day\n",kind="window"} 1.25
            headwater_watermark_lag_seconds{job="orders",operator="out",kind="sink"} 0
            # HELP headwater_checkpoints_total Checkpoints, by how they ended.
            # TYPE headwater_checkpoints_total counter
            headwater_checkpoints_total{job="orders",result="completed"} 9
            headwater_checkpoints_total{job="orders",result="failed"} 1
            # HELP headwater_checkpoint_epoch The epoch of the last complete checkpoint.
            # TYPE headwater_checkpoint_epoch gauge
            headwater_checkpoint_epoch{job="orders"} 11
            # HELP headwater_checkpoint_duration_seconds From barrier to commit, of the last checkpoint.
            # TYPE headwater_checkpoint_duration_seconds gauge
            headwater_checkpoint_duration_seconds{job="orders"} 0.012
            # HELP headwater_checkpoint_size_bytes Bytes written for the last checkpoint.
            # TYPE headwater_checkpoint_size_bytes gauge
            headwater_checkpoint_size_bytes{job="orders",kind="delta"} 52000
            # HELP headwater_checkpoint_written_bytes_total Bytes written for all checkpoints.
            # TYPE headwater_checkpoint_written_bytes_total counter
            headwater_checkpoint_written_bytes_total{job="orders"} 500000
            # HELP headwater_checkpoint_age_seconds Time since the last checkpoint.
            # TYPE headwater_checkpoint_age_seconds gauge
            headwater_checkpoint_age_seconds{job="orders"} 1.5
        "##]].assert_eq(&render(&snapshot(completed), now));
    }

    #[test]
    fn what_is_not_known_has_no_sample() {
        let mut snapshot = snapshot(Instant::now());
        snapshot.checkpoints.last_completed = None;
        snapshot.operators.truncate(1);
        let now = Now { wall: ProcessingTime(0), monotonic: Instant::now() };
        let page = render(&snapshot, now);
        assert!(!page.contains("checkpoint_age_seconds"));
        assert!(!page.contains("\nheadwater_watermark"));
        assert!(page.contains("# TYPE headwater_watermark_lag_seconds gauge\n"));
    }
}
