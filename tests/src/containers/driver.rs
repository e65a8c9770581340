//! The cluster's side of one agent: registers resources and runs operations, several at a time.

use std::net::TcpStream;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail, ensure};
use picket_agent::controller::{Controller, Link};
use picket_agent::key::Key;
use picket_agent::wire::socket::Tuning;
use picket_agent::wire::tls::Role;
use picket_proto::exec::{ExecReport, ExecRequest};
use picket_proto::notification::Notification;
use picket_proto::outcome::ExecStatus;
use picket_proto::request::{CallOptions, CancelRequest, Operation};
use picket_proto::resource::Definition;
use tokio::runtime::Runtime;

const OPEN: Duration = Duration::from_secs(10);

/// What is run.
#[derive(Clone, Debug)]
pub struct Job<'a> {
    /// Id of the resource.
    pub rsc: &'a str,
    /// What it is to do.
    pub action: &'a str,
    /// Its parameters.
    pub params: &'a [(&'a str, &'a str)],
    /// 0 for once.
    pub interval: Duration,
    /// The limit of one run.
    pub timeout: Duration,
}

/// A connection that drives an agent.
pub struct Driver {
    runtime: Runtime,
    controller: Controller,
    /// Results nobody has asked for yet.
    early: Vec<ExecReport>,
}

impl Driver {
    /// Speaks with the agent behind a connected socket.
    pub fn open(stream: TcpStream, key: &Key) -> Result<Self> {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
        stream.set_nonblocking(true)?;
        let controller = runtime.block_on(async {
            let stream = tokio::net::TcpStream::from_std(stream)?;
            let link = Link::open(stream, key, Role::Controller, Tuning::Prompt, OPEN).await?;
            let mut controller = Controller::new(link);
            controller.hello("picket-tests", Some("1.2"), false).await?;
            anyhow::Ok(controller)
        })?;
        Ok(Self { runtime, controller, early: Vec::new() })
    }

    /// Registers a resource of an agent such as `picket:container`.
    pub fn register(&mut self, rsc: &str, agent: &str) -> Result<()> {
        let (provider, agent) = agent.split_once(':').context("an agent is PROVIDER:TYPE")?;
        let definition = Definition {
            id: rsc.into(),
            class: "ocf".into(),
            provider: Some(provider.into()),
            agent: agent.into(),
        };
        self.runtime.block_on(
            self.controller.call(Operation::RscRegister(definition), CallOptions::DROP_RECURRING),
        )?;
        Ok(())
    }

    /// Starts a job; its results are told.
    pub fn begin(&mut self, job: &Job) -> Result<i64> {
        let millis = |time: Duration| u64::try_from(time.as_millis()).unwrap_or(u64::MAX);
        let request = ExecRequest {
            rsc_id: job.rsc.into(),
            action: job.action.into(),
            interval: millis(job.interval),
            timeout: millis(job.timeout),
            params: job.params.iter().copied().collect(),
            ..ExecRequest::default()
        };
        let reply =
            self.runtime.block_on(self.controller.call(Operation::Exec(request), CallOptions::default()))?;
        ensure!(reply.rc.is_ok(), "{} {} refused: {}", job.rsc, job.action, reply.rc);
        Ok(reply.rc.0)
    }

    /// Runs a job once, to its result.
    pub fn run(&mut self, job: &Job) -> Result<ExecReport> {
        self.begin(job)?;
        let until = Instant::now() + job.timeout + OPEN;
        loop {
            let report = self.next(until.saturating_duration_since(Instant::now()))?;
            if report.request.rsc_id == job.rsc && report.request.action == job.action {
                return Ok(report);
            }
            self.early.push(report);
        }
    }

    /// Ends a recurring job, and waits until that is reported.
    pub fn cancel(&mut self, rsc: &str, action: &str, interval: Duration) -> Result<()> {
        let interval = u64::try_from(interval.as_millis()).unwrap_or(u64::MAX);
        let request = CancelRequest { rsc_id: rsc.into(), action: action.into(), interval };
        self.runtime.block_on(self.controller.call(Operation::Cancel(request), CallOptions::default()))?;
        while self.next(OPEN)?.outcome.status != ExecStatus::Cancelled {}
        Ok(())
    }

    /// The next result.
    pub fn next(&mut self, deadline: Duration) -> Result<ExecReport> {
        match self.next_if_any(deadline)? {
            Some(report) => Ok(report),
            None => bail!("no result within {:.1} s", deadline.as_secs_f64()),
        }
    }

    /// The next result, where there is one in time.
    pub fn next_if_any(&mut self, deadline: Duration) -> Result<Option<ExecReport>> {
        let until = Instant::now() + deadline;
        loop {
            let left = until.saturating_duration_since(Instant::now());
            let notification = self.runtime.block_on(self.controller.notification(left))?;
            match notification {
                Some(Notification::Executed(report)) => return Ok(Some(*report)),
                Some(_) => {}
                None => return Ok(None),
            }
        }
    }
}
