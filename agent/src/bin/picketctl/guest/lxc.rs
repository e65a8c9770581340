//! An LXC guest, as libvirt's XML and as the configuration of LXC's own tools.

use std::fmt::Write as _;
use std::net::IpAddr;
use std::path::{Path, PathBuf};
use std::str::FromStr;

use super::{escape, name};

/// A container with a root file system of its own.
#[derive(clap::Args)]
pub(super) struct Lxc {
    /// Name of the container
    #[arg(value_parser = name)]
    name: String,
    /// Its root file system
    #[arg(long, value_parser = absolute)]
    root: PathBuf,
    /// What runs as process 1 in it: an init, or the agent
    #[arg(long, value_parser = absolute, default_value = "/sbin/init")]
    init: PathBuf,
    /// Memory in MiB
    #[arg(long, default_value_t = 512)]
    memory: u32,
    /// Bridge of the host that its network card is attached to; without one it shares the host's network
    #[arg(long, value_parser = name)]
    bridge: Option<String>,
    /// Address of its network card; needed where nothing inside sets one, as with the agent as process 1
    #[arg(long, value_name = "ADDRESS/PREFIX", requires = "bridge")]
    address: Option<Address>,
    /// Its way to other networks
    #[arg(long, value_name = "ADDRESS", requires = "address")]
    gateway: Option<IpAddr>,
    /// Share the host's key in place of a copy: mounts /etc/pacemaker into the guest
    #[arg(long)]
    share_key: bool,
}

/// An address with the length of its network's prefix.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
struct Address {
    ip: IpAddr,
    prefix: u8,
}

impl FromStr for Address {
    type Err = &'static str;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let (ip, prefix) = text.split_once('/').ok_or("an address is ADDRESS/PREFIX")?;
        let ip: IpAddr = ip.parse().map_err(|_| "it does not begin with an IP address")?;
        let longest = if ip.is_ipv4() { 32 } else { 128 };
        let prefix = prefix.parse().ok().filter(|prefix| *prefix <= longest);
        prefix.map(|prefix| Self { ip, prefix }).ok_or("its prefix has no such length")
    }
}

fn family(ip: IpAddr) -> &'static str {
    if ip.is_ipv4() { "ipv4" } else { "ipv6" }
}

/// A line break would begin another setting of LXC's file.
fn absolute(text: &str) -> Result<PathBuf, &'static str> {
    let good = text.starts_with('/') && !text.contains(char::is_control);
    good.then(|| text.into()).ok_or("a path begins with / and has no line breaks")
}

impl Lxc {
    /// The domain for libvirt. Without a bridge the guest has the host's network, so its agent needs a port of its own
    /// there.
    pub(super) fn xml(&self) -> String {
        let path = |path: &Path| escape(&path.display().to_string());
        let network = self.bridge.as_ref().map_or_else(String::new, |bridge| {
            format!(
                "    <interface type=\"bridge\">\n      <source bridge=\"{}\"/>\n{}    </interface>\n",
                escape(bridge),
                self.addresses()
            )
        });
        let key = if self.share_key { mount("/etc/pacemaker", "/etc/pacemaker") } else { String::new() };
        format!(
            "<domain type=\"lxc\">\n  <name>{}</name>\n  <memory unit=\"MiB\">{}</memory>\n  <vcpu>1</vcpu>\n  \
             <os>\n    <type>exe</type>\n    <init>{}</init>\n  </os>\n  <on_poweroff>destroy</on_poweroff>\n  \
             <on_reboot>restart</on_reboot>\n  <on_crash>destroy</on_crash>\n  <devices>\n{}{key}{network}    \
             <console type=\"pty\"/>\n  </devices>\n</domain>",
            self.name,
            self.memory,
            path(&self.init),
            mount(&self.root.display().to_string(), "/"),
        )
    }

    fn addresses(&self) -> String {
        let ip = self.address.map(|Address { ip, prefix }| {
            format!("      <ip family=\"{}\" address=\"{ip}\" prefix=\"{prefix}\"/>\n", family(ip))
        });
        let route = self.gateway.map(|gateway| {
            let (family, all) = (family(gateway), if gateway.is_ipv4() { "0.0.0.0" } else { "::" });
            format!(
                "      <route family=\"{family}\" address=\"{all}\" prefix=\"0\" gateway=\"{gateway}\"/>\n"
            )
        });
        [ip, route].into_iter().flatten().collect()
    }

    /// The file for `lxc-start`. The memory is limited with control groups of version 2 only: LXC ignores their settings
    /// where it has none, and does not start over one of version 1 that it cannot apply.
    pub(super) fn config(&self) -> String {
        let Self { name, memory, .. } = self;
        let mut text = format!(
            "lxc.include = /usr/share/lxc/config/common.conf\nlxc.uts.name = {name}\nlxc.rootfs.path = dir:{}\n\
             lxc.init.cmd = {}\nlxc.cgroup2.memory.max = {memory}M\n",
            self.root.display(),
            self.init.display(),
        );
        let mut set = |key: &str, value: &dyn std::fmt::Display| {
            writeln!(text, "lxc.{key} = {value}").expect("writing to a String cannot fail");
        };
        if self.is_agent() {
            // LXC would ask with SIGPWR, which the agent's init ignores; SIGINT ends the container at once.
            set("signal.halt", &"SIGINT");
        }
        match &self.bridge {
            None => set("net.0.type", &"none"),
            Some(bridge) => {
                set("net.0.type", &"veth");
                set("net.0.link", bridge);
                set("net.0.flags", &"up");
            }
        }
        if let Some(Address { ip, prefix }) = self.address {
            set(&format!("net.0.{}.address", family(ip)), &format_args!("{ip}/{prefix}"));
        }
        if let Some(gateway) = self.gateway {
            set(&format!("net.0.{}.gateway", family(gateway)), &gateway);
        }
        if self.share_key {
            set("mount.entry", &"/etc/pacemaker etc/pacemaker none bind,create=dir 0 0");
        }
        text
    }

    /// Whether the agent itself is to be process 1.
    fn is_agent(&self) -> bool {
        let file = self.init.file_name().and_then(|name| name.to_str());
        file.is_some_and(|name| matches!(name, "pacemaker-remoted" | "pacemaker_remoted" | "picket-agent"))
    }
}

fn mount(source: &str, target: &str) -> String {
    format!(
        "    <filesystem type=\"mount\">\n      <source dir=\"{}\"/>\n      <target dir=\"{}\"/>\n    </filesystem>\n",
        escape(source),
        escape(target)
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    fn plain() -> Lxc {
        Lxc {
            name: "web1".into(),
            root: "/srv/<web1>".into(),
            init: "/sbin/init".into(),
            memory: 256,
            bridge: None,
            address: None,
            gateway: None,
            share_key: false,
        }
    }

    fn full() -> Lxc {
        Lxc {
            init: "/usr/sbin/pacemaker-remoted".into(),
            bridge: Some("br0".into()),
            address: Some("10.0.0.7/24".parse().unwrap()),
            gateway: Some("10.0.0.1".parse().unwrap()),
            share_key: true,
            ..plain()
        }
    }

    #[test]
    fn a_domain_has_its_root_and_what_is_asked_for_beside_it() {
        let xml = full().xml();
        for part in [
            "<source dir=\"/srv/&lt;web1&gt;\"/>",
            "bridge=\"br0\"",
            "<target dir=\"/etc/pacemaker\"/>",
            "<ip family=\"ipv4\" address=\"10.0.0.7\" prefix=\"24\"/>",
            "<route family=\"ipv4\" address=\"0.0.0.0\" prefix=\"0\" gateway=\"10.0.0.1\"/>",
        ] {
            assert!(xml.contains(part), "{part}: {xml}");
        }
        let xml = plain().xml();
        assert!(!xml.contains("interface") && !xml.contains("/etc/pacemaker"), "{xml}");
    }

    #[test]
    fn lxc_halts_the_agent_with_the_signal_that_its_init_obeys() {
        let config = full().config();
        for line in [
            "lxc.signal.halt = SIGINT",
            "lxc.net.0.link = br0",
            "lxc.net.0.ipv4.address = 10.0.0.7/24",
            "lxc.net.0.ipv4.gateway = 10.0.0.1",
        ] {
            assert!(config.lines().any(|found| found == line), "{line}: {config}");
        }
        let config = plain().config();
        assert!(!config.contains("signal.halt") && config.contains("lxc.net.0.type = none\n"), "{config}");
    }

    #[test]
    fn an_address_has_a_prefix_that_fits() {
        assert_eq!("fd00::7/64".parse(), Ok(Address { ip: "fd00::7".parse().unwrap(), prefix: 64 }));
        for text in ["10.0.0.7", "10.0.0.7/33", "web/24", "10.0.0.7/", "fd00::7/129"] {
            assert!(text.parse::<Address>().is_err(), "{text}");
        }
        assert!(absolute("/srv\nlxc.hook.start = x").is_err() && absolute("srv").is_err());
    }
}
