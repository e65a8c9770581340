//! The process around the hub: surroundings, signals, exit status.

use std::io;
use std::os::unix::fs::DirBuilderExt as _;
use std::process::ExitCode;

use nix::sys::stat::{Mode, umask};
use thiserror::Error;
use tokio::signal::unix::{SignalKind, signal};
use tokio::sync::{mpsc, oneshot};
use tokio::time::MissedTickBehavior;

use crate::config::Config;
use crate::hub::{Event, Exit, Hub};
use crate::ipc::{Ipc, IpcError};
use crate::key::Keyring;
use crate::listener::{self, Credentials, ListenError};
use crate::supervisor::Supervisor;
use crate::wire::x509::{self, X509Error};

/// Exit status "do not start again", the original's.
const FATAL: u8 = 100;

/// Events that may wait for the hub before senders do.
const INBOX: usize = 64;

/// Why the agent cannot start.
#[derive(Debug, Error)]
#[non_exhaustive]
enum StartError {
    #[error(transparent)]
    Listen(#[from] ListenError),
    #[error(transparent)]
    Ipc(#[from] IpcError),
    #[error("cannot set up the event loop: {0}")]
    Runtime(io::Error),
    #[error("X.509 mode: {0}")]
    X509(#[from] X509Error),
}

/// What agents inherit from us: umask, working directory; and the folder they keep state files in.
pub fn prepare() {
    umask(Mode::from_bits_truncate(0o026));
    // Where the folder is missing the original stays where it is, too.
    let _ = std::env::set_current_dir("/var/lib/pacemaker/cores");
    let state = std::path::Path::new("/run/resource-agents");
    if !state.exists() {
        let made = std::fs::DirBuilder::new().recursive(true).mode(0o755).create(state);
        // Logging is not there yet; agents report a folder that they cannot use.
        let _ = made.and_then(|()| {
            std::fs::set_permissions(state, std::os::unix::fs::PermissionsExt::from_mode(0o755))
        });
    }
}

/// Runs the agent to its end.
#[must_use]
pub fn run(config: Config) -> ExitCode {
    let runtime =
        tokio::runtime::Builder::new_current_thread().enable_all().build().map_err(StartError::Runtime);
    match runtime.and_then(|runtime| runtime.block_on(serve(config))) {
        Ok(Exit::Done) => ExitCode::SUCCESS,
        Ok(Exit::Fatal) => ExitCode::from(FATAL),
        Err(error) => {
            tracing::error!("{error}");
            ExitCode::from(FATAL)
        }
    }
}

fn credentials(config: &Config) -> Result<Credentials, StartError> {
    if let Some(files) = &config.x509 {
        let store = x509::Store::open(files.clone())?;
        tracing::info!("serving clients with a certificate of the CA in {}", files.ca.display());
        return Ok(Credentials::X509(store));
    }
    let mut keyring = Keyring::new(config.key.clone(), config.key_grace);
    match keyring.load() {
        Ok(key) => tracing::info!("using the key in {}", key.path().display()),
        // It may still come: each handshake looks again.
        Err(error) => tracing::warn!("{error}; no cluster can connect until there is one"),
    }
    Ok(Credentials::Psk(keyring))
}

async fn serve(config: Config) -> Result<Exit, StartError> {
    let credentials = credentials(&config)?;
    let mut terminations = signal(SignalKind::terminate()).map_err(StartError::Runtime)?;
    let listener = listener::bind(&config).await?;
    let (events, inbox) = mpsc::channel(INBOX);
    let local = Ipc::start(events.clone(), config.ipc_transport, config.ipc_buffer)?;
    let accepting = tokio::spawn(listener::accept(listener, credentials, config.liveness, events.clone()));
    let supervisor = config.supervisor.clone();
    let hub = Hub::new(config, events.clone(), accepting.abort_handle());
    tokio::spawn(keep_alive(supervisor.clone(), events.clone()));
    let stopping = supervisor.clone();
    tokio::spawn(async move {
        while terminations.recv().await.is_some() && events.send(Event::Terminate).await.is_ok() {
            stopping.stopping();
        }
    });
    tracing::info!(notice = true, "Pacemaker remote executor successfully started and accepting connections");
    tracing::info!("OCF resource agent search path is {}/resource.d", crate::class::ocf::OCF_ROOT);
    supervisor.ready();
    let exit = hub.run(inbox).await;
    // Local clients are disconnected, and what was shared with them is removed.
    drop(local);
    Ok(exit)
}

/// Feeds systemd's watchdog with answers of the hub, the way everything else has to take, too: a hub that is stuck gets
/// no event out of its inbox.
async fn keep_alive(supervisor: Supervisor, events: mpsc::Sender<Event>) {
    let Some(limit) = supervisor.watchdog else { return };
    let mut beats = tokio::time::interval(limit / 2);
    beats.set_missed_tick_behavior(MissedTickBehavior::Delay);
    loop {
        beats.tick().await;
        let (answer, answered) = oneshot::channel();
        if events.send(Event::Pulse(answer)).await.is_err() {
            return;
        }
        if answered.await.is_ok() {
            supervisor.alive();
        }
    }
}
