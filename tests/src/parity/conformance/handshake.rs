//! TLS handshakes that do not come, come late, or are not handshakes.

use std::fs;
use std::io::{ErrorKind, Read, Write};
use std::net::TcpStream;
use std::os::unix::fs::PermissionsExt as _;
use std::time::{Duration, Instant};

use anyhow::{Result, bail, ensure};
use picket_agent::key::Key;

use super::{Behavior, Cost};
use crate::parity::bench::{Bench, PATIENCE};
use crate::parity::client::Client;
use crate::parity::stranger::hex;
use crate::wait::wait_until;

pub(super) const TABLE: &[Behavior] = &[
    Behavior::both(11, "100 silent connections: closed after 10 s, a client served meanwhile", silent_crowd)
        .costs(Cost::Time),
    Behavior::both(12, "HTTP: closed with a TLS alert", http),
    Behavior::both(13, "part of a hello, then silence: closed after 10 s", half_hello).costs(Cost::Time),
    Behavior::both(14, "no key at start: refused until there is one", late_key).costs(Cost::Time),
    Behavior::both(16, "nothing follows the handshake, no session ticket", no_ticket),
];

/// When the agent closes the connection, and what it said before.
fn closed_after(mut stream: &TcpStream, since: Instant) -> Result<(Duration, Vec<u8>)> {
    let (mut said, mut buffer) = (Vec::new(), [0; 64]);
    stream.set_read_timeout(Some(PATIENCE + Duration::from_secs(6)))?;
    loop {
        match stream.read(&mut buffer) {
            Ok(0) => return Ok((since.elapsed(), said)),
            Ok(count) => said.extend_from_slice(&buffer[..count]),
            Err(e) if e.kind() == ErrorKind::ConnectionReset => return Ok((since.elapsed(), said)),
            Err(e) => bail!("still open after {:.1?}: {e}", since.elapsed()),
        }
    }
}

fn silent_crowd(bench: &Bench) -> Result<String> {
    let peer = bench.fresh(&[])?;
    let started = Instant::now();
    let crowd: Vec<_> = (0..100).map(|_| peer.connect()).collect::<Result<_>>()?;
    let connected = started.elapsed();
    let started = Instant::now();
    let mut client = Client::join(&peer, "t")?;
    let served = started.elapsed();
    client.poke()?;
    ensure!(served < Duration::from_secs(1), "the client was served after {served:.1?}");
    let mut times = Vec::new();
    for stream in &crowd {
        times.push(closed_after(stream, started)?.0);
    }
    let (first, last) = (times[0], times[99]);
    let from = Duration::from_secs(9).saturating_sub(connected);
    ensure!(first > from && last < Duration::from_secs(12), "closed after {first:.1?} to {last:.1?}");
    Ok(format!(
        "closed {:.1} to {:.1} s later, the client's handshake took {} ms",
        first.as_secs_f64(),
        last.as_secs_f64(),
        served.as_millis()
    ))
}

fn http(bench: &Bench) -> Result<String> {
    let peer = bench.peer()?;
    let mut stream = peer.connect()?;
    stream.write_all(b"GET / HTTP/1.1\r\nHost: picket\r\n\r\n")?;
    let (after, said) = closed_after(&stream, Instant::now())?;
    ensure!(said == [0x15, 3, 3, 0, 2, 1, 0], "said {}", hex(&said));
    bench.client()?.poke()?;
    Ok(format!("alert {} after {} ms", hex(&said), after.as_millis()))
}

fn half_hello(bench: &Bench) -> Result<String> {
    let peer = bench.peer()?;
    let mut stream = peer.connect()?;
    let started = Instant::now();
    // A record of 512 bytes is announced, five of them come.
    stream.write_all(&[0x16, 3, 1, 2, 0, 1, 0, 1, 0xfc, 3])?;
    let (after, said) = closed_after(&stream, started)?;
    ensure!((9..12).contains(&after.as_secs()), "closed after {after:.1?}");
    Ok(format!("closed after {:.1} s, said {}", after.as_secs_f64(), hex(&said)))
}

fn late_key(bench: &Bench) -> Result<String> {
    let (network, host) = bench.host()?;
    let path = host.disk("/etc/pacemaker/authkey");
    let aside = path.with_extension("aside");
    fs::rename(&path, &aside)?;
    let peer = bench.launch_on(&network, &host, &[], &[], 3121)?;
    let key = Key::read(&aside)?;
    ensure!(Client::over(peer.connect()?, &key).is_err(), "a client without a key came in");
    fs::copy(&aside, &path)?;
    fs::set_permissions(&path, fs::Permissions::from_mode(0o640))?;
    let created = Instant::now();
    wait_until("the key is used", Duration::from_secs(61), || Ok(Client::join(&peer, "t").ok()))?;
    Ok(format!("used {:.1} s after it was there", created.elapsed().as_secs_f64()))
}

fn no_ticket(bench: &Bench) -> Result<String> {
    let mut client = Client::connect(&*bench.peer()?)?;
    let quiet = Duration::from_millis(300);
    // On the socket, below TLS: the library would swallow a ticket without a word.
    let came = wait_until("something comes", quiet, || match client.tap().peek(&mut [0]) {
        Err(e) if e.kind() == ErrorKind::WouldBlock => Ok(None),
        Err(e) => Err(e.into()),
        Ok(bytes) => Ok(Some(bytes)),
    });
    ensure!(came.is_err(), "something came within {} ms", quiet.as_millis());
    client.poke()?.is("lrmd_rc", 0)?;
    Ok(format!("silent for {} ms", quiet.as_millis()))
}
