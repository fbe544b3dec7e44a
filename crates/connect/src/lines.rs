//! Lines of text from the standard input, a TCP connection or anything else that can be read.
//!
//! A thread waits for input, cuts it into lines and hands them to the worker through a bounded
//! queue (see `feed`), so the worker never waits. A line that is too long or not UTF-8 is refused,
//! not fatal; the position is the number of lines so far, refused ones included.
//!
//! **None of these inputs can be read twice.** A reader that is opened at a position goes on
//! counting there and gives what comes *next*: lines that were read after the last checkpoint are
//! lost when the job fails (at-most-once). For more, write them to a log or a file first.
//!
//! What this does not do: parse lines, or share one input among splits.

use std::io::Read;
use std::sync::{Arc, LazyLock, Mutex, PoisonError};

use headwater_core::{Error, Result};

use crate::source::{Position, ReadBuffer, ReadStatus, Reader, Source, SplitId, Wake};

mod feed;
mod splitter;
mod tcp;
#[cfg(test)]
mod tests;

use feed::{Ended, Feed, Next};
use splitter::Line;
pub use tcp::{TcpConnect, TcpListen, tcp_connect, tcp_listen};

/// The longest line that is taken unless set otherwise: 16 MiB.
pub const DEFAULT_MAX_LINE_BYTES: usize = 16 << 20;

const SPLIT: &str = "input";

/// Reads lines from the standard input of the process until it ends.
///
/// A process has one standard input: all sources made by this share it, and each line goes to one
/// of them. The thread that waits for it starts with the first reader and lives as long as the
/// process, so a restarted job goes on with the next line.
///
/// # Examples
/// ```
/// use headwater_connect::lines::stdin_lines;
///
/// let lines = stdin_lines().max_line_bytes(1 << 20);
/// # headwater_connect::Source::validate(&lines).unwrap();
/// ```
pub fn stdin_lines() -> Lines {
    static STDIN: LazyLock<Arc<Mutex<Input>>> =
        LazyLock::new(|| Arc::new(Mutex::new(Input::Waiting(Some(Box::new(std::io::stdin()))))));
    Lines { input: Arc::clone(&STDIN), max_line_bytes: DEFAULT_MAX_LINE_BYTES }
}

/// Reads lines from anything that can be read, until it ends.
///
/// Its thread starts with the first reader and ends with the input.
///
/// # Examples
/// ```
/// use headwater_connect::conformance::read_to_end;
/// use headwater_connect::lines::read_lines;
///
/// assert_eq!(read_to_end(read_lines(&b"one\ntwo"[..]))?, ["one", "two"]);
/// # Ok::<(), String>(())
/// ```
pub fn read_lines(input: impl Read + Send + 'static) -> Lines {
    let input = Arc::new(Mutex::new(Input::Waiting(Some(Box::new(input)))));
    Lines { input, max_line_bytes: DEFAULT_MAX_LINE_BYTES }
}

/// The source that [`stdin_lines`] and [`read_lines`] give.
pub struct Lines {
    input: Arc<Mutex<Input>>,
    max_line_bytes: usize,
}

enum Input {
    Waiting(Option<Box<dyn Read + Send>>),
    Running(Arc<Feed>),
}

impl Lines {
    /// Refuses lines of more than this many bytes; 16 MiB by default.
    pub fn max_line_bytes(mut self, bytes: usize) -> Self {
        self.max_line_bytes = bytes;
        self
    }

    fn feed(&self) -> Result<Arc<Feed>> {
        let mut input = self.input.lock().unwrap_or_else(PoisonError::into_inner);
        let waiting = match &mut *input {
            Input::Running(feed) => return Ok(Arc::clone(feed)),
            Input::Waiting(waiting) => waiting.take(),
        };
        let Some(mut waiting) = waiting else {
            return Err(Error::connector("the input was lost when its thread could not start"));
        };
        let feed = Feed::start(self.max_line_bytes, move |pump| {
            if let Ended::Broken(e) = pump.read(&mut *waiting) {
                pump.fail(format!("cannot read the input: {e}"));
            }
        })?;
        let feed = Arc::new(feed);
        *input = Input::Running(Arc::clone(&feed));
        Ok(feed)
    }
}

impl Source for Lines {
    type Record = String;

    fn splits(&self) -> Result<Vec<SplitId>> {
        Ok(vec![SplitId(SPLIT.to_owned())])
    }

    fn open(
        &self,
        split: &SplitId,
        position: Option<&Position>,
        wake: Wake,
    ) -> Result<Box<dyn Reader<String>>> {
        let count = check_split(SPLIT, split, position)?;
        Ok(Box::new(LineReader::new(self.feed()?, count, wake, None)))
    }
}

/// The number of lines before `position`, if this is the one split there is.
fn check_split(known: &str, split: &SplitId, position: Option<&Position>) -> Result<u64> {
    if split.0 != known {
        return Err(Error::state(format!(
            "lines: no split \"{split}\", the only one is \"{known}\""
        )));
    }
    let Some(position) = position else { return Ok(0) };
    position.0.parse().map_err(|e| {
        Error::state(format!("lines: position \"{position}\" is no number of lines")).because(e)
    })
}

struct LineReader {
    feed: Arc<Feed>,
    count: u64,
    _stop: Option<tcp::StopOnDrop>,
}

impl LineReader {
    fn new(feed: Arc<Feed>, count: u64, wake: Wake, stop: Option<tcp::StopOnDrop>) -> Self {
        feed.set_wake(wake);
        LineReader { feed, count, _stop: stop }
    }
}

impl Reader<String> for LineReader {
    fn read(&mut self, buffer: &mut ReadBuffer<String>) -> Result<ReadStatus> {
        let (room, count) = (buffer.room(), &mut self.count);
        let stopped = self.feed.take(
            |line| {
                *count += 1;
                match line {
                    Line::Text(text) => buffer.push(text),
                    Line::Refused { record, reason } => {
                        buffer.refuse(&record, format!("line {count}"), reason);
                    }
                }
            },
            room,
        )?;
        Ok(match stopped {
            Some(Next::End) => ReadStatus::End,
            Some(_) => ReadStatus::Idle,
            None => ReadStatus::Ready,
        })
    }

    fn position(&self) -> Position {
        Position(self.count.to_string())
    }
}
