//! scratch
use std::time::{Duration, Instant};
use headwater_api::Job;
use headwater_connect::{blackhole::blackhole, generator::generator};
use headwater_operators::process::process_fn;
use headwater_runtime::{CheckpointConfig, Config, start};
fn main() {
    let case = std::env::args().nth(1).unwrap();
    let n: u64 = std::env::args().nth(2).unwrap().parse().unwrap();
    let workers: usize = std::env::args().nth(3).unwrap().parse().unwrap();
    let mut job = Job::new("t");
    let src = generator(|n| n).limit(n).splits(workers);
    match case.as_str() {
        "chain" => job.source("s", src).map(|n| n.wrapping_mul(3)).filter(|n| n % 4 != 0).map(|n| n ^ 7).sink("out", blackhole()),
        "count" | "count10m" => {
            let keys = if case == "count" { 10_000 } else { 10_000_000 };
            job.source("s", src).key_by(move |n| (n.wrapping_mul(0x9E37_79B9_7F4A_7C15) >> 20) % keys).process("count", process_fn(|cx, _r: u64| { let c: &mut u64 = cx.state(); *c += 1; if *c % 1000 == 0 { let v = *c; cx.emit(v); } Ok(()) })).sink("out", blackhole())
        }
        _ => panic!(),
    }
    let dir = std::env::temp_dir().join("hw-tp"); let _ = std::fs::remove_dir_all(&dir);
    let config = Config { workers, checkpoints: CheckpointConfig { location: Some(dir.to_string_lossy().into()), interval: Some(Duration::from_secs(1)), ..Default::default() }, ..Default::default() };
    let t = Instant::now();
    let mut h = start(job.build().unwrap(), config).unwrap();
    h.wait().unwrap();
    let s = t.elapsed().as_secs_f64();
    let m = h.metrics();
    println!("{case} {workers}w {:.1} M/s in {s:.2} s; ckpt {} last {} bytes {:?}", n as f64 / s / 1e6, m.checkpoints.completed, m.checkpoints.last_bytes, m.checkpoints.last_duration);
    for o in m.operators { println!("  {:12} in {} out {} busy {:?} blocked {:?} state {}", o.name, o.totals.records_in, o.totals.records_out, o.busy, o.blocked, o.state_entries); }
}
