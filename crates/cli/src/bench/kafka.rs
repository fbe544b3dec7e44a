//! `headwater bench kafka`: Kafka to Kafka, with a real broker.
//!
//! ```text
//! headwater bench kafka fill                               a topic of Nexmark bids as JSON
//! headwater bench kafka drain --job map|window             records a second through a job
//! headwater bench kafka latency --job map|count            from a producer to a consumer, through a job
//! headwater bench kafka floor                              the same without a job
//! ```
//! The load and the meter of `latency` and `floor` run in a process of their own, so that CPU time
//! and memory are those of the engine.

mod drain;
mod fill;
mod jobs;
mod latency;
mod load;

use headwater::prelude::*;
use headwater_connect::Guarantee;

/// Options of `headwater bench kafka`.
#[derive(Debug, clap::Args)]
pub(super) struct KafkaArgs {
    #[command(subcommand)]
    command: KafkaCommand,
}

#[derive(Debug, clap::Subcommand)]
enum KafkaCommand {
    /// Write a topic of Nexmark bids as JSON, keyed by auction
    Fill(fill::FillArgs),
    /// Measure records a second through a job that drains a topic into another one
    Drain(drain::DrainArgs),
    /// Measure the time from a producer to a consumer through a job
    Latency(latency::LatencyArgs),
    /// Measure the same without a job
    Floor(latency::FloorArgs),
    /// Load and meter of `latency`
    #[command(hide = true)]
    Load(load::LoadArgs),
}

/// Runs the case and prints the figures.
pub(super) fn run(args: &KafkaArgs) -> Result<()> {
    match &args.command {
        KafkaCommand::Fill(args) => fill::run(args),
        KafkaCommand::Drain(args) => drain::run(args),
        KafkaCommand::Latency(args) => latency::run(args),
        KafkaCommand::Floor(args) => latency::floor(args),
        KafkaCommand::Load(args) => load::run(args),
    }
}

/// Where the broker is.
#[derive(Clone, Debug, clap::Args)]
struct BrokerArgs {
    /// The broker, host:port; `cargo xtask services up kafka` starts one
    #[arg(long, env = "HEADWATER_KAFKA", value_name = "HOST:PORT")]
    bootstrap: String,
}

/// What the measured job promises.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
enum GuaranteeArg {
    /// A record may be written twice after a failure
    AtLeastOnce,
    /// Output is seen once, when its transaction is committed
    ExactlyOnce,
}

impl GuaranteeArg {
    fn guarantee(self) -> Guarantee {
        match self {
            GuaranteeArg::AtLeastOnce => Guarantee::AtLeastOnce,
            GuaranteeArg::ExactlyOnce => Guarantee::ExactlyOnce,
        }
    }

    fn name(self) -> &'static str {
        match self {
            GuaranteeArg::AtLeastOnce => "at-least-once",
            GuaranteeArg::ExactlyOnce => "exactly-once",
        }
    }
}
