//! The attacks. Each gives what the agent said to it, in its log or in an answer.

use std::fs;
use std::io::Write as _;
use std::time::Duration;

use anyhow::{Context, Result, bail, ensure};
use picket_agent::key::Key;
use picket_proto::frame::Frame;

use super::scene::Scene;
use crate::wait::wait_until;

pub(super) struct Case {
    pub(super) name: &'static str,
    pub(super) attack: fn(&mut Scene) -> Result<String>,
}

const fn case(name: &'static str, attack: fn(&mut Scene) -> Result<String>) -> Case {
    Case { name, attack }
}

pub(super) const CASES: &[Case] = &[
    case("a wrong key is refused", wrong_key),
    case("without a key nobody gets in, and with it again without a restart", no_key),
    case("an empty key is none", empty_key),
    case("an unreadable key is named", unreadable_key),
    case("a web browser is sent away", http_request),
    case("garbage before TLS is sent away", garbage),
    case("a header that announces 4 GiB ends its connection", huge_header),
    case("a header of something else ends its connection", bad_magic),
    case("a bzip2 bomb ends its connection", bzip2_bomb),
    case("a message that breaks off is a lost connection", truncated_message),
    case("a message that never ends holds up nobody", endless_message),
    case("text that is not XML is answered", not_xml),
    case("XML without end is answered", deep_xml),
    case("an unknown operation is answered", unknown_operation),
    case("messages of 19 MiB leave nothing behind", large_messages),
    case("200 half-open handshakes hold up nobody", half_open_handshakes),
    case("a client that never reads is cut off", never_reads),
];

fn wrong_key(scene: &mut Scene) -> Result<String> {
    let path = std::env::temp_dir().join(format!("picket-bad-input-{}", std::process::id()));
    fs::write(&path, [0x55; 4096])?;
    let key = Key::read(&path)?;
    fs::remove_file(&path)?;
    for _ in 0..5 {
        ensure!(scene.link_with(&key)?.is_err(), "got in with a wrong key");
        scene.poke()?;
    }
    scene.logged("the client's key is not the one in /etc/pacemaker/authkey")
}

fn no_key(scene: &mut Scene) -> Result<String> {
    let key = fs::read(&scene.peer.key)?;
    fs::remove_file(&scene.peer.key)?;
    let refused = scene.link().is_err();
    let line = scene.logged("/etc/pacemaker/authkey: No such file")?;
    fs::write(&scene.peer.key, key)?;
    scene.link().context("with the key back in its place")?;
    ensure!(refused, "got in without a key");
    Ok(line)
}

fn empty_key(scene: &mut Scene) -> Result<String> {
    let key = fs::read(&scene.peer.key)?;
    fs::write(&scene.peer.key, "")?;
    let refused = scene.link().is_err();
    let line = scene.logged("key file /etc/pacemaker/authkey is empty")?;
    fs::write(&scene.peer.key, key)?;
    ensure!(refused, "got in with an empty key");
    Ok(line)
}

/// The agent is root, so it is a folder that cannot be read.
fn unreadable_key(scene: &mut Scene) -> Result<String> {
    let key = fs::read(&scene.peer.key)?;
    fs::remove_file(&scene.peer.key)?;
    fs::create_dir(&scene.peer.key)?;
    let refused = scene.link().is_err();
    let line = scene.logged("/etc/pacemaker/authkey is not a regular file")?;
    fs::remove_dir(&scene.peer.key)?;
    fs::write(&scene.peer.key, key)?;
    ensure!(refused, "got in without a key");
    Ok(line)
}

fn http_request(scene: &mut Scene) -> Result<String> {
    scene.send_raw(b"GET / HTTP/1.1\r\nHost: node\r\n\r\n")?;
    scene.logged("does not speak TLS")
}

/// All kinds of first bytes, a TLS record with nonsense in it among them.
fn garbage(scene: &mut Scene) -> Result<String> {
    let nonsense: Vec<u8> = (0..=255).cycle().take(100_000).collect();
    for first in [0x00, 0x15, 0x16, 0x17, 0x80, 0xbd, 0xff] {
        let mut stream = scene.socket()?;
        // It may close in the middle of it.
        let _ = stream.write_all(&[&[first, 3, 1, 0, 200], nonsense.as_slice()].concat());
        scene.poke()?;
    }
    scene.logged("refused")
}

fn header(total: u32, compressed: u32, uncompressed: u32) -> [u8; 40] {
    let mut header = Frame::new(1, String::new()).expect("short").header;
    header[24..28].copy_from_slice(&total.to_ne_bytes());
    header[32..36].copy_from_slice(&compressed.to_ne_bytes());
    header[36..40].copy_from_slice(&uncompressed.to_ne_bytes());
    header
}

fn huge_header(scene: &mut Scene) -> Result<String> {
    for _ in 0..10 {
        let mut link = scene.link()?;
        scene.send(&mut link, &header(u32::MAX, 0, u32::MAX - 40))?;
        scene.closed(&mut link)?;
        scene.poke()?;
    }
    scene.logged("header announces")
}

fn bad_magic(scene: &mut Scene) -> Result<String> {
    let mut link = scene.link()?;
    scene.send(&mut link, &[0x41; 4096])?;
    scene.closed(&mut link)?;
    scene.logged("not a message: the header starts with 0x41414141")
}

/// 32 MiB of zeros in a few bytes, announced as 1 MiB (`head -c 32M /dev/zero | bzip2 -9`).
fn bzip2_bomb(scene: &mut Scene) -> Result<String> {
    let bomb = include_bytes!("zeros-32-mib.bz2");
    let length = u32::try_from(bomb.len())?;
    for _ in 0..5 {
        let mut link = scene.link()?;
        scene.send(&mut link, &header(40 + length, length, 1 << 20))?;
        scene.send(&mut link, bomb)?;
        scene.closed(&mut link)?;
        scene.poke()?;
    }
    scene.logged("compressed payload")
}

fn truncated_message(scene: &mut Scene) -> Result<String> {
    for length in [1, 39] {
        let mut link = scene.link()?;
        scene.send(&mut link, &header(100, 0, 60)[..length])?;
        drop(link);
    }
    let mut link = scene.link()?;
    scene.send(&mut link, &header(100, 0, 60))?;
    scene.send(&mut link, b"<lrmd_command")?;
    drop(link);
    scene.poke()?;
    scene.logged("connection lost").or_else(|_| scene.logged("in the middle of a message"))
}

/// Announces a little under the limit, sends a little, and stays.
fn endless_message(scene: &mut Scene) -> Result<String> {
    let length = 19 << 20;
    let mut links = Vec::new();
    for _ in 0..20 {
        let mut link = scene.link()?;
        scene.send(&mut link, &header(40 + length, 0, length))?;
        scene.send(&mut link, b"<lrmd_command")?;
        links.push(link);
        scene.poke()?;
    }
    Ok(format!("{} such connections at a time", links.len()))
}

fn not_xml(scene: &mut Scene) -> Result<String> {
    let mut link = scene.link()?;
    scene.say(&mut link, r#"<a lrmd_remote_msg_id="7" b="c" <<"#)?;
    scene.say(&mut link, "this is not XML")?;
    scene.say(&mut link, "")?;
    let answer = scene.say(&mut link, r#"<lrmd_command lrmd_op="x" lrmd_remote_msg_id="8">"#);
    answer.and_then(|()| scene.answer(&mut link))?;
    // The connection can be used further.
    scene.say(&mut link, r#"<lrmd_command t="lrmd" lrmd_op="lrmd_rsc_poke" lrmd_remote_msg_id="9"/>"#)?;
    loop {
        if scene.answer(&mut link)?.contains(r#"lrmd_remote_msg_id="9""#) {
            return scene.logged("message is not XML");
        }
    }
}

fn deep_xml(scene: &mut Scene) -> Result<String> {
    let mut link = scene.link()?;
    let deep = format!(r#"<lrmd_command lrmd_remote_msg_id="7">{}"#, "<a>".repeat(2_000_000));
    scene.say(&mut link, &deep)?;
    let answer = scene.answer(&mut link)?;
    ensure!(answer.contains(r#"lrmd_rc="-71""#), "answered {answer}");
    scene.logged("nested deeper")
}

fn unknown_operation(scene: &mut Scene) -> Result<String> {
    let mut link = scene.link()?;
    scene.say(&mut link, r#"<lrmd_command t="lrmd" lrmd_op="format_disk" lrmd_remote_msg_id="7"/>"#)?;
    let answer = scene.answer(&mut link)?;
    ensure!(answer.contains(r#"lrmd_rc="-95""#), "answered {answer}");
    scene.logged("format_disk")
}

fn large_messages(scene: &mut Scene) -> Result<String> {
    let text =
        format!(r#"<lrmd_command lrmd_op="none" lrmd_remote_msg_id="7" x="{}"/>"#, "x".repeat(19 << 20));
    let mut link = scene.link()?;
    for _ in 0..4 {
        scene.say(&mut link, &text)?;
        scene.answer(&mut link)?;
        scene.poke()?;
    }
    Ok("answered each".into())
}

/// Half of them say nothing, half of them begin a record.
fn half_open_handshakes(scene: &mut Scene) -> Result<String> {
    let before = scene.descriptors()?;
    let mut sockets = Vec::new();
    for at in 0..200 {
        let mut stream = scene.socket()?;
        if at % 2 == 0 {
            stream.write_all(&[0x16, 3, 1, 2, 0, 1])?;
        }
        sockets.push(stream);
        if at % 20 == 0 {
            scene.poke()?;
            scene.link()?;
        }
    }
    let limit = Duration::from_secs(15);
    wait_until("the agent ends unfinished handshakes", limit, || {
        scene.poke()?;
        Ok((scene.descriptors()? <= before + 2).then_some(()))
    })?;
    scene.logged("handshake not finished within 10 s")
}

/// Registers, asks for more and more, and takes none of the answers.
fn never_reads(scene: &mut Scene) -> Result<String> {
    let mut link = scene.link()?;
    scene.say(&mut link, r#"<lrmd_command t="lrmd" lrmd_op="register" lrmd_clientname="greedy" lrmd_protocol_version="1.1" lrmd_remote_msg_id="1"/>"#)?;
    let id = "x".repeat(1 << 20);
    let register = format!(
        r#"<lrmd_command t="lrmd" lrmd_op="lrmd_rsc_register" lrmd_remote_msg_id="2"><lrmd_rsc lrmd_rsc_id="{id}" lrmd_class="ocf" lrmd_provider="p" lrmd_type="t"/></lrmd_command>"#
    );
    scene.say(&mut link, &register)?;
    let info = format!(
        r#"<lrmd_command t="lrmd" lrmd_op="lrmd_rsc_info" lrmd_remote_msg_id="3"><lrmd_rsc lrmd_rsc_id="{id}"/></lrmd_command>"#
    );
    for _ in 0..200 {
        if scene.say(&mut link, &info).is_err() {
            let line = scene.logged("it does not read")?;
            let gone = r#"<lrmd_command t="lrmd" lrmd_op="lrmd_rsc_unregister" lrmd_remote_msg_id="4"><lrmd_rsc lrmd_rsc_id="ID"/></lrmd_command>"#;
            let mut link = scene.link()?;
            scene.say(&mut link, &gone.replace("ID", &id))?;
            scene.answer(&mut link)?;
            return Ok(line);
        }
        scene.poke()?;
    }
    bail!("200 MB of answers were not taken, and the agent still makes more")
}
