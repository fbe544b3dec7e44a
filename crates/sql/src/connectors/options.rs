//! The options of tables: one list per connector and format, with types, defaults and help.
//!
//! The same list checks what a table says, gives the values, and is printed for people, so none of
//! the three can differ from the others. A key with `#` stands for many: `fields.#.kind`.
//!
//! Invariant: after [`Options::check`] every value can be read by its getter.

use std::time::Duration;

use crate::catalog::Table;
use crate::error::{SqlError, SqlResult, codes, did_you_mean};

/// An option that a connector or format has.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct OptionSpec {
    /// Its key; `#` stands for any text.
    pub key: &'static str,
    /// What its values are.
    pub kind: OptionKind,
    /// What it is where the table does not say it, as the table would; none: it is not set.
    pub default: Option<&'static str>,
    /// Whether a table must say it.
    pub required: bool,
    /// What it does, one sentence.
    pub help: &'static str,
}

/// What the values of an option are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum OptionKind {
    /// Any text.
    Text,
    /// One character.
    Character,
    /// A whole number, not negative.
    Count,
    /// A whole number.
    Integer,
    /// A number.
    Number,
    /// `true` or `false`.
    Boolean,
    /// `5 s`, `1 min`, `500 ms`.
    Duration,
    /// `64 mb`.
    Size,
    /// One of these.
    Choice(&'static [&'static str]),
}

impl OptionSpec {
    /// An option that need not be set.
    pub const fn new(key: &'static str, kind: OptionKind, help: &'static str) -> Self {
        OptionSpec { key, kind, default: None, required: false, help }
    }

    /// The same with a default.
    pub const fn or(mut self, default: &'static str) -> Self {
        self.default = Some(default);
        self
    }

    /// The same as an option that must be set.
    pub const fn required(mut self) -> Self {
        self.required = true;
        self
    }

    /// Whether this is the option of a key.
    pub fn matches(&self, key: &str) -> bool {
        match self.key.split_once('#') {
            None => self.key == key,
            Some((before, after)) => {
                key.len() > before.len() + after.len()
                    && key.starts_with(before)
                    && key.ends_with(after)
            }
        }
    }
}

impl OptionKind {
    /// What values look like, for an error and for help.
    pub fn describe(&self) -> String {
        match self {
            OptionKind::Text => "any text".into(),
            OptionKind::Character => "one character".into(),
            OptionKind::Count => "a whole number, 0 or more".into(),
            OptionKind::Integer => "a whole number".into(),
            OptionKind::Number => "a number".into(),
            OptionKind::Boolean => "'true' or 'false'".into(),
            OptionKind::Duration => "a duration such as '5 s', '1 min' or '500 ms'".into(),
            OptionKind::Size => "a size such as '64 mb'".into(),
            OptionKind::Choice(values) => {
                let quoted: Vec<String> = values.iter().map(|value| format!("'{value}'")).collect();
                format!("one of {}", quoted.join(", "))
            }
        }
    }

    fn accepts(&self, value: &str) -> bool {
        match self {
            OptionKind::Text => true,
            OptionKind::Character => character(value).is_some(),
            OptionKind::Count => value.trim().parse::<u64>().is_ok(),
            OptionKind::Integer => value.trim().parse::<i64>().is_ok(),
            OptionKind::Number => value.trim().parse::<f64>().is_ok_and(f64::is_finite),
            OptionKind::Boolean => boolean(value).is_some(),
            OptionKind::Duration => parse_duration(value).is_some(),
            OptionKind::Size => parse_size(value).is_some(),
            OptionKind::Choice(values) => values.iter().any(|v| v.eq_ignore_ascii_case(value)),
        }
    }
}

/// What a table says about the options of its connector.
#[derive(Clone, Copy)]
pub struct Options<'a> {
    table: &'a Table,
    specs: &'a [OptionSpec],
}

impl<'a> Options<'a> {
    /// Checks all options of a table.
    ///
    /// # Errors
    /// An option that is not in `specs`, with the nearest that is; a value that is none; an option
    /// that is missing. Each with its place.
    pub fn check(table: &'a Table, specs: &'a [OptionSpec]) -> SqlResult<Self> {
        let connector = table.connector()?;
        for (key, value) in &table.options {
            if key == "connector" {
                continue;
            }
            let Some(spec) = specs.iter().find(|spec| spec.matches(key)) else {
                return Err(unknown(table, connector, key, specs));
            };
            if !spec.kind.accepts(value) {
                let message = format!("option '{key}' can't be '{value}'");
                let error = table.value_error(key, codes::BAD_OPTION, message);
                return Err(error.help(format!("it is {}", spec.kind.describe())));
            }
        }
        match specs.iter().find(|s| s.required && table.option(s.key).is_none()) {
            Some(spec) => Err(SqlError::new(
                codes::MISSING_OPTION,
                format!(
                    "table `{}` has no option '{}', which connector '{connector}' needs",
                    table.name, spec.key
                ),
            )
            .help(format!("'{}' = {}: {}", spec.key, spec.kind.describe(), spec.help))),
            None => Ok(Options { table, specs }),
        }
    }

    /// The value as text, or the default.
    pub fn text(&self, key: &str) -> Option<&'a str> {
        let default = || self.specs.iter().find(|spec| spec.matches(key)).and_then(|s| s.default);
        self.table.option(key).or_else(default)
    }

    /// Whether the table says it.
    pub fn is_set(&self, key: &str) -> bool {
        self.table.option(key).is_some()
    }

    /// The value as a number that is not negative.
    pub fn count(&self, key: &str) -> Option<u64> {
        self.text(key)?.trim().parse().ok()
    }

    /// The value as a whole number.
    pub fn integer(&self, key: &str) -> Option<i64> {
        self.text(key)?.trim().parse().ok()
    }

    /// The value as a number.
    pub fn number(&self, key: &str) -> Option<f64> {
        self.text(key)?.trim().parse().ok()
    }

    /// Whether the value is `true`.
    pub fn is_true(&self, key: &str) -> bool {
        self.text(key).and_then(boolean).unwrap_or(false)
    }

    /// The value as a duration.
    pub fn duration(&self, key: &str) -> Option<Duration> {
        parse_duration(self.text(key)?)
    }

    /// The value as a number of bytes.
    pub fn size(&self, key: &str) -> Option<u64> {
        parse_size(self.text(key)?)
    }

    /// The value as a byte; escapes such as `\t` stand for themselves.
    pub fn character(&self, key: &str) -> Option<u8> {
        character(self.text(key)?)
    }

    /// The value as one of the choices, in lower case.
    pub fn choice(&self, key: &str) -> Option<String> {
        Some(self.text(key)?.to_ascii_lowercase())
    }

    /// The options whose keys begin with this, and the rest of their keys.
    pub fn with_prefix(&self, prefix: &str) -> Vec<(&'a str, &'a str)> {
        let table = self.table;
        let all = table.options.iter();
        all.filter_map(|(key, value)| Some((key.strip_prefix(prefix)?, value.as_str()))).collect()
    }

    /// The table.
    pub fn table(&self) -> &'a Table {
        self.table
    }

    /// An error about the value of an option, with its place.
    pub fn wrong(&self, key: &str, message: impl Into<String>) -> SqlError {
        self.table.value_error(key, codes::BAD_OPTION, message)
    }

    /// An error about an option that is missing.
    pub fn missing(&self, key: &str, why: &str) -> SqlError {
        let message = format!("table `{}` has no option '{key}', {why}", self.table.name);
        let error = SqlError::new(codes::MISSING_OPTION, message);
        match self.specs.iter().find(|spec| spec.matches(key)) {
            Some(spec) => error.help(format!("'{key}': {}", spec.help)),
            None => error,
        }
    }
}

fn unknown(table: &Table, connector: &str, key: &str, specs: &[OptionSpec]) -> SqlError {
    let message = format!("connector '{connector}' has no option '{key}'");
    let mut error = table.key_error(key, codes::UNKNOWN_OPTION, message);
    if let Some(hint) = did_you_mean(key, specs.iter().map(|spec| spec.key)) {
        error = error.label(hint.clone()).help(hint);
    }
    error.help(format!("`headwater connectors show {connector}` prints all options"))
}

fn boolean(value: &str) -> Option<bool> {
    match value.trim().to_ascii_lowercase().as_str() {
        "true" => Some(true),
        "false" => Some(false),
        _ => None,
    }
}

fn character(value: &str) -> Option<u8> {
    match value {
        "\\t" => Some(b'\t'),
        "\\n" => Some(b'\n'),
        "\\\\" => Some(b'\\'),
        _ => match value.as_bytes() {
            [byte] if byte.is_ascii() => Some(*byte),
            _ => None,
        },
    }
}

/// Splits `12 min` into its number and its unit.
fn number_and_unit(text: &str) -> Option<(u64, String)> {
    let text = text.trim();
    let end = text.find(|c: char| !c.is_ascii_digit()).unwrap_or(text.len());
    let number = text[..end].parse().ok()?;
    Some((number, text[end..].trim().to_ascii_lowercase()))
}

/// Reads a duration as Flink writes them: `5 s`, `1 min`, `500`; without a unit it is milliseconds.
pub fn parse_duration(text: &str) -> Option<Duration> {
    let (number, unit) = number_and_unit(text)?;
    let nanos: u64 = match unit.as_str() {
        "ns" | "nano" | "nanos" | "nanosecond" | "nanoseconds" => 1,
        "us" | "µs" | "micro" | "micros" | "microsecond" | "microseconds" => 1_000,
        "" | "ms" | "milli" | "millis" | "millisecond" | "milliseconds" => 1_000_000,
        "s" | "sec" | "secs" | "second" | "seconds" => 1_000_000_000,
        "m" | "min" | "minute" | "minutes" => 60_000_000_000,
        "h" | "hour" | "hours" => 3_600_000_000_000,
        "d" | "day" | "days" => 86_400_000_000_000,
        _ => return None,
    };
    let nanos = u128::from(number) * u128::from(nanos);
    Some(Duration::new(
        u64::try_from(nanos / 1_000_000_000).ok()?,
        u32::try_from(nanos % 1_000_000_000).ok()?,
    ))
}

/// Reads a size as Flink writes them: `64 mb`, `200b`, `1024`; a kilobyte is 1024 bytes.
pub fn parse_size(text: &str) -> Option<u64> {
    let (number, unit) = number_and_unit(text)?;
    let shift = match unit.as_str() {
        "" | "b" | "byte" | "bytes" => 0,
        "k" | "kb" | "kib" | "kibibytes" => 10,
        "m" | "mb" | "mib" | "mebibytes" => 20,
        "g" | "gb" | "gib" | "gibibytes" => 30,
        "t" | "tb" | "tib" | "tebibytes" => 40,
        _ => return None,
    };
    number.checked_mul(1 << shift)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations_and_sizes_are_read_as_flink_writes_them() {
        let ms = |text| parse_duration(text).map(|d| d.as_millis());
        assert_eq!(ms("5 s"), Some(5_000));
        assert_eq!(ms("5S"), Some(5_000));
        assert_eq!(ms("1min"), Some(60_000));
        assert_eq!(ms("250"), Some(250));
        assert_eq!(ms("2 days"), Some(172_800_000));
        assert_eq!(ms("s"), None);
        assert_eq!(ms("5 weeks"), None);
        assert_eq!(ms("-5 s"), None);
        assert_eq!(parse_size("64 mb"), Some(64 << 20));
        assert_eq!(parse_size("200b"), Some(200));
        assert_eq!(parse_size("64 mbit"), None);
        assert_eq!(parse_size("99999999999999 tb"), None);
    }

    #[test]
    fn a_key_may_stand_for_many() {
        let spec = OptionSpec::new("fields.#.kind", OptionKind::Text, "");
        assert!(spec.matches("fields.a.kind"));
        assert!(spec.matches("fields.a.b.kind"));
        assert!(!spec.matches("fields.kind"));
        assert!(!spec.matches("fields..kindly"));
        assert!(OptionSpec::new("properties.#", OptionKind::Text, "").matches("properties.acks"));
    }
}
