//! Time, processor and memory of picket-fence and of Debian's agents, on the same server in the same run.

use std::io::Write;
use std::net::{TcpListener, TcpStream};
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};
use nix::sys::resource::{UsageWho, getrusage};

use super::{Folder, Server, kept, output, program, script};
use crate::report::Finding;

/// Guests of the fake Proxmox VE, and so reboots at a time.
const GUESTS: usize = 100;
/// Runs of which the median is taken.
const RUNS: usize = 25;

/// A fake Proxmox VE with TLS, and both kinds of agents.
pub(super) struct Bench {
    _server: Server,
    folder: Folder,
    port: u16,
    python: PathBuf,
    upstream: PathBuf,
}

#[derive(Clone, Copy)]
enum Whose {
    Ours,
    Theirs,
}

/// What a run costs: the median of the time, the mean of the processor, the most of the memory.
#[derive(Clone, Copy)]
struct Cost {
    wall: Duration,
    cpu: Duration,
    peak_kib: u64,
}

impl std::fmt::Display for Cost {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let ms = |time: Duration| time.as_secs_f64() * 1e3;
        let mb = |kib: u64| kib as f64 / 1024.0;
        write!(f, "{:.1} ms, CPU {:.1} ms, {:.1} MB", ms(self.wall), ms(self.cpu), mb(self.peak_kib))
    }
}

impl Bench {
    pub(super) fn start() -> Result<Self> {
        let venv = |packages: &[&str]| -> Result<PathBuf> {
            let path = kept()?.join(format!("venv-{}", packages[0]));
            output(script("venv").arg(&path).args(packages))?;
            Ok(path)
        };
        let (fakepve, python) = (venv(&["fakepve[crypto]"])?, venv(&["pexpect", "pycurl", "requests"])?);
        let upstream = kept()?.join("upstream");
        // Unpacks it.
        output(script("upstream-metadata").arg(&upstream).arg("fence_pve"))?;
        let folder = Folder::new("bench")?;
        let made = rcgen::generate_simple_self_signed(vec!["127.0.0.1".to_owned()])?;
        std::fs::write(folder.file("cert.pem"), made.cert.pem())?;
        std::fs::write(folder.file("key.pem"), made.signing_key.serialize_pem())?;
        std::os::unix::fs::symlink(program()?, folder.file("fence_pve"))?;
        let port = TcpListener::bind("127.0.0.1:0")?.local_addr()?.port();
        let mut command = script("fakepve");
        command.arg(fakepve).arg(&folder.0).arg(port.to_string()).arg(GUESTS.to_string());
        let ready = || TcpStream::connect(("127.0.0.1", port)).is_ok();
        let server = Server::start(command, &folder.file("log"), ready)?;
        Ok(Self {
            _server: server,
            port,
            python: python.join("bin/python"),
            upstream: upstream.join("root"),
            folder,
        })
    }

    fn command(&self, whose: Whose, peak: Option<&str>) -> Command {
        let words: Vec<PathBuf> = match whose {
            Whose::Ours => vec![self.folder.file("fence_pve")],
            Whose::Theirs => {
                vec![
                    self.python.clone(),
                    "-W".into(),
                    "ignore".into(),
                    self.upstream.join("usr/sbin/fence_pve"),
                ]
            }
        };
        let mut command = match peak {
            None => Command::new(&words[0]),
            Some(file) => {
                let mut time = Command::new("time");
                time.args(["-q", "-f", "%M", "-o"]).arg(self.folder.file(file)).arg(&words[0]);
                time
            }
        };
        command.args(&words[1..]).env("PYTHONPATH", self.upstream.join("usr/share/fence"));
        command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::null());
        command
    }

    fn options(&self, whose: Whose, action: &str, plug: usize) -> String {
        if action == "metadata" {
            return "action=metadata\n".to_owned();
        }
        let trust = match whose {
            Whose::Ours => format!("ca_file={}", self.folder.file("cert.pem").display()),
            Whose::Theirs => "ssl_insecure=1\npve_node_auto=1".to_owned(),
        };
        format!(
            "action={action}\nip=127.0.0.1\nipport={}\npassword=secret\nplug={plug}\n{trust}\n",
            self.port
        )
    }

    fn spawn(&self, whose: Whose, action: &str, plug: usize, peak: Option<&str>) -> Result<Child> {
        let mut child = self.command(whose, peak).spawn().context("start an agent")?;
        let mut stdin = child.stdin.take().context("an agent without stdin")?;
        stdin.write_all(self.options(whose, action, plug).as_bytes())?;
        Ok(child)
    }

    fn end(child: Child) -> Result<()> {
        let output = child.wait_with_output()?;
        ensure!(output.status.success(), "an agent ended with {}", output.status);
        Ok(())
    }

    fn cost(&self, whose: Whose, action: &str) -> Result<Cost> {
        let before = children()?;
        let mut walls = Vec::new();
        for _ in 0..RUNS {
            let started = Instant::now();
            Self::end(self.spawn(whose, action, 101, None)?)?;
            walls.push(started.elapsed());
        }
        let cpu = (children()? - before) / u32::try_from(RUNS)?;
        walls.sort();
        Self::end(self.spawn(whose, action, 101, Some("peak"))?)?;
        Ok(Cost { wall: walls[RUNS / 2], cpu, peak_kib: self.peak("peak")? })
    }

    fn peak(&self, file: &str) -> Result<u64> {
        let text = std::fs::read_to_string(self.folder.file(file))?;
        text.trim().parse().with_context(|| format!("time said '{}'", text.trim()))
    }

    /// Aims: 3 ms and 6 MB.
    pub(super) fn metadata(&self) -> Result<Finding> {
        let (ours, theirs) = (self.cost(Whose::Ours, "metadata")?, self.cost(Whose::Theirs, "metadata")?);
        let holds = ours.wall <= Duration::from_millis(3) && ours.peak_kib <= 6 * 1024;
        Ok(Finding { figure: format!("{ours}; Debian's {theirs}"), holds })
    }

    /// Aim: a tenth of the processor, over HTTPS.
    pub(super) fn status(&self) -> Result<Finding> {
        let (ours, theirs) = (self.cost(Whose::Ours, "status")?, self.cost(Whose::Theirs, "status")?);
        let ratio = theirs.cpu.as_secs_f64() / ours.cpu.as_secs_f64().max(1e-6);
        Ok(Finding {
            figure: format!("{ours}; Debian's {theirs}; CPU ratio {ratio:.1}"),
            holds: ratio >= 10.0,
        })
    }

    pub(super) fn eight_at_once(&self) -> Result<Finding> {
        let together = |whose| -> Result<(Duration, Duration)> {
            let (before, started) = (children()?, Instant::now());
            let running: Vec<Child> =
                (0..8).map(|_| self.spawn(whose, "status", 101, None)).collect::<Result<_>>()?;
            for child in running {
                Self::end(child)?;
            }
            Ok((started.elapsed(), children()? - before))
        };
        let ((wall, cpu), (their_wall, their_cpu)) = (together(Whose::Ours)?, together(Whose::Theirs)?);
        let ms = |time: Duration| time.as_secs_f64() * 1e3;
        let figure = format!(
            "{:.0} ms, CPU {:.0} ms; Debian's {:.0} ms, CPU {:.0} ms",
            ms(wall),
            ms(cpu),
            ms(their_wall),
            ms(their_cpu)
        );
        Ok(Finding { figure, holds: cpu * 10 <= their_cpu && wall < their_wall })
    }

    /// All succeed, and none needs more memory than one alone does, give or take a tenth.
    pub(super) fn reboots(&self) -> Result<Finding> {
        Self::end(self.spawn(Whose::Ours, "reboot", 101, Some("alone"))?)?;
        let alone = self.peak("alone")?;
        let started = Instant::now();
        let running: Vec<Child> = (1..=GUESTS)
            .map(|n| self.spawn(Whose::Ours, "reboot", 100 + n, Some(&format!("peak-{n}"))))
            .collect::<Result<_>>()?;
        let mut failed = 0;
        for child in running {
            let output = child.wait_with_output()?;
            failed += usize::from(output.stdout != b"Success: Rebooted\n");
        }
        let took = started.elapsed();
        let peaks: Vec<u64> = (1..=GUESTS).map(|n| self.peak(&format!("peak-{n}"))).collect::<Result<_>>()?;
        let most = peaks.iter().copied().max().unwrap_or_default();
        let mb = |kib: u64| kib as f64 / 1024.0;
        let figure = format!(
            "{} of {GUESTS} in {:.1} s, peak {:.1} MB alone and {:.1} MB at most",
            GUESTS - failed,
            took.as_secs_f64(),
            mb(alone),
            mb(most)
        );
        Ok(Finding { figure, holds: failed == 0 && most * 10 <= alone * 11 })
    }
}

/// Processor time of all children that have been waited for.
fn children() -> Result<Duration> {
    let usage = getrusage(UsageWho::RUSAGE_CHILDREN)?;
    let time = |value: nix::sys::time::TimeVal| {
        Duration::from_micros(u64::try_from(value.tv_sec() * 1_000_000 + value.tv_usec()).unwrap_or_default())
    };
    Ok(time(usage.user_time()) + time(usage.system_time()))
}
