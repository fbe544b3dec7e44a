//! The log of a job: numbered manifests, each written by create-if-absent, and the pointer into it.
//!
//! Number *n + 1* can be created once. An attempt starts by creating it as an `AttemptStart` with
//! the content of *n*; an older attempt that is still alive then finds its next number taken and
//! stops with kind `Fenced`. Each write goes through the same door, so there is no moment in which
//! two attempts can both add to the log, however long one of them was frozen. If it was frozen for
//! so long that its next number was taken, retired and deleted, it can create it; but then the
//! number before is gone too (deletion goes oldest first), which it checks after each write.
//!
//! Invariants:
//! - The numbers that exist have no gap: manifests are deleted oldest first only.
//! - Before anything is deleted, `latest` names a manifest that is kept.
//! - A segment is deleted only if no kept manifest lists it.
//! - Names of segments carry the attempt and are never used again.
//!
//! Calls block on storage: make them from the coordinator's thread, not from a worker.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::sync::atomic::AtomicU64;

use bytes::Bytes;
use headwater_core::{Error, ErrorKind, ProcessingTime, Result};

use self::retention::Kept;
use crate::crash_point;
use crate::location::Location;
use crate::manifest::{Manifest, ManifestKind};
use crate::restore::Restored;

mod job_file;
pub(crate) mod names;
pub(crate) mod pointer;
mod retention;
mod segments;

pub use self::job_file::JobFile;
pub use self::pointer::repair;
pub use self::retention::Retired;
pub use self::segments::{GrowingSegment, SegmentStore};

/// What an attempt says about itself when it takes over a job.
#[derive(Clone, Debug)]
pub struct AttemptStart {
    /// The job's name.
    pub job: String,
    /// Number of key groups.
    pub max_parallelism: u16,
    /// Whether the attempt has sinks that make output visible at commit.
    pub visible: bool,
    /// A text that no other attempt ever has, for example host, process id and a random number.
    pub incarnation: String,
    /// Now.
    pub now: ProcessingTime,
    /// How many checkpoints to keep; at least 1, the usual number is 3.
    pub retained: usize,
}

/// The log of a job, held by the attempt that owns it.
pub struct JobLog {
    location: Location,
    start: AttemptStart,
    attempt: u64,
    next_seq: u64,
    /// The manifests that exist, oldest first.
    history: Vec<Kept>,
    /// Segments that no manifest lists any more and that are still to be deleted.
    garbage: BTreeSet<String>,
    segments: SegmentStore,
}

impl JobLog {
    /// Takes over the job: every older attempt is fenced when this returns.
    ///
    /// Tests the store, writes the attempt's start manifest and `latest`, and removes what dead
    /// attempts have left behind.
    ///
    /// # Errors
    /// Kind `Fenced` if another attempt has written a manifest since `restored` was read: restore
    /// again. Kind `Config` if the store is unfit or belongs to another job; otherwise the
    /// storage's error.
    pub fn start_attempt(
        location: &Location,
        restored: &Restored,
        start: AttemptStart,
    ) -> Result<JobLog> {
        location.self_test()?;
        JobFile::claim(location, &start)?;
        let attempt = restored.newest + 1;
        let manifest = start_manifest(restored, &start, attempt);
        crash_point("fence.before-write");
        let name = names::manifest(attempt);
        let taken = !location.put_if_absent(&name, manifest.encode()?.into())?;
        if taken && owner(location, attempt)? != (attempt, start.incarnation.clone()) {
            let text = format!("another attempt of job \"{}\" has started or gone on", start.job);
            return Err(Error::fenced(text).hint("restore again, then start the attempt"));
        }
        crash_point("fence.after-write");
        if !pointer::follows(location, attempt)? {
            location.delete(&name)?;
            let text = format!("newer attempts of job \"{}\" have started and gone on", start.job);
            return Err(Error::fenced(text).hint("restore again, then start the attempt"));
        }
        let merges = Arc::new(AtomicU64::new(0));
        let log = JobLog {
            location: location.clone(),
            history: retention::read_history(location, attempt)?,
            start,
            attempt,
            next_seq: attempt + 1,
            garbage: BTreeSet::new(),
            segments: SegmentStore::new(location.clone(), attempt, merges),
        };
        log.point_latest()?;
        location.clear_staging()?;
        retention::delete_orphans(location, attempt, &log.history)?;
        Ok(log)
    }

    /// The number of this attempt.
    pub fn attempt(&self) -> u64 {
        self.attempt
    }

    /// The number of the newest manifest.
    pub fn newest(&self) -> u64 {
        self.next_seq - 1
    }

    /// Where this attempt's segments go; clone it for the threads that upload.
    pub fn segments(&self) -> &SegmentStore {
        &self.segments
    }

    /// Writes a checkpoint and gives its number; durable when it returns.
    ///
    /// Sets job, number, attempt, incarnation, kind and `visible`; the caller sets the rest. After
    /// an error it is not known whether the manifest was written. That is harmless: call again with
    /// the next manifest, which has to list everything that this one did.
    ///
    /// # Errors
    /// Kind `Fenced` if this attempt no longer owns the job; otherwise the storage's error.
    pub fn write_manifest(&mut self, mut manifest: Manifest) -> Result<u64> {
        manifest.job.clone_from(&self.start.job);
        manifest.max_parallelism = self.start.max_parallelism;
        manifest.kind = ManifestKind::Checkpoint;
        manifest.attempt = self.attempt;
        manifest.incarnation.clone_from(&self.start.incarnation);
        manifest.visible = self.start.visible || manifest.has_committables();
        loop {
            let seq = self.next_seq;
            manifest.seq = seq;
            let bytes = Bytes::from(manifest.encode()?);
            crash_point("manifest.before-write");
            if self.location.put_if_absent(&names::manifest(seq), bytes.into())? {
                crash_point("manifest.after-write");
                self.check_unbroken(seq)?;
                self.next_seq += 1;
                self.history.push(Kept::of(&manifest));
                return Ok(seq);
            }
            self.adopt(seq)?;
        }
    }

    /// The number is taken: fine if it is an earlier write of our own whose outcome was unknown.
    fn adopt(&mut self, seq: u64) -> Result<()> {
        let (attempt, incarnation) = owner(&self.location, seq)?;
        if (attempt, &incarnation) != (self.attempt, &self.start.incarnation) {
            return Err(self.fenced(seq, &format!("attempt {attempt} ({incarnation})")));
        }
        self.check_unbroken(seq)?;
        self.history.push(Kept::of(&read_manifest(&self.location, seq)?));
        self.next_seq += 1;
        Ok(())
    }

    /// Refuses a manifest of ours that stands where a newer attempt has already deleted.
    fn check_unbroken(&self, seq: u64) -> Result<()> {
        if pointer::follows(&self.location, seq)? {
            return Ok(());
        }
        // Nobody will ever read it: recovery starts behind the gap. So an error here is harmless.
        self.location.delete(&names::manifest(seq)).ok();
        Err(self.fenced(seq - 1, "this attempt, and deleted by a newer one"))
    }

    /// Moves `latest` to the newest manifest and deletes the checkpoints that are not retained,
    /// with the segments that only they list.
    ///
    /// Call it when a checkpoint is complete. After an error call it again later; nothing is lost.
    ///
    /// # Errors
    /// Kind `Fenced` if this attempt no longer owns the job; otherwise the storage's error.
    pub fn retire(&mut self) -> Result<Retired> {
        self.point_latest()?;
        let mut retired = Retired::default();
        let cut = retention::first_kept(&self.history, self.start.retained);
        while let Some(oldest) = self.history.first().filter(|kept| kept.seq < cut) {
            crash_point("retire.before-delete");
            self.location.delete(&names::manifest(oldest.seq))?;
            crash_point("retire.after-delete");
            let oldest = self.history.remove(0);
            self.garbage.extend(oldest.segments);
            retired.manifests += 1;
        }
        for kept in &self.history {
            self.garbage.retain(|path| !kept.segments.contains(path));
        }
        while let Some(path) = self.garbage.first() {
            self.location.delete(path)?;
            self.garbage.pop_first();
            retired.segments += 1;
        }
        Ok(retired)
    }

    fn point_latest(&self) -> Result<()> {
        let newest = self.newest();
        match pointer::read_hint(&self.location) {
            Ok(Some(seq)) if seq == newest => return Ok(()),
            // An attempt that wakes up after a long sleep must not point back to what is deleted,
            // and not delete either.
            Ok(Some(seq)) if seq > newest => return Err(self.fenced(seq, "another attempt")),
            Err(e) if e.kind() != ErrorKind::State => return Err(e),
            _ => {}
        }
        crash_point("latest.before-write");
        pointer::write_hint(&self.location, newest)?;
        crash_point("latest.after-write");
        Ok(())
    }

    fn fenced(&self, seq: u64, by: &str) -> Error {
        Error::fenced(format!(
            "attempt {} of job \"{}\" no longer owns it: manifest \"{}\" was written by {by}",
            self.attempt,
            self.start.job,
            self.location.full_name(&names::manifest(seq))
        ))
        .hint("stop this process; the newer attempt goes on from the same checkpoint")
    }
}

fn start_manifest(restored: &Restored, start: &AttemptStart, attempt: u64) -> Manifest {
    let mut manifest = match &restored.manifest {
        Some(manifest) => manifest.clone(),
        None => Manifest::empty(&start.job, start.max_parallelism),
    };
    // What is committed again becomes visible now, whoever prepared it.
    manifest.visible = start.visible || manifest.has_committables();
    manifest.kind = ManifestKind::AttemptStart;
    manifest.seq = attempt;
    manifest.attempt = attempt;
    manifest.incarnation.clone_from(&start.incarnation);
    manifest.created = start.now;
    manifest
}

/// Who wrote a manifest; somebody else if that cannot be read.
fn owner(location: &Location, seq: u64) -> Result<(u64, String)> {
    match read_manifest(location, seq) {
        Ok(manifest) => Ok((manifest.attempt, manifest.incarnation)),
        Err(e) if e.kind() == ErrorKind::State => Ok((0, format!("unreadable: {e}"))),
        Err(e) => Err(e),
    }
}

/// Reads and checks the manifest of this number.
///
/// # Errors
/// Kind `State` if it is missing or damaged, `Config` if this build cannot read it, or the
/// storage's.
pub(crate) fn read_manifest(location: &Location, seq: u64) -> Result<Manifest> {
    let name = names::manifest(seq);
    let full = location.full_name(&name);
    let Some(bytes) = location.get(&name)? else {
        return Err(Error::state(format!("manifest \"{full}\" is missing")));
    };
    let manifest = Manifest::decode(&full, &bytes)?;
    if manifest.seq != seq {
        return Err(Error::state(format!(
            "manifest \"{full}\" is damaged (bytes 0..{}): it is manifest {} under another name",
            bytes.len(),
            manifest.seq
        )));
    }
    Ok(manifest)
}
