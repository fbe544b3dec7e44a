//! `headwater run FILE.sql`: progress, summary, going on from checkpoints, refusals, exit codes.

use std::fs;
use std::path::Path;
use std::process::Stdio;

use super::{headwater, run, stderr};

/// A job over bounded input: prices by channel, in windows of a second of the auction's time.
pub(super) fn job(events: u64) -> String {
    format!(
        "CREATE TABLE bids (n BIGINT, price BIGINT, ts TIMESTAMP(3), \
         WATERMARK FOR ts AS ts - INTERVAL '1' SECOND) WITH ('connector' = 'datagen', \
         'number-of-rows' = '{events}', 'fields.n.kind' = 'sequence', 'fields.n.start' = '1', \
         'fields.n.end' = '{events}');\n\
         CREATE TABLE doubled (n BIGINT, twice BIGINT) WITH ('connector' = 'filesystem', \
         'path' = 'out', 'format' = 'json');\n\
         INSERT INTO doubled SELECT n, n * 2 FROM bids;\n"
    )
}

/// The rows of all files that are visible in a folder.
fn written(directory: &Path) -> Vec<String> {
    let mut rows = Vec::new();
    for entry in fs::read_dir(directory).unwrap() {
        let path = entry.unwrap().path();
        let hidden = path.file_name().unwrap().to_str().unwrap().starts_with(['.', '_']);
        if path.is_file() && !hidden {
            rows.extend(fs::read_to_string(path).unwrap().lines().map(str::to_owned));
        }
    }
    rows
}

/// The job through the streaming operators, at this many rows per second.
fn at_a_rate(events: u64, rate: u64) -> String {
    let rate = format!("'rows-per-second' = '{rate}', 'number-of-rows'");
    let job = job(events).replace("'number-of-rows'", &rate);
    format!("SET 'execution.runtime-mode' = 'streaming';\n{job}")
}

#[test]
fn a_job_runs_to_its_end_and_goes_on_from_its_checkpoint() {
    // As a batch, whose rows come from beside the engine, and through the streaming operators.
    for (text, accounts) in [
        (job(1_000), "sink \"doubled\": in 1 000 = written 1 000 + dead-lettered 0 + dropped 0"),
        (at_a_rate(1_000, 100_000), "in 1 000 = out 1 000 + dead-lettered 0 + dropped 0"),
    ] {
        let dir = tempfile::tempdir().unwrap();
        fs::write(dir.path().join("job.sql"), text).unwrap();
        let args = ["run", "job.sql", "--checkpoint-dir", "state", "--workers", "2"];
        let output = run(dir.path(), &args);
        let said = stderr(&output);
        assert_eq!(output.status.code(), Some(0), "{said}");
        assert!(said.contains(" · job job · 2 workers · state in state"), "{said}");
        assert!(said.contains("\nfinished: in "), "{said}");
        assert!(said.contains(accounts), "{said}");
        let rows = written(&dir.path().join("out"));
        assert_eq!(rows.len(), 1_000);
        assert!(rows.contains(&"{\"n\":1000,\"twice\":2000}".to_owned()), "{:?}", &rows[..3]);

        // All was read and written: nothing is done twice.
        let output = run(dir.path(), &args);
        assert_eq!(output.status.code(), Some(0), "{}", stderr(&output));
        assert!(stderr(&output).contains("going on from checkpoint "), "{}", stderr(&output));
        assert_eq!(written(&dir.path().join("out")).len(), 1_000);
    }
}

#[cfg(unix)]
#[test]
fn a_stopped_job_goes_on_where_it_was() {
    use std::io::{BufRead, BufReader};
    let dir = tempfile::tempdir().unwrap();
    fs::write(dir.path().join("job.sql"), at_a_rate(20_000, 5_000)).unwrap();
    let args = ["run", "job.sql", "--checkpoint-dir", "state", "--for", "1s"];
    let output = run(dir.path(), &args);
    assert_eq!(output.status.code(), Some(0), "{}", stderr(&output));
    assert!(stderr(&output).contains("\nstopping: checkpoint "), "{}", stderr(&output));
    let first = written(&dir.path().join("out")).len();
    assert!(first < 20_000, "{first}");

    // Killed: what it wrote since its last checkpoint comes once.
    let mut child = headwater(dir.path(), &args[..4])
        .stderr(Stdio::piped())
        .stdout(Stdio::null())
        .spawn()
        .unwrap();
    let mut said = BufReader::new(child.stderr.take().unwrap()).lines();
    assert!(said.any(|line| line.unwrap().contains("state in state")));
    child.kill().unwrap();
    child.wait().unwrap();
    let output = run(dir.path(), &args[..4]);
    assert_eq!(output.status.code(), Some(0), "{}", stderr(&output));
    let mut rows = written(&dir.path().join("out"));
    assert_eq!(rows.len(), 20_000);
    rows.sort();
    rows.dedup();
    assert_eq!(rows.len(), 20_000);
}

#[test]
fn what_is_no_job_is_refused() {
    let dir = tempfile::tempdir().unwrap();
    let refused = |text: &str, args: &[&str], code: i32, says: &str| {
        fs::write(dir.path().join("job.sql"), text).unwrap();
        let output = run(dir.path(), &[&["run", "job.sql", "--workers", "1"], args].concat());
        assert_eq!(output.status.code(), Some(code), "{}", stderr(&output));
        assert!(stderr(&output).contains(says), "{}", stderr(&output));
    };
    refused("SELECT 1;", &[], 2, "headwater sql -f FILE");
    refused("CREATE VIEW v AS SELECT 1;", &[], 2, "has no INSERT");
    refused("SELEC", &[], 2, "error[HW-S00");
    let endless = "CREATE TABLE a (k BIGINT) WITH ('connector' = 'datagen', \
                   'rows-per-second' = '10');\n\
                   CREATE TABLE b (k BIGINT, n BIGINT) WITH ('connector' = 'blackhole');\n\
                   INSERT INTO b SELECT k, COUNT(*) FROM a GROUP BY k;\n";
    refused(endless, &[], 2, "error[HW-P009]");
    let allowed = ["--allow-unbounded-state", "--for", "1s"];
    refused(endless, &allowed, 0, "stopping: checkpoint ");
}

#[cfg(unix)]
#[test]
fn ctrl_c_stops_a_job_with_a_checkpoint() {
    use std::io::{BufRead, BufReader};
    use std::process::Command;
    let dir = tempfile::tempdir().unwrap();
    fs::write(dir.path().join("job.sql"), at_a_rate(1_000_000, 1_000)).unwrap();
    let args = ["run", "job.sql", "--checkpoint-dir", "state"];
    let mut child = headwater(dir.path(), &args).stderr(Stdio::piped()).spawn().unwrap();
    let mut said = BufReader::new(child.stderr.take().unwrap()).lines().map(Result::unwrap);
    // From this line on the job runs and Ctrl-C is its own.
    assert!(said.any(|line| line.contains("state in state")));
    Command::new("kill").args(["-INT", &child.id().to_string()]).status().unwrap();
    let said: Vec<String> = said.collect();
    assert_eq!(child.wait().unwrap().code(), Some(0), "{said:?}");
    let told = |text: &str| said.iter().any(|line| line.contains(text));
    assert!(told("stopping: checkpoint ") && told("source "), "{said:?}");
}

/// Counts per key, through the streaming operators.
fn counts(query: &str) -> String {
    format!(
        "SET 'execution.runtime-mode' = 'streaming';\n\
         SET 'execution.checkpointing.dir' = 'kept';\n\
         CREATE TABLE events (k BIGINT, v BIGINT) WITH ('connector' = 'datagen', \
         'number-of-rows' = '100', 'fields.k.kind' = 'sequence', 'fields.k.start' = '1', \
         'fields.k.end' = '100');\n\
         CREATE TABLE hole (k BIGINT, n BIGINT) WITH ('connector' = 'blackhole');\n\
         INSERT INTO hole {query};\n"
    )
}

#[test]
fn a_changed_query_says_what_becomes_of_its_state() {
    let dir = tempfile::tempdir().unwrap();
    let start = |query: &str, flags: &[&str]| {
        fs::write(dir.path().join("job.sql"), counts(query)).unwrap();
        let output = run(dir.path(), &[&["run", "job.sql", "--workers", "1"], flags].concat());
        (output.status.code(), stderr(&output))
    };
    let (code, said) = start("SELECT k, COUNT(*) FROM events GROUP BY k", &[]);
    assert_eq!(code, Some(0), "{said}");
    // A SET of the text says where state is, and is believed.
    assert!(said.contains("state in kept") && !said.contains("going on"), "{said}");

    // Other names, the same meaning: it goes on with all it has.
    let (code, said) =
        start("SELECT x, c FROM (SELECT k AS x, COUNT(*) AS c FROM events GROUP BY k)", &[]);
    assert_eq!(code, Some(0), "{said}");
    assert!(said.contains("going on from checkpoint "), "{said}");
    assert!(!said.contains("\nstate "), "{said}");

    let changed = "SELECT k, COUNT(*) FROM events WHERE v > 0 GROUP BY k";
    let (code, said) = start(changed, &[]);
    assert_eq!(code, Some(4), "{said}");
    assert!(said.contains("error[HW-P018]: the query has changed"), "{said}");
    for line in ["help: kept: events", "help: new: group-", "help: lost: group-"] {
        assert!(said.contains(line), "{line}: {said}");
    }
    assert!(!said.contains("going on from"), "{said}");

    let (code, said) = start(changed, &["--allow-unmatched-state"]);
    assert_eq!(code, Some(0), "{said}");
    for line in ["\nstate kept: events", "\nstate new: group-", "\nstate left behind: group-"] {
        assert!(said.contains(line), "{line}: {said}");
    }
}

#[test]
fn all_inserts_of_a_file_are_one_job() {
    let dir = tempfile::tempdir().unwrap();
    let text = job(100)
        + "CREATE TABLE evens WITH ('connector' = 'filesystem', 'path' = 'evens', \
           'format' = 'json') AS SELECT n FROM bids WHERE MOD(n, 2) = 0;\n\
           INSERT INTO doubled SELECT n, n FROM bids WHERE n > 98;\n";
    fs::write(dir.path().join("job.sql"), text).unwrap();
    let output = run(dir.path(), &["run", "job.sql", "--workers", "2"]);
    let said = stderr(&output);
    assert_eq!(output.status.code(), Some(0), "{said}");
    assert_eq!(said.matches(" · job job · ").count(), 1, "{said}");
    let mut rows = written(&dir.path().join("out"));
    assert_eq!(rows.len(), 102, "{said}");
    rows.retain(|row| row == "{\"n\":99,\"twice\":99}");
    assert_eq!(rows.len(), 1);
    assert_eq!(written(&dir.path().join("evens")).len(), 50);
}

#[test]
fn a_failure_of_the_job_is_no_error_of_the_text() {
    let dir = tempfile::tempdir().unwrap();
    let text = job(10).replace("n * 2", "n / (n - 5)");
    fs::write(dir.path().join("job.sql"), text).unwrap();
    let args = ["run", "job.sql", "--workers", "1", "--restart", "none"];
    let output = run(dir.path(), &args);
    assert_eq!(output.status.code(), Some(1), "{}", stderr(&output));
    assert!(stderr(&output).contains("failed: after "), "{}", stderr(&output));
}
