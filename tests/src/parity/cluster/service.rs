//! The services, and their failures.

use std::fs;
use std::os::unix::fs::MetadataExt as _;
use std::time::Instant;

use anyhow::{Context, Result};

use super::{SOON, Stage};
use crate::guest::Guest;
use crate::report::Finding;
use crate::wait::wait_until;

fn state_file(service: &str) -> String {
    format!("/run/picket-{service}.state")
}

fn primitive(service: &str, parameters: &str) -> String {
    let state = state_file(service);
    format!(
        r#"<primitive id="{service}" class="ocf" provider="pacemaker" type="Dummy">
          <instance_attributes id="{service}-attributes">
            <nvpair id="{service}-state" name="state" value="{state}"/>{parameters}
          </instance_attributes>
          <operations>
            <op id="{service}-monitor" name="monitor" interval="2s" timeout="20s"/>
          </operations>
        </primitive>"#
    )
}

pub(super) fn start(stage: &Stage) -> Result<Finding> {
    let (mut resources, mut constraints) = (String::new(), String::new());
    for (index, guest) in stage.guests.iter().enumerate() {
        let service = format!("svc{}", index + 1);
        resources.push_str(&primitive(&service, ""));
        constraints.push_str(&format!(
            r#"<rsc_location id="{service}-prefers" rsc="{service}" node="{}" score="1000"/>"#,
            guest.name()
        ));
    }
    stage.cluster.extend(&format!(
        "<configuration><resources>{resources}</resources><constraints>{constraints}</constraints></configuration>"
    ))?;
    stage.all_well("a service runs on each guest")?;
    Ok(Finding::good(format!("{} services", stage.guests.len())))
}

/// What a restart changes: inode and time of the state file.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(super) struct Footprint(u64, i64, i64);

impl Footprint {
    pub(super) fn of(guest: &Guest, service: &str) -> Result<Self> {
        let path = guest.host.seen_from_outside(&state_file(service))?;
        let meta =
            fs::metadata(&path).with_context(|| format!("{service} does not run on {}", guest.name()))?;
        Ok(Self(meta.ino(), meta.mtime(), meta.mtime_nsec()))
    }

    /// Of all services, each on its guest.
    pub(super) fn all(stage: &Stage) -> Result<Vec<Self>> {
        let services = stage.guests.iter().enumerate();
        services.map(|(index, guest)| Self::of(guest, &format!("svc{}", index + 1))).collect()
    }
}

/// Words for a figure.
pub(super) fn untouched(same: bool) -> &'static str {
    if same { "services untouched" } else { "services RESTARTED" }
}

/// Removes the state of a service, as its crash would.
pub(super) fn break_it(guest: &Guest, service: &str) -> Result<()> {
    guest.host.check(&["rm", &state_file(service)]).map(drop)
}

/// Waits until the cluster knows that the monitor of a service failed.
pub(super) fn failure_seen(stage: &Stage, service: &str) -> Result<()> {
    let monitor = format!("{service}_monitor_");
    stage.cluster.wait(&format!("the failure of {service} is seen"), SOON, |status| {
        status.failures.iter().any(|failure| failure.operation.starts_with(&monitor))
    })?;
    Ok(())
}

/// Breaks the service of guest 1, and waits until it is recovered.
pub(super) fn failure(stage: &Stage) -> Result<Finding> {
    let (guest, service) = stage.guest(1)?;
    let started = Instant::now();
    break_it(guest, &service)?;
    failure_seen(stage, &service)?;
    let seen = started.elapsed();
    wait_until("the service runs again", SOON, || Ok(Footprint::of(guest, &service).ok()))?;
    let recovered = started.elapsed();
    stage.all_well("the service runs on its guest again")?;
    stage.forget()?;
    Ok(Finding::good(format!(
        "seen after {:.1} s (monitored every 2 s), recovered after {:.1} s, cleaned up",
        seen.as_secs_f64(),
        recovered.as_secs_f64()
    )))
}

/// Call ids of a service's operations, as the CIB has them.
pub(super) fn call_ids(stage: &Stage, node: &str, service: &str) -> Result<Vec<String>> {
    let path = format!("//node_state[@uname='{node}']//lrm_resource[@id='{service}']/lrm_rsc_op");
    let found = stage.cluster.run(&["cibadmin", "--query", "--xpath", &path])?;
    let ids = found.split(" call-id=\"").skip(1).filter_map(|rest| rest.split('"').next());
    Ok(ids.map(str::to_owned).collect())
}

/// A service whose parameters XML has to escape is not restarted by a change that does not concern it.
pub(super) fn odd_parameters(stage: &Stage) -> Result<Finding> {
    let (guest, service) = (stage.guest(1)?.0, "odd");
    let odd = r#"<nvpair id="odd-fake" name="fake" value="a &lt;b&gt; &amp; &quot;q&quot; 'p' \ é €"/>"#;
    let location =
        format!(r#"<rsc_location id="odd-prefers" rsc="odd" node="{}" score="INFINITY"/>"#, guest.name());
    stage.cluster.extend(&format!(
        "<configuration><resources>{}</resources><constraints>{location}</constraints></configuration>",
        primitive(service, odd)
    ))?;
    stage.cluster.wait("the odd service runs", SOON, |status| status.runs_on(service, guest.name()))?;
    stage.cluster.settle(SOON)?;
    let (before, calls) = (Footprint::of(guest, service)?, call_ids(stage, guest.name(), service)?);
    stage.cluster.run(&["crm_attribute", "--name", "batch-limit", "--update", "17"])?;
    stage.cluster.settle(SOON)?;
    let after = call_ids(stage, guest.name(), service)?;
    let same = before == Footprint::of(guest, service)? && calls == after && !calls.is_empty();
    Ok(Finding { figure: format!("calls {calls:?} before and {after:?} after a change"), holds: same })
}
