//! What one run is to do: action, machines and limits, checked before anything is contacted.

use std::time::Duration;

use super::action::Action;
use super::agent::Agent;
use super::env::Env;
use super::input::{Values, boolean};
use super::plug::Plugs;
use super::standard as opt;
use super::usage::Usage;

/// Time in which connection, login and resolving must be done, beyond the limits of power changes.
const OPENING: Duration = Duration::from_secs(30);
/// The deadline where power changes have no limit of their own. Above any sensible fencing timeout, so that a slow
/// platform which works today goes on working, and yet an end.
const UNLIMITED: Duration = Duration::from_secs(600);
/// How long a device may be silent before a power request was accepted, where the fencer can turn to another one
/// (fence-contract, section 10).
const SILENCE: Duration = Duration::from_secs(45);
/// Kept for ending the session (fence-contract, section 10).
pub const LOGOUT: Duration = Duration::from_secs(1);
/// The second look at a state that would be reported as success: upstream has seen states that lie once.
const CONFIRM: Duration = Duration::from_millis(250);

/// All limits of a run. Points in time are counted from the start of the process.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Limits {
    /// The end of all but the log-out, for which a second of the run is kept.
    pub total: Duration,
    /// For power-off to show; `None` is until `total`.
    pub off: Option<Duration>,
    /// For one round of power-on to show; `None` is until `total`.
    pub on: Option<Duration>,
    /// For the power-on part of a reboot. Always limited: the machine is proven off by then, and a caller that
    /// kills us while we wait would not learn it.
    pub on_after_off: Duration,
    /// Rounds of power-on.
    pub rounds: u32,
    /// Pause after an accepted power request.
    pub wait: Duration,
    /// Pause between two looks at the state.
    pub poll: Duration,
    /// Least distance of the two equal readings which make a proof.
    pub confirm: Duration,
    /// For a state which cannot be told to become clear.
    pub unclear: Duration,
    /// For a device that is no use before any power request was accepted.
    pub silence: Duration,
}

/// A checked request.
#[derive(Debug)]
pub struct Request {
    /// What to do.
    pub action: Action,
    /// With which machines.
    pub plugs: Plugs,
    /// Time from the start of the process before the device is contacted.
    pub delay: Duration,
    /// The end of the run, counted from the start of the process.
    pub deadline: Duration,
    /// The limits inside it.
    pub limits: Limits,
    /// Take what the device does not know as off.
    pub missing_as_off: bool,
    /// Run by the fencer.
    pub fencer: bool,
}

/// The action of a run; documents need no more of a request than this.
///
/// # Errors
/// The agent does not have this action.
pub fn action(agent: &Agent, values: &Values) -> Result<Action, Usage> {
    let default =
        agent.table().iter().find(|o| o.key == "action").and_then(|o| o.default).unwrap_or("reboot");
    let older = values.under(opt::OPTION.key).filter(|_| !values.is_given(&opt::ACTION));
    let word = older.or(values.text(&opt::ACTION)).unwrap_or(default);
    let action = Action::parse(word).filter(|&action| agent.supports(action)).ok_or_else(|| {
        let known: Vec<&str> = agent.advertised().map(|(name, _)| name).collect();
        Usage::UnknownAction(word.to_owned(), agent.name.to_owned(), known.join(", "))
    })?;
    let cycles = agent.can.cycle && values.text(&opt::METHOD) == Some("cycle");
    Ok(if action == Action::Reboot && cycles { Action::Cycle } else { action })
}

impl Request {
    /// Checks what was given.
    ///
    /// # Errors
    /// Everything that is missing or contradicts itself; at least one.
    pub fn new(agent: &Agent, action: Action, values: &Values, env: &Env) -> Result<Self, Vec<Usage>> {
        let mut wrong = Vec::new();
        let mut need = |needed: bool, given: bool, name: &'static str| {
            if needed && !given {
                wrong.push(Usage::Missing(name));
            }
        };
        let as_ip = agent.has(&opt::PORT_AS_IP) && values.flag(&opt::PORT_AS_IP);
        let has_address = values.text(&opt::IP).is_some() || (as_ip && super::plug::is_given(values));
        need(agent.needs.address, has_address, "ip");
        need(agent.needs.username, default_or_given(agent, values, &opt::USERNAME), "username");
        let has_password =
            values.text(&opt::PASSWORD).or_else(|| values.text(&opt::PASSWORD_SCRIPT)).is_some();
        need(agent.needs.password, has_password, "password or password_script");
        need(agent.needs.plug && action.needs_plug(), super::plug::is_given(values), "plug");
        let mut plugs = Plugs::read(values).unwrap_or_else(|usage| {
            wrong.push(usage);
            Plugs::default()
        });
        if !wrong.is_empty() {
            return Err(wrong);
        }
        if plugs.names.is_empty() && !agent.needs.plug {
            // A device with one machine: its driver resolves the empty name to it.
            plugs.names.push(String::new());
        }
        let delay = if action.is_delayed() {
            values.seconds(&opt::DELAY).unwrap_or_default()
        } else {
            Duration::ZERO
        };
        let (deadline, limits) = limits(agent, action, values, env, delay);
        Ok(Self {
            action,
            plugs,
            delay,
            deadline,
            limits,
            missing_as_off: agent.has(&opt::MISSING_AS_OFF) && values.flag(&opt::MISSING_AS_OFF),
            fencer: env.fencer,
        })
    }
}

/// The agent's own default of an option counts as given.
fn default_or_given(agent: &Agent, values: &Values, wanted: &super::option::Opt) -> bool {
    let own = agent.table().into_iter().find(|o| o.key == wanted.key);
    own.is_some_and(|own| values.text(&own).is_some())
}

fn limits(agent: &Agent, action: Action, values: &Values, env: &Env, delay: Duration) -> (Duration, Limits) {
    let table = agent.table();
    let seconds = |wanted: &super::option::Opt| {
        let own = table.iter().find(|o| o.key == wanted.key).unwrap_or(wanted);
        values.seconds(own).unwrap_or_default()
    };
    let unlimited = values.text(&opt::DISABLE_TIMEOUT).and_then(boolean).unwrap_or(env.fencer);
    let older = agent.has(&opt::TIMEOUT) && !values.is_given(&opt::POWER_TIMEOUT);
    let power = seconds(if older { &opt::TIMEOUT } else { &opt::POWER_TIMEOUT });
    let wait = seconds(&opt::POWER_WAIT);
    let limit = Some(power).filter(|power| !unlimited && !power.is_zero());
    let rounds =
        1 + values.integer(&opt::RETRY_ON).map_or(1, |times| u32::try_from(times).unwrap_or(0)).min(100);
    let total = delay
        + match (action, limit) {
            (Action::Off | Action::On | Action::Reboot | Action::Cycle, None) => UNLIMITED,
            (Action::Off, Some(limit)) => OPENING + limit + wait,
            (Action::On, Some(limit)) => OPENING + (limit + wait) * rounds,
            (Action::Reboot | Action::Cycle, Some(limit)) => OPENING + (limit + wait) * (1 + rounds),
            _ => OPENING * 2,
        };
    let patient = env.fencer && action.is_power();
    let deadline = values.seconds(&opt::DEADLINE).filter(|given| !given.is_zero()).unwrap_or(total);
    let limits = Limits {
        total: deadline - LOGOUT.min(deadline / 5),
        off: limit,
        on: limit,
        on_after_off: Some(power).filter(|power| !power.is_zero()).unwrap_or(Duration::from_secs(20)),
        rounds,
        wait,
        poll: seconds(&opt::STATUS_SLEEP).max(Duration::from_millis(100)),
        confirm: CONFIRM,
        unclear: seconds(&opt::LOGIN_TIMEOUT).max(Duration::from_secs(5)),
        silence: if patient { SILENCE } else { seconds(&opt::LOGIN_TIMEOUT) },
    };
    (deadline, limits)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::core::input::stdin;
    use crate::testing::dummy::AGENT;

    const LINES: &str = "ip=h\nusername=u\npassword=p\nplug=vm1\n";

    fn request(action: Action, lines: &str, fencer: bool) -> Result<Request, Vec<Usage>> {
        let values = stdin::parse(&AGENT.table(), lines).unwrap();
        Request::new(&AGENT, action, &values, &Env { fencer, ..Env::default() })
    }

    #[test]
    fn all_that_is_missing_is_reported_together() {
        let wrong = request(Action::Off, "", false).unwrap_err();
        let missing = ["ip", "username", "password or password_script", "plug"].map(Usage::Missing);
        assert_eq!(wrong, missing);
        assert!(request(Action::List, "ip=h\nlogin=u\npasswd_script=s", false).is_ok());
    }

    #[test]
    fn there_is_a_deadline_inside_the_cluster_and_outside() {
        for fencer in [false, true] {
            for action in
                [Action::Off, Action::On, Action::Reboot, Action::Status, Action::List, Action::Monitor]
            {
                let request = request(action, LINES, fencer).unwrap();
                assert!(request.deadline <= UNLIMITED, "{action:?}");
                assert!(request.limits.total < request.deadline, "a log-out needs its time");
            }
        }
        let short = request(Action::Off, &format!("{LINES}deadline=7"), true).unwrap();
        assert_eq!(short.deadline, Duration::from_secs(7));
    }

    #[test]
    fn the_fencer_lifts_the_limit_of_a_power_change_but_not_that_of_on_after_off() {
        let inside = request(Action::Reboot, LINES, true).unwrap().limits;
        assert_eq!((inside.off, inside.on_after_off), (None, Duration::from_secs(20)));
        assert_eq!(inside.silence, SILENCE);
        let outside = request(Action::Reboot, LINES, false).unwrap().limits;
        assert_eq!(outside.off, Some(Duration::from_secs(20)));
        let told = request(Action::Reboot, &format!("{LINES}disable_timeout=false"), true).unwrap().limits;
        assert_eq!(told.off, Some(Duration::from_secs(20)));
    }

    #[test]
    fn the_one_limit_of_older_agents_is_that_of_a_power_change() {
        const AGENT: Agent =
            Agent { options: &[opt::PLUGS, &[opt::TIMEOUT]], ..crate::testing::dummy::AGENT };
        let off = |more: &str| {
            let values = stdin::parse(&AGENT.table(), &format!("plug=a\n{more}")).unwrap();
            let (deadline, limits) = limits(&AGENT, Action::Off, &values, &Env::default(), Duration::ZERO);
            assert!(limits.off.is_some_and(|off| off < deadline));
            limits.off.unwrap().as_secs()
        };
        assert_eq!([off(""), off("timeout=7"), off("timeout=7\npower_timeout=9")], [30, 7, 9]);
    }

    #[test]
    fn only_what_takes_a_machine_down_is_delayed() {
        let lines = format!("{LINES}delay=5");
        for (action, delay) in [(Action::Off, 5), (Action::Reboot, 5), (Action::On, 0), (Action::Status, 0)] {
            assert_eq!(request(action, &lines, false).unwrap().delay.as_secs(), delay, "{action:?}");
        }
    }

    #[test]
    fn an_agent_that_had_option_for_action_has_it_where_action_is_not_given() {
        const AGENT: Agent = Agent { options: &[&[opt::OPTION]], ..crate::testing::dummy::AGENT };
        let read = |agent: &Agent, lines: &str| action(agent, &stdin::parse(&agent.table(), lines).unwrap());
        assert_eq!(read(&AGENT, "option=status"), Ok(Action::Status));
        assert_eq!(read(&AGENT, "action=off\noption=status"), Ok(Action::Off));
        assert_eq!(read(&AGENT, ""), Ok(Action::Reboot));
        // Others get it from old configurations, and never had it.
        assert_eq!(read(&crate::testing::dummy::AGENT, "option=status"), Ok(Action::Reboot));
    }

    #[test]
    fn without_an_action_it_reboots_and_method_cycle_resets() {
        let read = |lines: &str| action(&AGENT, &stdin::parse(&AGENT.table(), lines).unwrap());
        assert_eq!(read(""), Ok(Action::Reboot));
        assert_eq!(read("method=cycle"), Ok(Action::Cycle));
        assert_eq!(read("action=OFF\nmethod=cycle"), Ok(Action::Off));
        let refused = read("action=explode").unwrap_err().to_string();
        assert!(refused.starts_with("Unrecognised action 'explode'"), "{refused}");
        assert!(read("action=diag").is_err());
    }
}
