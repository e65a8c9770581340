//! The connection to the system bus: one for all units, made when it is first needed, made again when it is lost.
//! [`Owner`] owns it; everybody else asks for it through [`Systemd`] and hears of what happens on it as [`Signal`]s.

use std::future::poll_fn;
use std::num::NonZeroUsize;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use futures_core::Stream as _;
use tokio::sync::{broadcast, mpsc, oneshot};
use tokio::time::timeout;

use zbus::{Connection, Message, MessageStream, OwnedObjectPath, connection};

use super::error::ManagerError;
use super::reload::ReloadAsk;

/// The manager's bus name.
pub(super) const NAME: &str = "org.freedesktop.systemd1";

/// How long a bus may take to accept a connection.
const CONNECT: Duration = Duration::from_secs(5);

/// Signals kept for a slow listener, which finds out by itself what it has missed.
const BACKLOG: usize = 256;

/// Signals that the connection is to deliver besides those of single units.
const RULES: [&str; 2] = [
    "type='signal',sender='org.freedesktop.systemd1',path='/org/freedesktop/systemd1',\
     interface='org.freedesktop.systemd1.Manager',member='JobRemoved'",
    "type='signal',sender='org.freedesktop.DBus',path='/org/freedesktop/DBus',\
     interface='org.freedesktop.DBus',member='NameOwnerChanged',arg0='org.freedesktop.systemd1'",
];

/// What happens on the bus.
#[derive(Clone, Debug)]
pub(super) enum Signal {
    /// The manager is (again) on the bus.
    Appeared,
    /// A watched unit has changed.
    Changed {
        /// Its object.
        path: String,
    },
    /// A job is over.
    JobRemoved {
        /// Its object.
        job: String,
        /// `done`, `failed`, ...
        result: String,
    },
    /// The connection is gone, and what was watched with it.
    Lost,
}

type Ask = oneshot::Sender<Result<Connection, String>>;
/// The way to systemd's manager.
#[derive(Clone, Debug)]
pub struct Systemd {
    asks: mpsc::Sender<Ask>,
    pub(super) reloads: mpsc::UnboundedSender<ReloadAsk>,
    signals: broadcast::Sender<Signal>,
    /// The bus was there before.
    pub(super) bus_known: Arc<AtomicBool>,
    /// The manager has answered before.
    pub(super) manager_known: Arc<AtomicBool>,
}

/// Owns the connection; to be run by one task as long as there is an agent.
#[derive(Debug)]
pub struct Owner {
    wire: Wire,
    systemd: Systemd,
    reloads: mpsc::UnboundedReceiver<ReloadAsk>,
}

#[derive(Debug)]
struct Wire {
    asks: mpsc::Receiver<Ask>,
    signals: broadcast::Sender<Signal>,
    connected: Option<(Connection, MessageStream)>,
}

impl Systemd {
    /// A way that leads nowhere until its owner runs.
    #[must_use]
    pub fn new() -> (Self, Owner) {
        let (ask, asks) = mpsc::channel(1);
        let (reload, reloads) = mpsc::unbounded_channel();
        let signals = broadcast::Sender::new(BACKLOG);
        let systemd = Self {
            asks: ask,
            reloads: reload,
            signals: signals.clone(),
            bus_known: Arc::default(),
            manager_known: Arc::default(),
        };
        let wire = Wire { asks, signals, connected: None };
        (systemd.clone(), Owner { wire, systemd, reloads })
    }

    /// Everything that happens from now on.
    pub(super) fn listen(&self) -> broadcast::Receiver<Signal> {
        self.signals.subscribe()
    }

    /// The connection, made where there is none.
    pub(super) async fn connection(&self) -> Result<Connection, ManagerError> {
        let gone = || ManagerError::NoBus("the agent is stopping".to_owned());
        let (ask, answer) = oneshot::channel();
        self.asks.send(ask).await.map_err(|_| gone())?;
        let connection = answer.await.map_err(|_| gone())?.map_err(ManagerError::NoBus)?;
        self.bus_known.store(true, Ordering::Relaxed);
        Ok(connection)
    }

    /// The manager has answered, be it with a refusal.
    pub(super) fn answered(&self) {
        self.manager_known.store(true, Ordering::Relaxed);
    }
}

impl Owner {
    /// Serves whoever asks.
    pub async fn run(self) {
        let Self { mut wire, systemd, mut reloads } = self;
        tokio::join!(wire.run(), systemd.carry_out_reloads(&mut reloads));
    }
}

impl Wire {
    async fn run(&mut self) {
        loop {
            tokio::select! {
                ask = self.asks.recv() => {
                    let Some(ask) = ask else { return };
                    // Whoever asked may have been killed meanwhile.
                    let _ = ask.send(self.connection().await);
                }
                message = next(&mut self.connected) => match message {
                    Some(message) => self.publish(&message),
                    None => self.lost(),
                },
            }
        }
    }

    async fn connection(&mut self) -> Result<Connection, String> {
        if let Some((connection, _)) = &self.connected
            && !connection.is_closed()
        {
            return Ok(connection.clone());
        }
        self.lost();
        let (connection, stream) = match timeout(CONNECT, connect()).await {
            Ok(made) => made.map_err(|error| error.to_string())?,
            Err(_) => return Err(format!("no answer within {} s", CONNECT.as_secs())),
        };
        tracing::debug!("connected to the system bus");
        self.connected = Some((connection.clone(), stream));
        Ok(connection)
    }

    fn lost(&mut self) {
        if self.connected.take().is_some() {
            tracing::info!("the connection to the system bus is lost");
            self.tell(Signal::Lost);
        }
    }

    fn publish(&self, message: &Message) {
        let header = message.header();
        let (path, body) = (header.path(), message.body());
        match header.member().map(zbus::names::MemberName::as_str) {
            Some("JobRemoved") => {
                if let Ok((_, job, _, result)) = body.deserialize::<(u32, OwnedObjectPath, String, String)>()
                {
                    self.tell(Signal::JobRemoved { job: job.to_string(), result });
                }
            }
            Some("NameOwnerChanged") => {
                let owners = body.deserialize::<(String, String, String)>();
                if owners.is_ok_and(|(name, _, new)| name == NAME && !new.is_empty()) {
                    self.tell(Signal::Appeared);
                }
            }
            Some("PropertiesChanged") => {
                if let Some(path) = path {
                    self.tell(Signal::Changed { path: path.to_string() });
                }
            }
            _ => {}
        }
    }

    fn tell(&self, signal: Signal) {
        // Nobody may be listening.
        let _ = self.signals.send(signal);
    }
}

/// The next message; `None` where the connection has ended. Waits for ever where there is none.
async fn next(connected: &mut Option<(Connection, MessageStream)>) -> Option<Message> {
    match connected {
        Some((_, stream)) => poll_fn(|context| Pin::new(&mut *stream).poll_next(context)).await?.ok(),
        None => std::future::pending().await,
    }
}

async fn connect() -> zbus::Result<(Connection, MessageStream)> {
    let queue = NonZeroUsize::new(BACKLOG).expect("not zero");
    let connection = connection::Builder::system().max_queued(queue).build().await?;
    let stream = MessageStream::from(&connection);
    for rule in RULES {
        add_match(&connection, rule).await?;
    }
    Ok((connection, stream))
}

pub(super) async fn add_match(connection: &Connection, rule: &str) -> zbus::Result<()> {
    match_call(connection, "AddMatch", rule).await
}

pub(super) async fn remove_match(connection: &Connection, rule: &str) -> zbus::Result<()> {
    match_call(connection, "RemoveMatch", rule).await
}

async fn match_call(connection: &Connection, method: &str, rule: &str) -> zbus::Result<()> {
    let bus = "org.freedesktop.DBus";
    connection.call_method(Some(bus), "/org/freedesktop/DBus", Some(bus), method, &rule).await.map(drop)
}
