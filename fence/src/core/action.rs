//! The actions of an agent.

/// What a caller asks for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Action {
    /// Power off and confirm it.
    Off,
    /// Power on and confirm it.
    On,
    /// Off, confirmed, then on.
    Reboot,
    /// Reboot with the platform's own reset; `method=cycle` in the words of the contract.
    Cycle,
    /// Report the power state.
    Status,
    /// Print the machines.
    List,
    /// Print the machines with their power state.
    ListStatus,
    /// Prove that fencing would work.
    Monitor,
    /// Print the metadata.
    Metadata,
    /// Print the metadata, for tools that make a manual page of it.
    ManPage,
    /// Print the manual page as roff; ours, for packaging.
    Man,
    /// Print shell completion; ours, for packaging.
    Completion(Shell),
    /// Check the configuration, log in, and look for the machine and the permission.
    ValidateAll,
    /// Send a diagnostic interrupt.
    Diag,
    /// Send the request of older agents that asks for nothing.
    Null,
}

/// A shell that completion can be generated for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Shell {
    /// GNU bash.
    Bash,
    /// fish.
    Fish,
    /// zsh.
    Zsh,
}

/// All actions by name, in the order of the metadata. `on` comes first there (fence-contract, section 13).
pub const NAMES: &[(&str, Action)] = &[
    ("on", Action::On),
    ("off", Action::Off),
    ("reboot", Action::Reboot),
    ("status", Action::Status),
    ("list", Action::List),
    ("list-status", Action::ListStatus),
    ("monitor", Action::Monitor),
    ("metadata", Action::Metadata),
    ("manpage", Action::ManPage),
    ("validate-all", Action::ValidateAll),
    ("diag", Action::Diag),
    ("null", Action::Null),
    ("cycle", Action::Cycle),
    ("meta-data", Action::Metadata),
    ("man", Action::Man),
    ("completion-bash", Action::Completion(Shell::Bash)),
    ("completion-fish", Action::Completion(Shell::Fish)),
    ("completion-zsh", Action::Completion(Shell::Zsh)),
];

impl Action {
    /// The action with this name, in any case.
    pub fn parse(word: &str) -> Option<Self> {
        NAMES.iter().find(|(name, _)| name.eq_ignore_ascii_case(word)).map(|&(_, action)| action)
    }

    /// Its name.
    pub fn name(self) -> &'static str {
        NAMES.iter().find(|&&(_, action)| action == self).map_or("", |&(name, _)| name)
    }

    /// Whether it ends in a document and needs neither configuration nor network.
    pub fn is_document(self) -> bool {
        matches!(self, Self::Metadata | Self::ManPage | Self::Man | Self::Completion(_))
    }

    /// Whether it changes power.
    pub fn is_power(self) -> bool {
        matches!(self, Self::Off | Self::On | Self::Reboot | Self::Cycle | Self::Diag)
    }

    /// Whether it cannot do without a machine.
    pub fn needs_plug(self) -> bool {
        self.is_power() || matches!(self, Self::Status | Self::Null)
    }

    /// Whether `delay` applies: only to what takes a machine down.
    pub fn is_delayed(self) -> bool {
        matches!(self, Self::Off | Self::Reboot | Self::Cycle)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_found_in_any_case_and_lead_back_to_the_action() {
        for &(name, action) in NAMES {
            assert_eq!(Action::parse(&name.to_uppercase()), Some(action));
        }
        assert_eq!(Action::parse("poweroff"), None);
        assert_eq!(Action::Metadata.name(), "metadata");
    }
}
