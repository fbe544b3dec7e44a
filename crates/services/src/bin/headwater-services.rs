//! `headwater-services up|down|kill|status kafka`: what `cargo xtask services` runs.

use std::process::ExitCode;

use headwater_core::Result;
use headwater_services::kafka::{Background, Status};

const HELP: &str = "\
cargo xtask services COMMAND kafka

  up       starts a Kafka broker and waits until it answers; it stays when this ends
  down     stops it and keeps its data
  kill     kills it (SIGKILL) and keeps its data
  status   says whether it runs

Needs Java 17 or newer, and Maven for the first time.
";

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let words: Vec<&str> = arguments.iter().map(String::as_str).collect();
    let outcome = match words.as_slice() {
        [command @ ("up" | "down" | "kill" | "status"), "kafka"] => run(command),
        [] | ["help" | "--help" | "-h"] => {
            print!("{HELP}");
            return ExitCode::SUCCESS;
        }
        _ => {
            eprintln!("error: cannot make sense of `{}`\n\n{HELP}", words.join(" "));
            return ExitCode::from(2);
        }
    };
    match outcome {
        Ok(()) => ExitCode::SUCCESS,
        Err(e) => {
            eprintln!("error: {}", e.report());
            ExitCode::FAILURE
        }
    }
}

fn run(command: &str) -> Result<()> {
    let kafka = Background::of_user()?;
    let dir = kafka.dir().display().to_string();
    let ended = match command {
        "up" => {
            show(&kafka.up()?, &dir);
            println!("stop with: cargo xtask services down kafka");
            println!("for tests: HEADWATER_KAFKA=<the address> cargo test");
            return Ok(());
        }
        "status" => {
            show(&kafka.status(), &dir);
            return Ok(());
        }
        "kill" => kafka.kill()?,
        _ => kafka.down()?,
    };
    println!("kafka: {}; data in {dir}", if ended { "stopped" } else { "was not running" });
    Ok(())
}

fn show(status: &Status, dir: &str) {
    match status {
        Status::Running { pid, bootstrap } => {
            println!("kafka: running at {bootstrap} (process {pid}); data and log in {dir}");
        }
        Status::Stopped => println!("kafka: not running; data in {dir}"),
    }
}
