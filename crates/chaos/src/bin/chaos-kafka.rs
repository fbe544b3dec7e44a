//! The chaos harness for Kafka: kills job and broker again and again, then verifies the output.

use std::io;
use std::path::PathBuf;
use std::process::ExitCode;
use std::time::Duration;

use clap::Parser;
use headwater_chaos::kafka::arena::{Service, Setup};
use headwater_chaos::kafka::crashes;
use headwater_chaos::kafka::harness::{Counts, run};
use headwater_chaos::kafka::job::Form;
use headwater_chaos::kafka::plants::Plant;

/// Kills a Kafka job and its broker at random moments, restarts them, and verifies the output
/// independently.
///
/// Exits with 1 when anything is lost, duplicated or wrong.
#[derive(Parser)]
#[command(name = "cargo xtask chaos kafka")]
struct Args {
    /// How often to kill the job.
    #[arg(long, default_value_t = 0)]
    kills: u64,
    /// How often to kill the broker.
    #[arg(long, default_value_t = 0)]
    broker_kills: u64,
    /// How often to stop the broker in good order and start it again.
    #[arg(long, default_value_t = 0)]
    broker_restarts: u64,
    /// How often job or broker is away for twice the transaction timeout.
    #[arg(long, default_value_t = 0)]
    outages: u64,
    /// How many commits reach the broker after the job has gone on.
    #[arg(long, default_value_t = 0)]
    late_commits: u64,
    /// Records per second.
    #[arg(long, default_value_t = 20_000.0)]
    rate: f64,
    /// How output becomes visible: per-sink or one-transaction; both if left out.
    #[arg(long)]
    form: Option<Form>,
    /// Time from one epoch to the next [default: 500ms per sink, 20ms in one transaction].
    #[arg(long, value_parser = humantime::parse_duration)]
    epoch: Option<Duration>,
    /// After which the broker aborts a transaction.
    #[arg(long, default_value = "5s", value_parser = humantime::parse_duration)]
    transaction_timeout: Duration,
    /// Worker threads of the job.
    #[arg(long, default_value_t = 2)]
    workers: usize,
    /// Chooses the records and the moments; another one every time if left out.
    #[arg(long)]
    seed: Option<u64>,
    /// Visit every named crash point instead.
    #[arg(long)]
    crash_points: bool,
    /// A fault to build into the job.
    #[arg(long, hide = true)]
    plant: Option<Plant>,
    /// Where to put everything, and keep it; a temporary folder if left out.
    #[arg(long)]
    dir: Option<PathBuf>,
}

fn main() -> ExitCode {
    match chaos(&Args::parse()) {
        Ok(0) => ExitCode::SUCCESS,
        Ok(_) => ExitCode::FAILURE,
        Err(e) => {
            eprintln!("error: {e}");
            ExitCode::FAILURE
        }
    }
}

fn chaos(args: &Args) -> io::Result<u64> {
    let temporary = tempfile::Builder::new().prefix("headwater-chaos-").tempdir()?;
    let dir = args.dir.clone().unwrap_or_else(|| temporary.path().to_owned());
    let forms = args.form.map_or_else(|| Form::ALL.to_vec(), |form| vec![form]);
    let seed = args.seed.unwrap_or_else(|| u64::from(std::process::id()) ^ now_nanos());
    let counts = Counts {
        kills: args.kills,
        broker_kills: args.broker_kills,
        broker_restarts: args.broker_restarts,
        outages: args.outages,
        late_commits: args.late_commits,
    };
    let mut faults = 0;
    for form in forms {
        let Some(service) = Service::start_or_skip(&dir.join(form.to_string()))? else {
            return Ok(0);
        };
        let setup = Setup {
            program: std::env::current_exe()?.with_file_name("chaos-kafka-job"),
            dir: dir.join(form.to_string()),
            form,
            epoch: args.epoch.unwrap_or(form.epoch()),
            rate: args.rate,
            transaction_timeout: args.transaction_timeout,
            workers: args.workers,
            seed,
            plant: args.plant,
            silence: Duration::from_secs(60),
        };
        println!(
            "{form}: seed {seed}, {} records/s, epochs of {:?}, transaction timeout {:?}",
            args.rate, setup.epoch, setup.transaction_timeout
        );
        let tell = &mut |line: &str| println!("{line}");
        let found = match args.crash_points {
            true => crashes::run(&setup, &service, tell).map(|verdict| {
                println!("{verdict}");
                verdict.faults()
            }),
            false => run(&setup, counts, &service, tell).map(|outcome| {
                println!("{outcome}");
                outcome.verdict.faults()
            }),
        };
        match found {
            Ok(found) => faults += found,
            Err(e) => {
                eprintln!("error: {e}");
                faults += 1;
            }
        }
    }
    if faults > 0 {
        let kept = if args.dir.is_some() { dir } else { temporary.keep() };
        eprintln!("error: {faults} faults; everything is kept in {}", kept.display());
    }
    Ok(faults)
}

fn now_nanos() -> u64 {
    let since = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH);
    since.unwrap_or_default().subsec_nanos().into()
}
