//! The contract between connectors and formats.
//!
//! A connector calls `validate` once before the job starts, and then for every message `ready` and,
//! when it says [`Readiness::Now`], `deserialize` or `serialize`. One value serves all workers and
//! all attempts, so it holds configuration and caches, never progress.

use std::fmt;

use headwater_core::{Result, Wake};

/// Whether a format can go on right now.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[must_use]
pub enum Readiness {
    /// Yes.
    Now,
    /// Something is being fetched. The [`Wake`] given is called when it is there or has failed; ask
    /// again then.
    Later,
}

/// Bytes to records: one message is one record.
///
/// Implementations survive any bytes: no panic, no allocation out of proportion to the message.
pub trait Deserializer<T>: Send + Sync + 'static {
    /// Checks the configuration before the job starts; the only method that may block.
    ///
    /// # Errors
    /// `Config` for what only the user can mend (a schema that does not compile, a refused
    /// password), `Transient` for a registry that does not answer.
    fn validate(&self) -> Result<()> {
        Ok(())
    }

    /// Whether this message can be decoded now. Never blocks.
    ///
    /// A format that needs a schema it does not have starts fetching it, says
    /// [`Readiness::Later`], and calls `wake` once from any thread when it is worth asking again.
    /// The connector keeps the message meanwhile. Bytes that cannot be decoded at all are
    /// [`Readiness::Now`]: `deserialize` says why.
    ///
    /// # Errors
    /// What is to be fetched cannot be had, and not for a fault of the message (the registry is
    /// away, or refuses the password): the attempt should end.
    fn ready(&self, bytes: &[u8], wake: &Wake) -> Result<Readiness> {
        let _ = (bytes, wake);
        Ok(Readiness::Now)
    }

    /// Decodes one message. Never blocks.
    ///
    /// # Errors
    /// The reason why the message is refused. A message whose schema is still being fetched is
    /// refused too, so ask [`ready`](Self::ready) first.
    fn deserialize(&self, bytes: &[u8]) -> Result<T, Refused>;
}

/// Records to bytes: one record is one message.
pub trait Serializer<T>: Send + Sync + 'static {
    /// Checks the configuration before the job starts; the only method that may block.
    ///
    /// # Errors
    /// Like [`Deserializer::validate`].
    fn validate(&self) -> Result<()> {
        Ok(())
    }

    /// Whether records can be encoded now; like [`Deserializer::ready`]. Once it has said
    /// [`Readiness::Now`] it goes on saying so.
    ///
    /// # Errors
    /// Like [`Deserializer::ready`].
    fn ready(&self, wake: &Wake) -> Result<Readiness> {
        let _ = wake;
        Ok(Readiness::Now)
    }

    /// Appends the encoded record to `out`. Never blocks.
    ///
    /// # Errors
    /// `Data`: this record cannot be encoded. `out` may then end in a part of it.
    fn serialize(&self, value: &T, out: &mut Vec<u8>) -> Result<()>;
}

/// Why a message was refused: one sentence that begins with the format, for the dead letter.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Refused(String);

impl Refused {
    /// How much of a long reason's beginning is kept: decoders quote what they did not expect.
    const HEAD_BYTES: usize = 800;
    /// How much of its end.
    const TAIL_BYTES: usize = 200;

    /// Refuses for this reason; the middle of a long one is cut out.
    pub fn new(reason: impl Into<String>) -> Self {
        let reason = reason.into();
        if reason.len() > Self::HEAD_BYTES + Self::TAIL_BYTES {
            let head = &reason[..reason.floor_char_boundary(Self::HEAD_BYTES)];
            let tail = &reason[reason.ceil_char_boundary(reason.len() - Self::TAIL_BYTES)..];
            return Refused(format!("{head} … {tail}"));
        }
        Refused(reason)
    }
}

impl fmt::Display for Refused {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl From<Refused> for String {
    fn from(refused: Refused) -> Self {
        refused.0
    }
}
