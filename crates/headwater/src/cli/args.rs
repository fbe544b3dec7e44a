//! The flags of a job, and what they mean for its [`Config`].

use std::ffi::OsString;
use std::net::SocketAddr;
use std::num::NonZeroUsize;
use std::time::Duration;

use clap::{Args, Parser, Subcommand, ValueEnum};
use headwater_core::Result;
use headwater_runtime::{CheckpointConfig, Config, RestartStrategy};

use crate::logs::{self, LogFormat};
use crate::metrics_http::check_address;

/// Runs or explains this job.
#[derive(Debug, Parser)]
#[command(disable_version_flag = true)]
pub(crate) struct Cli {
    #[command(flatten)]
    pub(crate) log: LogArgs,
    #[command(subcommand)]
    pub(crate) verb: Verb,
}

/// What to do with the job.
#[derive(Debug, Subcommand)]
pub(crate) enum Verb {
    /// Run the job until its input ends or Ctrl-C stops it; what happens without a verb
    Run(RunArgs),
    /// Print the steps of the job and how records get from one to the next
    #[command(visible_alias = "describe")]
    Explain(ExplainArgs),
}

#[derive(Debug, Args)]
pub(crate) struct RunArgs {
    #[command(flatten)]
    pub(crate) job: JobArgs,
}

#[derive(Debug, Args)]
pub(crate) struct ExplainArgs {
    /// Text for people, or Graphviz's DOT language
    #[arg(long, value_enum, default_value_t = ExplainFormat::Text)]
    pub(crate) format: ExplainFormat,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum ExplainFormat {
    Text,
    Dot,
}

/// How much is logged, and how.
#[derive(Clone, Debug, Args)]
pub struct LogArgs {
    /// Log more: -v informs, -vv debugs
    #[arg(short, long, global = true, action = clap::ArgAction::Count)]
    #[arg(help_heading = "Logs")]
    pub verbose: u8,
    /// Say nothing but results and errors
    #[arg(short, long, global = true, conflicts_with = "verbose", help_heading = "Logs")]
    pub quiet: bool,
    /// How log lines look [default: human on a terminal, json otherwise]
    #[arg(long, value_enum, global = true, value_name = "FORMAT", help_heading = "Logs")]
    pub log_format: Option<LogFormat>,
}

impl LogArgs {
    /// Installs the logger that the flags ask for.
    ///
    /// # Errors
    /// See [`logs::init`].
    pub fn init(&self) -> Result<()> {
        let format = self.log_format.unwrap_or_else(LogFormat::automatic);
        logs::init(format, logs::level(self.verbose, self.quiet))
    }
}

/// How a job is run in the foreground.
#[derive(Clone, Debug, Args)]
#[command(next_help_heading = "Job")]
pub struct JobArgs {
    /// Worker threads; the answer does not depend on it [default: all cores]
    #[arg(long, value_name = "N", env = "HEADWATER_WORKERS")]
    pub workers: Option<NonZeroUsize>,
    /// Keep checkpoints in this directory, and go on from the newest one there
    #[arg(long, value_name = "DIR", env = "HEADWATER_CHECKPOINT_DIR")]
    pub checkpoint_dir: Option<String>,
    /// Time from one checkpoint to the next (500ms, 10s, 1m); `off`: only at the end
    #[arg(long, value_name = "DURATION", default_value = "1s", value_parser = interval)]
    pub checkpoint_interval: Interval,
    /// Stop after this long (10s, 5m), with a checkpoint
    #[arg(long = "for", value_name = "DURATION", value_parser = humantime::parse_duration)]
    pub run_for: Option<Duration>,
    /// What happens after a failure
    #[arg(long, value_enum, default_value_t = Restart::Backoff)]
    pub restart: Restart,
    /// Serve /metrics, /livez and /readyz on this loopback address; port 0 takes a free one
    #[arg(long, value_name = "127.0.0.1:PORT", value_parser = loopback)]
    #[arg(env = "HEADWATER_METRICS_ADDRESS")]
    pub metrics_address: Option<SocketAddr>,
    /// Start although the checkpoint has state of steps that this job does not have
    #[arg(long)]
    pub allow_unmatched_state: bool,
}

/// Time from one checkpoint to the next.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Interval {
    /// Only at the end and when asked.
    Off,
    /// This long.
    Every(Duration),
}

/// A restart strategy by name.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Restart {
    /// The job fails
    None,
    /// Up to 10 restarts in a row, a second after each failure
    Fixed,
    /// Up to 5 restarts in a row, after 0.1 to 10 seconds
    Backoff,
}

impl Restart {
    /// The strategy of that name.
    pub fn strategy(self) -> RestartStrategy {
        match self {
            Restart::None => RestartStrategy::None,
            Restart::Fixed => {
                RestartStrategy::FixedDelay { attempts: 10, delay: Duration::from_secs(1) }
            }
            Restart::Backoff => RestartStrategy::default(),
        }
    }
}

impl JobArgs {
    /// The configuration that the flags describe.
    pub fn config(&self) -> Config {
        let defaults = Config::default();
        Config {
            workers: self.workers.map_or(defaults.workers, NonZeroUsize::get),
            checkpoints: CheckpointConfig {
                location: self.checkpoint_dir.clone(),
                interval: match self.checkpoint_interval {
                    Interval::Off => None,
                    Interval::Every(interval) => Some(interval),
                },
                ..defaults.checkpoints
            },
            restart: self.restart.strategy(),
            allow_unmatched_state: self.allow_unmatched_state,
            ..defaults
        }
    }
}

fn interval(text: &str) -> std::result::Result<Interval, String> {
    if text == "off" {
        return Ok(Interval::Off);
    }
    match humantime::parse_duration(text) {
        Ok(interval) if interval.is_zero() => Err("must be positive; or `off`".to_owned()),
        Ok(interval) => Ok(Interval::Every(interval)),
        Err(e) => Err(format!("{e}; or `off`")),
    }
}

fn loopback(text: &str) -> std::result::Result<SocketAddr, String> {
    let address: SocketAddr =
        text.parse().map_err(|_| "not an address with a port; use 127.0.0.1:PORT".to_owned())?;
    check_address(&address).map_err(|why| {
        format!("{why}; use 127.0.0.1:PORT, and a reverse proxy for other machines")
    })?;
    Ok(address)
}

/// Puts the verb `run` behind the program's name when there is no verb: `prog --workers 2`.
pub(crate) fn with_default_verb(mut args: Vec<OsString>) -> Vec<OsString> {
    const OTHERS: [&str; 6] = ["run", "explain", "describe", "help", "-h", "--help"];
    let given = args.iter().skip(1);
    let flag = |arg: Option<&OsString>| arg.is_none_or(|a| a.to_string_lossy().starts_with('-'));
    let named = given.clone().any(|arg| arg.to_str().is_some_and(|arg| OTHERS.contains(&arg)));
    if flag(args.get(1)) && !named {
        args.insert(1.min(args.len()), "run".into());
    }
    args
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(args: &[&str]) -> std::result::Result<Cli, clap::Error> {
        let args = ["squares"].iter().chain(args).map(OsString::from).collect();
        Cli::try_parse_from(with_default_verb(args))
    }

    fn job(args: &[&str]) -> JobArgs {
        match parse(args).unwrap().verb {
            Verb::Run(run) => run.job,
            other => panic!("{other:?}"),
        }
    }

    fn refused(args: &[&str]) -> String {
        parse(args).map(|_| ()).unwrap_err().to_string()
    }

    #[test]
    fn flags_become_a_configuration() {
        let args = job(&[
            "--workers=3",
            "--checkpoint-dir",
            "state",
            "--checkpoint-interval",
            "250ms",
            "--for",
            "10s",
            "--restart",
            "fixed",
            "--metrics-address",
            "127.0.0.1:9090",
            "--allow-unmatched-state",
        ]);
        let config = args.config();
        assert_eq!(config.workers, 3);
        assert_eq!(config.checkpoints.location.as_deref(), Some("state"));
        assert_eq!(config.checkpoints.interval, Some(Duration::from_millis(250)));
        assert_eq!(args.run_for, Some(Duration::from_secs(10)));
        assert!(matches!(config.restart, RestartStrategy::FixedDelay { attempts: 10, .. }));
        assert!(config.allow_unmatched_state);
    }

    #[test]
    fn defaults_are_those_of_the_library() {
        let (ours, theirs) = (job(&[]).config(), Config::default());
        assert_eq!(ours.workers, theirs.workers);
        assert_eq!(ours.restart, theirs.restart);
        assert_eq!(ours.checkpoints.interval, theirs.checkpoints.interval);
        assert_eq!(ours.checkpoints.location, None);
        assert_eq!(job(&["--checkpoint-interval", "off"]).config().checkpoints.interval, None);
    }

    #[test]
    fn run_is_the_verb_unless_there_is_another() {
        assert!(matches!(parse(&["-v", "--for", "1s"]).unwrap().verb, Verb::Run(_)));
        assert!(matches!(parse(&["describe"]).unwrap().verb, Verb::Explain(_)));
        let cli = parse(&["-v", "explain", "--format", "dot"]).unwrap();
        assert!(matches!(cli.verb, Verb::Explain(ExplainArgs { format: ExplainFormat::Dot })));
        assert_eq!(cli.log.verbose, 1);
        assert!(refused(&["explian"]).contains("'explain'"));
    }

    #[test]
    fn wrong_values_are_refused_with_what_to_do() {
        let open = refused(&["--metrics-address", "0.0.0.0:9090"]);
        assert!(open.contains("loopback address only; use 127.0.0.1:PORT"), "{open}");
        assert!(refused(&["--metrics-address", "9090"]).contains("use 127.0.0.1:PORT"));
        assert!(refused(&["--checkpoint-interval", "0s"]).contains("must be positive; or `off`"));
        assert!(refused(&["--checkpoint-interval", "soon"]).contains("or `off`"));
        assert!(refused(&["--workers", "0"]).contains("--workers"));
        assert!(refused(&["-q", "-v"]).contains("cannot be used with"));
    }
}
