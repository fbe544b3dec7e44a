//! Opens the newest checkpoint that is whole, and gives its state back block by block.
//!
//! Every segment is read once and compared with its hash before anything is restored. If a file is
//! damaged the next older checkpoint is taken, with a warning, but only if no output can have
//! become visible since that one: else its records would be written a second time, and the job has
//! to stop and say so. Storage that fails is not damage: it is reported, never answered by going
//! back.
//!
//! Memory: the index of each segment, and one run of blocks while loading.

use headwater_core::{Error, ErrorKind, KeyGroup, KeyGroupRange, Result};

use crate::job_log::{JobFile, names, pointer, read_manifest};
use crate::location::Location;
use crate::manifest::{Manifest, SegmentRef};
use crate::segment::{BlockFilter, SegmentReader};

/// What an attempt starts from.
pub struct Restored {
    /// Whose location it is; `None` if no attempt has ever started here.
    pub job: Option<JobFile>,
    /// The checkpoint; `None` for a job that has none.
    pub manifest: Option<Manifest>,
    /// The number of the newest manifest, whether or not it is the one that is restored.
    pub newest: u64,
    /// What the user must be told: each line is a file that was passed over, and why.
    pub warnings: Vec<String>,
    segments: Vec<SegmentReader>,
    /// Changes on top of the checkpoint: operator, state, key group, block.
    changes: Vec<(String, String, KeyGroup, Vec<u8>)>,
}

/// Opens the newest checkpoint of a location; nothing is written.
///
/// # Errors
/// Kind `State` if a file is damaged and going back would duplicate output, or there is nothing to
/// go back to: names the file and the byte range. Kind `Config` if this build cannot read it.
/// Otherwise the storage's error.
pub fn restore(location: &Location) -> Result<Restored> {
    let job = JobFile::read(location)?;
    let pointer::Newest { seq: newest, mut warnings } = pointer::newest(location)?;
    if newest == 0 {
        return Ok(Restored {
            job,
            manifest: None,
            newest,
            warnings,
            segments: Vec::new(),
            changes: Vec::new(),
        });
    }
    let Some(job) = job else {
        let full = location.full_name(names::JOB);
        return Err(Error::state(format!("\"{full}\" is missing, but there are manifests"))
            .hint("put it back from a backup, or use `headwater checkpoint repair`"));
    };
    let mut seq = newest;
    loop {
        match open_checkpoint(location, &job, seq) {
            Ok((manifest, segments)) => {
                let (job, manifest) = (Some(job), Some(manifest));
                return Ok(Restored {
                    job,
                    manifest,
                    newest,
                    warnings,
                    segments,
                    changes: Vec::new(),
                });
            }
            Err(e) if e.kind() == ErrorKind::State => {
                let text = pass_over(location, seq, e)?;
                tracing::warn!("{text}");
                warnings.push(text);
                seq -= 1;
            }
            Err(e) => return Err(e),
        }
    }
}

/// Opens one checkpoint and compares every segment with its hash.
pub(crate) fn open_checkpoint(
    location: &Location,
    job: &JobFile,
    seq: u64,
) -> Result<(Manifest, Vec<SegmentReader>)> {
    let manifest = read_manifest(location, seq)?;
    if manifest.job != job.name || manifest.max_parallelism != job.max_parallelism {
        return Err(Error::config(format!(
            "manifest \"{}\" is of job \"{}\" with max_parallelism {}, \
             the location of job \"{}\" with {}",
            location.full_name(&names::manifest(seq)),
            manifest.job,
            manifest.max_parallelism,
            job.name,
            job.max_parallelism
        )));
    }
    let segments: Result<Vec<_>> =
        manifest.segments.iter().map(|segment| open_segment(location, segment)).collect();
    Ok((manifest, segments?))
}

/// Opens a segment after comparing the whole file with its hash.
pub(crate) fn open_segment(location: &Location, segment: &SegmentRef) -> Result<SegmentReader> {
    let source = location.object(&segment.path, segment.bytes)?;
    let full = location.full_name(&segment.path);
    SegmentReader::open_verified(full, Box::new(source), &segment.hash)
}

/// Decides whether the damaged checkpoint `seq` may be passed over, and says so.
///
/// If the manifest itself cannot be read, the one before it tells: it is of the same attempt, or
/// the damaged one only started an attempt. Two unreadable ones in a row tell nothing.
fn pass_over(location: &Location, seq: u64, damage: Error) -> Result<String> {
    let older = seq - 1;
    if older == 0 || location.size(&names::manifest(older))?.is_none() {
        return Err(damage
            .within("cannot restore")
            .hint("there is no older checkpoint; put the file back from a backup"));
    }
    let visible = match read_manifest(location, seq) {
        Ok(manifest) => manifest.visible,
        Err(_) => match read_manifest(location, older) {
            Ok(manifest) => manifest.visible,
            Err(e) if e.kind() == ErrorKind::State => {
                return Err(damage.within("cannot restore").because(e).hint(
                    "the manifest before it is damaged too, so it is not known whether going \
                     back would write output twice; put one of the files back from a backup",
                ));
            }
            Err(e) => return Err(e),
        },
    };
    if visible {
        return Err(damage.within("cannot restore").hint(format!(
            "going back to manifest {older} would write output a second time that sinks have \
             already made visible; put the file back from a backup, or start the job anew"
        )));
    }
    Ok(format!("manifest {seq} was passed over, going back to manifest {older}: {damage}"))
}

impl Restored {
    /// Gives the blocks of a state whose key groups lie in `range`, oldest segment first: entries
    /// of a later block replace those of an earlier one with the same key, and removals remove
    /// them.
    ///
    /// May be called from several threads at once.
    ///
    /// # Errors
    /// Kind `State` if a block is damaged, the storage's error, or what `take` returns.
    pub fn load(
        &self,
        range: KeyGroupRange,
        operator: &str,
        state: &str,
        take: &mut dyn FnMut(KeyGroup, &[u8]) -> Result<()>,
    ) -> Result<()> {
        let filter =
            BlockFilter { operator: Some(operator), state: Some(state), key_groups: Some(range) };
        for segment in &self.segments {
            for block in segment.blocks(filter) {
                let block = block?;
                take(block.info.key_group, &block.bytes)?;
            }
        }
        for (of, name, key_group, block) in &self.changes {
            if of == operator && name == state && range.contains(*key_group) {
                take(*key_group, block)?;
            }
        }
        Ok(())
    }

    /// Adds changes that came after the checkpoint, from elsewhere, and the manifest they lead to.
    pub fn overlay(
        &mut self,
        manifest: Manifest,
        changes: impl IntoIterator<Item = (String, String, KeyGroup, Vec<u8>)>,
    ) {
        self.manifest = Some(manifest);
        self.changes.extend(changes);
    }

    /// The changes that [`Restored::overlay`] added.
    pub fn changes(&self) -> &[(String, String, KeyGroup, Vec<u8>)] {
        &self.changes
    }

    /// The opened segments, oldest first.
    pub fn segments(&self) -> &[SegmentReader] {
        &self.segments
    }
}
