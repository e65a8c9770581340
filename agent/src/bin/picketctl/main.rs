//! picketctl: looks at an agent, and has it run an operation, with no cluster.

mod access;
mod attr;
mod builtin;
mod credential;
mod failure;
mod generate;
mod guest;
mod key;
mod monitor;
mod node;
mod output;
mod probe;
mod run;
mod target;
mod updater;
mod watch;

use std::process::ExitCode;

use clap::{Parser, Subcommand};
use failure::{EXIT_CODES, Failure};

#[derive(Parser)]
#[command(
    name = "picketctl",
    version,
    about = "Try, watch and diagnose picket-agent and pacemaker-remoted, with no cluster",
    long_about = "Speaks the cluster's side of the Pacemaker Remote protocol with an agent: picket-agent or \
                  pacemaker-remoted.\n\n\
                  A cluster gives a node up as soon as its agent tells it of another client. picket-agent takes \
                  picketctl for an observer and tells nobody, so looking is always safe there; where looking is not \
                  safe, picketctl refuses and says why, unless --takeover is given.",
    after_long_help = EXIT_CODES
)]
struct Args {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    Attr(attr::Attr),
    #[command(hide = true)]
    Generate(generate::Generate),
    Guest(guest::Guest),
    Key(key::KeyCommand),
    Node(node::Node),
    Probe(probe::Probe),
    Run(run::Run),
    Watch(watch::Watch),
}

fn main() -> ExitCode {
    if let Some(code) = builtin::run() {
        return code;
    }
    let args = match Args::try_parse() {
        Ok(args) => args,
        Err(error) => {
            // Nothing else can be done where stdout and stderr are closed.
            let _ = error.print();
            return if error.use_stderr() { ExitCode::from(Failure::USAGE) } else { ExitCode::SUCCESS };
        }
    };
    let runtime = match tokio::runtime::Builder::new_current_thread().enable_all().build() {
        Ok(runtime) => runtime,
        Err(error) => return output::complain(&Failure::System(error)),
    };
    let result = runtime.block_on(async {
        match args.command {
            Command::Attr(attr) => Ok(attr.run("picketctl attr")),
            Command::Node(node) => Ok(node.run("picketctl node")),
            Command::Generate(generate) => generate.run().map(|()| ExitCode::SUCCESS),
            Command::Guest(guest) => guest.run().map(|()| ExitCode::SUCCESS),
            Command::Key(key) => key.run().map(ExitCode::from),
            Command::Probe(probe) => probe.run().await.map(|()| ExitCode::SUCCESS),
            Command::Run(run) => run.run().await.map(ExitCode::from),
            Command::Watch(watch) => watch.run().await.map(|()| ExitCode::SUCCESS),
        }
    });
    // A name that the resolver is still looking for must not hold up the end.
    runtime.shutdown_background();
    result.unwrap_or_else(|failure| output::complain(&failure))
}
