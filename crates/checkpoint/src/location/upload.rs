//! An object that is written piece by piece, in bounded memory, and appears when it is finished.

use bytes::Bytes;
use headwater_core::Result;
use object_store::path::Path;
use object_store::{MultipartUpload, ObjectStoreExt, PutPayload};

use super::Location;
use super::local::LocalDir;

/// An unfinished object; if it is dropped nothing appears.
pub struct Upload {
    location: Location,
    name: String,
    /// Where the pieces go: the name itself, or a staging name in a local directory.
    target: Path,
    parts: Box<dyn MultipartUpload>,
}

impl Upload {
    pub(super) fn start(location: &Location, name: &str) -> Result<Upload> {
        let target = match &location.inner.local {
            Some(_) => LocalDir::next_staged(),
            None => Path::from(name),
        };
        let parts = location
            .block_on(location.inner.store.put_multipart(&target))
            .map_err(|e| location.error("write", name, e))?;
        Ok(Upload { location: location.clone(), name: name.into(), target, parts })
    }

    /// Adds a piece; object stores want pieces of at least 5 MiB, except the last.
    ///
    /// # Errors
    /// As [`Location::put`].
    pub fn write(&mut self, piece: Bytes) -> Result<()> {
        let part = self.parts.put_part(PutPayload::from(piece));
        self.location.block_on(part).map_err(|e| self.location.error("write", &self.name, e))
    }

    /// Makes the object durable and visible under its name.
    ///
    /// # Errors
    /// As [`Location::put`].
    pub fn finish(mut self) -> Result<()> {
        self.location
            .block_on(self.parts.complete())
            .map_err(|e| self.location.error("write", &self.name, e))?;
        let Some(dir) = &self.location.inner.local else { return Ok(()) };
        dir.sync_file(self.target.as_ref())?;
        self.location.publish(dir, &self.target, &self.name)
    }
}
