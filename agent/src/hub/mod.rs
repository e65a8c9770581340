//! The one task that owns everything: clients, resources, running agents.
//!
//! Connections and runs send it [`Event`]s; it answers through each client's outbox. It never waits for a client,
//! a child or a disk, so that a poke is answered whatever else goes on: a late one costs the node.
//!
//! ```text
//!                SIGTERM, a cluster is connected           last provider left, or nack
//!   Serving ------------------------------------> Leaving -----------------------------> exit 0
//!      |  SIGTERM, no cluster: exit 0;  watchdog check failed: exit 100
//! ```

mod clients;
mod requests;
mod sessions;

use std::collections::BTreeMap;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use picket_proto::frame::Frame;
use picket_proto::incoming::{Incoming, MessageError};
use picket_proto::notification::Notification;
use picket_proto::outcome::{ExecStatus, OcfRc, Outcome};
use picket_proto::proxy::{ProxyMessage, ProxyOp};
use picket_proto::xml::Element;
use tokio::sync::{mpsc, oneshot};

use crate::alert::Alerts;
use crate::class::systemd::Systemd;
use crate::class::{self, Operation, Surroundings};
use crate::config::Config;
use crate::executor::{ClientId, Effect, Executor, KillScope, Now, RunId};
use crate::ipc::LocalEvent;
use crate::schemas::Schemas;
use crate::watchdog::WatchdogError;
use crate::wire::tls::Role;
use clients::Clients;
pub use clients::Way;
use sessions::Sessions;

/// How long the last steps may take.
const WIND_DOWN: Duration = Duration::from_secs(1);

/// Most lines of an operation's output that go to the detail log; the cluster gets all of it.
const OUTPUT_LINES: usize = 100;

/// Most letters of such a line.
const OUTPUT_WIDTH: usize = 500;

/// How the agent ends.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Exit {
    /// Asked to, and done.
    Done,
    /// Do not start again: status 100.
    Fatal,
}

/// What the hub is told.
#[derive(Debug)]
pub enum Event {
    /// A client finished its handshake.
    Connected {
        /// Its id, for good.
        client: ClientId,
        /// What it offered.
        role: Role,
        /// How it is reached.
        way: Way,
    },
    /// A client is gone.
    Disconnected {
        /// Which.
        client: ClientId,
    },
    /// A run has ended.
    Ended {
        /// Which.
        run: RunId,
        /// How.
        outcome: Box<Outcome>,
    },
    /// A run goes on, and this is how it stands.
    Interim {
        /// Which.
        run: RunId,
        /// How.
        outcome: Box<Outcome>,
    },
    /// Something happened to a local client.
    Local(LocalEvent),
    /// The hub is to show that it does its work.
    Pulse(oneshot::Sender<()>),
    /// A client sent a message.
    Received {
        /// Who.
        client: ClientId,
        /// What.
        message: Box<Result<Incoming, MessageError>>,
    },
    /// SIGTERM.
    Terminate,
    /// The watchdog check that a cluster asked for failed.
    Watchdog(WatchdogError),
}

/// The owner.
#[derive(Debug)]
pub struct Hub {
    config: Config,
    clients: Clients,
    executor: Executor,
    sessions: Sessions,
    /// Kill channels of the runs in progress.
    runs: BTreeMap<RunId, Running>,
    surroundings: Surroundings,
    alerts: Alerts,
    schemas: Schemas,
    events: mpsc::Sender<Event>,
    listener: Option<tokio::task::AbortHandle>,
    started: Instant,
    last_call: i32,
    last_frame: u64,
    leaving: bool,
    exit: Option<Exit>,
}

/// A run that has not ended.
#[derive(Debug)]
struct Running {
    kills: mpsc::UnboundedSender<KillScope>,
    killed: bool,
    label: String,
    since: Instant,
}

impl Hub {
    /// Takes ownership. `listener` is stopped when the agent takes leave.
    #[must_use]
    pub fn new(config: Config, events: mpsc::Sender<Event>, listener: tokio::task::AbortHandle) -> Self {
        let (systemd, connection) = Systemd::new();
        tokio::spawn(connection.run());
        let surroundings = Surroundings { env: config.child_env.clone().into(), systemd };
        let schemas = Schemas::new(config.schemas.clone());
        Self {
            config,
            clients: Clients::default(),
            executor: Executor::default(),
            sessions: Sessions::default(),
            runs: BTreeMap::new(),
            surroundings,
            alerts: Alerts::default(),
            schemas,
            events,
            listener: Some(listener),
            started: Instant::now(),
            last_call: 0,
            last_frame: 0,
            leaving: false,
            exit: None,
        }
    }

    /// Serves until the agent is to end.
    pub async fn run(mut self, mut inbox: mpsc::Receiver<Event>) -> Exit {
        loop {
            let wake =
                self.executor.next_wake().map(|wake| tokio::time::Instant::from_std(self.started + wake));
            tokio::select! {
                Some(event) = inbox.recv() => self.handle(event),
                () = tokio::time::sleep_until(wake.unwrap_or_else(tokio::time::Instant::now)), if wake.is_some() => {
                    let now = self.now();
                    self.executor.elapse(now);
                }
            }
            self.perform();
            if let Some(exit) = self.exit {
                // A child that does not die in time is left to whoever adopts it.
                let _ = tokio::time::timeout(WIND_DOWN, self.wind_down(&mut inbox)).await;
                self.alerts.finish().await;
                return exit;
            }
        }
    }

    /// Ends recurring operations and closes connections in order. One-shot operations in flight are left running.
    async fn wind_down(&mut self, inbox: &mut mpsc::Receiver<Event>) {
        let now = self.now();
        self.executor.shut_down(now);
        self.perform();
        self.clients.close_all();
        while self.clients.any() || self.runs.values().any(|run| run.killed) {
            match inbox.recv().await {
                Some(Event::Disconnected { client }) => drop(self.clients.remove(client)),
                Some(Event::Ended { run, .. }) => drop(self.runs.remove(&run)),
                Some(_) => {}
                None => break,
            }
        }
    }

    fn handle(&mut self, event: Event) {
        match event {
            Event::Connected { client, role, way } => {
                match &way {
                    Way::Remote { peer, .. } => tracing::info!(%peer, "Remote client connection accepted"),
                    Way::Local { pid, .. } => tracing::info!(pid, "local client of the executor"),
                }
                self.clients.add(client, role, way);
                if role == Role::Controller {
                    self.announce(client);
                }
            }
            Event::Disconnected { client } => self.disconnected(client),
            Event::Ended { run, outcome } => self.ended(run, *outcome),
            Event::Interim { run, outcome } => {
                let now = self.now();
                self.executor.interim(run, &outcome, now);
            }
            Event::Local(event) => self.local(event),
            // Who asked may have gone meanwhile.
            Event::Pulse(answer) => drop(answer.send(())),
            Event::Received { client, message } => self.received(client, *message),
            Event::Terminate => self.terminate(),
            Event::Watchdog(error) => {
                tracing::error!("{error}; stopping for good (status 100)");
                self.exit = Some(Exit::Fatal);
            }
        }
    }

    fn disconnected(&mut self, client: ClientId) {
        let Some(gone) = self.clients.remove(client) else { return };
        self.sessions.provider_gone(client);
        let (place, label) = (&gone.way, gone.label());
        if gone.is_local() {
            tracing::info!("local client {label} disconnected");
        } else {
            tracing::info!(notice = true, peer = %place, "Cleaning up after remote client {label} disconnected");
        }
        if gone.is_controller() && self.clients.controllers().next().is_none() {
            let now = self.now();
            self.executor.last_client_left(now);
        }
        if self.leaving && self.clients.newest_provider().is_none() {
            tracing::info!(notice = true, "the cluster has let this node go");
            self.exit = Some(Exit::Done);
        }
    }

    fn ended(&mut self, run: RunId, outcome: Outcome) {
        if let Some(Running { label, since, .. }) = self.runs.remove(&run) {
            let took = since.elapsed().as_millis();
            let reason = outcome.exit_reason.as_deref().unwrap_or_default();
            let (rc, status) = (outcome.rc, outcome.status);
            let lines = outcome.output.as_deref().unwrap_or_default().lines();
            let lines = lines.map(|line| match line.char_indices().nth(OUTPUT_WIDTH) {
                Some((end, _)) => &line[..end],
                None => line,
            });
            if (rc.number(), status) == (0, ExecStatus::Done) {
                tracing::debug!("{label} ended: {rc}, {status} (execution time {took}ms)");
                lines.take(OUTPUT_LINES).for_each(|line| tracing::debug!("{label} output: {line}"));
            } else {
                tracing::info!(reason, "{label} ended: {rc}, {status} (execution time {took}ms)");
                lines.take(OUTPUT_LINES).for_each(|line| tracing::info!("{label} output: {line}"));
            }
        }
        let now = self.now();
        self.executor.finished(run, outcome, now);
    }

    fn terminate(&mut self) {
        if self.leaving {
            tracing::info!("already waiting for the cluster to let this node go");
            return;
        }
        let Some(provider) = self.clients.newest_provider() else {
            tracing::info!(notice = true, "no cluster is connected: stopping at once");
            self.exit = Some(Exit::Done);
            return;
        };
        tracing::info!(notice = true, "asking the cluster to move resources away before stopping");
        self.leaving = true;
        if let Some(listener) = self.listener.take() {
            listener.abort();
        }
        let ask = Notification::Proxy(ProxyMessage::new(ProxyOp::ShutdownReq, Some("0")));
        self.send(provider, &ask.to_element());
    }

    /// Tells every other named client that `client` is here.
    fn announce(&mut self, client: ClientId) {
        let others: Vec<_> = self.clients.listeners().filter(|other| *other != client).collect();
        let document = Notification::NewClient.to_element();
        for other in others {
            self.send(other, &document);
        }
    }

    /// Carries out what the executor decided.
    fn perform(&mut self) {
        for effect in self.executor.take_effects() {
            match effect {
                Effect::Kill { run, scope } => {
                    if let Some(running) = self.runs.get_mut(&run) {
                        running.killed = true;
                        // Closed where the run is just ending by itself.
                        let _ = running.kills.send(scope);
                    }
                }
                Effect::Notify { only, report } => {
                    let document = Notification::Executed(report).to_element();
                    match only {
                        Some(client) => self.send(client, &document),
                        None => self.broadcast(&document),
                    }
                }
                Effect::Run { run, definition, request } => {
                    let label = format!("{} {}", request.rsc_id, request.action);
                    tracing::debug!(
                        "executing - rsc:{} action:{} ({definition})",
                        request.rsc_id,
                        request.action
                    );
                    let (kills, killed) = mpsc::unbounded_channel();
                    self.runs.insert(run, Running { kills, killed: false, label, since: Instant::now() });
                    let (events, surroundings) = (self.events.clone(), self.surroundings.clone());
                    tokio::spawn(async move {
                        let operation = Operation { definition: *definition, request: *request };
                        let (tell, mut told) = mpsc::channel(1);
                        // In a task of its own: whatever goes wrong in it, the resource gets a result.
                        let run_task = tokio::spawn(async move {
                            class::execute(&operation, &surroundings, killed, tell).await
                        });
                        // Until that task drops its end.
                        while let Some(outcome) = told.recv().await {
                            let _ = events.send(Event::Interim { run, outcome: Box::new(outcome) }).await;
                        }
                        let outcome = run_task.await.unwrap_or_else(|panicked| {
                            tracing::error!("an operation ended by a fault of the agent: {panicked}");
                            Outcome::new(OcfRc::Error, ExecStatus::Error)
                                .because("internal error of picket-agent")
                        });
                        // The hub outlives its runs but for the last moment of the process.
                        let _ = events.send(Event::Ended { run, outcome: Box::new(outcome) }).await;
                    });
                }
                Effect::Stuck { rsc_id, action } => tracing::warn!(
                    "{rsc_id} {action} was killed and is still there, probably in uninterruptible sleep; \
                     the resource's next operations wait for it"
                ),
            }
        }
    }

    fn broadcast(&mut self, document: &Element) {
        let listeners: Vec<_> = self.clients.listeners().collect();
        for client in listeners {
            self.send(client, document);
        }
    }

    fn send(&mut self, client: ClientId, document: &Element) {
        if self.clients.send_local(client, None, document) {
            return;
        }
        self.last_frame += 1;
        match Frame::new(self.last_frame, document.to_string()) {
            Ok(frame) => self.clients.send(client, frame),
            Err(error) => tracing::error!("cannot send a message of <{}>: {error}", document.name),
        }
    }

    fn next_call(&mut self) -> i64 {
        self.last_call = self.last_call.checked_add(1).unwrap_or(1);
        self.last_call.into()
    }

    fn uptime(&self) -> Duration {
        self.started.elapsed()
    }

    fn now(&self) -> Now {
        // A clock before 1970 shows as 0, which stands for "never" in reports.
        let wall = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        Now { mono: self.uptime(), wall: i64::try_from(wall.as_secs()).unwrap_or(i64::MAX) }
    }
}
