//! Carries out what the power machine decides, and the actions which need no decisions.

use std::time::Duration;

use super::action::Action;
use super::deadline::Deadline;
use super::driver::{Driver, Power, Target};
use super::failure::{Exit, Failure};
use super::fault::Fault;
use super::power::{Command, End, Goal, Machine, Step};
use super::report::{self, Attempt, Entry, Report};
use super::request::{LOGOUT, Request};

/// Does what is asked for, logs out, and notes in the report what happened. `interrupted` resolves with the name of
/// a signal when the run is to end early.
pub async fn run(
    driver: &mut dyn Driver,
    request: &Request,
    deadline: Deadline,
    interrupted: impl Future<Output = &'static str>,
    report: &mut Report,
) -> Result<Exit, Failure> {
    let result = tokio::select! {
        result = act(driver, request, deadline, report) => result,
        signal = interrupted => Err(Failure::Interrupted(signal)),
    };
    // Also when the deadline has passed: a session left behind may lock others out of a small device.
    let _ = tokio::time::timeout(LOGOUT, driver.logout()).await;
    result
}

async fn act(
    driver: &mut dyn Driver,
    request: &Request,
    deadline: Deadline,
    report: &mut Report,
) -> Result<Exit, Failure> {
    tokio::time::sleep(request.delay.saturating_sub(deadline.elapsed())).await;
    let goal = match request.action {
        Action::Off => Goal::Off,
        Action::On => Goal::On,
        Action::Reboot => Goal::Reboot,
        Action::Cycle => Goal::Cycle,
        Action::Status => Goal::Status,
        other => {
            let left = request.limits.total.saturating_sub(deadline.elapsed());
            return match tokio::time::timeout(left, ask(driver, request, other, report)).await {
                Ok(result) => result,
                Err(_) => Err(Failure::Deadline { doing: other.name().to_owned() }),
            };
        }
    };
    match switch(driver, request, goal, deadline, report).await {
        End::Reached { power, already } => {
            report.message = Some(report::success(power, already));
            Ok(Exit::Success)
        }
        End::Rebooted { on } => {
            report.message = Some("Success: Rebooted".to_owned());
            report.warning = on.as_ref().map(Into::into);
            Ok(Exit::Success)
        }
        End::Status(power) => {
            report.message = Some(format!("Status: {}", power.word()));
            Ok(if power == Power::Off { Exit::Off } else { Exit::Success })
        }
        End::Failed(failure) => Err(failure),
    }
}

/// Actions without power changes.
async fn ask(
    driver: &mut dyn Driver,
    request: &Request,
    action: Action,
    report: &mut Report,
) -> Result<Exit, Failure> {
    let failed = |fault| Failure::device("", fault);
    if action == Action::Diag && request.fencer {
        return Err(Failure::DiagIsNoProof);
    }
    driver.login().await.map_err(failed)?;
    if matches!(action, Action::List | Action::ListStatus) {
        let list = driver.list().await.map_err(failed)?;
        report.list = Some(list.iter().map(Entry::from).collect());
        return Ok(Exit::Success);
    }
    // A tool that validates before there is a node sends a stand-in (fence-contract, section 2).
    let stand_in = action == Action::ValidateAll && request.plugs.is_nodename;
    let plugs: &[String] = if stand_in { &[] } else { &request.plugs.names };
    if plugs.is_empty() {
        driver.preflight(None).await.map_err(failed)?;
    }
    for plug in plugs {
        let about = |fault| Failure::device(plug.as_str(), fault);
        let target = driver.resolve(plug).await.map_err(about)?;
        if action == Action::Null {
            driver.null(&target).await.map_err(about)?;
            continue;
        }
        let reading = driver.state(&target).await.map_err(about)?;
        report.machines.push(report::Machine::new(plug, Some(&target), Some(&reading), Some(&reading)));
        if action == Action::Diag {
            driver.diag(&target).await.map_err(about)?;
            report.message = Some("Success: Diagnostic interrupt sent".to_owned());
        } else {
            driver.preflight(Some(&target)).await.map_err(about)?;
        }
    }
    Ok(Exit::Success)
}

async fn switch(
    driver: &mut dyn Driver,
    request: &Request,
    goal: Goal,
    deadline: Deadline,
    report: &mut Report,
) -> End {
    let plugs = &request.plugs.names;
    let mut machine = Machine::new(goal, plugs, request.limits, request.missing_as_off);
    let mut targets: Vec<Option<Target>> = Vec::new();
    // A call that outlives the deadline is cut off here, whatever limits the driver has of its own.
    let left = || request.limits.total.saturating_sub(deadline.elapsed()).max(Duration::from_millis(1));
    let cut = |what: &str| Fault::TimedOut { call: what.to_owned(), limit: request.limits.total };
    loop {
        match machine.step(deadline.elapsed()) {
            Step::Open => {
                let found = tokio::time::timeout(left(), open(driver, request)).await;
                let result = match found {
                    Ok(Ok(found)) => {
                        targets = found;
                        Ok(())
                    }
                    Ok(Err(fault)) => Err(fault),
                    Err(_) => Err((None, cut("login"))),
                };
                machine.opened(deadline.elapsed(), result);
            }
            Step::Read(at) => {
                let result = match &targets[at] {
                    None => Err(Fault::not_found(format!("state {}", plugs[at]), "unknown to the device")),
                    Some(target) => tokio::time::timeout(left(), driver.state(target))
                        .await
                        .unwrap_or_else(|_| Err(cut("state"))),
                };
                tracing::debug!(plug = plugs[at], ?result, "state");
                machine.read(deadline.elapsed(), at, result);
            }
            Step::Send(command, at) => {
                let started = deadline.elapsed();
                let result = match &targets[at] {
                    None => Err(Fault::not_found(format!("switch {}", plugs[at]), "unknown to the device")),
                    Some(target) => {
                        let word = word(command);
                        let (id, name, host) = (&target.id, &target.name, &target.host);
                        tracing::info!(id, name, host, "sending {word}");
                        tokio::time::timeout(left(), send(driver, command, target))
                            .await
                            .unwrap_or_else(|_| Err(cut(word)))
                    }
                };
                report.attempts.push(Attempt {
                    command: word(command),
                    plug: plugs[at].clone(),
                    at_ms: started.as_millis(),
                    refused: result.as_ref().err().map(ToString::to_string),
                });
                machine.sent(deadline.elapsed(), at, result);
            }
            Step::Sleep(time) => tokio::time::sleep(time).await,
            Step::Done(end) => {
                for (at, plug) in plugs.iter().enumerate() {
                    let (before, after) = machine.readings(at);
                    let target = targets.get(at).and_then(Option::as_ref);
                    report.machines.push(report::Machine::new(plug, target, before, after));
                }
                return end;
            }
        }
    }
}

/// Logs in and finds every machine before any is touched: a request for the wrong one cannot be taken back.
async fn open(
    driver: &mut dyn Driver,
    request: &Request,
) -> Result<Vec<Option<Target>>, (Option<usize>, Fault)> {
    driver.login().await.map_err(|fault| (None, fault))?;
    let mut targets = Vec::new();
    for (at, plug) in request.plugs.names.iter().enumerate() {
        match driver.resolve(plug).await {
            Ok(target) => targets.push(Some(target)),
            Err(Fault::NotFound { .. }) if request.missing_as_off => targets.push(None),
            Err(fault) => return Err((Some(at), fault)),
        }
    }
    Ok(targets)
}

async fn send(driver: &mut dyn Driver, command: Command, target: &Target) -> Result<(), Fault> {
    match command {
        Command::Off => driver.off(target).await,
        Command::On => driver.on(target).await,
        Command::Cycle => driver.cycle(target).await,
    }
}

fn word(command: Command) -> &'static str {
    match command {
        Command::Off => "off",
        Command::On => "on",
        Command::Cycle => "cycle",
    }
}

#[cfg(test)]
mod tests {
    use std::cell::RefCell;
    use std::rc::Rc;

    use async_trait::async_trait;
    use tokio::time::Instant;

    use super::*;
    use crate::core::driver::{Listed, Reading};
    use crate::core::env::Env;
    use crate::core::input::stdin;
    use crate::testing::dummy::AGENT;

    /// Notes what is asked of it. `stuck` calls never return.
    #[derive(Default)]
    struct Recorder {
        log: Rc<RefCell<Vec<String>>>,
        stuck: &'static str,
        unknown: bool,
    }

    impl Recorder {
        async fn note(&self, what: &str) {
            self.log.borrow_mut().push(what.to_owned());
            if what == self.stuck {
                std::future::pending::<()>().await;
            }
        }
    }

    #[async_trait(?Send)]
    impl Driver for Recorder {
        async fn login(&mut self) -> Result<(), Fault> {
            self.note("login").await;
            Ok(())
        }
        async fn resolve(&mut self, plug: &str) -> Result<Target, Fault> {
            self.note("resolve").await;
            match self.unknown {
                true => Err(Fault::not_found(plug, "no")),
                false => Ok(Target { id: plug.to_owned(), name: plug.to_owned(), host: None }),
            }
        }
        async fn state(&mut self, _: &Target) -> Result<Reading, Fault> {
            self.note("state").await;
            Ok(Reading::on("running"))
        }
        async fn off(&mut self, _: &Target) -> Result<(), Fault> {
            self.note("off").await;
            Ok(())
        }
        async fn on(&mut self, _: &Target) -> Result<(), Fault> {
            self.note("on").await;
            Ok(())
        }
        async fn list(&mut self) -> Result<Vec<Listed>, Fault> {
            self.note("list").await;
            Ok(Vec::new())
        }
        async fn preflight(&mut self, target: Option<&Target>) -> Result<(), Fault> {
            self.note(if target.is_some() { "preflight with target" } else { "preflight" }).await;
            Ok(())
        }
        async fn logout(&mut self) {
            self.note("logout").await;
        }
    }

    /// Exit, failure, what the driver was asked, and how long it took.
    async fn go(
        action: Action,
        more: &str,
        mut driver: Recorder,
        interrupted: impl Future<Output = &'static str>,
    ) -> (Result<Exit, Failure>, Vec<String>, Duration) {
        let lines = format!("ip=h\nusername=u\npassword=p\n{more}");
        let values = stdin::parse(&AGENT.table(), &lines).unwrap();
        let fencer = more.contains("nodename");
        let request = Request::new(&AGENT, action, &values, &Env { fencer, ..Env::default() }).unwrap();
        let start = Instant::now();
        let deadline = Deadline::new(start, request.deadline);
        let log = driver.log.clone();
        let result = run(&mut driver, &request, deadline, interrupted, &mut Report::default()).await;
        (result, log.take(), start.elapsed())
    }

    #[tokio::test(start_paused = true)]
    async fn a_signal_ends_the_run_with_a_log_out() {
        let driver = Recorder { stuck: "state", ..Recorder::default() };
        let signal = async {
            tokio::time::sleep(Duration::from_secs(3)).await;
            "SIGTERM"
        };
        let (result, log, elapsed) = go(Action::Off, "plug=a", driver, signal).await;
        assert_eq!(result, Err(Failure::Interrupted("SIGTERM")));
        assert_eq!(log, ["login", "resolve", "state", "logout"]);
        assert_eq!(elapsed, Duration::from_secs(3));
    }

    #[tokio::test(start_paused = true)]
    async fn whatever_call_hangs_the_deadline_holds_and_the_session_is_ended() {
        for stuck in ["login", "resolve", "state", "off", "logout", "list", "preflight with target"] {
            for action in [Action::Off, Action::Reboot, Action::Status, Action::Monitor, Action::List] {
                let driver = Recorder { stuck, ..Recorder::default() };
                let (result, log, elapsed) =
                    go(action, "plug=a\ndeadline=30", driver, std::future::pending()).await;
                assert!(elapsed <= Duration::from_secs(30), "{stuck} {action:?}: {elapsed:?}");
                assert_eq!(log.last().map(String::as_str), Some("logout"), "{stuck} {action:?}");
                let was_called = log.iter().any(|call| call == stuck);
                assert!(
                    !was_called || stuck == "logout" || result.is_err(),
                    "{stuck} {action:?}: {result:?}"
                );
            }
        }
    }

    #[tokio::test(start_paused = true)]
    async fn nothing_is_touched_when_one_of_several_plugs_is_unknown() {
        let driver = Recorder { unknown: true, ..Recorder::default() };
        let (result, log, _) = go(Action::Off, "plug=a,b", driver, std::future::pending()).await;
        assert!(result.is_err());
        assert!(!log.iter().any(|call| call == "off"), "{log:?}");
    }

    #[tokio::test(start_paused = true)]
    async fn what_the_device_does_not_know_is_off_only_when_told_so() {
        let unknown = || Recorder { unknown: true, ..Recorder::default() };
        let pending = std::future::pending;
        assert!(go(Action::Status, "plug=a", unknown(), pending()).await.0.is_err());
        let told = go(Action::Status, "plug=a\nmissing_as_off=1", unknown(), pending()).await.0;
        assert_eq!(told, Ok(Exit::Off));
        let other = go(Action::On, "plug=a\nmissing_as_off=1", unknown(), pending()).await.0;
        assert!(other.is_err(), "nothing can be turned on that is not there");
    }

    #[tokio::test(start_paused = true)]
    async fn the_delay_comes_before_any_contact() {
        let driver = Recorder { stuck: "login", ..Recorder::default() };
        let signal = async {
            tokio::time::sleep(Duration::from_secs(9)).await;
            "SIGTERM"
        };
        let (_, log, _) = go(Action::Off, "plug=a\ndelay=10", driver, signal).await;
        assert_eq!(log, ["logout"]);
    }

    #[tokio::test(start_paused = true)]
    async fn monitor_looks_at_the_plug_and_validation_does_not_look_for_a_stand_in() {
        let pending = std::future::pending;
        let (_, log, _) = go(Action::Monitor, "plug=a", Recorder::default(), pending()).await;
        assert_eq!(log, ["login", "resolve", "state", "preflight with target", "logout"]);
        let stand_in = "plug=node1\nnodename=node1";
        let (_, log, _) = go(Action::ValidateAll, stand_in, Recorder::default(), pending()).await;
        assert_eq!(log, ["login", "preflight", "logout"]);
    }
}
