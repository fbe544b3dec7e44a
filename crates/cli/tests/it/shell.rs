//! `headwater sql` at a terminal: typing, completing, live results, Ctrl-C, errors.

use super::terminal::{CTRL_C, CTRL_D, TAB, Terminal, UP};

fn shell(directory: &tempfile::TempDir) -> Terminal {
    let mut terminal = Terminal::start(directory.path(), &["sql"]);
    terminal.sees("Sample tables: person, auction, bid.");
    terminal.is_asked();
    terminal
}

#[test]
fn statements_are_typed_over_lines_completed_and_answered() {
    let dir = tempfile::tempdir().unwrap();
    let mut terminal = shell(&dir);
    terminal.types("sel");
    terminal.types(TAB);
    terminal.sees("hw> select");
    terminal.types(" 40 + 2\ras answer;\r");
    terminal.sees("│     42 │");
    terminal.sees("1 row · ");
    terminal.is_asked();

    terminal.clears();
    terminal.types("DESCRIBE b");
    terminal.types(TAB);
    terminal.sees("DESCRIBE bid");
    terminal.types(";\r");
    terminal.sees("channel");
    terminal.is_asked();

    // More than one column begins so: they are listed, and typing goes on.
    terminal.clears();
    terminal.types("SELECT b. FROM bid b;");
    terminal.types(&"\x1b[D".repeat(12));
    terminal.types("bid");
    terminal.types(TAB);
    terminal.sees("SELECT b.bidder FROM bid b;");
    terminal.types(CTRL_C);
    terminal.is_asked();

    terminal.clears();
    terminal.types(UP);
    terminal.sees("DESCRIBE bid;");
    terminal.types(CTRL_C);
    terminal.is_asked();
    terminal.types("\\q\r");
    assert_eq!(terminal.ends(), 0);

    // What was typed is there the next time.
    let mut terminal = shell(&dir);
    terminal.types(UP);
    terminal.sees("hw> \\q");
    terminal.types(CTRL_C);
    terminal.is_asked();
    terminal.types(CTRL_D);
    assert_eq!(terminal.ends(), 0);
}

/// The numbers on the screen in the rows of a table.
fn numbers(screen: &str) -> Vec<u64> {
    let rows = screen.lines().filter(|line| line.starts_with('│'));
    let cells = rows.flat_map(|line| line.split(['│', '┆']));
    cells.filter_map(|cell| cell.trim().parse().ok()).collect()
}

#[test]
fn a_live_query_is_updated_in_place_until_ctrl_c() {
    let dir = tempfile::tempdir().unwrap();
    let mut terminal = shell(&dir);
    terminal.types("SELECT channel, COUNT(*) AS bids FROM bid\rGROUP BY channel;\r");
    terminal.sees("(live: updates until Ctrl-C; \\mode changelog shows +I -U +U -D)");
    terminal.sees_that("count", |screen| numbers(screen).iter().sum::<u64>() > 0);
    let before = numbers(&terminal.contents()).iter().sum::<u64>();
    let frames = |screen: &str| screen.matches("│ channel ").count();
    terminal.sees_that("growing counts", |screen| {
        numbers(screen).iter().sum::<u64>() > before && frames(screen) == 1
    });
    terminal.sees(" rows · watermark ");
    terminal.types(CTRL_C);
    terminal.sees(", stopped · ");
    terminal.is_asked();
    assert_eq!(frames(&terminal.contents()), 1, "{}", terminal.contents());

    // The shell lives.
    terminal.clears();
    terminal.types("\\mode changelog\r");
    terminal.sees("mode is changelog");
    terminal.is_asked();
    terminal.types("SELECT auction, COUNT(*) AS n FROM bid GROUP BY auction;\r");
    terminal.sees("+U");
    terminal.types(CTRL_C);
    terminal.sees(", stopped · ");
    terminal.is_asked();
    terminal.types("quit\r");
    assert_eq!(terminal.ends(), 0);
}

#[test]
fn an_error_shows_its_place_and_the_nearest_name_and_the_shell_goes_on() {
    let dir = tempfile::tempdir().unwrap();
    let mut terminal = shell(&dir);
    terminal.types("SELECT chanel, COUNT(*) FROM bid GROUP BY channel;\r");
    terminal.sees("error[HW-P004]: ");
    terminal.sees("more: headwater error HW-P004");
    terminal.is_asked();
    let screen = terminal.contents();
    let lines: Vec<&str> = screen.lines().collect();
    let shown = lines.iter().position(|line| line.contains("1 │ SELECT chanel")).unwrap();
    let column = |line: &str, what: &str| {
        line.find(what).map(|at| line[..at].chars().count()).unwrap_or_else(|| panic!("{screen}"))
    };
    let carets = column(lines[shown + 1], "^^^^^^ did you mean `channel`?");
    assert_eq!(carets, column(lines[shown], "chanel"), "{screen}");

    terminal.clears();
    terminal.types("\\error p004\r");
    terminal.sees("HW-P004: no such column");
    terminal.is_asked();
    terminal.types("\\tming\r");
    terminal.sees("did you mean \\timing?");
    terminal.is_asked();
    terminal.types("SELECT 7 AS seven;\r");
    terminal.sees("│     7 │");
    terminal.is_asked();
    terminal.types(CTRL_D);
    assert_eq!(terminal.ends(), 0);
}

#[test]
fn silence_is_explained_by_the_split_that_holds_the_watermark() {
    let dir = tempfile::tempdir().unwrap();
    let mut terminal = shell(&dir);
    terminal.types(
        "SELECT window_start, COUNT(*) FROM TABLE(TUMBLE(TABLE bid, DESCRIPTOR(`dateTime`), \
         INTERVAL '30' DAY)) GROUP BY window_start, window_end;\r",
    );
    terminal.sees("no result yet: a window closes when the watermark passes its end, now ");
    terminal.sees("held by split ");
    terminal.types(CTRL_C);
    terminal.sees("0 rows, stopped");
    terminal.is_asked();
    terminal.types(CTRL_D);
    assert_eq!(terminal.ends(), 0);
}

#[test]
fn a_job_shows_its_progress_and_ctrl_c_ends_it_but_not_the_shell() {
    let dir = tempfile::tempdir().unwrap();
    let mut terminal = shell(&dir);
    terminal.types(
        "CREATE TABLE nothing (auction BIGINT, price BIGINT) WITH ('connector' = 'blackhole');\r",
    );
    terminal.sees("table nothing created");
    terminal.is_asked();
    terminal.types("INSERT INTO nothing SELECT auction, price FROM bid;\r");
    terminal.sees(" rows · ");
    terminal.sees(" ok, ");
    terminal.types(CTRL_C);
    terminal.sees("rows written, stopped · ");
    terminal.is_asked();
    terminal.types(CTRL_D);
    assert_eq!(terminal.ends(), 0);
}

#[test]
fn timing_and_modes_are_switched_and_history_is_searched() {
    let dir = tempfile::tempdir().unwrap();
    std::fs::write(dir.path().join("orders.csv"), "id,city\n7,Oslo\n").unwrap();
    let mut terminal = shell(&dir);
    terminal.types("\\timing\r");
    terminal.sees("timing is off");
    terminal.is_asked();
    terminal.types("SELECT city FROM 'ord");
    terminal.types(TAB);
    terminal.sees("'orders.csv");
    terminal.types("';\r");
    terminal.sees("│ Oslo │");
    terminal.sees("1 row");
    terminal.is_asked();
    assert!(!terminal.contents().contains("1 row · "), "{}", terminal.contents());
    terminal.types("\\timing on\r");
    terminal.sees("timing is on");
    for (mode, shown) in [
        ("\\mode vertical", "city │ Oslo"),
        ("\\mode json", "{\"city\":\"Oslo\"}"),
        ("\\mode csv", "city\nOslo"),
        ("\\mode table", "│ Oslo │"),
    ] {
        terminal.clears();
        terminal.types(&format!("{mode}\r"));
        terminal.sees(&format!("mode is {}", &mode[6..]));
        terminal.is_asked();
        // Ctrl-R finds what was typed before.
        terminal.types("\x12");
        terminal.types("city FR");
        terminal.sees("SELECT city FROM 'orders.csv';");
        terminal.types("\r");
        terminal.sees(shown);
        terminal.is_asked();
    }
    terminal.types(CTRL_D);
    assert_eq!(terminal.ends(), 0);
}

#[test]
fn ctrl_c_ends_a_query_over_tables_that_end_too() {
    let dir = tempfile::tempdir().unwrap();
    let mut terminal = shell(&dir);
    terminal.types(
        "CREATE TABLE much (n BIGINT) WITH ('connector' = 'datagen', \
         'number-of-rows' = '1000000000000');\r",
    );
    terminal.sees("table much created");
    terminal.is_asked();
    terminal.types("SELECT MAX(n) FROM much;\r");
    // Nothing shows when the query has begun, and before that the key is the prompt's.
    terminal.types_until(CTRL_C, "cancelled");
    terminal.is_asked();
    terminal.types("SELECT 5 AS five;\r");
    terminal.sees("│    5 │");
    terminal.is_asked();
    terminal.types(CTRL_D);
    assert_eq!(terminal.ends(), 0);
}

#[test]
fn the_last_query_is_explained_and_watched_until_ctrl_c() {
    let dir = tempfile::tempdir().unwrap();
    let mut terminal = shell(&dir);
    terminal.types("\\watch\r");
    terminal.sees("error: no query was run yet");
    terminal.is_asked();
    terminal.types("SELECT 7 AS seven;\r");
    terminal.sees("│     7 │");
    terminal.is_asked();
    terminal.types("\\plan\r");
    terminal.sees("== Physical Plan");
    terminal.is_asked();

    terminal.clears();
    terminal.types("\\watch 0.05\r");
    terminal.sees_that("the answer again", |screen| screen.matches("│     7 │").count() > 1);
    terminal.types(CTRL_C);
    terminal.is_asked();
    terminal.types("\\q\r");
    assert_eq!(terminal.ends(), 0);
}
