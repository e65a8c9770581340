//! `ocf:picket:probe`: a check from outside, to stand beside a unit or a container. It starts and stops nothing.

mod check;
mod http;

use std::time::Duration;

use picket_proto::outcome::{OcfRc, Outcome};
use tokio::time::timeout;

use super::started::Started;
use super::table::{Action, Agent, Kind, Param};
use super::{Call, Work, done, failed};
use check::Check;

/// What the agent says of itself.
pub(super) const AGENT: Agent = Agent {
    name: "probe",
    summary: "Checks a port, URL, socket, file or command",
    text: "Checks something that another resource runs: a TCP port, a URL, a Unix socket, the age of a file, or a \
           command. Group it behind that resource: its start waits until the check succeeds, its monitor fails where the \
           check does, its stop does nothing. Every check has a deadline of its own.",
    params: &PARAMS,
    actions: &[
        Action::once("start", "60s"),
        Action::once("stop", "10s"),
        Action::every("monitor", "20s", "10s"),
        Action::once("validate-all", "10s"),
    ],
    run,
};

const KINDS: [&str; 5] = ["command", "file", "http", "tcp", "unix"];

const PARAMS: [Param; 8] = [
    Param {
        name: "check",
        kind: Kind::Choice(&KINDS),
        default: None,
        required: true,
        summary: "Kind of check",
        text: "tcp: target is HOST:PORT. http: target is a URL, http or https. unix: target is the path of a socket. file: \
               target is a path, which must have changed within max_age. command: target is a command with arguments.",
    },
    Param::required("target", "What is checked", "Address, URL, path or command, see check."),
    Param::new(
        "deadline",
        Kind::Time,
        Some("5s"),
        "Deadline of one check",
        "A check that takes longer has failed. At most the operation's timeout.",
    ),
    Param::new(
        "expect_status",
        Kind::Text,
        Some("200-399"),
        "HTTP status that is good",
        "A status or a range such as 200-299.",
    ),
    Param::new(
        "expect_body",
        Kind::Text,
        None,
        "Text the HTTP answer must contain",
        "Looked for in the first 64 KiB of the answer's body.",
    ),
    Param::new(
        "ca_file",
        Kind::Text,
        None,
        "CA for https",
        "PEM file with the CA certificates a server is checked with. Needed for https.",
    ),
    Param::new("max_age", Kind::Time, Some("60s"), "Age a file may have", "For the check file."),
    Param::new(
        "state",
        Kind::Text,
        None,
        "State file",
        "Where a start is remembered; below /run by default.",
    ),
];

fn run(call: Call) -> Work {
    Box::pin(async move {
        let started = Started::of(&call, AGENT.name);
        if call.action == "stop" {
            return started.forget();
        }
        if call.is_probe && !started.is_there() {
            return done(OcfRc::NotRunning);
        }
        let faults = call.values.faults(&PARAMS);
        let check = Check::read(&call.values);
        let check = match check {
            Ok(check) if faults.is_empty() => check,
            Ok(_) => return failed(OcfRc::NotConfigured, faults.join("; ")),
            Err(fault) if faults.is_empty() => return failed(OcfRc::NotConfigured, fault),
            Err(_) => return failed(OcfRc::NotConfigured, faults.join("; ")),
        };
        match call.action.as_str() {
            "validate-all" => done(OcfRc::Ok),
            "start" => start(&check, &call, &started).await,
            _ if !started.is_there() => failed(OcfRc::NotRunning, "not started"),
            _ => once(&check, &call).await,
        }
    })
}

/// Tries until the check succeeds or the operation's time is over.
async fn start(check: &Check, call: &Call, started: &Started) -> Outcome {
    let limit = call.limit.unwrap_or(Duration::from_secs(60));
    let until = tokio::time::Instant::now() + limit - (limit / 10).min(Duration::from_secs(1));
    loop {
        let outcome = once(check, call).await;
        if outcome.rc == OcfRc::Ok {
            return started.set().map_or_else(|outcome| outcome, |()| done(OcfRc::Ok));
        }
        let pause = Duration::from_millis(500);
        if tokio::time::Instant::now() + pause >= until {
            return outcome;
        }
        tokio::time::sleep(pause).await;
    }
}

async fn once(check: &Check, call: &Call) -> Outcome {
    let deadline = call.values.time("deadline").unwrap_or(Duration::from_secs(5));
    let deadline = call.limit.map_or(deadline, |limit| deadline.min(limit - limit / 10));
    match timeout(deadline, check.carry_out()).await {
        Ok(Ok(())) => done(OcfRc::Ok),
        Ok(Err(reason)) => failed(OcfRc::Error, format!("{check}: {reason}")),
        Err(_) => failed(OcfRc::Error, format!("{check}: not within {:.1} s", deadline.as_secs_f64())),
    }
}

#[cfg(test)]
mod tests;
