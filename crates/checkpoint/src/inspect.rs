//! Looks into a checkpoint directory without a job: what is there, what is in it, is it whole.
//!
//! For the command line. Reads only; safe while a job runs, although files may vanish under it.

use std::collections::{BTreeMap, BTreeSet};

use headwater_core::{Epoch, Error, ErrorKind, ProcessingTime, Result};

use crate::job_log::{JobFile, names, pointer, read_manifest};
use crate::location::Location;
use crate::manifest::{Manifest, ManifestKind, SegmentRef, StateInfo};
use crate::restore::open_segment;

/// One line of a list of checkpoints.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CheckpointSummary {
    /// Its number.
    pub seq: u64,
    /// The attempt that wrote it.
    pub attempt: u64,
    /// A checkpoint or the start of an attempt.
    pub kind: ManifestKind,
    /// All epochs up to this one are in it.
    pub epoch: Epoch,
    /// When it was written.
    pub created: ProcessingTime,
    /// Whether the job had ended.
    pub finished: bool,
    /// Size of its segments together.
    pub bytes: u64,
    /// Number of segments.
    pub segments: usize,
    /// Entries in its segments, replaced and removed ones included.
    pub entries: u64,
}

/// A manifest of a list, or why it cannot be read.
#[derive(Debug)]
pub struct Listing {
    /// Its number.
    pub seq: u64,
    /// What it is.
    pub checkpoint: Result<CheckpointSummary>,
}

/// A checkpoint in full.
#[derive(Clone, Debug)]
pub struct CheckpointDetail {
    /// The manifest.
    pub manifest: Manifest,
    /// Its keyed states.
    pub states: Vec<StateDetail>,
}

/// How large a keyed state is in a checkpoint.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StateDetail {
    /// The operator's uid.
    pub operator: String,
    /// The state's name.
    pub name: String,
    /// The shape of its bytes, if the manifest knows it.
    pub info: Option<StateInfo>,
    /// Entries in segments, replaced and removed ones included.
    pub entries: u64,
    /// Bytes in segments.
    pub bytes: u64,
    /// Number of key groups that have entries.
    pub key_groups: usize,
}

/// How far a verification is.
#[derive(Clone, Copy, Debug)]
pub struct Progress<'a> {
    /// The file that was just checked.
    pub file: &'a str,
    /// Number of files checked.
    pub done: usize,
    /// Number of files to check.
    pub total: usize,
}

/// The outcome of a verification.
#[derive(Debug, Default)]
pub struct VerifyReport {
    /// Number of files that were checked.
    pub files: usize,
    /// Size of the segments among them.
    pub bytes: u64,
    /// The files that are damaged or cannot be read, and why.
    pub damaged: Vec<(String, Error)>,
    /// Segments that no manifest lists: left by attempts that died, deleted by the next one.
    pub orphans: Vec<String>,
}

/// The checkpoints of a location, newest first.
///
/// # Errors
/// As [`restore`](crate::restore()), if the newest one cannot be told; a damaged manifest is part
/// of the list.
pub fn list(location: &Location) -> Result<Vec<Listing>> {
    let mut all = Vec::new();
    let newest = pointer::newest(location)?.seq;
    for seq in (1..=newest).rev() {
        let checkpoint = read_manifest(location, seq).map(|m| summary(&m));
        if checkpoint.is_err() && location.size(&names::manifest(seq))?.is_none() {
            break;
        }
        all.push(Listing { seq, checkpoint });
    }
    Ok(all)
}

/// One checkpoint in full: the one of this number, or the newest.
///
/// # Errors
/// Kind `State` if it, or the index of one of its segments, is damaged or missing; kind `Config` if
/// the location has no checkpoint.
pub fn show(location: &Location, seq: Option<u64>) -> Result<CheckpointDetail> {
    let seq = match seq {
        Some(seq) => seq,
        None => pointer::newest(location)?.seq,
    };
    if seq == 0 {
        return Err(Error::config(format!("there is no checkpoint in \"{location}\""))
            .hint("give the directory that holds \"job.json\""));
    }
    let manifest = read_manifest(location, seq)?;
    let states = state_details(location, &manifest)?;
    Ok(CheckpointDetail { manifest, states })
}

/// Reads every file that a restore could need, and reports each damaged one.
///
/// # Errors
/// The storage's, where it fails as a whole; damage is part of the report.
pub fn verify(location: &Location, progress: &mut dyn FnMut(Progress<'_>)) -> Result<VerifyReport> {
    let mut report = VerifyReport::default();
    report.check(location, names::JOB, job_file(location));
    report.check(location, names::LATEST, pointer::read_hint(location).map(drop));
    let mut manifests: BTreeSet<u64> = pointer::listed_manifests(location)?.into_iter().collect();
    match pointer::newest(location) {
        Ok(newest) => drop(manifests.insert(newest.seq)),
        Err(e) => report.check(location, names::MANIFESTS, Err(e)),
    }
    manifests.remove(&0);
    let mut segments: BTreeMap<String, SegmentRef> = BTreeMap::new();
    for &seq in manifests.iter().rev() {
        let manifest = read_manifest(location, seq).map(|manifest| {
            segments.extend(manifest.segments.into_iter().map(|s| (s.path.clone(), s)));
        });
        report.check(location, &names::manifest(seq), manifest);
    }
    let total = report.files + segments.len();
    progress(Progress { file: names::MANIFESTS, done: report.files, total });
    for (path, segment) in &segments {
        report.bytes += segment.bytes;
        report.check(location, path, open_segment(location, segment).map(drop));
        progress(Progress { file: path, done: report.files, total });
    }
    let listed = location.list(names::SEGMENTS)?.into_iter().map(|object| object.name);
    report.orphans = listed.filter(|name| !segments.contains_key(name)).collect();
    Ok(report)
}

impl VerifyReport {
    fn check(&mut self, location: &Location, name: &str, result: Result<()>) {
        self.files += 1;
        if let Err(e) = result {
            self.damaged.push((location.full_name(name), e));
        }
    }
}

fn job_file(location: &Location) -> Result<()> {
    match JobFile::read(location)? {
        Some(_) => Ok(()),
        None => Err(Error::new(
            ErrorKind::State,
            format!("\"{}\" is missing", location.full_name(names::JOB)),
        )),
    }
}

fn summary(manifest: &Manifest) -> CheckpointSummary {
    CheckpointSummary {
        seq: manifest.seq,
        attempt: manifest.attempt,
        kind: manifest.kind,
        epoch: manifest.epoch,
        created: manifest.created,
        finished: manifest.finished,
        bytes: manifest.segments.iter().map(|s| s.bytes).sum(),
        segments: manifest.segments.len(),
        entries: manifest.segments.iter().map(|s| s.entries).sum(),
    }
}

fn state_details(location: &Location, manifest: &Manifest) -> Result<Vec<StateDetail>> {
    let mut sizes: BTreeMap<(String, String), (u64, u64, BTreeSet<u16>)> = BTreeMap::new();
    for state in &manifest.states {
        sizes.entry((state.operator.clone(), state.name.clone())).or_default();
    }
    for segment in &manifest.segments {
        for info in open_segment(location, segment)?.infos() {
            let of = (info.operator.to_string(), info.state.to_string());
            let (entries, bytes, groups) = sizes.entry(of).or_default();
            *entries += u64::from(info.entries);
            *bytes += info.len;
            groups.insert(info.key_group.0);
        }
    }
    let detail = |((operator, name), (entries, bytes, groups)): (_, (_, _, BTreeSet<u16>))| {
        let of = |s: &&StateInfo| s.operator == operator && s.name == name;
        let info = manifest.states.iter().find(of).cloned();
        StateDetail { operator, name, info, entries, bytes, key_groups: groups.len() }
    };
    Ok(sizes.into_iter().map(detail).collect())
}
