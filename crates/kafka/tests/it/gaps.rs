//! What is gone is never passed over in silence.

use std::path::Path;
use std::sync::mpsc;
use std::time::Duration;

use headwater::JobHandle;
use headwater::prelude::*;
use headwater_core::ErrorKind;
use headwater_formats::string;
use headwater_kafka::{self as kafka, OnGap};
use headwater_services::kafka::Admin;
use headwater_services::kafka_or_skip;
use tempfile::TempDir;

use crate::support::{delete_records, delete_topic, plain_producer, send, wait_until};

struct Setup<'a> {
    broker: &'a Admin,
    topic: String,
    directory: TempDir,
    out: collect::Collected<String>,
}

impl<'a> Setup<'a> {
    fn new(broker: &'a Admin) -> Self {
        let topic = broker.new_topic("gap", 1).unwrap();
        Setup { broker, topic, directory: tempfile::tempdir().unwrap(), out: collect() }
    }

    fn produce(&self, numbers: std::ops::Range<u32>) {
        let producer = plain_producer(self.broker.bootstrap());
        let values: Vec<String> = numbers.map(|n| n.to_string()).collect();
        send(&producer, &self.topic, 0, &values.iter().map(String::as_str).collect::<Vec<_>>());
    }

    fn start(&self, on_gap: OnGap) -> JobHandle {
        let cluster = kafka::cluster(self.broker.bootstrap());
        let source = cluster.source(self.topic.as_str()).on_gap(on_gap).value(string());
        let mut job = Job::new("gap");
        job.source("in", source).sink("out", self.out.clone());
        headwater::start(job.build().unwrap(), config(self.directory.path())).unwrap()
    }

    /// Reads all that is there, then stops with a checkpoint.
    fn read_all(&self, count: usize) {
        let mut job = self.start(OnGap::Fail);
        wait_until("all are read", || self.out.len() == count);
        job.stop(StopMode::Checkpoint);
        job.wait().unwrap();
    }
}

fn config(directory: &Path) -> Config {
    let checkpoints = CheckpointConfig {
        location: Some(directory.display().to_string()),
        interval: Some(Duration::from_millis(50)),
        ..CheckpointConfig::default()
    };
    Config { workers: 1, checkpoints, ..Config::default() }
}

#[track_caller]
fn assert_stops(job: &mut JobHandle, parts: &[&str]) {
    wait_until("the job has ended", || job.is_ended());
    let error = job.wait().unwrap_err();
    let said = error.report();
    assert_eq!(error.kind(), ErrorKind::State, "{said}");
    for part in parts {
        assert!(said.contains(part), "{part:?} is not in: {said}");
    }
}

#[test]
fn retention_that_passed_our_position_stops_the_job_with_the_range() {
    let broker = kafka_or_skip!();
    let setup = Setup::new(broker);
    setup.produce(0..50);
    setup.read_all(50);
    setup.produce(50..200);
    delete_records(broker.bootstrap(), &setup.topic, 0, 120);
    let topic = format!("topic {:?}, partition 0", setup.topic);
    let range = format!("offsets 50 to 119 of {topic} are gone: the log begins at 120");
    for _ in 0..2 {
        let mut job = setup.start(OnGap::Fail);
        assert_stops(&mut job, &["source \"in\"", &range, "on_gap(OnGap::Continue)"]);
    }
    assert_eq!(setup.out.len(), 50);

    let mut job = setup.start(OnGap::Continue);
    wait_until("the rest is read", || setup.out.len() == 130);
    let totals = job.metrics().operator("in").unwrap().totals;
    assert_eq!((totals.skipped, totals.records_in, totals.records_out), (70, 130, 130));
    job.stop(StopMode::Checkpoint);
    job.wait().unwrap();
    assert_eq!(setup.out.records()[50], "120");
    // The count is in the checkpoint; nothing more was passed over since.
    let job = setup.start(OnGap::Fail);
    wait_until("restored", || job.metrics().operator("in").unwrap().totals.skipped == 70);
}

/// A job that has read 5 records, with a checkpoint, and whose sink then stands still behind a
/// client with small queues while retention passes.
fn fall_behind(on_gap: OnGap) -> Option<(JobHandle, mpsc::Receiver<u32>, String, TempDir)> {
    let broker = headwater_services::kafka::for_tests()?;
    let topic = broker.new_topic("behind", 1).unwrap();
    let large = "x".repeat(10_000);
    let values: Vec<String> = (0..2_000).map(|n| format!("{n} {large}")).collect();
    let values: Vec<&str> = values.iter().map(String::as_str).collect();
    let producer = plain_producer(broker.bootstrap());
    send(&producer, &topic, 0, &values[..5]);
    let cluster = kafka::cluster(broker.bootstrap());
    let mut source = cluster.source(topic.as_str()).on_gap(on_gap);
    for (name, value) in [
        ("queued.min.messages", "1"),
        ("queued.max.messages.kbytes", "100"),
        ("fetch.max.bytes", "100000"),
        ("message.max.bytes", "100000"),
        ("max.partition.fetch.bytes", "100000"),
    ] {
        source = source.option(name, value);
    }
    let (seen_in, seen) = mpsc::channel::<u32>();
    let (go_in, go) = mpsc::channel::<()>();
    let go = std::sync::Mutex::new(go);
    let mut job = Job::new("behind");
    job.source("in", source.value(string())).sink(
        "out",
        callback(move |value: &Timed<String>| {
            let number: u32 = value.value.split(' ').next().unwrap().parse().unwrap();
            seen_in.send(number).map_err(|_| Error::connector("the test is over"))?;
            if number >= 5 {
                // Answers at once when the other end is gone.
                let _ = go.lock().unwrap().recv();
            }
            Ok(())
        }),
    );
    let directory = tempfile::tempdir().unwrap();
    let config = Config { max_in_flight_records: 8, ..config(directory.path()) };
    let handle = headwater::start(job.build().unwrap(), config).unwrap();
    let next = || seen.recv_timeout(crate::support::WAIT).unwrap();
    assert_eq!([next(), next(), next(), next(), next()], [0, 1, 2, 3, 4]);
    let before = handle.metrics().checkpoints.completed;
    wait_until("two checkpoints", || handle.metrics().checkpoints.completed > before + 1);
    send(&producer, &topic, 0, &values[5..]);
    assert_eq!(next(), 5);
    delete_records(broker.bootstrap(), &topic, 0, 1_990);
    drop(go_in);
    Some((handle, seen, topic, directory))
}

#[test]
fn retention_that_overtakes_a_running_job_stops_it_with_the_range() {
    let Some((mut job, seen, topic, _directory)) = fall_behind(OnGap::Fail) else { return };
    let topic = format!("of topic {topic:?}, partition 0 are gone: the log begins at 1990");
    assert_stops(&mut job, &["source \"in\"", "offsets ", &topic, "to 1989"]);
    assert!(seen.try_iter().count() < 1_900, "the gap was not reached");
}

#[test]
fn a_running_job_that_is_overtaken_may_go_on_and_counts_what_it_skips() {
    let Some((mut job, seen, _, _directory)) = fall_behind(OnGap::Continue) else { return };
    let mut last = 0;
    while last != 1_999 {
        last = seen
            .recv_timeout(crate::support::WAIT)
            .unwrap_or_else(|_| panic!("after {last}: {:?}", job.wait().map_err(|e| e.report())));
    }
    wait_until("counted", || {
        let totals = job.metrics().operator("in").unwrap().totals;
        totals.skipped > 1_000 && totals.skipped + totals.records_in == 2_000
    });
    assert_eq!(job.metrics().restarts, 1);
}

#[test]
fn a_topic_made_anew_between_two_runs_stops_the_job() {
    let broker = kafka_or_skip!();
    let setup = Setup::new(broker);
    setup.produce(0..50);
    setup.read_all(50);
    delete_topic(broker, &setup.topic);
    broker.create_topic(&setup.topic, 1).unwrap();
    setup.produce(0..10);
    let topic = format!("topic {:?}, partition 0", setup.topic);
    let ends = format!("{topic} ends at offset 10, before our position 50");
    assert_stops(&mut setup.start(OnGap::Fail), &[&ends, "made anew"]);
}

#[test]
fn a_topic_deleted_under_a_running_job_stops_it_with_the_name() {
    let broker = kafka_or_skip!();
    let setup = Setup::new(broker);
    setup.produce(0..50);
    let mut job = setup.start(OnGap::Fail);
    wait_until("all are read", || setup.out.len() == 50);
    delete_topic(broker, &setup.topic);
    assert_stops(&mut job, &[&format!("{:?}", setup.topic)]);
}

#[test]
fn a_topic_made_anew_under_a_running_job_stops_it_with_the_name() {
    let broker = kafka_or_skip!();
    let setup = Setup::new(broker);
    setup.produce(0..50);
    let mut job = setup.start(OnGap::Fail);
    wait_until("all are read", || setup.out.len() == 50);
    delete_topic(broker, &setup.topic);
    broker.create_topic(&setup.topic, 1).unwrap();
    // More than before, so that our position exists again.
    setup.produce(1_000..1_200);
    let anew = format!("topic {:?} was deleted and made anew", setup.topic);
    assert_stops(&mut job, &["source \"in\"", &anew, "partition 0, offset 50"]);
    assert_eq!(setup.out.len(), 50, "nothing of the new one was read as if it followed");
}
