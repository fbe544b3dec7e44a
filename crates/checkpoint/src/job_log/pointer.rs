//! Finds the newest manifest: the hint `latest`, then the numbers after it, one by one.
//!
//! The hint only says where to start, so a stale one is harmless. If it is missing or unreadable
//! the search starts at number 1, which is right as long as nothing was deleted yet. A listing
//! decides nothing; it only shows that the answer cannot be right, and then the job does not start.

use headwater_core::{Error, ErrorKind, Result};
use serde::{Deserialize, Serialize};

use super::{JobFile, names, read_manifest};
use crate::envelope;
use crate::location::Location;

const KIND: &str = "latest";
const FORMAT: u32 = 1;

#[derive(Serialize, Deserialize)]
struct Hint {
    seq: u64,
}

/// The newest manifest.
pub(crate) struct Newest {
    /// Its number; 0 if there is none.
    pub(crate) seq: u64,
    pub(crate) warnings: Vec<String>,
}

/// Reads `latest`; `None` if there is no such file, kind `State` if it is damaged.
pub(crate) fn read_hint(location: &Location) -> Result<Option<u64>> {
    let Some(bytes) = location.get(names::LATEST)? else { return Ok(None) };
    let full = location.full_name(names::LATEST);
    let hint: Hint = envelope::open_json(KIND, FORMAT, &full, &bytes)?;
    Ok(Some(hint.seq))
}

/// Points `latest` to a manifest that exists.
pub(super) fn write_hint(location: &Location, seq: u64) -> Result<()> {
    let bytes = envelope::seal_json(KIND, FORMAT, &Hint { seq })?;
    location.put(names::LATEST, bytes.into())
}

/// Finds the newest manifest.
///
/// # Errors
/// Kind `State` if it cannot be known; otherwise the storage's error.
pub(crate) fn newest(location: &Location) -> Result<Newest> {
    let full = location.full_name(names::LATEST);
    let mut before = None;
    // A running job may delete a manifest while we look: then the hint has moved on.
    for _ in 0..16 {
        let hint = match read_hint(location) {
            Ok(Some(seq)) => seq,
            Ok(None) => return from_first(location, &format!("\"{full}\" is missing"), false),
            Err(e) if e.kind() == ErrorKind::State => {
                return from_first(location, &e.to_string(), true);
            }
            Err(e) => return Err(e),
        };
        if exists(location, hint)? {
            return check_listing(location, last_from(location, hint)?, Vec::new(), "");
        }
        if before == Some(hint) {
            let missing = location.full_name(&names::manifest(hint));
            let why = format!("\"{full}\" names manifest \"{missing}\", which is missing");
            return Err(unknown(location, &why));
        }
        before = Some(hint);
    }
    Err(Error::transient(format!("checkpoints in \"{location}\" are retired faster than read")))
}

/// Without a usable hint: right as long as number 1 is still there.
fn from_first(location: &Location, problem: &str, damaged: bool) -> Result<Newest> {
    let seq = last_from(location, 0)?;
    if seq == 0 && damaged {
        return Err(unknown(location, &format!("{problem}, and there is no manifest 1")));
    }
    let mut warnings = Vec::new();
    // Without a hint and with number 1 alone, the first attempt died before it wrote the hint.
    if seq > 1 || damaged {
        let text = format!("{problem}; manifest 1 is still there, so the newest is known: {seq}");
        tracing::warn!("{text}");
        warnings.push(text);
    }
    check_listing(location, seq, warnings, problem)
}

/// The last number of the gapless run that starts after `seq`; `seq` itself if none follows.
fn last_from(location: &Location, mut seq: u64) -> Result<u64> {
    while exists(location, seq + 1)? {
        seq += 1;
    }
    Ok(seq)
}

/// Whether the manifest before `seq`, which was just created, is still there: if it is not, newer
/// attempts have passed this number and deleted it. Number 1 has none before it; nobody can have
/// written `latest` before it was created.
pub(super) fn follows(location: &Location, seq: u64) -> Result<bool> {
    match seq {
        1 => Ok(location.size(names::LATEST)?.is_none()),
        _ => exists(location, seq - 1),
    }
}

fn exists(location: &Location, seq: u64) -> Result<bool> {
    Ok(seq > 0 && location.size(&names::manifest(seq))?.is_some())
}

/// Refuses an answer that what is listed contradicts.
fn check_listing(
    location: &Location,
    found: u64,
    warnings: Vec<String>,
    problem: &str,
) -> Result<Newest> {
    let listed = listed_manifests(location)?.last().copied().unwrap_or(0);
    // The owner may have gone on while we looked.
    let seq = last_from(location, found)?;
    if listed > seq {
        let why = match seq {
            0 => problem.to_string(),
            _ => format!("\"{}\" is missing", location.full_name(&names::manifest(seq + 1))),
        };
        return Err(unknown(location, &format!("{why}, but manifest {listed} exists")));
    }
    if seq == 0 && !location.list(names::SEGMENTS)?.is_empty() {
        let manifests = location.full_name(names::MANIFESTS);
        let why = format!("there is no file in \"{manifests}\", but there are segments");
        return Err(unknown(location, &why));
    }
    Ok(Newest { seq, warnings })
}

fn unknown(location: &Location, why: &str) -> Error {
    Error::state(format!("cannot tell the newest checkpoint in \"{location}\": {why}")).hint(
        "put the missing files back from a backup; or, if no other process runs this job, \
             use `headwater checkpoint repair`, which goes on from the newest manifest it finds",
    )
}

/// The numbers of the manifests in a listing, ascending.
pub(crate) fn listed_manifests(location: &Location) -> Result<Vec<u64>> {
    let listed = location.list(names::MANIFESTS)?;
    Ok(listed.iter().filter_map(|object| names::manifest_seq(&object.name)).collect())
}

/// Points `latest` to the newest readable manifest of a listing and recreates a missing `job.json`;
/// gives the number of that manifest.
///
/// Deletes `latest` first if it is damaged. For a human to decide on: it trusts the listing, and if
/// another process runs the job it may be wrong.
///
/// # Errors
/// Kind `State` if no manifest can be read; otherwise the storage's error.
pub fn repair(location: &Location) -> Result<u64> {
    let mut listed = listed_manifests(location)?;
    // The log has no gaps: what follows a gap is what recovery goes on from.
    while let Some(seq) = listed.pop() {
        match read_manifest(location, seq) {
            Ok(manifest) => {
                JobFile::recreate(location, &manifest)?;
                write_hint(location, seq)?;
                return Ok(seq);
            }
            Err(e) if e.kind() == ErrorKind::State => tracing::warn!("{e}"),
            Err(e) => return Err(e),
        }
    }
    Err(Error::state(format!("no manifest in \"{location}\" can be read: nothing to repair")))
}
