//! picket-agent: runs a cluster's resources in this guest, in place of pacemaker-remoted.

use std::io::Write as _;
use std::path::Path;
use std::process::ExitCode;

use clap::Parser as _;
use picket_agent::cli::Args;
use picket_agent::config::{Config, Overrides, without_effect};
use picket_agent::init::{self, Role};
use picket_agent::{builtin, daemon, logging};

/// Exit status of a usage error (sysexits.h EX_USAGE), as the original's.
const USAGE: u8 = 64;

fn main() -> ExitCode {
    let mut words = std::env::args_os();
    let program = words.next().unwrap_or_default();
    // Pacemaker runs /bin/true in the containers of a bundle to see whether they live, and an image which is this file
    // alone has no other.
    if Path::new(&program).file_name().is_some_and(|name| name == "true") {
        return ExitCode::SUCCESS;
    }
    if let Some(command) = builtin::command::called(&program) {
        return command.run(words.next().and_then(|action| action.into_string().ok()));
    }
    match init::enter() {
        Ok(Role::Agent) => serve(),
        Ok(Role::Ended(status)) => status,
        Err(error) => {
            let _ = writeln!(std::io::stderr(), "picket-agent: {error}");
            ExitCode::FAILURE
        }
    }
}

fn serve() -> ExitCode {
    let args = match Args::try_parse() {
        Ok(args) => args,
        Err(error) => {
            // Nothing else can be done where stdout and stderr are closed.
            let _ = error.print();
            return if error.use_stderr() { ExitCode::from(USAGE) } else { ExitCode::SUCCESS };
        }
    };
    let overrides = Overrides { log_file: args.log_file, port: args.port, verbosity: args.verbose };
    let (config, faults) = Config::read(&std::env::vars_os().collect(), overrides);
    daemon::prepare();
    let _logging = logging::start(&config.log, "picket-agent");
    for fault in faults {
        match fault.origin() {
            Some((file, line)) => tracing::warn!("{fault} ({}, line {line})", file.display()),
            None => tracing::warn!("{fault}"),
        }
    }
    for line in without_effect(|name| std::env::var_os(name).is_some()) {
        tracing::warn!("{line}");
    }
    daemon::run(config)
}
