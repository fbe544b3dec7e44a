//! Threads that work for later: uploads, merges, buffers. Records in flight go before them.

use headwater_core::{Error, Result};

/// How much such a thread yields to others, by the system's measure (0 to 19).
#[cfg(target_os = "linux")]
const NICE: i32 = 10;

/// Starts a thread that yields the processor to the workers; what it starts inherits that.
pub(crate) fn spawn(name: &str, work: impl FnOnce() + Send + 'static) -> Result<()> {
    let with_priority = move || {
        // Where there is none of this, records wait a little longer during a large checkpoint.
        #[cfg(target_os = "linux")]
        let _ = rustix::process::setpriority_process(Some(rustix::thread::gettid()), NICE);
        work();
    };
    let spawned = std::thread::Builder::new().name(name.into()).spawn(with_priority);
    spawned.map(drop).map_err(|e| Error::internal(format!("cannot start thread {name}")).because(e))
}
