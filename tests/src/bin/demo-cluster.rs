//! Shows the agent at work in a real cluster: `demo-cluster [--agent picket|original] [--short]`.
#![allow(clippy::print_stdout, clippy::print_stderr, reason = "it is made to be watched")]

use std::process::ExitCode;

use anyhow::{Context, Result, bail};
use picket_tests::fence::frozen;
use picket_tests::scenario::{self, Scene};
use picket_tests::{Agent, Report};

fn main() -> ExitCode {
    match run() {
        Ok(report) if report.holds() => ExitCode::SUCCESS,
        Ok(report) => {
            println!("{} of {} checks fall short", report.shortfalls().len(), report.checks.len());
            ExitCode::FAILURE
        }
        Err(e) => {
            eprintln!("demo-cluster: {e:#}");
            ExitCode::from(2)
        }
    }
}

fn run() -> Result<Report> {
    let mut agent = Agent::Picket;
    let mut short = false;
    let mut arguments = std::env::args().skip(1);
    while let Some(argument) = arguments.next() {
        match argument.as_str() {
            "--agent" => agent = arguments.next().context("--agent needs picket or original")?.parse()?,
            "--short" => short = true,
            other => {
                bail!("unknown argument '{other}'; usage: demo-cluster [--agent picket|original] [--short]")
            }
        }
    }
    println!("agent: {} ({})", agent.name(), agent.executable()?.display());
    let mut watch = |scene: Scene| match scene {
        Scene::Done(check) => println!("{check}"),
        Scene::Picture(title, crm_mon) => println!("\n--- crm_mon {title}\n{}\n", crm_mon.trim()),
    };
    if short {
        return Ok(scenario::short(agent, &mut watch));
    }
    let mut report = scenario::full(agent, &mut watch);
    println!("and once more, in a cluster without fencing:\n");
    report.checks.extend(scenario::unfenced(agent, &mut watch).checks);
    println!("and a container as a guest node, which freezes and is fenced by picket-fence:\n");
    report.checks.extend(frozen::container(&mut watch).checks);
    Ok(report)
}
