//! `fence_xvm` and `fence_virt`: domains of the hosts that run `fence_virtd`, which switches them for whoever knows its
//! key (<https://github.com/ClusterLabs/fence-agents>, `agents/virt`).
//!
//! The daemon calls a domain "off" that it does not know, its reboot leaves off what is off, and hides that it could not
//! start what it had destroyed. So every state is read from its list of domains, what is shut off there is asked for
//! once more, and a reboot is off and on.

mod link;
mod multicast;
mod options;
mod packet;
mod serial;
mod talk;
mod verdict;

#[cfg(test)]
mod crowd;
#[cfg(test)]
mod daemon;
#[cfg(test)]
mod lines;
#[cfg(test)]
mod tests;

use std::collections::{HashMap, HashSet};

use async_trait::async_trait;

use self::link::Daemon;
use self::packet::{Ask, Request};
use self::talk::Reply;
use self::verdict::{Found, List};
use crate::core::agent::{Agent, Can, List as Lines, Needs};
use crate::core::driver::{Driver, Listed, Power, Reading, Target};
use crate::core::failure::Failure;
use crate::core::fault::Fault;
use crate::core::settings::Settings;

const NEEDS: Needs = Needs { address: false, username: false, password: false, plug: true };
const CAN: Can = Can { list: Lines::Columns, cycle: false, diag: false, null: true };
const URL: &str = "https://libvirt.org";

/// `fence_xvm`.
pub const XVM: Agent = Agent {
    name: "fence_xvm",
    aliases: &[],
    title: "Power fencing of virtual machines by the daemons of their hosts, with multicast",
    about: "Has the fence_virtd of a host switch domains, and reports success for an off request only after its list \
            shows the domain as shut off. A domain which no daemon lists is not off, and neither is one that is paused.\n\n\
            Requests are sent by multicast; each daemon connects back to a TCP port of this machine (listen_port, which \
            its firewall has to let in), and is heard when it has proven that it knows the key. Of a domain at several \
            hosts, all have to show it as shut off. Two domains of one name at different hosts are told apart by UUID. \
            With ipaddr or vsock the daemon is connected to instead.\n\n\
            A domain that is not defined is gone when it is off, so that reboot does not bring it back.",
    url: URL,
    options: &[options::BOTH, options::XVM],
    needs: NEEDS,
    can: CAN,
    driver: |settings| Ok(Box::new(Virt::new(settings, true)?)),
};

/// `fence_virt`.
pub const VIRT: Agent = Agent {
    name: "fence_virt",
    aliases: &[],
    title: "Power fencing of virtual machines by the daemon of their host, with TCP, vsock or a serial line",
    about: "Has the fence_virtd of the host switch domains, and reports success for an off request only after its list \
            shows the domain as shut off. A domain which the daemon does not list is not off, and neither is one that is \
            paused.\n\n\
            The daemon is reached by TCP (ipaddr), vsock, a serial line (serial_device), or else by QEMU's channel at \
            channel_address. Nothing is proven by line and channel: whoever answers there is believed.\n\n\
            A domain that is not defined is gone when it is off, so that reboot does not bring it back.",
    url: URL,
    options: &[options::BOTH, options::VIRT],
    needs: NEEDS,
    can: CAN,
    driver: |settings| Ok(Box::new(Virt::new(settings, false)?)),
};

struct Virt {
    daemon: Daemon,
    /// plug is never a name.
    by_uuid: bool,
    /// The daemon's rules have the names of domains, and refuse their UUIDs.
    by_name: bool,
    found: HashMap<String, Found>,
    /// What the daemon destroyed for us: a domain that is not defined is gone afterwards, and that is off.
    destroyed: HashSet<String>,
}

impl Virt {
    fn new(settings: &Settings, multicast: bool) -> Result<Self, Failure> {
        Ok(Self {
            daemon: options::daemon(settings, multicast)?,
            by_uuid: options::by_uuid(settings),
            by_name: false,
            found: HashMap::new(),
            destroyed: HashSet::new(),
        })
    }

    /// The lists of all daemons that answer, and how many did before and do not now. A daemon that shows this domain as
    /// running is enough.
    async fn lists(&mut self, uuid: &str) -> Result<(Vec<List>, usize), Fault> {
        let runs = |reply: &Reply| match reply {
            Reply::Hosts(hosts) => hosts.iter().any(|host| host.uuid == uuid && host.state == 1),
            Reply::Byte(_) => false,
        };
        let answers = self.daemon.ask(Ask::Hosts, "", &runs).await?;
        let (mut lists, mut refusal) = (Vec::new(), None);
        for (at, reply) in answers.replies {
            match reply {
                Reply::Hosts(hosts) => lists.push((at, hosts)),
                Reply::Byte(byte) => refusal = Some(refused(Ask::Hosts, "", byte)),
            }
        }
        match refusal {
            Some(fault) if lists.is_empty() => Err(fault),
            _ => Ok((lists, answers.silent)),
        }
    }

    /// Asks about a domain. The daemon's rules may have been written with names or with UUIDs.
    async fn about(&mut self, ask: Ask, target: &Target) -> Result<Vec<u8>, Fault> {
        let found = self.found.get(&target.id);
        let has_name = found.is_some_and(|found| found.is_named) && !Request::is_too_long(&target.name);
        // A daemon that cannot connect back does nothing: all that have the domain must find us listening.
        let is_alone = found.is_none_or(|found| found.hosts.len() < 2);
        loop {
            let domain = if self.by_name && has_name { &target.name } else { &target.id };
            let answers = self.daemon.ask(ask, domain, &|reply| is_alone && *reply == Reply::Byte(0)).await?;
            let bytes = answers.replies.into_iter().map(|(_, reply)| match reply {
                Reply::Byte(byte) => Ok(byte),
                Reply::Hosts(_) => Err(Fault::malformed(ask.word(), "a list of domains")),
            });
            let bytes: Vec<u8> = bytes.collect::<Result<_, _>>()?;
            if self.by_name || !has_name || bytes.contains(&0) || !bytes.contains(&DENIED) {
                return Ok(bytes);
            }
            self.by_name = true;
        }
    }

    /// Has a domain switched. Of several daemons one has to obey; those that do not have it fail.
    async fn switch(&mut self, ask: Ask, target: &Target) -> Result<(), Fault> {
        let bytes = self.about(ask, target).await?;
        let worst = [DENIED, FAILED].into_iter().find(|byte| bytes.contains(byte));
        match bytes.contains(&0) {
            true => Ok(()),
            false => Err(refused(ask, &target.name, worst.or(bytes.first().copied()).unwrap_or(FAILED))),
        }
    }

    /// What the list shows as shut off is asked for as such: two answers, from two places of the daemon.
    async fn confirm(&mut self, off: Reading, target: &Target) -> Result<Reading, Fault> {
        let bytes = self.about(Ask::Status, target).await?;
        match bytes.iter().copied().find(|byte| *byte != OFF) {
            None => Ok(off),
            Some(0) => Ok(Reading::unknown("shut off in the list, and on when asked for")),
            Some(byte) => Err(refused(Ask::Status, &target.name, byte)),
        }
    }
}

const FAILED: u8 = 1;
const OFF: u8 = 2;
const DENIED: u8 = 3;

/// What an answer means that is not what was asked for.
fn refused(ask: Ask, domain: &str, byte: u8) -> Fault {
    let call = format!("{} {domain}", ask.word()).trim_end().to_owned();
    match (ask, byte) {
        (_, DENIED) => {
            Fault::Forbidden { call, answer: "the daemon's groups do not let this machine".to_owned() }
        }
        (Ask::Hosts, FAILED | 0) => Fault::unsupported(
            call,
            "the daemon gives no list of its domains, without which unknown and off cannot be told apart",
            "update fence_virtd, or let it list the domains",
        ),
        (_, FAILED) => Fault::Conflict { call, answer: "the daemon failed; see its log".to_owned() },
        (_, byte) => Fault::malformed(call, format!("{byte} is no answer to it")),
    }
}

#[async_trait(?Send)]
impl Driver for Virt {
    async fn resolve(&mut self, plug: &str) -> Result<Target, Fault> {
        let (lists, _) = self.lists("").await?;
        let found = verdict::find(&lists, plug, self.by_uuid)?;
        let host = Some(found.hosts.join(", "));
        let target = Target { id: found.uuid.clone(), name: found.name.clone(), host };
        self.found.insert(found.uuid.clone(), found);
        Ok(target)
    }

    async fn state(&mut self, target: &Target) -> Result<Reading, Fault> {
        let (lists, silent) = self.lists(&target.id).await?;
        let known = self.found.get(&target.id).map_or(1, |found| found.hosts.len());
        let listed =
            lists.iter().filter(|(_, hosts)| hosts.iter().any(|host| host.uuid == target.id)).count();
        match verdict::look(&lists, &target.id) {
            Some(reading) if reading.power != Power::Off => Ok(reading),
            None if silent == 0 && self.destroyed.contains(&target.id) => {
                Ok(Reading::off("gone, after it was destroyed"))
            }
            _ if listed < known && (silent > 0 || listed > 0) => {
                let words = format!("{listed} of the {known} daemons that list it answered");
                Ok(Reading::unknown(words)
                    .hint("look for the host whose fence_virtd is silent, and fence that"))
            }
            Some(reading) => self.confirm(reading, target).await,
            None => Err(Fault::not_found(format!("status {}", target.name), "no daemon lists it any more")),
        }
    }

    async fn off(&mut self, target: &Target) -> Result<(), Fault> {
        self.switch(Ask::Off, target).await?;
        self.destroyed.insert(target.id.clone());
        Ok(())
    }

    async fn on(&mut self, target: &Target) -> Result<(), Fault> {
        if let Some(Found { hosts, .. }) = self.found.get(&target.id).filter(|found| found.hosts.len() > 1) {
            // Each of them would start it, with the same disks.
            let call = format!("on {}", target.name);
            return Err(Fault::Ambiguous { call, plug: target.id.clone(), candidates: hosts.clone() });
        }
        self.switch(Ask::On, target).await
    }

    async fn null(&mut self, target: &Target) -> Result<(), Fault> {
        self.switch(Ask::Null, target).await
    }

    async fn list(&mut self) -> Result<Vec<Listed>, Fault> {
        let (lists, _) = self.lists("").await?;
        Ok(verdict::list(&lists))
    }

    async fn preflight(&mut self, target: Option<&Target>) -> Result<(), Fault> {
        if let Some(target) = target {
            // What may be asked for may be switched: the daemon has one rule for both.
            let bytes = self.about(Ask::Status, target).await?;
            return match bytes.iter().any(|byte| matches!(*byte, 0 | OFF)) {
                true => Ok(()),
                false => Err(refused(Ask::Status, &target.name, bytes.first().copied().unwrap_or(FAILED))),
            };
        }
        let answers = self.daemon.ask(Ask::Device, "", &|_| false).await?;
        if let Some((_, Reply::Byte(byte))) =
            answers.replies.iter().find(|(_, reply)| *reply != Reply::Byte(0))
        {
            return Err(refused(Ask::Device, "", *byte));
        }
        let (lists, _) = self.lists("").await?;
        match lists.iter().all(|(_, hosts)| hosts.is_empty()) {
            true => Err(Fault::not_found(
                Ask::Hosts.word(),
                "no domains: the daemon may have lost its hypervisor",
            )),
            false => Ok(()),
        }
    }
}
