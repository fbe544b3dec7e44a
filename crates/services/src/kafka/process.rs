//! A child process that does not outlive us, unless it is let go.
//!
//! A watchdog, a shell of one line, reads from a pipe that only we hold open. When we end, in
//! whatever way, the pipe closes, and it kills the child and removes its folder. The kernel's own
//! means (`PR_SET_PDEATHSIG`) is of no use here: it follows the thread that started the child, and
//! threads of tests end long before their program. Both run in process groups of their own, so that
//! Ctrl-C reaches us alone.

use std::io::{self, Write};
use std::os::unix::process::CommandExt;
use std::path::Path;
use std::process::{Child, Command, ExitStatus, Stdio};
use std::time::{Duration, Instant};

use rustix::process::{Pid, Signal, kill_process};

/// Reads until we say that all is well; removing is tried twice, as the dying may still write.
const WATCHDOG: &str = r#"read -r _ || {
    kill -9 "$1"; [ -z "$2" ] || rm -rf -- "$2" || { sleep 1; rm -rf -- "$2"; }
} 2>/dev/null"#;
/// Between two looks at whether it has ended.
const PAUSE: Duration = Duration::from_millis(5);

/// A child with its watchdog; dropping it kills it.
#[derive(Debug)]
pub struct Process {
    child: Child,
    watchdog: Option<Child>,
}

impl Process {
    /// Starts a program; `removed` is removed with it when we die first.
    ///
    /// # Errors
    /// It or the shell cannot be started.
    pub fn spawn(mut command: Command, removed: Option<&Path>) -> io::Result<Process> {
        let child = command.process_group(0).spawn()?;
        let mut process = Process { child, watchdog: None };
        let mut watchdog = Command::new("sh");
        watchdog.args(["-c", WATCHDOG, "watchdog", &process.child.id().to_string()]);
        watchdog.arg(removed.unwrap_or(Path::new("")));
        watchdog.stdin(Stdio::piped()).stdout(Stdio::null()).stderr(Stdio::null());
        process.watchdog = Some(watchdog.process_group(0).spawn()?);
        Ok(process)
    }

    /// The process id.
    pub fn pid(&self) -> u32 {
        self.child.id()
    }

    /// Sends a signal.
    ///
    /// # Errors
    /// The process is not there.
    pub fn signal(&self, signal: Signal) -> io::Result<()> {
        send(self.pid(), signal)
    }

    /// How it has ended, if it has.
    ///
    /// # Errors
    /// The system does not say.
    pub fn ended(&mut self) -> io::Result<Option<ExitStatus>> {
        self.child.try_wait()
    }

    /// Waits for it to end; `None` when it takes longer than `limit`.
    ///
    /// # Errors
    /// The system does not say.
    pub fn wait(&mut self, limit: Duration) -> io::Result<Option<ExitStatus>> {
        let until = Instant::now() + limit;
        loop {
            match self.ended()? {
                None if Instant::now() < until => std::thread::sleep(PAUSE),
                status => return Ok(status),
            }
        }
    }

    /// Kills it and waits until it is gone.
    ///
    /// # Errors
    /// The system does not let us.
    pub fn kill(mut self) -> io::Result<()> {
        self.child.kill()?;
        self.child.wait().map(drop)
    }

    /// Lets it live on without us.
    pub fn let_go(mut self) {
        self.dismiss_watchdog();
        // Dropping a `Child` leaves it alone; dropping ourselves would kill it.
        std::mem::forget(self);
    }

    fn dismiss_watchdog(&mut self) {
        let Some(mut watchdog) = self.watchdog.take() else { return };
        // If it is gone already, so much the better.
        if let Some(mut stdin) = watchdog.stdin.take() {
            let _ = stdin.write_all(b"well\n");
        }
        let _ = watchdog.wait();
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        // The watchdog goes first: a number is free for others once its process was waited for.
        self.dismiss_watchdog();
        // Both fail when it has ended, which is what is wanted.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Sends a signal to a process by its number.
///
/// # Errors
/// There is none.
pub fn send(pid: u32, signal: Signal) -> io::Result<()> {
    let pid = i32::try_from(pid).ok().and_then(Pid::from_raw);
    let pid = pid.ok_or_else(|| io::Error::other("not a process number"))?;
    Ok(kill_process(pid, signal)?)
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::io::Read;
    use std::os::unix::process::ExitStatusExt;

    use super::*;

    const LIMIT: Duration = Duration::from_secs(60);
    /// Set in the process that plays a test program that is killed.
    const ROLE_VAR: &str = "HEADWATER_SERVICES_TEST_ROLE";

    fn sleep() -> Command {
        let mut command = Command::new("sleep");
        command.arg("600");
        command
    }

    /// Waits until nobody has that number; a zombie, which nobody may wait for here, counts as gone.
    fn is_gone(pid: u32) -> bool {
        let until = Instant::now() + LIMIT;
        let lives = || {
            let line = fs::read(format!("/proc/{pid}/cmdline")).unwrap_or_default();
            if Path::new("/proc/self").exists() { !line.is_empty() } else { send_0(pid) }
        };
        while lives() && Instant::now() < until {
            std::thread::sleep(PAUSE);
        }
        !lives()
    }

    fn send_0(pid: u32) -> bool {
        Command::new("kill").args(["-0", &pid.to_string()]).status().unwrap().success()
    }

    #[test]
    fn a_child_ends_by_signal_or_by_being_dropped() {
        let mut process = Process::spawn(sleep(), None).unwrap();
        assert_eq!(process.wait(Duration::ZERO).unwrap(), None);
        process.signal(Signal::TERM).unwrap();
        assert_eq!(process.wait(LIMIT).unwrap().unwrap().signal(), Some(15));
        let process = Process::spawn(sleep(), None).unwrap();
        let pid = process.pid();
        drop(process);
        assert!(is_gone(pid));
    }

    #[test]
    fn a_child_that_was_let_go_lives_on() {
        let process = Process::spawn(sleep(), None).unwrap();
        let pid = process.pid();
        process.let_go();
        assert!(send_0(pid));
        send(pid, Signal::KILL).unwrap();
        assert!(is_gone(pid));
    }

    #[test]
    fn a_child_and_its_folder_go_when_we_are_killed() {
        if let Some(dir) = std::env::var_os(ROLE_VAR) {
            // The program that is killed: started from a thread that is long gone by then.
            let spawned =
                std::thread::spawn(move || Process::spawn(sleep(), Some(Path::new(&dir))));
            let process = spawned.join().unwrap().unwrap();
            let mut stdout = io::stdout();
            writeln!(stdout, "\npid {}", process.pid()).unwrap();
            std::thread::sleep(LIMIT);
            panic!("nobody killed us");
        }
        let dir = tempfile::tempdir().unwrap().keep();
        let name = "kafka::process::tests::a_child_and_its_folder_go_when_we_are_killed";
        let mut program = Command::new(std::env::current_exe().unwrap());
        program.args([name, "--exact", "--nocapture"]).env(ROLE_VAR, &dir);
        let mut program = program.stdout(Stdio::piped()).spawn().unwrap();
        let (mut said, mut stdout) = (String::new(), program.stdout.take().unwrap());
        let pid: u32 = loop {
            let mut bytes = [0; 256];
            let n = stdout.read(&mut bytes).unwrap();
            assert!(n > 0, "it said {said}");
            said.push_str(&String::from_utf8_lossy(&bytes[..n]));
            let line = said.lines().find_map(|line| line.strip_prefix("pid "));
            if let (Some(line), true) = (line, said.ends_with('\n')) {
                break line.parse().unwrap();
            }
        };
        assert!(send_0(pid) && dir.exists());
        program.kill().unwrap();
        program.wait().unwrap();
        assert!(is_gone(pid));
        let until = Instant::now() + LIMIT;
        while dir.exists() && Instant::now() < until {
            std::thread::sleep(PAUSE);
        }
        assert!(!dir.exists());
    }
}
