//! One connection: the client's and the server's socket, and the pipes between them.

use std::collections::HashMap;
use std::io;
use std::sync::Mutex;
use std::sync::atomic::AtomicBool;

use tokio::net::TcpStream;
use tokio::sync::watch;

use super::faults::Direction;
use super::pipe::{End, Pipe};
use super::rules::Rule;
use super::{Faults, Shared, Speaks, units};

/// What both directions of a connection know.
#[derive(Debug)]
pub struct Connection<'a> {
    pub shared: &'a Shared,
    /// It has lost something to a black hole and passes nothing on any more.
    pub swallowing: AtomicBool,
    /// Rules that wait for a response, by correlation id.
    pub awaited: Mutex<HashMap<i32, Rule>>,
}

impl Connection<'_> {
    pub fn speaks(&self) -> Speaks {
        self.shared.speaks
    }

    pub fn faults(&self) -> watch::Receiver<Faults> {
        self.shared.faults.subscribe()
    }
}

/// Forwards in both directions until both sides have ended, or one end is enough.
pub async fn serve(shared: &Shared, mut client: TcpStream) {
    let mut resets = shared.resets.subscribe();
    let faults = shared.faults.borrow().clone();
    if faults.reset_new {
        reset(&client);
        return;
    }
    if faults.black_hole {
        tokio::select! {
            _ = swallow(&mut client) => {}
            _ = resets.changed() => reset(&client),
        }
        return;
    }
    let target = shared.target.lock().map(|target| target.clone()).unwrap_or_default();
    let connected = tokio::select! {
        connected = connect(&target) => connected,
        _ = resets.changed() => Err(io::ErrorKind::ConnectionReset.into()),
    };
    let mut server = match connected {
        Ok(server) => server,
        Err(e) => {
            tracing::debug!(target, error = %e, "cannot connect");
            reset(&client);
            return;
        }
    };
    // A socket that is closing will not mind.
    let _ = client.set_nodelay(true);
    let connection =
        Connection { shared, swallowing: AtomicBool::new(false), awaited: Mutex::default() };
    let end = {
        let (from_client, to_client) = client.split();
        let (from_server, to_server) = server.split();
        let up = Pipe { connection: &connection, direction: Direction::Up };
        let down = Pipe { connection: &connection, direction: Direction::Down };
        tokio::select! {
            ends = async { tokio::try_join!(
                up.run(from_client, to_server),
                down.run(from_server, to_client),
            ) } => ends.err(),
            _ = resets.changed() => Some(End::Reset),
        }
    };
    if end == Some(End::Reset) {
        reset(&client);
        reset(&server);
    }
}

async fn connect(target: &str) -> io::Result<TcpStream> {
    let server = TcpStream::connect(target).await?;
    server.set_nodelay(true)?;
    Ok(server)
}

/// Reads and forgets until the client closes.
async fn swallow(client: &mut TcpStream) -> io::Result<()> {
    let (mut from_client, _) = client.split();
    while units::read_some(&mut from_client).await?.is_some() {}
    Ok(())
}

/// Lets the socket, when it is dropped, end with RST instead of FIN.
fn reset(socket: &TcpStream) {
    if let Err(e) = socket.set_zero_linger() {
        tracing::debug!(error = %e, "cannot reset");
    }
}
