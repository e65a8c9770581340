//! `fence_pve` against fakepve, with what its cluster says as the truth.

#![allow(clippy::unwrap_used, reason = "a test may fail")]

mod peer;

use peer::{Folder, Run, Server, agent, free_port, listens, script, venv};

struct Pve {
    _server: Server,
    options: String,
    _folder: Folder,
}

impl Pve {
    fn start(name: &str) -> Self {
        let venv = venv(&["fakepve[crypto]"]);
        let folder = Folder::new(name);
        folder.certificate();
        let port = free_port();
        let mut command = script("fakepve");
        command.arg(&venv).arg(&folder.0).arg(port.to_string());
        let server = Server::start(&mut command, &folder.0.join("log"), || listens(port));
        let ca = folder.file("cert.pem");
        let options = format!("ip=127.0.0.1\nipport={port}\npassword=secret\nca_file={ca}\n");
        Self { _server: server, options, _folder: folder }
    }

    fn run(&self, more: &str) -> Run {
        agent("fence_pve", &format!("{}{more}\n", self.options))
    }
}

#[test]
#[ignore = "needs fakepve: make show-fence"]
fn a_guest_is_switched_and_the_other_one_left_alone() {
    let pve = Pve::start("fakepve");
    for (more, exit, stdout) in [
        ("plug=101\naction=status", 0, "Status: ON\n"),
        ("plug=101\naction=monitor", 0, ""),
        ("plug=101\naction=off", 0, "Success: Powered OFF\n"),
        ("action=list-status", 0, "101,vm1,OFF\n102,vm2,ON\n"),
        ("plug=vm1\naction=status", 2, "Status: OFF\n"),
        ("plug=vm1\naction=off", 0, "Success: Already OFF\n"),
        ("plug=vm1\nnodename=node1\naction=on", 0, "Success: Powered ON\n"),
        ("plug=101\naction=reboot", 0, "Success: Rebooted\n"),
        ("plug=101\naction=reboot\nmethod=cycle", 0, "Success: Rebooted\n"),
        ("action=list", 0, "101,vm1\n102,vm2\n"),
        ("action=list-status", 0, "101,vm1,ON\n102,vm2,ON\n"),
    ] {
        let run = pve.run(more);
        run.is(exit, stdout, more);
    }
}

#[test]
#[ignore = "needs fakepve: make show-fence"]
fn what_it_refuses_is_a_failure_and_changes_nothing() {
    let pve = Pve::start("fakepve-refuses");
    for (more, words) in [
        ("plug=999\naction=off", "not found"),
        ("plug=vm*\naction=off", "not found"),
        ("plug=101\npassword=wrong\naction=off", "login refused"),
        ("plug=101\npassword=wrong\naction=monitor", "login refused"),
        ("plug=101\nca_file=/etc/hostname\naction=off", "ca_file"),
    ] {
        let run = pve.run(more);
        assert_eq!((run.exit, run.stdout.as_str()), (1, ""), "{more}");
        assert!(run.stderr.contains(words), "{more}: {}", run.stderr);
    }
    assert_eq!(pve.run("action=list-status").stdout, "101,vm1,ON\n102,vm2,ON\n");
}
