//! The Kafka job: a test per planted fault, which the verifier finds, and none without.

use std::time::Duration;

use headwater_chaos::kafka::arena::{Arena, Setup};
use headwater_chaos::kafka::crashes::crash_at;
use headwater_chaos::kafka::job::Form;
use headwater_chaos::kafka::plants::Plant;
use headwater_chaos::kafka::verdict::Verdict;
use headwater_services::kafka::{Broker, BrokerOptions, launch_for_tests};

const MARKED: &str = "kafka.commit.before-commit:5";
const COMMITTED: &str = "kafka.commit.after-commit:5";
const BETWEEN: &str = "commit.before-sink:5";
const IN_TRANSACTION: &str = "kafka.transaction.before-commit:20";
const AFTER_TRANSACTION: &str = "kafka.transaction.after-commit:20";

fn broker() -> Option<Broker> {
    let retention = ("log.retention.ms".to_owned(), "-1".to_owned());
    launch_for_tests(BrokerOptions { properties: vec![retention], ..BrokerOptions::default() })
}

/// Crashes the job at each of the points, lets it go on, and verifies; with the fault all the time.
fn verdict_of(broker: &Broker, form: Form, plant: Option<Plant>, points: &[&str]) -> Verdict {
    let dir = tempfile::tempdir().unwrap();
    let setup = Setup {
        program: env!("CARGO_BIN_EXE_chaos-kafka-job").into(),
        dir: dir.path().to_owned(),
        form,
        epoch: if form == Form::PerSink { Duration::from_millis(100) } else { form.epoch() },
        rate: 4_000.0,
        transaction_timeout: Duration::from_secs(10),
        workers: 2,
        seed: 7,
        plant,
        silence: Duration::from_secs(10),
    };
    let mut arena = Arena::new(setup, &broker.admin(), broker.bootstrap()).unwrap();
    for point in points {
        crash_at(&mut arena, point).unwrap();
    }
    arena.start_job(None).unwrap();
    arena.finish().unwrap()
}

macro_rules! broker_or_skip {
    () => {
        match broker() {
            Some(broker) => broker,
            None => return,
        }
    };
}

#[test]
fn without_a_fault_nothing_is_found() {
    let broker = broker_or_skip!();
    let per_sink = verdict_of(&broker, Form::PerSink, None, &[BETWEEN, MARKED, COMMITTED]);
    assert_eq!(per_sink.faults(), 0, "{per_sink}");
    let crashes = [IN_TRANSACTION, AFTER_TRANSACTION];
    let one = verdict_of(&broker, Form::OneTransaction, None, &crashes);
    assert_eq!(one.faults(), 0, "{one}");
}

#[test]
fn a_commit_that_is_skipped_on_restore_is_found() {
    let broker = broker_or_skip!();
    let plant = Some(Plant::SkipCommitOnRestore);
    let verdict = verdict_of(&broker, Form::PerSink, plant, &[BETWEEN]);
    assert!(verdict.lost > 0 && verdict.duplicated + verdict.wrong == 0, "{verdict}");
}

#[test]
fn a_marker_outside_its_transaction_is_found() {
    let broker = broker_or_skip!();
    let plant = Some(Plant::MarkerOutsideTransaction);
    let verdict = verdict_of(&broker, Form::PerSink, plant, &[MARKED]);
    assert!(verdict.lost > 0 && verdict.duplicated + verdict.wrong == 0, "{verdict}");
}

#[test]
fn positions_that_are_committed_before_their_output_are_found() {
    let broker = broker_or_skip!();
    let plant = Some(Plant::PositionsBeforeOutput);
    for (form, point) in [(Form::PerSink, BETWEEN), (Form::OneTransaction, AFTER_TRANSACTION)] {
        let verdict = verdict_of(&broker, form, plant, &[point]);
        assert!(verdict.lost > 0 && verdict.duplicated + verdict.wrong == 0, "{form}: {verdict}");
    }
}

#[test]
fn a_producer_that_nobody_fences_is_found() {
    let broker = broker_or_skip!();
    let plant = Some(Plant::IgnoreFencing);
    let verdict = verdict_of(&broker, Form::OneTransaction, plant, &[IN_TRANSACTION]);
    assert!(verdict.duplicated > 0 && verdict.lost + verdict.wrong == 0, "{verdict}");
}

#[test]
fn an_epoch_that_is_sent_again_without_asking_is_found() {
    let broker = broker_or_skip!();
    let plant = Some(Plant::ResendWithoutAsking);
    let verdict = verdict_of(&broker, Form::PerSink, plant, &[COMMITTED]);
    assert!(verdict.duplicated > 0 && verdict.lost + verdict.wrong == 0, "{verdict}");
}
