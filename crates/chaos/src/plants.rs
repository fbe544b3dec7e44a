//! Planted faults: each built into the running job, each to be found by the verifier.
//!
//! Faults of sinks and sources are wrappers around the real ones, so that everything else stays as
//! it is; faults of steps are variants in [`crate::job`]. Half of them show only after a crash, as
//! the mistakes they stand for do.

mod sink;
mod source;

pub use sink::{FaultySink, faulty_sink};
pub use source::{FaultySource, faulty_source};

/// Defines the faults that can be built into a job, with their names on the command line.
macro_rules! plants {
    ($($(#[$doc:meta])* $variant:ident = $name:literal,)*) => {
        /// A fault to build into the job.
        #[derive(Clone, Copy, Debug, PartialEq, Eq)]
        pub enum Plant {
            $($(#[$doc])* $variant,)*
        }

        impl Plant {
            /// All of them.
            pub const ALL: &[Plant] = &[$(Plant::$variant,)*];

            /// Its name on the command line.
            pub fn name(self) -> &'static str {
                match self {
                    $(Plant::$variant => $name,)*
                }
            }
        }

        impl std::fmt::Display for Plant {
            fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                f.write_str(self.name())
            }
        }

        impl std::str::FromStr for Plant {
            type Err = String;

            fn from_str(name: &str) -> Result<Self, String> {
                Plant::ALL.iter().copied().find(|plant| plant.name() == name).ok_or_else(|| {
                    let names: Vec<&str> = Plant::ALL.iter().map(|plant| plant.name()).collect();
                    format!("no fault is named {name:?}; there are {}", names.join(", "))
                })
            }
        }
    };
}

pub(crate) use plants;

plants! {
    /// The writer loses a record.
    DropRecord = "drop-record",
    /// An epoch is committed under two sets of names.
    DuplicateEpoch = "duplicate-epoch",
    /// After a crash between manifest and commit, the commit is not made up for.
    SkipCommitOnRestore = "skip-commit-on-restore",
    /// The checkpoint counts records that the sink has not made durable yet.
    ManifestBeforeData = "manifest-before-data",
    /// Output becomes visible before its checkpoint is durable.
    CommitBeforeManifest = "commit-before-manifest",
    /// Names of parts do not hold the attempt, and a later one replaces what an earlier one wrote.
    ReuseFileName = "reuse-file-name",
    /// Staged parts of dead attempts are not removed.
    KeepStaged = "keep-staged",
    /// A restored reader leaves out one record.
    SkipRecordOnRestore = "skip-record-on-restore",
    /// A restored reader gives one record again.
    RepeatRecordOnRestore = "repeat-record-on-restore",
    /// A record at the end of a window counts in it.
    OffByOneWindow = "off-by-one-window",
    /// The watermark is that of the split which is furthest, not of the one which is last.
    WrongWatermarkMerge = "wrong-watermark-merge",
    /// Some timers do not fire.
    LoseTimers = "lose-timers",
    /// Malformed records disappear instead of going to the dead letters.
    SkipDeadLetters = "skip-dead-letters",
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn plants_are_known_by_name() {
        for plant in Plant::ALL {
            assert_eq!(plant.name().parse::<Plant>(), Ok(*plant));
        }
        assert!("nothing".parse::<Plant>().unwrap_err().contains("drop-record"));
    }
}
