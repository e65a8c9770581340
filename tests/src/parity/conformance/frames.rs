//! Framing, in both directions.

use std::fs;
use std::io::ErrorKind;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail, ensure};
use picket_proto::frame::Frame;
use picket_proto::request::{Operation, Request};

use super::{Behavior, Cost};
use crate::differential::op;
use crate::parity::bench::{Bench, PATIENCE};
use crate::parity::client::Client;
use crate::parity::doc::Doc;
use crate::parity::raw::Raw;
use crate::peer::Peer;
use crate::wait::wait_until;

const BLOCKS: &str = "2.1.5 blocks all its clients for up to 60 s";

pub(super) const TABLE: &[Behavior] = &[
    Behavior::both(17, "header fields of a reply, closing NUL", header).costs(Cost::Agent),
    Behavior::both(18, "header and payload are separate TLS records, the first of 40 bytes", records),
    Behavior::both(19, "frame ids increase by one over all connections", frame_ids).costs(Cost::Agent),
    Behavior::both(20, "a big-endian header is understood", big_endian),
    Behavior::ours(21, "coalesced and split records are understood", odd_records, BLOCKS),
    Behavior::both(22, "a request of 1 MB is answered", large),
    Behavior::ours(23, "a bad header costs only its own connection", bad_header, BLOCKS),
    Behavior::ours(24, "4 GiB announced: closed, memory stays bounded", four_gib, BLOCKS),
    Behavior::ours(25, "half a frame, then silence: others are served at once", half_frame, BLOCKS),
    Behavior::both(26, "a document that is not XML: no crash, the connection is usable or closed", not_xml),
    Behavior::differs(
        27,
        "odd characters of parameters come back unchanged",
        odd_values,
        "its escaping alters newline, tab and what is not ASCII",
    ),
    Behavior::both(28, "output with control characters: the report is XML", odd_output),
];

fn word(header: &[u8], at: usize) -> u32 {
    u32::from_ne_bytes([header[at], header[at + 1], header[at + 2], header[at + 3]])
}

fn poke(id: i64) -> String {
    Request::new(id, Operation::Poke).to_element().to_string()
}

fn header(bench: &Bench) -> Result<String> {
    let peer = bench.fresh(&[])?;
    let mut raw = Raw::connect(&peer)?;
    raw.say(&poke(1))?;
    let header = raw.record()?;
    let payload = raw.record()?;
    let size = u32::try_from(payload.len())?;
    ensure!(header[..8] == [0xbd, 0xdb, 0xda, 0xba, 1, 0, 0, 0], "starts with {:02x?}", &header[..8]);
    ensure!(header[8..16] == 1_u64.to_ne_bytes(), "id {:02x?}", &header[8..16]);
    ensure!(header[16..24] == [0; 8], "flags {:02x?}", &header[16..24]);
    let lengths = [24, 28, 32, 36].map(|at| word(&header, at));
    ensure!(lengths == [40 + size, 40, 0, size], "lengths {lengths:?} for a payload of {size}");
    ensure!(payload.ends_with(b">\0"), "no NUL at the end");
    Ok(format!("lengths {lengths:?}"))
}

/// As the ciphertext shows it: a TLS 1.3 record is 17 bytes longer than what it carries.
fn records(bench: &Bench) -> Result<String> {
    let peer = bench.peer()?;
    let mut client = Client::connect(&peer)?;
    client.say(&poke(1))?;
    let mut seen = vec![0; 4096];
    let lengths = wait_until("two records", PATIENCE, || {
        let count = match client.tap().peek(&mut seen) {
            Err(e) if e.kind() == ErrorKind::WouldBlock => return Ok(None),
            other => other?,
        };
        let mut rest = &seen[..count];
        let mut lengths = Vec::new();
        while let &[0x17, 3, 3, high, low, ref tail @ ..] = rest {
            let length = usize::from(u16::from_be_bytes([high, low]));
            lengths.push(length - 17);
            rest = tail.get(length..).unwrap_or_default();
        }
        Ok((lengths.len() >= 2).then_some(lengths))
    })?;
    ensure!(lengths[0] == 40, "records of {lengths:?} bytes");
    client.reply(1)?.is("lrmd_rc", 0)?;
    Ok(format!("{} and {} bytes", lengths[0], lengths[1]))
}

fn frame_ids(bench: &Bench) -> Result<String> {
    let peer = bench.fresh(&[])?;
    let (mut a, mut b) = (Raw::connect(&peer)?, Raw::connect(&peer)?);
    let mut ids = Vec::new();
    for id in 1..=4 {
        for raw in [&mut a, &mut b] {
            raw.say(&poke(id))?;
            let header = raw.record()?;
            raw.record()?;
            ids.push(u64::from_ne_bytes(header[8..16].try_into()?));
        }
    }
    ensure!(ids == (1..=8).collect::<Vec<_>>(), "{ids:?}");
    Ok(format!("{ids:?}"))
}

/// A frame whose header fields have the other byte order.
fn swapped(text: String) -> Result<Frame> {
    let mut frame = Frame::new(1, text)?;
    for field in [0..4, 4..8, 8..16, 16..24, 24..28, 28..32, 32..36, 36..40] {
        frame.header[field].reverse();
    }
    Ok(frame)
}

fn big_endian(bench: &Bench) -> Result<String> {
    let mut client = bench.client()?;
    client.say_frame(&swapped(poke(77))?)?;
    client.reply(77)?.is("lrmd_rc", 0)?;
    Ok("answered".into())
}

fn odd_records(bench: &Bench) -> Result<String> {
    let mut client = bench.client()?;
    let bytes = |id| {
        let frame = Frame::new(1, poke(id))?;
        anyhow::Ok([&frame.header[..], &frame.payload].concat())
    };
    client.say_bytes(&bytes(71)?)?;
    client.reply(71)?;
    client.say_bytes(&[bytes(72)?, bytes(73)?].concat())?;
    client.reply(72)?;
    client.reply(73)?;
    let split = bytes(74)?;
    for piece in [&split[..17], &split[17..60], &split[60..]] {
        client.say_bytes(piece)?;
    }
    client.reply(74)?;
    Ok("four of four answered".into())
}

fn large(bench: &Bench) -> Result<String> {
    let mut client = bench.client()?;
    client.register("large", "Script")?;
    let value = "x".repeat(1_000_000);
    let started = Instant::now();
    let result = client.run(&op("large", "start").doing(":").with("unused", &value).within(5_000));
    let asked = started.elapsed();
    // Too much for the environment of a process, so the run may fail; the request is answered.
    result?;
    Ok(format!("answered and reported within {} ms", asked.as_millis()))
}

/// How long another client waits for its answer.
fn served(other: &mut Client) -> Result<Duration> {
    let started = Instant::now();
    other.poke()?.is("lrmd_rc", 0)?;
    let took = started.elapsed();
    ensure!(took < Duration::from_secs(1), "another client was served after {took:.1?}");
    Ok(took)
}

fn bad_header(bench: &Bench) -> Result<String> {
    let mut other = bench.client()?;
    let mut worst = Duration::ZERO;
    for (what, at) in [("magic", 0), ("offset", 28)] {
        let mut bad = Client::connect(&*bench.peer()?)?;
        let mut frame = Frame::new(1, poke(1))?;
        frame.header[at] ^= 0x10;
        bad.say_frame(&frame)?;
        worst = worst.max(served(&mut other)?);
        ensure!(bad.is_closed(PATIENCE), "the connection with the bad {what} stays open");
    }
    Ok(format!("closed; another client served within {} ms", worst.as_millis()))
}

fn resident(peer: &Peer) -> Result<u64> {
    let status = fs::read_to_string(format!("/proc/{}/status", peer.pid()?))?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:")).context("no VmRSS")?;
    Ok(line.trim().trim_end_matches(" kB").parse()?)
}

fn four_gib(bench: &Bench) -> Result<String> {
    let peer = bench.peer()?;
    let mut other = bench.client()?;
    let before = resident(&peer)?;
    let mut greedy = Client::connect(&peer)?;
    let mut frame = Frame::new(1, poke(1))?;
    frame.header[24..28].copy_from_slice(&u32::MAX.to_ne_bytes());
    frame.header[36..40].copy_from_slice(&(u32::MAX - 40).to_ne_bytes());
    greedy.say_frame(&frame)?;
    ensure!(greedy.is_closed(PATIENCE), "the connection stays open");
    let took = served(&mut other)?;
    let grown = resident(&peer)?.saturating_sub(before);
    ensure!(grown < 4096, "grew by {grown} kB");
    Ok(format!("closed, grew by {grown} kB, another client served within {} ms", took.as_millis()))
}

fn half_frame(bench: &Bench) -> Result<String> {
    let mut other = bench.client()?;
    let mut slow = Client::connect(&*bench.peer()?)?;
    let frame = Frame::new(1, poke(1))?;
    slow.say_bytes(&frame.header)?;
    slow.say_bytes(&frame.payload[..20])?;
    let took = served(&mut other)?;
    slow.say_bytes(&frame.payload[20..])?;
    slow.reply(1)?;
    Ok(format!("another client served within {} ms, the rest answered when it came", took.as_millis()))
}

fn not_xml(bench: &Bench) -> Result<String> {
    let peer = bench.peer()?;
    let mut kept = 0;
    for text in ["", "no xml", "<lrmd_command lrmd_op=", "<a><b></a>", "<lrmd_command/>"] {
        let mut client = Client::connect(&peer)?;
        client.say(text)?;
        kept += u32::from(client.poke().is_ok());
    }
    peer.pid()?;
    bench.client()?.poke()?.is("lrmd_rc", 0)?;
    Ok(format!("{kept} of 5 connections stay usable"))
}

const ODD: &str = "a <b> & \"q\" 'p' \\ \n new line \t tab \u{e9} \u{20ac} end";

fn odd_values(bench: &Bench) -> Result<String> {
    let mut client = bench.client()?;
    client.register("odd", "Script")?;
    let result = client.run(&op("odd", "start").with("value", ODD))?;
    let echoed = result.params()?.attr("value");
    ensure!(echoed == Some(ODD), "came back as {echoed:?}");
    Ok(format!("{} characters unchanged", ODD.chars().count()))
}

fn odd_output(bench: &Bench) -> Result<String> {
    let mut client = bench.client()?;
    client.register("noise", "Script")?;
    let result =
        client.run(&op("noise", "start").doing(r"printf 'one\001two\033three\377four\000five' >&2"))?;
    // That it could be read at all says that it is UTF-8 and XML; references to what XML cannot carry are not.
    let Doc(element) = &result;
    let text = element.to_string();
    if let Some(at) = ["&#x01;", "&#1;", "&#x1B;", "&#27;"].iter().find(|bad| text.contains(**bad)) {
        bail!("{at} is in {text}");
    }
    ensure!(result.text("lrmd_rsc_output").contains("three"), "{text}");
    Ok(format!("{:?}", result.text("lrmd_rsc_output")))
}
