//! What a run did, for `--output json` and for the lines on stdout.

use serde::Serialize;

use super::agent::List;
use super::driver::{Listed, Power, Reading, Target};
use super::failure::{Exit, Failure};
use super::output::plain;
use crate::http::Call;

/// A power state in JSON.
#[derive(Debug, Clone, Serialize, PartialEq, Eq)]
pub struct State {
    /// `ON`, `OFF` or `UNKNOWN`.
    pub power: &'static str,
    /// The platform's words.
    pub raw: String,
}

impl From<&Reading> for State {
    fn from(reading: &Reading) -> Self {
        Self { power: reading.power.word(), raw: reading.raw.clone() }
    }
}

/// One machine of the run.
#[derive(Debug, Clone, Serialize, PartialEq, Eq)]
pub struct Machine {
    /// As it was given.
    pub plug: String,
    /// The platform's id.
    pub id: Option<String>,
    /// Its host, where the platform tells.
    pub host: Option<String>,
    /// Before the first request.
    pub before: Option<State>,
    /// As last read.
    pub after: Option<State>,
}

impl Machine {
    /// What is known after a run.
    pub fn new(
        plug: &str,
        target: Option<&Target>,
        before: Option<&Reading>,
        after: Option<&Reading>,
    ) -> Self {
        Self {
            plug: plug.to_owned(),
            id: target.map(|target| target.id.clone()),
            host: target.and_then(|target| target.host.clone()),
            before: before.map(State::from),
            after: after.map(State::from),
        }
    }
}

/// A request that was sent to switch a machine.
#[derive(Debug, Clone, Serialize, PartialEq, Eq)]
pub struct Attempt {
    /// `off`, `on` or `cycle`.
    pub command: &'static str,
    /// The machine.
    pub plug: String,
    /// Milliseconds since the start of the process.
    pub at_ms: u128,
    /// Why it was not accepted, if it was not.
    pub refused: Option<String>,
}

/// A failure in JSON.
#[derive(Debug, Clone, Serialize, PartialEq, Eq)]
pub struct Trouble {
    /// One word.
    pub kind: &'static str,
    /// Upstream's number.
    pub number: u8,
    /// What happened.
    pub message: String,
    /// What to do.
    pub hint: String,
}

impl From<&Failure> for Trouble {
    fn from(failure: &Failure) -> Self {
        Self {
            kind: failure.kind(),
            number: failure.row().number,
            message: failure.to_string(),
            hint: failure.hint(),
        }
    }
}

/// A run.
#[derive(Debug, Default, Serialize)]
pub struct Report {
    /// The agent's name.
    pub agent: String,
    /// The action's name.
    pub action: &'static str,
    /// Exit status.
    pub exit: u8,
    /// The line for people, as without JSON.
    pub message: Option<String>,
    /// The machines.
    pub machines: Vec<Machine>,
    /// The requests that were sent to switch them.
    pub attempts: Vec<Attempt>,
    /// For list and list-status.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub list: Option<Vec<Entry>>,
    /// Each call to the device.
    pub calls: Vec<Call>,
    /// Milliseconds from the start of the process to the end.
    pub elapsed_ms: u128,
    /// Why it failed.
    pub error: Option<Trouble>,
    /// What went wrong although the run succeeded: power-on after a confirmed off.
    pub warning: Option<Trouble>,
}

/// A line of a list.
#[derive(Debug, Serialize)]
pub struct Entry {
    /// What can be given as plug.
    pub plug: String,
    /// Its other name.
    pub alias: String,
    /// `ON`, `OFF` or `UNKNOWN`.
    pub power: &'static str,
}

impl From<&Listed> for Entry {
    fn from(listed: &Listed) -> Self {
        Self { plug: listed.plug.clone(), alias: listed.alias.clone(), power: listed.power.word() }
    }
}

impl Report {
    /// Takes over how it ended.
    pub fn end(&mut self, result: Result<Exit, Failure>) -> (Exit, Option<Failure>) {
        let (exit, failure) = match result {
            Ok(exit) => (exit, None),
            Err(failure) => (Exit::Failure, Some(failure)),
        };
        self.exit = exit as u8;
        self.error = failure.as_ref().map(Trouble::from);
        (exit, failure)
    }

    /// stdout as text: the line for people, or the list in this form and with this separator.
    pub fn text(&self, form: List, separator: &str, with_status: bool) -> String {
        let mut text = String::new();
        for entry in self.list.iter().flatten() {
            if form == List::Columns {
                let (plug, alias) = (plain(&entry.plug), plain(&entry.alias));
                text += &format!("{plug:32} {alias} {}\n", entry.power.to_lowercase());
                continue;
            }
            text += &format!("{}{separator}{}", plain(&entry.plug), plain(&entry.alias));
            if with_status {
                text += &format!("{separator}{}", entry.power);
            }
            text.push('\n');
        }
        if let Some(message) = &self.message {
            text += &format!("{message}\n");
        }
        text
    }

    /// stdout as one line of JSON.
    pub fn json(&self) -> String {
        serde_json::to_string(self).map(|json| json + "\n").unwrap_or_default()
    }
}

/// The line that tells of a state reached.
pub fn success(power: Power, already: bool) -> String {
    format!("Success: {} {}", if already { "Already" } else { "Powered" }, power.word())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_list_has_fields_or_columns() {
        let entry = Entry { plug: "vm1".to_owned(), alias: "101".to_owned(), power: "ON" };
        let report = Report { list: Some(vec![entry]), ..Report::default() };
        let texts = [false, true].map(|with_status| report.text(List::Fields, ";", with_status));
        assert_eq!(texts, ["vm1;101\n", "vm1;101;ON\n"]);
        for with_status in [false, true] {
            let text = report.text(List::Columns, ";", with_status);
            assert_eq!(text, "vm1                              101 on\n");
        }
    }
}
