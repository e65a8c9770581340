//! `fence_libvirt` and `fence_virsh` against a real libvirtd, the latter through a real sshd. The domains are those of
//! libvirt's test driver, and the truth is what another client of the same libvirtd reads.

#![allow(clippy::unwrap_used, reason = "a test may fail")]

mod peer;

use std::io::{BufRead, BufReader, Lines, Write};
use std::path::Path;
use std::process::{Child, ChildStdout, Command, Stdio};

use peer::{Folder, Run, Server, agent, free_port, listens, output, script};

struct Libvirt {
    /// Keeps the domains: libvirt forgets them with the last client. Ended first.
    keeper: Child,
    /// Its end would be virsh's.
    _lines: Lines<BufReader<ChildStdout>>,
    _server: Server,
    uri: String,
    folder: Folder,
}

impl Libvirt {
    /// With domains vm1 and vm2 running.
    fn start(name: &str) -> Self {
        let folder = Folder::new(name);
        let socket = folder.file("libvirt-sock");
        let mut command = script("libvirtd");
        command.arg(&folder.0);
        let server = Server::start(&mut command, &folder.0.join("log"), || Path::new(&socket).exists());
        let uri = format!("test+unix:///default?socket={socket}");
        let mut keeper = virsh(&uri).stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().unwrap();
        let mut commands = String::new();
        for name in ["vm1", "vm2"] {
            commands += &format!("define {}\nstart {name}\n", folder.file(&format!("{name}.xml")));
        }
        keeper.stdin.as_mut().unwrap().write_all(format!("{commands}echo ready\n").as_bytes()).unwrap();
        let mut lines = BufReader::new(keeper.stdout.take().unwrap()).lines();
        assert!(lines.any(|line| line.unwrap().contains("ready")), "virsh ended");
        Self { keeper, _lines: lines, _server: server, uri, folder }
    }

    fn state(&self, name: &str) -> String {
        output(virsh(&self.uri).args(["domstate", name])).trim().to_owned()
    }

    fn local(&self, more: &str) -> Run {
        agent("fence_libvirt", &format!("uri={}\n{more}\n", self.uri))
    }
}

impl Drop for Libvirt {
    fn drop(&mut self) {
        // It ends with its input, so that nobody is left to be killed.
        drop(self.keeper.stdin.take());
        let _ = self.keeper.wait();
    }
}

fn virsh(uri: &str) -> Command {
    let mut command = Command::new("virsh");
    command.env("LC_ALL", "C").args(["-q", "-c", uri]);
    command
}

const UUID: &str = "00000000-0000-4000-8000-000000000101";

fn is_switched(libvirt: &Libvirt, run: impl Fn(&str) -> Run) {
    for (more, exit, stdout, truth) in [
        ("plug=vm1\naction=status", 0, "Status: ON\n", "running"),
        ("plug=vm1\naction=monitor", 0, "", "running"),
        ("plug=vm1\naction=off", 0, "Success: Powered OFF\n", "shut off"),
        ("plug=vm1\naction=status", 2, "Status: OFF\n", "shut off"),
        ("plug=vm1\naction=off", 0, "Success: Already OFF\n", "shut off"),
        ("plug=vm1\nnodename=node1\naction=on", 0, "Success: Powered ON\n", "running"),
        ("plug=vm1\naction=reboot", 0, "Success: Rebooted\n", "running"),
        (&format!("plug={UUID}\naction=off"), 0, "Success: Powered OFF\n", "shut off"),
        (&format!("plug={UUID}\naction=on"), 0, "Success: Powered ON\n", "running"),
    ] {
        let run = run(more);
        run.is(exit, stdout, more);
        assert_eq!(libvirt.state("vm1"), truth, "{more}");
        assert_eq!(libvirt.state("vm2"), "running", "{more}");
    }
    let list = run("action=list-status").stdout;
    assert!(list.contains(&format!("vm1,{UUID},ON\n")), "{list}");
}

#[test]
#[ignore = "needs root and libvirtd: make show-fence"]
fn domains_are_switched_by_uri_and_the_other_one_left_alone() {
    let libvirt = Libvirt::start("libvirt");
    is_switched(&libvirt, |more| libvirt.local(more));
    assert_eq!(libvirt.local("plug=vm1\naction=off").exit, 0);
    let list = libvirt.local("action=list-status").stdout;
    assert!(list.contains(&format!("vm1,{UUID},OFF\n")), "{list}");
}

#[test]
#[ignore = "needs root and libvirtd: make show-fence"]
fn what_is_paused_or_in_doubt_is_not_off() {
    let libvirt = Libvirt::start("libvirt-paused");
    output(virsh(&libvirt.uri).args(["suspend", "vm1"]));
    assert_eq!(libvirt.local("plug=vm1\naction=status").stdout, "Status: ON\n");
    for (more, words) in [
        ("plug=vm3\naction=off", "not found"),
        ("plug=vm*\naction=off", "not found"),
        ("plug=1\naction=off", "not found"),
        ("plug=vm1\naction=off\nuri=test+unix:///default?socket=/nonexistent", "cannot connect"),
        ("plug=vm1\naction=off\nvirsh_path=/nonexistent/virsh", "/nonexistent/virsh"),
    ] {
        let run = libvirt.local(more);
        assert_eq!((run.exit, run.stdout.as_str()), (1, ""), "{more}");
        assert!(run.stderr.contains(words), "{more}: {}", run.stderr);
        assert_eq!(libvirt.state("vm1"), "paused", "{more}");
    }
    assert_eq!(libvirt.local("plug=vm1\naction=off").stdout, "Success: Powered OFF\n");
    assert_eq!(libvirt.state("vm1"), "shut off");
}

#[test]
#[ignore = "needs root, libvirtd and sshd: make show-fence"]
fn domains_are_switched_through_ssh_with_a_key_and_with_a_password() {
    let libvirt = Libvirt::start("libvirt-ssh");
    let port = free_port();
    let mut command = script("sshd");
    command.arg(&libvirt.folder.0).arg(port.to_string()).arg(&libvirt.uri);
    let _sshd = Server::start(&mut command, &libvirt.folder.0.join("sshd.log"), || listens(port));
    let options = format!(
        "ip=127.0.0.1\nipport={port}\nusername=root\nssh_options=-oUserKnownHostsFile={}\n",
        libvirt.folder.file("known")
    );
    let key = format!("identity_file={}\n", libvirt.folder.file("key"));
    is_switched(&libvirt, |more| agent("fence_virsh", &format!("{options}{key}{more}\n")));
    let by_password = agent("fence_virsh", &format!("{options}password=p\nplug=vm1\naction=off\n"));
    assert_eq!(by_password.stdout, "Success: Powered OFF\n", "{}", by_password.stderr);
    assert_eq!(libvirt.state("vm1"), "shut off");
    for login in ["password=wrong\n", "identity_file=/etc/hostname\n", ""] {
        let run = agent("fence_virsh", &format!("{options}{login}plug=vm2\naction=off\n"));
        assert_eq!((run.exit, run.stdout.as_str()), (1, ""), "{login}");
        assert!(run.stderr.contains("login refused"), "{login}: {}", run.stderr);
    }
    assert_eq!(libvirt.state("vm2"), "running");
}
