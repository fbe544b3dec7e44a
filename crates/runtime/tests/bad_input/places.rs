//! Files and directories that are not what the job needs: said before anything runs.

use std::fs;
use std::path::Path;

use expect_test::{Expect, expect};
use headwater_api::Job;
use headwater_connect::blackhole::blackhole;
use headwater_connect::collection::collection;
use headwater_connect::dead_letters::DeadLetterFile;
use headwater_files as files;
use headwater_runtime::start;

use crate::support::{config, show};

fn refused(dir: &Path, job: Job, expected: &Expect) {
    let Err(e) = start(job.build().unwrap(), config(1, None)) else { panic!("it was not refused") };
    expected.assert_eq(&show(&e, dir));
}

fn reading(path: impl Into<std::path::PathBuf>) -> Job {
    let mut job = Job::new("orders");
    job.source("orders", files::source(path).lines()).sink("out", blackhole());
    job
}

#[test]
fn a_missing_file_is_named() {
    let dir = tempfile::tempdir().unwrap();
    refused(
        dir.path(),
        reading(dir.path().join("orders.jsonl")),
        &expect![[r#"
        Config: source "orders": there is no file or directory "DIR/orders.jsonl"
          caused by: No such file or directory (os error 2)
          help: check the path; relative paths start at the working directory"#]],
    );
    refused(
        dir.path(),
        reading(dir.path().join("*.jsonl")),
        &expect![[r#"
        Config: source "orders": no file matches "DIR/*.jsonl"
          help: check what is in "DIR"; "*.jsonl" must match a whole name"#]],
    );
    refused(
        dir.path(),
        reading(dir.path().join("none/*.jsonl")),
        &expect![[r#"
        Config: source "orders": there is no file or directory "DIR/none"
          caused by: No such file or directory (os error 2)
          help: check the path; relative paths start at the working directory"#]],
    );
}

/// Permissions do not stop a privileged user; a link to itself stops everyone.
#[cfg(unix)]
#[test]
fn a_directory_that_cannot_be_read_is_named() {
    let dir = tempfile::tempdir().unwrap();
    std::os::unix::fs::symlink("loop", dir.path().join("loop")).unwrap();
    refused(
        dir.path(),
        reading(dir.path().join("loop")),
        &expect![[r#"
        Config: source "orders": cannot read "DIR/loop"
          caused by: Too many levels of symbolic links (os error 40)
          help: check the path"#]],
    );
    fs::write(dir.path().join("file"), "").unwrap();
    refused(
        dir.path(),
        reading(dir.path().join("file/*.jsonl")),
        &expect![[r#"
        Config: source "orders": cannot read "DIR/file/*.jsonl"
          caused by: Not a directory (os error 20)
          help: check the path"#]],
    );
}

#[test]
fn a_sink_with_a_file_in_the_way_is_named() {
    let dir = tempfile::tempdir().unwrap();
    fs::write(dir.path().join("file"), "").unwrap();
    let mut job = Job::new("orders");
    let sink = files::sink(dir.path().join("file/out")).json();
    job.source("orders", collection(vec![1u64])).sink("out", sink);
    refused(
        dir.path(),
        job,
        &expect![[r#"
        Config: sink "out": cannot write to "DIR/file/out": "DIR/file" is a file
          help: the sink's path must be a directory, or not exist yet"#]],
    );
}

#[test]
fn dead_letters_without_a_folder_are_refused() {
    let dir = tempfile::tempdir().unwrap();
    let mut job = Job::new("orders");
    job.source("orders", collection(vec![1u64])).sink("out", blackhole());
    job.dead_letters(DeadLetterFile::new(dir.path().join("none/letters.jsonl")));
    refused(
        dir.path(),
        job,
        &expect![[r#"
        Config: dead letters: dead letters: no folder for "DIR/none/letters.jsonl"
          help: create the folder first"#]],
    );
}

/// A file that was there at the start and is gone when its turn comes.
#[test]
fn a_file_that_vanishes_fails_the_job_by_name() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("orders.jsonl");
    fs::write(&path, "1\n").unwrap();
    let mut job = Job::new("orders");
    // The sink's writer is opened after the source was checked and before it is read.
    job.source("orders", files::source(dir.path().join("*.jsonl")).json::<u64>())
        .sink("out", Removing(path));
    let mut config = config(1, None);
    config.restart = headwater_runtime::RestartStrategy::None;
    let e = crate::support::run(job.build().unwrap(), config).unwrap_err();
    expect![[r#"
        Connector: source "orders", split "orders.jsonl": file "DIR/orders.jsonl" is gone
          caused by: No such file or directory (os error 2)
          help: files must stay until the job has read them and a checkpoint says so"#]]
    .assert_eq(&show(&e, dir.path()));
}

/// A sink that removes a file when it is opened.
struct Removing(std::path::PathBuf);

impl headwater_connect::Sink for Removing {
    type Record = u64;
    fn guarantee(&self) -> headwater_connect::Guarantee {
        headwater_connect::Guarantee::AtLeastOnce
    }
    fn writer(
        &self,
        cx: &headwater_connect::WriterContext,
    ) -> headwater_core::Result<Box<dyn headwater_connect::Writer<u64>>> {
        fs::remove_file(&self.0).ok();
        blackhole().writer(cx)
    }
}
