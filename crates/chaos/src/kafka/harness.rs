//! Kills and stops, in an order and at moments that the seed chooses; then verifies.

use std::fmt;
use std::io;
use std::time::{Duration, Instant};

use headwater_connect::generator::SplitMix64;
use headwater_services::kafka::{ApiKey, Broker};
use headwater_services::proxy::Action;
use rustix::process::{Pid, Signal, kill_process};

use super::arena::{Arena, PATIENCE, Service, Setup};
use super::observer::Mark;
use super::verdict::Verdict;
use crate::harness::percentile;
use crate::process::SIGKILL;

/// One kill of the job in so many comes while it starts.
const EARLY: u64 = 5;

/// What is done to job and broker, and how often.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Counts {
    /// Kills of the job.
    pub kills: u64,
    /// Kills of the broker.
    pub broker_kills: u64,
    /// Clean restarts of the broker.
    pub broker_restarts: u64,
    /// Outages of twice the transaction timeout: in turn the job is killed, stands still, and the
    /// broker is killed for so long.
    pub outages: u64,
    /// Commits that reach the broker after the job has gone on.
    pub late_commits: u64,
}

/// Something that is done.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Event {
    JobKill,
    BrokerKill,
    BrokerRestart,
    JobAway,
    JobStill,
    BrokerAway,
    LateCommit,
}

/// What is away in turn.
const OUTAGES: [Event; 3] = [Event::JobAway, Event::JobStill, Event::BrokerAway];

impl fmt::Display for Event {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Event::JobKill => "kill of the job",
            Event::BrokerKill => "kill of the broker",
            Event::BrokerRestart => "restart of the broker",
            Event::JobAway => "outage of the job",
            Event::JobStill => "standstill of the job",
            Event::BrokerAway => "outage of the broker",
            Event::LateCommit => "late commit",
        })
    }
}

/// What came of it.
#[derive(Clone, Debug)]
pub struct Outcome {
    /// What was done.
    pub counts: Counts,
    /// Kills of the job while it started.
    pub early: u64,
    /// From each event to the next new output; by event.
    pub recoveries: Vec<(String, Vec<Duration>)>,
    /// How long it took, without verification.
    pub took: Duration,
    /// What the verifier found.
    pub verdict: Verdict,
}

/// Runs it; `tell` gets a line per event.
///
/// # Errors
/// The job or the broker cannot be started, or the job ends by itself.
pub fn run(
    setup: &Setup,
    counts: Counts,
    service: &Service,
    tell: &mut dyn FnMut(&str),
) -> io::Result<Outcome> {
    let began = Instant::now();
    let mut rng = SplitMix64::new(setup.seed);
    let mut events = counts.events();
    for at in (1..events.len()).rev() {
        events.swap(at, rng.below(at as u64 + 1) as usize);
    }
    let arena = Arena::new(setup.clone(), &service.broker.admin(), service.broker.bootstrap())?;
    let mut run = Run { arena, service, rng, early: 0, recoveries: Vec::new() };
    let mark = run.arena.observer.mark();
    run.arena.start_job(None)?;
    run.arena.output_beyond(&mark, began)?;
    let all = events.len();
    for (at, event) in events.into_iter().enumerate() {
        let said = run.event(event)?;
        tell(&format!("{:>4}/{all}  {event}{said}", at + 1));
    }
    let took = began.elapsed();
    let verdict = run.arena.finish()?;
    let mut recoveries: Vec<(String, Vec<Duration>)> = Vec::new();
    for (event, took) in run.recoveries {
        let name = event.to_string();
        match recoveries.iter_mut().find(|(known, _)| *known == name) {
            Some((_, all)) => all.push(took),
            None => recoveries.push((name, vec![took])),
        }
    }
    Ok(Outcome { counts, early: run.early, recoveries, took, verdict })
}

impl Counts {
    fn events(self) -> Vec<Event> {
        let Counts { kills, broker_kills, broker_restarts, outages, late_commits } = self;
        let outage = |at: u64| OUTAGES[at as usize % OUTAGES.len()];
        let all = [
            (Event::JobKill, kills),
            (Event::BrokerKill, broker_kills),
            (Event::BrokerRestart, broker_restarts),
            (Event::LateCommit, late_commits),
        ];
        let all = all.into_iter().flat_map(|(event, n)| (0..n).map(move |_| event));
        all.chain((0..outages).map(outage)).collect()
    }
}

struct Run<'s> {
    arena: Arena,
    service: &'s Service,
    rng: SplitMix64,
    early: u64,
    recoveries: Vec<(Event, Duration)>,
}

impl Run<'_> {
    fn event(&mut self, event: Event) -> io::Result<String> {
        let wait = Duration::from_millis(50 + self.rng.below(1_450));
        std::thread::sleep(wait);
        match event {
            Event::JobKill => return self.job_kill(wait),
            Event::BrokerKill => self.broker(event, Broker::kill, Duration::ZERO)?,
            Event::BrokerRestart => self.broker(event, Broker::stop, Duration::ZERO)?,
            Event::BrokerAway => self.broker(event, Broker::kill, self.outage())?,
            Event::JobAway => self.job_away()?,
            Event::JobStill => self.job_still()?,
            Event::LateCommit => self.late_commit()?,
        }
        Ok(self.recovered(wait))
    }

    fn recovered(&self, wait: Duration) -> String {
        let took = self.recoveries.last().map_or(0, |(_, took)| took.as_millis());
        format!(" {} ms into running, new output after {took} ms", wait.as_millis())
    }

    /// Kills the job, one time in five again while it starts, and waits for output.
    fn job_kill(&mut self, wait: Duration) -> io::Result<String> {
        let mut early = String::new();
        if self.rng.below(EARLY) == 0 {
            self.kill_and_start()?;
            let wait = Duration::from_millis(self.rng.below(300));
            std::thread::sleep(wait);
            self.early += 1;
            early = format!(", then {} ms into the start", wait.as_millis());
        }
        let since = self.kill_and_start()?;
        // What was committed before the kill has arrived by then, and nothing new can have.
        std::thread::sleep(Duration::from_millis(20));
        let mark = self.arena.observer.mark();
        self.note(Event::JobKill, &mark, since)?;
        Ok(early + &self.recovered(wait))
    }

    fn kill_and_start(&mut self) -> io::Result<Instant> {
        let since = Instant::now();
        let ended = self.arena.kill_job()?;
        if !ended.by_signal(SIGKILL) {
            return Err(io::Error::other(format!("the job ended by itself ({})", ended.status)));
        }
        self.arena.start_job(None)?;
        Ok(since)
    }

    /// Long enough for the broker to abort what is open, twice.
    fn outage(&self) -> Duration {
        self.arena.setup.transaction_timeout * 2
    }

    fn job_away(&mut self) -> io::Result<()> {
        self.arena.kill_job()?;
        let since = Instant::now();
        std::thread::sleep(self.outage());
        let mark = self.arena.observer.mark();
        self.arena.start_job(None)?;
        self.note(Event::JobAway, &mark, since)
    }

    /// Stops the process with its open transaction and lets it go on when that is none any more.
    fn job_still(&mut self) -> io::Result<()> {
        let pid = self.arena.job_pid().and_then(|pid| Pid::from_raw(pid as i32));
        let pid = pid.ok_or_else(|| io::Error::other("the job does not run"))?;
        let since = Instant::now();
        kill_process(pid, Signal::STOP)?;
        std::thread::sleep(self.outage());
        let mark = self.arena.observer.mark();
        kill_process(pid, Signal::CONT)?;
        self.note(Event::JobStill, &mark, since)
    }

    /// Holds a commit until the job has given it up and asked again or started anew, lets the next
    /// transaction get under way, and then lets the commit through.
    fn late_commit(&mut self) -> io::Result<()> {
        let proxy = &self.service.proxy;
        let asked = || proxy.requests(ApiKey::END_TXN) + proxy.requests(ApiKey::INIT_PRODUCER_ID);
        let since = Instant::now();
        let late = proxy.on(ApiKey::END_TXN, Action::Hold).map_err(io::Error::other)?;
        if !late.wait(PATIENCE, |counts| counts.hits == 1) {
            return Err(io::Error::other("the job commits nothing"));
        }
        let before = asked();
        while asked() == before {
            std::thread::sleep(Duration::from_millis(5));
            self.arena.check_job()?;
            if since.elapsed() > PATIENCE {
                return Err(io::Error::other("the job does not give a held commit up"));
            }
        }
        std::thread::sleep(Duration::from_millis(self.rng.below(400)));
        let mark = self.arena.observer.mark();
        late.release();
        if !late.wait(PATIENCE, |counts| counts.answered == 1) {
            return Err(io::Error::other("the broker does not answer a late commit"));
        }
        self.note(Event::LateCommit, &mark, since)
    }

    fn note(&mut self, event: Event, mark: &Mark, since: Instant) -> io::Result<()> {
        let took = self.arena.output_beyond(mark, since)?;
        self.recoveries.push((event, took));
        Ok(())
    }

    /// Ends the broker, starts it again after a while, and waits for output.
    fn broker(
        &mut self,
        event: Event,
        end: impl FnOnce(&Broker) -> headwater_core::Result<()>,
        away: Duration,
    ) -> io::Result<()> {
        let since = Instant::now();
        end(&self.service.broker).map_err(io::Error::other)?;
        std::thread::sleep(away + Duration::from_millis(100));
        let mark = self.arena.observer.mark();
        self.service.broker.start().map_err(io::Error::other)?;
        self.note(event, &mark, since)
    }
}

impl fmt::Display for Outcome {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Counts { kills, broker_kills, broker_restarts, outages, late_commits } = self.counts;
        write!(f, "{kills} kills of the job, {} more while it started, ", self.early)?;
        write!(f, "{broker_kills} kills and {broker_restarts} restarts of the broker, ")?;
        writeln!(f, "{outages} outages, {late_commits} late commits in {:.1?}", self.took)?;
        for (event, values) in &self.recoveries {
            let show = |share| percentile(values, share).unwrap_or_default().as_millis();
            let (p50, p99, most, n) = (show(0.5), show(0.99), show(1.0), values.len());
            writeln!(f, "{event} to new output: p50 {p50} ms, p99 {p99} ms, max {most} ms ({n})")?;
        }
        write!(f, "{}", self.verdict)
    }
}
