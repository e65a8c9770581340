//! Clients that mean ill, or are broken. Each says what the server did about it.

use std::fs;
use std::io::{Read as _, Write as _};
use std::os::linux::net::SocketAddrExt as _;
use std::os::unix::net::{SocketAddr, UnixStream};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail, ensure};
use picket_agent::ipc::client::{ClientError, Connection};
use picket_proto::ipc::BUFFER;
use picket_proto::ipc::endpoint::Endpoint;
use picket_proto::ipc::header::{Flags, Generation, Header};
use picket_proto::ipc::message;
use picket_proto::ipc::setup::{RESPONSE_LEN, Request, Response};

const LIMIT: Duration = Duration::from_secs(10);

/// Clients that connect and say nothing.
const SILENT: usize = 500;

/// An attack, by name.
type Kind = (&'static str, fn() -> Result<String>);

/// All of them.
pub const KINDS: [Kind; 9] = [
    ("garbage-setup", garbage_setup),
    ("half-setup", half_setup),
    ("silence", silence),
    ("garbage-messages", garbage_messages),
    ("oversize", oversize),
    ("broken-ring", broken_ring),
    ("short-files", short_files),
    ("crowd", crowd),
    ("crash", crash),
];

/// Carries out one attack; or `stranger`, for a user who may not use the cluster; or `deaf`, for a cluster that has a lot to
/// say.
pub fn attack(kind: &str) -> Result<String> {
    match kind {
        "stranger" => return stranger(),
        "deaf" => return deaf(),
        _ => {}
    }
    let known = KINDS.iter().find(|(name, _)| *name == kind);
    known.with_context(|| format!("no attack '{kind}'"))?.1()
}

fn connect(name: &str) -> Result<UnixStream> {
    let mut padded = [0; 107];
    padded[..name.len()].copy_from_slice(name.as_bytes());
    let stream = UnixStream::connect_addr(&SocketAddr::from_abstract_name(padded)?)
        .with_context(|| format!("connect to {name}"))?;
    stream.set_read_timeout(Some(LIMIT))?;
    Ok(stream)
}

fn open(generation: Generation) -> Result<Connection, ClientError> {
    Connection::open("cib_rw", generation, BUFFER, LIMIT)
}

fn deadline() -> Instant {
    Instant::now() + LIMIT
}

/// Every name refuses a user without rights, with a reason.
fn stranger() -> Result<String> {
    for endpoint in Endpoint::ALL {
        let mut stream = connect(endpoint.name())?;
        stream.write_all(&Request { max_msg_size: BUFFER }.to_bytes())?;
        let mut answer = [0; RESPONSE_LEN];
        stream.read_exact(&mut answer)?;
        let expected = if endpoint == Endpoint::Pacemakerd { 121 } else { 13 };
        let answer = Response::parse(&answer)?;
        ensure!(answer == Response::Refused(expected), "{}: {answer:?}", endpoint.name());
    }
    Ok(format!("{} names refused", Endpoint::ALL.len()))
}

/// Asks for something and reads nothing, until the server has enough of it.
fn deaf() -> Result<String> {
    let mut connection = open(Generation::New)?;
    connection.send("<question/>", Flags::RESPONSE_WANTED, deadline())?;
    let since = Instant::now();
    connection.idle(since + 3 * LIMIT)?;
    Ok(format!("disconnected after {:.1} s", since.elapsed().as_secs_f64()))
}

fn garbage_setup() -> Result<String> {
    for endpoint in Endpoint::ALL {
        let mut stream = connect(endpoint.name())?;
        stream.write_all(b"GET / HTTP/1.1\r\nHost: me\r\n\r\n")?;
        closed(&mut stream)?;
    }
    Ok("closed at once".into())
}

fn half_setup() -> Result<String> {
    let mut stream = connect("cib_rw")?;
    stream.write_all(&[0xff; 10])?;
    let since = Instant::now();
    closed(&mut stream)?;
    Ok(format!("closed after {:.1} s", since.elapsed().as_secs_f64()))
}

fn closed(stream: &mut UnixStream) -> Result<()> {
    match stream.read(&mut [0; 16]) {
        Ok(0) => Ok(()),
        // What we wrote was not read to its end.
        Err(error) if error.kind() == std::io::ErrorKind::ConnectionReset => Ok(()),
        other => bail!("not closed: {other:?}"),
    }
}

/// Hundreds of silent connections, and a client in due form that is served all the same.
fn silence() -> Result<String> {
    let streams: Vec<_> = (0..SILENT).map(|_| connect("cib_rw")).collect::<Result<_>>()?;
    let since = Instant::now();
    let served = open(Generation::Old);
    let took = since.elapsed();
    drop(served?);
    drop(streams);
    Ok(format!("{SILENT} silent ones, another one served in {:.1} ms", took.as_secs_f64() * 1000.0))
}

/// Messages that are none, in a connection that is one.
fn garbage_messages() -> Result<String> {
    for generation in [Generation::Old, Generation::New] {
        let mut connection = open(generation)?;
        let mut state = 0x2545_f491_u32;
        let mut noise = |length: usize| -> Vec<u8> {
            std::iter::repeat_with(|| {
                state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
                state.to_be_bytes()[0]
            })
            .take(length)
            .collect()
        };
        for length in 0..500 {
            connection.send_raw(&noise(length), deadline())?;
        }
        for xml in
            ["", "x", "<a", "<a></b>", "<!DOCTYPE a [<!ENTITY b 'c'>]><a>&b;</a>", &"<a>".repeat(10_000)]
        {
            connection.send(xml, Flags::RESPONSE_WANTED, deadline())?;
        }
        let bomb = message::encode(Generation::Old, 1, Flags(0), &"x".repeat(8_000_000), BUFFER as usize)?;
        let mut lying = bomb[0].clone();
        lying[24..28].copy_from_slice(&100_u32.to_ne_bytes());
        connection.send_raw(&lying, deadline())?;
        connection.send_raw(&bomb[0], deadline())?;
    }
    Ok("dropped".into())
}

/// A document without end, in parts.
fn oversize() -> Result<String> {
    let mut connection = open(Generation::New)?;
    let chunk = vec![b'x'; 131_031];
    for part in 0..400_u16 {
        let header = Header { id: 1, flags: Flags::PART, payload: chunk.len() + 1, inflated: None, part };
        let message = [header.to_bytes(Generation::New).as_slice(), &chunk, &[0]].concat();
        connection.send_raw(&message, deadline())?;
    }
    Ok(format!("{} MB sent, nothing kept", 400 * chunk.len() / 1_000_000))
}

/// The files of a session of ours.
fn files(prefix: &str) -> Result<Vec<std::path::PathBuf>> {
    let ours = format!("-{}-", std::process::id());
    let mut found = Vec::new();
    for folder in fs::read_dir("/dev/shm")?.flatten() {
        if folder.file_name().to_string_lossy().contains(&ours) {
            let files = fs::read_dir(folder.path())?.flatten();
            found.extend(
                files.filter(|f| f.file_name().to_string_lossy().starts_with(prefix)).map(|f| f.path()),
            );
        }
    }
    ensure!(!found.is_empty(), "no {prefix}* of process {} in /dev/shm", std::process::id());
    Ok(found)
}

/// Positions, counters and chunks overwritten.
fn broken_ring() -> Result<String> {
    for fill in [0xff_u8, 0xa1, 0x00, 0x7f] {
        let mut connection = open(Generation::Old)?;
        for file in files("qb-")? {
            let length = usize::try_from(fs::metadata(&file)?.len())?;
            // In place: a truncated file is another attack.
            fs::File::options().write(true).open(&file)?.write_all(&vec![fill; length])?;
        }
        // Whatever our end of the ring makes of it.
        let _ = connection.send_raw(&[fill; 100], Instant::now() + Duration::from_millis(200));
    }
    Ok("only this client's connection broke".into())
}

/// Files cut to nothing below the server's mappings.
fn short_files() -> Result<String> {
    let mut stream = connect("cib_rw")?;
    stream.write_all(&Request { max_msg_size: BUFFER }.to_bytes())?;
    stream.read_exact(&mut [0; RESPONSE_LEN])?;
    for file in files("qb-")? {
        fs::File::options().write(true).open(&file)?.set_len(0)?;
    }
    for _ in 0..10 {
        // The server looks into the ring at each byte, until it gives up.
        if stream.write_all(&[0]).is_err() {
            break;
        }
    }
    drop(stream);
    drop(open(Generation::Old).context("the server is gone")?);
    Ok("the server lives".into())
}

/// As many sessions as there are, until one is refused.
fn crowd() -> Result<String> {
    let mut sessions = Vec::new();
    let refused = loop {
        match open(Generation::Old) {
            Ok(session) => sessions.push(session),
            Err(ClientError::Refused { errno, .. }) => break errno,
            Err(error) => return Err(error).with_context(|| format!("session {}", sessions.len() + 1)),
        }
        ensure!(sessions.len() < 5000, "no limit");
    };
    Ok(format!("{} sessions, the next one refused with errno {refused}", sessions.len()))
}

/// Dies with a session open and half a request in it.
fn crash() -> Result<String> {
    let mut connection = open(Generation::New)?;
    let header = Header { id: 1, flags: Flags::PART, payload: 2, inflated: None, part: 0 };
    connection.send_raw(&[header.to_bytes(Generation::New).as_slice(), b"<\0"].concat(), deadline())?;
    nix::sys::signal::raise(nix::sys::signal::Signal::SIGKILL)?;
    bail!("still alive")
}
