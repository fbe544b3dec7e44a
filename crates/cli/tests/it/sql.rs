//! `headwater sql` without a terminal, `check`, `run` and `error`.

use std::fs;
use std::io::Write;
use std::path::Path;
use std::process::Stdio;

use super::jobs::job;
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

    // So many rows are there soon, and the query ends by itself.
    let (code, out, said) = sql(dir.path(), &["-c", "SELECT price AS p FROM bid LIMIT 3"]);
    assert_eq!((code, out.lines().count()), (Some(0), 3), "{said}");
    assert!(out.lines().all(|line| line.starts_with("{\"p\":")), "{out}");

    let text = "SELECT channel, COUNT(*) AS n FROM bid GROUP BY channel";
    let (code, out, said) = sql(dir.path(), &["-c", text, "--for", "2s"]);
    assert_eq!(code, Some(0), "{said}");
    let ops: std::collections::BTreeSet<String> = out
        .lines()
        .map(|line| serde_json::from_str::<serde_json::Value>(line).unwrap())
        .map(|row| row["op"].as_str().unwrap().to_owned())
        .collect();
    assert!(ops.contains("+I") && ops.contains("+U"), "{ops:?}");
    assert!(out.lines().all(|line| line.contains("\"n\":")), "{out:.200}");

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
fn a_script_with_commands_and_samples_is_checked_too() {
    let dir = tempfile::tempdir().unwrap();
    let text = "\\timing off\nSELECT channel FROM bid;\n\\mode csv\nSELECT chanel FROM bid;\n";
    fs::write(dir.path().join("a.sql"), text).unwrap();
    let output = run(dir.path(), &["check", "a.sql"]);
    assert_eq!(output.status.code(), Some(2));
    assert!(stderr(&output).contains("a.sql: error[HW-P003]"), "{}", stderr(&output));
    let output = run(dir.path(), &["check", "a.sql", "--samples"]);
    assert_eq!(output.status.code(), Some(2));
    assert!(stderr(&output).contains("  4 │ SELECT chanel FROM bid;"), "{}", stderr(&output));
}

#[test]
fn a_table_of_ones_own_takes_the_place_of_a_sample() {
    let dir = tempfile::tempdir().unwrap();
    fs::write(dir.path().join("bids.csv"), "price\n7\n").unwrap();
    let text = "CREATE TABLE bid (price INT) WITH ('connector' = 'filesystem', \
                'path' = 'bids.csv', 'format' = 'csv', 'csv.header' = 'true'); \
                SELECT price FROM bid;";
    let (code, out, said) = sql(dir.path(), &["-c", text]);
    assert_eq!((code, out.as_str()), (Some(0), "{\"price\":7}\n"), "{said}");
}
