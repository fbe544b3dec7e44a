//! What a job costs that does nothing, and how long it takes to come up.

use std::io::{Read, Write};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use headwater::prelude::*;
use headwater::start;

use super::super::process;
use super::super::report::{Figures, rounded};
use super::latency::run_for;
use super::{CHECKPOINT_INTERVAL, RuntimeArgs};

const IDLE: Duration = Duration::from_secs(5);
const STARTS: usize = 11;

/// A windowed job whose source has one record and then nothing: memory and CPU over 5 s.
pub(super) fn idle(args: &RuntimeArgs, figures: Figures) -> Result<Figures> {
    let (config, _directory) = args.run.config(args.run.interval(CHECKPOINT_INTERVAL))?;
    let mut job = Job::new("idle");
    job.source("numbers", generator(|n| n).rate(0.001).splits(config.workers))
        .event_time(|n| EventTime(*n as i64), Watermarks::ascending())
        .key_by(|n| *n)
        .window(Tumbling::of(Duration::from_secs(10)))
        .count("counts")
        .results()
        .sink("out", blackhole());
    let mut handle = start(job.build()?, config)?;
    run_for(&mut handle, Duration::from_secs(1))?;
    // Not by `run_for`, which looks at the job now and then.
    let before = process::cpu_time();
    std::thread::sleep(IDLE);
    let used = process::cpu_time().zip(before).map(|(after, before)| after - before);
    let (rss, checkpoints) = (process::rss_bytes(), handle.metrics().checkpoints.completed);
    handle.stop(StopMode::Now);
    handle.wait()?;
    let percent = used.map(|used| rounded(100.0 * used.as_secs_f64() / IDLE.as_secs_f64()));
    Ok(figures
        .add("seconds", Some(IDLE.as_secs()))
        .add("cpu_percent_of_a_core", percent)
        .add("rss_bytes", rss)
        .add("peak_rss_bytes", process::peak_rss_bytes())
        .add("checkpoints", Some(checkpoints)))
}

/// From starting the process to the first byte it writes: a keyed job with checkpoints, started
/// again and again.
pub(super) fn startup(args: &RuntimeArgs, figures: Figures) -> Result<Figures> {
    let mut times = Vec::with_capacity(STARTS);
    for _ in 0..STARTS {
        times.push(first_byte(args)?);
    }
    times.sort_unstable();
    let ms = |at: usize| Some(rounded(times[at].as_secs_f64() * 1000.0));
    Ok(figures
        .add("starts", Some(STARTS))
        .add("median_ms", ms(STARTS / 2))
        .add("max_ms", ms(STARTS - 1)))
}

fn first_byte(args: &RuntimeArgs) -> Result<Duration> {
    let failed = |e: std::io::Error| Error::internal("cannot run this program again").because(e);
    let program = std::env::current_exe().map_err(failed)?;
    let began = Instant::now();
    let mut child = Command::new(program)
        .args(["bench", "runtime", "--case", "first-output"])
        .args(["--workers", &args.run.workers().to_string()])
        .stdout(Stdio::piped())
        .spawn()
        .map_err(failed)?;
    let mut byte = [0];
    let read = child.stdout.as_mut().map_or(Ok(0), |out| out.read(&mut byte)).map_err(failed)?;
    let time = began.elapsed();
    child.wait().map_err(failed)?;
    if read == 0 {
        return Err(Error::internal("the job that was started wrote nothing"));
    }
    Ok(time)
}

/// The job that [`startup`] starts: writes its first record to stdout.
pub(super) fn first_output(args: &RuntimeArgs) -> Result<()> {
    let (config, _directory) = args.run.config(args.run.interval(CHECKPOINT_INTERVAL))?;
    let count = process_fn(|cx, n: u64| {
        let count: &mut u64 = cx.state();
        *count += 1;
        let row = (n, *count);
        cx.emit(row);
        Ok(())
    });
    let print = callback(|row: &Timed<(u64, u64)>| {
        let mut out = std::io::stdout().lock();
        writeln!(out, "{:?}", row.value)
            .and_then(|()| out.flush())
            .map_err(|e| Error::connector("cannot write to stdout").because(e))
    });
    let mut job = Job::new("first output");
    job.source("numbers", generator(|n| n).limit(1).splits(config.workers))
        .key_by(|n| *n)
        .process("count", count)
        .sink("out", print);
    start(job.build()?, config)?.wait().map(drop)
}
