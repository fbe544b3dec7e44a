//! Where records enter and leave: every connector, and the contracts to write your own.
//!
//! Each module has a function of its own name that makes the source or the sink:
//! `generator::generator`, `console::console`, `files::source` and `files::sink`.
//!
//! A connector of your own implements [`Source`] or [`Sink`]; [`conformance`] holds the suites that
//! every connector has to pass.

pub use headwater_connect::{
    BadRecord, Committable, Committer, Discovery, Guarantee, Position, ReadBuffer, ReadStatus,
    Reader, Sink, Source, SplitId, Wake, WriteStatus, Writer, WriterContext,
};
pub use headwater_connect::{
    blackhole, callback, collect, collection, conformance, console, dead_letters, generator, lines,
    nexmark,
};
pub use headwater_files as files;
