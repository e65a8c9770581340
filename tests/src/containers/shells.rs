//! The command lines that `picketctl guest` writes, carried out by the real pcs and crmsh on a real cluster, and what
//! comes of them compared with the XML that it writes for the same.

use std::collections::BTreeMap;

use anyhow::{Context, Result, ensure};
use quick_xml::events::{BytesStart, Event};
use quick_xml::{Reader, XmlVersion};

use super::{Watch, picketctl};
use crate::agent::Agent;
use crate::cluster::Cluster;
use crate::host::Host;
use crate::report::{Finding, Report};

/// What is written: the arguments, and the id of what comes of them.
const GUESTS: [(&str, &str, &str); 5] = [
    ("a remote node", "remote web1 --address 10.0.0.7 --port 4000", "web1"),
    ("a VM", "domain web1 --config /etc/libvirt/qemu/web1.xml --address 10.0.0.7", "web1-domain"),
    (
        "a libvirt-lxc guest",
        "domain web1 --lxc --config /etc/libvirt/lxc/web1.xml --port 4000",
        "web1-domain",
    ),
    ("an LXC guest", "lxc web1 --address 10.0.0.7", "web1-lxc"),
    (
        "a bundle",
        "bundle web --image app:1 --engine docker --replicas 2 --network podman --control-port 3999 \
         --first-address 10.0.0.10 --mount /srv/a:/srv --mount /srv/b:/var/b --publish 80 --publish 443",
        "web",
    ),
];

/// Puts the agents where a package would, on this host only.
const BUILT_IN: &str = r#"
set -e
tree=/usr/lib/ocf/resource.d
mkdir -p /run/ocf/upper /run/ocf/work
mount -t overlay -o "lowerdir=$tree,upperdir=/run/ocf/upper,workdir=/run/ocf/work" overlay "$tree"
mkdir -p "$tree/picket"
for name in container health probe; do ln -sf "$1" "$tree/picket/$name"; done
"#;

/// Every kind of guest with both shells.
pub fn shells(watch: Watch) -> Report {
    let mut report = Report::default();
    let mut cluster = None;
    let ready = report.step("a cluster starts, and pcs and crmsh are there", || {
        let cluster = cluster.insert(Cluster::start(1)?);
        let node = &cluster.nodes()[0];
        // Nothing is to start, nor to be stopped where its engine is missing: only the configuration is looked at.
        cluster.run(&["crm_attribute", "--name", "maintenance-mode", "--update", "true"])?;
        // Both write into folders that their packages made outside the hosts' own.
        node.check(&["mkdir", "-p", "/run/shells", "/var/log/crmsh", "/var/log/pcsd"])?;
        let versions =
            node.check(&["sh", "-c", "export HOME=/run/shells; pcs --version && crm --version"])?;
        Ok(Finding::good(format!("pcs {}", versions.trim().replace('\n', ", "))))
    });
    watch(report.checks.last().expect("a step adds a check"));
    let Some(cluster) = cluster.filter(|_| ready) else { return report };
    for (name, arguments, id) in GUESTS {
        report.step(name, || compare(&cluster, arguments, id));
        watch(report.checks.last().expect("a step adds a check"));
    }
    report.step("the built-in agents, by their metadata", || built_in(&cluster));
    watch(report.checks.last().expect("a step adds a check"));
    report
}

/// Both shells check parameters against what an agent says of itself.
fn built_in(cluster: &Cluster) -> Result<Finding> {
    let node = &cluster.nodes()[0];
    let agent = Agent::Picket.executable()?;
    let agent = agent.to_str().context("the path of the agent is not UTF-8")?;
    node.check(&["sh", "-c", BUILT_IN, "links", agent])?;
    let run = |line: &str| node.run(&["sh", "-c", &format!("export HOME=/run/shells; {line}")]);
    let lines = [
        ("pcs resource create box ocf:picket:container image=app:1 run_opts='-p 80:80'", "box"),
        ("pcs resource create port ocf:picket:probe check=tcp target=localhost:80", "port"),
        ("pcs resource create load ocf:picket:health", "load"),
        ("crm configure primitive box ocf:picket:container params image=app:1 reuse=yes", "box"),
        ("crm configure primitive port ocf:picket:probe params check=tcp target=localhost:80", "port"),
    ];
    for (line, id) in lines {
        let output = run(line)?;
        ensure!(output.status.success(), "{line}: {}{}", output.stdout, output.stderr);
        taken_out(node, id)?;
    }
    let wrong = run("pcs resource create box ocf:picket:container image=app:1 nonsense=1")?;
    let figure = format!(
        "{} accepted; an unknown parameter: {}",
        lines.len(),
        wrong.stderr.split(',').next().unwrap_or_default()
    );
    Ok(Finding { figure, holds: !wrong.status.success() && wrong.stderr.contains("nonsense") })
}

fn compare(cluster: &Cluster, arguments: &str, id: &str) -> Result<Finding> {
    let node = &cluster.nodes()[0];
    let written = |format: &str| {
        let words: Vec<_> = ["guest"].into_iter().chain(arguments.split_whitespace()).collect();
        picketctl(node, &[&words[..], &["--format", format]].concat())
    };
    let xml = written("xml")?;
    cluster.create("resources", xml.trim())?;
    let expected = taken_out(node, id)?;
    ensure!(expected == Tree::parse(&xml)?, "the cluster made something else of {xml}");
    let mut differences = Vec::new();
    for shell in ["pcs", "crmsh"] {
        let line = written(shell)?;
        // A home of its own: the shells write into it.
        let script = format!("export HOME=/run/shells; {line}");
        node.check(&["sh", "-c", &script]).with_context(|| line.clone())?;
        let made = taken_out(node, id)?;
        if made != expected {
            differences.push(format!("{shell} made {made:?} in place of {expected:?}"));
        }
    }
    let figure = if differences.is_empty() {
        "pcs, crmsh and XML: the same".to_owned()
    } else {
        differences.join("; ")
    };
    Ok(Finding { figure, holds: differences.is_empty() })
}

/// A resource of the configuration, which is removed.
fn taken_out(node: &Host, id: &str) -> Result<Tree> {
    let path = format!("//resources/*[@id='{id}']");
    let xml = node.check(&["cibadmin", "--query", "--xpath", &path])?;
    node.check(&["cibadmin", "--delete", "--force", "--xpath", &path])?;
    Tree::parse(&xml)
}

/// An element, without the order of what is in it, and without the ids that a tool makes up.
#[derive(Debug, Default, Eq, Ord, PartialEq, PartialOrd)]
struct Tree {
    name: String,
    attributes: BTreeMap<String, String>,
    children: Vec<Tree>,
}

impl Tree {
    fn parse(xml: &str) -> Result<Self> {
        let mut reader = Reader::from_str(xml);
        let mut open = vec![Self::default()];
        loop {
            match reader.read_event().context("parse the configuration")? {
                Event::Start(element) => open.push(Self::of(&element, open.len() == 1)?),
                Event::Empty(element) => {
                    let tree = Self::of(&element, open.len() == 1)?;
                    open.last_mut().context("an element outside")?.children.push(tree);
                }
                Event::End(_) => {
                    let mut tree = open.pop().context("an end without a start")?;
                    tree.children.sort();
                    open.last_mut().context("an end without a start")?.children.push(tree);
                }
                Event::Eof => break,
                _ => {}
            }
        }
        let mut roots = open.pop().map(|tree| tree.children).unwrap_or_default();
        ensure!(roots.len() == 1 && open.is_empty(), "not one element: {xml}");
        roots.pop().context("one element")
    }

    fn of(element: &BytesStart, is_root: bool) -> Result<Self> {
        let mut attributes = BTreeMap::new();
        for attribute in element.attributes() {
            let attribute = attribute?;
            let name = attribute.key.as_ref().to_owned();
            if is_root || name != "id" {
                attributes.insert(name, attribute.normalized_value(XmlVersion::Implicit1_0)?.into_owned());
            }
        }
        Ok(Self { name: element.name().as_ref().to_owned(), attributes, children: Vec::new() })
    }
}
