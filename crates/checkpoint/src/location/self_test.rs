//! Does the store keep its promise? Some accept a condition and ignore it.

use headwater_core::{Error, Result};

use super::Location;

impl Location {
    /// Checks that create-if-absent refuses a second creation, which is what keeps two attempts of
    /// a job apart.
    ///
    /// # Errors
    /// Kind `Config` if the store ignores the condition; otherwise as [`Location::put`].
    pub fn self_test(&self) -> Result<()> {
        const TRIES: u32 = 1000;
        for n in 0..TRIES {
            let name = format!("self-test/{n}");
            if !self.put_if_absent(&name, "first".into())? {
                continue; // another attempt's test, or one that was killed
            }
            let second = self.put_if_absent(&name, "second".into())?;
            let kept = self.get(&name)?;
            self.delete(&name)?;
            self.remove_empty_folder("self-test");
            if second || kept.as_deref() != Some(b"first") {
                return Err(self.unfit("it lets create-if-absent replace an object"));
            }
            return Ok(());
        }
        Err(self.unfit(&format!("create-if-absent failed for {TRIES} new names in \"self-test\"")))
    }

    fn unfit(&self, why: &str) -> Error {
        Error::config(format!("cannot keep checkpoints in \"{}\": {why}", self.inner.root))
            .hint("two attempts of a job could both believe they own it; use another store")
    }
}
