//! The manifest: everything a checkpoint is made of, in one small file that people can read.
//!
//! Pretty JSON in an [`envelope`]. It is written last and by create-if-absent, so a
//! checkpoint exists exactly if its manifest does. A manifest of kind
//! [`ManifestKind::AttemptStart`] has the content of the checkpoint that the attempt was restored
//! from, under a new number.

use std::collections::BTreeMap;

use headwater_core::{Epoch, Error, ProcessingTime, Result, Schema};
use serde::{Deserialize, Serialize};

use crate::envelope;
use crate::segment::SegmentMeta;

mod base64_lists;

/// The version of the manifest format that this build writes and reads.
pub const MANIFEST_FORMAT: u32 = 1;

const KIND: &str = "manifest";

/// Why a manifest was written.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ManifestKind {
    /// An attempt took over the job; from here on older attempts are fenced.
    AttemptStart,
    /// A checkpoint of an epoch.
    Checkpoint,
}

/// A checkpoint, or the start of an attempt.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Manifest {
    /// The version of the format, [`MANIFEST_FORMAT`].
    pub format: u32,
    /// The job's name.
    pub job: String,
    /// Its number in the job's log; set when it is written.
    pub seq: u64,
    /// The attempt that wrote it: the number of that attempt's start manifest; set when written.
    pub attempt: u64,
    /// A text that tells processes apart, unique to each attempt ever tried; set when written.
    pub incarnation: String,
    /// Why it was written.
    pub kind: ManifestKind,
    /// All epochs up to this one are in it.
    pub epoch: Epoch,
    /// When it was written, by the writer's clock.
    pub created: ProcessingTime,
    /// Whether the job has ended: every source is exhausted.
    pub finished: bool,
    /// Whether sinks of the attempt make output visible at commit. If so, going back to an older
    /// checkpoint would write that output a second time, and is refused.
    pub visible: bool,
    /// Number of key groups, fixed for the life of the job.
    pub max_parallelism: u16,
    /// Number of workers of the attempt.
    pub workers: usize,
    /// The version of the codec of keys and values.
    pub codec: u32,
    /// The uids of the job's operators.
    pub topology: Vec<String>,
    /// The keyed states and what their bytes mean.
    pub states: Vec<StateInfo>,
    /// State that is not keyed, by operator uid: one part per worker.
    #[serde(with = "base64_lists")]
    pub operators: BTreeMap<String, Vec<Vec<u8>>>,
    /// What sinks have to make visible once this manifest is durable, by operator uid: of its
    /// epoch, and of epochs before it whose checkpoints failed.
    #[serde(with = "base64_lists")]
    pub sinks: BTreeMap<String, Vec<Vec<u8>>>,
    /// Totals that are continued after a restore.
    pub counters: BTreeMap<String, u64>,
    /// The keyed state: oldest first, later entries replace earlier ones.
    pub segments: Vec<SegmentRef>,
    /// Of a job that commits epochs elsewhere (in a transaction of the system it writes to): the
    /// place behind this epoch in the log there.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub log_position: Option<String>,
}

/// One keyed state and the shape of its bytes.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct StateInfo {
    /// The operator's uid.
    pub operator: String,
    /// The state's name.
    pub name: String,
    /// The shape of the key.
    pub key_schema: Schema,
    /// The shape of the namespace, such as a window.
    pub namespace_schema: Schema,
    /// The shape of the value.
    pub value_schema: Schema,
}

/// A segment that a manifest lists.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct SegmentRef {
    /// Its name below the location.
    pub path: String,
    /// Size of the file.
    pub bytes: u64,
    /// XXH3-128 of the file, 32 hexadecimal digits.
    pub hash: String,
    /// Number of entries, tombstones included.
    pub entries: u64,
    /// The oldest epoch it has changes of.
    pub epoch: Epoch,
    /// The newest epoch it has changes of; another than `epoch` if it was merged.
    pub max_epoch: Epoch,
}

impl SegmentRef {
    /// Names a segment that was written under `path` with the changes of one epoch.
    pub fn new(path: String, meta: &SegmentMeta, epoch: Epoch) -> SegmentRef {
        SegmentRef {
            path,
            bytes: meta.bytes,
            hash: meta.hash.clone(),
            entries: meta.entries,
            epoch,
            max_epoch: epoch,
        }
    }
}

impl Manifest {
    /// The manifest of a job that has not processed anything.
    pub fn empty(job: impl Into<String>, max_parallelism: u16) -> Manifest {
        Manifest {
            format: MANIFEST_FORMAT,
            job: job.into(),
            seq: 0,
            attempt: 0,
            incarnation: String::new(),
            kind: ManifestKind::Checkpoint,
            epoch: Epoch::NONE,
            created: ProcessingTime(0),
            finished: false,
            visible: false,
            max_parallelism,
            workers: 0,
            codec: 0,
            topology: Vec::new(),
            states: Vec::new(),
            operators: BTreeMap::new(),
            sinks: BTreeMap::new(),
            counters: BTreeMap::new(),
            segments: Vec::new(),
            log_position: None,
        }
    }

    /// Whether it has output that may not have been made visible yet.
    pub fn has_committables(&self) -> bool {
        self.sinks.values().any(|parts| !parts.is_empty())
    }

    /// The bytes of the file.
    ///
    /// # Errors
    /// Kind `Internal` if it has no JSON form.
    pub fn encode(&self) -> Result<Vec<u8>> {
        envelope::seal_json(KIND, MANIFEST_FORMAT, self)
    }

    /// A compact form, for a log that has one per epoch.
    ///
    /// # Errors
    /// Kind `Internal` if it has none.
    pub fn to_record(&self) -> Result<Vec<u8>> {
        serde_json::to_vec(self)
            .map_err(|e| Error::internal("a manifest has no JSON form").because(e))
    }

    /// Reads what [`Manifest::to_record`] wrote.
    ///
    /// # Errors
    /// Kind `State` if it cannot be read.
    pub fn from_record(bytes: &[u8]) -> Result<Manifest> {
        let damaged = |e| Error::state("the record of an epoch cannot be read").because(e);
        serde_json::from_slice(bytes).map_err(damaged)
    }

    /// Reads the bytes of the file of this name.
    ///
    /// # Errors
    /// Kind `State` if it is damaged, kind `Config` if this build does not read its format; both
    /// name the file.
    ///
    /// # Examples
    /// ```
    /// use headwater_checkpoint::Manifest;
    /// let mut bytes = Manifest::empty("clicks", 1024).encode()?;
    /// assert_eq!(Manifest::decode("m.json", &bytes)?.job, "clicks");
    /// bytes[40] ^= 1;
    /// assert!(Manifest::decode("m.json", &bytes).is_err());
    /// # Ok::<(), headwater_core::Error>(())
    /// ```
    pub fn decode(name: &str, bytes: &[u8]) -> Result<Manifest> {
        envelope::open_json(KIND, MANIFEST_FORMAT, name, bytes)
    }
}
