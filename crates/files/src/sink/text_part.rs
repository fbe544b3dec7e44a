//! JSON and CSV parts, plain or compressed as a whole.

use std::io::{self, BufWriter, Write};
use std::marker::PhantomData;
use std::path::PathBuf;

use flate2::write::GzEncoder;
use headwater_core::{Record, Result, Timed};

use crate::compression::Compression;
use crate::sink::Target;
use crate::sink::encoder::{Encoder, cannot_encode, write_failed};
use crate::sink::part::PartFile;

/// Starts a part of JSON lines.
pub(crate) fn start_json<T: Record>(
    target: &Target,
    file: PartFile,
) -> Result<Box<dyn Encoder<T>>> {
    let dir = target.options.dir.clone();
    let out = PartOutput::new(target.options.compression, file)
        .map_err(|e| write_failed(&target.options.dir, e))?;
    Ok(Box::new(JsonPart { dir, out, line: Vec::new() }))
}

/// Starts a part of CSV rows.
pub(crate) fn start_csv<T: Record>(target: &Target, file: PartFile) -> Result<Box<dyn Encoder<T>>> {
    let dir = target.options.dir.clone();
    let out = PartOutput::new(target.options.compression, file)
        .map_err(|e| write_failed(&target.options.dir, e))?;
    Ok(Box::new(CsvPart::<T> { dir, out: csv::Writer::from_writer(out), record: PhantomData }))
}

struct JsonPart {
    dir: PathBuf,
    out: PartOutput,
    line: Vec<u8>,
}

impl<T: Record> Encoder<T> for JsonPart {
    fn write(&mut self, rows: &[Timed<T>], limit: u64) -> Result<usize> {
        for (i, row) in rows.iter().enumerate() {
            self.line.clear();
            serde_json::to_writer(&mut self.line, &row.value)
                .map_err(|e| cannot_encode::<T>("JSON", e))?;
            self.line.push(b'\n');
            self.out.write_all(&self.line).map_err(|e| write_failed(&self.dir, e))?;
            if self.out.bytes() >= limit {
                return Ok(i + 1);
            }
        }
        Ok(rows.len())
    }

    fn size(&self) -> u64 {
        self.out.bytes()
    }

    fn finish(self: Box<Self>) -> Result<PartFile> {
        self.out.finish().map_err(|e| write_failed(&self.dir, e))
    }
}

struct CsvPart<T> {
    dir: PathBuf,
    out: csv::Writer<PartOutput>,
    record: PhantomData<fn(T)>,
}

impl<T: Record> Encoder<T> for CsvPart<T> {
    fn write(&mut self, rows: &[Timed<T>], limit: u64) -> Result<usize> {
        for (i, row) in rows.iter().enumerate() {
            self.out.serialize(&row.value).map_err(|e| match e.into_kind() {
                csv::ErrorKind::Io(e) => write_failed(&self.dir, e),
                csv::ErrorKind::Serialize(e) => cannot_encode::<T>("a CSV row", e),
                csv::ErrorKind::UnequalLengths { expected_len, len, .. } => cannot_encode::<T>(
                    "a CSV row",
                    format!("it has {len} fields, the rows before have {expected_len}"),
                ),
                other => cannot_encode::<T>("a CSV row", format!("{other:?}")),
            })?;
            if self.out.get_ref().bytes() >= limit {
                return Ok(i + 1);
            }
        }
        Ok(rows.len())
    }

    fn size(&self) -> u64 {
        self.out.get_ref().bytes()
    }

    fn finish(self: Box<Self>) -> Result<PartFile> {
        let out = self.out.into_inner().map_err(|e| {
            let cause = io::Error::new(e.error().kind(), e.error().to_string());
            write_failed(&self.dir, cause)
        })?;
        out.finish().map_err(|e| write_failed(&self.dir, e))
    }
}

/// Bytes on their way into a part, through its compression.
pub struct PartOutput(Compressor);

enum Compressor {
    Plain(BufWriter<PartFile>),
    Gzip(GzEncoder<PartFile>),
    Zstd(zstd::stream::write::Encoder<'static, PartFile>),
}

impl PartOutput {
    pub(crate) fn new(compression: Compression, file: PartFile) -> io::Result<Self> {
        Ok(PartOutput(match compression {
            Compression::None => Compressor::Plain(BufWriter::with_capacity(64 << 10, file)),
            Compression::Gzip => Compressor::Gzip(GzEncoder::new(file, Default::default())),
            Compression::Zstd => {
                let mut encoder = zstd::stream::write::Encoder::new(file, 0)?;
                encoder.include_checksum(true)?;
                Compressor::Zstd(encoder)
            }
        }))
    }

    /// Bytes in the part, without what a compressor holds back.
    pub fn bytes(&self) -> u64 {
        match &self.0 {
            Compressor::Plain(out) => out.get_ref().bytes() + out.buffer().len() as u64,
            Compressor::Gzip(out) => out.get_ref().bytes(),
            Compressor::Zstd(out) => out.get_ref().bytes(),
        }
    }

    pub(crate) fn finish(self) -> io::Result<PartFile> {
        match self.0 {
            Compressor::Plain(out) => out.into_inner().map_err(io::IntoInnerError::into_error),
            Compressor::Gzip(out) => out.finish(),
            Compressor::Zstd(out) => out.finish(),
        }
    }
}

impl Write for PartOutput {
    fn write(&mut self, buf: &[u8]) -> io::Result<usize> {
        match &mut self.0 {
            Compressor::Plain(out) => out.write(buf),
            Compressor::Gzip(out) => out.write(buf),
            Compressor::Zstd(out) => out.write(buf),
        }
    }

    fn flush(&mut self) -> io::Result<()> {
        // A flush of a compressor costs compression; only `finish` needs all the bytes out.
        Ok(())
    }
}
