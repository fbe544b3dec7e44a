//! A sink for people: a table when the standard output is a terminal, JSON lines when it is not.
//!
//! Each writer gathers a block of whole lines and writes it at once, so lines of different workers
//! do not mix. It writes when the input pauses, when it has gathered much, and at the end of each
//! epoch. Nothing that was printed can be unprinted: at-least-once.
//!
//! What this does not do: print event times (put them into the record), or colour.

use std::io::{IsTerminal, Write};
use std::marker::PhantomData;
use std::sync::{Arc, Mutex, PoisonError};

use headwater_core::{Epoch, Error, Record, Result, Timed};

use crate::sink::{Committable, Guarantee, Sink, WriteStatus, Writer, WriterContext};

mod table;
#[cfg(test)]
mod tests;

use table::{Layout, Row};

const MAX_ROWS: usize = 500;
const MAX_BYTES: usize = 64 << 10;

/// Prints records to the standard output: a table on a terminal, JSON lines into a file or a pipe.
///
/// # Examples
/// ```
/// use headwater_connect::console::console;
///
/// let sink = console::<(String, u64)>();
/// # headwater_connect::Sink::validate(&sink).unwrap();
/// ```
pub fn console<T: Record>() -> Console<T> {
    let format = if std::io::stdout().is_terminal() {
        ConsoleFormat::Table
    } else {
        ConsoleFormat::JsonLines
    };
    console_to(std::io::stdout()).format(format)
}

/// Prints records to `out`, as JSON lines unless told otherwise.
///
/// # Examples
/// ```
/// use headwater_connect::console::{ConsoleFormat, console_to};
///
/// let sink = console_to::<u64>(std::io::stderr()).format(ConsoleFormat::Table);
/// # headwater_connect::Sink::validate(&sink).unwrap();
/// ```
pub fn console_to<T: Record>(out: impl Write + Send + 'static) -> Console<T> {
    let out: Out = Arc::new(Mutex::new(Box::new(out)));
    Console { out, format: ConsoleFormat::JsonLines, record: PhantomData }
}

/// How records are printed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ConsoleFormat {
    /// Columns with a header: for people.
    Table,
    /// One JSON value per line: for programs.
    JsonLines,
}

type Out = Arc<Mutex<Box<dyn Write + Send>>>;

/// The sink that [`console`] and [`console_to`] give.
pub struct Console<T> {
    out: Out,
    format: ConsoleFormat,
    record: PhantomData<fn(T)>,
}

impl<T> Console<T> {
    /// Prints in this format, whatever the output is.
    pub fn format(mut self, format: ConsoleFormat) -> Self {
        self.format = format;
        self
    }
}

impl<T: Record> Sink for Console<T> {
    type Record = T;

    fn guarantee(&self) -> Guarantee {
        Guarantee::AtLeastOnce
    }

    fn writer(&self, cx: &WriterContext) -> Result<Box<dyn Writer<T>>> {
        Ok(Box::new(ConsoleWriter {
            out: Arc::clone(&self.out),
            format: self.format,
            sink: cx.sink.clone(),
            lines: Vec::new(),
            rows: Vec::new(),
            layout: Layout::default(),
        }))
    }
}

struct ConsoleWriter {
    out: Out,
    format: ConsoleFormat,
    sink: String,
    lines: Vec<u8>,
    rows: Vec<Row>,
    layout: Layout,
}

impl ConsoleWriter {
    fn gather<T: Record>(&mut self, record: &T) -> Result<()> {
        let cannot = |e: serde_json::Error| {
            let kind = std::any::type_name::<T>();
            Error::data(format!("cannot print a {kind} as JSON in sink \"{}\"", self.sink))
                .because(e)
                .hint("keys of maps must be strings or numbers")
        };
        match self.format {
            ConsoleFormat::JsonLines => {
                serde_json::to_writer(&mut self.lines, record).map_err(cannot)?;
                self.lines.push(b'\n');
            }
            ConsoleFormat::Table => {
                let json = serde_json::to_vec(record).map_err(cannot)?;
                let row = Row::of_json(&json).map_err(cannot)?;
                self.rows.push(row);
            }
        }
        Ok(())
    }

    fn print(&mut self) -> Result<()> {
        if !self.rows.is_empty() {
            let text = self.layout.print(&self.sink, &mut self.rows);
            self.lines.extend_from_slice(text.as_bytes());
        }
        if self.lines.is_empty() {
            return Ok(());
        }
        let mut out = self.out.lock().unwrap_or_else(PoisonError::into_inner);
        out.write_all(&self.lines).and_then(|()| out.flush()).map_err(|e| {
            Error::connector(format!("cannot print the records of sink \"{}\"", self.sink))
                .because(e)
        })?;
        self.lines.clear();
        Ok(())
    }
}

impl<T: Record> Writer<T> for ConsoleWriter {
    fn write(&mut self, records: &mut Vec<Timed<T>>) -> Result<WriteStatus> {
        for record in records.drain(..) {
            self.gather(&record.value)?;
            if self.lines.len() >= MAX_BYTES || self.rows.len() >= MAX_ROWS {
                self.print()?;
            }
        }
        Ok(WriteStatus::Done)
    }

    fn flush(&mut self) -> Result<()> {
        self.print()
    }

    fn prepare(&mut self, _epoch: Epoch) -> Result<Vec<Committable>> {
        self.print()?;
        Ok(Vec::new())
    }
}
