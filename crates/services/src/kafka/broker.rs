//! One broker: a process, its folder, its ports.
//!
//! The folder holds `ports`, `server.properties`, `data`, `broker.log` and, if asked for, the
//! certificate. Ports are chosen when the folder is new and kept ever after, so that clients find the
//! broker again.

use std::fmt::Write;
use std::fs::{self, OpenOptions};
use std::io;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use headwater_core::{Error, Result};
use rustix::process::Signal;
use tempfile::TempDir;

use super::Admin;
use super::java::Java;
use super::listeners::Listeners;
use super::options::{BrokerOptions, KEY_PASSWORD};
use super::process::Process;
use super::warm_up::warm_up;

/// How long stopping may take before it is an error.
const STOP_LIMIT: Duration = Duration::from_secs(60);
/// Between two questions whether it answers.
const PAUSE: Duration = Duration::from_millis(25);
/// Times that a new broker is given other ports when somebody took those between choice and use.
const TRIES: usize = 3;
/// Lines of the log that an error shows.
const TAIL_LINES: usize = 15;
/// What the log says when a port is taken.
const PORT_TAKEN: &str = "Address already in use";
/// What the broker logs.
const LOGGING: &str = "\
rootLogger.level=WARN
rootLogger.appenderRef.console.ref=console
appender.console.type=Console
appender.console.name=console
appender.console.layout.type=PatternLayout
appender.console.layout.pattern=%d{ISO8601} %p %c{1} %m%n
logger.server.name=kafka.server.KafkaRaftServer
logger.server.level=INFO
logger.lifecycle.name=kafka.server.BrokerLifecycleManager
logger.lifecycle.level=INFO
logger.transaction.name=org.apache.kafka.coordinator.transaction
logger.transaction.level=INFO
";

/// A real Kafka broker as a child process.
///
/// It dies with this process, even when that is killed. All methods take `&self`: a test may kill the
/// broker while other threads use it.
///
/// ```no_run
/// # use headwater_services::kafka::{Broker, BrokerOptions};
/// let broker = Broker::launch(BrokerOptions::default())?;
/// let topic = broker.admin().new_topic("orders", 4)?;
/// broker.kill()?;
/// broker.start()?; // the same ports, the same data
/// assert!(broker.admin().has_topic(&topic)?);
/// # Ok::<(), headwater_core::Error>(())
/// ```
#[derive(Debug)]
pub struct Broker {
    options: BrokerOptions,
    dir: PathBuf,
    /// Removes the folder, unless it was given.
    temporary: Option<TempDir>,
    listeners: Listeners,
    java: Java,
    running: Mutex<Option<Process>>,
}

impl Broker {
    /// Sets a broker up, or finds it in its folder as it was left, and starts it.
    ///
    /// # Errors
    /// Config: Java or Maven is missing, or the options are wrong. Transient: its jars could not be
    /// fetched. Connector: it did not start; the message has the end of its log.
    pub fn launch(options: BrokerOptions) -> Result<Broker> {
        options.validate()?;
        let java = Java::find()?;
        warm_up(&java)?;
        Broker::launch_with(options, java)
    }

    pub(crate) fn launch_with(options: BrokerOptions, java: Java) -> Result<Broker> {
        let mut tries = 1;
        loop {
            let (broker, is_new) = Broker::set_up(&options, &java)?;
            match broker.start() {
                Err(_) if is_new && tries < TRIES && broker.log().contains(PORT_TAKEN) => {
                    fs::remove_file(broker.dir.join("ports")).map_err(unusable(&broker.dir))?;
                    tries += 1;
                }
                outcome => return outcome.map(|()| broker),
            }
        }
    }

    fn set_up(options: &BrokerOptions, java: &Java) -> Result<(Broker, bool)> {
        let (dir, temporary) = match &options.dir {
            Some(dir) => (std::path::absolute(dir).map_err(unusable(dir))?, None),
            None => {
                let dir = tempfile::Builder::new().prefix("headwater-kafka-").tempdir();
                let dir = dir.map_err(unusable(&std::env::temp_dir()))?;
                (dir.path().to_owned(), Some(dir))
            }
        };
        fs::create_dir_all(&dir).map_err(unusable(&dir))?;
        let mut listeners = Listeners::choose(options)?;
        match Listeners::load(&dir.join("ports")) {
            Some(kept) if kept.same_names(&listeners) => listeners = kept,
            _ => listeners.save(&dir.join("ports"))?,
        }
        let properties = options.server_properties(&dir, &listeners);
        fs::write(dir.join("server.properties"), properties).map_err(unusable(&dir))?;
        fs::write(dir.join("log4j2.properties"), LOGGING).map_err(unusable(&dir))?;
        let (java, options) = (java.clone(), options.clone());
        let running = Mutex::new(None);
        let broker = Broker { options, dir, temporary, listeners, java, running };
        let is_new = !broker.dir.join("data/meta.properties").exists();
        if is_new {
            broker.format()?;
        }
        if broker.options.tls && !broker.certificate_path().exists() {
            broker.make_certificate()?;
        }
        Ok((broker, is_new))
    }

    /// Where a client under test connects: the advertised address, or the broker's own.
    pub fn bootstrap(&self) -> String {
        self.options.advertised.clone().unwrap_or_else(|| self.listeners.direct())
    }

    /// What a proxy forwards to, if an address was advertised.
    pub fn behind_proxy(&self) -> Option<String> {
        self.listeners.proxied()
    }

    /// The listener with SASL, if there are users.
    pub fn sasl_bootstrap(&self) -> Option<String> {
        self.listeners.sasl()
    }

    /// The listener with TLS, if it was asked for.
    pub fn tls_bootstrap(&self) -> Option<String> {
        self.listeners.tls()
    }

    /// What clients of the listener with TLS trust, in PEM; it is good for `localhost` and 127.0.0.1.
    pub fn certificate_path(&self) -> PathBuf {
        self.dir.join("broker.pem")
    }

    /// Asks the broker past any proxy.
    pub fn admin(&self) -> Admin {
        Admin::new(self.listeners.direct())
    }

    /// What the broker writes to stdout and stderr.
    pub fn log_path(&self) -> PathBuf {
        self.dir.join("broker.log")
    }

    /// The process, if it was started and not stopped.
    pub fn pid(&self) -> Option<u32> {
        self.running().as_ref().map(Process::pid)
    }

    /// Starts it again with its data and ports, and waits until it answers.
    ///
    /// # Errors
    /// Config: it runs already. Connector: it did not start; the message has the end of its log.
    pub fn start(&self) -> Result<()> {
        let mut running = self.running();
        if running.is_some() {
            return Err(Error::config("kafka broker: it was started already"));
        }
        let log = OpenOptions::new().create(true).append(true).open(self.log_path());
        let log = log.map_err(unusable(&self.dir))?;
        let BrokerOptions { heap_mib, java_options, .. } = &self.options;
        let mut command = self.java.command(&self.dir, *heap_mib, java_options);
        // By its whole path: it tells this broker's process from others.
        command.arg("kafka.Kafka").arg(self.dir.join("server.properties"));
        let stderr = log.try_clone().map_err(unusable(&self.dir))?;
        command.stdin(Stdio::null()).stdout(log).stderr(stderr);
        let removed = self.temporary.as_ref().map(TempDir::path);
        let mut process = Process::spawn(command, removed).map_err(failed("start"))?;
        self.wait_until_ready(&mut process)?;
        *running = Some(process);
        Ok(())
    }

    /// Stops it in good order (SIGTERM).
    ///
    /// # Errors
    /// Connector: it was not running, or does not end.
    pub fn stop(&self) -> Result<()> {
        let mut process = self.take()?;
        // A stopped process hears nothing else.
        process.signal(Signal::CONT).map_err(failed("stop"))?;
        process.signal(Signal::TERM).map_err(failed("stop"))?;
        match process.wait(STOP_LIMIT).map_err(failed("stop"))? {
            Some(_) => Ok(()),
            None => {
                let text = format!("kafka broker: not stopped within {STOP_LIMIT:?}, so killed");
                Err(Error::connector(format!("{text}\n{}", self.log_tail())))
            }
        }
    }

    /// Kills it (SIGKILL), as a lost machine would be, but for what the page cache keeps.
    ///
    /// # Errors
    /// Connector: it was not running.
    pub fn kill(&self) -> Result<()> {
        self.take()?.kill().map_err(failed("kill"))
    }

    /// Lets it stand still (SIGSTOP): connections stay, nothing answers. A standstill beyond two
    /// seconds makes its controller count it as gone for a moment when it goes on.
    ///
    /// # Errors
    /// Connector: it was not running.
    pub fn pause(&self) -> Result<()> {
        self.signal(Signal::STOP, "pause")
    }

    /// Lets it go on.
    ///
    /// # Errors
    /// Connector: it was not running.
    pub fn resume(&self) -> Result<()> {
        self.signal(Signal::CONT, "resume")
    }

    /// Lets it live on when this process ends; gives its process id.
    ///
    /// # Errors
    /// Connector: it was not running. Config: its folder is temporary.
    pub(crate) fn let_go(self) -> Result<u32> {
        if self.temporary.is_some() {
            return Err(Error::config("kafka broker: only one with a folder of its own can stay"));
        }
        let process = self.take()?;
        let pid = process.pid();
        process.let_go();
        Ok(pid)
    }

    fn running(&self) -> MutexGuard<'_, Option<Process>> {
        self.running.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn take(&self) -> Result<Process> {
        self.running().take().ok_or_else(not_running)
    }

    fn signal(&self, signal: Signal, what: &'static str) -> Result<()> {
        let running = self.running();
        running.as_ref().ok_or_else(not_running)?.signal(signal).map_err(failed(what))
    }

    fn wait_until_ready(&self, process: &mut Process) -> Result<()> {
        let until = Instant::now() + self.options.start_timeout;
        let why = loop {
            if let Some(status) = process.ended().map_err(failed("start"))? {
                break format!("it has ended ({status})");
            }
            match self.admin().brokers() {
                Ok(brokers) if brokers > 0 => return Ok(()),
                _ if Instant::now() > until => {
                    break format!("it does not answer in {:?}", self.options.start_timeout);
                }
                _ => std::thread::sleep(PAUSE),
            }
        };
        Err(Error::connector(format!("kafka broker: {why}\n{}", self.log_tail())))
    }

    /// Makes the data folder: cluster id, feature levels, users of SCRAM.
    fn format(&self) -> Result<()> {
        let feature = format!("transaction.version={}", self.options.transaction_version);
        let mut arguments = vec!["kafka.tools.StorageTool", "format", "--cluster-id"];
        // One id for all: nobody meets two of these clusters at the same address.
        arguments.extend(["aGVhZHdhdGVyLXRlc3RzIQ", "--config", "server.properties"]);
        arguments.extend(["--feature", &feature]);
        let mut users = Vec::new();
        for user in &self.options.scram_users {
            for hash in ["SCRAM-SHA-256", "SCRAM-SHA-512"] {
                users.push(format!("{hash}=[name={},password={}]", user.name, user.password));
            }
        }
        for user in &users {
            arguments.extend(["--add-scram", user]);
        }
        let mut tool = self.java.command(&self.dir, self.options.heap_mib, &[]);
        run(tool.args(arguments), "make its data folder")
    }

    fn make_certificate(&self) -> Result<()> {
        let store = ["-alias", "broker", "-keystore", "broker.p12", "-storepass", KEY_PASSWORD];
        let mut make = self.java.keytool();
        make.current_dir(&self.dir).arg("-genkeypair").args(store);
        make.args(["-storetype", "PKCS12", "-keyalg", "RSA", "-keysize", "2048"]);
        make.args(["-dname", "CN=localhost", "-validity", "365"]);
        make.args(["-ext", "SAN=dns:localhost,ip:127.0.0.1"]);
        run(&mut make, "make its certificate")?;
        let mut export = self.java.keytool();
        export.current_dir(&self.dir).args(["-exportcert", "-rfc", "-file", "broker.pem"]);
        run(export.args(store), "make its certificate")
    }

    fn log(&self) -> String {
        let bytes = fs::read(self.log_path()).unwrap_or_default();
        String::from_utf8_lossy(&bytes).into_owned()
    }

    fn log_tail(&self) -> String {
        let log = self.log();
        let lines: Vec<&str> = log.lines().collect();
        let mut text = format!("--- end of {}", self.log_path().display());
        for line in &lines[lines.len().saturating_sub(TAIL_LINES)..] {
            // Writing to a string cannot fail.
            let _ = write!(text, "\n{line}");
        }
        text
    }
}

/// Runs a tool to its end.
fn run(command: &mut Command, what: &str) -> Result<()> {
    let output = command.stdin(Stdio::null()).output();
    let output =
        output.map_err(|e| Error::config(format!("kafka broker: cannot {what}")).because(e))?;
    if output.status.success() {
        return Ok(());
    }
    let said = [output.stdout, output.stderr].concat();
    let said = String::from_utf8_lossy(&said).into_owned();
    Err(Error::connector(format!("kafka broker: cannot {what} ({})\n{said}", output.status)))
}

/// The error of a file or folder.
pub(crate) fn unusable(dir: &Path) -> impl Fn(io::Error) -> Error + '_ {
    move |e| Error::config(format!("kafka broker: cannot use {}", dir.display())).because(e)
}

fn failed(what: &'static str) -> impl Fn(io::Error) -> Error {
    move |e| Error::connector(format!("kafka broker: cannot {what} it")).because(e)
}

fn not_running() -> Error {
    Error::connector("kafka broker: it is not running")
}
