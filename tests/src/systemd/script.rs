//! A manager that follows a script: what it does with a unit is in the unit's name.

use std::collections::BTreeMap;
use std::future::poll_fn;
use std::path::PathBuf;
use std::pin::Pin;
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::JoinHandle;
use std::time::Duration;

use anyhow::{Result, anyhow};
use futures_core::Stream as _;
use tokio::sync::oneshot;
use zbus::message::{Header, Type};
use zbus::{Connection, Message, MessageStream, ObjectPath, Variant, connection};

const NAME: &str = "org.freedesktop.systemd1";
const MANAGER: &str = "/org/freedesktop/systemd1";
const INTERFACE: &str = "org.freedesktop.systemd1.Manager";

/// How long the manager stays away where its script says so; systemd needs about as long to execute itself.
const AWAY: Duration = Duration::from_millis(400);

/// How long a job takes.
const JOB: Duration = Duration::from_millis(60);

/// A scripted manager on a bus.
pub(super) struct Manager {
    calls: Arc<Mutex<Vec<String>>>,
    stop: Option<oneshot::Sender<()>>,
    thread: Option<JoinHandle<()>>,
}

struct Script {
    calls: Arc<Mutex<Vec<String>>>,
    /// ActiveState of units that have one of their own.
    states: BTreeMap<String, &'static str>,
    jobs: u32,
    /// Units on whose account the manager was away already.
    vanished: Vec<String>,
    /// What is looked at with every `Reload`.
    drop_ins: PathBuf,
}

/// What comes after an answer.
enum Next {
    Vanish,
    Serve,
}

impl Manager {
    /// Serves at the address from now on. `drop_ins` is `/run/systemd/system` of the agent's host.
    pub(super) fn start(address: &str, drop_ins: PathBuf) -> Result<Self> {
        let calls = Arc::new(Mutex::new(Vec::new()));
        let (stop, stopped) = oneshot::channel();
        let (ready, is_ready) = std::sync::mpsc::channel();
        let (address, noted) = (address.to_owned(), calls.clone());
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
        let thread = std::thread::spawn(move || {
            let states = BTreeMap::new();
            let mut script = Script { calls: noted, states, jobs: 0, vanished: Vec::new(), drop_ins };
            runtime.block_on(async {
                tokio::select! {
                    ended = serve(&address, &mut script, &ready) => drop(ready.send(ended)),
                    _ = stopped => {}
                }
            });
        });
        is_ready.recv_timeout(Duration::from_secs(10))??;
        Ok(Self { calls, stop: Some(stop), thread: Some(thread) })
    }

    /// What it was asked since the last look.
    pub(super) fn calls(&self) -> Vec<String> {
        std::mem::take(&mut *self.calls.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

impl Drop for Manager {
    fn drop(&mut self) {
        drop(self.stop.take());
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}

async fn serve(
    address: &str,
    script: &mut Script,
    ready: &std::sync::mpsc::Sender<Result<()>>,
) -> Result<()> {
    loop {
        let connection = connection::Builder::address(address).build().await?;
        let mut stream = MessageStream::from(&connection);
        connection.request_name(NAME).await?;
        // Only the first time somebody waits for it.
        let _ = ready.send(Ok(()));
        loop {
            let message = poll_fn(|context| Pin::new(&mut stream).poll_next(context)).await;
            let message = message.ok_or_else(|| anyhow!("the bus is gone"))??;
            if message.message_type() == Type::MethodCall
                && matches!(script.answer(&connection, &message).await?, Next::Vanish)
            {
                break;
            }
        }
        drop(stream);
        connection.close().await?;
        tokio::time::sleep(AWAY).await;
    }
}

impl Script {
    async fn answer(&mut self, connection: &Connection, message: &Message) -> Result<Next> {
        let header = message.header();
        let method = header.member().map(ToString::to_string).unwrap_or_default();
        let body = message.body();
        let first = || body.deserialize::<(String, String)>().map(|(first, _)| first);
        match method.as_str() {
            "LoadUnit" => {
                let unit = body.deserialize::<String>()?;
                self.note(format!("LoadUnit {unit}"));
                self.load(connection, &header, &unit).await?;
            }
            "Get" => {
                let unit = unit_of(header.path());
                let property = body.deserialize::<(String, String)>()?.1;
                self.note(format!("{property} {unit}"));
                self.get(connection, &header, &unit, &property).await?;
            }
            "StartUnit" | "StopUnit" | "RestartUnit" => {
                let (unit, mode) = body.deserialize::<(String, String)>()?;
                self.note(format!("{method} {unit} {mode}"));
                return self.job(connection, &header, &method, &unit).await;
            }
            "Reload" => {
                let there = self.drop_ins.join("good.service.d/50-pacemaker.conf").exists();
                self.note(format!("Reload, drop-in {}", if there { "there" } else { "gone" }));
                connection.reply(&header, &()).await?;
            }
            "Subscribe" => {
                self.note("Subscribe".to_owned());
                connection.reply(&header, &()).await?;
            }
            _ => {
                self.note(format!("{method} {}", first().unwrap_or_default()));
                let name = "org.freedesktop.DBus.Error.UnknownMethod";
                connection.reply_error(&header, name, &"no such method").await?;
            }
        }
        Ok(Next::Serve)
    }

    async fn load(&mut self, connection: &Connection, header: &Header<'_>, unit: &str) -> Result<()> {
        let refusal = match stem(unit) {
            "missing" => "org.freedesktop.systemd1.NoSuchUnit",
            "unloadable" => "org.freedesktop.systemd1.LoadFailed",
            "denied" => "org.freedesktop.DBus.Error.AccessDenied",
            "mute" => return Ok(()),
            _ => {
                let path = path_of(unit);
                return Ok(connection.reply(header, &ObjectPath::try_from(path.as_str())?).await?);
            }
        };
        Ok(connection.reply_error(header, refusal, &"as the script says").await?)
    }

    async fn get(
        &mut self,
        connection: &Connection,
        header: &Header<'_>,
        unit: &str,
        property: &str,
    ) -> Result<()> {
        let value = match (property, stem(unit)) {
            ("LoadState", "unknown") => Variant::from("not-found"),
            ("LoadState", _) => Variant::from("loaded"),
            ("ActiveState", "garbled") => Variant::from(42_u32),
            ("ActiveState", "stuck") => Variant::from("activating"),
            ("ActiveState", _) => Variant::from(self.states.get(unit).copied().unwrap_or("inactive")),
            // No job outlives the manager's absence, and none is asked for otherwise.
            _ => {
                let name = "org.freedesktop.DBus.Error.UnknownObject";
                return Ok(connection.reply_error(header, name, &"no such object").await?);
            }
        };
        Ok(connection.reply(header, &value).await?)
    }

    async fn job(
        &mut self,
        connection: &Connection,
        header: &Header<'_>,
        method: &str,
        unit: &str,
    ) -> Result<Next> {
        let stem = stem(unit).to_owned();
        if stem == "late-missing" {
            let name = "org.freedesktop.systemd1.NoSuchUnit";
            connection.reply_error(header, name, &"as the script says").await?;
            return Ok(Next::Serve);
        }
        let first = !self.vanished.contains(&stem);
        if stem == "vanishing" && first {
            self.vanished.push(stem);
            return Ok(Next::Vanish);
        }
        self.jobs += 1;
        let (number, path) = (self.jobs, format!("{MANAGER}/job/{}", self.jobs));
        let job = ObjectPath::try_from(path.as_str())?;
        let state = if method == "StopUnit" { "inactive" } else { "active" };
        let removed = |result: &'static str| (number, job.clone(), unit.to_owned(), result);
        if stem == "hasty" {
            // The end comes before the beginning.
            connection.emit_signal(None::<&str>, MANAGER, INTERFACE, "JobRemoved", &removed("done")).await?;
        }
        connection.reply(header, &job).await?;
        if stem == "forgetful" && first {
            self.vanished.push(stem);
            self.states.insert(unit.to_owned(), state);
            return Ok(Next::Vanish);
        }
        let result = match stem.as_str() {
            "fails" => "failed",
            "late" => "timeout",
            "canceled" | "dependency" | "skipped" => ["canceled", "dependency", "skipped"]
                .into_iter()
                .find(|result| *result == stem)
                .unwrap_or_default(),
            "endless" | "hasty" => return Ok(Next::Serve),
            _ => "done",
        };
        tokio::time::sleep(JOB).await;
        if result == "done" {
            self.states.insert(unit.to_owned(), state);
        }
        // Somebody else's first.
        let other = (number + 1000, ObjectPath::try_from("/org/freedesktop/systemd1/job/9")?, "x", "failed");
        connection.emit_signal(None::<&str>, MANAGER, INTERFACE, "JobRemoved", &other).await?;
        connection.emit_signal(None::<&str>, MANAGER, INTERFACE, "JobRemoved", &removed(result)).await?;
        Ok(Next::Serve)
    }

    fn note(&self, call: String) {
        self.calls.lock().unwrap_or_else(PoisonError::into_inner).push(call);
    }
}

fn stem(unit: &str) -> &str {
    unit.split('.').next().unwrap_or_default()
}

fn path_of(unit: &str) -> String {
    let escape =
        |c: char| if c.is_ascii_alphanumeric() { c.to_string() } else { format!("_{:02x}", c as u32) };
    format!("{MANAGER}/unit/{}", unit.chars().map(escape).collect::<String>())
}

fn unit_of(path: Option<&ObjectPath<'_>>) -> String {
    let name = path.and_then(|path| path.as_str().rsplit('/').next()).unwrap_or_default();
    name.replace("_2e", ".").replace("_2d", "-")
}
