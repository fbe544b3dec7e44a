//! Room on the disk that is built on: a full one makes tests fail for reasons that do not name it
//! (a broker dies, and nothing can connect).

use std::path::Path;
use std::process::Command;

/// What a build of everything and its tests take, with some to spare.
const WANTED_MIB: u64 = 20 << 10;
/// With less than this left a failure may be due to it.
const SHORT_MIB: u64 = 1 << 10;

/// What to say before the build, if there may not be room enough for one from nothing.
pub fn before(target: &Path) -> Option<String> {
    let free = free_mib(target).filter(|free| *free < WANTED_MIB)?;
    Some(format!(
        "{free} MiB are free at {}; a build from nothing and the tests want {WANTED_MIB}: \
         `cargo clean` frees some, CARGO_TARGET_DIR builds elsewhere",
        target.display()
    ))
}

/// What to say when something failed, if a full disk may be the reason.
pub fn after_failure(target: &Path) -> Option<String> {
    let free = free_mib(target).filter(|free| *free < SHORT_MIB)?;
    Some(format!("only {free} MiB are free at {}: that may be why", target.display()))
}

/// Room for more at a path, or at the nearest folder above that is there; none if `df` cannot tell.
fn free_mib(path: &Path) -> Option<u64> {
    let there = path.ancestors().find(|folder| folder.exists())?;
    let output = Command::new("df").arg("-Pk").arg(there).output().ok()?;
    parse(&String::from_utf8_lossy(&output.stdout))
}

/// The fourth field of the second line, which is in KiB.
fn parse(df: &str) -> Option<u64> {
    let free: u64 = df.lines().nth(1)?.split_whitespace().nth(3)?.parse().ok()?;
    Some(free >> 10)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_free_room_is_read_from_df() {
        let df = "Filesystem 1024-blocks Used Available Capacity Mounted on\n\
                  /dev/vda 263174212 96374212 12288 100% /\n";
        assert_eq!(parse(df), Some(12));
        assert_eq!(parse("df: /nowhere: No such file or directory\n"), None);
    }
}
