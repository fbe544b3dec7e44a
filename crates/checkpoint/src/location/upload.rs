//! An object that is written piece by piece, in bounded memory, and appears when it is finished.

use bytes::Bytes;
use headwater_core::Result;
use object_store::path::Path;
use object_store::{MultipartUpload, ObjectStoreExt, PutPayload};

use super::{GrowingFile, Location};

/// An unfinished object; if it is dropped nothing appears.
pub struct Upload(Target);

enum Target {
    File(GrowingFile),
    Parts { location: Location, name: String, parts: Box<dyn MultipartUpload> },
}

impl Upload {
    pub(super) fn start(location: &Location, name: &str) -> Result<Upload> {
        if let Some(file) = location.growing(name)? {
            return Ok(Upload(Target::File(file)));
        }
        let parts = location
            .block_on(location.inner.store.put_multipart(&Path::from(name)))
            .map_err(|e| location.error("write", name, e))?;
        Ok(Upload(Target::Parts { location: location.clone(), name: name.into(), parts }))
    }

    /// Adds a piece; object stores want pieces of at least 5 MiB, except the last.
    ///
    /// # Errors
    /// As [`Location::put`].
    pub fn write(&mut self, piece: Bytes) -> Result<()> {
        match &mut self.0 {
            Target::File(file) => file.append(&[piece]),
            Target::Parts { location, name, parts } => {
                let part = parts.put_part(PutPayload::from(piece));
                location.block_on(part).map_err(|e| location.error("write", name, e))
            }
        }
    }

    /// Makes the object durable and visible under its name.
    ///
    /// # Errors
    /// As [`Location::put`].
    pub fn finish(self) -> Result<()> {
        match self.0 {
            Target::File(mut file) => file.finish(),
            Target::Parts { location, name, mut parts } => {
                let done = location.block_on(parts.complete());
                done.map(drop).map_err(|e| location.error("write", &name, e))
            }
        }
    }
}
