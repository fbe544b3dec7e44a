//! A reader for a split that had ended when its position was taken: its file may be gone by now.

use headwater_connect::{Position, ReadBuffer, ReadStatus, Reader};
use headwater_core::Result;

pub(crate) struct Ended(pub(crate) Position);

impl<T> Reader<T> for Ended {
    fn read(&mut self, _buffer: &mut ReadBuffer<T>) -> Result<ReadStatus> {
        Ok(ReadStatus::End)
    }

    fn position(&self) -> Position {
        self.0.clone()
    }
}
