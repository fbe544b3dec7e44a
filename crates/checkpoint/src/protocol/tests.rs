//! Scripts of events with the decisions they lead to.

mod any_order;

use expect_test::{Expect, expect};

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
