//! One direction of a connection: what comes in is given out in order, later or not at all.
//!
//! Reading and giving out run side by side over a bounded queue, so that latency delays but does not
//! slow down. The end of the stream is behind everything that was sent before.

use std::io;
use std::sync::PoisonError;
use std::sync::atomic::Ordering::Relaxed;

use tokio::io::AsyncWriteExt;
use tokio::net::tcp::{ReadHalf, WriteHalf};
use tokio::sync::mpsc::{Receiver, Sender, channel};
use tokio::time::{Instant, sleep, sleep_until};

use super::Speaks;
use super::connection::Connection;
use super::faults::Direction;
use super::rules::{Action, Rule};
use super::units::{read_frame, read_some, request, response};

/// Units on their way.
const QUEUE: usize = 256;

/// Why a whole connection ends, before both sides have ended it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum End {
    /// Both sockets are closed.
    Close,
    /// Both sockets are reset.
    Reset,
}

/// When a unit is due, and its bytes.
type Unit = (Instant, Vec<u8>);

/// A direction of a connection.
#[derive(Clone, Copy, Debug)]
pub struct Pipe<'a> {
    pub connection: &'a Connection<'a>,
    pub direction: Direction,
}

impl Pipe<'_> {
    /// Forwards until the stream ends.
    pub async fn run(self, from: ReadHalf<'_>, to: WriteHalf<'_>) -> Result<(), End> {
        let (send, receive) = channel(QUEUE);
        tokio::try_join!(self.take_in(from, send), self.give_out(to, receive)).map(|_| ())
    }

    async fn take_in(self, mut from: ReadHalf<'_>, queue: Sender<Unit>) -> Result<(), End> {
        loop {
            let unit = match self.connection.speaks() {
                Speaks::Bytes => read_some(&mut from).await,
                Speaks::Kafka => read_frame(&mut from, self.direction).await,
            };
            let unit = match unit {
                Ok(Some(unit)) => unit,
                Ok(None) => return Ok(()),
                Err(e) => return self.broken(&e),
            };
            let faults = self.connection.shared.faults.borrow().clone();
            if faults.black_hole {
                self.connection.swallowing.store(true, Relaxed);
            }
            let due = Instant::now() + faults.latency(self.direction);
            if queue.send((due, unit)).await.is_err() {
                return Ok(());
            }
        }
    }

    /// A client that breaks off has ended, and what it has sent is on its way; a server that breaks
    /// off takes the client's connection with it.
    fn broken(self, e: &io::Error) -> Result<(), End> {
        if e.kind() == io::ErrorKind::InvalidData {
            tracing::warn!(direction = ?self.direction, error = %e, "connection is cut");
            return Err(End::Reset);
        }
        match self.direction {
            Direction::Up => Ok(()),
            Direction::Down => Err(End::Reset),
        }
    }

    async fn give_out(self, mut to: WriteHalf<'_>, mut queue: Receiver<Unit>) -> Result<(), End> {
        let mut faults = self.connection.faults();
        // Whether the client is gone; then responses are only looked at.
        let mut is_gone = false;
        while let Some((due, unit)) = queue.recv().await {
            sleep_until(due).await;
            // An error says that the proxy is gone.
            let _ = faults.wait_for(|faults| !faults.holds(self.direction)).await;
            if faults.borrow().black_hole {
                self.connection.swallowing.store(true, Relaxed);
            }
            if self.connection.swallowing.load(Relaxed) {
                continue;
            }
            let passed = match (self.connection.speaks(), self.direction) {
                (Speaks::Bytes, _) => Passed::On(None),
                (Speaks::Kafka, Direction::Up) => self.pass_request(&unit).await?,
                (Speaks::Kafka, Direction::Down) => self.pass_response(&unit)?,
            };
            let Passed::On(rule) = passed else { continue };
            if !is_gone && self.write(&mut to, &unit).await.is_err() {
                match self.direction {
                    Direction::Up => return Err(End::Reset),
                    Direction::Down => is_gone = true,
                }
            }
            if let Some(rule) = rule {
                rule.delivered();
            }
        }
        let _ = faults.wait_for(|faults| !faults.holds(self.direction)).await;
        match (self.connection.swallowing.load(Relaxed), self.direction) {
            // A black hole keeps the end of the server's stream to itself, too.
            (true, Direction::Down) => Ok(()),
            (true, Direction::Up) => Err(End::Close),
            // If that fails, the other side has ended already.
            (false, _) => {
                let _ = to.shutdown().await;
                Ok(())
            }
        }
    }

    async fn pass_request(self, unit: &[u8]) -> Result<Passed, End> {
        let Some((api, correlation)) = request(unit) else { return Ok(Passed::On(None)) };
        let Some(rule) = self.connection.shared.rules.catch(api) else {
            return Ok(Passed::On(None));
        };
        match rule.action() {
            Action::Delay(delay) => sleep(delay).await,
            Action::Hold => rule.is_released().await,
            Action::DropRequest => return Ok(Passed::Lost),
            Action::Disconnect => return Err(End::Close),
            Action::DropResponse | Action::DisconnectOnResponse => {}
        }
        let mut awaited = self.connection.awaited.lock().unwrap_or_else(PoisonError::into_inner);
        awaited.insert(correlation, rule.clone());
        Ok(Passed::On(Some(rule)))
    }

    fn pass_response(self, unit: &[u8]) -> Result<Passed, End> {
        let Some((correlation, body)) = response(unit) else { return Ok(Passed::On(None)) };
        let mut awaited = self.connection.awaited.lock().unwrap_or_else(PoisonError::into_inner);
        let Some(rule) = awaited.remove(&correlation) else { return Ok(Passed::On(None)) };
        rule.answered(body);
        match rule.action() {
            Action::DropResponse => Ok(Passed::Lost),
            Action::DisconnectOnResponse => Err(End::Close),
            _ => Ok(Passed::On(None)),
        }
    }

    async fn write(self, to: &mut WriteHalf<'_>, unit: &[u8]) -> io::Result<()> {
        let mut rest = unit;
        while !rest.is_empty() {
            let drip = self.connection.shared.faults.borrow().drip;
            let length = drip.map_or(rest.len(), |drip| drip.bytes.clamp(1, rest.len()));
            to.write_all(&rest[..length]).await?;
            rest = &rest[length..];
            if let Some(drip) = drip {
                sleep(drip.every).await;
            }
        }
        Ok(())
    }
}

/// What becomes of a unit.
enum Passed {
    /// It goes on; the rule wants to know when it has.
    On(Option<Rule>),
    /// It is dropped.
    Lost,
}
