//! `fence_vmware_soap` against govmomi's vcsim, with pyvmomi as the one who tells the truth.

#![allow(clippy::unwrap_used, reason = "a test may fail")]

mod peer;

use std::path::{Path, PathBuf};

use peer::{Folder, Run, Server, agent, free_port, listens, output, script, venv};

struct VSphere {
    _server: Server,
    port: u16,
    venv: PathBuf,
    folder: Folder,
}

const VM: &str = "DC0_H0_VM0";
const OTHER: &str = "DC0_H0_VM1";

impl VSphere {
    fn start(name: &str) -> Self {
        let venv = venv(&["pyvmomi"]);
        let folder = Folder::new(name);
        folder.certificate();
        let port = free_port();
        let build = Path::new(env!("CARGO_TARGET_TMPDIR")).join("vcsim");
        let mut command = script("vcsim");
        command.arg(build).arg(&folder.0).arg(port.to_string());
        let server = Server::start_slow(&mut command, &folder.0.join("log"), || listens(port));
        Self { _server: server, port, venv, folder }
    }

    fn run(&self, more: &str) -> Run {
        let options = format!("ca_file={}\nipport={}\n", self.folder.file("cert.pem"), self.port);
        agent("fence_vmware_soap", &format!("ip=127.0.0.1\nusername=u\npassword=p\n{options}{more}\n"))
    }

    fn truth(&self, name: &str) -> String {
        output(script("vcsim-truth").arg(&self.venv).arg(self.port.to_string()).arg(name))
    }
}

#[test]
#[ignore = "builds vcsim: make show-fence"]
fn a_machine_is_switched_and_the_other_one_left_alone() {
    let vsphere = VSphere::start("vcsim");
    for (more, exit, stdout, truth) in [
        (format!("plug={VM}\naction=status"), 0, "Status: ON\n", "poweredOn"),
        (format!("plug={VM}\naction=monitor"), 0, "", "poweredOn"),
        (format!("plug={VM}\naction=off"), 0, "Success: Powered OFF\n", "poweredOff"),
        (format!("plug={VM}\naction=status"), 2, "Status: OFF\n", "poweredOff"),
        (format!("plug={VM}\naction=off"), 0, "Success: Already OFF\n", "poweredOff"),
        (format!("plug={VM}\naction=on"), 0, "Success: Powered ON\n", "poweredOn"),
        (format!("plug={VM}\naction=reboot"), 0, "Success: Rebooted\n", "poweredOn"),
        (format!("plug=/DC0/vm/{VM}\naction=off"), 0, "Success: Powered OFF\n", "poweredOff"),
    ] {
        let run = vsphere.run(&more);
        run.is(exit, stdout, &more);
        assert_eq!(
            (vsphere.truth(VM).as_str(), vsphere.truth(OTHER).as_str()),
            (truth, "poweredOn"),
            "{more}"
        );
    }
    let list = vsphere.run("action=list-status").stdout;
    let entry = list.lines().find(|line| line.starts_with(VM)).unwrap();
    assert!(entry.ends_with(",OFF"), "{list}");
    let uuid = entry.split(',').nth(1).unwrap();
    let on = vsphere.run(&format!("plug={uuid}\naction=on"));
    assert_eq!(on.stdout, "Success: Powered ON\n", "{entry}: {}", on.stderr);
    assert_eq!(vsphere.truth(VM), "poweredOn");
}

#[test]
#[ignore = "builds vcsim: make show-fence"]
fn what_it_refuses_is_a_failure_and_changes_nothing() {
    let vsphere = VSphere::start("vcsim-refuses");
    for (more, words) in [
        (format!("plug={VM}\npassword=wrong\naction=off"), "login refused"),
        ("plug=DC0_H0_VM\naction=off".to_owned(), "not found"),
        ("plug=vm-99999\naction=off".to_owned(), "not found"),
        (format!("plug={VM}\naction=off\nca_file=/etc/ssl/certs/ca-certificates.crt"), "TLS"),
    ] {
        let run = vsphere.run(&more);
        assert_eq!((run.exit, run.stdout.as_str()), (1, ""), "{more}");
        assert!(run.stderr.contains(words), "{more}: {}", run.stderr);
    }
    assert_eq!((vsphere.truth(VM).as_str(), vsphere.truth(OTHER).as_str()), ("poweredOn", "poweredOn"));
}
