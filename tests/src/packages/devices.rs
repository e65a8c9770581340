//! The devices that `docs/fencing.md` shows: each is what the agent and pcs take, and one of them fences.

use std::fs;
use std::io::Write as _;
use std::path::PathBuf;
use std::process::{Command, Stdio};
use std::thread;
use std::time::Duration;

use anyhow::{Context, Result, bail, ensure};

use super::document::{Step, read, section};
use super::platform::{ADDRESS, FOLDER, Platform, files};
use super::{Packages, run};
use crate::cluster::Cluster;
use crate::pki::Ca;
use crate::report::{Finding, Report};
use crate::scratch::Scratch;

const DOCUMENT: &str = "docs/fencing.md";
const HEADING: &str = "## A device for each platform";
const SOON: Duration = Duration::from_secs(90);

/// A device as the document creates it.
#[derive(Debug)]
struct Device {
    id: String,
    agent: String,
    parameters: Vec<(String, String)>,
}

impl Device {
    /// What a shell makes of the command.
    fn parse(step: &Step) -> Result<Self> {
        let script = format!("pcs() {{ printf '%s\\n' \"$@\"; }}; {}", step.command);
        let words = run(Command::new("sh").args(["-ec", &script]))?;
        let mut words = words.lines().map(str::to_owned);
        let start = [words.next(), words.next()].map(Option::unwrap_or_default);
        ensure!(start == ["stonith", "create"], "{} creates no device", step.command);
        let (id, agent) = words.next().zip(words.next()).context("it has a name and an agent")?;
        let pair = |word: String| {
            let pair = word.split_once('=').map(|(key, value)| (key.to_owned(), value.to_owned()));
            pair.with_context(|| format!("{id}: '{word}' is no parameter"))
        };
        let parameters = words.map(pair).collect::<Result<_>>()?;
        Ok(Self { id, agent, parameters })
    }
}

fn documented() -> Result<Vec<(Step, Device)>> {
    let steps = section(&read(DOCUMENT)?, HEADING);
    steps.into_iter().map(|step| Device::parse(&step).map(|device| (step, device))).collect()
}

/// The programs of the package, and the files that the document speaks of.
struct Fixture {
    scratch: Scratch,
    /// Signs what stands at [`ADDRESS`].
    ca: Ca,
}

impl Fixture {
    fn new(packages: &Packages) -> Result<Self> {
        let fixture = Self { scratch: Scratch::new()?, ca: Ca::new()? };
        let tree = fixture.scratch.folder().join("tree");
        run(Command::new("dpkg-deb").arg("--extract").arg(packages.deb("picket-fence")?).arg(tree))?;
        let folder = fixture.folder();
        fs::create_dir(&folder)?;
        for (name, text) in fixture.files()? {
            fs::write(folder.join(name), text)?;
        }
        Ok(fixture)
    }

    fn program(&self, name: &str) -> PathBuf {
        self.scratch.folder().join("tree/usr/sbin").join(name)
    }

    fn folder(&self) -> PathBuf {
        self.scratch.folder().join("fence")
    }

    fn files(&self) -> Result<[(&'static str, String); 7]> {
        let [ca, cert, key] = files(&self.ca)?;
        let kubeconfig = format!(
            "apiVersion: v1\nkind: Config\ncurrent-context: c\n\
             contexts: [{{name: c, context: {{cluster: c, user: u}}}}]\n\
             clusters: [{{name: c, cluster: {{server: 'https://{ADDRESS}:6443'}}}}]\n\
             users: [{{name: u, user: {{token: t}}}}]\n"
        );
        let openrc = format!(
            "export OS_AUTH_URL=https://{ADDRESS}:5000/v3\nexport OS_USERNAME=fence\nexport OS_PASSWORD=secret\n\
             export OS_PROJECT_NAME=cluster\nexport OS_USER_DOMAIN_NAME=Default\n"
        );
        Ok([
            ca,
            cert,
            key,
            ("kubeconfig", kubeconfig),
            ("openrc", openrc),
            ("password", "secret\n".to_owned()),
            ("fence_xvm.key", "secret\n".to_owned()),
        ])
    }

    /// Runs an agent as the fencer does, where there is no network. What it prints, and what it complains of.
    fn ask(&self, agent: &str, lines: &str) -> Result<(String, String)> {
        let program = self.program(agent);
        ensure!(program.exists(), "there is no {agent}");
        let mut child = Command::new("timeout");
        child.args(["--kill-after=1", "60", "unshare", "--net", "--"]).arg(&program);
        child.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
        let mut child = child.spawn().with_context(|| format!("run {}", program.display()))?;
        child.stdin.take().context("stdin is piped")?.write_all(lines.as_bytes())?;
        let output = child.wait_with_output()?;
        let text = |bytes: Vec<u8>| String::from_utf8_lossy(&bytes).into_owned();
        Ok((text(output.stdout), text(output.stderr)))
    }

    /// The agent has every parameter, takes every value and goes on to its platform, which is not there.
    fn takes(&self, device: &Device) -> Result<()> {
        let (metadata, _) = self.ask(&device.agent, "action=metadata\n")?;
        for name in required(&metadata) {
            // pcs insists on them, also where there is a default.
            ensure!(device.parameters.iter().any(|(key, _)| key == name), "{name} is required");
        }
        let mut lines = "action=validate-all\noutput=json\nlogin_timeout=1\n".to_owned();
        for (key, value) in &device.parameters {
            let known = |line: &str| line.trim_start().starts_with(&format!("<parameter name=\"{key}\" "));
            match (metadata.lines().find(|line| known(line)), key.as_str()) {
                (Some(line), _) => ensure!(!line.contains("deprecated="), "{key} is an old name"),
                // The fencer's own.
                (None, "pcmk_host_map" | "pcmk_host_list") => {}
                (None, _) => bail!("{key} is not in its metadata"),
            }
            let value = value.replace(FOLDER, &self.folder().display().to_string());
            lines += &format!("{key}={value}\n");
        }
        let (stdout, stderr) = self.ask(&device.agent, &lines)?;
        ensure!(!stderr.contains("Parse error"), "{}", stderr.trim());
        // An engine's socket may be there and answer.
        let is_taken = stdout.contains(r#""error":{"kind":"unreachable""#) || stdout.contains(r#""exit":0"#);
        ensure!(is_taken, "{}{}", stdout.trim(), stderr.trim());
        Ok(())
    }
}

/// What pcs has to be given: the fencer gives the action and the machine itself.
fn required(metadata: &str) -> impl Iterator<Item = &str> {
    let rows = metadata.lines().filter_map(|line| line.trim_start().strip_prefix("<parameter name=\""));
    let rows = rows.filter(|row| row.contains("required=\"1\"") && !row.contains("deprecated="));
    rows.filter_map(|row| row.split('"').next()).filter(|name| !matches!(*name, "action" | "plug"))
}

/// Every device of the document, without its platform.
pub fn tried(packages: &Packages) -> Report {
    let mut report = Report::default();
    let mut fixture = None;
    report.step("the document shows a device of every agent", || {
        let fixture = fixture.insert(Fixture::new(packages)?);
        let devices = documented()?;
        let table = run(Command::new(fixture.program("picket-fence")).arg("--help"))?;
        let rows: Vec<_> = table.lines().filter_map(|line| line.strip_prefix("  fence_")).collect();
        let shown = |row: &&str| {
            let name = row.split([',', ' ']).next().unwrap_or_default();
            devices.iter().any(|(_, device)| device.agent == format!("fence_picket_{name}"))
        };
        let missing: Vec<_> = rows.iter().copied().filter(|row| !shown(row)).collect();
        let figure = format!("{} devices for {} agents; {missing:?} missing", devices.len(), rows.len());
        Ok(Finding { figure, holds: missing.is_empty() && rows.len() >= 14 })
    });
    let Some(fixture) = fixture else { return report };
    report.step("every agent has the parameters and takes their values", || {
        let devices = documented()?;
        let wrong: Vec<_> = thread::scope(|scope| {
            let each: Vec<_> =
                devices.iter().map(|(_, device)| (device, scope.spawn(|| fixture.takes(device)))).collect();
            let ended = each.into_iter().map(|(device, thread)| (device, thread.join()));
            ended
                .filter_map(|(device, result)| match result {
                    Ok(Ok(())) => None,
                    Ok(Err(error)) => Some(format!("{}: {error:#}", device.id)),
                    Err(_) => Some(format!("{}: the check panicked", device.id)),
                })
                .collect()
        });
        Ok(Finding {
            figure: format!("{} of {} wrong {}", wrong.len(), devices.len(), wrong.join("; ")),
            holds: wrong.is_empty(),
        })
    });
    report.step("a wrong value, an unknown parameter and a missing one are noticed", || {
        let device = |parameters: &[(&str, &str)]| Device {
            id: "wrong".into(),
            agent: "fence_picket_pve".into(),
            parameters: parameters.iter().map(|(key, value)| ((*key).into(), (*value).into())).collect(),
        };
        let good = [("ip", ADDRESS), ("username", "u"), ("password", "p"), ("vmtype", "qemu")];
        fixture.takes(&device(&good))?;
        let wrongs = [
            ("ipport", "many"),
            ("method", "ask"),
            ("ssl", "perhaps"),
            ("nonsense", "1"),
            ("ca_file", "/none"),
        ];
        let taken: Vec<_> = wrongs
            .iter()
            .filter(|wrong| fixture.takes(&device(&[&good[..], &[**wrong]].concat())).is_ok())
            .collect();
        let needs = fixture.takes(&device(&good[1..])).is_err();
        Ok(Finding {
            figure: format!("{} noticed, not {taken:?}", wrongs.len() + 1),
            holds: taken.is_empty() && needs,
        })
    });
    report
}

/// A cluster, and a Docker Engine at the document's address with the machines vm1 and vm2.
struct Stage {
    cluster: Cluster,
    platform: Platform,
    _fixture: Fixture,
}

impl Stage {
    fn new(packages: &Packages) -> Result<Self> {
        let fixture = Fixture::new(packages)?;
        let cluster = Cluster::start(1)?;
        let platform = Platform::start(cluster.network(), &fixture.ca)?;
        let node = cluster.node("node1")?;
        node.check(&["ip", "route", "add", ADDRESS, "via", &platform.gateway()])?;
        for (name, text) in fixture.files()? {
            node.write(&format!("{FOLDER}/{name}"), &text)?;
        }
        let links = "ln -s \"$1\"/fence_picket_* /usr/sbin/ && mkdir -p /run/shells /var/log/pcsd";
        let folder = fixture.program("");
        node.check(&["sh", "-c", links, "links", folder.to_str().context("the path is UTF-8")?])?;
        Ok(Self { cluster, platform, _fixture: fixture })
    }

    fn play(&self, step: &Step) -> Result<()> {
        ensure!(step.place == "node1", "the test knows no place '{}'", step.place);
        // pcs writes into its home.
        let script = format!("export HOME=/run/shells; {}", step.command);
        let output = self.cluster.node("node1")?.run_within(SOON, &["sh", "-c", &script])?;
        ensure!(output.status.success(), "{}: {}{}", step.command, output.stdout, output.stderr);
        Ok(())
    }
}

/// The document's commands in a cluster: pcs takes all of them, and Docker's fences.
pub fn used(packages: &Packages) -> Report {
    let mut report = Report::default();
    let mut stage = None;
    report.step("a cluster, and a Docker Engine at the document's address", || {
        let stage = stage.insert(Stage::new(packages)?);
        Ok(Finding::good(format!(
            "{} as vm1, {} as vm2",
            stage.platform.process("vm1")?,
            stage.platform.process("vm2")?
        )))
    });
    let Some(stage) = stage else { return report };
    if !report.step("pcs takes every command", || created(&stage)) {
        return report;
    }
    report.step("Docker's device fences node2, which is vm2, and nothing else", || fenced(&stage));
    report
}

fn created(stage: &Stage) -> Result<Finding> {
    // Their platforms are not there: nothing is to start.
    stage.cluster.run(&["crm_attribute", "--name", "maintenance-mode", "--update", "true"])?;
    let devices = documented()?;
    for (step, device) in &devices {
        stage.play(step)?;
        let path =
            format!("//primitive[@id='{}' and @class='stonith' and @type='{}']", device.id, device.agent);
        stage.cluster.run(&["cibadmin", "--query", "--xpath", &path])?;
        stage.cluster.run(&["cibadmin", "--delete", "--force", "--xpath", &path])?;
    }
    let wrong = Step {
        place: "node1".into(),
        command: "pcs stonith create x fence_picket_pve ip=h nonsense=1".into(),
    };
    let refused = stage.play(&wrong).is_err();
    stage.cluster.run(&["crm_attribute", "--name", "maintenance-mode", "--delete"])?;
    Ok(Finding {
        figure: format!("{} commands; an unknown parameter is refused", devices.len()),
        holds: refused,
    })
}

fn fenced(stage: &Stage) -> Result<Finding> {
    let devices = documented()?;
    let docker = devices.iter().find(|(_, device)| device.agent == "fence_picket_docker");
    let (step, device) = docker.context("Docker has a device")?;
    stage.play(step)?;
    stage
        .cluster
        .wait("the device is started", SOON, |status| status.node_of(&device.id, "Started").is_some())?;
    let found = stage.platform.rebooted(|| {
        stage.cluster.run(&["stonith_admin", "--reboot", "node2", "--timeout", "60"]).map(drop)
    })?;
    let record = stage.cluster.fencing().record().len();
    Ok(Finding { holds: found.holds && record == 0, ..found })
}
