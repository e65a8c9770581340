//! What a platform must offer: the one trait which a driver implements.

use std::time::Duration;

use async_trait::async_trait;

use super::fault::Fault;

/// A power state, as far as it is proven.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Power {
    /// Runs, or could go on without being started: paused and suspended machines are on.
    On,
    /// Proven: no instance of it executes anything, and none will before it is started again.
    Off,
    /// Anything else: in between, unreadable, stale, its host unreachable.
    Unknown,
}

impl Power {
    /// As `status` and `list-status` print it.
    pub fn word(self) -> &'static str {
        match self {
            Self::On => "ON",
            Self::Off => "OFF",
            Self::Unknown => "UNKNOWN",
        }
    }
}

/// One look at a machine.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Reading {
    /// What it proves.
    pub power: Power,
    /// The platform's own words.
    pub raw: String,
    /// How far apart two such readings must be to count, where the platform serves old answers. Zero for most.
    pub settle: Duration,
    /// What to do when the state stays like this, for example "host h1 is unreachable: fence the host".
    pub hint: Option<String>,
}

impl Reading {
    fn new(power: Power, raw: impl Into<String>) -> Self {
        Self { power, raw: raw.into(), settle: Duration::ZERO, hint: None }
    }

    /// It runs, or could go on.
    pub fn on(raw: impl Into<String>) -> Self {
        Self::new(Power::On, raw)
    }

    /// It is proven to be off.
    pub fn off(raw: impl Into<String>) -> Self {
        Self::new(Power::Off, raw)
    }

    /// Neither is proven.
    pub fn unknown(raw: impl Into<String>) -> Self {
        Self::new(Power::Unknown, raw)
    }

    /// The same, to be seen twice at least this far apart.
    pub fn settle(self, settle: Duration) -> Self {
        Self { settle, ..self }
    }

    /// The same with advice.
    pub fn hint(self, hint: impl Into<String>) -> Self {
        Self { hint: Some(hint.into()), ..self }
    }
}

/// A machine that was found: exactly one.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Target {
    /// The platform's stable id; every later request uses it.
    pub id: String,
    /// Its name, for people.
    pub name: String,
    /// The host it runs on, where the platform tells.
    pub host: Option<String>,
}

/// A machine in a list.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Listed {
    /// What can be given as plug.
    pub plug: String,
    /// A second name for it; a stable id where `plug` is a name.
    pub alias: String,
    /// Its state, as far as the list proves it.
    pub power: Power,
}

/// A platform. Methods are called one after the other, never at once, and may be cut off at any `.await`.
///
/// Each request to the device must be bounded by the limits in the settings; the HTTP client does that by itself.
#[async_trait(?Send)]
pub trait Driver {
    /// Logs in; called first, and again when a call ends in [`Fault::Denied`] in the middle of a run.
    async fn login(&mut self) -> Result<(), Fault> {
        Ok(())
    }

    /// Finds the one machine that `plug` names, by id or exact name. None is [`Fault::NotFound`], several are
    /// [`Fault::Ambiguous`]. What the driver needs to know about the machine it keeps by `Target::id`.
    async fn resolve(&mut self, plug: &str) -> Result<Target, Fault>;

    /// Reads the state of that machine from the platform, not from a cache of ours.
    async fn state(&mut self, target: &Target) -> Result<Reading, Fault>;

    /// Cuts the power, whatever the guest wants. Safe to repeat. `Ok` means accepted and proves nothing.
    async fn off(&mut self, target: &Target) -> Result<(), Fault>;

    /// Starts the machine. `Ok` means accepted and proves nothing.
    async fn on(&mut self, target: &Target) -> Result<(), Fault>;

    /// Ends the running instance and starts a new one. `Ok` only where the platform proves that the old one ended.
    async fn cycle(&mut self, target: &Target) -> Result<(), Fault> {
        Err(Fault::unsupported(
            format!("cycle {}", target.name),
            "this platform proves no reset",
            "use method=onoff",
        ))
    }

    /// Sends a diagnostic interrupt.
    async fn diag(&mut self, target: &Target) -> Result<(), Fault> {
        Err(Fault::unsupported(
            format!("diag {}", target.name),
            "this platform has no diagnostic interrupt",
            "use reboot",
        ))
    }

    /// Sends the request that asks for nothing.
    async fn null(&mut self, target: &Target) -> Result<(), Fault> {
        Err(Fault::unsupported(
            format!("null {}", target.name),
            "this platform has no such request",
            "use status",
        ))
    }

    /// All machines, or an error; never a part of them.
    async fn list(&mut self) -> Result<Vec<Listed>, Fault> {
        Err(Fault::unsupported("list", "this device has one machine", "use status"))
    }

    /// Proves for `monitor` and `validate-all` that fencing would be permitted. With a target, its state has been read
    /// just before; without one this is the only call after `login`, so it must contact the device. Changes nothing.
    async fn preflight(&mut self, target: Option<&Target>) -> Result<(), Fault>;

    /// Ends the session, if one is open. Called on every way out, also after SIGTERM, with a second to finish.
    async fn logout(&mut self) {}
}
