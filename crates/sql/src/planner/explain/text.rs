//! Expressions as DataFusion prints them, in the spelling of the dialect.

use std::borrow::Cow;
use std::sync::LazyLock;

use regex::{Captures, Regex};

use crate::syntax::print::interval;

/// An expression without the numbers of its columns, with its intervals as they are written.
pub(super) fn plain(text: &str) -> String {
    let mut plain = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(at) = rest.find('@') {
        let (before, after) = rest.split_at(at);
        plain.push_str(before);
        let digits =
            after[1..].len() - after[1..].trim_start_matches(|c: char| c.is_ascii_digit()).len();
        if digits == 0 {
            plain.push('@');
        }
        rest = &after[1 + digits..];
    }
    plain.push_str(rest);
    intervals(&plain).into_owned()
}

/// A plan with its intervals as they are written.
pub(crate) fn intervals(text: &str) -> Cow<'_, str> {
    static PRINTED: LazyLock<Option<Regex>> = LazyLock::new(|| {
        let fields =
            r"IntervalMonthDayNano \{ months: (-?\d+), days: (-?\d+), nanoseconds: (-?\d+) \}";
        Regex::new(&format!(r#"IntervalMonthDayNano\("{fields}"\)|{fields}"#)).ok()
    });
    let written = |found: &Captures<'_>| {
        let parts = (1..=6).filter_map(|part| found.get(part)?.as_str().parse::<i64>().ok());
        match parts.collect::<Vec<_>>()[..] {
            [months, 0, 0] if months != 0 => format!("INTERVAL '{months}' MONTH"),
            [0, days, nanos] if nanos % 1_000_000 == 0 => {
                interval(days.saturating_mul(86_400_000).saturating_add(nanos / 1_000_000))
            }
            _ => found[0].to_owned(),
        }
    };
    match &*PRINTED {
        Some(printed) => printed.replace_all(text, written),
        None => Cow::Borrowed(text),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_of_columns_are_left_out() {
        assert_eq!(plain("a@0 + b@12 > '@'"), "a + b > '@'");
    }

    #[test]
    fn intervals_are_as_they_are_written() {
        let second = "IntervalMonthDayNano { months: 0, days: 0, nanoseconds: 1000000000 }";
        assert_eq!(plain(&format!("ts@1 - {second}")), "ts - INTERVAL '1' SECOND");
        let logical = format!("ts - IntervalMonthDayNano(\"{second}\"), x");
        assert_eq!(intervals(&logical), "ts - INTERVAL '1' SECOND, x");
        let other = "IntervalMonthDayNano { months: 14, days: 0, nanoseconds: 0 }";
        assert_eq!(intervals(other), "INTERVAL '14' MONTH");
        let mixed = "IntervalMonthDayNano { months: 1, days: 2, nanoseconds: 3 }";
        assert_eq!(intervals(mixed), mixed);
    }
}
