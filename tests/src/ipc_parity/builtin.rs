//! Our built-in commands beside the tools whose names they have.

use anyhow::Result;

use super::compare::{Answer, answer};
use super::stage::Stage;
use crate::agent::{Agent, picketctl};
use crate::report::Finding;

/// Where links with the tools' names are, on the host only.
const FOLDER: &str = "/run/builtin";

/// What resource agents run, and a little more.
const LINES: [&str; 40] = [
    "crm_node -n",
    "crm_node -i",
    "crm_node -l",
    "crm_node -p",
    "crm_node -q",
    "crm_node --name-for-id=1",
    "OCF_RESKEY_CRM_meta_on_node=elsewhere crm_node -n",
    "attrd_updater -n level -U 3",
    "attrd_updater -n level -Q",
    "attrd_updater -n level -Q -A",
    "attrd_updater -n level -Q -N node1",
    "attrd_updater -n level -Q -N guest1",
    "attrd_updater -n level -U 8 -N node1",
    "attrd_updater -n level -Q -A",
    "attrd_updater -S status -n level -B 5 -d 1s",
    "attrd_updater -n level -Q -N guest1",
    "attrd_updater -p -n secret -U true",
    "attrd_updater -p -n secret -Q",
    "attrd_updater -n level -v -INFINITY -d 0",
    "attrd_updater -n level -Q -N guest1",
    "attrd_updater -D -n level",
    "attrd_updater -n level -Q -N guest1",
    "attrd_updater -n nothing -Q",
    "crm_attribute --type=crm_config --name=stonith-enabled --query --quiet --default=true",
    "crm_attribute -t crm_config -n stonith-enabled -G",
    "crm_attribute --type crm_config --name db_REPL_INFO -s redis_replication -v node1",
    "crm_attribute --type crm_config --name db_REPL_INFO -s redis_replication --query -q",
    "crm_attribute --type crm_config --name db_REPL_INFO -s redis_replication -D",
    "crm_attribute -N guest1 -l forever --name color -v blue",
    "crm_attribute -N guest1 -l forever --name color --query -q",
    "crm_attribute -N guest1 -l forever --name color",
    "crm_attribute -N guest1 -l forever --name color -D",
    "crm_attribute -N guest1 -l reboot --name db-bootstrap -v true; sleep 0.3",
    "crm_attribute -N guest1 -l reboot --name db-bootstrap --quiet",
    "crm_attribute -N guest1 -l reboot --name db-bootstrap -D; sleep 0.3",
    "crm_attribute -N guest1 -l reboot --name db-bootstrap --query",
    "OCF_RESOURCE_INSTANCE=db:0 crm_attribute -p -v 100; sleep 0.3",
    "OCF_RESOURCE_INSTANCE=db:0 crm_attribute -p -G -q",
    "crm_master -r db -l reboot -v 7; sleep 0.3; crm_master -Q -l reboot -r db -G",
    "crm_master -r db -v 7; crm_master -r db -G; crm_master -r db -D",
];

/// Runs every line with Debian's tools in one guest, and with ours in another.
pub(super) fn measure() -> Result<Finding> {
    let picketctl = picketctl()?;
    let link = format!(
        "mkdir {FOLDER}; for name in attrd_updater crm_attribute crm_master crm_node; \
         do ln -s {picketctl} {FOLDER}/$name; done"
    );
    let all = |path: &str| -> Result<Vec<Answer>> {
        let stage = Stage::new(Agent::Picket, 1, &[])?;
        let host = &stage.guest.host;
        host.check(&["sh", "-c", &link])?;
        LINES.iter().map(|line| answer(host, &format!("PATH={path}:$PATH; export PATH; {line}"))).collect()
    };
    let (theirs, ours) = (all("/usr/sbin")?, all(FOLDER)?);
    let mut differing = Vec::new();
    for ((line, theirs), ours) in LINES.iter().zip(&theirs).zip(&ours) {
        // Errors are worded otherwise; who reads them is a person.
        if (theirs.status, theirs.stdout.trim_end()) != (ours.status, ours.stdout.trim_end()) {
            differing.push(format!("{line} ({theirs:?}, {ours:?})"));
        }
    }
    let alike = LINES.len() - differing.len();
    let mut figure = format!("{alike} of {} command lines have the same output and status", LINES.len());
    if !differing.is_empty() {
        figure = format!("{figure}; not: {}", differing.join("; "));
    }
    Ok(Finding { figure, holds: differing.is_empty() })
}
