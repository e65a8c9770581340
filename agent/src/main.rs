//! picket-agent: runs a cluster's resources in this guest, in place of pacemaker-remoted.

use std::io::Write as _;
use std::path::PathBuf;
use std::process::ExitCode;

use clap::Parser;
use picket_agent::config::{Config, Overrides, without_effect};
use picket_agent::init::{self, Role};
use picket_agent::{daemon, logging};

/// Exit status of a usage error (sysexits.h EX_USAGE), as the original's.
const USAGE: u8 = 64;

#[derive(Parser)]
#[command(
    name = "picket-agent",
    about = "Resource agent executor for Pacemaker Remote nodes",
    version = concat!(env!("CARGO_PKG_VERSION"), " (serves Pacemaker Remote, LRMD protocol 1.2)"),
    disable_version_flag = true,
    disable_help_flag = true
)]
struct Args {
    /// Additional detail log
    #[arg(short = 'l', long = "logfile", value_name = "FILE")]
    log_file: Option<PathBuf>,
    /// Port to listen on; wins over PCMK_remote_port
    #[arg(short = 'p', long, value_name = "PORT")]
    port: Option<String>,
    /// More log messages; may be repeated
    #[arg(short = 'V', long, action = clap::ArgAction::Count)]
    verbose: u8,
    /// Show the version
    #[arg(short = '$', long, action = clap::ArgAction::Version)]
    version: Option<bool>,
    /// Show this help
    #[arg(short = '?', short_alias = 'h', long, action = clap::ArgAction::Help)]
    help: Option<bool>,
    /// Ignored, as by the original
    #[arg(hide = true)]
    rest: Vec<String>,
}

fn main() -> ExitCode {
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
