//! picket-agent's command line, from which its manual page and completions are made, too.

use std::path::PathBuf;

use clap::Parser;

/// What may be typed. Long and short names are the original's.
#[derive(Debug, Parser)]
#[command(
    name = "picket-agent",
    about = "Resource agent executor for Pacemaker Remote nodes",
    version = concat!(env!("CARGO_PKG_VERSION"), " (serves Pacemaker Remote, LRMD protocol 1.2)"),
    disable_version_flag = true,
    disable_help_flag = true
)]
pub struct Args {
    /// Additional detail log
    #[arg(short = 'l', long = "logfile", value_name = "FILE")]
    pub log_file: Option<PathBuf>,
    /// Port to listen on; wins over PCMK_remote_port
    #[arg(short = 'p', long, value_name = "PORT")]
    pub port: Option<String>,
    /// More log messages; may be repeated
    #[arg(short = 'V', long, action = clap::ArgAction::Count)]
    pub verbose: u8,
    /// Show the version
    #[arg(short = '$', long, action = clap::ArgAction::Version)]
    pub version: Option<bool>,
    /// Show this help
    #[arg(short = '?', short_alias = 'h', long, action = clap::ArgAction::Help)]
    pub help: Option<bool>,
    /// Ignored, as by the original
    #[arg(hide = true)]
    pub rest: Vec<String>,
}
