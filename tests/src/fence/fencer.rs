//! The fencer of a real cluster runs the agents, with containers of a real Docker Engine as the machines.

use std::path::Path;
use std::process::Command;

use anyhow::{Context, Result, ensure};

use super::{Folder, Server, device, output, script};
use crate::cluster::Cluster;
use crate::report::{Check, Finding, Report};

/// A cluster of one node, and containers vm1 and vm2 of an engine of their own.
struct Stage {
    cluster: Cluster,
    /// Dropped before the folder in which it has its files.
    engine: Engine,
}

struct Engine {
    _server: Server,
    folder: Folder,
}

const AGENT: &str = "fence_picket_docker";

impl Engine {
    fn start() -> Result<Self> {
        let folder = Folder::new("fencer")?;
        let mut command = script("docker");
        command.arg(&folder.0);
        let socket = folder.file("socket");
        let ready = || docker(&socket).arg("version").output().is_ok_and(|output| output.status.success());
        let server = Server::start(command, &folder.file("log"), ready)?;
        let (root, tar) = (folder.file("rootfs"), folder.file("rootfs.tar"));
        output(script("rootfs").arg(&root))?;
        output(Command::new("tar").arg("-C").arg(&root).arg("-cf").arg(&tar).arg("."))?;
        output(docker(&socket).arg("import").arg(&tar).arg("localhost/sleep:1"))?;
        let engine = Self { _server: server, folder };
        for name in ["vm1", "vm2"] {
            let run = [
                "run",
                "-d",
                "--name",
                name,
                "--network",
                "none",
                "localhost/sleep:1",
                "/bin/sleep",
                "10000",
            ];
            output(docker(&engine.socket()).args(run))?;
        }
        Ok(engine)
    }

    fn socket(&self) -> std::path::PathBuf {
        self.folder.file("socket")
    }

    /// The process of a container; 0 where it has none.
    fn process(&self, name: &str) -> Result<String> {
        output(docker(&self.socket()).args(["inspect", "-f", "{{.State.Pid}}", name]))
    }
}

impl Drop for Engine {
    fn drop(&mut self) {
        let _ = docker(&self.socket()).args(["rm", "-f", "vm1", "vm2"]).output();
    }
}

fn docker(socket: &Path) -> Command {
    let mut command = Command::new("docker");
    command.arg("-H").arg(format!("unix://{}", socket.display()));
    command
}

impl Stage {
    fn start() -> Result<Self> {
        let engine = Engine::start()?;
        let cluster = Cluster::start(1)?;
        device::install(&cluster, AGENT)?;
        Ok(Self { cluster, engine })
    }

    fn run(&self, command: &[&str]) -> Result<String> {
        self.cluster.nodes().first().context("no node")?.check(command)
    }

    fn ip(&self) -> String {
        format!("unix://{}", self.engine.socket().display())
    }

    /// A device for the containers; `more` are further parameters.
    fn device(&self, id: &str, more: &[(&str, &str)]) -> Result<()> {
        let ip = self.ip();
        let parameters: Vec<_> = [("ip", ip.as_str())].into_iter().chain(more.iter().copied()).collect();
        device::add(&self.cluster, id, AGENT, &parameters)
    }

    /// Asks the fencer to reboot a machine, and looks whether its process is another one.
    fn reboot(&self, name: &str, other: &str) -> Result<Finding> {
        let (before, left_alone) = (self.engine.process(name)?, self.engine.process(other)?);
        let started = std::time::Instant::now();
        self.run(&["stonith_admin", "--reboot", name, "--timeout", "60"])?;
        let took = started.elapsed();
        let (after, still) = (self.engine.process(name)?, self.engine.process(other)?);
        let gone = !Path::new("/proc").join(&before).exists();
        let holds = gone && after != "0" && after != before && still == left_alone;
        let figure = format!("{:.1} s, process {before} is {after} now", took.as_secs_f64());
        Ok(Finding { figure, holds })
    }
}

/// What a fencer does with its agents.
pub(super) fn check(watch: &mut dyn FnMut(&Check)) -> Report {
    let mut report = Report::default();
    let mut stage = None;
    let started = report.step("a cluster and an engine with two containers", || {
        stage = Some(Stage::start()?);
        Ok(Finding::good("running"))
    });
    if let (true, Some(stage)) = (started, stage) {
        for (name, step) in STEPS {
            report.step(name, || step(&stage));
        }
    }
    report.checks.iter().for_each(watch);
    report
}

type Step = fn(&Stage) -> Result<Finding>;

const STEPS: [(&str, Step); 6] = [
    ("stonith_admin --list-installed", |stage| {
        let listed = stage.run(&["stonith_admin", "--list-installed"])?;
        Ok(Finding { figure: AGENT.to_owned(), holds: listed.lines().any(|line| line.trim() == AGENT) })
    }),
    ("stonith_admin --metadata", |stage| {
        let xml = stage.run(&["stonith_admin", "--metadata", "--agent", AGENT])?;
        let holds =
            xml.contains(&format!("<resource-agent name=\"{AGENT}\"")) && xml.contains("name=\"plug\"");
        Ok(Finding { figure: format!("{} bytes", xml.len()), holds })
    }),
    ("stonith_admin --validate", |stage| {
        let ip = format!("ip={}", stage.ip());
        let validate = ["stonith_admin", "--validate", "--agent", AGENT, "--option"];
        stage.run(&[&validate[..], &[&ip]].concat())?;
        let wrong = stage.run(&[&validate[..], &["ip=unix:///nonexistent/socket"]].concat());
        ensure!(wrong.is_err(), "a socket that does not exist is valid");
        Ok(Finding::good("accepted, and refused with a wrong socket"))
    }),
    ("stonith_admin --list", |stage| {
        stage.device("containers", &[])?;
        let listed = stage.run(&["stonith_admin", "--list", "vm1"])?;
        let figure = listed.lines().next().unwrap_or_default().to_owned();
        Ok(Finding { holds: listed.contains("containers"), figure })
    }),
    ("stonith_admin --reboot", |stage| stage.reboot("vm1", "vm2")),
    ("a topology whose first level fails", |stage| {
        stage.device("broken", &[("pcmk_host_map", "vm2:nobody"), ("pcmk_reboot_retries", "1")])?;
        stage.cluster.extend(
            r#"<configuration><fencing-topology>
                 <fencing-level id="vm2-1" target="vm2" index="1" devices="broken"/>
                 <fencing-level id="vm2-2" target="vm2" index="2" devices="containers"/>
               </fencing-topology></configuration>"#,
        )?;
        stage.cluster.settle(std::time::Duration::from_secs(30))?;
        stage.reboot("vm2", "vm1")
    }),
];
