//! What a caller can get wrong.

use std::path::PathBuf;

/// A mistake in the command line, on stdin or in a file which an option names.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Usage {
    /// No agent of that name in this program.
    #[error("no agent is called '{0}'; this program is: {1}")]
    UnknownAgent(String, String),
    /// The fencer looks for the word at the start (fence-contract, section 3).
    #[error("Unrecognised action '{0}'; {1} knows {2}")]
    UnknownAction(String, String, String),
    /// Not an option of this agent.
    #[error("option '{0}' is unknown")]
    UnknownOption(String),
    /// The beginning of several options.
    #[error("option '--{0}' is the beginning of {1}; write more of it")]
    AmbiguousOption(String, String),
    /// An option without its value.
    #[error("option '{0}' needs a value")]
    NoValue(String),
    /// Neither a true nor a false word.
    #[error("'{value}' for {option} is neither true nor false; write 1 or 0")]
    NotABoolean {
        /// Name of the option.
        option: &'static str,
        /// What was given.
        value: String,
    },
    /// Not a whole number.
    #[error("'{value}' for {option} is not a whole number")]
    NotANumber {
        /// Name of the option.
        option: &'static str,
        /// What was given.
        value: String,
    },
    /// Not one of the words.
    #[error("'{value}' for {option} is not one of {words}")]
    NotAChoice {
        /// Name of the option.
        option: &'static str,
        /// What was given.
        value: String,
        /// What would do.
        words: String,
    },
    /// A needed option is missing.
    #[error("You have to set {0}")]
    Missing(&'static str),
    /// Two names for one machine, and no way to tell which is meant.
    #[error("{plug} and {port}: two different machines; set only one of them, or pcmk_host_argument")]
    TwoMachines {
        /// The first name and its value.
        plug: String,
        /// The other name and its value.
        port: String,
    },
    /// A file which an option names cannot be used.
    #[error("{option}: cannot use {path}: {reason}", path = path.display())]
    File {
        /// Name of the option.
        option: &'static str,
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        reason: String,
    },
    /// A value which is no use for another reason, for example an address or a URL.
    #[error("{option}: {reason}")]
    Value {
        /// Name of the option.
        option: &'static str,
        /// What is wrong with it.
        reason: String,
    },
    /// Nothing was given at all, and stdin is a terminal.
    #[error("nothing to do: give options, or key=value lines on stdin")]
    Nothing,
}
