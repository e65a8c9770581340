//! What is asked of systemd's manager. Every question is put again while it is away.

use std::time::Duration;

use tokio::sync::oneshot;
use tokio::time::timeout;
use zbus::{Message, OwnedObjectPath, OwnedVariant};

use super::bus::{NAME, Systemd, add_match, remove_match};
use super::error::ManagerError;
use super::unit::{self, State};

const MANAGER: &str = "/org/freedesktop/systemd1";
const MANAGER_INTERFACE: &str = "org.freedesktop.systemd1.Manager";
pub(super) const UNIT_INTERFACE: &str = "org.freedesktop.systemd1.Unit";
const JOB_INTERFACE: &str = "org.freedesktop.systemd1.Job";

/// How long an answer may take before the question is put again. A busy systemd takes seconds; an operation's own
/// timeout usually ends the wait earlier.
const ANSWER: Duration = Duration::from_secs(60);

/// What can be ordered of a unit.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum Order {
    Restart,
    Start,
    Stop,
}

impl Order {
    pub(super) fn action(self) -> &'static str {
        match self {
            Self::Restart => "restart",
            Self::Start => "start",
            Self::Stop => "stop",
        }
    }

    fn method(self) -> &'static str {
        match self {
            Self::Restart => "RestartUnit",
            Self::Start => "StartUnit",
            Self::Stop => "StopUnit",
        }
    }
}

/// Changes of one unit are signalled while this is kept.
pub(super) struct Watch {
    path: String,
    /// Taken back when dropped; in its own time, for a drop cannot wait.
    _end: Option<oneshot::Sender<()>>,
}

impl Watch {
    pub(super) fn is(&self, path: &str) -> bool {
        self.path == path
    }
}

pub(super) enum Args<'a> {
    None,
    One(&'a str),
    Two(&'a str, &'a str),
}

impl Systemd {
    /// The object of a unit, loaded where it was not.
    pub(super) async fn load_unit(&self, unit: &str) -> Result<String, ManagerError> {
        path(&self.manager("LoadUnit", Args::One(unit)).await?)
    }

    /// What a unit's state means.
    pub(super) async fn state(&self, unit: &str) -> Result<State, ManagerError> {
        let path = self.load_unit(unit).await?;
        self.state_of(&path).await
    }

    /// What the state of a loaded unit means.
    pub(super) async fn state_of(&self, path: &str) -> Result<State, ManagerError> {
        Ok(unit::state(&self.text(path, UNIT_INTERFACE, "ActiveState").await?))
    }

    /// `loaded`, `masked`, `not-found`, ...
    pub(super) async fn load_state(&self, unit: &str) -> Result<String, ManagerError> {
        let path = self.load_unit(unit).await?;
        self.text(&path, UNIT_INTERFACE, "LoadState").await
    }

    /// A unit in words.
    pub(super) async fn description(&self, unit: &str) -> Result<String, ManagerError> {
        let path = self.load_unit(unit).await?;
        self.text(&path, UNIT_INTERFACE, "Description").await
    }

    /// Asks for the signals of the manager. To be repeated whenever the manager or the connection is a new one.
    pub(super) async fn subscribe(&self) -> Result<(), ManagerError> {
        match self.manager("Subscribe", Args::None).await {
            // Already, that is.
            Err(ManagerError::Refused { .. }) => Ok(()),
            other => other.map(drop),
        }
    }

    /// Orders something of a unit, in place of what was ordered before; the job's object.
    pub(super) async fn order(&self, order: Order, unit: &str) -> Result<String, ManagerError> {
        path(&self.manager(order.method(), Args::Two(unit, "replace")).await?)
    }

    /// Whether there still is a job, and for that unit: numbers start again with a new manager.
    pub(super) async fn is_job_of(&self, job: &str, unit: &str) -> Result<bool, ManagerError> {
        match self.property(job, JOB_INTERFACE, "Unit").await {
            Ok(value) => {
                let (_, path): (String, OwnedObjectPath) = value.try_into().map_err(unusable)?;
                Ok(path.as_str() == unit)
            }
            Err(ManagerError::Refused { .. }) => Ok(false),
            Err(error) => Err(error),
        }
    }

    /// Has the changes of a unit signalled. Where that fails there are none, and the caller looks by itself.
    pub(super) async fn watch(&self, unit: &str) -> Watch {
        let Ok(path) = self.load_unit(unit).await else { return Watch { path: String::new(), _end: None } };
        let rule = format!(
            "type='signal',sender='{NAME}',path='{}',interface='org.freedesktop.DBus.Properties',\
             member='PropertiesChanged'",
            path
        );
        let Ok(connection) = self.connection().await else {
            return Watch { path: String::new(), _end: None };
        };
        // `Subscribe` is what has systemd send them at all.
        let asked = self.subscribe().await.is_ok() && add_match(&connection, &rule).await.is_ok();
        let (end, ended) = oneshot::channel::<()>();
        if asked {
            tokio::spawn(async move {
                let _ = ended.await;
                // With a connection that is gone the rule is gone, too.
                let _ = timeout(ANSWER, remove_match(&connection, &rule)).await;
            });
        }
        Watch { path, _end: Some(end) }
    }

    async fn text(&self, path: &str, interface: &str, name: &str) -> Result<String, ManagerError> {
        self.property(path, interface, name).await?.try_into().map_err(unusable)
    }

    pub(super) async fn property(
        &self,
        path: &str,
        interface: &str,
        name: &str,
    ) -> Result<OwnedVariant, ManagerError> {
        let args = Args::Two(interface, name);
        let reply = self.call(path, "org.freedesktop.DBus.Properties", "Get", &args).await?;
        reply.body().deserialize().map_err(unusable)
    }

    pub(super) async fn manager(&self, method: &str, args: Args<'_>) -> Result<Message, ManagerError> {
        self.call(MANAGER, MANAGER_INTERFACE, method, &args).await
    }

    async fn call(
        &self,
        path: &str,
        interface: &str,
        method: &str,
        args: &Args<'_>,
    ) -> Result<Message, ManagerError> {
        let mut absence = self.absence();
        loop {
            match self.call_once(path, interface, method, args).await {
                Err(error) => self.patience(error, &mut absence).await?,
                Ok(reply) => return Ok(reply),
            }
        }
    }

    async fn call_once(
        &self,
        path: &str,
        interface: &str,
        method: &str,
        args: &Args<'_>,
    ) -> Result<Message, ManagerError> {
        let connection = self.connection().await?;
        let answer = async {
            let (to, interface) = (Some(NAME), Some(interface));
            match args {
                Args::None => connection.call_method(to, path, interface, method, &()).await,
                Args::One(a) => connection.call_method(to, path, interface, method, a).await,
                Args::Two(a, b) => connection.call_method(to, path, interface, method, &(a, b)).await,
            }
        };
        let late = || ManagerError::Away(format!("no answer within {} s", ANSWER.as_secs()));
        let answer = timeout(ANSWER, answer).await.map_err(|_| late())?.map_err(ManagerError::from);
        if !matches!(answer, Err(ManagerError::Away(_))) {
            self.answered();
        }
        answer
    }
}

fn path(reply: &Message) -> Result<String, ManagerError> {
    let path: OwnedObjectPath = reply.body().deserialize().map_err(unusable)?;
    Ok(path.to_string())
}

pub(super) fn unusable(error: impl std::fmt::Display) -> ManagerError {
    ManagerError::Refused { name: "unusable answer".to_owned(), message: error.to_string() }
}
