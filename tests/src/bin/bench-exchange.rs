//! Measures request and reply with the original and with picket-agent: `bench-exchange [COUNT]`.
#![allow(clippy::print_stdout, clippy::print_stderr, reason = "the figures are its product")]

use std::process::ExitCode;

use anyhow::{Context, Result};
use picket_tests::exchange::measure;

const COUNT: usize = 100;

fn main() -> ExitCode {
    match run() {
        Ok(()) => ExitCode::SUCCESS,
        Err(e) => {
            eprintln!("bench-exchange: {e:#}");
            ExitCode::FAILURE
        }
    }
}

fn run() -> Result<()> {
    let count = match std::env::args().nth(1) {
        Some(count) => count.parse().with_context(|| format!("'{count}' is not a number of exchanges"))?,
        None => COUNT,
    };
    let found = measure(count)?;
    println!("lrmd_rsc_info, {count} times each in turn, a controller that writes as Pacemaker's:");
    println!("  original      {}", found.original);
    println!("  picket-agent  {}", found.picket);
    println!("  ratio of the medians: {:.0}", found.ratio());
    Ok(())
}
