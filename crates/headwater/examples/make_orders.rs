//! Makes the input of the `orders` example: gzipped JSON lines, the same ones each time.
//!
//! ```sh
//! cargo run --release --example make_orders -- orders.jsonl.gz 1000000
//! ```
//! An order is placed every 86 ms, so a million of them make a day, by one of 1,000 customers.
//! Lines are out of order by up to 30 s; one order in 200 arrives up to 30 minutes late, and one
//! line in 500 is malformed, in one of eight ways.

use std::fs::File;
use std::io::{self, BufWriter, Write};
use std::path::Path;

use flate2::Compression;
use flate2::write::GzEncoder;
use headwater::connectors::generator::SplitMix64;

const SEED: u64 = 20_240_301;
/// 2024-03-01T00:00:00Z.
const START_MS: i64 = 1_709_251_200_000;
const EVERY_MS: i64 = 86;

/// Writes the lines `0..count` to a gzipped file.
pub fn make_orders(path: &Path, count: u64) -> io::Result<()> {
    let file = BufWriter::new(File::create(path)?);
    let mut gz = GzEncoder::new(file, Compression::fast());
    for n in 0..count {
        gz.write_all(&line(n))?;
        gz.write_all(b"\n")?;
    }
    gz.finish()?.flush()
}

/// Line `n`, which depends on `n` only.
pub fn line(n: u64) -> Vec<u8> {
    let rng = &mut SplitMix64::of_record(SEED, n);
    let delay = match rng.below(200) {
        0 => 30_000 + rng.below(30 * 60_000),
        _ => rng.below(30_000),
    };
    let at = START_MS + n as i64 * EVERY_MS - delay as i64;
    // Some customers order far more than others.
    let customer = rng.below(1_000).min(rng.below(1_000));
    let cents = 100 + rng.below(20_000);
    let customer = format!("c{customer:04}");
    if rng.below(500) == 0 {
        return malformed(rng.below(8), n, &customer, cents, at);
    }
    order(n, &format!("\"{customer}\""), &cents.to_string(), at).into_bytes()
}

fn order(id: u64, customer: &str, cents: &str, at: i64) -> String {
    format!("{{\"id\":{id},\"customer\":{customer},\"cents\":{cents},\"at\":{at}}}")
}

fn malformed(kind: u64, id: u64, customer: &str, cents: u64, at: i64) -> Vec<u8> {
    let quoted = format!("\"{customer}\"");
    let whole = order(id, &quoted, &cents.to_string(), at);
    let text = match kind {
        0 => whole[..whole.len() / 2].to_owned(),
        1 => "-- connection lost --".to_owned(),
        2 => format!("{{\"id\":{id},\"customer\":{quoted},\"at\":{at}}}"),
        3 => order(id, &quoted, &format!("\"{cents}\""), at),
        4 => order(id, &quoted, &format!("-{cents}"), at),
        5 => order(id, &quoted, &format!("{cents}.5"), at),
        6 => order(id, "null", &cents.to_string(), at),
        // Not UTF-8.
        _ => {
            let mut bytes = whole.into_bytes();
            bytes[20] = 0xff;
            return bytes;
        }
    };
    text.into_bytes()
}

fn main() -> io::Result<()> {
    let mut args = std::env::args().skip(1);
    let path = args.next().unwrap_or_else(|| "orders.jsonl.gz".to_owned());
    let count = match args.next().map(|text| text.replace('_', "").parse()) {
        None => 1_000_000,
        Some(Ok(count)) => count,
        Some(Err(e)) => return Err(io::Error::other(format!("not a number of orders: {e}"))),
    };
    make_orders(Path::new(&path), count)?;
    eprintln!("wrote {count} lines to {path}");
    Ok(())
}
