use std::io::{Read, Write};
use std::net::TcpStream;

use crossbeam_channel::{Receiver, bounded};

use super::*;
use crate::conformance::{live_source_suite, read_to_end};

fn open<S: Source<Record = String>>(
    source: &S,
    position: Option<&Position>,
) -> (Box<dyn Reader<String>>, Receiver<()>) {
    let (sender, woken) = bounded(1);
    let wake = Wake::new(move || {
        let _ = sender.try_send(());
    });
    let split = &source.splits().unwrap()[0];
    (source.open(split, position, wake).unwrap(), woken)
}

fn read(reader: &mut dyn Reader<String>, max: usize) -> (Vec<String>, ReadStatus) {
    let mut buffer = ReadBuffer::new(max, Default::default(), Default::default());
    let status = reader.read(&mut buffer).unwrap();
    (buffer.records.into_iter().map(|record| record.value).collect(), status)
}

/// Reads until `count` lines have come, waiting for wake-ups only.
fn read_some(reader: &mut dyn Reader<String>, woken: &Receiver<()>, count: usize) -> Vec<String> {
    let mut lines = Vec::new();
    loop {
        let (more, status) = read(reader, count - lines.len());
        lines.extend(more);
        if lines.len() == count {
            return lines;
        }
        match status {
            ReadStatus::Idle => woken.recv().unwrap(),
            ReadStatus::Ready => {}
            other => panic!("{other:?} after {lines:?}"),
        }
    }
}

fn client(source: &TcpListen, bytes: &[u8]) -> TcpStream {
    let mut client = TcpStream::connect(source.local_addr().unwrap()).unwrap();
    client.write_all(bytes).unwrap();
    client
}

/// An input that gives what it is sent.
struct Pieces(Receiver<std::io::Result<&'static [u8]>>);

impl Read for Pieces {
    fn read(&mut self, buffer: &mut [u8]) -> std::io::Result<usize> {
        let Ok(piece) = self.0.recv() else { return Ok(0) };
        let piece = piece?;
        buffer[..piece.len()].copy_from_slice(piece);
        Ok(piece.len())
    }
}

#[test]
fn lines_are_a_live_source() {
    let text = "one\r\ntwo\n\nlast";
    let expected = ["one", "two", "", "last"].map(str::to_owned);
    live_source_suite(|| read_lines(text.as_bytes()), &expected).unwrap();
    live_source_suite(|| read_lines(std::io::empty()), &[]).unwrap();
    let listening = || {
        let source = tcp_listen("127.0.0.1:0");
        client(&source, text.as_bytes());
        source
    };
    live_source_suite(listening, &expected).unwrap();
    let connecting = || {
        let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap().to_string();
        std::thread::spawn(move || listener.accept().unwrap().0.write_all(text.as_bytes()));
        tcp_connect(address)
    };
    live_source_suite(connecting, &expected).unwrap();
}

#[test]
fn bad_lines_are_refused_and_counted() {
    let source = read_lines(&b"a\nbcdefg\n\xff\nh\n"[..]).max_line_bytes(3);
    let (mut reader, woken) = open(&source, None);
    let mut buffer = ReadBuffer::new(10, Default::default(), Default::default());
    while reader.read(&mut buffer).unwrap() != ReadStatus::End {
        woken.recv().unwrap();
    }
    let good: Vec<_> = buffer.records.iter().map(|record| &*record.value).collect();
    assert_eq!(good, ["a", "h"]);
    let bad: Vec<_> = buffer.bad.iter().map(|bad| (&*bad.position, &*bad.reason)).collect();
    let overlong = "a line of 6 bytes is longer than the limit of 3";
    let binary = "the line is not UTF-8 from byte 0 on";
    assert_eq!(bad, [("line 2", overlong), ("line 3", binary)]);
    assert_eq!(reader.position(), Position("4".into()));
}

#[test]
fn a_quiet_input_is_idle_and_wakes() {
    let (sender, pieces) = bounded(0);
    let source = read_lines(Pieces(pieces));
    let (mut reader, woken) = open(&source, None);
    assert_eq!(read(&mut *reader, 10), (vec![], ReadStatus::Idle));
    for round in 0..100 {
        sender.send(Ok(b"half a ")).unwrap();
        sender.send(Ok(b"line\nmore\n")).unwrap();
        assert_eq!(read_some(&mut *reader, &woken, 2), ["half a line", "more"], "{round}");
    }
    drop(sender);
    while read(&mut *reader, 10).1 != ReadStatus::End {
        woken.recv().unwrap();
    }
}

#[test]
fn a_restored_reader_goes_on_with_new_input_and_the_old_count() {
    let (sender, pieces) = bounded(0);
    let source = read_lines(Pieces(pieces));
    let (mut reader, woken) = open(&source, None);
    sender.send(Ok(b"1\n2\n3\n")).unwrap();
    assert_eq!(read_some(&mut *reader, &woken, 2), ["1", "2"]);
    drop(reader);
    let (mut reader, woken) = open(&source, Some(&Position("40".into())));
    sender.send(Ok(b"4\n")).unwrap();
    assert_eq!(read_some(&mut *reader, &woken, 2), ["3", "4"]);
    assert_eq!(reader.position(), Position("42".into()));
}

#[test]
fn a_failed_input_is_not_the_end() {
    let (sender, pieces) = bounded(2);
    sender.send(Ok(b"last words\n".as_slice())).unwrap();
    sender.send(Err(std::io::Error::other("unplugged"))).unwrap();
    let source = read_lines(Pieces(pieces));
    for expected in ["last words", ""] {
        let (mut reader, woken) = open(&source, None);
        let mut buffer = ReadBuffer::new(10, Default::default(), Default::default());
        let error = loop {
            match reader.read(&mut buffer) {
                Ok(ReadStatus::Idle) => woken.recv().unwrap(),
                Ok(ReadStatus::Ready) => {}
                Ok(status) => panic!("{status:?}"),
                Err(error) => break error,
            }
        };
        assert_eq!(buffer.records.first().map_or("", |record| &*record.value), expected);
        assert_eq!(error.to_string(), "cannot read the input: unplugged");
    }
}

#[test]
fn the_queue_is_bounded() {
    let endless = std::io::repeat(b'\n');
    let source = read_lines(endless);
    let (mut reader, woken) = open(&source, None);
    assert_eq!(read_some(&mut *reader, &woken, 100_000).len(), 100_000);
    // Would take the memory of the machine if the thread did not wait.
    assert_eq!(reader.position(), Position("100000".into()));
    let feed = source.feed().unwrap();
    assert!(feed.queued() <= 16);
}

#[test]
fn a_listener_keeps_its_port_and_can_take_one_client_after_another() {
    let source = tcp_listen("localhost:0").keep_listening();
    let address = source.local_addr().unwrap();
    let (mut reader, woken) = open(&source, None);
    for name in ["ann", "bob"] {
        client(&source, name.as_bytes());
        assert_eq!(read_some(&mut *reader, &woken, 1), [name]);
    }
    drop(reader);
    let (mut reader, woken) = open(&source, Some(&Position("2".into())));
    assert_eq!(source.local_addr().unwrap(), address);
    client(&source, b"cyn\n");
    assert_eq!(read_some(&mut *reader, &woken, 1), ["cyn"]);
    assert_eq!(reader.position(), Position("3".into()));
}

#[test]
fn threads_stop_with_their_reader() {
    // Connected: the client sees the connection end.
    let source = tcp_listen("127.0.0.1:0");
    let (mut reader, woken) = open(&source, None);
    let mut client = client(&source, b"hello\n");
    assert_eq!(read_some(&mut *reader, &woken, 1), ["hello"]);
    drop(reader);
    assert!(matches!(client.read(&mut [0; 8]), Ok(0) | Err(_)));
    // Waiting for a client: the thread lets go of the listener.
    let (reader, _) = open(&source, None);
    let listener = source.take_listener();
    drop(reader);
    while Arc::strong_count(&listener) > 1 {
        std::thread::yield_now();
    }
}

#[test]
fn addresses_that_are_wrong_or_open_to_all_are_refused() {
    for address in ["", "nonsense", "127.0.0.1", "127.0.0.1:99999"] {
        assert!(tcp_listen(address).validate().is_err(), "{address}");
        assert!(tcp_connect(address).validate().is_err(), "{address}");
    }
    let error = tcp_listen("0.0.0.0:0").local_addr().unwrap_err();
    assert_eq!(
        error.to_string(),
        "will not listen on \"0.0.0.0:0\": 0.0.0.0 is not a loopback address"
    );
    tcp_listen("0.0.0.0:0").insecure_any_address().validate().unwrap();
}

#[test]
fn a_refused_connection_fails_the_reader() {
    let address = {
        let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        listener.local_addr().unwrap().to_string()
    };
    let error = read_to_end(tcp_connect(&*address)).unwrap_err();
    assert!(error.contains(&format!("cannot connect to \"{address}\"")), "{error}");
}
