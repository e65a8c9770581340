//! `fence_redfish` against sushy-tools' emulator, whose database tells the truth.

#![allow(clippy::unwrap_used, reason = "a test may fail")]

mod peer;

use std::path::PathBuf;

use peer::{Folder, Run, Server, agent, free_port, listens, output, script, venv};

struct Sushy {
    _server: Server,
    folder: Folder,
    venv: PathBuf,
    options: String,
}

impl Sushy {
    fn start(name: &str, tls: bool) -> Self {
        let venv = venv(&["sushy-tools"]);
        let folder = Folder::new(name);
        let port = free_port();
        let mut options = format!("ip=127.0.0.1\nipport={port}\nusername=u\npassword=p\n");
        if tls {
            folder.certificate();
            options += &format!("ssl=1\nca_file={}\n", folder.file("cert.pem"));
        } else {
            options += "ssl=0\n";
        }
        let mut command = script("sushy");
        command.arg(&venv).arg(&folder.0).arg(port.to_string());
        let server = Server::start(&mut command, &folder.0.join("log"), || listens(port));
        Self { _server: server, folder, venv, options }
    }

    fn run(&self, more: &str) -> Run {
        agent("fence_redfish", &format!("{}{more}\n", self.options))
    }

    fn truth(&self, name: &str) -> String {
        output(script("sushy-truth").arg(&self.venv).arg(&self.folder.0).arg(name))
    }
}

#[test]
#[ignore = "needs sushy-tools: make show-fence"]
fn a_system_is_switched_and_the_other_one_left_alone() {
    let sushy = Sushy::start("sushy", true);
    let status = sushy.run("plug=vm1\naction=status");
    assert_eq!((status.exit, status.stdout.as_str()), (0, "Status: ON\n"), "{}", status.stderr);
    let off = sushy.run("plug=vm1\naction=off");
    assert_eq!((off.exit, off.stdout.as_str()), (0, "Success: Powered OFF\n"), "{}", off.stderr);
    assert_eq!((sushy.truth("vm1").as_str(), sushy.truth("vm2").as_str()), ("Off", "On"));
    assert_eq!(sushy.run("plug=vm1\naction=status").exit, 2);
    assert_eq!(sushy.run("plug=vm1\naction=off").stdout, "Success: Already OFF\n");
    let on = sushy.run("plug=00000000-0000-0000-0000-000000000101\naction=on");
    assert_eq!((on.exit, on.stdout.as_str()), (0, "Success: Powered ON\n"), "{}", on.stderr);
    assert_eq!(sushy.truth("vm1"), "On");
    let reboot =
        sushy.run("systems_uri=/redfish/v1/Systems/00000000-0000-0000-0000-000000000101\naction=reboot");
    assert_eq!((reboot.exit, reboot.stdout.as_str()), (0, "Success: Rebooted\n"), "{}", reboot.stderr);
    assert_eq!((sushy.truth("vm1").as_str(), sushy.truth("vm2").as_str()), ("On", "On"));
    assert_eq!(sushy.run("plug=vm1\naction=monitor").exit, 0);
}

#[test]
#[ignore = "needs sushy-tools: make show-fence"]
fn what_it_refuses_is_a_failure_and_changes_nothing() {
    let sushy = Sushy::start("sushy-refuses", false);
    for (more, words) in [
        ("action=off", "not one machine"),
        ("plug=vm3\naction=off", "not found"),
        ("plug=vm*\naction=off", "not found"),
        ("plug=vm1\npassword=wrong\naction=off", "login refused"),
        ("plug=vm1\npassword=wrong\naction=monitor", "login refused"),
        ("plug=vm1\nssl=1\naction=off", "TLS"),
        ("plug=vm1\naction=diag", "501"),
    ] {
        let run = sushy.run(more);
        assert_eq!((run.exit, run.stdout.as_str()), (1, ""), "{more}");
        assert!(run.stderr.contains(words), "{more}: {}", run.stderr);
    }
    assert_eq!((sushy.truth("vm1").as_str(), sushy.truth("vm2").as_str()), ("On", "On"));
}
