//! A record far over the limit is refused without being held; alone in its process, to see its
//! peak.

use std::fs::File;
use std::io::Write;
use std::time::Duration;

use headwater_connect::{ReadBuffer, ReadStatus, Source, SplitId, Wake};
use headwater_core::ProcessingTime;
use headwater_files::source;

const MIB: usize = 1 << 20;

#[test]
fn a_record_of_64_mb_is_refused_in_bounded_memory() {
    let dir = tempfile::tempdir().unwrap();
    let file = File::create(dir.path().join("big.jsonl.gz")).unwrap();
    let mut out = flate2::write::GzEncoder::new(file, flate2::Compression::fast());
    out.write_all(b"\"before\"\n\"").unwrap();
    (0..64).for_each(|_| out.write_all(&vec![b'x'; MIB]).unwrap());
    out.write_all(b"\"\n\"after\"\n").unwrap();
    out.finish().unwrap().sync_all().unwrap();

    let source = source(dir.path()).json::<String>();
    let mut reader = source.open(&SplitId("big.jsonl.gz".into()), None, Wake::none()).unwrap();
    let (mut good, mut bad, mut calls) = (Vec::new(), Vec::new(), 0);
    loop {
        let mut buffer = ReadBuffer::new(100, Duration::ZERO, ProcessingTime(0));
        let status = reader.read(&mut buffer).unwrap();
        calls += 1;
        good.extend(buffer.records.into_iter().map(|record| record.value));
        bad.extend(buffer.bad);
        if status == ReadStatus::End {
            break;
        }
    }
    assert_eq!(good, ["before", "after"]);
    assert_eq!(bad.len(), 1);
    assert_eq!(bad[0].record.bytes().len(), MIB);
    assert_eq!(bad[0].position, "line 2");
    let (size, limit) = (64 * MIB + 2, 16 * MIB);
    assert_eq!(bad[0].reason, format!("record of {size} bytes exceeds the limit of {limit}"));
    assert!(calls >= 64, "one call takes about 1 MiB, {calls} took it all");
    if let Some(peak) = peak_memory() {
        assert!(peak < 56 * MIB, "the process needed {peak} bytes");
    }
}

/// The most memory this process had in use, where the system tells.
fn peak_memory() -> Option<usize> {
    let status = std::fs::read_to_string("/proc/self/status").ok()?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"))?;
    line.trim().strip_suffix("kB")?.trim().parse::<usize>().ok().map(|kib| kib << 10)
}
