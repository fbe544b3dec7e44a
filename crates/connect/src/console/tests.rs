use std::collections::BTreeMap;

use expect_test::{Expect, expect};
use headwater_core::EventTime;
use serde::{Deserialize, Serialize};

use super::*;
use crate::conformance::at_least_once_sink_suite;
use crate::source::Wake;

/// An output that can be looked at.
#[derive(Clone, Default)]
struct Screen(Arc<Mutex<Vec<u8>>>);

impl Screen {
    fn text(&self) -> String {
        String::from_utf8(self.0.lock().unwrap().clone()).unwrap()
    }
}

impl Write for Screen {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        self.0.lock().unwrap().write(bytes)
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
struct Sale {
    shop: String,
    amount: f64,
    note: Option<String>,
}

fn sale(shop: &str, amount: f64, note: Option<&str>) -> Sale {
    Sale { shop: shop.into(), amount, note: note.map(str::to_owned) }
}

fn writer<T: Record>(
    out: impl Write + Send + 'static,
    format: ConsoleFormat,
) -> Box<dyn Writer<T>> {
    let (sink, wake) = ("sales".to_owned(), Wake::none());
    let cx = WriterContext { sink, worker: 0, workers: 1, attempt: 1, wake };
    console_to(out).format(format).writer(&cx).unwrap()
}

fn write<T: Record>(writer: &mut dyn Writer<T>, records: impl IntoIterator<Item = T>) {
    let timed = |record| Timed::new(EventTime::MIN, record);
    writer.write(&mut records.into_iter().map(timed).collect()).unwrap();
}

/// Prints each block and pauses after it.
fn table<T: Record>(blocks: impl IntoIterator<Item = Vec<T>>, expected: Expect) {
    let screen = Screen::default();
    let mut writer = writer::<T>(screen.clone(), ConsoleFormat::Table);
    for block in blocks {
        write(&mut *writer, block);
        writer.flush().unwrap();
    }
    expected.assert_eq(&screen.text());
}

#[test]
fn json_lines_are_an_at_least_once_sink() {
    let screen = Screen::default();
    let read = || -> Vec<(String, u64)> {
        screen.text().lines().map(|line| serde_json::from_str(line).unwrap()).collect()
    };
    let make = || console_to(screen.clone());
    at_least_once_sink_suite(make, read, |n| (format!("line\n{n}"), n)).unwrap();
}

#[test]
fn a_table_grows_and_repeats_its_header_only_when_needed() {
    table(
        [
            vec![sale("Lisbon", 12.5, None), sale("Oslo", 3.0, Some("returned"))],
            vec![sale("Bonn", 1.25, Some("gift"))],
            vec![sale("Reykjavik", 7.0, None)],
        ],
        expect![[r#"

             sales
             shop     amount   note
            ──────── ──────── ──────────
             Lisbon   12.5
             Oslo     3.0      returned
             Bonn     1.25     gift

             sales
             shop        amount   note
            ─────────── ──────── ──────────
             Reykjavik   7.0
        "#]],
    );
}

#[test]
fn columns_follow_the_records() {
    let row = |names: &[&str]| -> BTreeMap<String, usize> {
        names.iter().map(|name| ((*name).to_owned(), name.len())).collect()
    };
    table(
        [vec![row(&["a", "bb"]), row(&["a", "bb"]), row(&["ccc"])], vec![row(&["ccc"])]],
        expect![[r#"

             sales
             a   bb
            ─── ────
             1   2
             1   2

             sales
             ccc
            ─────
             3
             3
        "#]],
    );
    table(
        [vec![1, 22], vec![3]],
        expect![[r#"

         sales
         value
        ───────
         1
         22
         3
    "#]],
    );
    table(
        [vec![vec![1, 2], vec![]]],
        expect![[r#"

         sales
         value
        ───────
         [1,2]
         []
    "#]],
    );
}

#[test]
fn records_do_not_steer_the_terminal() {
    table(
        [vec!["\u{1b}[2Jgone\u{9b}1m\nnext\r".to_owned()]],
        expect![[r#"

         sales
         value
        ───────────────────────────────
         \u{1b}[2Jgone\u{9b}1m\nnext\r
    "#]],
    );
}

#[test]
fn the_header_comes_again_after_many_rows() {
    let screen = Screen::default();
    let mut writer = writer::<u64>(screen.clone(), ConsoleFormat::Table);
    write(&mut *writer, 100..200);
    for n in 200..300 {
        write(&mut *writer, [n]);
        writer.flush().unwrap();
    }
    assert_eq!(screen.text().matches("value").count(), 5);
    let numbers = screen.text().lines().filter_map(|l| l.trim().parse::<u64>().ok()).count();
    assert_eq!(numbers, 200);
}

#[test]
fn much_is_printed_without_a_pause() {
    let screen = Screen::default();
    let mut lines = writer::<u64>(screen.clone(), ConsoleFormat::JsonLines);
    write(&mut *lines, 0..100);
    assert_eq!(screen.text(), "");
    write(&mut *lines, 100..100_000);
    assert!(screen.text().len() > 400_000);
}

#[test]
fn what_cannot_be_printed_is_an_error() {
    let mut keys = writer::<BTreeMap<(u8, u8), u8>>(Screen::default(), ConsoleFormat::JsonLines);
    let mut records = vec![Timed::new(EventTime::MIN, BTreeMap::from([((1, 2), 3)]))];
    assert!(keys.write(&mut records).is_err());

    struct Closed;
    impl Write for Closed {
        fn write(&mut self, _: &[u8]) -> std::io::Result<usize> {
            Err(std::io::ErrorKind::BrokenPipe.into())
        }
        fn flush(&mut self) -> std::io::Result<()> {
            Ok(())
        }
    }
    let mut closed = writer::<u8>(Closed, ConsoleFormat::JsonLines);
    write(&mut *closed, [1]);
    let error = closed.flush().unwrap_err();
    assert_eq!(error.to_string(), "cannot print the records of sink \"sales\"");
}
