//! `fence_docker` and `fence_podman` against real engines. The truth is the container's process.

#![allow(clippy::unwrap_used, reason = "a test may fail")]

mod peer;

use std::path::Path;
use std::process::Command;

use peer::{Folder, Run, Server, agent, output, script};

struct Engine {
    name: &'static str,
    /// Dropped in this order: containers, server, files.
    server: Option<Server>,
    folder: Folder,
    is_podman: bool,
}

impl Engine {
    fn docker() -> Self {
        let folder = Folder::new("docker");
        let mut command = script("docker");
        command.arg(&folder.0);
        let socket = folder.file("socket");
        let ready = || Command::new("docker").args(["-H", &format!("unix://{socket}"), "version"]).output();
        let server = Server::start(&mut command, &folder.0.join("log"), || {
            ready().is_ok_and(|out| out.status.success())
        });
        Self { name: "fence_docker", server: Some(server), folder, is_podman: false }.filled()
    }

    fn podman() -> Self {
        let folder = Folder::new("podman");
        let socket = folder.file("socket");
        let mut command = script("podman");
        command.arg(&folder.0).args(["system", "service", "--time=0", &format!("unix://{socket}")]);
        let server = Server::start(&mut command, &folder.0.join("log"), || Path::new(&socket).exists());
        Self { name: "fence_podman", server: Some(server), folder, is_podman: true }.filled()
    }

    /// With containers vm1 and vm2 running.
    fn filled(self) -> Self {
        let (root, tar) = (self.folder.file("rootfs"), self.folder.file("rootfs.tar"));
        output(script("rootfs").arg(&root));
        output(Command::new("tar").args(["-C", &root, "-cf", &tar, "."]));
        self.command(&["import", &tar, "localhost/sleep:1"]);
        for name in ["vm1", "vm2"] {
            let limits = ["--ulimit", "nofile=1000:1000", "--ulimit", "nproc=1000:1000"];
            let mut args = vec!["run", "-d", "--name", name, "--network", "none"];
            args.extend(limits.iter().filter(|_| self.is_podman));
            args.extend(["localhost/sleep:1", "/bin/sleep", "1000"]);
            self.command(&args);
        }
        self
    }

    fn command(&self, args: &[&str]) -> String {
        match self.is_podman {
            true => output(script("podman").arg(&self.folder.0).args(args)),
            false => {
                let host = format!("unix://{}", self.folder.file("socket"));
                output(Command::new("docker").args(["-H", &host]).args(args))
            }
        }
    }

    fn run(&self, more: &str) -> Run {
        agent(self.name, &format!("ip={}\n{more}\n", self.folder.file("socket")))
    }

    /// The process of a container, if it has one.
    fn process(&self, name: &str) -> Option<String> {
        let pid = self.command(&["inspect", "-f", "{{.State.Pid}}", name]);
        Some(pid).filter(|pid| pid != "0" && Path::new("/proc").join(pid).exists())
    }

    fn is_switched(&self) {
        let before = self.process("vm1").unwrap();
        let other = self.process("vm2");
        for (more, exit, stdout) in [
            ("plug=vm1\naction=status", 0, "Status: ON\n"),
            ("plug=vm1\naction=monitor", 0, ""),
            ("plug=vm1\naction=off", 0, "Success: Powered OFF\n"),
            ("plug=vm1\naction=status", 2, "Status: OFF\n"),
            ("plug=vm1\naction=off", 0, "Success: Already OFF\n"),
        ] {
            let run = self.run(more);
            run.is(exit, stdout, more);
        }
        assert!(!Path::new("/proc").join(before).exists(), "the process lives on");
        assert_eq!(self.run("plug=vm1\naction=on").stdout, "Success: Powered ON\n");
        for more in ["plug=vm1\naction=reboot", "plug=vm1\naction=reboot\nmethod=cycle"] {
            let before = self.process("vm1").expect("it was turned on");
            let run = self.run(more);
            run.is(0, "Success: Rebooted\n", more);
            assert!(!Path::new("/proc").join(before).exists(), "{more}: the process lives on");
        }
        let list = self.run("action=list-status").stdout;
        assert_eq!(list.lines().filter(|line| line.ends_with(",ON")).count(), 2, "{list}");
        assert_eq!(self.process("vm2"), other, "the other one was touched");
    }

    fn paused_is_not_off(&self) {
        self.command(&["pause", "vm1"]);
        assert_eq!(self.run("plug=vm1\naction=status").stdout, "Status: ON\n");
        let before = self.process("vm1").unwrap();
        let run = self.run("plug=vm1\naction=off");
        run.is(0, "Success: Powered OFF\n", "off of a paused one");
        assert!(!Path::new("/proc").join(before).exists(), "the process lives on");
    }

    fn a_part_of_an_id_is_refused(&self) {
        let id = self.command(&["inspect", "-f", "{{.Id}}", "vm2"]);
        let run = self.run(&format!("plug={}\naction=off", &id[..10]));
        assert_eq!(run.exit, 1);
        assert!(self.process("vm2").is_some());
        assert_eq!(self.run(&format!("plug={id}\naction=off")).exit, 0);
    }
}

impl Drop for Engine {
    fn drop(&mut self) {
        // Not by `command`: a panic in here would hide the one that matters.
        let mut remove = match self.is_podman {
            true => script("podman"),
            false => Command::new("docker"),
        };
        match self.is_podman {
            true => remove.arg(&self.folder.0).args(["rm", "-f", "-t", "0", "vm1", "vm2"]),
            false => remove.args([
                "-H",
                &format!("unix://{}", self.folder.file("socket")),
                "rm",
                "-f",
                "vm1",
                "vm2",
            ]),
        };
        let _ = remove.output();
        self.server.take();
    }
}

fn all(engine: &Engine) {
    engine.is_switched();
    engine.paused_is_not_off();
    engine.a_part_of_an_id_is_refused();
}

#[test]
#[ignore = "needs root and dockerd: make show-fence"]
fn docker_containers_are_switched_and_the_process_is_gone() {
    all(&Engine::docker());
}

#[test]
#[ignore = "needs root and podman: make show-fence"]
fn podman_containers_are_switched_and_the_process_is_gone() {
    all(&Engine::podman());
}
