//! A segment: a file of blocks of state entries, of any number of operators, states and key groups.
//!
//! ```text
//! segment = header blocks index footer
//! header  = "HWSG" version:u32le                                             8 bytes
//! blocks  = the bytes of every block, one after another without gaps
//! index   = strings:u32le (len:u32le utf8)*          operator uids and state names
//!           blocks:u32le  (operator:u32le state:u32le key_group:u16le entries:u32le
//!                          offset:u64le len:u64le crc32c:u32le)*
//! footer  = index_offset:u64le index_len:u64le index_crc:u32le footer_crc:u32le "HWSE"
//! ```
//! What a block holds is `headwater_core::block`'s business. Every byte is covered: header and end
//! are compared, index and footer have their checksums, blocks have theirs in the index and must
//! fill the space between header and index exactly. The manifest has a hash of the whole file too.
//!
//! A later block of the same state and key group replaces the entries of an earlier one.

use std::ops::Range;

use bytes::Bytes;
use headwater_core::{Error, KeyGroup, KeyGroupRange, Result};
use serde::{Deserialize, Serialize};

pub use self::builder::SegmentBuilder;
pub use self::reader::{Blocks, SegmentReader};

mod builder;
mod index;
mod reader;

/// The version of the segment format that this build writes and reads.
pub const SEGMENT_FORMAT: u32 = 1;

const HEADER: &[u8; 4] = b"HWSG";
const HEADER_LEN: u64 = 8;
const END: &[u8; 4] = b"HWSE";
const FOOTER_LEN: u64 = 28;

/// What is known of a segment once it is built.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct SegmentMeta {
    /// Size of the file.
    pub bytes: u64,
    /// XXH3-128 of the file, 32 hexadecimal digits.
    pub hash: String,
    /// Number of entries, tombstones included.
    pub entries: u64,
    /// Number of blocks.
    pub blocks: u64,
}

/// Random access to the bytes of a file that may be too large for memory.
pub trait ReadAt: Send + Sync {
    /// Size of the file.
    fn len(&self) -> u64;

    /// Whether the file has no bytes.
    fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Reads a range that lies within the file.
    ///
    /// # Errors
    /// Whatever the storage reports.
    fn read_at(&self, range: Range<u64>) -> Result<Bytes>;
}

impl ReadAt for Bytes {
    fn len(&self) -> u64 {
        self.as_ref().len() as u64
    }

    fn read_at(&self, range: Range<u64>) -> Result<Bytes> {
        let within = range.start <= range.end && range.end <= ReadAt::len(self);
        if !within {
            return Err(Error::internal(format!("read of bytes {range:?} past the end")));
        }
        Ok(self.slice(range.start as usize..range.end as usize))
    }
}

/// Which blocks to read; `None` means all.
#[derive(Clone, Copy, Debug, Default)]
pub struct BlockFilter<'a> {
    /// Only this operator's.
    pub operator: Option<&'a str>,
    /// Only this state's.
    pub state: Option<&'a str>,
    /// Only these key groups'.
    pub key_groups: Option<KeyGroupRange>,
}

/// Where a block is and what it belongs to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct BlockInfo<'a> {
    /// The operator's uid.
    pub operator: &'a str,
    /// The state's name.
    pub state: &'a str,
    /// The key group.
    pub key_group: KeyGroup,
    /// Number of entries, tombstones included.
    pub entries: u32,
    /// Where in the file.
    pub offset: u64,
    /// Its size in bytes.
    pub len: u64,
}

/// A block that was read and matched its checksum.
#[derive(Clone, Debug)]
pub struct Block<'a> {
    /// What it is.
    pub info: BlockInfo<'a>,
    /// Its entries, to be read with `headwater_core::block::BlockReader`.
    pub bytes: Bytes,
}
