//! How a file's bytes are compressed: told by its name on the way in, by an option on the way out.

use std::path::Path;

/// Compression of a whole file.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Compression {
    /// Plain bytes. The default.
    #[default]
    None,
    /// gzip, one or more members; extension `.gz`.
    Gzip,
    /// Zstandard, one or more frames; extension `.zst`.
    Zstd,
}

impl Compression {
    /// The compression that a file's extension names.
    ///
    /// # Examples
    /// ```
    /// use headwater_files::Compression;
    /// assert_eq!(Compression::of("orders.jsonl.gz".as_ref()), Compression::Gzip);
    /// assert_eq!(Compression::of("orders.jsonl".as_ref()), Compression::None);
    /// ```
    pub fn of(path: &Path) -> Compression {
        match path.extension() {
            Some(e) if e.eq_ignore_ascii_case("gz") => Compression::Gzip,
            Some(e) if e.eq_ignore_ascii_case("zst") => Compression::Zstd,
            _ => Compression::None,
        }
    }

    /// What a file's name ends in, with its dot; empty for plain files.
    pub const fn suffix(self) -> &'static str {
        match self {
            Compression::None => "",
            Compression::Gzip => ".gz",
            Compression::Zstd => ".zst",
        }
    }
}
