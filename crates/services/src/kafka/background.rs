//! A broker that stays when the program that started it ends: `cargo xtask services`.
//!
//! Its folder holds its process id; whether that number is still this broker is told by the
//! process's own command line.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::{Duration, Instant};

use headwater_core::{Error, Result};
use rustix::process::Signal;

use super::install::cache_dir;
use super::listeners::Listeners;
use super::process::send;
use super::{Broker, BrokerOptions};

/// How long stopping may take.
const STOP_LIMIT: Duration = Duration::from_secs(60);
/// Between two looks at whether it has stopped.
const PAUSE: Duration = Duration::from_millis(50);

/// The broker of a folder, running or not.
#[derive(Clone, Debug)]
pub struct Background {
    dir: PathBuf,
}

/// Whether it runs.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Status {
    /// Not since it was stopped, killed or the machine started.
    Stopped,
    /// It does.
    Running {
        /// Its process.
        pid: u32,
        /// Where clients connect.
        bootstrap: String,
    },
}

impl Background {
    /// This user's broker, in the user's cache.
    ///
    /// # Errors
    /// Config: the environment names no home.
    pub fn of_user() -> Result<Background> {
        Ok(Background { dir: cache_dir()?.join("services").join("kafka") })
    }

    /// The broker of another folder.
    pub fn in_dir(dir: impl Into<PathBuf>) -> Background {
        Background { dir: dir.into() }
    }

    /// Where it keeps everything.
    pub fn dir(&self) -> &Path {
        &self.dir
    }

    /// Whether it runs.
    pub fn status(&self) -> Status {
        let text = fs::read_to_string(self.pid_file()).unwrap_or_default();
        match (text.trim().parse(), Listeners::load(&self.dir.join("ports"))) {
            (Ok(pid), Some(listeners)) if self.is_ours(pid) => {
                Status::Running { pid, bootstrap: listeners.direct() }
            }
            _ => Status::Stopped,
        }
    }

    /// Starts it unless it runs, with the data that it had.
    ///
    /// # Errors
    /// See [`Broker::launch`].
    pub fn up(&self) -> Result<Status> {
        if let running @ Status::Running { .. } = self.status() {
            return Ok(running);
        }
        // Unlike a test's broker it may run for long: it gets the compiler that pays off later.
        let java_options = vec!["-XX:TieredStopAtLevel=4".to_owned()];
        let dir = Some(self.dir.clone());
        let broker = Broker::launch(BrokerOptions { dir, java_options, ..Default::default() })?;
        let pid = broker.pid().map(|pid| pid.to_string()).unwrap_or_default();
        // First the number, then the freedom: no broker runs that cannot be found.
        fs::write(self.pid_file(), pid).map_err(|e| {
            Error::config(format!("cannot write {}", self.pid_file().display())).because(e)
        })?;
        broker.let_go()?;
        Ok(self.status())
    }

    /// Stops it in good order and keeps its data; gives whether it was running.
    ///
    /// # Errors
    /// Connector: it does not end.
    pub fn down(&self) -> Result<bool> {
        self.end(Signal::TERM)
    }

    /// Kills it and keeps its data; gives whether it was running.
    ///
    /// # Errors
    /// Connector: it does not end.
    pub fn kill(&self) -> Result<bool> {
        self.end(Signal::KILL)
    }

    fn end(&self, signal: Signal) -> Result<bool> {
        let Status::Running { pid, .. } = self.status() else { return Ok(false) };
        let failed = |why: &str| {
            Error::connector(format!("kafka broker: process {pid} {why}"))
                .hint(format!("see {}", self.dir.join("broker.log").display()))
        };
        send(pid, signal).map_err(|e| failed("cannot be signalled").because(e))?;
        let until = Instant::now() + STOP_LIMIT;
        while self.is_ours(pid) {
            if Instant::now() > until {
                return Err(failed("does not end"));
            }
            std::thread::sleep(PAUSE);
        }
        Ok(true)
    }

    fn pid_file(&self) -> PathBuf {
        self.dir.join("pid")
    }

    /// Whether the process is this broker. One that has ended and not been waited for has no command
    /// line any more.
    fn is_ours(&self, pid: u32) -> bool {
        let line = fs::read(format!("/proc/{pid}/cmdline")).or_else(|_| {
            // Systems without /proc.
            let mut listed = Command::new("ps");
            listed.args(["-ww", "-o", "command=", "-p", &pid.to_string()]);
            listed.output().map(|output| output.stdout)
        });
        let file = std::path::absolute(self.dir.join("server.properties")).unwrap_or_default();
        let line = String::from_utf8_lossy(&line.unwrap_or_default()).into_owned();
        line.contains("kafka.Kafka") && line.contains(&*file.to_string_lossy())
    }
}
