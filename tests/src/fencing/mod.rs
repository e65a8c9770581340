//! Fencing that is real inside the harness: a fence agent on the hosts, and the power switch behind it.
//!
//! The agent exists only in the hosts' `/usr/sbin`. It passes each request through a socket to this process, which
//! crashes or boots the host, confirms, and keeps a record. So a cluster runs with `stonith-enabled=true`, and a test
//! can say who was fenced and who never was.

use std::fmt;
use std::io::{BufRead, BufReader, Write};
use std::os::unix::net::{UnixListener, UnixStream};
use std::path::PathBuf;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::JoinHandle;
use std::time::SystemTime;

use anyhow::{Context, Result, anyhow};

use crate::host::Host;
use crate::network::Network;

const AGENT: &str = include_str!("fence_picket_harness.py");

/// What a request asks for, in the words of fence agents.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Power {
    /// Power off.
    Off,
    /// Power on; what is enabled on the host starts.
    On,
    /// Off, then on.
    Reboot,
}

/// One request that changed, or should have changed, the power of a host.
#[derive(Clone, Debug)]
pub struct Fenced {
    /// When it came.
    pub at: SystemTime,
    /// What it asked for.
    pub action: Power,
    /// Whose power.
    pub target: String,
    /// The host whose fence agent asked.
    pub by: String,
}

impl fmt::Display for Fenced {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let action = match self.action {
            Power::Off => "off",
            Power::On => "on",
            Power::Reboot => "reboot",
        };
        write!(f, "{action} of {} by {}", self.target, self.by)
    }
}

/// The power switch of a cluster.
pub struct Fencing {
    switch: Arc<Switch>,
    socket: PathBuf,
    listener: Option<JoinHandle<()>>,
}

/// What the thread that serves requests shares with the owner.
struct Switch {
    hosts: Mutex<Vec<Arc<Host>>>,
    record: Mutex<Vec<Fenced>>,
    closed: AtomicBool,
}

impl Fencing {
    /// A switch without plugs.
    pub(crate) fn new(network: &Network) -> Result<Self> {
        let socket = network.scratch().folder().join("fencing.sock");
        let listener =
            UnixListener::bind(&socket).with_context(|| format!("listen on {}", socket.display()))?;
        let switch = Arc::new(Switch {
            hosts: Mutex::default(),
            record: Mutex::default(),
            closed: AtomicBool::new(false),
        });
        let serving = Arc::clone(&switch);
        let listener = std::thread::spawn(move || serving.serve(&listener));
        Ok(Self { switch, socket, listener: Some(listener) })
    }

    /// Gives `host` a plug, and the agent.
    pub(crate) fn add(&self, host: &Arc<Host>) -> Result<()> {
        let socket =
            self.socket.to_str().with_context(|| format!("{} is not UTF-8", self.socket.display()))?;
        host.write("/usr/sbin/fence_picket_harness", &AGENT.replace("@SOCKET@", socket))?;
        self.switch.hosts.lock().unwrap_or_else(PoisonError::into_inner).push(Arc::clone(host));
        Ok(())
    }

    /// Every request so far.
    pub fn record(&self) -> Vec<Fenced> {
        self.switch.record.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// The requests against `target`.
    pub fn against(&self, target: &str) -> Vec<Fenced> {
        self.record().into_iter().filter(|fenced| fenced.target == target).collect()
    }
}

impl Drop for Fencing {
    fn drop(&mut self) {
        self.switch.closed.store(true, Ordering::Release);
        // Wakes the thread from its accept.
        drop(UnixStream::connect(&self.socket));
        if let Some(listener) = self.listener.take() {
            let _ = listener.join();
        }
    }
}

impl Switch {
    fn serve(self: Arc<Self>, listener: &UnixListener) {
        // One at a time, as many a real device: a node that boots does so in a fraction of a second.
        for stream in listener.incoming() {
            if self.closed.load(Ordering::Acquire) {
                return;
            }
            let Ok(stream) = stream else { continue };
            let answer = match self.answer(&stream) {
                Ok(answer) => format!("ok {answer}\n"),
                Err(e) => format!("error {e:#}\n"),
            };
            // An agent that is gone has nobody to tell; the cluster asks again.
            let _ = (&stream).write_all(answer.as_bytes());
        }
    }

    fn answer(&self, stream: &UnixStream) -> Result<String> {
        let mut line = String::new();
        BufReader::new(stream).read_line(&mut line).context("read the request")?;
        let [by, action, target] = line.split_whitespace().collect::<Vec<_>>()[..] else {
            return Err(anyhow!("request '{}' is not 'HOST ACTION TARGET'", line.trim()));
        };
        match action {
            "list" => return Ok(self.names().join(" ")),
            "monitor" => return Ok(String::new()),
            "status" => return Ok(if self.host(target)?.is_up() { "on" } else { "off" }.into()),
            _ => {}
        }

        let action = match action {
            "off" => Power::Off,
            "on" => Power::On,
            "reboot" => Power::Reboot,
            other => return Err(anyhow!("no action '{other}'")),
        };
        let fenced = Fenced { at: SystemTime::now(), action, target: target.into(), by: by.into() };
        self.record.lock().unwrap_or_else(PoisonError::into_inner).push(fenced);

        let host = self.host(target)?;
        if action != Power::On {
            host.crash();
        }
        if action != Power::Off {
            host.boot()?;
        }
        Ok(String::new())
    }

    fn host(&self, name: &str) -> Result<Arc<Host>> {
        let hosts = self.hosts.lock().unwrap_or_else(PoisonError::into_inner);
        hosts
            .iter()
            .find(|host| host.name() == name)
            .cloned()
            .with_context(|| format!("no host '{name}' has a plug"))
    }

    fn names(&self) -> Vec<String> {
        let hosts = self.hosts.lock().unwrap_or_else(PoisonError::into_inner);
        hosts.iter().map(|host| host.name().to_string()).collect()
    }
}
