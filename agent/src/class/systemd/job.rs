//! A unit's job, from the order to its own result. It is never asked how far it is, unless the manager or the bus
//! was away and its result may have been lost.

use picket_proto::outcome::{ExecStatus, OcfRc, Outcome};

use super::bus::{Signal, Systemd};
use super::error::ManagerError;
use super::manager::Order;
use super::unit::State;

/// Gives an order and waits for what becomes of it. The operation's timeout ends the wait, though not the job.
pub(super) async fn run(
    systemd: &Systemd,
    order: Order,
    unit: &str,
    path: &str,
) -> Result<Outcome, ManagerError> {
    // Heard from before the order: a quick job is over before its reply is here.
    let mut signals = systemd.listen();
    systemd.subscribe().await?;
    let ordered = systemd.order(order, unit).await?;
    loop {
        match signals.recv().await {
            Ok(Signal::JobRemoved { job, result }) if job == ordered => {
                return Ok(outcome(order, unit, &result));
            }
            Ok(Signal::Changed { .. } | Signal::JobRemoved { .. }) => {}
            // Something may have been missed.
            Ok(Signal::Appeared | Signal::Lost) | Err(_) => {
                signals = systemd.listen();
                systemd.subscribe().await?;
                if !systemd.is_job_of(&ordered, path).await? {
                    let state = systemd.state_of(path).await?;
                    return Ok(presumed(order, unit, &state));
                }
            }
        }
    }
}

/// The result for what the job's removal says.
fn outcome(order: Order, unit: &str, result: &str) -> Outcome {
    let reason = || format!("systemd {} job for {unit} failed with result '{result}'", order.action());
    match result {
        "done" => Outcome::new(OcfRc::Ok, ExecStatus::Done),
        "timeout" => Outcome::new(OcfRc::Error, ExecStatus::TimedOut).because(reason()),
        _ => Outcome::new(OcfRc::Error, ExecStatus::Error).because(reason()),
    }
}

/// The result of a job that ended unseen, from what it left.
fn presumed(order: Order, unit: &str, state: &State) -> Outcome {
    let active = matches!(state, State::Settled(outcome) if outcome.rc == OcfRc::Ok);
    let inactive = matches!(state, State::Settled(outcome) if outcome.rc != OcfRc::Ok);
    match order {
        Order::Restart | Order::Start if active => Outcome::new(OcfRc::Ok, ExecStatus::Done),
        Order::Stop if inactive => Outcome::new(OcfRc::Ok, ExecStatus::Done),
        Order::Restart | Order::Start | Order::Stop => Outcome::new(OcfRc::Error, ExecStatus::Error)
            .because(format!("systemd {} job for {unit} ended while systemd was away", order.action())),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn results_of_a_job_map_row_by_row() {
        let rows = [("done", 0, 0), ("timeout", 1, 2), ("failed", 1, 4), ("canceled", 1, 4)];
        for (result, rc, status) in rows.into_iter().chain([("dependency", 1, 4), ("skipped", 1, 4)]) {
            let outcome = outcome(Order::Start, "x.service", result);
            assert_eq!((outcome.rc.number(), outcome.status.number()), (rc, status), "{result}");
        }
        let reason = outcome(Order::Start, "x.service", "failed").exit_reason.unwrap();
        assert_eq!(reason, "systemd start job for x.service failed with result 'failed'");
    }

    #[test]
    fn a_job_that_ended_unseen_succeeded_only_if_its_unit_is_where_it_should_be() {
        let rc = |order, state| presumed(order, "x.service", &super::super::unit::state(state)).rc.number();
        for (order, state, expected) in [
            (Order::Start, "active", 0),
            (Order::Start, "inactive", 1),
            (Order::Start, "activating", 1),
            (Order::Restart, "failed", 1),
            (Order::Stop, "inactive", 0),
            (Order::Stop, "failed", 0),
            (Order::Stop, "active", 1),
        ] {
            assert_eq!(rc(order, state), expected, "{order:?} {state}");
        }
    }
}
