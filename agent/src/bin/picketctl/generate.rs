//! `picketctl generate`: manual pages and completions from the same definitions that the programs parse with.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use clap::CommandFactory as _;
use clap_complete::Shell;
use clap_mangen::Man;
use clap_mangen::roff::{Roff, bold, roman};
use picket_agent::cli;
use picket_agent::config::SETTINGS;

use crate::Args;
use crate::failure::Failure;

/// Write manual pages and completions, for packages
#[derive(clap::Args)]
pub(crate) struct Generate {
    /// Folder for them
    folder: PathBuf,
}

impl Generate {
    pub(crate) fn run(self) -> Result<(), Failure> {
        Ok(write(&self.folder)?)
    }
}

fn write(folder: &Path) -> io::Result<()> {
    fs::create_dir_all(folder)?;
    let mut agent =
        Man::new(cli::Args::command()).section("8").source(concat!("picket ", env!("CARGO_PKG_VERSION")));
    agent = agent.manual("Picket");
    let mut page = Vec::new();
    agent.render(&mut page)?;
    settings().to_writer(&mut page)?;
    fs::write(folder.join("picket-agent.8"), page)?;

    let mut whole = Args::command().disable_help_subcommand(true);
    // Gives the parts their full names: picketctl-run and so on.
    whole.build();
    let parts = whole.get_subcommands().filter(|part| !part.is_hide_set());
    for command in std::iter::once(&whole).chain(parts) {
        let name = command.get_display_name().unwrap_or_else(|| command.get_name());
        let mut page = Vec::new();
        Man::new(command.clone()).title(name).section("8").manual("Picket").render(&mut page)?;
        fs::write(folder.join(format!("{name}.8")), page)?;
    }
    for (program, mut command) in [("picket-agent", cli::Args::command()), ("picketctl", Args::command())] {
        for shell in [Shell::Bash, Shell::Fish, Shell::Zsh] {
            clap_complete::generate_to(shell, &mut command, program, folder)?;
        }
    }
    Ok(())
}

/// What the agent reads from its environment.
fn settings() -> Roff {
    let mut roff = Roff::new();
    roff.control("SH", ["ENVIRONMENT"]);
    roff.text([roman(
        "The service manager sets these from /etc/default/pacemaker or /etc/sysconfig/pacemaker.",
    )]);
    for setting in SETTINGS {
        roff.control("TP", []);
        roff.text([bold(setting.name)]);
        roff.text([roman(format!("{} Default: {}.", setting.about, setting.default))]);
    }
    roff
}
