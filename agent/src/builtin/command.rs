//! A built-in agent as an OCF executable: `container monitor` with `OCF_RESKEY_` variables.

use std::io::Write as _;
use std::path::Path;
use std::process::ExitCode;
use std::time::Duration;

use picket_proto::outcome::OcfRc;

use super::table::Agent;
use super::values::Values;
use super::{Call, find, run};
use crate::process::EXIT_REASON_PREFIX;

/// The agent that a program's own name stands for.
#[must_use]
pub fn called(program: &std::ffi::OsStr) -> Option<Command> {
    let name = Path::new(program).file_name()?.to_str()?;
    find(name).map(Command)
}

/// A built-in agent, about to run as a program of its own.
pub struct Command(&'static Agent);

impl Command {
    /// Carries out the action named by the first argument.
    #[must_use]
    pub fn run(self, action: Option<String>) -> ExitCode {
        let Some(action) = action.filter(|action| !matches!(action.as_str(), "usage" | "help" | "--help"))
        else {
            return self.usage();
        };
        let runtime = match tokio::runtime::Builder::new_current_thread().enable_all().build() {
            Ok(runtime) => runtime,
            Err(error) => {
                return exit(OcfRc::Error, None, Some(&format!("cannot set up the event loop: {error}")));
            }
        };
        let outcome = runtime.block_on(run(self.0, call(action)));
        exit(outcome.rc, outcome.output.as_deref(), outcome.exit_reason.as_deref())
    }

    fn usage(&self) -> ExitCode {
        let actions: Vec<_> = self.0.actions.iter().map(|action| action.name).collect();
        let text = format!("usage: {} {{{}|meta-data}}\n", self.0.name, actions.join("|"));
        exit(OcfRc::Ok, Some(&text), None)
    }
}

fn call(action: String) -> Call {
    let env: Vec<_> = std::env::vars().collect();
    let value = |name: &str| env.iter().find(|(known, _)| known == name).map(|(_, value)| value.as_str());
    let millis = |name| value(name).and_then(|text| text.parse().ok()).map(Duration::from_millis);
    let interval = millis("OCF_RESKEY_CRM_meta_interval");
    Call {
        is_probe: action == "monitor" && interval == Some(Duration::ZERO),
        action,
        instance: value("OCF_RESOURCE_INSTANCE").unwrap_or("default").to_owned(),
        values: Values::new(
            env.iter().filter_map(|(name, value)| Some((name.strip_prefix("OCF_RESKEY_")?, value.as_str()))),
        ),
        limit: millis("OCF_RESKEY_CRM_meta_timeout"),
    }
}

fn exit(rc: OcfRc, output: Option<&str>, reason: Option<&str>) -> ExitCode {
    // Nothing else can be done where stdout and stderr are closed.
    if let Some(output) = output {
        let _ = std::io::stdout().write_all(output.as_bytes());
    }
    if let Some(reason) = reason {
        let _ = writeln!(std::io::stderr(), "{EXIT_REASON_PREFIX}{reason}");
    }
    ExitCode::from(rc.number())
}
