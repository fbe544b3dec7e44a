//! Servers that stand behind a proxy and note what they get.

use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};
use std::sync::mpsc::{Receiver, Sender, channel};
use std::time::Duration;

/// For what must come; long, as only a failing test waits for it.
pub const LIMIT: Duration = Duration::from_secs(60);
/// For what must not come; short, as every passing test waits for it.
pub const MOMENT: Duration = Duration::from_millis(100);

/// A server, and what it hears of.
pub struct Server {
    pub address: String,
    heard: Receiver<Heard>,
}

#[derive(Debug, PartialEq, Eq)]
pub enum Heard {
    Connected,
    Got(Vec<u8>),
    /// The client has ended its stream; or has broken it off.
    Ended {
        in_order: bool,
    },
}

impl Server {
    /// Sends back what it gets.
    pub fn echo() -> Server {
        Server::start(|stream, heard| {
            let mut bytes = [0; 1_024];
            loop {
                match stream.read(&mut bytes) {
                    Ok(0) => return true,
                    Ok(n) => {
                        let _ = heard.send(Heard::Got(bytes[..n].to_vec()));
                        if stream.write_all(&bytes[..n]).is_err() {
                            return false;
                        }
                    }
                    Err(_) => return false,
                }
            }
        })
    }

    /// Answers Kafka's requests: with their own body.
    pub fn kafka() -> Server {
        Server::start(|stream, heard| {
            loop {
                let mut size = [0; 4];
                match stream.read(&mut size[..1]) {
                    Ok(0) => return true,
                    Ok(_) if stream.read_exact(&mut size[1..]).is_ok() => {}
                    _ => return false,
                }
                let mut request = vec![0; u32::from_be_bytes(size) as usize];
                if stream.read_exact(&mut request).is_err() {
                    return false;
                }
                let response = [&size[..], &request[4..8], &request[..4], &request[8..]].concat();
                let _ = heard.send(Heard::Got(request));
                if stream.write_all(&response).is_err() {
                    return false;
                }
            }
        })
    }

    fn start(serve: fn(&mut TcpStream, &Sender<Heard>) -> bool) -> Server {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap().to_string();
        let (send, heard) = channel();
        std::thread::spawn(move || {
            for stream in listener.incoming() {
                let (mut stream, send) = (stream.unwrap(), send.clone());
                if send.send(Heard::Connected).is_err() {
                    return;
                }
                std::thread::spawn(move || {
                    let in_order = serve(&mut stream, &send);
                    let _ = send.send(Heard::Ended { in_order });
                });
            }
        });
        Server { address, heard }
    }

    /// What it hears of next.
    pub fn next(&self) -> Heard {
        self.heard.recv_timeout(LIMIT).unwrap()
    }

    /// Whether nothing comes for a moment.
    pub fn hears_nothing(&self) -> bool {
        self.heard.recv_timeout(MOMENT).is_err()
    }
}

/// Connects to a proxy.
pub fn connect(address: &str) -> TcpStream {
    let stream = TcpStream::connect(address).unwrap();
    stream.set_read_timeout(Some(LIMIT)).unwrap();
    stream
}

/// Reads exactly so many bytes.
pub fn read(stream: &mut TcpStream, n: usize) -> Vec<u8> {
    let mut bytes = vec![0; n];
    stream.read_exact(&mut bytes).unwrap();
    bytes
}

/// Whether nothing comes for a moment, not even the end.
pub fn is_silent(stream: &mut TcpStream) -> bool {
    stream.set_read_timeout(Some(MOMENT)).unwrap();
    let outcome = stream.read(&mut [0]);
    stream.set_read_timeout(Some(LIMIT)).unwrap();
    use std::io::ErrorKind::{TimedOut, WouldBlock};
    outcome.is_err_and(|e| [TimedOut, WouldBlock].contains(&e.kind()))
}
