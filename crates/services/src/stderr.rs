//! Words for whoever runs the tests.
//!
//! Test programs swallow what a passing test prints; a skipped test passes, and must not be
//! overlooked. What is written to the stream itself is not swallowed.

use std::io::Write;

/// Says something on stderr.
pub(crate) fn say(line: &str) {
    // If nobody can read stderr there is nobody to tell.
    let _ = writeln!(std::io::stderr(), "{line}");
}
