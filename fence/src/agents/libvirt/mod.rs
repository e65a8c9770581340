//! `fence_virsh`: domains of libvirt, by virsh on the hypervisor through ssh; and `fence_libvirt`: the same by virsh on
//! this node, which finds the hypervisor by a URI (<https://libvirt.org/uri.html>).
//!
//! virsh is asked in the C locale and without a terminal; its exit status is looked at, and its words are compared
//! whole. Names are compared here, and each later command names the domain by its UUID: virsh itself would take a name
//! like `7` for a running domain's number (fence-drivers, 3).

mod transport;
mod words;

#[cfg(test)]
mod tests;

use std::collections::HashSet;

use async_trait::async_trait;

use self::transport::Transport;
use self::words::Domain;
use crate::core::agent::{Agent, Can, List, Needs};
use crate::core::driver::{Driver, Listed, Reading, Target};
use crate::core::fault::Fault;
use crate::core::option::Opt;
use crate::core::standard as opt;

const SSH: Opt =
    Opt::flag("ssh", "ssh", "Accepted: there is no other way").short('x').old("secure").default("1");
const IDENTITY_FILE: Opt =
    Opt::text("identity_file", "identity-file", "[filename]", "Private key for ssh").short('k');
const SSH_OPTIONS: Opt = Opt::text(
    "ssh_options",
    "ssh-options",
    "[options]",
    "Options for ssh; those for a terminal are not used",
)
.default(r#"-t '/bin/bash -c "PS1=\\[EXPECT\\]# /bin/bash --noprofile --norc"'"#);
const COMMAND_PROMPT: Opt =
    Opt::text("command_prompt", "command-prompt", "[prompt]", "Accepted and not used")
        .short('c')
        .old("cmd_prompt")
        .default(r"['\\[EXPECT\\]#']");
const INET4: Opt = Opt::flag("inet4_only", "inet4-only", "Use IPv4 only").short('4');
const INET6: Opt = Opt::flag("inet6_only", "inet6-only", "Use IPv6 only").short('6');
const USE_SUDO: Opt =
    Opt::flag("use_sudo", "use-sudo", "Run virsh with sudo, without a password").old("sudo").order(205);
const SSH_PATH: Opt =
    Opt::text("ssh_path", "ssh-path", "[path]", "Path of ssh").default("/usr/bin/ssh").order(300);
const SUDO_PATH: Opt = Opt::text("sudo_path", "sudo-path", "[path]", "Path of sudo on the hypervisor")
    .default("/usr/bin/sudo")
    .order(300);
const VIRSH_PATH: Opt =
    Opt::text("virsh_path", "virsh-path", "[path]", "Path of virsh").default("/usr/bin/virsh").order(300);
const URI: Opt = Opt::text(
    "uri",
    "uri",
    "[uri]",
    "URI of the hypervisor, as virsh on its machine takes it, for example qemu:///system",
)
.order(215);

const NEEDS: Needs = Needs { address: false, username: false, password: false, plug: true };
const CAN: Can = Can { list: List::Fields, cycle: false, diag: false, null: false };

/// `fence_virsh`.
pub const VIRSH: Agent = Agent {
    name: "fence_virsh",
    aliases: &[],
    title: "Power fencing of libvirt domains with virsh through ssh",
    about: "Destroys and starts domains with virsh on the hypervisor, and reports success for an off request only after \
            virsh reports the domain as shut off. Paused, crashed and suspended domains are not off.\n\n\
            A key (identity_file) is better than a password. An unknown host key is accepted and remembered, a changed \
            one is refused.",
    url: "https://libvirt.org",
    options: &[
        opt::LOGIN,
        opt::PLUGS,
        &[
            opt::IP,
            opt::IPPORT.default("22"),
            opt::MISSING_AS_OFF,
            opt::REQUEST_TIMEOUT.about("Limit for one command (default: 15)"),
            SSH,
            IDENTITY_FILE,
            SSH_OPTIONS,
            COMMAND_PROMPT,
            INET4,
            INET6,
            USE_SUDO,
            SSH_PATH,
            SUDO_PATH,
            URI,
        ],
    ],
    needs: Needs { address: true, username: true, ..NEEDS },
    can: CAN,
    driver: |settings| Ok(Box::new(Libvirt::new(Transport::there(settings)?))),
};

/// `fence_libvirt`.
pub const LIBVIRT: Agent = Agent {
    name: "fence_libvirt",
    aliases: &[],
    title: "Power fencing of libvirt domains by URI",
    about: "Destroys and starts domains of the hypervisor that a URI names, with virsh on this node, and reports success \
            for an off request only after libvirt reports the domain as shut off. Paused, crashed and suspended domains \
            are not off.\n\n\
            Examples: qemu:///system, qemu+tls://host/system, qemu+ssh://root@host/system?keyfile=/path. Passwords are \
            never asked for.",
    url: "https://libvirt.org",
    options: &[
        opt::PLUGS,
        &[
            opt::MISSING_AS_OFF,
            opt::REQUEST_TIMEOUT.about("Limit for one command (default: 15)"),
            URI.about("URI of the hypervisor").default("qemu:///system"),
            VIRSH_PATH,
        ],
    ],
    needs: NEEDS,
    can: CAN,
    driver: |settings| Ok(Box::new(Libvirt::new(Transport::here(settings)?))),
};

struct Libvirt {
    virsh: Transport,
    /// What we destroyed: a transient domain is gone afterwards, and that is off.
    destroyed: HashSet<String>,
}

impl Libvirt {
    fn new(virsh: Transport) -> Self {
        Self { virsh, destroyed: HashSet::new() }
    }

    async fn run(&mut self, line: &str, changes: bool) -> Result<String, Fault> {
        let output = self.virsh.run(line, changes).await?;
        match output.exit {
            Some(0) => Ok(output.stdout),
            _ => Err(words::fault(&format!("virsh {line}"), &output)),
        }
    }

    async fn domains(&mut self) -> Result<Vec<Domain>, Fault> {
        let text = self.run(words::LIST, false).await?;
        words::domains("virsh list", &text)
    }
}

#[async_trait(?Send)]
impl Driver for Libvirt {
    async fn resolve(&mut self, plug: &str) -> Result<Target, Fault> {
        let domains = self.domains().await?;
        let is = |domain: &&Domain| domain.uuid.eq_ignore_ascii_case(plug);
        // Names are unique within a hypervisor; one may be the id of another domain.
        let found = domains.iter().find(is).or_else(|| domains.iter().find(|domain| domain.name == plug));
        match found {
            Some(domain) => Ok(Target { id: domain.uuid.clone(), name: domain.name.clone(), host: None }),
            None => {
                let call = format!("look for domain '{plug}'");
                Err(Fault::not_found(call, "no domain of that name or UUID which this login may see"))
            }
        }
    }

    async fn state(&mut self, target: &Target) -> Result<Reading, Fault> {
        let line = format!("domstate --reason --domain {}", target.id);
        match self.run(&line, false).await {
            Err(Fault::NotFound { .. }) if self.destroyed.contains(&target.id) => {
                Ok(Reading::off("gone, after it was destroyed"))
            }
            Err(fault) => Err(fault),
            Ok(text) => words::state(&format!("virsh {line}"), &text),
        }
    }

    async fn off(&mut self, target: &Target) -> Result<(), Fault> {
        self.run(&format!("destroy --domain {}", target.id), true).await?;
        self.destroyed.insert(target.id.clone());
        Ok(())
    }

    async fn on(&mut self, target: &Target) -> Result<(), Fault> {
        self.run(&format!("start --domain {}", target.id), true).await.map(|_| ())
    }

    async fn list(&mut self) -> Result<Vec<Listed>, Fault> {
        let listed = self.domains().await?.into_iter().map(|domain| Listed {
            power: words::power(&domain),
            plug: domain.name,
            alias: domain.uuid,
        });
        Ok(listed.collect())
    }

    async fn preflight(&mut self, target: Option<&Target>) -> Result<(), Fault> {
        match target {
            // Whoever may open the connection for writing may destroy, unless an access driver says otherwise.
            Some(_) => Ok(()),
            None => self.domains().await.map(|_| ()),
        }
    }
}
