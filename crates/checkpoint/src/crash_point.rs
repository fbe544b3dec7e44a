//! Named places at which a test can make the process die.
//!
//! With `HEADWATER_CRASH_POINT=name` the process aborts the first time it gets to that place, with
//! `name:3` the third time. Without the variable a crash point is one load of an initialised cell.
//! Only for tests: nothing in production sets the variable.

use std::sync::OnceLock;
use std::sync::atomic::{AtomicU64, Ordering};

/// The environment variable that names the crash point.
pub const CRASH_POINT_VAR: &str = "HEADWATER_CRASH_POINT";

/// The crash points of this crate, in the order a job meets them.
pub const CRASH_POINTS: &[&str] = &[
    "job.before-write",
    "job.after-write",
    "fence.before-write",
    "fence.after-write",
    "segment.before-write",
    "segment.after-write",
    "manifest.before-write",
    "manifest.after-write",
    "latest.before-write",
    "latest.after-write",
    "retire.before-delete",
    "retire.after-delete",
    "merge.before-write",
    "merge.after-write",
    "orphans.before-delete",
    "orphans.after-delete",
];

struct Armed {
    name: String,
    hit: u64,
    hits: AtomicU64,
}

static ARMED: OnceLock<Option<Armed>> = OnceLock::new();

/// Aborts the process if this is the crash point, and the hit of it, that the environment names.
///
/// # Examples
/// ```
/// headwater_checkpoint::crash_point("manifest.before-write"); // nothing happens: not armed
/// ```
pub fn crash_point(name: &str) {
    let armed = ARMED.get_or_init(|| parse(&std::env::var(CRASH_POINT_VAR).ok()?));
    let Some(armed) = armed else { return };
    if armed.name == name && armed.hits.fetch_add(1, Ordering::Relaxed) + 1 == armed.hit {
        std::process::abort();
    }
}

fn parse(text: &str) -> Option<Armed> {
    let (name, hit) = match text.rsplit_once(':') {
        Some((name, hit)) => (name, hit.parse().ok()?),
        None => (text, 1),
    };
    (!name.is_empty()).then(|| Armed { name: name.into(), hit, hits: AtomicU64::new(0) })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_variable_names_a_point_and_a_hit() {
        let armed = |text| parse(text).map(|a| (a.name, a.hit));
        assert_eq!(armed("a.b"), Some(("a.b".into(), 1)));
        assert_eq!(armed("a.b:7"), Some(("a.b".into(), 7)));
        assert_eq!(armed("a.b:x"), None);
        assert_eq!(armed(""), None);
    }
}
