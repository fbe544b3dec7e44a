//! Everything that a run needs: broker, proxy, topics, input, observer, and the job as a process.

use std::collections::BTreeMap;
use std::io;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use headwater_services::kafka::{Admin, Broker, BrokerOptions, launch_for_tests};
use headwater_services::proxy::{Proxy, Speaks};

use super::expected::{Expected, empty_log};
use super::input::Input;
use super::job::{Form, JobCommand, JobOptions, SOURCE, Topics};
use super::observer::{Hash, Mark, Observer};
use super::plants::Plant;
use super::records::{PARTITIONS, Payment};
use super::topics::{open_transactions, read_committed, unstable};
use super::verdict::{Verdict, verify};
use crate::metrics::FinalReport;
use crate::process::{Ended, Running};

/// How long a recovery may take before the run is given up.
pub const PATIENCE: Duration = Duration::from_secs(120);
/// How long transactions may stay open after the job's end.
const UNTIL_STABLE: Duration = Duration::from_secs(30);

/// How a run is set up.
#[derive(Clone, Debug)]
pub struct Setup {
    /// The job's program.
    pub program: PathBuf,
    /// Where everything goes.
    pub dir: PathBuf,
    /// How output becomes visible.
    pub form: Form,
    /// Time from one epoch to the next.
    pub epoch: Duration,
    /// Records per second.
    pub rate: f64,
    /// After which the broker aborts a transaction.
    pub transaction_timeout: Duration,
    /// Worker threads of the job.
    pub workers: usize,
    /// Chooses records and moments.
    pub seed: u64,
    /// A fault to build into the job.
    pub plant: Option<Plant>,
    /// At the end: how long nothing new may come before what is missing counts as lost.
    pub silence: Duration,
}

/// A broker of one's own, with a proxy in front of it for the job.
pub struct Service {
    /// The broker.
    pub broker: Broker,
    /// What the job talks through.
    pub proxy: Proxy,
}

impl Service {
    /// Starts both, the broker with its data in `dir`; `None` without Java or Maven, which is said on stderr.
    ///
    /// # Errors
    /// There is no free port.
    ///
    /// # Panics
    /// It does not start, or is missing where `CI` or `HEADWATER_REQUIRE_SERVICES` is set.
    pub fn start_or_skip(dir: &Path) -> io::Result<Option<Service>> {
        let proxy = Proxy::start(Speaks::Kafka).map_err(io::Error::other)?;
        let properties = [
            // Transactions beyond their timeout are looked for every ten seconds otherwise.
            ("transaction.abort.timed.out.transaction.cleanup.interval.ms", "500"),
            // Event times are of a past year, and are the times of the output's records.
            ("log.retention.ms", "-1"),
        ];
        let broker = launch_for_tests(BrokerOptions {
            dir: Some(dir.join("broker")),
            advertised: Some(proxy.address()),
            properties: properties.map(|(k, v)| (k.to_owned(), v.to_owned())).into(),
            ..BrokerOptions::default()
        });
        let Some(broker) = broker else { return Ok(None) };
        proxy.set_target(broker.behind_proxy().unwrap_or_default());
        Ok(Some(Service { broker, proxy }))
    }
}

/// See the module documentation.
pub struct Arena {
    /// How it is set up.
    pub setup: Setup,
    /// The job's command.
    pub command: JobCommand,
    topics: Topics,
    /// Where nothing is in between.
    direct: String,
    input: Option<Input>,
    /// Reads the output.
    pub observer: Observer,
    hash: Hash,
    job: Option<Running>,
}

impl Arena {
    /// Makes topics of a broker, and starts input and observer; the job is reached at `bootstrap`.
    ///
    /// # Errors
    /// The broker refuses.
    pub fn new(setup: Setup, admin: &Admin, bootstrap: String) -> io::Result<Arena> {
        let topic = |name| admin.new_topic(name, PARTITIONS).map_err(io::Error::other);
        let topics = Topics {
            input: topic("payments")?,
            totals: topic("totals")?,
            windows: topic("windows")?,
            job: String::new(),
        };
        // Its control topics have names that nobody else uses, too.
        let topics = Topics { job: topics.input.replace("payments", "chaos"), ..topics };
        let direct = admin.bootstrap().to_owned();
        let hash = Hash::default();
        let outputs = [topics.totals.as_str(), topics.windows.as_str()];
        let observer = Observer::start(&direct, &outputs, hash.clone())?;
        let input = Some(Input::start(&direct, &topics.input, setup.seed, setup.rate)?);
        let (transaction_timeout, plant) = (setup.transaction_timeout, setup.plant);
        let command = JobCommand {
            program: setup.program.clone(),
            dir: setup.dir.clone(),
            options: JobOptions { bootstrap, topics: topics.clone(), transaction_timeout, plant },
            form: setup.form,
            epoch: setup.epoch,
            workers: setup.workers,
        };
        std::fs::create_dir_all(&setup.dir)?;
        Ok(Arena { setup, command, topics, direct, input, observer, hash, job: None })
    }

    /// Starts the job.
    ///
    /// # Errors
    /// It cannot be started.
    pub fn start_job(&mut self, crash_point: Option<&str>) -> io::Result<()> {
        self.job = Some(self.command.start(crash_point)?);
        Ok(())
    }

    /// Kills the job.
    ///
    /// # Errors
    /// It had ended by itself.
    pub fn kill_job(&mut self) -> io::Result<Ended> {
        self.check_job()?;
        self.take_job()?.kill()
    }

    /// Waits for the job to end by itself.
    ///
    /// # Errors
    /// It does not.
    pub fn wait_for_job(&mut self) -> io::Result<Ended> {
        self.take_job()?.wait(PATIENCE).map_err(|e| self.failed(&e.to_string()))
    }

    /// Process id of the job.
    pub fn job_pid(&self) -> Option<u32> {
        self.job.as_ref().map(Running::pid)
    }

    fn take_job(&mut self) -> io::Result<Running> {
        self.job.take().ok_or_else(|| io::Error::other("the job does not run"))
    }

    /// An error if the job has ended by itself.
    ///
    /// # Errors
    /// It has.
    pub fn check_job(&mut self) -> io::Result<()> {
        let ended = match &mut self.job {
            Some(job) => job.has_ended()?,
            None => false,
        };
        if ended { Err(self.failed("the job has ended by itself")) } else { Ok(()) }
    }

    fn failed(&self, what: &str) -> io::Error {
        io::Error::other(format!("{what}\n{}", self.command.log_tail()))
    }

    /// Waits for output beyond the mark; how long that is after `since`.
    ///
    /// # Errors
    /// None comes, or the job ends by itself.
    pub fn output_beyond(&mut self, mark: &Mark, since: Instant) -> io::Result<Duration> {
        let until = Instant::now() + PATIENCE;
        loop {
            if let Some(at) = self.observer.wait_beyond(mark, Duration::from_millis(200)) {
                return Ok(at.saturating_duration_since(since));
            }
            self.check_job()?;
            if Instant::now() > until {
                return Err(self.failed(&format!("no new output within {PATIENCE:?}")));
            }
        }
    }

    /// Lets the job catch up with the last record, stops it, and verifies.
    ///
    /// # Errors
    /// It does not stop, or the broker does not answer.
    pub fn finish(mut self) -> io::Result<Verdict> {
        let sent = self.input.take().map_or(Ok(0), Input::finish)?;
        let expected = Expected::of(&read_log(&self.direct, &self.topics.input)?);
        self.until_caught_up(expected.rows())?;
        // Whatever should not come has time to.
        std::thread::sleep(self.setup.epoch * 3 + Duration::from_millis(300));
        self.stop_and_verify(&expected, sent)
    }

    fn until_caught_up(&mut self, rows: u64) -> io::Result<()> {
        let (mut count, mut since) = (self.observer.count(), Instant::now());
        while count < rows && since.elapsed() < self.setup.silence {
            std::thread::sleep(Duration::from_millis(20));
            self.check_job()?;
            let now = self.observer.count();
            if now > count {
                (count, since) = (now, Instant::now());
            }
        }
        Ok(())
    }

    fn stop_and_verify(mut self, expected: &Expected, sent: u64) -> io::Result<Verdict> {
        let mut job = self.take_job()?;
        job.say("stop")?;
        let ended = job.wait(PATIENCE).map_err(|e| self.failed(&e.to_string()))?;
        let report = ended.report.clone();
        let report = report.ok_or_else(|| self.failed("the job did not stop in good order"))?;
        let open = until_stable(&self.direct)?;
        let seen = self.observer.finish();
        let mut verdict = verify(&self.direct, &self.topics, expected, &seen, &self.hash)?;
        verdict.open = open;
        verdict.counters = wrong_counters(&report, expected);
        if sent != expected.records {
            let text = format!("{sent} records were written, the input has {}", expected.records);
            verdict.other.push(text);
        }
        Ok(verdict)
    }
}

fn read_log(bootstrap: &str, topic: &str) -> io::Result<Vec<Vec<Payment>>> {
    let mut log = empty_log();
    let mut unreadable = None;
    read_committed(bootstrap, topic, |partition, _, value| match serde_json::from_slice(value) {
        Ok(payment) => log[partition as usize].push(payment),
        Err(e) => unreadable = Some(e),
    })?;
    unreadable.map_or(Ok(log), |e| Err(e.into()))
}

fn until_stable(bootstrap: &str) -> io::Result<Vec<String>> {
    let until = Instant::now() + UNTIL_STABLE;
    loop {
        let mut open = unstable(bootstrap)?;
        open.extend(open_transactions(bootstrap).map_err(io::Error::other)?);
        if open.is_empty() || Instant::now() > until {
            return Ok(open);
        }
        std::thread::sleep(Duration::from_millis(200));
    }
}

/// The counters of the job must be those of one run without faults.
fn wrong_counters(report: &FinalReport, expected: &Expected) -> Vec<String> {
    let wanted = BTreeMap::from([
        ((SOURCE, "in"), expected.records),
        (("totals out", "in"), expected.records),
        (("windows", "late"), expected.late),
        (("windows out", "in"), expected.windows.len() as u64),
    ]);
    let mut wrong = Vec::new();
    for ((step, which), wanted) in wanted {
        let counters = report.steps.get(step).copied().unwrap_or_default();
        let got = if which == "in" { counters.records_in } else { counters.late };
        if got != wanted {
            wrong.push(format!("step {step:?} counted {got} {which}, expected {wanted}"));
        }
    }
    wrong
}
