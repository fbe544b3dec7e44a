//! Counts per key from topic to topic, in each guarantee, with restarts in between.

use headwater::prelude::*;
use headwater::{ExactlyOnceConfig, ExactlyOnceForm, Topology};
use headwater_formats::string;
use headwater_kafka as kafka;
use headwater_services::kafka_or_skip;

use crate::support::{by_key, committed, produce, topics};

#[derive(Clone, Copy, PartialEq)]
enum Form {
    AtLeastOnce,
    PerSink,
    OneTransaction,
}

/// A running count per key: each record gives `key=count`.
fn counts(bootstrap: &str, job: &str, input: &str, output: &str, form: Form) -> Topology {
    let cluster = kafka::cluster(bootstrap);
    let mut job = Job::new(job);
    let source = cluster.source(input).end(kafka::End::Latest).value(string());
    let mut sink =
        cluster.sink(output).key(|out: &String| out.split('=').next().unwrap_or("").to_owned());
    if form == Form::AtLeastOnce {
        sink = sink.at_least_once();
    }
    job.source("in", source)
        .key_by(|value: &String| value.clone())
        .process(
            "count",
            process_fn(|cx, value: String| -> Result<()> {
                let count: &mut u64 = cx.state();
                *count += 1;
                let out = format!("{value}={count}");
                cx.emit(out);
                Ok(())
            }),
        )
        .sink("out", sink.value(string()));
    job.build().unwrap()
}

fn config(directory: &std::path::Path, form: Form) -> Config {
    let form = match form {
        Form::PerSink => ExactlyOnceForm::PerSink,
        _ => ExactlyOnceForm::Automatic,
    };
    let checkpoints = CheckpointConfig {
        location: Some(directory.display().to_string()),
        interval: Some(std::time::Duration::from_millis(100)),
        ..CheckpointConfig::default()
    };
    let exactly_once = ExactlyOnceConfig { form, ..ExactlyOnceConfig::default() };
    Config { workers: 2, checkpoints, exactly_once, ..Config::default() }
}

/// Runs the job to the end of what is there.
fn run_through(form: Form) {
    let broker = kafka_or_skip!();
    let [input, output] = topics(broker, ["in", "out"]);
    let bootstrap = broker.bootstrap().to_string();
    let records = |n: usize| (0..n).map(|i| (format!("{}", i % 7), format!("k{}", i % 7)));
    produce(&bootstrap, &input, records(7_000));
    let directory = tempfile::tempdir().unwrap();
    let topology = counts(&bootstrap, &input, &input, &output, form);
    let mut handle = headwater::start(topology, config(directory.path(), form)).unwrap();
    handle.wait().unwrap();
    let seen = by_key(&committed(&bootstrap, &output));
    let metrics = handle.metrics();
    let told = |name: &str| {
        let mut all = metrics.operator("out").unwrap().measures.iter();
        all.find(|m| m.name == name).map(|m| m.value)
    };
    assert!(told("kafka_end_to_end_latency_seconds_count").is_some_and(|n| n > 0.0));
    if form != Form::AtLeastOnce {
        let commits = told("kafka_transactions_total").unwrap();
        assert!(commits > 0.0 && told("kafka_commit_latency_seconds_count") == Some(commits));
    }
    assert_eq!(seen.len(), 7);
    for (key, values) in seen {
        let expected: Vec<String> = (1..=1_000).map(|n| format!("{key}={n}")).collect();
        assert_eq!(values, expected, "{key}");
    }
}

#[test]
fn at_least_once_gives_everything_in_order() {
    run_through(Form::AtLeastOnce);
}

#[test]
fn exactly_once_by_marker_gives_everything_once() {
    run_through(Form::PerSink);
}

#[test]
fn exactly_once_in_one_transaction_gives_everything_once() {
    run_through(Form::OneTransaction);
}
