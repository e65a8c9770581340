//! A libvirtd of its own with the qemu driver, on a host of its own; its machines are emulated, and in the host's network.

use std::net::Ipv4Addr;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context, Result};

use super::disk::Boot;
use crate::host::Host;
use crate::network::Network;
use crate::program::{Program, tail};
use crate::wait::wait_until;

const HYPERVISOR: &str = include_str!("hypervisor.sh");
/// It looks at every emulator there is first.
const START: Duration = Duration::from_secs(120);
/// A domain that starts, on a busy machine.
const PATIENCE: Duration = Duration::from_secs(60);

pub(super) struct Hypervisor {
    host: Arc<Host>,
}

/// A process of qemu, told from a later one with the same pid.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Process {
    pub(super) pid: u32,
    /// In ticks since the boot of the machine.
    since: u64,
}

impl Hypervisor {
    pub(super) fn start(network: &Arc<Network>) -> Result<Self> {
        let host = network.host("hypervisor")?;
        let address = host.address().to_string();
        host.enable(Program::new("libvirtd", &["sh", "-c", HYPERVISOR, "hypervisor.sh", &address]))?;
        let hypervisor = Self { host };
        let waited = wait_until("libvirtd answers", START, || {
            // Once it has ended there is no use in waiting.
            Ok(match hypervisor.host.pid("libvirtd") {
                Err(error) => Some(Err(error)),
                Ok(_) => hypervisor.virsh(&["list"]).map(|_| Some(Ok(())))?,
            })
        });
        waited.and_then(|ended| ended).with_context(|| tail(&hypervisor.host.output("libvirtd")))?;
        Ok(hypervisor)
    }

    /// As the cluster's nodes reach it.
    pub(super) fn uri(&self) -> String {
        format!("qemu+tcp://{}/system", self.host.address())
    }

    pub(super) fn virsh(&self, arguments: &[&str]) -> Result<String> {
        let uri = self.uri();
        let command = [&["virsh", "-q", "-c", &uri][..], arguments].concat();
        let output = self.host.run_within(PATIENCE, &command)?;
        anyhow::ensure!(output.status.success(), "{command:?}: {}: {}", output.status, output.stderr.trim());
        Ok(output.stdout.trim().to_owned())
    }

    /// Makes a domain known.
    pub(super) fn define(&self, name: &str, xml: &str) -> Result<()> {
        let file = format!("/etc/libvirt/{name}.xml");
        self.host.write(&file, xml)?;
        self.virsh(&["define", &file]).map(drop)
    }

    /// The process of a domain that runs.
    pub(super) fn process(&self, name: &str) -> Result<Process> {
        let file = format!("/run/libvirt/qemu/{name}.pid");
        let pid = self.host.read(&file)?.trim().parse().with_context(|| format!("{file} has no pid"))?;
        Ok(Process { pid, since: self.since(pid)? })
    }

    /// Whether that very process is still there.
    pub(super) fn lives(&self, process: Process) -> bool {
        self.since(process.pid).is_ok_and(|since| since == process.since)
    }

    /// Stops a process as a debugger would.
    pub(super) fn stop(&self, process: Process) -> Result<()> {
        self.host.check(&["kill", "-STOP", &process.pid.to_string()]).map(drop)
    }

    fn since(&self, pid: u32) -> Result<u64> {
        started(&self.host.read(&format!("/proc/{pid}/stat"))?)
    }
}

/// When a process was started, from its `/proc/PID/stat`.
fn started(stat: &str) -> Result<u64> {
    // The name in parentheses may hold anything; the state behind it is field 3, the start is field 22.
    let field = stat.rsplit(") ").next().and_then(|rest| rest.split_whitespace().nth(19));
    field.and_then(|ticks| ticks.parse().ok()).with_context(|| format!("no start in '{}'", stat.trim()))
}

/// A machine with that disk, its serial console going to a file.
pub(super) fn machine(name: &str, address: Ipv4Addr, boot: &Boot, console: &Path) -> String {
    let Boot { kernel, initrd, disk } = boot;
    format!(
        r"<domain type='qemu'>
          <name>{name}</name>
          <memory unit='MiB'>512</memory>
          <vcpu>1</vcpu>
          <os>
            <type arch='x86_64' machine='pc'>hvm</type>
            <kernel>{}</kernel>
            <initrd>{}</initrd>
            <cmdline>root=/dev/vda rw console=ttyS0 quiet net.ifnames=0 mitigations=off unknown_nmi_panic=1</cmdline>
          </os>
          <features><acpi/></features>
          <cpu mode='maximum'/>
          <devices>
            <disk type='file' device='disk'>
              <driver name='qemu' type='raw' cache='unsafe'/>
              <source file='{}'/>
              <target dev='vda' bus='virtio'/>
            </disk>
            <interface type='bridge'>
              <mac address='52:54:00:50:4b:{:02x}'/>
              <source bridge='br0'/>
              <model type='virtio'/>
            </interface>
            <serial type='file'><source path='{}' append='on'/></serial>
            <rng model='virtio'><backend model='random'>/dev/urandom</backend></rng>
            <controller type='usb' model='none'/>
            <memballoon model='none'/>
          </devices>
        </domain>",
        kernel.display(),
        initrd.display(),
        disk.display(),
        address.octets()[3],
        console.display()
    )
}

/// A machine with nothing but a power switch.
pub(super) fn empty(name: &str) -> String {
    format!(
        "<domain type='qemu'><name>{name}</name><memory unit='MiB'>32</memory>\
         <os><type arch='x86_64' machine='pc'>hvm</type></os><features><acpi/></features>\
         <devices><controller type='usb' model='none'/><memballoon model='none'/></devices></domain>"
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_start_is_found_behind_any_name() {
        let rest = "S 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16 17 18 4711 20 21";
        assert_eq!(started(&format!("12 (qemu) R 5) {rest}\n")).expect("there is one"), 4711);
        assert!(started("12 (qemu) S 1").is_err());
    }
}
