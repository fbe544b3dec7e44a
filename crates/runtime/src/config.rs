//! How a job is run: plain data.

use std::time::Duration;

/// How a job is run.
///
/// ```
/// use headwater_runtime::{CheckpointConfig, Config};
/// let config = Config { workers: 2, ..Config::default() };
/// assert_eq!(config.checkpoints.retained, 3);
/// ```
#[derive(Clone, Debug)]
pub struct Config {
    /// Worker threads; the answer does not depend on it. Default: all cores.
    pub workers: usize,
    /// Whether and where state is kept.
    pub checkpoints: CheckpointConfig,
    /// How output becomes visible exactly once.
    pub exactly_once: ExactlyOnceConfig,
    /// What happens after a failure.
    pub restart: RestartStrategy,
    /// Most records that may be on their way between groups and in sinks' queues.
    pub max_in_flight_records: usize,
    /// Start although the checkpoint holds state of steps that this job does not have.
    pub allow_unmatched_state: bool,
}

impl Default for Config {
    fn default() -> Self {
        Config {
            workers: std::thread::available_parallelism().map_or(1, usize::from),
            checkpoints: CheckpointConfig::default(),
            exactly_once: ExactlyOnceConfig::default(),
            restart: RestartStrategy::default(),
            max_in_flight_records: 128 * 1024,
            allow_unmatched_state: false,
        }
    }
}

/// Whether and where state is kept.
#[derive(Clone, Debug)]
pub struct CheckpointConfig {
    /// Directory or URL. `None`: in this process's memory, which survives a failed attempt but not
    /// the process.
    pub location: Option<String>,
    /// Time from one checkpoint to the next; `None`: only at the end and when asked.
    pub interval: Option<Duration>,
    /// How many checkpoints are kept.
    pub retained: usize,
    /// How many checkpoints in a row may fail before the attempt does.
    pub tolerable_failures: u32,
}

impl Default for CheckpointConfig {
    fn default() -> Self {
        CheckpointConfig {
            location: None,
            interval: Some(Duration::from_secs(1)),
            retained: 3,
            tolerable_failures: 10,
        }
    }
}

/// How output becomes visible exactly once.
#[derive(Clone, Debug)]
pub struct ExactlyOnceConfig {
    /// Which form is taken.
    pub form: ExactlyOnceForm,
    /// In one transaction: time from one commit to the next. Output is visible after about this
    /// long; 20 ms unless said otherwise.
    pub commit_interval: Duration,
}

impl Default for ExactlyOnceConfig {
    fn default() -> Self {
        ExactlyOnceConfig {
            form: ExactlyOnceForm::default(),
            commit_interval: Duration::from_millis(20),
        }
    }
}

/// The form of exactly-once output.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum ExactlyOnceForm {
    /// In one transaction where all sources and sinks are in one transactional system, else per
    /// sink. The default.
    #[default]
    Automatic,
    /// Each sink makes an epoch visible by itself, once its checkpoint is durable.
    PerSink,
}

/// What happens after a failed attempt. Failures are counted since the last completed checkpoint.
///
/// Errors that a restart cannot mend (configuration, plan, mismatching state, fenced) end the job
/// under every strategy.
#[derive(Clone, Debug, PartialEq)]
pub enum RestartStrategy {
    /// The job fails.
    None,
    /// Start again after `delay`, up to `attempts` times.
    FixedDelay {
        /// Restarts allowed.
        attempts: u32,
        /// Pause before each.
        delay: Duration,
    },
    /// Start again after a pause that grows by `factor` from `initial` to `max`.
    ExponentialBackoff {
        /// First pause.
        initial: Duration,
        /// Longest pause.
        max: Duration,
        /// Growth from one pause to the next.
        factor: f64,
        /// Restarts allowed.
        attempts: u32,
    },
}

impl Default for RestartStrategy {
    fn default() -> Self {
        RestartStrategy::ExponentialBackoff {
            initial: Duration::from_millis(100),
            max: Duration::from_secs(10),
            factor: 2.0,
            attempts: 5,
        }
    }
}

impl RestartStrategy {
    /// The pause before the restart after the `failures`-th failure in a row; `None`: give up.
    pub fn pause(&self, failures: u32) -> Option<Duration> {
        match *self {
            RestartStrategy::None => None,
            RestartStrategy::FixedDelay { attempts, delay } => {
                (failures <= attempts).then_some(delay)
            }
            RestartStrategy::ExponentialBackoff { initial, max, factor, attempts } => {
                let growth = factor.max(1.0).powi(failures.saturating_sub(1).min(64) as i32);
                let pause = initial.as_secs_f64() * growth;
                let pause = Duration::try_from_secs_f64(pause).map_or(max, |p| p.min(max));
                (failures <= attempts).then_some(pause)
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pauses_grow_up_to_the_budget() {
        let strategy = RestartStrategy::default();
        let pauses: Vec<_> = (1..=6).map(|n| strategy.pause(n).map(|p| p.as_millis())).collect();
        assert_eq!(pauses, [Some(100), Some(200), Some(400), Some(800), Some(1600), None]);
        assert_eq!(RestartStrategy::None.pause(1), None);
    }
}
