//! `attrd_updater`: transient attributes with dampening.

use std::process::ExitCode;

use picket_agent::ipc::cluster::{self, Change, ClusterError, Task};

use crate::builtin::{self, CONFIG, OK, USAGE};
use crate::output;

/// Set and show transient attributes, as attrd_updater does
#[derive(clap::Args)]
pub(crate) struct Updater {
    /// Name of the attribute
    #[arg(short, long)]
    name: Option<String>,
    /// New value
    #[arg(short = 'U', long, short_alias = 'v', alias = "value", allow_hyphen_values = true)]
    update: Option<String>,
    /// New value and new dampening
    #[arg(short = 'B', long, allow_hyphen_values = true)]
    update_both: Option<String>,
    /// New dampening
    #[arg(short = 'Y', long)]
    update_delay: bool,
    /// Show the value
    #[arg(short = 'Q', long)]
    query: bool,
    /// Remove the attribute
    #[arg(short = 'D', long)]
    delete: bool,
    /// Write every value to the CIB again
    #[arg(short = 'R', long)]
    refresh: bool,
    /// How long to wait for further changes
    #[arg(short, long, alias = "dampening")]
    delay: Option<String>,
    /// Node
    #[arg(short = 'N', long)]
    node: Option<String>,
    /// Show the values of all nodes
    #[arg(short = 'A', long)]
    all: bool,
    /// Keep it out of the CIB
    #[arg(short, long)]
    private: bool,
    /// Ignored
    #[arg(short = 'S', long, hide = true)]
    section: Option<String>,
    /// Ignored
    #[arg(short = 's', long, hide = true)]
    set: Option<String>,
    /// Ignored
    #[arg(short, long, hide = true)]
    lifetime: Option<String>,
    /// Ignored
    #[arg(short, long, hide = true)]
    quiet: bool,
    /// Ignored
    #[arg(short = 'V', long, action = clap::ArgAction::Count, hide = true)]
    verbose: u8,
}

impl Updater {
    pub(crate) fn run(self, program: &str) -> ExitCode {
        let Some(name) = self.name.clone().or_else(|| self.refresh.then(String::new)) else {
            return builtin::complain(program, "an attribute's name is needed: --name", USAGE);
        };
        let result = if self.query { self.show(program, &name) } else { self.change(program, name) };
        match result {
            Ok(code) => ExitCode::from(code),
            Err(error) => builtin::complain(program, &error.to_string(), builtin::code(&error)),
        }
    }

    fn show(&self, program: &str, name: &str) -> Result<u8, ClusterError> {
        let node = if self.all { None } else { self.node.clone().or_else(builtin::target) };
        let values = cluster::query(program, name, node.as_deref())?.unwrap_or_default();
        if values.is_empty() {
            let why = format!("Could not query value of {name}: attribute does not exist");
            builtin::say_error(program, &why);
            return Ok(CONFIG);
        }
        for value in values {
            let line = format!("name=\"{name}\" host=\"{}\" value=\"{}\"", value.node, value.value);
            if output::line(&line).is_err() {
                break;
            }
        }
        Ok(OK)
    }

    fn change(self, program: &str, name: String) -> Result<u8, ClusterError> {
        let task = match () {
            () if self.refresh => Task::Refresh,
            () if self.update_both.is_some() => Task::Both,
            () if self.update_delay => Task::Delay,
            () => Task::Value,
        };
        let value = if self.delete { None } else { self.update_both.or(self.update) };
        let node = self.node.or_else(builtin::target).map(|node| (node, false));
        let change = Change { name, value, delay: self.delay, task, node, private: self.private };
        cluster::change(program, &change).map(|()| OK)
    }
}
