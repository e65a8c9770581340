//! What a driver may ask for when it is built.

use super::agent::Agent;
use super::deadline::Deadline;
use super::env::Env;
use super::failure::Failure;
use super::input::Values;
use super::option::Opt;
use super::secret::Secret;
use super::standard;
use super::usage::Usage;
use crate::http::Calls;

/// Checked values of one run, with the agent's own defaults applied.
pub struct Settings {
    /// The agent.
    pub agent: &'static Agent,
    /// The name it was called by, for the user agent and messages.
    pub name: String,
    /// The environment.
    pub env: Env,
    /// The end of the run.
    pub deadline: Deadline,
    /// Where calls to the device are noted down.
    pub calls: Calls,
    values: Values,
    password: Option<Secret>,
}

impl Settings {
    /// Puts together what a run knows. `password` is what [`super::password::read`] found.
    pub fn new(
        agent: &'static Agent,
        name: &str,
        env: Env,
        values: Values,
        password: Option<Secret>,
        deadline: Deadline,
    ) -> Self {
        Self { agent, name: name.to_owned(), env, deadline, calls: Calls::default(), values, password }
    }

    /// The row of this agent's table with the key of `opt`: its default may differ from the shared one.
    fn own(&self, opt: &Opt) -> Opt {
        let groups = self.agent.options.iter().rev();
        groups.flat_map(|group| group.iter()).find(|own| own.key == opt.key).copied().unwrap_or(*opt)
    }

    /// Whether the caller gave it.
    pub fn is_given(&self, opt: &Opt) -> bool {
        self.values.is_given(opt)
    }

    /// The text, or the default.
    pub fn text(&self, opt: &Opt) -> Option<&str> {
        self.values.text(&self.own(opt))
    }

    /// The text, which must be there.
    ///
    /// # Errors
    /// It is neither given nor has a default.
    pub fn need(&self, opt: &Opt) -> Result<&str, Failure> {
        self.text(opt).ok_or(Failure::Usage(Usage::Missing(opt.key)))
    }

    /// Whether a flag is set to a true value.
    pub fn flag(&self, opt: &Opt) -> bool {
        self.values.flag(&self.own(opt))
    }

    /// A whole number.
    pub fn integer(&self, opt: &Opt) -> Option<i64> {
        self.values.integer(&self.own(opt))
    }

    /// Seconds as a duration; never negative.
    pub fn seconds(&self, opt: &Opt) -> Option<std::time::Duration> {
        self.values.seconds(&self.own(opt))
    }

    /// The same settings with values from elsewhere, such as a platform's own configuration file, for options which the
    /// caller has not given.
    ///
    /// # Errors
    /// A value that its option does not accept.
    pub fn filled(&self, found: &[(Opt, &str)]) -> Result<Self, Failure> {
        let mut values = self.values.clone();
        for (option, text) in found.iter().filter(|(option, _)| !self.is_given(option)) {
            values.set(option, option.key, text).map_err(Failure::Usage)?;
        }
        Ok(Self {
            agent: self.agent,
            name: self.name.clone(),
            env: self.env.clone(),
            deadline: self.deadline,
            calls: self.calls.clone(),
            values,
            password: self.password.clone(),
        })
    }

    /// A value that must not be shown.
    pub fn secret(&self, opt: &Opt) -> Option<Secret> {
        self.text(opt).map(Secret::new)
    }

    /// The cluster's name of the machine, where the fencer gave one.
    pub fn nodename(&self) -> Option<&str> {
        self.values.nodename.as_deref()
    }

    /// The login name, if any.
    pub fn username(&self) -> Option<&str> {
        self.text(&standard::USERNAME)
    }

    /// The password, wherever it came from.
    pub fn password(&self) -> Option<&Secret> {
        self.password.as_ref()
    }

    /// A file which an option names and which cannot be used.
    pub fn unusable(opt: &Opt, path: &std::path::Path, reason: impl Into<String>) -> Failure {
        let (path, reason) = (path.to_owned(), reason.into());
        Failure::Usage(Usage::File { option: opt.key, path, reason })
    }

    /// A mistake in the value of an option.
    pub fn wrong(opt: &Opt, reason: impl Into<String>) -> Failure {
        Failure::Usage(Usage::Value { option: opt.key, reason: reason.into() })
    }
}
