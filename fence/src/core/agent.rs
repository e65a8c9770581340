//! What one agent is: a row of the table of agents, as data.

use super::action::{Action, NAMES};
use super::driver::Driver;
use super::failure::Failure;
use super::option::Opt;
use super::settings::Settings;
use super::standard;

/// What a run cannot do without, beyond what the driver finds out by itself.
#[derive(Debug, Clone, Copy)]
pub struct Needs {
    /// `ip`.
    pub address: bool,
    /// `username`.
    pub username: bool,
    /// `password` or `password_script`.
    pub password: bool,
    /// `plug`, for actions on a machine.
    pub plug: bool,
}

/// How the lines of `list` look, where there is one.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum List {
    /// None: the device has one machine.
    No,
    /// Plug and alias with `separator` between them; the state as well in `list-status`.
    Fields,
    /// Plug, alias and state in columns, in `list` too.
    Columns,
}

/// What the platform can do besides on, off and status.
#[derive(Debug, Clone, Copy)]
pub struct Can {
    /// [`Driver::list`].
    pub list: List,
    /// [`Driver::cycle`]: the platform proves that the old instance ended.
    pub cycle: bool,
    /// [`Driver::diag`].
    pub diag: bool,
    /// [`Driver::null`].
    pub null: bool,
}

/// An agent. `fence_x` and all its aliases are one of these.
pub struct Agent {
    /// The name callers use, with `fence_`.
    pub name: &'static str,
    /// Other names of the same program.
    pub aliases: &'static [&'static str],
    /// `shortdesc` of the metadata.
    pub title: &'static str,
    /// `longdesc` of the metadata: plain text, paragraphs separated by an empty line.
    pub about: &'static str,
    /// `vendor-url` of the metadata.
    pub url: &'static str,
    /// Groups of options; a later row replaces an earlier one with the same key. [`standard::ALWAYS`] is implied.
    pub options: &'static [&'static [Opt]],
    /// What a run cannot do without.
    pub needs: Needs,
    /// What the platform can do.
    pub can: Can,
    /// Builds the driver from checked settings. Reads files where options name them, but contacts nothing.
    pub driver: fn(&Settings) -> Result<Box<dyn Driver>, Failure>,
}

impl Agent {
    /// Whether it answers to this name, or to it as `fence_picket_...`, which stands beside another package's
    /// `fence_...`.
    pub fn answers_to(&self, name: &str) -> bool {
        let is = |known: &str| {
            let ours = name.strip_prefix("fence_picket_");
            known == name || ours.is_some_and(|ours| known.strip_prefix("fence_") == Some(ours))
        };
        is(self.name) || self.aliases.iter().any(|alias| is(alias))
    }

    /// All its options, in the order of the help.
    pub fn table(&self) -> Vec<Opt> {
        let mut table: Vec<Opt> = Vec::new();
        for group in std::iter::once(&standard::ALWAYS).chain(self.options) {
            for opt in *group {
                match table.iter_mut().find(|known| known.key == opt.key) {
                    Some(known) => *known = *opt,
                    None => table.push(*opt),
                }
            }
        }
        table.sort_by_key(|opt| opt.order);
        table
    }

    /// Whether it has this option.
    pub fn has(&self, opt: &Opt) -> bool {
        std::iter::once(&standard::ALWAYS)
            .chain(self.options)
            .any(|group| group.iter().any(|o| o.key == opt.key))
    }

    /// Whether it can do this.
    pub fn supports(&self, action: Action) -> bool {
        match action {
            Action::List | Action::ListStatus => self.can.list != List::No,
            Action::Cycle => self.can.cycle,
            Action::Diag => self.can.diag,
            Action::Null => self.can.null,
            Action::On
            | Action::Off
            | Action::Reboot
            | Action::Status
            | Action::Monitor
            | Action::Metadata
            | Action::ManPage
            | Action::Man
            | Action::Completion(_)
            | Action::ValidateAll => true,
        }
    }

    /// The actions to advertise, in the order of the metadata.
    pub fn advertised(&self) -> impl Iterator<Item = (&'static str, Action)> {
        let hidden = NAMES.iter().position(|&(name, _)| name == "cycle").unwrap_or(NAMES.len());
        NAMES[..hidden].iter().copied().filter(|&(_, action)| self.supports(action))
    }
}
