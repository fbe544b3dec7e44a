//! `headwater sql` without a terminal, `check`, `run` and `error`.

use std::fs;
use std::io::Write;
use std::path::Path;
use std::process::Stdio;

use super::{headwater, run, stderr, stdout};

fn sql(directory: &Path, args: &[&str]) -> (Option<i32>, String, String) {
    let output = run(directory, &[&["sql", "--workers", "2"], args].concat());
    (output.status.code(), stdout(&output), stderr(&output))
}

const ORDERS: &str = "id,channel,price\n1,web,10.50\n2,shop,3.25\n3,web,7.00\n";

#[test]
fn a_text_gives_json_lines_and_nothing_else() {
    let dir = tempfile::tempdir().unwrap();
    let (code, out, said) = sql(dir.path(), &["-c", "SELECT 1 + 1 AS two, 'x' AS x"]);
    assert_eq!((code, out.as_str(), said.as_str()), (Some(0), "{\"two\":2,\"x\":\"x\"}\n", ""));
    let several = ["-c", "SELECT 1 AS a", "-c", "\\mode csv", "-c", "SELECT 2 AS b;"];
    let (code, out, _) = sql(dir.path(), &several);
    assert_eq!((code, out.as_str()), (Some(0), "{\"a\":1}\nb\n2\n"));
}

#[test]
fn a_file_is_a_table() {
    let dir = tempfile::tempdir().unwrap();
    fs::write(dir.path().join("orders.csv"), ORDERS).unwrap();
    let text = "SELECT channel, COUNT(*) AS n FROM 'orders.csv' GROUP BY channel ORDER BY channel";
    let (code, out, said) = sql(dir.path(), &["-c", text, "--output", "csv"]);
    assert_eq!((code, out.as_str()), (Some(0), "channel,n\nshop,1\nweb,2\n"), "{said}");
    let (code, _, said) = sql(dir.path(), &["-c", "SELECT * FROM 'order.csv'"]);
    assert_eq!(code, Some(2), "{said}");
    assert!(said.contains("order.csv"), "{said}");
}

#[test]
fn every_mode_can_be_asked_for() {
    let dir = tempfile::tempdir().unwrap();
    for (mode, shows) in [
        ("table", "┌"),
        ("vertical", "[ row 1 ]"),
        ("json", "{\"a\":1}"),
        ("csv", "a\n1\n"),
        ("changelog", "a\n─"),
    ] {
        let (code, out, _) = sql(dir.path(), &["-c", "SELECT 1 AS a", "--output", mode]);
        assert_eq!(code, Some(0));
        assert!(out.contains(shows), "{mode}: {out}");
    }
}

#[test]
fn the_standard_input_and_files_are_texts_too() {
    let dir = tempfile::tempdir().unwrap();
    let mut child = headwater(dir.path(), &["sql"])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let text = "CREATE VIEW v AS SELECT 5 AS five;\n\\mode csv\nSELECT * FROM v;\n";
    child.stdin.take().unwrap().write_all(text.as_bytes()).unwrap();
    let output = child.wait_with_output().unwrap();
    assert_eq!((output.status.code(), stdout(&output).as_str()), (Some(0), "five\n5\n"));

    fs::write(dir.path().join("a.sql"), "\\o out.csv\n\\i b.sql\n\\o\nSELECT 2 AS b;\n").unwrap();
    fs::write(dir.path().join("b.sql"), ".mode csv\nSELECT 1 AS a;\n").unwrap();
    let (code, out, said) = sql(dir.path(), &["-f", "a.sql"]);
    assert_eq!((code, out.as_str()), (Some(0), "b\n2\n"), "{said}");
    assert_eq!(fs::read_to_string(dir.path().join("out.csv")).unwrap(), "a\n1\n");
}

#[test]
fn a_script_ends_at_its_first_error_which_has_its_place() {
    let dir = tempfile::tempdir().unwrap();
    let text = "\\timing off\nSELECT 1 AS a;\nSELECT\n  foo FROM bid;\nSELECT 3 AS c;\n";
    fs::write(dir.path().join("a.sql"), text).unwrap();
    let (code, out, said) = sql(dir.path(), &["-f", "a.sql"]);
    assert_eq!((code, out.as_str()), (Some(2), "{\"a\":1}\n"), "{said}");
    assert!(said.contains("error[HW-P004]"), "{said}");
    assert!(said.contains("4 │   foo FROM bid;\n    ·   ^^^"), "{said}");
    assert!(!said.contains('\x1b'), "{said}");
    // A text that cannot be read is not run at all.
    let (code, out, said) = sql(dir.path(), &["-c", "SELECT 1; SELEC 2;"]);
    assert_eq!((code, out.as_str()), (Some(2), ""), "{said}");
}

#[test]
fn a_live_query_is_json_lines_until_it_is_ended_or_nobody_reads() {
    let dir = tempfile::tempdir().unwrap();
    let (code, out, said) =
        sql(dir.path(), &["-c", "SELECT auction, price FROM bid", "--for", "2s"]);
    assert_eq!(code, Some(0), "{said}");
    let row: serde_json::Value = serde_json::from_str(out.lines().next().unwrap()).unwrap();
    assert!(row["price"].as_u64().unwrap() > 0, "{row}");

    let text = "SELECT channel, COUNT(*) AS n FROM bid GROUP BY channel";
    let (code, out, said) = sql(dir.path(), &["-c", text, "--for", "2s"]);
    assert_eq!(code, Some(0), "{said}");
    let ops: std::collections::BTreeSet<String> = out
        .lines()
        .map(|line| serde_json::from_str::<serde_json::Value>(line).unwrap())
        .map(|row| row["op"].as_str().unwrap().to_owned())
        .collect();
    assert!(ops.contains("+I") && ops.contains("+U"), "{ops:?}");

    let mut child = headwater(dir.path(), &["sql", "-c", "SELECT * FROM bid"])
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let mut lines = std::io::BufRead::lines(std::io::BufReader::new(child.stdout.take().unwrap()));
    assert!(lines.next().unwrap().unwrap().starts_with('{'));
    drop(lines);
    assert_eq!(child.wait().unwrap().code(), Some(0));
}

#[test]
fn errors_are_explained_by_their_code() {
    let dir = tempfile::tempdir().unwrap();
    let output = run(dir.path(), &["error", "hw-p004"]);
    assert_eq!(output.status.code(), Some(0));
    assert!(stdout(&output).starts_with("HW-P004: no such column\n"), "{}", stdout(&output));
    let output = run(dir.path(), &["error", "HW-Z999"]);
    assert_eq!(output.status.code(), Some(2));
    assert!(stderr(&output).contains("there is no error code \"HW-Z999\""));
}

/// A job over bounded input: prices by channel, in windows of a second of the auction's time.
fn job(events: u64) -> String {
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

#[test]
fn a_file_is_checked_without_being_run() {
    let dir = tempfile::tempdir().unwrap();
    fs::write(dir.path().join("good.sql"), job(10)).unwrap();
    let output = run(dir.path(), &["check", "good.sql"]);
    assert_eq!(output.status.code(), Some(0), "{}", stderr(&output));
    assert!(stderr(&output).contains("good.sql: 3 statements can be run"), "{}", stderr(&output));
    assert!(!dir.path().join("out").exists());
    fs::write(dir.path().join("bad.sql"), job(10).replace("n * 2", "m * 2")).unwrap();
    let output = run(dir.path(), &["check", "bad.sql"]);
    assert_eq!(output.status.code(), Some(2), "{}", stderr(&output));
    assert!(stderr(&output).contains("bad.sql: error[HW-P004]"), "{}", stderr(&output));
}

#[test]
fn a_job_runs_to_its_end_and_goes_on_from_its_checkpoint() {
    let dir = tempfile::tempdir().unwrap();
    fs::write(dir.path().join("job.sql"), job(1_000)).unwrap();
    let args = ["run", "job.sql", "--checkpoint-dir", "state", "--workers", "2"];
    let output = run(dir.path(), &args);
    let said = stderr(&output);
    assert_eq!(output.status.code(), Some(0), "{said}");
    assert!(said.contains(" · job job · 2 workers · state in state"), "{said}");
    assert!(said.contains("\nfinished: in "), "{said}");
    assert!(said.contains("in 1 000 = out 1 000 + dead-lettered 0 + dropped 0"), "{said}");
    let rows = written(&dir.path().join("out"));
    assert_eq!(rows.len(), 1_000);
    assert!(rows.contains(&"{\"n\":1000,\"twice\":2000}".to_owned()), "{:?}", &rows[..3]);

    // All was read and written: nothing is done twice.
    let output = run(dir.path(), &args);
    assert_eq!(output.status.code(), Some(0), "{}", stderr(&output));
    assert!(stderr(&output).contains("going on from checkpoint "), "{}", stderr(&output));
    assert_eq!(written(&dir.path().join("out")).len(), 1_000);
}

#[cfg(unix)]
#[test]
fn a_stopped_job_goes_on_where_it_was() {
    use std::io::{BufRead, BufReader};
    let dir = tempfile::tempdir().unwrap();
    let text =
        job(20_000).replace("'number-of-rows'", "'rows-per-second' = '5000', 'number-of-rows'");
    fs::write(dir.path().join("job.sql"), text).unwrap();
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
