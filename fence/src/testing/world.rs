//! The simulated machines, and how they can be made to misbehave.

use super::server::{Answer, Seen, Wire};

/// What a platform shows of a machine's state.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Shown {
    On,
    Off,
    /// Whatever the platform has for "in between" or "I do not know".
    Odd,
}

/// A simulated machine.
#[derive(Debug, Clone)]
pub(crate) struct Machine {
    pub(crate) id: &'static str,
    pub(crate) name: &'static str,
    pub(crate) on: bool,
    /// Has been off at some time since the run began.
    pub(crate) was_off: bool,
    /// Accepted requests.
    pub(crate) switched: usize,
}

/// What is wrong with the machines, as opposed to the wire.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Quirk {
    /// Requests are accepted and nothing happens.
    Frozen,
    /// This reading shows the opposite.
    LieAt(usize),
    /// This reading shows an odd state.
    OddAt(usize),
    /// Every reading from this one on shows an odd state.
    OddFrom(usize),
    /// Both machines have the same name.
    SameName,
}

/// All that is true.
#[derive(Debug)]
pub(crate) struct World {
    pub(crate) machines: Vec<Machine>,
    pub(crate) quirk: Option<Quirk>,
    /// Calls answered so far, and at which of them a state was first shown and a machine turned on.
    pub(crate) calls: usize,
    pub(crate) first_reading: Option<usize>,
    pub(crate) first_on: Option<usize>,
    pub(crate) readings: usize,
    /// Free for the platform: a session, a task.
    pub(crate) note: String,
}

impl World {
    pub(crate) fn new(on: bool, quirk: Option<Quirk>) -> Self {
        let machine = |id, name, on: bool| Machine { id, name, on, was_off: !on, switched: 0 };
        let second = if quirk == Some(Quirk::SameName) { "vm1" } else { "vm2" };
        Self {
            machines: vec![machine("101", "vm1", on), machine("102", second, true)],
            quirk,
            calls: 0,
            first_reading: None,
            first_on: None,
            readings: 0,
            note: String::new(),
        }
    }

    /// The state to put into an answer that is about this machine alone.
    pub(crate) fn show(&mut self, at: usize) -> Shown {
        if at != 0 {
            return if self.machines[at].on { Shown::On } else { Shown::Off };
        }
        self.first_reading.get_or_insert(self.calls);
        let reading = self.readings;
        self.readings += 1;
        match self.quirk {
            Some(Quirk::OddAt(at)) if at == reading => Shown::Odd,
            Some(Quirk::OddFrom(from)) if from <= reading => Shown::Odd,
            quirk => {
                let lie = quirk == Some(Quirk::LieAt(reading));
                if self.machines[0].on == lie { Shown::Off } else { Shown::On }
            }
        }
    }

    /// Carries out an accepted request.
    pub(crate) fn switch(&mut self, at: usize, on: bool) {
        if on && at == 0 {
            self.first_on.get_or_insert(self.calls);
        }
        let machine = &mut self.machines[at];
        machine.switched += 1;
        if self.quirk != Some(Quirk::Frozen) {
            machine.on = on;
            machine.was_off |= !on;
        }
    }

    /// The machine with this id, or the only one with this name.
    pub(crate) fn find(&self, word: &str) -> Option<usize> {
        let by_id = self.machines.iter().position(|machine| machine.id == word);
        by_id.or_else(|| {
            let mut named = self.machines.iter().enumerate().filter(|(_, machine)| machine.name == word);
            named.next().filter(|_| named.next().is_none()).map(|(at, _)| at)
        })
    }
}

/// The mock of a platform: answers one request from the world.
pub(crate) trait Platform: Send {
    /// Method and path that tell calls apart; where all are the same, `GET` for what only reads.
    fn label(&self, seen: &Seen) -> (String, String) {
        (seen.method.clone(), seen.path.clone())
    }

    /// The protocol, where it is not HTTP.
    fn wire(&self) -> Option<Wire> {
        None
    }

    fn answer(&mut self, seen: &Seen, world: &mut World) -> Answer;
}
