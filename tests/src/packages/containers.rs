//! Guests that are containers, and containers as resources, by the commands of the README and of `docs/containers.md` alone:
//! a real cluster, a real engine, LXC and libvirt.

use std::fs;
use std::process::Command;
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context, Result, bail, ensure};

use super::document::{Step, read, section};
use super::{Packages, checkout, run};
use crate::agent::picketctl;
use crate::cluster::Cluster;
use crate::containers::lxc::stage::Stage as LxcStage;
use crate::containers::{Engine, Kind, Part, Tool, root};
use crate::host::Host;
use crate::network::Network;
use crate::report::{Finding, Report};
use crate::wait::wait_until;

/// The section of the README.
pub const HEADING: &str = "## Containers";
const SOON: Duration = Duration::from_secs(120);

/// Makes a host's own what commands of the documents change, beyond what a host has of its own: the folder of an
/// administrator, /usr/local, /srv and the resource agents.
const OWN: &str = r#"
set -e
tree=/usr/lib/ocf/resource.d
mkdir -p /run/ocf/upper /run/ocf/work /run/work /run/shells /var/log/pcsd
mount -t overlay -o "lowerdir=$tree,upperdir=/run/ocf/upper,workdir=/run/ocf/work" overlay "$tree"
for folder in /usr/local /srv; do mount -t tmpfs tmpfs "$folder"; done
"#;

fn play(node: &Host, step: &Step) -> Result<String> {
    let script = format!("export HOME=/run/shells; cd /run/work; {}", step.command);
    let output = node.run_within(SOON, &["sh", "-c", &script])?;
    ensure!(output.status.success(), "{}# {}: {}{}", step.place, step.command, output.stdout, output.stderr);
    Ok(output.stdout)
}

struct Stage {
    // Dropped in this order: the engine's groups are emptied after the hosts are gone.
    cluster: Cluster,
    engine: Engine,
}

impl Stage {
    /// With the image `nginx:1`, which serves a folder, and `tools:1`, which has a shell and picketctl.
    fn new(packages: &Packages) -> Result<Self> {
        let cluster = Cluster::start(1)?;
        let node = cluster.node("node1")?;
        node.check(&["sh", "-c", OWN])?;
        node.write("/etc/hosts", &format!("127.0.0.1 localhost\n{} node1\n", node.address()))?;
        node.write("/srv/web/index.html", "from the README\n")?;
        let engine = Engine::start(node, Kind::Docker)?;
        engine.import(&root(cluster.network(), "shell", &[Part::Shell])?, "shell:1")?;
        let tarball = packages.all(&format!("-{}.tar.gz", std::env::consts::ARCH))?.pop();
        let tarball = tarball.context("no tarball: run 'make packages'")?;
        let work = node.seen_from_outside("/run/work")?;
        fs::copy(&tarball, work.join(tarball.file_name().context("the tarball has a name")?))?;
        std::os::unix::fs::symlink(checkout().canonicalize()?.join("packaging"), work.join("packaging"))?;
        let serve = r#"CMD ["/bin/busybox","httpd","-f","-p","80","-h","/usr/share/nginx/html"]"#;
        engine.cli(&["create", "--name", "made", "shell:1", "true"])?;
        engine.cli(&["commit", "--change", serve, "made", "nginx:1"])?;
        Ok(Self { cluster, engine })
    }

    fn play(&self, step: &Step) -> Result<()> {
        let node = self.cluster.node("node1")?;
        match step.place.as_str() {
            "node1" => play(node, step).map(drop),
            "image" => self.in_image(step),
            other => bail!("the test knows no place '{other}'"),
        }
    }

    /// As a line of a Dockerfile, in an image with a shell; then the tools have to be there.
    fn in_image(&self, step: &Step) -> Result<()> {
        self.engine.cli(&["cp", "/usr/local/sbin/picketctl", "made:/bin/picketctl"])?;
        self.engine.cli(&["commit", "made", "tools:1"])?;
        let script = format!("{}\ncrm_attribute --help && attrd_updater --help", step.command);
        let said = self.engine.cli(&["run", "--rm", "--network", "none", "tools:1", "sh", "-ec", &script])?;
        ensure!(said.contains("--name"), "{} makes no tools: {said}", step.command);
        Ok(())
    }
}

/// Plays what the README says about containers.
pub fn follow_readme(packages: &Packages) -> Report {
    let mut report = Report::default();
    let mut stage = None;
    report.step("a cluster with an engine", || {
        stage = Some(Stage::new(packages)?);
        Ok(Finding::good("Docker"))
    });
    let Some(stage) = stage else { return report };
    let done = report.step("every command of the README about containers succeeds", || {
        let steps = section(&read("README.md")?, HEADING);
        for step in &steps {
            stage.play(step)?;
        }
        Ok(Finding { figure: format!("{} commands", steps.len()), holds: !steps.is_empty() })
    });
    if !done {
        return report;
    }
    report.step("the bundle is a guest node and its resource runs there", || {
        stage
            .cluster
            .wait("load runs in web-0", SOON, |status| status.node_of("load", "Started") == Some("web-0"))?;
        let top = stage.engine.cli(&["top", "web-docker-0", "-o", "pid,comm"])?;
        Ok(Finding { figure: "load runs on web-0".to_owned(), holds: top.contains("pcmk-init") })
    });
    report.step("the container that is a resource serves", || {
        let node = stage.cluster.node("node1")?;
        let page = wait_until("it serves", SOON, || {
            Ok(Some(node.check(&["curl", "-sSf", "http://127.0.0.1/"])?))
        })?;
        Ok(Finding { holds: page == "from the README\n", figure: page.trim().to_owned() })
    });
    report.step("no fencing, no failed action", || unharmed(&stage.cluster));
    report
}

/// Plays what `docs/containers.md` says about an LXC guest.
pub fn follow_lxc() -> Report {
    let mut report = Report::default();
    let mut stage = None;
    report.step("a cluster with LXC, libvirt and the bridge of the document", || {
        let begun = LxcStage::new(Tool::Lxc, 1)?;
        prepare(begun.cluster.node("node1")?, begun.cluster.network())?;
        stage = Some(begun);
        Ok(Finding::good("br0"))
    });
    let Some(stage) = stage else { return report };
    let Ok(document) = read("docs/containers.md") else { return report };
    let mut parts = section(&document, "## An LXC guest").into_iter();
    report.step("the key is installed", || {
        let step = parts.next().context("the document has no command")?;
        play(stage.cluster.node("node1")?, &step).map(|said| Finding::good(said.trim()))
    });
    for (words, heading, resource) in [
        (
            "libvirt's commands make a guest",
            "### With libvirt, through `ocf:heartbeat:VirtualDomain`",
            "web1-domain",
        ),
        (
            "the commands for LXC's own tools make a guest",
            "### With LXC's own tools, through `ocf:heartbeat:lxc`",
            "web1-lxc",
        ),
    ] {
        let done = report.step(words, || guest(&stage.cluster, &section(&document, heading), resource));
        if !done {
            return report;
        }
    }
    report.step("no fencing, no failed action", || unharmed(&stage.cluster));
    report
}

/// The root file system, the bridge and picketctl, where the document has them.
fn prepare(node: &Arc<Host>, network: &Arc<Network>) -> Result<()> {
    node.check(&["sh", "-c", OWN])?;
    let root = root(network, "web1", &[Part::Agent, Part::Shell])?;
    let web1 = node.seen_from_outside("/srv/web1")?;
    run(Command::new("cp").arg("-a").arg(root).arg(web1))?;
    let bridge = "ip link add br0 type bridge && ip address add 192.0.2.1/24 dev br0 && ip link set br0 up";
    node.check(&["sh", "-c", bridge])?;
    let link = "mkdir -p /usr/local/sbin && ln -s \"$1\" /usr/local/sbin/picketctl";
    node.check(&["sh", "-c", link, "link", &picketctl()?]).map(drop)
}

fn guest(cluster: &Cluster, steps: &[Step], resource: &str) -> Result<Finding> {
    ensure!(!steps.is_empty(), "the document has no commands for {resource}");
    let node = cluster.node("node1")?;
    for step in steps {
        play(node, step)?;
    }
    cluster.wait("the guest is online", SOON, |status| {
        status.is_online("web1") && status.node_of(resource, "Started").is_some()
    })?;
    // For the next one of that name.
    cluster.run(&[
        "crm_resource",
        "--resource",
        resource,
        "--meta",
        "--set-parameter",
        "target-role",
        "--parameter-value",
        "Stopped",
    ])?;
    cluster.settle(SOON)?;
    cluster.run(&["cibadmin", "--delete", "--xml-text", &format!("<primitive id=\"{resource}\"/>")])?;
    cluster.settle(SOON)?;
    Ok(Finding::good(format!("{} commands; web1 was online", steps.len())))
}

fn unharmed(cluster: &Cluster) -> Result<Finding> {
    let fenced = cluster.fencing().record().len();
    let failures: Vec<_> = cluster.status()?.failures.into_iter().map(|failure| failure.operation).collect();
    Ok(Finding {
        figure: format!("{fenced} fenced, {} failed actions {}", failures.len(), failures.join(", ")),
        holds: fenced == 0 && failures.is_empty(),
    })
}
