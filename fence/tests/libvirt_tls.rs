//! `fence_libvirt` by TLS against a real libvirtd with real machines. The truth is the machine's process.

#![allow(clippy::unwrap_used, reason = "a test may fail")]

mod peer;

use std::fs::write;

use peer::{Folder, Run, Server, agent, free_port, listens, output, script};
use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, IsCa, KeyPair};

type Authority = CertifiedIssuer<'static, KeyPair>;

fn authority() -> Authority {
    let mut params = CertificateParams::new(Vec::new()).unwrap();
    params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    CertifiedIssuer::self_signed(params, KeyPair::generate().unwrap()).unwrap()
}

struct Libvirt {
    server: Server,
    port: u16,
    folder: Folder,
}

impl Libvirt {
    /// With machines vm1 and vm2 running, for clients with a certificate of `authority`.
    fn start(authority: &Authority) -> Self {
        let folder = Folder::new("libvirt-tls");
        let port = free_port();
        let key = KeyPair::generate().unwrap();
        let params = CertificateParams::new(vec!["127.0.0.1".to_owned()]).unwrap();
        write(folder.0.join("ca.pem"), authority.pem()).unwrap();
        write(folder.0.join("server.pem"), params.signed_by(&key, authority).unwrap().pem()).unwrap();
        write(folder.0.join("server-key.pem"), key.serialize_pem()).unwrap();
        client(&folder, "good", authority, authority);
        let mut command = script("libvirtd-qemu");
        command.arg(&folder.0).arg(port.to_string());
        let server = Server::start(&mut command, &folder.0.join("log"), || listens(port));
        let libvirt = Self { server: server.inside(&folder.file("pid")), port, folder };
        for name in ["vm1", "vm2"] {
            libvirt.virsh(&["define", &libvirt.folder.file(&format!("{name}.xml"))]);
            // It would only look for a disk.
            libvirt.virsh(&["start", "--paused", name]);
            libvirt.virsh(&["resume", name]);
        }
        libvirt
    }

    fn uri(&self, identity: &str) -> String {
        format!("qemu+tls://127.0.0.1:{}/system?pkipath={}", self.port, self.folder.file(identity))
    }

    fn virsh(&self, arguments: &[&str]) -> String {
        let mut command = std::process::Command::new("virsh");
        output(command.env("LC_ALL", "C").args(["-q", "-c", &self.uri("good")]).args(arguments))
    }

    fn run(&self, identity: &str, more: &str) -> Run {
        agent("fence_libvirt", &format!("uri={}\n{more}\n", self.uri(identity)))
    }

    /// The process that emulates a machine, if there is one.
    fn process(&self, name: &str) -> Option<String> {
        let file = format!("/proc/{}/root/run/libvirt/qemu/{name}.pid", self.server.pid().unwrap());
        let pid = std::fs::read_to_string(file).ok()?.trim().to_owned();
        Some(pid).filter(|pid| self.server.lives(pid))
    }
}

/// A client's files as libvirt names them: a certificate of `signer`, for servers of `trusted`.
fn client(folder: &Folder, name: &str, signer: &Authority, trusted: &Authority) {
    let place = folder.0.join(name);
    std::fs::create_dir(&place).unwrap();
    let key = KeyPair::generate().unwrap();
    let params = CertificateParams::new(vec!["cluster".to_owned()]).unwrap();
    write(place.join("cacert.pem"), trusted.pem()).unwrap();
    write(place.join("clientcert.pem"), params.signed_by(&key, signer).unwrap().pem()).unwrap();
    write(place.join("clientkey.pem"), key.serialize_pem()).unwrap();
}

#[test]
#[ignore = "needs root, libvirtd and qemu: make show-fence"]
fn real_machines_are_switched_by_tls_and_only_with_certificates_that_both_trust() {
    let (ours, other) = (authority(), authority());
    let libvirt = Libvirt::start(&ours);
    client(&libvirt.folder, "stranger", &other, &ours);
    client(&libvirt.folder, "mistrusting", &ours, &other);
    let (before, neighbor) = (libvirt.process("vm1").expect("it was started"), libvirt.process("vm2"));
    for identity in ["stranger", "mistrusting"] {
        let run = libvirt.run(identity, "plug=vm1\naction=off");
        run.is(1, "", identity);
        assert_eq!(libvirt.process("vm1").as_ref(), Some(&before), "{identity}");
    }
    for (more, exit, stdout) in [
        ("plug=vm1\naction=status", 0, "Status: ON\n"),
        ("plug=vm1\naction=monitor", 0, ""),
        ("plug=vm1\naction=off", 0, "Success: Powered OFF\n"),
        ("plug=vm1\naction=status", 2, "Status: OFF\n"),
    ] {
        let run = libvirt.run("good", more);
        run.is(exit, stdout, more);
    }
    assert!(!libvirt.server.lives(&before), "the process lives on");
    assert_eq!(libvirt.run("good", "plug=vm1\naction=on").stdout, "Success: Powered ON\n");
    let before = libvirt.process("vm1").expect("it was turned on");
    let run = libvirt.run("good", "plug=vm1\naction=reboot");
    run.is(0, "Success: Rebooted\n", "reboot");
    assert!(!libvirt.server.lives(&before), "the process lives on");
    assert!(libvirt.process("vm1").is_some(), "it was to be turned on again");
    assert_eq!(libvirt.process("vm2"), neighbor, "the other one was touched");
}
