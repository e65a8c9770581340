//! The cluster's side: operations on one resource after the other, and how long each took.

use std::net::TcpStream;
use std::path::Path;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail, ensure};
use picket_agent::controller::{Controller, Link};
use picket_agent::key::Key;
use picket_agent::wire::socket::Tuning;
use picket_agent::wire::tls::Role;
use picket_proto::exec::{ExecReport, ExecRequest};
use picket_proto::notification::Notification;
use picket_proto::request::{CallOptions, CancelRequest, Operation};
use picket_proto::resource::Definition;
use tokio::runtime::Runtime;

/// For whatever must come.
const PATIENCE: Duration = Duration::from_secs(60);

/// The time an operation gets, unless told otherwise.
pub(super) const TIMEOUT: Duration = Duration::from_secs(30);

/// A connected client of an agent.
pub(super) struct Client {
    runtime: Runtime,
    controller: Controller,
    /// Results that came while something else was waited for.
    early: Vec<ExecReport>,
}

/// How an operation ended.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(super) struct Ended {
    pub(super) rc: u8,
    pub(super) status: i8,
    pub(super) reason: String,
    pub(super) output: String,
    /// From the request to its result.
    pub(super) took: Duration,
}

impl Ended {
    fn of(report: ExecReport, took: Duration) -> Self {
        let outcome = report.outcome;
        Self {
            rc: outcome.rc.number(),
            status: outcome.status.number(),
            reason: outcome.exit_reason.unwrap_or_default(),
            output: outcome.output.unwrap_or_default(),
            took,
        }
    }

    /// Fails unless it ended with these codes.
    pub(super) fn expect(self, what: &str, rc: u8, status: i8) -> Result<Self> {
        ensure!((self.rc, self.status) == (rc, status), "{what}: expected {rc}/{status}, got {self}");
        Ok(self)
    }
}

impl std::fmt::Display for Ended {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}/{} '{}' after {} ms", self.rc, self.status, self.reason, self.took.as_millis())
    }
}

impl Client {
    /// Registers on a connection.
    pub(super) fn register(stream: TcpStream, key: &Path) -> Result<Self> {
        let key = Key::read(key)?;
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
        stream.set_nonblocking(true)?;
        let controller = runtime.block_on(async {
            let stream = tokio::net::TcpStream::from_std(stream)?;
            let link = Link::open(stream, &key, Role::Controller, Tuning::Prompt, TIMEOUT).await?;
            let mut controller = Controller::new(link);
            controller.hello("systemd-test", Some("1.1"), false).await?;
            anyhow::Ok(controller)
        })?;
        Ok(Self { runtime, controller, early: Vec::new() })
    }

    /// Registers a resource of the same name as its agent.
    pub(super) fn resource(&mut self, class: &str, agent: &str) -> Result<()> {
        let (id, class, agent) = (agent.to_owned(), class.to_owned(), agent.to_owned());
        let definition = Definition { id, class, provider: None, agent };
        self.call(Operation::RscRegister(definition), CallOptions::default()).map(drop)
    }

    /// Asks for an operation; its call id.
    pub(super) fn ask(&mut self, id: &str, action: &str, interval: u64, timeout: Duration) -> Result<i64> {
        let exec = ExecRequest {
            rsc_id: id.to_owned(),
            action: action.to_owned(),
            interval,
            timeout: u64::try_from(timeout.as_millis())?,
            ..ExecRequest::default()
        };
        self.call(Operation::Exec(exec), CallOptions::default())
    }

    /// Carries a one-shot operation out.
    pub(super) fn run(&mut self, id: &str, action: &str) -> Result<Ended> {
        self.run_within(id, action, TIMEOUT)
    }

    /// The same with its own timeout.
    pub(super) fn run_within(&mut self, id: &str, action: &str, timeout: Duration) -> Result<Ended> {
        let started = Instant::now();
        let call = self.ask(id, action, 0, timeout)?;
        self.result(call, started).with_context(|| format!("{action} of {id}"))
    }

    /// Waits for a result of the operation that was asked for at `started`.
    pub(super) fn result(&mut self, call: i64, started: Instant) -> Result<Ended> {
        if let Some(at) = self.early.iter().position(|report| report.call_id == call) {
            return Ok(Ended::of(self.early.remove(at), started.elapsed()));
        }
        while let Some(report) = self.hear(PATIENCE)? {
            if report.call_id == call {
                return Ok(Ended::of(report, started.elapsed()));
            }
            self.early.push(report);
        }
        bail!("no result within {} s", PATIENCE.as_secs())
    }

    /// The next result of any operation, `None` if none comes within `limit`.
    pub(super) fn hear(&mut self, limit: Duration) -> Result<Option<ExecReport>> {
        let until = Instant::now() + limit;
        loop {
            let left = until.saturating_duration_since(Instant::now());
            match self.runtime.block_on(self.controller.notification(left))? {
                Some(Notification::Executed(report)) => return Ok(Some(*report)),
                Some(_) => {}
                None => return Ok(None),
            }
        }
    }

    /// Cancels a recurring operation.
    pub(super) fn cancel(&mut self, id: &str, action: &str, interval: u64) -> Result<()> {
        let cancel = CancelRequest { rsc_id: id.to_owned(), action: action.to_owned(), interval };
        self.call(Operation::Cancel(cancel), CallOptions::default()).map(drop)
    }

    fn call(&mut self, op: Operation, options: CallOptions) -> Result<i64> {
        let name = op.name().to_owned();
        let reply = self.runtime.block_on(self.controller.call(op, options))?;
        ensure!(reply.rc.0 >= 0, "{name} is refused: {}", reply.rc.0);
        Ok(reply.rc.0)
    }
}
