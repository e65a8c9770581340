//! The options, with the letters and names of the older agents, which have no long ones; and what they come to.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use super::link::{Daemon, Link};
use super::multicast::Multicast;
use super::packet::{Hash, Key};
use super::serial::Serial;
use super::talk::Secrets;
use crate::core::failure::Failure;
use crate::core::option::{Kind, Opt};
use crate::core::settings::Settings;
use crate::core::standard as opt;

/// An option of the older agents with a value.
const fn old(key: &'static str, letter: char, about: &'static str) -> Opt {
    Opt::text(key, key, "", about).only(letter)
}

const IP_FAMILY: Opt = Opt {
    kind: Kind::Select(&["auto", "ipv4", "ipv6"]),
    ..old("ip_family", 'i', "Family of addresses for multicast: auto, ipv4, ipv6")
}
.shown_as("string")
.default("auto");
const MULTICAST_ADDRESS: Opt =
    old("multicast_address", 'a', "Multicast address (default: 225.0.0.12, or ff05::3:1 for ipv6)");
const IPADDR: Opt = old("ipaddr", 'T', "Address of the daemon, to connect to it by TCP").default("127.0.0.1");
const VSOCK: Opt = Opt {
    kind: Kind::Integer,
    ..old("vsock", 'S', "Number of the machine (CID) of the daemon, to connect to it by vsock; 2 is the host")
}
.bare("2")
.default("2");
const CHANNEL_ADDRESS: Opt =
    old("channel_address", 'A', "Address of the channel to the host").default("10.0.2.179");
const SERIAL_DEVICE: Opt =
    old("serial_device", 'D', "Serial line to the host, to use it").default("/dev/ttyS1");
const SERIAL_PARAMS: Opt =
    old("serial_params", 'P', "Speed, data bits, parity and stop bits of the serial line")
        .default("115200,8N1");
const IPPORT: Opt =
    Opt { kind: Kind::Integer, ..old("ipport", 'p', "Port of the daemon, also for multicast and channel") }
        .shown_as("string")
        .default("1229");
const RETRANS: Opt = Opt {
    kind: Kind::Integer,
    ..old("retrans", 'r', "Tenths of a second before a multicast request is sent again")
}
.shown_as("string")
.default("20");
const HASH: Opt = Opt {
    kind: Kind::Select(Hash::WORDS),
    ..old("hash", 'c', "Digest for the signature of requests: none, sha1, sha256, sha512")
}
.shown_as("string")
.default("sha256");
const AUTH: Opt = Opt {
    kind: Kind::Select(Hash::WORDS),
    ..old("auth", 'C', "Digest for the proof that both sides know the key: none, sha1, sha256, sha512")
}
.shown_as("string")
.default("sha256");
const KEY_FILE: Opt =
    old("key_file", 'k', "File with the key that the daemon has too; needed unless auth and hash are none")
        .default("/etc/cluster/fence_xvm.key");
const USE_UUID: Opt = Opt { kind: Kind::Flag, ..old("use_uuid", 'u', "plug is a UUID and never a name") }
    .shown_as("string")
    .default("0");
const DOMAIN: Opt = Opt::text("domain", "domain", "", "The same as plug").deprecated();
const INTERFACE: Opt = Opt::text(
    "interface",
    "interface",
    "[name]",
    "Send multicast from this interface alone (default: from all)",
)
.short('I')
.order(215);
const LISTEN_PORT: Opt = Opt::integer(
    "listen_port",
    "listen-port",
    "[port]",
    "TCP port for the daemon to connect back to after multicast (default: any that is free, and ipport where nobody comes)",
)
.order(215);

/// What both agents have.
pub(super) const BOTH: &[Opt] = &[
    opt::ACTION.only('o').optional().about("Fencing action"),
    opt::OPTION,
    opt::DEBUG.only('d'),
    Opt { old: None, short: None, ..opt::DEBUG_FILE },
    opt::HELP.also('?'),
    opt::PLUG.only('n').also('H').about("Name or UUID of the domain"),
    opt::DELAY.only('w').shown_as("string"),
    opt::TIMEOUT.only('t').shown_as("string"),
    opt::REQUEST_TIMEOUT.about("Limit for one answer of the daemon (default: timeout, but at most 10)"),
    DOMAIN,
    IPPORT,
    HASH,
    AUTH,
    KEY_FILE,
];

/// What `fence_xvm` has besides; the ways of the other one are new to it.
pub(super) const XVM: &[Opt] = &[
    IP_FAMILY,
    MULTICAST_ADDRESS,
    RETRANS,
    USE_UUID,
    INTERFACE,
    LISTEN_PORT,
    IPADDR.order(215),
    VSOCK.order(215),
];

/// What `fence_virt` has besides.
pub(super) const VIRT: &[Opt] = &[IPADDR, VSOCK, CHANNEL_ADDRESS, SERIAL_DEVICE, SERIAL_PARAMS];

/// The most that one answer is waited for where nothing else is said: another try must have its time too.
const PATIENCE: Duration = Duration::from_secs(10);

/// The way to the daemon.
pub(super) fn daemon(settings: &Settings, multicast: bool) -> Result<Daemon, Failure> {
    let seconds = |option| settings.seconds(option).filter(|given| !given.is_zero());
    let usual = seconds(&opt::TIMEOUT).unwrap_or(PATIENCE).min(PATIENCE);
    let link = link(settings, multicast)?;
    let proven = !matches!(link, Link::Channel(..) | Link::Serial(_));
    Ok(Daemon {
        secrets: Arc::new(if proven { secrets(settings)? } else { nothing() }),
        link,
        limit: seconds(&opt::REQUEST_TIMEOUT).unwrap_or(usual),
        deadline: settings.deadline,
        calls: settings.calls.clone(),
    })
}

/// Whether plug is a UUID.
pub(super) fn by_uuid(settings: &Settings) -> bool {
    settings.flag(&USE_UUID)
}

fn link(settings: &Settings, multicast: bool) -> Result<Link, Failure> {
    let port = number(settings, &IPPORT)?;
    if settings.is_given(&VSOCK) && settings.text(&VSOCK).is_some() {
        let cid = settings.integer(&VSOCK).and_then(|cid| u32::try_from(cid).ok());
        let cid = cid.filter(|cid| (2..u32::MAX).contains(cid));
        let cid = cid.ok_or_else(|| Settings::wrong(&VSOCK, "must be 2 or more"))?;
        return Ok(Link::Vsock(cid, u32::from(port)));
    }
    if settings.is_given(&IPADDR) {
        return Ok(Link::Tcp(settings.need(&IPADDR)?.to_owned(), port));
    }
    if !multicast {
        if !settings.is_given(&SERIAL_DEVICE) {
            return Ok(Link::Channel(settings.need(&CHANNEL_ADDRESS)?.to_owned(), port));
        }
        let line = Serial::new(settings.need(&SERIAL_DEVICE)?, settings.need(&SERIAL_PARAMS)?);
        return line.map(Link::Serial).map_err(|reason| Settings::wrong(&SERIAL_PARAMS, reason));
    }
    let again = settings.integer(&RETRANS).and_then(|tenths| u64::try_from(tenths).ok());
    let again =
        again.filter(|tenths| *tenths > 0).ok_or_else(|| Settings::wrong(&RETRANS, "must be above 0"))?;
    let listen = match settings.integer(&LISTEN_PORT) {
        Some(0) | None => None,
        Some(_) => Some(number(settings, &LISTEN_PORT)?),
    };
    let interface = settings.text(&INTERFACE).map(str::to_owned);
    let again = Duration::from_millis(again.saturating_mul(100));
    Ok(Link::Multicast(Multicast { group: group(settings)?, port, listen, interface, again, known: 0 }))
}

fn group(settings: &Settings) -> Result<IpAddr, Failure> {
    let family = settings.text(&IP_FAMILY).unwrap_or("auto");
    let Some(group) = settings.text(&MULTICAST_ADDRESS) else {
        return Ok(match family {
            "ipv6" => Ipv6Addr::new(0xff05, 0, 0, 0, 0, 0, 3, 1).into(),
            _ => Ipv4Addr::new(225, 0, 0, 12).into(),
        });
    };
    let group: IpAddr =
        group.parse().map_err(|_| Settings::wrong(&MULTICAST_ADDRESS, format!("'{group}' is no address")))?;
    match (family, group) {
        ("ipv4", IpAddr::V6(_)) | ("ipv6", IpAddr::V4(_)) => {
            Err(Settings::wrong(&MULTICAST_ADDRESS, format!("is not of the family {family}")))
        }
        _ => Ok(group),
    }
}

fn number(settings: &Settings, option: &Opt) -> Result<u16, Failure> {
    let port = settings.integer(option).and_then(|port| u16::try_from(port).ok()).filter(|port| *port > 0);
    port.ok_or_else(|| Settings::wrong(option, "must be from 1 to 65535"))
}

fn nothing() -> Secrets {
    Secrets { auth: Hash::None, hash: Hash::None, key: Key::new(Vec::new()) }
}

/// The key. The older agent goes on without one when it cannot read the file, and then believes anybody.
fn secrets(settings: &Settings) -> Result<Secrets, Failure> {
    let hash = |option| {
        settings.text(option).and_then(Hash::parse).ok_or_else(|| Settings::wrong(option, "is no hash"))
    };
    let (auth, hash) = (hash(&AUTH)?, hash(&HASH)?);
    if (auth, hash) == (Hash::None, Hash::None) {
        return Ok(nothing());
    }
    let path = Path::new(settings.need(&KEY_FILE)?);
    let unusable = |reason: String| {
        let reason = format!("{reason}; without a key, both auth=none and hash=none have to be set");
        Settings::unusable(&KEY_FILE, path, reason)
    };
    let key = std::fs::read(path).map_err(|error| unusable(error.to_string()))?;
    if key.is_empty() {
        return Err(unusable("it is empty".to_owned()));
    }
    Ok(Secrets { auth, hash, key: Key::new(key) })
}
