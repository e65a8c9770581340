//! Sending a reset, and what services make of it.

use super::api::{ActionInfo, ResetBody, System, Task};
use super::{Redfish, absolute};
use crate::core::driver::Target;
use crate::core::fault::Fault;
use crate::http::Reply;

/// Where a reset goes, and of what kind it is.
pub(super) struct Choice {
    path: String,
    kind: String,
}

impl Redfish {
    /// The first of `kinds` that the service takes.
    pub(super) async fn choose(&mut self, target: &Target, kinds: &[&str]) -> Result<Choice, Fault> {
        if !self.known.contains_key(&target.id) {
            self.read_system(&target.id).await?;
        }
        let system = self.known.get(&target.id).map(|known| known.system.clone()).unwrap_or_default();
        let lacking = || {
            Fault::unsupported(
                format!("reset {}", target.id),
                "the service offers no reset of this system",
                "check the account's role, and that the system is the right one",
            )
        };
        let reset = system.reset().ok_or_else(lacking)?;
        let path = absolute(reset.target.as_deref().ok_or_else(lacking)?);
        let mut offered = reset.kinds.clone();
        if let (None, Some(info)) = (&offered, &reset.info) {
            // Without the list the reset is sent all the same, and the service says what it thinks of it.
            offered =
                self.http.get(absolute(info)).json::<ActionInfo>().await.ok().and_then(ActionInfo::kinds);
        }
        let Some(offered) = offered.filter(|offered| !offered.is_empty()) else {
            return Ok(Choice { path, kind: kinds[0].to_owned() });
        };
        match kinds.iter().find(|kind| offered.iter().any(|offer| offer == *kind)) {
            Some(kind) => Ok(Choice { path, kind: (*kind).to_owned() }),
            None => Err(Fault::unsupported(
                format!("reset {}", target.id),
                format!("the service takes {} and not {}", offered.join(", "), kinds.join(" or ")),
                "this system cannot be fenced through Redfish",
            )),
        }
    }

    pub(super) async fn reset(&mut self, target: &Target, kinds: &[&str]) -> Result<(), Fault> {
        let Choice { mut path, kind } = self.choose(target, kinds).await?;
        if self.is_kubevirt
            && let Some((_, rest)) = path.split_once("/Systems/")
        {
            // Its chassis path answers a reset with 500; the older path works (fence-drivers, 4.4).
            path = format!("{}/Systems/{rest}", self.root);
        }
        let reply = self.send_reset(&path, &kind, None).await?;
        let reply = match reply.status {
            412 | 428 => {
                let etag = self.read_system(&target.id).await?.etag;
                self.send_reset(&path, &kind, etag.as_deref()).await?
            }
            301 | 302 | 308 if !self.is_kubevirt => match self.moved(&reply, target).await? {
                Some(path) => self.send_reset(&path, &kind, None).await?,
                None => reply,
            },
            _ => reply,
        };
        if !reply.is_success() {
            let fault = reply.fault(super::api::explain);
            let already = fault.to_string().to_lowercase().contains("already");
            return Err(if already { fault.into_conflict() } else { fault });
        }
        let task = reply.header("location").filter(|_| reply.status == 202);
        let task = task.and_then(|to| self.http.local(to));
        let known = self.known.entry(target.id.clone()).or_default();
        known.was_reset = true;
        known.task = task;
        Ok(())
    }

    async fn send_reset(&mut self, path: &str, kind: &str, etag: Option<&str>) -> Result<Reply, Fault> {
        let mut request = self.http.post(path).json_body(&ResetBody { kind });
        if kind == "ForceOff" {
            request = request.repeatable();
        }
        if let Some(etag) = etag {
            request = request.header("if-match", etag);
        }
        request.any().await
    }

    /// Where a redirected reset is to go: the target of the system there, if it is the same system.
    async fn moved(&mut self, reply: &Reply, target: &Target) -> Result<Option<String>, Fault> {
        let Some(to) = reply.header("location").and_then(|to| self.http.local(to)) else { return Ok(None) };
        let place = to.split("/Actions/").next().unwrap_or(&to).to_owned();
        let there: System = self.http.get(&place).json().await?;
        let here = self.known.get(&target.id).map(|known| &known.system);
        let is_same = here.is_some_and(|here| match (&here.uuid, &there.uuid) {
            (Some(here), Some(there)) => here.eq_ignore_ascii_case(there),
            _ => here.id.is_some() && here.id == there.id,
        });
        Ok(there.reset().and_then(|reset| reset.target.as_deref()).filter(|_| is_same).map(absolute))
    }

    /// What the task of a reset died of; only the state tells whether it worked.
    pub(super) async fn task_trouble(&mut self, path: &str) -> Option<String> {
        let task: Task = self.http.get(path).json().await.ok()?;
        let state =
            task.state.filter(|state| matches!(state.as_str(), "Exception" | "Killed" | "Cancelled"))?;
        let text = task.messages.into_iter().find_map(|message| message.text).unwrap_or_default();
        Some(format!("the task of the reset ended as {state}: {text}"))
    }
}
