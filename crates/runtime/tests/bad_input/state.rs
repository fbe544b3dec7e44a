//! Jobs and checkpoints that do not belong together.

use std::path::Path;

use expect_test::{Expect, expect};
use headwater_api::Job;
use headwater_connect::blackhole::blackhole;
use headwater_connect::generator::generator;
use headwater_core::Record;
use headwater_operators::process::{Process, process_fn};
use headwater_operators::window::{Aggregate, WindowSpec, count, sum};
use headwater_runtime::{StopMode, start};
use headwater_topology::Topology;

use crate::support::{config, show, until};

/// Something that keeps an `S` per key.
fn keeping<S: Record + Default>() -> impl Process<Key = u64, In = u64, Out = u64, State = S> {
    process_fn(|cx, n| {
        cx.state();
        cx.emit(n);
        Ok(())
    })
}

fn job<S: Record + Default>(name: &str) -> Topology {
    let mut job = Job::new(name);
    let numbers = job.source("numbers", generator(|n| n).rate(10_000.0));
    numbers.key_by(|n| n % 5).process("totals", keeping::<S>()).sink("out", blackhole());
    job.build().unwrap()
}

/// Runs a job until it has a checkpoint.
fn leave_checkpoint(dir: &Path, topology: Topology) {
    let mut handle = start(topology, config(2, Some(dir))).unwrap();
    until("a checkpoint", || handle.metrics().checkpoints.completed >= 2);
    handle.stop(StopMode::Checkpoint);
    handle.wait().unwrap();
}

fn refused(dir: &Path, topology: Topology, expected: &Expect) {
    let Err(e) = start(topology, config(1, Some(dir))) else { panic!("it was not refused") };
    expected.assert_eq(&show(&e, dir));
}

#[test]
fn two_steps_of_one_name() {
    let dir = tempfile::tempdir().unwrap();
    let twice = |a: &str, b: &str| {
        let mut job = Job::new("twice");
        let keyed = job.source("numbers", generator(|n| n)).key_by(|n| *n);
        keyed.process(a, keeping::<u64>()).sink("out", blackhole());
        keyed.process(b, keeping::<u64>()).sink("out too", blackhole());
        show(&job.build().err().unwrap(), dir.path())
    };
    expect![[r#"
        Plan: two steps are named "totals"
          help: a name is the identity of a step's state; give each step its own"#]]
    .assert_eq(&twice("totals", "totals"));
    expect![[r#"
        Plan: two steps are named "numbers"
          help: a name is the identity of a step's state; give each step its own"#]]
    .assert_eq(&twice("totals", "numbers"));
    expect!["Plan: a process step has an empty name"].assert_eq(&twice("totals", ""));
}

#[test]
fn the_type_of_state_has_changed() {
    let dir = tempfile::tempdir().unwrap();
    leave_checkpoint(dir.path(), job::<u64>("sums"));
    refused(
        dir.path(),
        job::<(u64, String)>("sums"),
        &expect![[r#"
        State: cannot restore state "state" of "totals": its values were written as "U64", this build has {"TUPLE":["U64","STR"]}
          help: restore the type, give the step another name, or start from an empty directory"#]],
    );
    refused(
        dir.path(),
        job::<u32>("sums"),
        &expect![[r#"
        State: cannot restore state "state" of "totals": its values were written as "U64", this build has "U32"
          help: restore the type, give the step another name, or start from an empty directory"#]],
    );
    // As it was, it goes on.
    leave_checkpoint(dir.path(), job::<u64>("sums"));
}

#[test]
fn the_type_of_the_key_or_the_accumulator_has_changed() {
    let windowed = |sums: bool| {
        let mut job = Job::new("windows");
        let keyed = job.source("numbers", generator(|n| n).rate(10_000.0)).key_by(|n| n % 5);
        fn add<A: Aggregate<In = u64>>(keyed: &headwater_api::KeyedStream<u64, u64>, with: A) {
            let windows = WindowSpec::global();
            keyed.window(windows).aggregate("windows", with).results().sink("out", blackhole());
        }
        match sums {
            true => add(&keyed, (count(), sum(|n: &u64| *n))),
            false => add(&keyed, count()),
        }
        job.build().unwrap()
    };
    let dir = tempfile::tempdir().unwrap();
    leave_checkpoint(dir.path(), windowed(false));
    refused(
        dir.path(),
        windowed(true),
        &expect![[r#"
        State: cannot restore state "windows" of "windows": its values were written as {"type":{"TYPENAME":"Contents"},"where":{"Contents":{"STRUCT":[{"acc":"U64"},{"panes":"U32"}]}}}, this build has {"type":{"TYPENAME":"Contents"},"where":{"Contents":{"STRUCT":[{"acc":{"TUPLE":["U64","I128"]}},{"panes":"U32"}]}}}
          help: restore the type, give the step another name, or start from an empty directory"#]],
    );
    let mut other_key = Job::new("windows");
    other_key
        .source("numbers", generator(|n| n))
        .key_by(|n| (n % 5).to_string())
        .window(WindowSpec::global())
        .count("windows")
        .results()
        .sink("out", blackhole());
    refused(
        dir.path(),
        other_key.build().unwrap(),
        &expect![[r#"
        State: cannot restore state "windows" of "windows": its keys were written as "U64", this build has "STR"
          help: restore the type, give the step another name, or start from an empty directory"#]],
    );
}

#[test]
fn the_checkpoints_of_another_job() {
    let dir = tempfile::tempdir().unwrap();
    leave_checkpoint(dir.path(), job::<u64>("sums"));
    refused(
        dir.path(),
        job::<u64>("totals"),
        &expect![[r#"
        State: checkpoint directory "DIR" belongs to job "sums", not "totals"
          help: give this job a directory of its own, or the name it had"#]],
    );
}

#[test]
fn another_number_of_key_groups() {
    let dir = tempfile::tempdir().unwrap();
    leave_checkpoint(dir.path(), job::<u64>("sums"));
    let mut other = Job::new("sums");
    other.max_parallelism(64);
    let numbers = other.source("numbers", generator(|n| n));
    numbers.key_by(|n| n % 5).process("totals", keeping::<u64>()).sink("out", blackhole());
    let mut config = config(1, Some(dir.path()));
    config.restart = headwater_runtime::RestartStrategy::None;
    let e = match start(other.build().unwrap(), config) {
        Ok(mut handle) => handle.wait().unwrap_err(),
        Err(e) => e,
    };
    expect![[r#"
        Config: job "sums" has max_parallelism 1024, this attempt asks for 64
          help: it is fixed for the life of a job: set it to the former value"#]]
    .assert_eq(&show(&e, dir.path()));
}

#[test]
fn a_checkpoint_location_that_is_none() {
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("file");
    std::fs::write(&file, "").unwrap();
    let at = |location: &str, expected: &Expect| {
        let mut config = config(1, None);
        config.checkpoints.location = Some(location.to_owned());
        let Err(e) = start(job::<u64>("sums"), config) else { panic!("it was not refused") };
        expected.assert_eq(&show(&e, dir.path()));
    };
    at(
        file.to_str().unwrap(),
        &expect![[r#"
        Config: cannot create "DIR/file": a file is in the way, it is not a directory
          caused by: File exists (os error 17)
          help: use another path, or move the file away"#]],
    );
    at(
        file.join("below").to_str().unwrap(),
        &expect![[r#"
        Config: cannot create "DIR/file/below": a file is in the way, it is not a directory
          caused by: Not a directory (os error 20)
          help: use another path, or move the file away"#]],
    );
    at(
        "ftp://somewhere/else",
        &expect![[r#"
        Config: cannot open checkpoint location "ftp://somewhere/else": no storage of kind "ftp" is built in
          help: use a directory; the kinds are: a path, file:, memory:"#]],
    );
    at(
        "",
        &expect![[r#"
        Config: the checkpoint location is empty
          help: give a directory, for example ./checkpoints"#]],
    );
}
