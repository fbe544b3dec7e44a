//! What `SET` sets: a closed list of keys, Flink's where Flink has them.
//!
//! Invariant: a value that is in [`Settings`] can be read; wrong ones are refused when set.

use std::collections::BTreeMap;
use std::time::Duration;

use crate::error::{SqlError, SqlResult, codes};

/// A setting.
#[derive(Clone, Copy, Debug)]
pub struct SettingSpec {
    /// Its key.
    pub key: &'static str,
    /// What its values are.
    pub kind: SettingKind,
    /// Its value where none was set; none: there is none.
    pub default: Option<&'static str>,
    /// What it does, one sentence.
    pub help: &'static str,
}

/// What the values of a setting are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SettingKind {
    /// Any text.
    Text,
    /// `true` or `false`.
    Boolean,
    /// A whole number, not negative.
    Count,
    /// `1 d`, `5 s`, `500 ms`; a number alone is milliseconds.
    Duration,
    /// One of these.
    Choice(&'static [&'static str]),
}

const fn spec(
    key: &'static str,
    kind: SettingKind,
    default: Option<&'static str>,
    help: &'static str,
) -> SettingSpec {
    SettingSpec { key, kind, default, help }
}

/// How queries are run.
pub const RUNTIME_MODE: &str = "execution.runtime-mode";
/// How long state that nothing touches is kept.
pub const STATE_TTL: &str = "table.exec.state.ttl";
/// Name of the next job.
pub const JOB_NAME: &str = "pipeline.name";
/// Number of workers.
pub const PARALLELISM: &str = "parallelism.default";
/// Number of key groups.
pub const MAX_PARALLELISM: &str = "pipeline.max-parallelism";
/// Time from one checkpoint to the next.
pub const CHECKPOINT_INTERVAL: &str = "execution.checkpointing.interval";
/// Where checkpoints are kept.
pub const CHECKPOINT_DIR: &str = "execution.checkpointing.dir";
/// Whether updates are gathered.
pub const MINI_BATCH: &str = "table.exec.mini-batch.enabled";
/// How long updates are gathered.
pub const MINI_BATCH_LATENCY: &str = "table.exec.mini-batch.allow-latency";
/// How many rows are gathered at most.
pub const MINI_BATCH_SIZE: &str = "table.exec.mini-batch.size";
/// Whether windows give results before they are complete.
pub const EARLY_FIRE: &str = "table.exec.emit.early-fire.enabled";
/// How long after a change they do.
pub const EARLY_FIRE_DELAY: &str = "table.exec.emit.early-fire.delay";
/// A split without rows for this long does not hold back watermarks.
pub const IDLE_TIMEOUT: &str = "table.exec.source.idle-timeout";

/// All settings.
pub const SETTINGS: &[SettingSpec] = &[
    spec(
        RUNTIME_MODE,
        SettingKind::Choice(&["automatic", "streaming", "batch"]),
        Some("automatic"),
        "automatic runs a query to its end where all its tables have one, and as a stream otherwise",
    ),
    spec(
        STATE_TTL,
        SettingKind::Duration,
        None,
        "how long state is kept that nothing touches; 0: for ever, and that is consented to",
    ),
    spec(JOB_NAME, SettingKind::Text, None, "the name of the next job"),
    spec(PARALLELISM, SettingKind::Count, None, "number of workers"),
    spec(MAX_PARALLELISM, SettingKind::Count, Some("1024"), "number of key groups of a job"),
    spec(CHECKPOINT_INTERVAL, SettingKind::Duration, None, "time from one checkpoint to the next"),
    spec(CHECKPOINT_DIR, SettingKind::Text, None, "directory or URL of checkpoints"),
    spec(
        MINI_BATCH,
        SettingKind::Boolean,
        Some("false"),
        "gathers updates of a key and gives out the last",
    ),
    spec(
        MINI_BATCH_LATENCY,
        SettingKind::Duration,
        Some("100 ms"),
        "how long updates are gathered at most",
    ),
    spec(MINI_BATCH_SIZE, SettingKind::Count, Some("8192"), "how many rows are gathered at most"),
    spec(
        EARLY_FIRE,
        SettingKind::Boolean,
        Some("false"),
        "windows give results before they are complete, and update them; as EMIT EVERY does",
    ),
    spec(
        EARLY_FIRE_DELAY,
        SettingKind::Duration,
        Some("1 s"),
        "how long after a change a window gives its result so far",
    ),
    spec(
        IDLE_TIMEOUT,
        SettingKind::Duration,
        None,
        "a split without rows for this long does not hold back watermarks",
    ),
    spec("table.local-time-zone", SettingKind::Choice(&["UTC"]), Some("UTC"), "the time zone"),
    spec("sql-client.execution.result-mode", SettingKind::Text, None, "how the shell shows rows"),
    spec(
        "table.optimizer.agg-phase-strategy",
        SettingKind::Text,
        None,
        "accepted for compatibility; the engine decides",
    ),
    spec(
        "table.optimizer.distinct-agg.split.enabled",
        SettingKind::Boolean,
        None,
        "accepted for compatibility; the engine decides",
    ),
    spec(
        "table.exec.sink.upsert-materialize",
        SettingKind::Text,
        None,
        "accepted for compatibility; the engine decides",
    ),
    spec(
        "table.dml-sync",
        SettingKind::Boolean,
        None,
        "accepted for compatibility; `headwater run` waits",
    ),
    spec("execution.target", SettingKind::Text, None, "accepted for compatibility"),
    spec("state.backend.type", SettingKind::Text, None, "accepted for compatibility"),
];

/// What is set.
#[derive(Clone, Debug, Default)]
pub struct Settings {
    values: BTreeMap<String, String>,
}

impl Settings {
    /// Sets a value.
    ///
    /// # Errors
    /// When there is no such setting, or it can't have the value.
    pub fn set(&mut self, key: &str, value: &str) -> SqlResult<()> {
        let spec = find(key)?;
        check(spec, value)?;
        self.values.insert(key.to_owned(), value.to_owned());
        Ok(())
    }

    /// Takes defaults back: of one setting, or of all.
    ///
    /// # Errors
    /// When there is no such setting.
    pub fn reset(&mut self, key: Option<&str>) -> SqlResult<()> {
        match key {
            None => self.values.clear(),
            Some(key) => _ = self.values.remove(find(key)?.key),
        }
        Ok(())
    }

    /// The value of a setting, or its default.
    pub fn get(&self, key: &str) -> Option<&str> {
        let set = self.values.get(key).map(String::as_str);
        set.or_else(|| SETTINGS.iter().find(|s| s.key == key).and_then(|s| s.default))
    }

    /// Whether a value was set.
    pub fn is_set(&self, key: &str) -> bool {
        self.values.contains_key(key)
    }

    /// The value of a duration.
    pub fn duration(&self, key: &str) -> Option<Duration> {
        self.get(key).and_then(duration)
    }

    /// The value of a number.
    pub fn count(&self, key: &str) -> Option<u64> {
        self.get(key).and_then(|v| v.trim().parse().ok())
    }

    /// The value of a boolean.
    pub fn flag(&self, key: &str) -> bool {
        self.get(key).is_some_and(|v| v.trim().eq_ignore_ascii_case("true"))
    }

    /// All settings with their values.
    pub fn list(&self) -> impl Iterator<Item = (&'static SettingSpec, Option<&str>)> {
        SETTINGS.iter().map(|spec| (spec, self.get(spec.key)))
    }
}

fn find(key: &str) -> SqlResult<&'static SettingSpec> {
    SETTINGS.iter().find(|s| s.key == key).ok_or_else(|| {
        SqlError::new(codes::UNKNOWN_SETTING, format!("there is no setting '{key}'")).names(
            key,
            "settings",
            SETTINGS.iter().map(|s| s.key),
        )
    })
}

fn check(spec: &SettingSpec, value: &str) -> SqlResult<()> {
    let fits = match spec.kind {
        SettingKind::Text => Ok(()),
        SettingKind::Boolean => match value.trim().to_ascii_lowercase().as_str() {
            "true" | "false" => Ok(()),
            _ => Err("true or false".to_owned()),
        },
        SettingKind::Count => {
            value.trim().parse::<u32>().map(|_| ()).map_err(|_| "a whole number".to_owned())
        }
        SettingKind::Duration => duration(value)
            .map(|_| ())
            .ok_or("a duration such as '1 d', '5 s' or '500 ms'".to_owned()),
        SettingKind::Choice(choices) => {
            if choices.contains(&value) {
                Ok(())
            } else {
                Err(choices.join(", "))
            }
        }
    };
    fits.map_err(|values| {
        let message = format!("'{}' cannot be '{value}'", spec.key);
        SqlError::new(codes::BAD_SETTING, message).help(format!("it is {values}"))
    })
}

/// `1 d`, `5 s`, `500 ms`, `2 min`; a number alone is milliseconds.
pub(crate) fn duration(text: &str) -> Option<Duration> {
    let text = text.trim();
    let digits = text.len() - text.trim_start_matches(|c: char| c.is_ascii_digit()).len();
    let count: u64 = text[..digits].parse().ok()?;
    let unit = match text[digits..].trim().to_ascii_lowercase().as_str() {
        "" | "ms" | "milli" | "millis" | "millisecond" | "milliseconds" => 1,
        "s" | "sec" | "secs" | "second" | "seconds" => 1_000,
        "m" | "min" | "mins" | "minute" | "minutes" => 60_000,
        "h" | "hour" | "hours" => 3_600_000,
        "d" | "day" | "days" => 86_400_000,
        _ => return None,
    };
    count.checked_mul(unit).map(Duration::from_millis)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_are_checked_when_set() {
        let mut settings = Settings::default();
        assert_eq!(settings.get(RUNTIME_MODE), Some("automatic"));
        settings.set(RUNTIME_MODE, "batch").unwrap();
        assert_eq!(settings.get(RUNTIME_MODE), Some("batch"));
        let e = settings.set(RUNTIME_MODE, "fast").unwrap_err();
        assert_eq!(e.message, "'execution.runtime-mode' cannot be 'fast'");
        let e = settings.set("execution.runtimemode", "batch").unwrap_err();
        assert_eq!(e.label.as_deref(), Some("did you mean `execution.runtime-mode`?"));
        settings.set(STATE_TTL, "2 h").unwrap();
        assert_eq!(settings.duration(STATE_TTL), Some(Duration::from_secs(7200)));
        settings.reset(None).unwrap();
        assert!(!settings.is_set(STATE_TTL));
    }

    #[test]
    fn durations_have_units() {
        assert_eq!(duration("0"), Some(Duration::ZERO));
        assert_eq!(duration(" 15 min "), Some(Duration::from_secs(900)));
        assert_eq!(duration("1day"), Some(Duration::from_secs(86_400)));
        assert_eq!(duration("soon"), None);
        assert_eq!(duration("99999999999999999999 d"), None);
    }
}
