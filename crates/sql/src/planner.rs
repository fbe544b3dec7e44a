//! From statements to jobs: DataFusion makes a logical plan of the text, we make a topology of the
//! plan, or run it on DataFusion where all its rows are there.
//!
//! Reading order: [`prepare`] → [`context`] → [`tables`] → [`relations`] → [`logical`] → [`nodes`] →
//! [`step`] → [`translate`] → [`changelog`] → [`growth`] → [`build`] → [`job`]; [`batch`] for bounded
//! queries.

pub(crate) mod batch;
pub(crate) mod build;
pub(crate) mod changelog;
pub(crate) mod context;
pub(crate) mod engine;
pub(crate) mod explain;
pub(crate) mod feed;
mod float_casts;
pub(crate) mod growth;
pub(crate) mod insert;
pub(crate) mod job;
pub(crate) mod logical;
mod markers;
pub(crate) mod nodes;
mod prepare;
mod prune;
mod ranking;
mod relations;
mod row_casts;
pub(crate) mod step;
pub(crate) mod tables;
mod translate;
