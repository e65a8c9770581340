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
