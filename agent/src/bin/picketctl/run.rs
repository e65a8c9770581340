//! `picketctl run`: one operation of one resource, as a cluster would have it done.

use std::str::FromStr;
use std::time::Duration;

use picket_agent::controller::Controller;
use picket_proto::exec::{ExecReport, ExecRequest};
use picket_proto::notification::Notification;
use picket_proto::reply::{Reply, ReplyBody};
use picket_proto::request::{CallOptions, CancelRequest, Operation};
use picket_proto::resource::Definition;

use crate::access::{Takeover, register};
use crate::failure::Failure;
use crate::output;
use crate::target::{Target, duration};

/// Have an agent run an operation of a resource, and print the result
///
/// Registers the resource, executes the action, prints return code, reason and output, and unregisters the resource.
/// The exit code is the operation's OCF return code. Refuses where a cluster is connected, or may be.
#[derive(clap::Args)]
pub(crate) struct Run {
    #[command(flatten)]
    target: Target,
    /// The resource agent: ocf:heartbeat:nginx, systemd:nginx, lsb:nginx, service:nginx
    #[arg(value_name = "CLASS:[PROVIDER:]TYPE")]
    agent: AgentSpec,
    /// start, stop, monitor, promote, reload, meta-data or whatever the agent knows
    action: String,
    /// Name of the resource; agents see it as OCF_RESOURCE_INSTANCE
    #[arg(long, value_name = "ID", default_value = "picketctl")]
    id: String,
    /// A parameter of the resource; may be repeated
    #[arg(short = 'o', long = "option", value_name = "NAME=VALUE", value_parser = parameter)]
    options: Vec<(String, String)>,
    /// How long one run of the action may take
    #[arg(long, value_name = "TIME", default_value = "20s", value_parser = duration)]
    timeout: Duration,
    /// Repeat the action with this pause, print each result, and cancel it on Ctrl-C
    #[arg(long, value_name = "TIME", value_parser = duration)]
    interval: Option<Duration>,
    /// Leave the resource registered
    #[arg(long)]
    keep: bool,
    #[command(flatten)]
    takeover: Takeover,
}

/// Beyond the operation's own timeout: the agent kills what is left and reports.
const GRACE: Duration = Duration::from_secs(10);

/// What a controller of Pacemaker 2.1.5 announces; agents compare versions with it.
const FEATURE_SET: &str = "3.16.2";

impl Run {
    /// The exit code: the OCF return code of the last run.
    pub(crate) async fn run(self) -> Result<u8, Failure> {
        let mut controller = register(&self.target, self.takeover.takeover).await?;
        let was_there = self.prepare(&mut controller).await?;
        let result = self.execute(&mut controller).await;
        if !self.keep && !was_there {
            // What happened before is more important than that this failed, too.
            let gone = self.request(&mut controller, Operation::RscUnregister(self.id.clone())).await;
            if result.is_ok() {
                gone?;
            }
        }
        controller.close().await;
        result
    }

    /// Registers the resource; whether it was there already. One of another kind is not replaced.
    async fn prepare(&self, controller: &mut Controller) -> Result<bool, Failure> {
        let definition = self.agent.definition(&self.id);
        let known = controller.call(Operation::RscInfo(self.id.clone()), CallOptions::default()).await;
        match known.map_err(|cause| self.target.lost(cause))?.body {
            ReplyBody::Resource(known) if known == definition => return Ok(true),
            ReplyBody::Resource(known) => {
                return Err(Failure::InUse(format!(
                    "refused, because {} has a resource {} already, and it is another one ({known}).\n\
                     Registering it as {definition} would cancel that one's operations. Choose another --id.",
                    self.target.address, self.id
                )));
            }
            _ => {}
        }
        self.request(controller, Operation::RscRegister(definition)).await?;
        Ok(false)
    }

    async fn execute(&self, controller: &mut Controller) -> Result<u8, Failure> {
        let reply = self.request(controller, Operation::Exec(self.exec())).await?;
        let mut last = None;
        loop {
            let wait = self.timeout + GRACE + self.interval.unwrap_or_default();
            tokio::select! {
                interrupted = tokio::signal::ctrl_c() => {
                    interrupted?;
                    return self.interrupted(controller, last).await;
                }
                report = self.report(controller, reply.rc.0, wait) => {
                    let report = report?;
                    output::line(&output::result(&report))?;
                    let rc = report.outcome.rc.number();
                    if self.interval.is_none() {
                        return Ok(rc);
                    }
                    last = Some(rc);
                }
            }
        }
    }

    /// Ctrl-C ends a repetition in order; a single run cannot be called back.
    async fn interrupted(&self, controller: &mut Controller, last: Option<u8>) -> Result<u8, Failure> {
        let what = format!("{} of {} goes on at {}", self.action, self.id, self.target.address);
        if self.interval.is_none() {
            return Err(Failure::Interrupted(what));
        }
        let cancel =
            CancelRequest { rsc_id: self.id.clone(), action: self.action.clone(), interval: self.interval() };
        self.request(controller, Operation::Cancel(cancel)).await?;
        output::line(&format!("{} {} cancelled", self.id, self.action))?;
        last.ok_or_else(|| Failure::Interrupted("cancelled before there was a result".into()))
    }

    /// The next result of our operation.
    async fn report(
        &self,
        controller: &mut Controller,
        call_id: i64,
        wait: Duration,
    ) -> Result<ExecReport, Failure> {
        let deadline = tokio::time::Instant::now() + wait;
        loop {
            let left = deadline.duration_since(tokio::time::Instant::now());
            match controller.notification(left).await.map_err(|cause| self.target.lost(cause))? {
                Some(Notification::Executed(report)) if report.call_id == call_id => return Ok(*report),
                Some(_) => {}
                None => {
                    return Err(Failure::NoResult {
                        what: format!("{} {}", self.id, self.action),
                        target: self.target.address.to_string(),
                        seconds: wait.as_secs(),
                    });
                }
            }
        }
    }

    fn exec(&self) -> ExecRequest {
        let timeout = u64::try_from(self.timeout.as_millis()).unwrap_or(u64::MAX);
        let meta = [
            ("CRM_meta_name", self.action.clone()),
            ("CRM_meta_interval", self.interval().to_string()),
            ("CRM_meta_timeout", timeout.to_string()),
            ("crm_feature_set", FEATURE_SET.to_owned()),
        ];
        let meta = meta.map(|(name, value)| (name.to_owned(), value));
        ExecRequest {
            rsc_id: self.id.clone(),
            action: self.action.clone(),
            user_data: None,
            interval: self.interval(),
            timeout,
            start_delay: 0,
            params: self.options.iter().cloned().chain(meta).collect(),
        }
    }

    fn interval(&self) -> u64 {
        let interval = self.interval.unwrap_or_default();
        u64::try_from(interval.as_millis()).unwrap_or(u64::MAX)
    }

    /// A request that has to be accepted.
    async fn request(&self, controller: &mut Controller, op: Operation) -> Result<Reply, Failure> {
        let what = format!("{} of {}", op.name(), self.id);
        let reply = controller.call(op, CallOptions::default()).await;
        let reply = reply.map_err(|cause| self.target.lost(cause))?;
        if reply.rc.is_ok() {
            return Ok(reply);
        }
        Err(Failure::Refused { target: self.target.address.to_string(), what, rc: reply.rc })
    }
}

/// A resource agent as administrators write it.
#[derive(Clone, Debug, Eq, PartialEq)]
struct AgentSpec {
    class: String,
    provider: Option<String>,
    agent: String,
}

impl AgentSpec {
    fn definition(&self, id: &str) -> Definition {
        let Self { class, provider, agent } = self.clone();
        Definition { id: id.to_owned(), class, provider, agent }
    }
}

impl FromStr for AgentSpec {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let expected = || "expected CLASS:TYPE, or ocf:PROVIDER:TYPE".to_owned();
        let (class, rest) = text.split_once(':').ok_or_else(expected)?;
        let (provider, agent) = match rest.split_once(':') {
            Some((provider, agent)) if class.eq_ignore_ascii_case("ocf") => {
                (Some(provider.to_owned()), agent)
            }
            None if class.eq_ignore_ascii_case("ocf") => {
                return Err(format!("{text} has no provider: ocf:heartbeat:{rest}, for instance"));
            }
            _ => (None, rest),
        };
        if class.is_empty() || agent.is_empty() || provider.as_deref() == Some("") {
            return Err(expected());
        }
        Ok(Self { class: class.to_owned(), provider, agent: agent.to_owned() })
    }
}

fn parameter(text: &str) -> Result<(String, String), String> {
    match text.split_once('=') {
        Some((name, value)) if !name.is_empty() => Ok((name.to_owned(), value.to_owned())),
        _ => Err("expected NAME=VALUE".into()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn agents_are_named_as_in_pcs() {
        let spec = |text: &str| {
            text.parse::<AgentSpec>().map(|spec| spec.definition("x").to_string()).map_err(|_| ())
        };
        for good in ["ocf:heartbeat:nginx", "systemd:nginx", "lsb:/etc/init.d/x", "systemd:a@b:c.service"] {
            assert_eq!(spec(good), Ok(good.to_owned()));
        }
        for bad in ["nginx", "ocf:nginx", "ocf::nginx", ":nginx", "ocf:heartbeat:", "systemd:"] {
            assert_eq!(spec(bad), Err(()), "{bad}");
        }
    }

    #[test]
    fn a_parameters_value_may_be_empty_and_contain_anything() {
        assert_eq!(parameter("a=b=c"), Ok(("a".into(), "b=c".into())));
        assert_eq!(parameter("a="), Ok(("a".into(), String::new())));
        assert!(parameter("a").is_err() && parameter("=b").is_err());
    }
}
