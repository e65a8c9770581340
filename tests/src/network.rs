//! A switch: one bridge in a network namespace of its own, with a cable to every host.

use std::fs::File;
use std::io::{Read, Write};
use std::net::Ipv4Addr;
use std::process::{Command, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicU8, AtomicU32, Ordering};

use anyhow::{Context, Result, bail};

use crate::host::Host;
use crate::namespace::Namespace;
use crate::scratch::Scratch;

const SWITCH: &str = r#"
set -eu
read -r outer _ </proc/self/stat
mount -t proc proc /proc
ip link add br0 type bridge stp_state 0 forward_delay 0
ip link set br0 up
printf 'ready %s\n' "$outer"
exec >/dev/null
while read -r _; do :; done
"#;

/// One Ethernet segment, invisible to the machine and to other instances: all of them use the same addresses.
pub struct Network {
    switch: Namespace,
    scratch: Scratch,
    key: Vec<u8>,
    hosts: AtomicU8,
    ports: AtomicU32,
}

impl Network {
    /// A segment without hosts.
    pub fn new() -> Result<Arc<Self>> {
        let scratch = Scratch::new()?;
        let switch = Namespace::start(SWITCH, &[], scratch.folder()).context("start the switch")?;
        Ok(Arc::new(Self {
            switch,
            scratch,
            key: random_key()?,
            hosts: AtomicU8::new(0),
            ports: AtomicU32::new(0),
        }))
    }

    /// Adds a host and boots it. It knows the cluster key of this network.
    pub fn host(self: &Arc<Self>, name: &str) -> Result<Arc<Host>> {
        let number = self.hosts.fetch_add(1, Ordering::Relaxed) + 1;
        let host = Arc::new(Host::new(Arc::clone(self), name, number)?);
        host.boot()?;
        Ok(host)
    }

    pub(crate) fn scratch(&self) -> &Scratch {
        &self.scratch
    }

    /// The key which all hosts share.
    pub(crate) fn key(&self) -> &[u8] {
        &self.key
    }

    pub(crate) fn address(number: u8) -> Ipv4Addr {
        Ipv4Addr::new(10, 77, 0, number)
    }

    /// Connects a host that has just booted, and says at which port.
    ///
    /// The port's name is new each time, since the kernel takes down the cable of a crashed host in its own time; the
    /// card's address stays, so that neighbors need not learn it anew.
    pub(crate) fn plug_in(&self, host: &Namespace, number: u8) -> Result<String> {
        let port = format!("port{}", self.ports.fetch_add(1, Ordering::Relaxed));
        let init = host.init();
        ip(
            &self.switch,
            &format!(
                "link add {port} type veth peer name eth0 address 02:50:4b:54:00:{number:02x} netns {init}\n\
                 link set {port} master br0 up\n"
            ),
        )?;
        let address = Self::address(number);
        ip(host, &format!("link set lo up\naddr add {address}/24 dev eth0\nlink set eth0 up\n"))?;
        Ok(port)
    }

    pub(crate) fn set_port(&self, port: &str, up: bool) -> Result<()> {
        ip(&self.switch, &format!("link set {port} {}\n", if up { "up" } else { "down" }))
    }
}

/// As an administrator makes it: `dd if=/dev/urandom bs=4096 count=1`.
fn random_key() -> Result<Vec<u8>> {
    let mut key = vec![0; 4096];
    File::open("/dev/urandom")
        .and_then(|mut source| source.read_exact(&mut key))
        .context("read /dev/urandom")?;
    Ok(key)
}

/// Gives `commands` to `ip -batch` inside.
fn ip(inside: &Namespace, commands: &str) -> Result<()> {
    // The network only: a pid in the commands is meant in the machine's PID space.
    let mut child = Command::new("nsenter")
        .args(["--target", &inside.init().to_string(), "--net", "--", "ip"])
        .args(["-batch", "-"])
        .stdin(Stdio::piped())
        .stdout(Stdio::null())
        .stderr(Stdio::piped())
        .spawn()
        .context("start nsenter")?;
    child
        .stdin
        .take()
        .expect("stdin is piped")
        .write_all(commands.as_bytes())
        .context("write to ip -batch")?;
    let output = child.wait_with_output().context("wait for ip -batch")?;
    if !output.status.success() {
        bail!(
            "ip -batch '{commands}': {}: {}",
            output.status,
            String::from_utf8_lossy(&output.stderr).trim()
        );
    }
    Ok(())
}
