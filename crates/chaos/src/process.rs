//! The job as a process: starting it, hearing from it, killing it.
//!
//! The job tells on stderr what it has come to, in lines that begin with [`MARK`]; everything it
//! says there is kept in `job.log`. When it has finished it prints its counters on stdout.

use std::fmt;
use std::fs::OpenOptions;
use std::io::{self, BufRead, BufReader, Read, Write};
use std::os::unix::process::ExitStatusExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::mpsc::{Receiver, RecvTimeoutError, channel};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use headwater_checkpoint::crash_point::CRASH_POINT_VAR;

use crate::metrics::FinalReport;
use crate::plants::Plant;
use crate::workload::Workload;

/// What lines for the harness begin with.
pub const MARK: &str = "chaos: ";
/// The signal of `kill -9`.
pub const SIGKILL: i32 = 9;
/// The signal of a process that aborts itself.
pub const SIGABRT: i32 = 6;
/// Bytes of the log that are shown when something is wrong.
const TAIL: usize = 4_000;

/// What the job tells while it runs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Milestone {
    /// It reads records; after a restart: again.
    Reading,
    /// The first epoch of this process has become visible.
    Committed,
}

impl fmt::Display for Milestone {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Milestone::Reading => "reading",
            Milestone::Committed => "committed",
        })
    }
}

impl Milestone {
    /// The milestone that a line of stderr tells, if any.
    fn of_line(line: &str) -> Option<Milestone> {
        let text = line.strip_prefix(MARK)?;
        [Milestone::Reading, Milestone::Committed].into_iter().find(|m| m.to_string() == text)
    }
}

/// How to start the job.
#[derive(Clone, Debug)]
pub struct JobCommand {
    /// The program.
    pub program: PathBuf,
    /// Where everything goes: output, checkpoints, log.
    pub dir: PathBuf,
    /// The input.
    pub workload: Workload,
    /// Worker threads.
    pub workers: usize,
    /// Time from one checkpoint to the next.
    pub interval: Duration,
    /// A fault to build in.
    pub plant: Option<Plant>,
}

/// The last of what a job said, for a message.
pub fn tail(log: &Path) -> String {
    let bytes = std::fs::read(log).unwrap_or_default();
    let from = bytes.len().saturating_sub(TAIL);
    format!("--- end of {}\n{}", log.display(), String::from_utf8_lossy(&bytes[from..]))
}

impl JobCommand {
    /// Where the sinks write.
    pub fn out(&self) -> PathBuf {
        self.dir.join("out")
    }

    /// What the job said last, for a message.
    pub fn log_tail(&self) -> String {
        tail(&self.log())
    }

    fn log(&self) -> PathBuf {
        self.dir.join("job.log")
    }

    /// Starts the job, which goes on from its last checkpoint; at `rate` records per second or as
    /// fast as it can, and up to a crash point if one is given.
    ///
    /// # Errors
    /// The program or its log cannot be opened.
    pub fn start(&self, rate: Option<f64>, crash_point: Option<&str>) -> io::Result<Running> {
        let Workload { records, splits, seed } = self.workload;
        let mut command = Command::new(&self.program);
        command.args(["--records".to_owned(), records.to_string()]);
        command.args(["--splits".to_owned(), splits.to_string()]);
        command.args(["--seed".to_owned(), seed.to_string()]);
        command.args(["--workers".to_owned(), self.workers.to_string()]);
        command.args(["--checkpoint-interval".to_owned(), format!("{:?}", self.interval)]);
        command.arg("--checkpoint-dir").arg(self.dir.join("checkpoints"));
        command.arg("--out-dir").arg(self.out());
        if let Some(rate) = rate {
            command.args(["--rate".to_owned(), rate.to_string()]);
        }
        if let Some(plant) = self.plant {
            command.args(["--plant", plant.name()]);
        }
        match crash_point {
            Some(point) => command.env(CRASH_POINT_VAR, point),
            None => command.env_remove(CRASH_POINT_VAR),
        };
        command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
        Running::new(command, &self.log())
    }
}

/// A job that runs. Dropping it kills it.
pub struct Running {
    child: Child,
    /// When it was started.
    pub started: Instant,
    milestones: Receiver<(Milestone, Instant)>,
    reached: Vec<(Milestone, Instant)>,
    stdout: Option<JoinHandle<String>>,
    stderr: Option<JoinHandle<()>>,
}

/// How a job ended.
#[derive(Clone, Debug)]
pub struct Ended {
    /// Exit code or signal.
    pub status: ExitStatus,
    /// When each milestone was reached, counted from the start.
    pub reached: Vec<(Milestone, Duration)>,
    /// The counters, if the job has finished.
    pub report: Option<FinalReport>,
}

impl Ended {
    /// When the milestone was first reached.
    pub fn reached(&self, milestone: Milestone) -> Option<Duration> {
        self.reached.iter().find(|(m, _)| *m == milestone).map(|(_, after)| *after)
    }

    /// Whether the process died by that signal.
    pub fn by_signal(&self, signal: i32) -> bool {
        self.status.signal() == Some(signal)
    }
}

impl Running {
    /// Starts a program whose streams are piped; what it says on stderr is added to the log.
    ///
    /// # Errors
    /// The program or its log cannot be opened.
    pub fn new(mut command: Command, log: &Path) -> io::Result<Running> {
        let mut log = OpenOptions::new().create(true).append(true).open(log)?;
        let started = Instant::now();
        let mut child = command.spawn()?;
        let (send, milestones) = channel();
        let stderr = child.stderr.take().map(|stderr| {
            std::thread::spawn(move || {
                for line in BufReader::new(stderr).lines().map_while(Result::ok) {
                    if let Some(milestone) = Milestone::of_line(&line) {
                        // Nobody listens once the process has been given up.
                        let _ = send.send((milestone, Instant::now()));
                    }
                    let _ = writeln!(log, "{line}");
                }
            })
        });
        let stdout = child.stdout.take().map(|mut stdout| {
            std::thread::spawn(move || {
                let mut text = String::new();
                let _ = stdout.read_to_string(&mut text);
                text
            })
        });
        Ok(Running { child, started, milestones, reached: Vec::new(), stdout, stderr })
    }

    /// Waits until the milestone is reached; false if the process ends or is too slow.
    pub fn wait_for(&mut self, milestone: Milestone, limit: Duration) -> bool {
        let until = Instant::now() + limit;
        while self.reached.iter().all(|(m, _)| *m != milestone) {
            let left = until.saturating_duration_since(Instant::now());
            match self.milestones.recv_timeout(left) {
                Ok(reached) => self.reached.push(reached),
                Err(RecvTimeoutError::Timeout | RecvTimeoutError::Disconnected) => return false,
            }
        }
        true
    }

    /// The process id.
    pub fn pid(&self) -> u32 {
        self.child.id()
    }

    /// Sends a line to the process, if its stdin is piped.
    ///
    /// # Errors
    /// It does not listen any more.
    pub fn say(&mut self, line: &str) -> io::Result<()> {
        match &mut self.child.stdin {
            Some(stdin) => writeln!(stdin, "{line}"),
            None => Ok(()),
        }
    }

    /// Whether the process has ended by itself.
    ///
    /// # Errors
    /// The system does not say.
    pub fn has_ended(&mut self) -> io::Result<bool> {
        Ok(self.child.try_wait()?.is_some())
    }

    /// Kills the process with SIGKILL, unless it has ended.
    ///
    /// # Errors
    /// The system does not let us.
    pub fn kill(mut self) -> io::Result<Ended> {
        self.child.kill()?;
        self.end()
    }

    /// Waits for the process to end; kills it when that takes longer than `limit`.
    ///
    /// # Errors
    /// Of kind `TimedOut` after the limit.
    pub fn wait(mut self, limit: Duration) -> io::Result<Ended> {
        let until = Instant::now() + limit;
        while self.child.try_wait()?.is_none() {
            if Instant::now() > until {
                let text = format!("the job has not ended within {limit:?}");
                return Err(io::Error::new(io::ErrorKind::TimedOut, text));
            }
            std::thread::sleep(Duration::from_millis(2));
        }
        self.end()
    }

    fn end(&mut self) -> io::Result<Ended> {
        let status = self.child.wait()?;
        let stdout = self.stdout.take().and_then(|thread| thread.join().ok()).unwrap_or_default();
        if let Some(stderr) = self.stderr.take() {
            let _ = stderr.join();
        }
        self.reached.extend(self.milestones.try_iter());
        let since = |at: Instant| at.saturating_duration_since(self.started);
        let reached = self.reached.iter().map(|(m, at)| (*m, since(*at))).collect();
        let report = match (status.success(), stdout.lines().last()) {
            (true, Some(line)) => Some(serde_json::from_str(line)?),
            _ => None,
        };
        Ok(Ended { status, reached, report })
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        // Both fail when the process has ended, which is what is wanted.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shell(script: &str, log: &Path) -> Running {
        let mut command = Command::new("sh");
        command.args(["-c", script]).stdout(Stdio::piped()).stderr(Stdio::piped());
        Running::new(command, log).unwrap()
    }

    #[test]
    fn milestones_are_heard_and_the_rest_is_logged() {
        let dir = tempfile::tempdir().unwrap();
        let log = dir.path().join("log");
        let script = "echo 'chaos: reading' >&2; echo other >&2; exec sleep 600";
        let mut running = shell(script, &log);
        assert!(running.wait_for(Milestone::Reading, Duration::from_secs(60)));
        assert!(!running.wait_for(Milestone::Committed, Duration::from_millis(1)));
        assert!(!running.has_ended().unwrap());
        let ended = running.kill().unwrap();
        assert!(ended.by_signal(SIGKILL) && ended.report.is_none());
        assert!(ended.reached(Milestone::Reading).is_some());
        assert_eq!(ended.reached(Milestone::Committed), None);
        assert_eq!(std::fs::read_to_string(&log).unwrap(), "chaos: reading\nother\n");
    }

    #[test]
    fn a_process_that_does_not_end_is_given_up() {
        let dir = tempfile::tempdir().unwrap();
        let running = shell("exec sleep 600", &dir.path().join("log"));
        let error = running.wait(Duration::from_millis(20)).unwrap_err();
        assert_eq!(error.kind(), io::ErrorKind::TimedOut);
        let finished = shell("echo '{\"epoch\":3,\"steps\":{}}'", &dir.path().join("log"));
        let ended = finished.wait(Duration::from_secs(60)).unwrap();
        assert_eq!(ended.report.unwrap().epoch, 3);
    }
}
