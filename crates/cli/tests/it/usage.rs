//! Wrong usage, help and completions.

use super::{run, stderr, stdout};

#[test]
fn a_wrong_flag_is_a_usage_error_on_stderr() {
    let dir = tempfile::tempdir().unwrap();
    for (args, says) in [
        (&["demo", "--wrong"][..], "--wrong"),
        (&["dmeo"], "'demo'"),
        (&[], "Usage"),
        (&["demo", "--rate", "0"], "--rate"),
        (&["demo", "--metrics-address", "0.0.0.0:0"], "loopback address only"),
        (&["checkpoint", "ls", "./missing"], "missing"),
        (&["checkpoint", "ls", "."], "there is no checkpoint in"),
        (&["checkpoint", "verify", "."], "there is no checkpoint in"),
    ] {
        let output = run(dir.path(), args);
        assert_eq!(output.status.code(), Some(2), "{args:?}: {}", stderr(&output));
        assert!(stderr(&output).contains(says), "{args:?}: {}", stderr(&output));
        assert_eq!(stdout(&output), "", "{args:?}");
    }
}

#[test]
fn help_and_version_are_results() {
    let dir = tempfile::tempdir().unwrap();
    let help = run(dir.path(), &["demo", "--help"]);
    assert_eq!(help.status.code(), Some(0));
    assert!(stdout(&help).contains("headwater demo --for 10s --output json"));
    let version = run(dir.path(), &["--version"]);
    assert_eq!(stdout(&version), format!("headwater {}\n", env!("CARGO_PKG_VERSION")));
    let completions = run(dir.path(), &["completions", "bash"]);
    assert!(stdout(&completions).contains("complete -F _headwater"));
}
