//! The chaos harness: kills the job again and again, then verifies its output.

use std::io;
use std::path::PathBuf;
use std::process::ExitCode;
use std::time::Duration;

use clap::Parser;
use headwater_chaos::crash_points::{points, run_all};
use headwater_chaos::harness::Chaos;
use headwater_chaos::plants::Plant;
use headwater_chaos::process::JobCommand;
use headwater_chaos::workload::Workload;

/// Records of a run over the crash points.
const CRASH_POINT_RECORDS: u64 = 60_000;
/// Time between the checkpoints of such a run: short, as each waits for some of them.
const CRASH_POINT_INTERVAL: Duration = Duration::from_millis(50);

/// Kills a running job at random moments, restarts it, and verifies its output independently.
///
/// Exits with 1 when anything is lost, duplicated or wrong.
#[derive(Parser)]
#[command(name = "cargo xtask chaos")]
struct Args {
    /// How often to kill the job.
    #[arg(long, default_value_t = 100)]
    kills: u64,
    /// Visit every named crash point instead.
    #[arg(long)]
    crash_points: bool,
    /// Chooses the records and the moments; another one every time if left out.
    #[arg(long)]
    seed: Option<u64>,
    /// Number of records; enough for the kills if left out.
    #[arg(long)]
    records: Option<u64>,
    /// Records per second until the last kill.
    #[arg(long, default_value_t = 20_000.0)]
    rate: f64,
    /// Splits of the generator.
    #[arg(long, default_value_t = 4)]
    splits: u64,
    /// Worker threads of the job.
    #[arg(long, default_value_t = 2)]
    workers: usize,
    /// Time from one checkpoint to the next [default: 200ms].
    #[arg(long, value_parser = humantime::parse_duration)]
    interval: Option<Duration>,
    /// Where to put everything, and keep it; a temporary folder if left out.
    #[arg(long)]
    dir: Option<PathBuf>,
    /// A fault to build into the job.
    #[arg(long, hide = true)]
    plant: Option<Plant>,
}

fn main() -> ExitCode {
    match run(&Args::parse()) {
        Ok(0) => ExitCode::SUCCESS,
        Ok(_) => ExitCode::FAILURE,
        Err(e) => {
            eprintln!("error: {e}");
            ExitCode::FAILURE
        }
    }
}

fn run(args: &Args) -> io::Result<u64> {
    let temporary = tempfile::Builder::new().prefix("headwater-chaos-").tempdir()?;
    let dir = args.dir.clone().unwrap_or_else(|| temporary.path().to_owned());
    std::fs::create_dir_all(&dir)?;
    let seed = args.seed.unwrap_or_else(|| u64::from(std::process::id()) ^ now_nanos());
    let records = args.records.unwrap_or(match args.crash_points {
        true => CRASH_POINT_RECORDS,
        // The longest time that the processes can live between kills.
        false => (args.rate * (args.kills as f64 * 1.2 + 2.0)) as u64,
    });
    let interval = args.interval.unwrap_or(match args.crash_points {
        true => CRASH_POINT_INTERVAL,
        false => Duration::from_millis(200),
    });
    let command = JobCommand {
        program: std::env::current_exe()?.with_file_name("chaos-job"),
        dir: dir.clone(),
        workload: Workload { records, splits: args.splits, seed },
        workers: args.workers,
        interval,
        plant: args.plant,
    };
    println!(
        "seed {seed}, {records} records in {} splits, {} workers, checkpoints every {interval:?}",
        args.splits, args.workers
    );
    let faults = match args.crash_points {
        true => crash_points(&command, args.rate)?,
        false => {
            let chaos = Chaos { command, kills: args.kills, seed, rate: args.rate };
            let outcome = chaos.run(&mut |line| println!("{line}"))?;
            println!("{outcome}");
            outcome.verdict.faults()
        }
    };
    if faults > 0 {
        let kept = if args.dir.is_some() { dir } else { temporary.keep() };
        eprintln!("error: {faults} faults; everything is kept in {}", kept.display());
    }
    Ok(faults)
}

fn crash_points(command: &JobCommand, rate: f64) -> io::Result<u64> {
    let points = points();
    let faults = run_all(command, &points, &command.dir, rate, &mut |point, verdict| {
        let (name, faults) = (point.name, verdict.faults());
        println!("{name:<24} hit, {faults} faults");
        if faults > 0 {
            println!("{verdict}");
        }
    })?;
    println!("{} crash points hit and survived, {faults} faults", points.len());
    Ok(faults)
}

fn now_nanos() -> u64 {
    let since = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH);
    since.unwrap_or_default().subsec_nanos().into()
}
