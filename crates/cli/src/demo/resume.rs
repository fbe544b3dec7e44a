//! Where in event time the demo starts: at the present, also when it goes on from a checkpoint.
//!
//! Event `n` has the time `first + n / rate`. A demo that has given `n` events already and starts
//! again thus needs `first = now - n / rate`: the auction goes on now, and the time in which it did
//! not run is a gap.

use headwater::{EventTime, ProcessingTime};
use headwater_checkpoint::{Location, inspect};

use super::job::{SLIDE, SOURCE};

/// How long after the start the first window ends, in milliseconds of event time.
const FIRST_END_MS: i64 = 200;

/// How many events a checkpoint directory has seen; `None` if it has none, or cannot tell: then the
/// start of the job says why.
pub(super) fn events_before(directory: Option<&str>) -> Option<u64> {
    let location = Location::open_existing(directory?).ok()?;
    let newest = inspect::show(&location, None).ok()?;
    newest.manifest.counters.get(&format!("{SOURCE}/records_in")).copied()
}

/// The time of event 0, such that event `events` happens now, or up to a slide ago so that the
/// first result does not take long.
pub(super) fn first_event_time(now: ProcessingTime, events: u64, rate: u32) -> EventTime {
    let slide = headwater_core::time::millis(SLIDE);
    let start = now.0 - (now.0 + FIRST_END_MS).rem_euclid(slide);
    let before = events as f64 * 1e3 / f64::from(rate);
    EventTime(start.saturating_sub(before as i64))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_window_ends_soon_after_the_start() {
        for now in [1_700_000_000_000, 1_700_000_000_799, 1_700_000_000_801, 1_700_000_000_999] {
            let start = first_event_time(ProcessingTime(now), 0, 200_000).0;
            assert!((now - 999..=now).contains(&start));
            assert_eq!(start.rem_euclid(1_000), 800);
        }
    }

    #[test]
    fn a_resumed_auction_goes_on_now() {
        let now = ProcessingTime(1_700_000_000_900);
        let first = first_event_time(now, 500_000, 1_000);
        assert_eq!(first.0 + 500_000, 1_700_000_000_800);
    }

    #[test]
    fn a_directory_without_a_checkpoint_tells_nothing() {
        let dir = tempfile::tempdir().unwrap();
        assert_eq!(events_before(dir.path().to_str()), None);
        assert_eq!(events_before(dir.path().join("missing").to_str()), None);
        assert_eq!(events_before(None), None);
    }
}
