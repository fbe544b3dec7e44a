//! A case file, read: its steps, where its expectations are, and how they compare.

use std::time::Duration;

use headwater_core::{Error, EventTime, Result};

use super::diff::diff;
use super::run::Mode;
use crate::moment::IntoEventTime;

/// A case.
pub(super) struct Script {
    lines: Vec<String>,
    pub(super) job: String,
    pub(super) job_line: usize,
    pub(super) start: EventTime,
    variants: &'static [Mode],
    pub(super) steps: Vec<Step>,
}

/// One command and the number of its line, from 1.
pub(super) struct Step {
    pub(super) line: usize,
    pub(super) command: Command,
}

/// A source, and a split of it if one is named.
pub(super) struct Place {
    pub(super) source: String,
    pub(super) split: Option<String>,
}

pub(super) enum Command {
    Send { to: Place, records: Vec<String> },
    Bad { to: Place, record: String },
    Splits { source: String, splits: Vec<String> },
    Watermark { source: Option<String>, at: EventTime },
    Idle(Place),
    Advance(Duration),
    Barrier,
    Crash { downtime: Option<Duration> },
    End(Option<Place>),
    Expect(Expected),
}

/// What is expected, on which lines of the file.
pub(super) struct Expected {
    pub(super) what: What,
    sorted: bool,
    first: usize,
    lines: Vec<String>,
}

pub(super) enum What {
    Sink(String),
    Totals(String),
    Watermark(String),
    State(String),
    Timers(String),
    Error,
}

impl Script {
    /// Reads a case; an error has the number of its line.
    pub(super) fn parse(text: &str) -> std::result::Result<Script, (usize, Error)> {
        let mut script = Script {
            lines: text.lines().map(str::to_owned).collect(),
            job: String::new(),
            job_line: 0,
            start: EventTime(0),
            variants: Mode::ALL,
            steps: Vec::new(),
        };
        let mut at = 0;
        while at < script.lines.len() {
            at = script.read(at).map_err(|e| (at + 1, e))?;
        }
        if script.job.is_empty() {
            return Err((1, Error::config("the case names no job").hint("start with: job NAME")));
        }
        if script.steps.iter().any(
            |step| matches!(&step.command, Command::Expect(e) if matches!(e.what, What::Error)),
        ) {
            // A record that fails a step fails it again in every replay.
            script.variants = &[];
        }
        Ok(script)
    }

    /// Reads the command on line `at`; returns where the next one may be.
    fn read(&mut self, at: usize) -> Result<usize> {
        let line = self.lines[at].clone();
        let mut words = Words(&line);
        let Some(name) = words.next() else { return Ok(at + 1) };
        if name.starts_with('#') {
            return Ok(at + 1);
        }
        let mut next = at + 1;
        let command = match name.as_str() {
            "job" => {
                (self.job, self.job_line) = (words.required("the name of a job")?, at + 1);
                return words.nothing_more(next);
            }
            "clock" => {
                self.start = words.required("a time")?.as_str().into_event_time()?;
                return words.nothing_more(next);
            }
            "variants" => {
                self.variants = match words.required("all, crash or none")?.as_str() {
                    "all" => Mode::ALL,
                    "crash" => Mode::CRASHES,
                    "none" => &[],
                    other => return Err(Error::config(format!("no variants {other:?}"))),
                };
                return words.nothing_more(next);
            }
            "send" => {
                let to = words.place()?;
                let mut records = Vec::new();
                match words.rest() {
                    "" => next = self.indented(next, &mut records),
                    record => records.push(record.to_owned()),
                }
                Command::Send { to, records }
            }
            "bad" => Command::Bad { to: words.place()?, record: words.rest().to_owned() },
            "splits" => {
                let source = words.required("a source")?;
                Command::Splits { source, splits: words.by_ref().collect() }
            }
            "watermark" => {
                let at = words.required("a time")?.as_str().into_event_time()?;
                Command::Watermark { at, source: words.next() }
            }
            "idle" => Command::Idle(words.place()?),
            "advance" => Command::Advance(duration(&words.required("a duration")?)?),
            "barrier" => Command::Barrier,
            "crash" => match words.next().as_deref() {
                None => Command::Crash { downtime: None },
                Some("after") => {
                    let downtime = duration(&words.required("a duration")?)?;
                    Command::Crash { downtime: Some(downtime) }
                }
                Some(other) => return Err(Error::config(format!("crash {other}?"))),
            },
            "end" => Command::End(words.next().map(|word| place(&word))),
            "expect" => {
                let (what, sorted) = words.expectation()?;
                let first = next;
                while self.lines.get(next).is_some_and(|line| !line.trim().is_empty()) {
                    next += 1;
                }
                let lines = self.lines[first..next].to_vec();
                Command::Expect(Expected { what, sorted, first, lines })
            }
            other => return Err(Error::config(format!("no command {other:?}"))),
        };
        if !matches!(command, Command::Send { .. } | Command::Bad { .. }) {
            words.nothing_more(next)?;
        }
        self.steps.push(Step { line: at + 1, command });
        Ok(next)
    }

    fn indented(&self, mut at: usize, records: &mut Vec<String>) -> usize {
        while let Some(line) = self.lines.get(at) {
            if !line.starts_with(' ') || line.trim().is_empty() {
                break;
            }
            records.push(line.trim().to_owned());
            at += 1;
        }
        at
    }

    /// The other ways in which this case is to be run.
    pub(super) fn variants(&self) -> &'static [Mode] {
        self.variants
    }

    fn expectations(&self) -> impl Iterator<Item = (usize, &Expected)> {
        self.steps.iter().filter_map(|step| match &step.command {
            Command::Expect(expected) => Some((step.line, expected)),
            _ => None,
        })
    }

    /// The first expectation that was not met, and how.
    pub(super) fn compare(&self, found: &[Vec<String>]) -> Option<(usize, String)> {
        self.expectations().zip(found).find_map(|((line, expected), found)| {
            let same = expected.lines == ordered(expected.sorted, found);
            let shown = || diff(&expected.lines, &ordered(expected.sorted, found));
            (!same).then(|| (line, format!("{}\n{}", self.lines[line - 1], shown())))
        })
    }

    /// The first expectation at which two runs differ in more than order.
    pub(super) fn compare_sorted(
        &self,
        found: &[Vec<String>],
        other: &[Vec<String>],
    ) -> Option<(usize, String)> {
        let pairs = self.expectations().zip(found.iter().zip(other));
        pairs.map(|((line, _), (a, b))| (line, ordered(true, a), ordered(true, b))).find_map(
            |(line, a, b)| {
                (a != b).then(|| (line, format!("{}\n{}", self.lines[line - 1], diff(&a, &b))))
            },
        )
    }

    /// The file with what was found in place of what was expected.
    pub(super) fn with_expectations(&self, found: &[Vec<String>]) -> String {
        let (mut text, mut at) = (String::new(), 0);
        let mut copy =
            |lines: &[String]| lines.iter().for_each(|l| text.push_str(&format!("{l}\n")));
        for ((_, expected), found) in self.expectations().zip(found) {
            copy(&self.lines[at..expected.first]);
            copy(&ordered(expected.sorted, found));
            at = expected.first + expected.lines.len();
        }
        copy(&self.lines[at..]);
        text
    }
}

fn ordered(sort: bool, lines: &[String]) -> Vec<String> {
    let mut lines = lines.to_vec();
    if sort {
        lines.sort();
    }
    lines
}

/// The words of a line; blanks within quotes belong to a word.
struct Words<'a>(&'a str);

impl Iterator for Words<'_> {
    type Item = String;

    fn next(&mut self) -> Option<String> {
        let text = self.0.trim_start();
        let mut quoted = false;
        let end = text.find(|c: char| {
            quoted ^= c == '"';
            c.is_whitespace() && !quoted
        });
        let (word, rest) = text.split_at(end.unwrap_or(text.len()));
        self.0 = rest;
        (!word.is_empty()).then(|| word.replace('"', ""))
    }
}

impl<'a> Words<'a> {
    fn required(&mut self, what: &str) -> Result<String> {
        self.next()
            .ok_or_else(|| Error::config(format!("{what} is missing at the end of the line")))
    }

    fn place(&mut self) -> Result<Place> {
        Ok(place(&self.required("a source")?))
    }

    fn rest(&self) -> &'a str {
        self.0.trim()
    }

    fn nothing_more(&self, next: usize) -> Result<usize> {
        match self.rest() {
            "" => Ok(next),
            more => Err(Error::config(format!("{more:?} does not belong on this line"))),
        }
    }

    fn expectation(&mut self) -> Result<(What, bool)> {
        let quoted = self.rest().starts_with('"');
        let name = self.required("what is expected")?;
        let what = match (name.as_str(), self.rest()) {
            _ if quoted => What::Sink(name),
            ("error", "") => return Ok((What::Error, false)),
            ("totals", _) => What::Totals(self.required("a step")?),
            ("watermark", _) => What::Watermark(self.required("a step")?),
            ("state", _) => What::State(self.required("a step")?),
            ("timers", _) => What::Timers(self.required("a step")?),
            _ => What::Sink(name),
        };
        let sorted = self.rest() == "sorted";
        if sorted {
            self.next();
        }
        Ok((what, sorted))
    }
}

fn place(word: &str) -> Place {
    match word.rsplit_once('/') {
        Some((source, split)) => Place { source: source.into(), split: Some(split.into()) },
        None => Place { source: word.into(), split: None },
    }
}

fn duration(text: &str) -> Result<Duration> {
    let parsed = text.parse::<jiff::SignedDuration>().ok();
    parsed.and_then(|d| Duration::try_from(d).ok()).ok_or_else(|| {
        Error::config(format!("{text:?} is not a duration")).hint("write 5s, 10ms or 1m30s")
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    const CASE: &str = "# why\njob j\nclock 5\n\nsend \"a b\"/x {\"n\": 1}\nsend s\n  1\n  @2 2\n\
                        expect out sorted\nb\na\n\ncrash after 5s\nexpect totals \"a b\"\n";

    #[test]
    fn a_case_is_read_compared_and_blessed() {
        let script = Script::parse(CASE).map_err(|(line, e)| format!("{line}: {e}")).unwrap();
        assert_eq!((script.job.as_str(), script.start), ("j", EventTime(5)));
        let Command::Send { to, records } = &script.steps[0].command else { unreachable!() };
        assert_eq!((to.source.as_str(), to.split.as_deref()), ("a b", Some("x")));
        assert_eq!(records, &["{\"n\": 1}"]);
        let Command::Send { records, .. } = &script.steps[1].command else { unreachable!() };
        assert_eq!(records, &["1", "@2 2"]);
        let found = [vec!["b".to_owned(), "a".to_owned()], vec!["in=1".to_owned()]];
        let (line, difference) = script.compare(&found).unwrap();
        assert_eq!((line, difference.as_str()), (9, "expect out sorted\n  - b\n    a\n  + b\n"));
        let blessed = script.with_expectations(&found);
        assert_eq!(blessed, CASE.replace("b\na\n", "a\nb\n") + "in=1\n");
        let script = Script::parse(&blessed).map_err(|(line, _)| line).unwrap();
        assert!(script.compare(&found).is_none());
        let swapped = [vec!["a".to_owned(), "b".to_owned()], vec!["in=1".to_owned()]];
        assert!(script.compare_sorted(&found, &swapped).is_none());
        assert_eq!(script.compare_sorted(&found, &[vec![], vec![]]).unwrap().0, 9);
    }

    #[test]
    fn a_mistake_is_reported_with_its_line() {
        let line = |text: &str| Script::parse(text).map(|_| ()).map_err(|(line, _)| line);
        assert_eq!(line("job j\n\nsned s 1\n"), Err(3));
        assert_eq!(line("job j\nadvance soon\n"), Err(2));
        assert_eq!(line("job j\nbarrier now\n"), Err(2));
        assert_eq!(line("barrier\n"), Err(1));
        assert_eq!(line("job j\nwatermark\n"), Err(2));
    }
}
