//! What this process has used: CPU time and memory, as Linux tells it in `/proc/self`.
//!
//! Elsewhere everything is `None`, and reports leave it out.

use std::time::Duration;

/// The unit of times in `/proc/self/stat`, which Linux fixes at 100 per second for user space.
const TICKS_PER_SECOND: f64 = 100.0;

/// CPU time of all threads so far, user and system.
pub(super) fn cpu_time() -> Option<Duration> {
    cpu_time_in(&std::fs::read_to_string("/proc/self/stat").ok()?)
}

/// The most memory this process has held at once, in bytes.
pub(super) fn peak_rss_bytes() -> Option<u64> {
    memory_in(&std::fs::read_to_string("/proc/self/status").ok()?, "VmHWM:")
}

/// The memory this process holds now, in bytes.
pub(super) fn rss_bytes() -> Option<u64> {
    memory_in(&std::fs::read_to_string("/proc/self/status").ok()?, "VmRSS:")
}

fn cpu_time_in(stat: &str) -> Option<Duration> {
    // The second field is the program's name in parentheses, and may hold anything.
    let (_, fields) = stat.rsplit_once(')')?;
    let mut fields = fields.split_ascii_whitespace().skip(11).map(str::parse::<u64>);
    let (user, system) = (fields.next()?.ok()?, fields.next()?.ok()?);
    Some(Duration::from_secs_f64((user + system) as f64 / TICKS_PER_SECOND))
}

fn memory_in(status: &str, field: &str) -> Option<u64> {
    let line = status.lines().find_map(|line| line.strip_prefix(field))?;
    let kib: u64 = line.trim().strip_suffix(" kB")?.parse().ok()?;
    Some(kib * 1024)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn proc_files_are_understood() {
        let stat = "42 (a ) b) S 1 42 42 0 -1 4194560 100 0 0 0 250 31 0 0 20 0 1 0 88 9 1 2";
        assert_eq!(cpu_time_in(stat), Some(Duration::from_millis(2810)));
        let status = "Name:\tx\nVmHWM:\t   20480 kB\nVmRSS:\t    1024 kB\n";
        assert_eq!(memory_in(status, "VmHWM:"), Some(20_971_520));
        assert_eq!(memory_in(status, "VmRSS:"), Some(1_048_576));
        assert_eq!((cpu_time_in(""), memory_in("", "VmHWM:")), (None, None));
    }
}
