//! What is said when nothing comes: after three seconds why, and again when the reason changes.

use std::time::{Duration, Instant};

use headwater::MetricsSnapshot;
use headwater_sql::splits::SplitBoard;

use super::why::{Held, Why};
use crate::status::now;

/// After this long without a row it says why.
const PATIENCE: Duration = Duration::from_secs(3);

/// See the module documentation.
#[derive(Default)]
pub(super) struct Silence {
    /// Since when nothing has come, and what the metrics were then.
    since: Option<(Instant, MetricsSnapshot)>,
    why: Option<Why>,
}

impl Silence {
    /// Something has come.
    pub(super) fn ends(&mut self) {
        (self.since, self.why) = (None, None);
    }

    /// Nothing has come still; tells whether there is a new reason.
    pub(super) fn lasts(&mut self, splits: &SplitBoard, metrics: &MetricsSnapshot) -> bool {
        let (since, then) = self.since.get_or_insert_with(|| (Instant::now(), metrics.clone()));
        if since.elapsed() < PATIENCE {
            return false;
        }
        let held = splits.holding().map(|standing| Held::of(&standing, now()));
        let why = Why::of(then, metrics, held);
        let changed = self.why.as_ref().is_none_or(|known| !known.is_like(&why));
        self.why = Some(why);
        changed
    }

    /// The reason, for a reader who has got this many rows so far.
    pub(super) fn sentence(&self, rows: u64) -> Option<String> {
        let why = self.why.as_ref()?;
        Some(match rows {
            0 => format!("no result yet: {why}"),
            _ => format!("no new result: {why}"),
        })
    }
}

/// A text in lines of up to `width` characters, broken between words.
pub(super) fn fold_words(text: &str, width: usize) -> Vec<String> {
    let mut lines: Vec<String> = Vec::new();
    for word in text.split(' ') {
        match lines.last_mut() {
            Some(last) if last.chars().count() + 1 + word.chars().count() <= width => {
                last.push(' ');
                last.push_str(word);
            }
            _ => lines.push(word.chars().take(width).collect()),
        }
    }
    lines
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn silence_is_explained() {
        let mut silence = Silence::default();
        assert_eq!(silence.sentence(0), None);
        silence.why = Some(Why::Filtered { records: 5 });
        let reason = "5 rows were read and none has got through";
        assert_eq!(silence.sentence(0), Some(format!("no result yet: {reason}")));
        assert_eq!(silence.sentence(9), Some(format!("no new result: {reason}")));
        silence.ends();
        assert_eq!(silence.sentence(9), None);
    }

    #[test]
    fn reasons_are_broken_between_words() {
        assert_eq!(fold_words("ab cd efgh", 5), ["ab cd", "efgh"]);
        assert_eq!(fold_words("abcdefg h", 5), ["abcde", "h"]);
    }
}
