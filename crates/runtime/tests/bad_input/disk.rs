//! Full disks: a small memory file system, filled to the brim with ballast until the test makes
//! room.
//!
//! Mounting needs privileges; where they are missing these tests say so and do nothing.

use std::fs;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering::SeqCst};

use expect_test::{Expect, expect};
use headwater_api::Job;
use headwater_checkpoint::{Location, inspect};
use headwater_connect::collect::collect;
use headwater_connect::collection::collection;
use headwater_connect::dead_letters::DeadLetterFile;
use headwater_core::{DeadLetter, Error};
use headwater_files as files;
use headwater_operators::process::{Process, process_fn};
use headwater_runtime::{Config, JobHandle, Outcome, RestartStrategy, start};
use headwater_topology::Topology;

use crate::support::files::sorted;
use crate::support::scripted::{Gate, scripted};
use crate::support::{config, ms, numbered, show, until};

/// A small file system; goes with the value.
struct Disk {
    dir: tempfile::TempDir,
}

impl Disk {
    /// `None`, said loudly, where mounting is not allowed.
    fn mount(test: &str) -> Option<Disk> {
        Self::mount_megabytes(test, 1)
    }

    fn mount_megabytes(test: &str, size: usize) -> Option<Disk> {
        let dir = tempfile::tempdir().unwrap();
        let mounted = Command::new("mount")
            .args(["-t", "tmpfs", "-o", &format!("size={size}m"), "tmpfs"])
            .arg(dir.path())
            .output();
        if mounted.is_ok_and(|output| output.status.success()) {
            return Some(Disk { dir });
        }
        // Not by a macro: those are swallowed where a test passes.
        let text =
            format!("\n*** not run: {test}: mounting a file system is not permitted ***\n\n");
        std::io::stderr().write_all(text.as_bytes()).unwrap();
        None
    }

    fn path(&self) -> &Path {
        self.dir.path()
    }

    fn ballast(&self) -> PathBuf {
        self.path().join("_ballast")
    }

    /// Leaves about `pages` of 4 KiB free.
    fn fill(&self, pages: usize) {
        let mut file = fs::File::create(self.ballast()).unwrap();
        while file.write_all(&[0; 4096]).is_ok() {}
        let len = file.metadata().unwrap().len();
        file.set_len(len.saturating_sub(pages as u64 * 4096)).unwrap();
    }

    fn make_room(&self) {
        fs::remove_file(self.ballast()).unwrap();
    }
}

impl Drop for Disk {
    fn drop(&mut self) {
        Command::new("umount").arg("-l").arg(self.path()).status().ok();
    }
}

const N: u64 = 20_000;

/// Numbers of many keys, so that state grows; the second half waits for `open`.
fn job(out: &Path, open: &Arc<AtomicBool>) -> Topology {
    let source = scripted((0..N).collect()).splits(2).step(500);
    let source = source.gate(N as usize / 4, Gate::Open(Arc::clone(open)));
    let mut job = Job::new("disk");
    job.source("numbers", source)
        .key_by(|n| n % (N / 4))
        .process("numbered", numbered())
        .sink("out", files::sink(out).json());
    job.build().unwrap()
}

fn expected() -> Vec<(u64, u64)> {
    (0..N).map(|n| (n, n / (N / 4) + 1)).collect()
}

fn patient(checkpoints: &Path) -> Config {
    let mut config = config(2, Some(checkpoints));
    config.checkpoints.tolerable_failures = 1_000_000;
    config.restart = RestartStrategy::FixedDelay { attempts: 1_000_000, delay: ms(5) };
    config
}

fn finish(mut handle: JobHandle) {
    until("the end", || handle.is_ended());
    assert!(matches!(handle.wait().unwrap(), Outcome::Finished { .. }));
}

#[test]
fn checkpoints_wait_for_room_and_nothing_is_lost() {
    let Some(disk) = Disk::mount("checkpoints_wait_for_room_and_nothing_is_lost") else { return };
    let (out, open) = (tempfile::tempdir().unwrap(), Arc::new(AtomicBool::new(false)));
    let checkpoints = disk.path().join("checkpoints");
    let handle = start(job(out.path(), &open), patient(&checkpoints)).unwrap();
    until("a checkpoint", || handle.metrics().checkpoints.completed >= 2);
    disk.fill(0);
    open.store(true, SeqCst);
    let failed = handle.metrics().checkpoints.failed;
    until("failed checkpoints", || handle.metrics().checkpoints.failed >= failed + 2);
    // The job goes on meanwhile, and makes nothing visible that is in no checkpoint.
    let read = || handle.metrics().operator("numbers").unwrap().totals.records_in;
    until("all records", || read() == N);
    assert!(!handle.is_ended());
    assert!(sorted::<(u64, u64)>(out.path()).len() < N as usize);
    disk.make_room();
    finish(handle);
    assert!(sorted::<(u64, u64)>(out.path()) == expected());
}

/// Remembers the record of a key in a long text, so that few keys are much state.
fn padded() -> impl Process<Key = u64, In = u64, Out = u64, State = String> {
    process_fn(|cx, record: u64| {
        *cx.state() = format!("{record:01000}");
        cx.emit(record);
        Ok(())
    })
}

/// What a worker writes of its part while it builds it stands still half way, and goes on.
#[test]
fn pieces_of_a_large_part_wait_for_room_and_nothing_is_lost() {
    let name = "pieces_of_a_large_part_wait_for_room_and_nothing_is_lost";
    let Some(disk) = Disk::mount_megabytes(name, 64) else { return };
    let (open, out) = (Arc::new(AtomicBool::new(false)), collect::<u64>());
    let source = scripted((0..N).collect()).splits(2).step(500);
    let source = source.gate(N as usize / 4, Gate::Open(Arc::clone(&open)));
    let mut job = Job::new("large");
    job.source("numbers", source)
        .key_by(|n| *n)
        .process("padded", padded())
        .sink("out", out.clone());
    let checkpoints = disk.path().join("checkpoints");
    let handle = start(job.build().unwrap(), patient(&checkpoints)).unwrap();
    until("a checkpoint", || handle.metrics().checkpoints.completed >= 2);
    // Room for some pieces of five megabytes per worker.
    disk.fill(600);
    open.store(true, SeqCst);
    let failed = handle.metrics().checkpoints.failed;
    until("failed checkpoints", || handle.metrics().checkpoints.failed >= failed + 2);
    disk.make_room();
    finish(handle);
    assert!(out.sorted() == (0..N).collect::<Vec<_>>());
    let location = Location::open(checkpoints.to_str().unwrap()).unwrap();
    let report = inspect::verify(&location, &mut |_| {}).unwrap();
    assert!(report.damaged.is_empty() && report.bytes > N * 1000, "{report:?}");
}

#[test]
fn a_job_that_may_not_wait_fails_with_the_reason_and_resumes_when_there_is_room() {
    let name = "a_job_that_may_not_wait_fails_with_the_reason_and_resumes_when_there_is_room";
    let Some(disk) = Disk::mount(name) else { return };
    let (out, open) = (tempfile::tempdir().unwrap(), Arc::new(AtomicBool::new(false)));
    let checkpoints = disk.path().join("checkpoints");
    let mut config = patient(&checkpoints);
    config.checkpoints.tolerable_failures = 1;
    config.restart = RestartStrategy::None;
    let mut handle = start(job(out.path(), &open), config.clone()).unwrap();
    // Until the state stands still, so that it is a manifest that cannot be written.
    let read = || handle.metrics().operator("numbers").unwrap().totals.records_in;
    until("half of it", || read() == N / 2);
    let done = handle.metrics().checkpoints.completed;
    until("two checkpoints", || handle.metrics().checkpoints.completed >= done + 2);
    disk.fill(0);
    let e = handle.wait().unwrap_err();
    expect![[r#"
        Transient: N checkpoints in a row have failed, the last: cannot write "DIR/checkpoints/manifest/N.json": the disk is full
          caused by: Generic LocalFileSystem error: Unable to copy data to file: No space left on device (os error N)
          caused by: Unable to copy data to file: No space left on device (os error N)
          caused by: No space left on device (os error N)
          help: free some space; writing is tried again"#]].assert_eq(&masked(&e, disk.path()));
    // Nor does it start on a full disk; it says why.
    let started = start(job(out.path(), &open), config.clone());
    let e = started.and_then(|mut handle| handle.wait()).unwrap_err();
    expect![[r#"
        Transient: cannot write "DIR/checkpoints/self-test/N": the disk is full
          caused by: Generic LocalFileSystem error: Unable to copy data to file: No space left on device (os error N)
          caused by: Unable to copy data to file: No space left on device (os error N)
          caused by: No space left on device (os error N)
          help: free some space; writing is tried again"#]].assert_eq(&masked(&e, disk.path()));
    disk.make_room();
    open.store(true, SeqCst);
    finish(start(job(out.path(), &open), config).unwrap());
    assert!(sorted::<(u64, u64)>(out.path()) == expected());
}

/// A message without numbers that differ between runs.
fn masked(e: &Error, dir: &Path) -> String {
    let text = show(e, dir);
    let mut masked = String::new();
    let mut digits = false;
    for c in text.chars() {
        if !c.is_ascii_digit() {
            masked.push(c);
        } else if !digits {
            masked.push('N');
        }
        digits = c.is_ascii_digit();
    }
    masked
}

#[test]
fn a_sink_waits_for_room_and_nothing_is_lost() {
    let Some(disk) = Disk::mount("a_sink_waits_for_room_and_nothing_is_lost") else { return };
    let (checkpoints, open) = (tempfile::tempdir().unwrap(), Arc::new(AtomicBool::new(false)));
    let out = disk.path().join("out");
    let handle = start(job(&out, &open), patient(checkpoints.path())).unwrap();
    let read = || handle.metrics().operator("numbers").unwrap().totals.records_in;
    until("half of it", || read() == N / 2);
    until("a checkpoint", || sorted::<(u64, u64)>(&out).len() as u64 == N / 2);
    disk.fill(2);
    open.store(true, SeqCst);
    until("failures", || handle.metrics().restarts >= 3);
    let visible = sorted::<(u64, u64)>(&out);
    assert!(visible.len() >= N as usize / 2 && visible.len() < N as usize);
    disk.make_room();
    finish(handle);
    assert!(sorted::<(u64, u64)>(&out) == expected());
}

#[test]
fn a_sink_that_may_not_wait_fails_with_the_reason() {
    let Some(disk) = Disk::mount("a_sink_that_may_not_wait_fails_with_the_reason") else { return };
    let (checkpoints, open) = (tempfile::tempdir().unwrap(), Arc::new(AtomicBool::new(true)));
    let out = disk.path().join("out");
    disk.fill(1);
    let check = |expected: &Expect| {
        let mut config = patient(checkpoints.path());
        config.restart = RestartStrategy::None;
        // Else it may be a checkpoint that closes the part.
        config.checkpoints.interval = None;
        config.workers = 1;
        let e = start(job(&out, &open), config).unwrap().wait().unwrap_err();
        expected.assert_eq(&masked(&e, disk.path()));
    };
    check(&expect![[r#"
        Transient: operator "out": cannot write a part to "DIR/out"
          caused by: No space left on device (os error N)
          help: free some space on this disk"#]]);
    disk.make_room();
    finish(start(job(&out, &open), patient(checkpoints.path())).unwrap());
    assert!(sorted::<(u64, u64)>(&out) == expected());
}

#[test]
fn dead_letters_wait_for_room_and_none_is_lost() {
    let Some(disk) = Disk::mount("dead_letters_wait_for_room_and_none_is_lost") else { return };
    let checkpoints = tempfile::tempdir().unwrap();
    let (path, out) = (disk.path().join("letters.jsonl"), collect::<u64>());
    disk.fill(3);
    let mut job = Job::new("letters");
    job.dead_letters(DeadLetterFile::new(&path));
    let odd = |n: &u64| match n % 2 {
        1 => Ok(*n),
        _ => Err(Error::user("even")),
    };
    job.source("numbers", collection(0..2_000u64)).try_map(odd).sink("out", out.clone());
    let handle = start(job.build().unwrap(), patient(checkpoints.path())).unwrap();
    until("failures", || {
        let metrics = handle.metrics();
        metrics.restarts + metrics.checkpoints.failed >= 3
    });
    disk.make_room();
    finish(handle);
    let text = fs::read_to_string(&path).unwrap();
    let letter = |line: &str| serde_json::from_str::<DeadLetter>(line).unwrap().record;
    let mut letters: Vec<u64> = text.lines().map(|l| letter(l).parse().unwrap()).collect();
    letters.sort_unstable();
    assert_eq!(letters, (0..2_000).step_by(2).collect::<Vec<_>>());
    assert_eq!(out.sorted(), (1..2_000).step_by(2).collect::<Vec<_>>());
}
