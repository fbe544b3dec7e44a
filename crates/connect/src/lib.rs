//! Where records enter and leave: the source and sink contracts, and the light connectors.
//!
//! A [`Source`] is a set of splits, each read by a [`Reader`] whose [`Position`] goes into the
//! checkpoint. A [`Sink`] gives every worker a [`Writer`]; a sink that is exactly-once end to end
//! also has a [`Committer`], which makes an epoch's output visible once its checkpoint is durable.
//!
//! Connectors with heavy dependencies live in crates of their own and implement the same traits;
//! [`conformance`] holds the suites that every connector runs.

pub mod blackhole;
pub mod callback;
pub mod collect;
pub mod collection;
pub mod conformance;
pub mod console;
pub mod dead_letters;
pub mod generator;
pub mod lines;
pub mod measure;
pub mod nexmark;
pub mod sink;
pub mod source;
pub mod transaction;

pub use measure::{Latencies, Measure, MeasureKind, SummaryName};
pub use sink::{
    AttemptContext, Committable, Committer, Guarantee, Sink, WriteStatus, Writer, WriterContext,
};
pub use source::{
    BadRecord, Discovery, Position, ReadBuffer, ReadStatus, Reader, Source, SplitId, Wake,
};
pub use transaction::{LogPosition, Recovered, StateBlock, Transaction, TransactionLog};
