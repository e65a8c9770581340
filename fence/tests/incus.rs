//! `fence_incus` against a real Incus, over its socket and over HTTPS. The truth is the container's process.

#![allow(clippy::unwrap_used, reason = "a test may fail")]

mod peer;

use std::path::{Path, PathBuf};
use std::process::Command;

use peer::{Folder, Run, Server, agent, fed, output, script};

const PORT: &str = "8443";

struct Incus {
    server: Server,
    folder: Folder,
    build: PathBuf,
}

impl Incus {
    /// With containers vm1 and vm2 running.
    fn start(name: &str) -> Self {
        let folder = Folder::new(name);
        let build = Path::new(env!("CARGO_TARGET_TMPDIR")).join("incus");
        let mut command = script("incus");
        command.arg(&build).arg(&folder.0);
        let ready = || {
            let asked = script("incus-client").arg(&build).arg(&folder.0).args(["query", "/1.0"]).output();
            asked.is_ok_and(|answer| answer.status.success())
        };
        let server = Server::start_slow(&mut command, &folder.0.join("log"), ready);
        let server = server.inside(&folder.file("pid"));
        let incus = Self { server, folder, build };
        incus.client(&["storage", "create", "default", "dir"]);
        incus.client(&["profile", "device", "add", "default", "root", "disk", "path=/", "pool=default"]);
        let image = incus.folder.file("image");
        output(script("rootfs").arg(format!("{image}/rootfs")));
        for folder in ["dev", "proc", "sys", "etc", "run"] {
            std::fs::create_dir_all(format!("{image}/rootfs/{folder}")).unwrap();
        }
        let metadata = format!("architecture: {}\ncreation_date: 1700000000\n", std::env::consts::ARCH);
        std::fs::write(format!("{image}/metadata.yaml"), metadata).unwrap();
        let tar = incus.folder.file("image.tar");
        output(Command::new("tar").args(["-C", &image, "-cf", &tar, "metadata.yaml", "rootfs"]));
        incus.client(&["image", "import", &tar, "--alias", "sleep"]);
        for name in ["vm1", "vm2"] {
            let init = "raw.lxc=lxc.init.cmd = /bin/sleep 10000";
            incus.client(&["launch", "sleep", name, "-c", "security.privileged=true", "-c", init]);
        }
        incus
    }

    fn client(&self, arguments: &[&str]) -> String {
        output(script("incus-client").arg(&self.build).arg(&self.folder.0).args(arguments))
    }

    /// Over its socket.
    fn run(&self, more: &str) -> Run {
        agent("fence_incus", &format!("unix_socket={}\n{more}\n", self.folder.file("state/unix.socket")))
    }

    /// Over HTTPS, in its network.
    fn https(&self, more: &str) -> Run {
        let mut command = Command::new("nsenter");
        command
            .args(["--net", "--target", &self.server.pid().unwrap().to_string()])
            .args([env!("CARGO_BIN_EXE_picket-fence"), "fence_incus"]);
        fed(command, &format!("ip=127.0.0.1\nipport={PORT}\n{more}\n"))
    }

    /// The process of a container, as it is called inside; whether it is there is found out without Incus.
    fn process(&self, name: &str) -> Option<String> {
        let state = self.client(&["list", name, "--format=csv", "--columns=p"]);
        Some(state).filter(|pid| pid != "0" && self.lives(pid))
    }

    fn lives(&self, pid: &str) -> bool {
        self.server.lives(pid)
    }
}

impl Drop for Incus {
    fn drop(&mut self) {
        // For the control groups, which are the machine's. Not by `client`: a panic in here would hide the one that matters.
        let stop = ["stop", "--all", "--force"];
        let _ = script("incus-client").arg(&self.build).arg(&self.folder.0).args(stop).output();
    }
}

#[test]
#[ignore = "needs root and Incus: make show-fence"]
fn a_container_is_switched_and_the_other_one_left_alone() {
    let incus = Incus::start("incus");
    let (before, other) = (incus.process("vm1").unwrap(), incus.process("vm2"));
    for (more, exit, stdout) in [
        ("plug=vm1\naction=status", 0, "Status: ON\n"),
        ("plug=vm1\naction=monitor", 0, ""),
        ("plug=vm1\naction=off", 0, "Success: Powered OFF\n"),
        ("plug=vm1\naction=status", 2, "Status: OFF\n"),
        ("plug=vm1\naction=off", 0, "Success: Already OFF\n"),
    ] {
        let run = incus.run(more);
        run.is(exit, stdout, more);
    }
    assert!(!incus.lives(&before), "the process lives on");
    assert_eq!(incus.run("plug=vm1\naction=on").stdout, "Success: Powered ON\n");
    let before = incus.process("vm1").expect("it was turned on");
    let run = incus.run("plug=vm1\naction=reboot");
    run.is(0, "Success: Rebooted\n", "reboot");
    assert!(!incus.lives(&before), "the process lives on");
    let list = incus.run("action=list-status").stdout;
    assert_eq!(list.lines().filter(|line| line.ends_with(",ON")).count(), 2, "{list}");
    let run = incus.run("plug=vm3\naction=off");
    run.is(1, "", "off of a machine that is not there");

    incus.client(&["pause", "vm1"]);
    assert_eq!(incus.run("plug=vm1\naction=status").stdout, "Status: ON\n", "frozen is not off");
    let before = incus.process("vm1").unwrap();
    let run = incus.run("plug=vm1\naction=off");
    run.is(0, "Success: Powered OFF\n", "off of a frozen one");
    assert!(!incus.lives(&before), "the process lives on");
    assert_eq!(incus.process("vm2"), other, "the other one was touched");
}

#[test]
#[ignore = "needs root and Incus: make show-fence"]
fn over_https_only_a_trusted_certificate_may_switch() {
    let incus = Incus::start("incus-https");
    incus.client(&["config", "set", &format!("core.https_address=127.0.0.1:{PORT}")]);
    incus.folder.certificate();
    let (cert, key) = (incus.folder.file("cert.pem"), incus.folder.file("key.pem"));
    let server = incus.folder.file("state/server.crt");
    let options = format!("client_cert={cert}\nclient_key={key}\nca_file={server}\n");
    let before = incus.process("vm1").unwrap();

    let run = incus.https(&format!("{options}plug=vm1\naction=off"));
    run.is(1, "", "off by a stranger");
    assert!(incus.lives(&before), "a stranger has switched it off");

    incus.client(&["config", "trust", "add-certificate", &cert]);
    let stranger = incus.https(&format!("client_cert={cert}\nclient_key={key}\nplug=vm1\naction=off"));
    assert_eq!((stranger.exit, stranger.stdout.as_str()), (1, ""), "{}", stranger.stderr);
    assert!(incus.lives(&before), "switched off through a server that is not verified");

    let run = incus.https(&format!("{options}plug=vm1\naction=monitor"));
    assert_eq!(run.exit, 0, "{}", run.stderr);
    let run = incus.https(&format!("{options}plug=vm1\naction=off"));
    run.is(0, "Success: Powered OFF\n", "off");
    assert!(!incus.lives(&before), "the process lives on");
}
