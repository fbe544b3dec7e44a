//! Ranges of an object that is too large to read at once.

use std::ops::Range;

use bytes::Bytes;
use headwater_core::Result;
use object_store::ObjectStoreExt;
use object_store::path::Path;

use super::Location;
use crate::segment::ReadAt;

/// An object of known size in a location; reads ranges of it.
#[derive(Clone, Debug)]
pub struct Object {
    location: Location,
    name: String,
    bytes: u64,
}

impl Object {
    pub(super) fn new(location: Location, name: &str, bytes: u64) -> Object {
        Object { location, name: name.to_string(), bytes }
    }
}

impl ReadAt for Object {
    fn len(&self) -> u64 {
        self.bytes
    }

    fn read_at(&self, range: Range<u64>) -> Result<Bytes> {
        let path = Path::from(self.name.as_str());
        let read = self.location.block_on(self.location.inner.store.get_range(&path, range));
        read.map_err(|e| self.location.error("read", &self.name, e))
    }
}
