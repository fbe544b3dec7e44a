//! Short names for durations: `secs(5)`, `mins(1)`.

use std::time::Duration;

/// A duration of `n` milliseconds.
pub const fn millis(n: u64) -> Duration {
    Duration::from_millis(n)
}

/// A duration of `n` seconds.
pub const fn secs(n: u64) -> Duration {
    Duration::from_secs(n)
}

/// A duration of `n` minutes, as long as one can be if that is less.
pub const fn mins(n: u64) -> Duration {
    Duration::from_secs(n.saturating_mul(60))
}

/// A duration of `n` hours, as long as one can be if that is less.
pub const fn hours(n: u64) -> Duration {
    Duration::from_secs(n.saturating_mul(3_600))
}

/// A duration of `n` days of 24 hours, as long as one can be if that is less.
pub const fn days(n: u64) -> Duration {
    Duration::from_secs(n.saturating_mul(86_400))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn units_relate() {
        assert_eq!(millis(1_000), secs(1));
        assert_eq!(mins(1), secs(60));
        assert_eq!(hours(24), days(1));
        assert_eq!(days(u64::MAX), Duration::from_secs(u64::MAX));
    }
}
