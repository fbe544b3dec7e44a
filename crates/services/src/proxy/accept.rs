//! The proxy's port: open, or closed and yet kept.

use std::io;
use std::net::{Ipv4Addr, SocketAddr};
use std::sync::{Arc, PoisonError, mpsc};
use std::time::Duration;

use tokio::net::{TcpListener, TcpSocket};
use tokio::sync::oneshot;
use tokio::task::JoinSet;

use super::{Shared, connection};

/// Connections at a time; more are closed.
const MAX_CONNECTIONS: usize = 1_024;
/// Connections that the system keeps waiting.
const BACKLOG: u32 = 128;
/// Before the port is tried again.
const PAUSE: Duration = Duration::from_millis(20);

/// Opens the port, says so, and serves until the handle is dropped.
pub async fn run(
    shared: Arc<Shared>,
    port: u16,
    stopped: oneshot::Receiver<()>,
    opened: mpsc::Sender<io::Result<()>>,
) {
    let listener = bind(port).and_then(|socket| socket.listen(BACKLOG));
    let (listener, outcome) = match listener {
        Ok(listener) => (Some(listener), Ok(())),
        Err(e) => (None, Err(e)),
    };
    set_listening(&shared, listener.is_some());
    // Whoever started us waits for this; if not, the handle is gone and so are we in a moment.
    let _ = opened.send(outcome);
    let Some(listener) = listener else { return };
    tokio::select! {
        () = serve(&shared, port, listener) => {}
        _ = stopped => {}
    }
}

async fn serve(shared: &Arc<Shared>, port: u16, listener: TcpListener) {
    let mut faults = shared.faults.subscribe();
    let mut listener = Some(listener);
    // Dropped with this future, and with it all connections.
    let mut connections = JoinSet::new();
    loop {
        let refuse = faults.borrow_and_update().refuse;
        match (refuse, listener.take()) {
            (true, open) => {
                drop(open);
                // Bound but not listening, the port refuses, and nobody else gets it.
                let kept = bind(port);
                set_listening(shared, false);
                if faults.wait_for(|faults| !faults.refuse).await.is_err() {
                    return;
                }
                listener = kept.and_then(|socket| socket.listen(BACKLOG)).ok();
                set_listening(shared, listener.is_some());
            }
            (false, Some(open)) => {
                tokio::select! {
                    accepted = open.accept() => match accepted {
                        Ok(_) if connections.len() >= MAX_CONNECTIONS => {
                            tracing::warn!(port, "too many connections; a new one is closed");
                        }
                        Ok((client, _)) => {
                            let shared = Arc::clone(shared);
                            connections.spawn(async move {
                                shared.connections.send_modify(|n| *n += 1);
                                connection::serve(&shared, client).await;
                                shared.connections.send_modify(|n| *n -= 1);
                            });
                        }
                        Err(e) => tracing::warn!(port, error = %e, "cannot accept"),
                    },
                    _ = faults.changed() => {}
                    Some(_) = connections.join_next() => {}
                }
                listener = Some(open);
            }
            // Somebody else has the port for a moment.
            (false, None) => {
                tokio::time::sleep(PAUSE).await;
                listener = bind(port).and_then(|socket| socket.listen(BACKLOG)).ok();
                set_listening(shared, listener.is_some());
            }
        }
    }
}

fn bind(port: u16) -> io::Result<TcpSocket> {
    let socket = TcpSocket::new_v4()?;
    // Connections over this port may still be there.
    socket.set_reuseaddr(true)?;
    socket.bind(SocketAddr::from((Ipv4Addr::LOCALHOST, port)))?;
    Ok(socket)
}

fn set_listening(shared: &Shared, listening: bool) {
    *shared.listening.lock().unwrap_or_else(PoisonError::into_inner) = listening;
    shared.listening_changed.notify_all();
}
