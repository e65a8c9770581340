//! The table of agents. An agent is a folder here, and a line in [`AGENTS`].

pub mod docker;
pub mod incus;
pub mod kubevirt;
pub mod libvirt;
pub mod openstack;
pub mod ovirt;
pub mod pve;
pub mod redfish;
pub mod virt;
pub mod vmware_rest;
pub mod vmware_soap;

use crate::core::agent::Agent;

/// All agents.
pub const AGENTS: &[&Agent] = &[
    &docker::DOCKER,
    &docker::PODMAN,
    &incus::AGENT,
    &kubevirt::AGENT,
    &libvirt::LIBVIRT,
    &libvirt::VIRSH,
    &openstack::AGENT,
    &ovirt::AGENT,
    &pve::AGENT,
    &redfish::AGENT,
    &virt::VIRT,
    &virt::XVM,
    &vmware_rest::AGENT,
    &vmware_soap::AGENT,
];

/// The agent that answers to this name.
pub fn find(name: &str) -> Option<&'static Agent> {
    AGENTS.iter().copied().find(|agent| agent.answers_to(name))
}

/// All names, aliases included.
pub fn names() -> impl Iterator<Item = &'static str> {
    AGENTS.iter().flat_map(|agent| std::iter::once(agent.name).chain(agent.aliases.iter().copied()))
}

/// What the program prints when it is called by its own name.
pub fn overview() -> String {
    let mut text =
        String::from("Usage: picket-fence AGENT [options], or link an agent's name to this program\n");
    for agent in AGENTS {
        let names: Vec<&str> = std::iter::once(agent.name).chain(agent.aliases.iter().copied()).collect();
        text += &format!("  {:28} {}\n", names.join(", "), agent.title);
    }
    text
}
