//! What the commands print: lines on stdout, complaints on stderr.

use std::io::{self, Write as _};
use std::process::ExitCode;
use std::time::Duration;

use picket_proto::exec::ExecReport;
use picket_proto::notification::Notification;
use picket_proto::outcome::ExecStatus;
use picket_proto::status::{AgentStatus, ClientStatus, ResourceStatus};

use crate::failure::Failure;

/// Prints a line. A reader that has gone away ends the command.
pub(crate) fn line(text: &str) -> Result<(), Failure> {
    let mut stdout = io::stdout().lock();
    writeln!(stdout, "{text}")?;
    Ok(stdout.flush()?)
}

/// Says what went wrong, and gives the exit code for it.
pub(crate) fn complain(failure: &Failure) -> ExitCode {
    // Nothing else can be done where stderr is closed.
    let _ = writeln!(io::stderr(), "picketctl: {failure}");
    failure.into()
}

/// A result in several lines.
pub(crate) fn result(report: &ExecReport) -> String {
    let (outcome, request) = (&report.outcome, &report.request);
    let mut text = format!("{} {}: {} ({})", request.rsc_id, request.action, outcome.rc, outcome.rc.number());
    if outcome.status != ExecStatus::Done {
        text += &format!(", {}", outcome.status);
    }
    // Re-runs of a recurring operation are not timed by the agent.
    if report.times.run != 0 {
        text += &format!(", took {}", seconds(Duration::from_millis(report.times.exec)));
    }
    if let Some(reason) = &outcome.exit_reason {
        text += &format!("\n  reason: {}", printable(reason));
    }
    if let Some(output) = &outcome.output {
        for line in output.trim_end().lines() {
            text += &format!("\n  | {}", printable(line));
        }
    }
    text
}

/// A notification in one line.
pub(crate) fn notification(notification: &Notification) -> String {
    match notification {
        Notification::Executed(report) => {
            let interval = report.request.interval;
            let every = if interval > 0 { format!(" every {}", millis(interval)) } else { String::new() };
            let first = result(report).lines().next().unwrap_or_default().to_owned();
            let reason = report.outcome.exit_reason.as_ref();
            let reason = reason.map(|reason| format!(": {}", printable(reason))).unwrap_or_default();
            let deleted = if report.rsc_deleted { ", resource is unregistered" } else { "" };
            format!("result   {first}{reason}{every} (call {}{deleted})", report.call_id)
        }
        Notification::Generic { op, rsc_id, rc, call_id } => {
            let rsc = rsc_id.as_ref().map(|rsc| format!(" {rsc}")).unwrap_or_default();
            format!("request  {}{rsc}: {rc} (call {call_id})", op.trim_start_matches("lrmd_rsc_"))
        }
        Notification::NewClient => "client   another one has connected".to_owned(),
        Notification::Proxy(proxy) => {
            let session = proxy.session.as_deref().unwrap_or("none");
            let server = proxy.server.as_ref().map(|server| format!(" to {server}")).unwrap_or_default();
            format!("ipc      {:?}{server}, session {session}", proxy.op)
        }
    }
}

/// What a picket-agent says of itself.
pub(crate) fn status(status: &AgentStatus) -> String {
    let mut text = format!("uptime     {}\n", span(status.uptime));
    if status.clients.is_empty() {
        text += "clients    none: no cluster is connected\n";
    }
    for (at, each) in status.clients.iter().enumerate() {
        text += &format!("{:10} {}\n", if at == 0 { "clients" } else { "" }, client(each));
    }
    if status.resources.is_empty() {
        text += "resources  none registered\n";
    }
    for (at, each) in status.resources.iter().enumerate() {
        text += &format!("{:10} {}\n", if at == 0 { "resources" } else { "" }, resource(each));
    }
    text.truncate(text.trim_end().len());
    text
}

fn client(client: &ClientStatus) -> String {
    let name = client.name.as_deref().map_or("without a name".into(), printable);
    let kind = if client.is_provider { "cluster" } else { "client" };
    format!("{kind} {name} from {}, connected for {}", client.address, span(client.connected))
}

fn resource(resource: &ResourceStatus) -> String {
    let mut text = format!("{} ({})", resource.definition.id, resource.definition);
    if let Some(action) = &resource.active {
        text += &format!(", {action} is running");
    }
    if resource.pending > 0 {
        text += &format!(", {} waiting", resource.pending);
    }
    for op in &resource.recurring {
        let last = op.last_rc.map_or("not yet run".to_owned(), |rc| format!("last rc {rc}"));
        text += &format!("\n{:10}   {} every {}, {last}", "", op.action, millis(op.interval));
    }
    text
}

/// Agents' words without what could move the cursor.
fn printable(text: &str) -> String {
    text.chars().map(|c| if c.is_control() && c != '\t' { '\u{fffd}' } else { c }).collect()
}

fn millis(ms: u64) -> String {
    seconds(Duration::from_millis(ms))
}

fn seconds(time: Duration) -> String {
    if time < Duration::from_secs(1) {
        format!("{} ms", time.as_millis())
    } else {
        format!("{} s", time.as_secs_f64())
    }
}

fn span(seconds: u64) -> String {
    let (days, hours, minutes) = (seconds / 86_400, seconds / 3_600 % 24, seconds / 60 % 60);
    match (days, hours, minutes) {
        (0, 0, 0) => format!("{seconds} s"),
        (0, 0, _) => format!("{minutes} min"),
        (0, ..) => format!("{hours} h {minutes} min"),
        _ => format!("{days} d {hours} h"),
    }
}

#[cfg(test)]
mod tests {
    use picket_proto::exec::{ExecRequest, Times};
    use picket_proto::outcome::{OcfRc, Outcome};

    use super::*;

    #[test]
    fn a_result_is_readable_and_harmless() {
        let outcome = Outcome {
            output: Some("one\n\u{1b}[31mtwo\n".into()),
            ..Outcome::new(OcfRc::NotInstalled, ExecStatus::NotInstalled).because("no such thing")
        };
        let report = ExecReport {
            request: ExecRequest { rsc_id: "db".into(), action: "start".into(), ..ExecRequest::default() },
            call_id: 3,
            rsc_deleted: false,
            outcome,
            times: Times { run: 1, exec: 1_500, ..Times::default() },
            origin: String::new(),
        };
        let expected = "db start: not installed (5), not installed, took 1.5 s\n  reason: no such thing\n  | one\n  | \u{fffd}[31mtwo";
        assert_eq!(result(&report), expected);
        let line = notification(&Notification::Executed(Box::new(report)));
        assert!(!line.contains('\n') && line.contains("no such thing (call 3)"), "{line}");
    }

    #[test]
    fn spans_are_short() {
        let spans = [(59, "59 s"), (61, "1 min"), (3_700, "1 h 1 min"), (90_000, "1 d 1 h")];
        for (seconds, text) in spans {
            assert_eq!(span(seconds), text);
        }
    }
}
