//! Storage errors in the reader's words: what was tried, on which path, and whether to retry.

use std::error::Error as StdError;
use std::io;

use headwater_core::Error;

/// Wraps an error of the object store; `doing` is a verb, as in "cannot write".
pub(super) fn storage_error(doing: &str, path: &str, e: object_store::Error) -> Error {
    let denied = matches!(
        e,
        object_store::Error::PermissionDenied { .. } | object_store::Error::Unauthenticated { .. }
    );
    match io_kind(&e) {
        Some(kind) => classified(doing, path, kind),
        None if denied => classified(doing, path, io::ErrorKind::PermissionDenied),
        None => Error::transient(format!("cannot {doing} \"{path}\": the storage failed")),
    }
    .because(e)
}

/// Wraps an error of the local file system.
pub(super) fn io_error(doing: &str, path: &std::path::Path, e: io::Error) -> Error {
    classified(doing, &path.display().to_string(), e.kind()).because(e)
}

fn classified(doing: &str, path: &str, kind: io::ErrorKind) -> Error {
    use io::ErrorKind as K;
    let cannot = format!("cannot {doing} \"{path}\"");
    match kind {
        K::StorageFull | K::QuotaExceeded => {
            Error::transient(format!("{cannot}: the disk is full"))
                .hint("free some space; writing is tried again")
        }
        K::PermissionDenied => Error::config(format!("{cannot}: permission is missing"))
            .hint("make the directory readable and writable for the user that runs the job"),
        K::ReadOnlyFilesystem => Error::config(format!("{cannot}: the file system is read-only"))
            .hint("use a directory on a writable file system"),
        K::NotADirectory | K::AlreadyExists => {
            Error::config(format!("{cannot}: a file is in the way, it is not a directory"))
                .hint("use another path, or move the file away")
        }
        K::NotFound => Error::config(format!("{cannot}: there is no such file or directory")),
        K::Unsupported => Error::config(format!("{cannot}: the file system cannot do that"))
            .hint("checkpoints need a file system with hard links and rename"),
        _ => Error::transient(format!("{cannot}: the storage failed")),
    }
}

fn io_kind(e: &object_store::Error) -> Option<io::ErrorKind> {
    let mut cause: Option<&(dyn StdError + 'static)> = Some(e);
    while let Some(e) = cause {
        if let Some(io) = e.downcast_ref::<io::Error>() {
            return Some(io.kind());
        }
        cause = e.source();
    }
    None
}

#[cfg(test)]
mod tests {
    use headwater_core::ErrorKind;

    use super::*;

    fn wrapped(kind: io::ErrorKind) -> Error {
        let source = Box::new(io::Error::from(kind));
        storage_error("write", "/d/x", object_store::Error::Generic { store: "s", source })
    }

    #[test]
    fn a_full_disk_is_worth_a_retry_and_a_missing_permission_is_not() {
        let full = wrapped(io::ErrorKind::StorageFull);
        assert_eq!(full.kind(), ErrorKind::Transient);
        assert_eq!(full.to_string(), "cannot write \"/d/x\": the disk is full");
        let denied = wrapped(io::ErrorKind::PermissionDenied);
        assert_eq!(denied.kind(), ErrorKind::Config);
        assert_eq!(wrapped(io::ErrorKind::TimedOut).kind(), ErrorKind::Transient);
        let source = "no key".into();
        let denied = object_store::Error::PermissionDenied { path: "x".into(), source };
        assert_eq!(storage_error("read", "x", denied).kind(), ErrorKind::Config);
    }
}
