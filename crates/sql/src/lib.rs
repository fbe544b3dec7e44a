//! SQL for Headwater: the same query over files and live topics.
//!
//! DataFusion parses, plans, optimises and evaluates; the streaming operators are ours and run in
//! the one engine. A query over bounded tables runs on DataFusion itself.
//!
//! Reading order: [`syntax`] → [`catalog`] → [`planner`] → [`operators`] → [`session`].

pub mod bridge;
pub mod catalog;
pub mod connectors;
pub mod error;
pub mod formats;
pub mod functions;
pub mod keys;
pub mod nexmark;
pub mod operators;
pub mod planner;
pub mod rows;
pub mod session;
pub mod splits;
mod stack;
pub mod syntax;
