//! Scripts of events with the decisions they lead to, and a random environment that checks the
//! invariants of the header.

use std::collections::{BTreeSet, VecDeque};

use expect_test::{Expect, expect};
use proptest::prelude::*;

use super::*;

fn options() -> ProtocolOptions {
    ProtocolOptions {
        interval: Some(Duration::from_millis(100)),
        min_pause: Duration::ZERO,
        timeout: Some(Duration::from_millis(1000)),
        tolerable_failures: 2,
        failure_pause: Duration::from_millis(10),
    }
}

fn text(decision: &Decision) -> String {
    match decision {
        Decision::OpenEpoch { barrier_of, last: None } => format!("open {barrier_of}"),
        Decision::OpenEpoch { barrier_of, last: Some(end) } => format!("open {barrier_of} {end:?}"),
        Decision::WriteManifest { epoch, last: None } => format!("write {epoch}"),
        Decision::WriteManifest { epoch, last: Some(end) } => format!("write {epoch} {end:?}"),
        Decision::Commit { epoch } => format!("commit {epoch}"),
        Decision::Retire { epoch } => format!("retire {epoch}"),
        Decision::CheckpointFailed { epoch, consecutive, error } => {
            format!("failed {epoch} #{consecutive}: {error}")
        }
        Decision::Finished { epoch, end } => format!("finished {epoch} {end:?}"),
        Decision::Fail { error } => format!("FAIL {:?}: {error}", error.kind()),
    }
}

/// One event per line: `tick MS`, `ack WORKER EPOCH`, `written E`, `write-failed E`, ...
fn event(line: &str) -> Event<()> {
    let mut words = line.split_whitespace();
    let name = words.next().unwrap();
    let number: Vec<u64> = words.map(|w| w.parse().unwrap()).collect();
    let epoch = Epoch(*number.last().unwrap_or(&0));
    let error = || Error::transient("disk full");
    match name {
        "tick" => Event::Tick { now: ProcessingTime(number[0] as i64) },
        "trigger" => Event::Trigger,
        "stop" => Event::Stop,
        "sources-done" => Event::AllSourcesFinished,
        "ack" => Event::Ack { worker: number[0] as usize, epoch, part: () },
        "upload-failed" => {
            Event::UploadFailed { worker: number[0] as usize, epoch, error: error() }
        }
        "written" => Event::ManifestWritten { epoch },
        "write-failed" => Event::ManifestFailed { epoch, error: error() },
        "fenced" => Event::ManifestFailed { epoch, error: Error::fenced("attempt 9 owns it") },
        "committed" => Event::Committed { epoch },
        "commit-failed" => Event::CommitFailed { epoch, error: error() },
        "commit-broken" => {
            Event::CommitFailed { epoch, error: Error::connector("marker is wrong") }
        }
        other => panic!("unknown event {other}"),
    }
}

fn run(mut protocol: Protocol<()>, script: &str, expected: Expect) {
    let mut log = String::new();
    for line in script.lines().map(str::trim).filter(|l| !l.is_empty()) {
        let decisions: Vec<_> = protocol.on(event(line)).iter().map(text).collect();
        log.push_str(&format!("{line} -> {}\n", decisions.join(", ")));
    }
    expected.assert_eq(&log);
}

fn fresh(workers: usize) -> Protocol<()> {
    Protocol::new(options(), workers, ProtocolStart::default())
}

#[test]
fn checkpoints_run_one_after_another() {
    run(
        fresh(2),
        "tick 0
         tick 99
         tick 100
         ack 1 1
         ack 1 1
         ack 0 1
         ack 0 1
         written 1
         committed 1
         tick 199
         tick 200",
        expect![[r#"
            tick 0 -> 
            tick 99 -> 
            tick 100 -> open 1
            ack 1 1 -> 
            ack 1 1 -> 
            ack 0 1 -> write 1
            ack 0 1 -> 
            written 1 -> commit 1
            committed 1 -> retire 1
            tick 199 -> 
            tick 200 -> open 2
        "#]],
    );
}

#[test]
fn ticks_that_fall_due_in_flight_are_one_checkpoint_right_after() {
    run(
        fresh(1),
        "tick 0
         tick 100
         tick 200
         tick 300
         ack 0 1
         written 1
         tick 950
         committed 1
         ack 0 2
         written 2
         committed 2
         tick 1049
         tick 1050",
        expect![[r#"
            tick 0 -> 
            tick 100 -> open 1
            tick 200 -> 
            tick 300 -> 
            ack 0 1 -> write 1
            written 1 -> commit 1
            tick 950 -> 
            committed 1 -> retire 1, open 2
            ack 0 2 -> write 2
            written 2 -> commit 2
            committed 2 -> retire 2
            tick 1049 -> 
            tick 1050 -> open 3
        "#]],
    );
}

#[test]
fn the_minimum_pause_holds_scheduled_checkpoints_but_not_asked_ones() {
    let options = ProtocolOptions { min_pause: Duration::from_millis(50), ..options() };
    run(
        Protocol::new(options, 1, ProtocolStart::default()),
        "tick 0
         tick 100
         ack 0 1
         written 1
         tick 250
         committed 1
         tick 299
         tick 300
         ack 0 2
         written 2
         trigger
         committed 2",
        expect![[r#"
            tick 0 -> 
            tick 100 -> open 1
            ack 0 1 -> write 1
            written 1 -> commit 1
            tick 250 -> 
            committed 1 -> retire 1
            tick 299 -> 
            tick 300 -> open 2
            ack 0 2 -> write 2
            written 2 -> commit 2
            trigger -> 
            committed 2 -> retire 2, open 3
        "#]],
    );
}

#[test]
fn a_failed_manifest_is_carried_by_the_next_one() {
    let mut p: Protocol<&str> = Protocol::new(options(), 1, ProtocolStart::default());
    p.on(Event::Tick { now: ProcessingTime(0) });
    p.on(Event::Trigger);
    p.on(Event::Ack { worker: 0, epoch: Epoch(1), part: "a" });
    let failed =
        p.on(Event::ManifestFailed { epoch: Epoch(1), error: Error::transient("disk full") });
    assert_eq!(text(&failed[0]), "failed 1 #1: disk full");
    p.on(Event::Tick { now: ProcessingTime(100) });
    p.on(Event::Ack { worker: 0, epoch: Epoch(2), part: "b" });
    let parts: Vec<_> = p.parts().collect();
    assert_eq!(parts, [(Epoch(1), 0, &"a"), (Epoch(2), 0, &"b")]);
    p.on(Event::ManifestWritten { epoch: Epoch(2) });
    assert_eq!(p.parts().count(), 0);
    assert_eq!(p.durable(), Epoch(2));
}

#[test]
fn failures_pause_longer_each_time_and_then_fail_the_job() {
    run(
        fresh(1),
        "tick 0
         tick 100
         upload-failed 0 1
         upload-failed 0 1
         trigger
         tick 109
         tick 110
         upload-failed 0 1
         tick 220
         ack 0 1
         ack 0 2
         ack 0 3
         write-failed 3
         tick 900",
        expect![[r#"
            tick 0 -> 
            tick 100 -> open 1
            upload-failed 0 1 -> failed 1 #1: worker 0 cannot upload its part of epoch 1: disk full
            upload-failed 0 1 -> 
            trigger -> 
            tick 109 -> 
            tick 110 -> open 2
            upload-failed 0 1 -> failed 2 #2: worker 0 cannot upload its part of epoch 1: disk full
            tick 220 -> open 3
            ack 0 1 -> 
            ack 0 2 -> 
            ack 0 3 -> write 3
            write-failed 3 -> FAIL Transient: 3 checkpoints in a row have failed, the last: disk full
            tick 900 -> 
        "#]],
    );
}

#[test]
fn a_timeout_fails_the_checkpoint_and_late_parts_still_count() {
    run(
        fresh(2),
        "tick 0
         tick 100
         ack 0 1
         tick 1099
         tick 1100
         ack 1 1
         tick 1110
         ack 0 2
         ack 1 2
         tick 9999
         written 2
         committed 2",
        expect![[r#"
            tick 0 -> 
            tick 100 -> open 1
            ack 0 1 -> 
            tick 1099 -> 
            tick 1100 -> failed 1 #1: checkpoint of epoch 1 timed out: no part from worker 1
            ack 1 1 -> 
            tick 1110 -> open 2
            ack 0 2 -> 
            ack 1 2 -> write 2
            tick 9999 -> 
            written 2 -> commit 2
            committed 2 -> retire 2, open 3
        "#]],
    );
}

#[test]
fn stop_closes_the_last_epoch_after_the_one_in_flight() {
    run(
        fresh(1),
        "tick 0
         trigger
         stop
         ack 0 1
         written 1
         committed 1
         trigger
         sources-done
         tick 500
         ack 0 2
         write-failed 2
         tick 509
         tick 510
         written 2
         commit-failed 2
         tick 530
         committed 2
         tick 900
         stop",
        expect![[r#"
            tick 0 -> 
            trigger -> open 1
            stop -> 
            ack 0 1 -> write 1
            written 1 -> commit 1
            committed 1 -> retire 1, open 2 Stopped
            trigger -> 
            sources-done -> 
            tick 500 -> 
            ack 0 2 -> write 2 Stopped
            write-failed 2 -> failed 2 #1: disk full
            tick 509 -> 
            tick 510 -> write 2 Stopped
            written 2 -> commit 2
            commit-failed 2 -> failed 2 #2: disk full
            tick 530 -> commit 2
            committed 2 -> retire 2, finished 2 Stopped
            tick 900 -> 
            stop -> 
        "#]],
    );
}

#[test]
fn finished_wins_over_stopped_until_the_last_epoch_is_closed() {
    run(
        fresh(1),
        "trigger
         stop
         sources-done
         stop
         ack 0 1
         written 1
         committed 1
         upload-failed 0 2
         ack 0 2
         written 2
         committed 2",
        expect![[r#"
            trigger -> open 1
            stop -> 
            sources-done -> 
            stop -> 
            ack 0 1 -> write 1
            written 1 -> commit 1
            committed 1 -> retire 1, open 2 Finished
            upload-failed 0 2 -> failed 2 #1: worker 0 cannot upload its part of epoch 2: disk full
            ack 0 2 -> write 2 Finished
            written 2 -> commit 2
            committed 2 -> retire 2, finished 2 Finished
        "#]],
    );
}

#[test]
fn a_restored_checkpoint_is_committed_before_the_next_one_is_opened() {
    let start = ProtocolStart { epoch: Epoch(7), recommit: true, end: None };
    run(
        Protocol::new(options(), 1, start),
        "trigger
         ack 0 7
         tick 0
         tick 500
         commit-failed 7
         tick 509
         tick 510
         committed 7
         ack 0 8",
        expect![[r#"
            trigger -> 
            ack 0 7 -> 
            tick 0 -> commit 7
            tick 500 -> 
            commit-failed 7 -> failed 7 #1: disk full
            tick 509 -> 
            tick 510 -> commit 7
            committed 7 -> retire 7, open 8
            ack 0 8 -> write 8
        "#]],
    );
    let start = ProtocolStart { epoch: Epoch(7), recommit: false, end: Some(End::Finished) };
    run(
        Protocol::new(options(), 1, start),
        "tick 0
         committed 7",
        expect![[r#"
            tick 0 -> commit 7
            committed 7 -> retire 7, finished 7 Finished
        "#]],
    );
}

#[test]
fn fencing_and_broken_commits_fail_at_once() {
    run(
        fresh(1),
        "trigger
         ack 0 1
         fenced 1",
        expect![[r#"
            trigger -> open 1
            ack 0 1 -> write 1
            fenced 1 -> FAIL Fenced: attempt 9 owns it
        "#]],
    );
    run(
        fresh(1),
        "trigger
         ack 0 1
         written 1
         commit-broken 1",
        expect![[r#"
            trigger -> open 1
            ack 0 1 -> write 1
            written 1 -> commit 1
            commit-broken 1 -> FAIL Connector: marker is wrong
        "#]],
    );
}

#[test]
fn stale_reports_are_ignored_and_impossible_ones_fail() {
    run(
        fresh(1),
        "trigger
         ack 0 1
         written 1
         written 1
         write-failed 1
         committed 1
         committed 1
         commit-failed 1
         ack 0 1
         trigger
         written 1
         tick 0
         ack 0 3",
        expect![[r#"
            trigger -> open 1
            ack 0 1 -> write 1
            written 1 -> commit 1
            written 1 -> 
            write-failed 1 -> 
            committed 1 -> retire 1
            committed 1 -> 
            commit-failed 1 -> 
            ack 0 1 -> 
            trigger -> open 2
            written 1 -> 
            tick 0 -> 
            ack 0 3 -> FAIL Internal: worker 0 acked epoch 3, which was not closed
        "#]],
    );
    run(
        fresh(1),
        "written 1",
        expect![[r#"
            written 1 -> FAIL Internal: "manifest written" was reported for epoch 1 in Idle
        "#]],
    );
}

#[test]
fn time_that_goes_back_is_not_followed() {
    run(
        fresh(1),
        "tick 1000
         tick 10
         tick 1099
         tick 1100",
        expect![[r#"
            tick 1000 -> 
            tick 10 -> 
            tick 1099 -> 
            tick 1100 -> open 1
        "#]],
    );
}

/// The world around the protocol: workers, store and sinks that answer late, twice or with errors.
struct World {
    protocol: Protocol<(Epoch, usize)>,
    workers: usize,
    now: i64,
    /// Reports that are on the way; taken in any order.
    pending: VecDeque<Report>,
    /// Every ack ever sent, for repeats.
    sent: Vec<(usize, Epoch)>,
    opened: Epoch,
    in_flight: bool,
    last: bool,
    writing: Option<Epoch>,
    committing: Option<Epoch>,
    durable: Epoch,
    saved: BTreeSet<(Epoch, usize)>,
    over: Option<String>,
}

#[derive(Clone, Copy, Debug)]
enum Report {
    Part(usize, Epoch),
    Manifest(Epoch),
    Commit(Epoch),
}

impl World {
    fn new(workers: usize, tolerable_failures: u32) -> World {
        let options = ProtocolOptions { tolerable_failures, ..options() };
        World {
            protocol: Protocol::new(options, workers, ProtocolStart::default()),
            workers,
            now: 0,
            pending: VecDeque::new(),
            sent: Vec::new(),
            opened: Epoch::NONE,
            in_flight: false,
            last: false,
            writing: None,
            committing: None,
            durable: Epoch::NONE,
            saved: BTreeSet::new(),
            over: None,
        }
    }

    fn send(&mut self, event: Event<(Epoch, usize)>) {
        for decision in self.protocol.on(event) {
            self.check(&decision);
        }
    }

    fn check(&mut self, decision: &Decision) {
        assert!(self.over.is_none(), "{} after the end", text(decision));
        match *decision {
            Decision::OpenEpoch { barrier_of, last } => {
                assert_eq!(barrier_of, self.opened.next(), "epochs are consecutive");
                assert!(!self.in_flight && !self.last, "one at a time, none after the last");
                self.in_flight = true;
                self.last = last.is_some();
                self.opened = barrier_of;
                self.pending.extend((0..self.workers).map(|w| Report::Part(w, barrier_of)));
            }
            Decision::WriteManifest { epoch, last } => {
                assert_eq!(epoch, self.opened);
                assert_eq!(last.is_some(), self.last);
                assert_eq!((self.writing, self.committing), (None, None));
                let parts: Vec<_> = self.protocol.parts().map(|(e, w, &p)| (e, w, p)).collect();
                let expected: Vec<_> = (self.durable.0 + 1..=epoch.0)
                    .flat_map(|e| (0..self.workers).map(move |w| (Epoch(e), w, (Epoch(e), w))))
                    .collect();
                assert_eq!(parts, expected, "every part since the last manifest, in order");
                self.writing = Some(epoch);
                self.pending.push_back(Report::Manifest(epoch));
            }
            Decision::Commit { epoch } => {
                assert_eq!(epoch, self.durable, "only what is durable is committed");
                assert_eq!(self.committing, None);
                self.committing = Some(epoch);
                self.pending.push_back(Report::Commit(epoch));
            }
            Decision::Retire { epoch } => {
                assert_eq!(epoch, self.durable);
                self.in_flight = false;
            }
            Decision::CheckpointFailed { .. } => {
                // After a failed commit the checkpoint is still in flight; so is a last epoch.
                self.in_flight = self.opened == self.durable || self.last;
            }
            Decision::Finished { epoch, .. } => {
                assert!(self.last && epoch == self.durable && epoch == self.opened);
                self.over = Some("finished".into());
            }
            Decision::Fail { ref error } => self.over = Some(error.to_string()),
        }
    }

    fn answer(&mut self, at: usize, ok: bool) {
        if self.pending.is_empty() {
            return;
        }
        let report = self.pending.remove(at % self.pending.len()).unwrap();
        let error = Error::transient("no");
        match (report, ok) {
            (Report::Part(worker, epoch), true) => {
                self.sent.push((worker, epoch));
                self.send(Event::Ack { worker, epoch, part: (epoch, worker) });
            }
            (Report::Part(worker, epoch), false) => {
                self.pending.push_back(report);
                self.send(Event::UploadFailed { worker, epoch, error });
            }
            (Report::Manifest(epoch), true) => {
                let saved = self.protocol.parts().map(|(_, _, &part)| part);
                for part in saved.collect::<Vec<_>>() {
                    assert!(self.saved.insert(part), "{part:?} is in two manifests");
                }
                (self.writing, self.durable) = (None, epoch);
                self.send(Event::ManifestWritten { epoch });
            }
            (Report::Manifest(epoch), false) => {
                self.writing = None;
                self.send(Event::ManifestFailed { epoch, error });
            }
            (Report::Commit(epoch), ok) => {
                self.committing = None;
                self.send(match ok {
                    true => Event::Committed { epoch },
                    false => Event::CommitFailed { epoch, error },
                });
            }
        }
    }

    fn repeat(&mut self, at: usize) {
        if !self.sent.is_empty() {
            let (worker, epoch) = self.sent[at % self.sent.len()];
            self.send(Event::Ack { worker, epoch, part: (epoch, worker) });
        }
        if self.durable > Epoch(1) {
            let epoch = Epoch(self.durable.0 - 1);
            self.send(Event::ManifestWritten { epoch });
            self.send(Event::Committed { epoch });
        }
    }

    fn tick(&mut self, millis: i64) {
        self.now += millis;
        self.send(Event::Tick { now: ProcessingTime(self.now) });
    }
}

#[derive(Clone, Debug)]
enum Step {
    Tick(i64),
    Answer(usize, bool),
    Repeat(usize),
    Trigger,
    Stop,
    SourcesDone,
}

fn step() -> impl Strategy<Value = Step> {
    prop_oneof![
        6 => (0..400i64).prop_map(Step::Tick),
        20 => (0..20usize).prop_map(|at| Step::Answer(at, true)),
        2 => (0..20usize).prop_map(|at| Step::Answer(at, false)),
        3 => (0..99usize).prop_map(Step::Repeat),
        1 => Just(Step::Trigger),
        1 => prop_oneof![9 => Just(Step::Trigger), 1 => Just(Step::Stop)],
        1 => prop_oneof![19 => Just(Step::Trigger), 1 => Just(Step::SourcesDone)],
    ]
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(512))]

    #[test]
    fn invariants_hold_in_any_order(
        workers in 1..4usize,
        tolerable in 0..6u32,
        steps in prop::collection::vec(step(), 0..300),
    ) {
        let mut world = World::new(workers, tolerable);
        for step in steps {
            match step {
                Step::Tick(millis) => world.tick(millis),
                Step::Answer(at, ok) => world.answer(at, ok),
                Step::Repeat(at) => world.repeat(at),
                Step::Trigger => world.send(Event::Trigger),
                Step::Stop => world.send(Event::Stop),
                Step::SourcesDone => world.send(Event::AllSourcesFinished),
            }
        }
        // From here on all goes well: the job must end, and with everything saved.
        world.send(Event::Stop);
        for _ in 0..200 {
            while !world.pending.is_empty() && world.over.is_none() {
                world.answer(0, true);
            }
            world.tick(200);
        }
        let over = world.over.clone();
        prop_assert!(over.is_some(), "stuck: {:?}", world.protocol);
        let failed = over.is_some_and(|text| text.contains("in a row have failed"));
        let all = (1..=world.opened.0).flat_map(|e| (0..workers).map(move |w| (Epoch(e), w)));
        prop_assert!(failed || world.saved == all.collect());
    }
}
