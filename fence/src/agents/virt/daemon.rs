//! A `fence_virtd` for the tests, which speaks its language over TCP and by connecting back.

use std::time::Duration;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream, UdpSocket};
use tokio::task::{JoinHandle, JoinSet};

use super::packet::read::{self, record};
use super::packet::{Ask, DIGEST, Hash, Key, LIST, RECORD, REQUEST, Request};
use crate::testing::fault::Fault;
use crate::testing::server::{State, decide};
use crate::testing::{Answer, Platform, Seen, Shown, Wire, World, time};

/// Any file can be a key.
pub(super) const KEY_FILE: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/Cargo.toml");

/// UUIDs of the machines but for their ids.
pub(super) const PREFIX: &str = "00000000-0000-0000-0000-000000000";

/// What can go wrong.
const FAULTS: &[Fault] = &[
    Fault::Refused,
    Fault::Reset,
    Fault::ResetAfter,
    Fault::Hang,
    Fault::HangInBody,
    Fault::Drip,
    Fault::CutOff,
    Fault::Garbled,
    Fault::Empty,
    Fault::Html,
    Fault::Flood,
    Fault::Byte(1),
    Fault::Byte(3),
    Fault::Byte(4),
    Fault::Byte(255),
    Fault::Stranger,
];

/// By TCP.
pub(super) const TCP: Wire = Wire { start: tcp, faults: FAULTS };
/// By multicast: requests come as datagrams.
pub(super) const MULTICAST: Wire = Wire { start: multicast, faults: FAULTS };

pub(super) fn key() -> Key {
    Key::new(std::fs::read(KEY_FILE).unwrap())
}

fn tcp(state: State) -> (u16, JoinHandle<()>) {
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    listener.set_nonblocking(true).unwrap();
    let task = tokio::spawn(async move {
        let listener = TcpListener::from_std(listener).unwrap();
        let mut talks = JoinSet::new();
        while !state.lock().unwrap().closed {
            tokio::select! {
                Ok((stream, _)) = listener.accept() => drop(talks.spawn(hear(stream, state.clone()))),
                Some(_) = talks.join_next() => {}
            }
        }
        drop(listener);
        while talks.join_next().await.is_some() {}
    });
    (port, task)
}

fn multicast(state: State) -> (u16, JoinHandle<()>) {
    let socket = std::net::UdpSocket::bind("127.0.0.1:0").unwrap();
    let port = socket.local_addr().unwrap().port();
    socket.set_nonblocking(true).unwrap();
    let task = tokio::spawn(async move {
        let socket = UdpSocket::from_std(socket).unwrap();
        let mut talks = JoinSet::new();
        // What it does not come to do it does not remember, and does again.
        let mut known = Vec::new();
        loop {
            let mut message = [0; REQUEST];
            tokio::select! {
                Ok(length) = socket.recv(&mut message) => {
                    let Some((request, _)) = read::request(&message, &key()) else { continue };
                    let is_closed = state.lock().unwrap().closed;
                    if is_closed || length != REQUEST || known.contains(&request.number) {
                        time::release();
                        continue;
                    }
                    known.push(request.number);
                    let state = state.clone();
                    talks.spawn(async move {
                        let Ok(stream) = TcpStream::connect(request.home.unwrap()).await else {
                            return (request.number, false);
                        };
                        (request.number, talk(stream, &request, &state).await)
                    });
                }
                Some(Ok((number, false))) = talks.join_next() => known.retain(|one| *one != number),
            }
        }
    });
    (port, task)
}

async fn hear(mut stream: TcpStream, state: State) {
    let mut message = [0; REQUEST];
    if stream.read_exact(&mut message).await.is_ok()
        && let Some((request, _)) = read::request(&message, &key())
    {
        talk(stream, &request, &state).await;
    }
}

/// Proves itself, has the other side prove itself, and answers; whether it came to that.
pub(super) async fn talk(mut stream: TcpStream, request: &Request, state: &State) -> bool {
    let mut challenge = [0; DIGEST];
    if stream.read_exact(&mut challenge).await.is_err() {
        return false;
    }
    let method = if matches!(request.ask, Ask::Off | Ask::On) { "POST" } else { "GET" };
    let path = format!("/{}/{}", request.ask.word(), request.domain);
    let seen = Seen { method: method.to_owned(), path, ..Seen::default() };
    let (answer, fault) = decide(&seen, state);
    let body: Vec<u8> = answer.body.chars().map(|c| u8::try_from(c).unwrap()).collect();
    let mut proof = Hash::Sha256.digest(&key(), &challenge);
    match fault {
        Some(Fault::Reset | Fault::ResetAfter) => {
            stream.set_zero_linger().unwrap();
            time::release();
            return false;
        }
        Some(Fault::Hang) => return silence(stream).await,
        Some(Fault::Stranger) => proof[0] ^= 1,
        _ => {}
    }
    let ours = [7; DIGEST];
    let _ = stream.write_all(&[proof, ours].concat()).await;
    let mut theirs = [0; DIGEST];
    if stream.read_exact(&mut theirs).await.is_err() {
        time::release();
        return false;
    }
    assert_eq!(theirs, Hash::Sha256.digest(&key(), &ours), "the client does not know the key");
    match fault {
        Some(Fault::HangInBody) => {
            let _ = stream.write_all(&body[..body.len() / 2]).await;
            return silence(stream).await;
        }
        Some(Fault::CutOff) => drop(stream.write_all(&body[..body.len() / 2]).await),
        Some(Fault::Drip) => {
            time::release();
            tokio::time::sleep(Duration::from_secs(15)).await;
            for byte in body {
                tokio::time::sleep(Duration::from_secs(1)).await;
                if stream.write_all(&[byte]).await.is_err() {
                    break;
                }
            }
        }
        _ => drop(stream.write_all(&body).await),
    }
    true
}

/// Says nothing, until the other side gives up.
async fn silence(mut stream: TcpStream) -> bool {
    time::release();
    let _ = stream.read_to_end(&mut Vec::new()).await;
    true
}

/// The hypervisor behind it.
pub(super) struct Hypervisor {
    pub(super) wire: Wire,
    pub(super) kind: Kind,
}

/// What is odd about it.
#[derive(Clone, Copy, PartialEq)]
pub(super) enum Kind {
    Plain,
    /// `vm1` is in this state of libvirt until it is switched.
    State(u8),
    /// `vm1` is not defined: it is gone when it is off.
    Transient,
    /// Rules have the names of domains.
    RulesByName,
    /// No list.
    Old,
    /// The list is empty.
    Lost,
    /// The first request to switch fails.
    Fails,
}

/// The answer of these bytes.
fn bytes(bytes: &[u8]) -> Answer {
    Answer::new(200, bytes.iter().copied().map(char::from).collect::<String>())
}

impl Hypervisor {
    fn list(&self, world: &mut World) -> Answer {
        let mut list = vec![LIST];
        for at in 0..world.machines.len() {
            let shown = world.show(at);
            let machine = &world.machines[at];
            if self.kind == Kind::Lost || (self.kind == Kind::Transient && at == 0 && !machine.on) {
                continue;
            }
            let state = match (self.kind, shown) {
                (Kind::State(state), _) if at == 0 && machine.switched == 0 => state,
                (_, Shown::On) => 1,
                (_, Shown::Off) => 5,
                (_, Shown::Odd) => 4,
            };
            list.extend(record(machine.name, &format!("{PREFIX}{}", machine.id), state));
        }
        list.extend([0; RECORD]);
        list.push(0);
        bytes(&list)
    }

    fn find(world: &World, path: &str) -> Option<usize> {
        let domain = path.rsplit('/').next()?;
        world.find(domain.strip_prefix(PREFIX).unwrap_or(domain))
    }
}

impl Platform for Hypervisor {
    fn label(&self, seen: &Seen) -> (String, String) {
        // The name of a domain, or its UUID.
        let what = seen.path.trim_matches('/').split('/').next().unwrap_or_default();
        (seen.method.clone(), format!("/{what}"))
    }

    fn wire(&self) -> Option<Wire> {
        Some(self.wire)
    }

    fn answer(&mut self, seen: &Seen, world: &mut World) -> Answer {
        let what = seen.path.trim_matches('/').split('/').next().unwrap_or_default();
        let at = Self::find(world, &seen.path);
        let is_ruled_out = self.kind == Kind::RulesByName && seen.path.contains(PREFIX);
        let first = std::mem::replace(&mut world.note, "asked".to_owned()).is_empty();
        let byte = match (what, at) {
            ("host list", _) if self.kind == Kind::Old => 1,
            ("host list", _) => return self.list(world),
            ("device status", _) => 0,
            ("null", _) => 1,
            _ if is_ruled_out => 3,
            // What it does not know it calls off.
            ("status", None) => 2,
            (_, None) => 1,
            ("off" | "on", Some(_)) if self.kind == Kind::Fails && !world.machines[0].was_off && first => 1,
            ("status", Some(at)) => match (self.kind, world.show(at)) {
                (Kind::State(5), _) if at == 0 && world.machines[0].switched == 0 => 2,
                (Kind::State(_), _) if at == 0 && world.machines[0].switched == 0 => 0,
                (_, Shown::Off) => 2,
                (_, Shown::On | Shown::Odd) => 0,
            },
            ("on", Some(at)) if self.kind == Kind::Transient && !world.machines[at].on => 1,
            (word, Some(at)) => {
                world.switch(at, word == "on");
                0
            }
        };
        bytes(&[byte])
    }
}
