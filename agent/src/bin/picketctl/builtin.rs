//! Commands under the names of Pacemaker's tools, for guests without its packages: a link with such a name to
//! `picketctl` is enough. Exit codes are the original's.

use std::ffi::OsString;
use std::io::Write as _;
use std::path::Path;
use std::process::ExitCode;

use clap::Parser;
use picket_agent::ipc::client::ClientError;
use picket_agent::ipc::cluster::ClusterError;

use crate::attr::Attr;
use crate::monitor::{Admin, Monitor};
use crate::node::Node;
use crate::updater::Updater;

pub(crate) const OK: u8 = 0;
pub(crate) const USAGE: u8 = 64;
pub(crate) const CONFIG: u8 = 78;
pub(crate) const DISCONNECTED: u8 = 102;
pub(crate) const NO_SUCH: u8 = 105;
const INSUFFICIENT_PRIVILEGES: u8 = 4;
const ERROR: u8 = 1;
const TIMEOUT: u8 = 124;

/// Each with its own options, whatever the name of the program that was called.
#[derive(Parser)]
#[command(multicall = true, disable_help_subcommand = true)]
enum Named {
    #[command(name = "attrd_updater")]
    AttrdUpdater(Updater),
    #[command(name = "cibadmin")]
    Cibadmin(Admin),
    #[command(name = "crm_attribute")]
    CrmAttribute(Attr),
    #[command(name = "crm_master")]
    CrmMaster(Attr),
    #[command(name = "crm_mon")]
    CrmMon(Monitor),
    #[command(name = "crm_node")]
    CrmNode(Node),
}

/// The names.
const NAMES: [&str; 6] = ["attrd_updater", "cibadmin", "crm_attribute", "crm_master", "crm_mon", "crm_node"];

/// Runs the command this program was called as; `None` where it is none of them.
pub(crate) fn run() -> Option<ExitCode> {
    let mut arguments: Vec<OsString> = std::env::args_os().collect();
    let called = Path::new(arguments.first()?).file_name()?.to_str()?.to_owned();
    if !NAMES.contains(&called.as_str()) {
        return None;
    }
    arguments[0] = called.clone().into();
    Some(match Named::try_parse_from(arguments) {
        Ok(Named::AttrdUpdater(updater)) => updater.run(&called),
        Ok(Named::Cibadmin(admin)) => admin.run(&called),
        Ok(Named::CrmMon(monitor)) => monitor.run(&called),
        Ok(Named::CrmAttribute(attr)) => attr.run(&called),
        Ok(Named::CrmMaster(attr)) => attr.of_crm_master().run(&called),
        Ok(Named::CrmNode(node)) => node.run(&called),
        Err(error) => {
            // Nothing else can be done where stdout and stderr are closed.
            let _ = error.print();
            if error.use_stderr() { ExitCode::from(USAGE) } else { ExitCode::SUCCESS }
        }
    })
}

/// The node whose attributes an operation is to set, where the cluster has said so.
pub(crate) fn target() -> Option<String> {
    let value =
        |name| std::env::var(format!("OCF_RESKEY_CRM_meta_{name}")).ok().filter(|text| !text.is_empty());
    if value("container_attribute_target").as_deref() == Some("host") {
        return value("physical_host");
    }
    value("on_node")
}

/// The original's exit code for a failure.
pub(crate) fn code(error: &ClusterError) -> u8 {
    match error {
        ClusterError::Client(ClientError::Late) => TIMEOUT,
        ClusterError::Client(ClientError::Refused { errno: 13, .. }) | ClusterError::Refused(13) => {
            INSUFFICIENT_PRIVILEGES
        }
        ClusterError::Client(_) => DISCONNECTED,
        ClusterError::Refused(6) => NO_SUCH,
        ClusterError::Name(_) => USAGE,
        _ => ERROR,
    }
}

pub(crate) fn complain(program: &str, why: &str, code: u8) -> ExitCode {
    say_error(program, why);
    ExitCode::from(code)
}

pub(crate) fn say_error(program: &str, why: &str) {
    // Nothing else can be done where stderr is closed.
    let _ = writeln!(std::io::stderr(), "{program}: {why}");
}
