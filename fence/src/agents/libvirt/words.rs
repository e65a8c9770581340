//! What virsh says, word for word (virsh(1) of libvirt 9 and 11, in the C locale). Whatever is not exactly one of these
//! words proves nothing: upstream takes every text which it does not know for "off" (fence-drivers, 3.1).

use crate::core::child::Output;
use crate::core::driver::{Power, Reading};
use crate::core::fault::Fault;
use crate::core::plug::is_uuid;

/// A domain of `list --all --uuid --name`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Domain {
    pub(super) uuid: String,
    pub(super) name: String,
    pub(super) is_off: bool,
}

/// What is asked for in one call: all domains, then the ids of those which are shut off.
pub(super) const LIST: &str = "list --all --uuid --name; list --uuid --state-shutoff";

/// Reads the answer to [`LIST`]: lines with id and name, and lines with the id alone.
pub(super) fn domains(call: &str, text: &str) -> Result<Vec<Domain>, Fault> {
    let mut found: Vec<Domain> = Vec::new();
    for line in text.lines().map(str::trim).filter(|line| !line.is_empty()) {
        let (uuid, name) = line.split_once(char::is_whitespace).unwrap_or((line, ""));
        let known = found.iter_mut().find(|domain| domain.uuid == uuid);
        match (name.trim(), known) {
            _ if !is_uuid(uuid) => return Err(Fault::malformed(call, format!("a list with '{line}'"))),
            // One that was defined in between is left to the next look.
            ("", None) => {}
            ("", Some(domain)) => domain.is_off = true,
            (_, Some(_)) => return Err(Fault::malformed(call, format!("a list with {uuid} twice"))),
            (name, None) => {
                found.push(Domain { uuid: uuid.to_owned(), name: name.to_owned(), is_off: false });
            }
        }
    }
    Ok(found)
}

/// Reads the answer to `domstate --reason`: one line, a state and perhaps its reason.
pub(super) fn state(call: &str, text: &str) -> Result<Reading, Fault> {
    let line = text.trim();
    let (word, reason) = match line.split_once(" (") {
        Some((word, rest)) if rest.ends_with(')') => (word, rest.trim_end_matches(')')),
        _ => (line, ""),
    };
    Ok(match word {
        "idle" | "paused" | "pmsuspended" | "running" => Reading::on(line),
        "shut off" if reason == "migrated" => {
            Reading::unknown(line).hint("the domain went to another host: fence it there")
        }
        "shut off" => Reading::off(line),
        "crashed" | "in shutdown" | "no state" => Reading::unknown(line),
        _ => {
            return Err(Fault::malformed(
                call,
                format!("'{}' is no state", line.lines().next().unwrap_or("")),
            ));
        }
    })
}

/// As a list tells it: whatever is not shut off may run.
pub(super) fn power(domain: &Domain) -> Power {
    if domain.is_off { Power::Off } else { Power::On }
}

/// What an unsuccessful run means; ssh's own status is 255.
pub(super) fn fault(call: &str, output: &Output) -> Fault {
    let lines: Vec<&str> = output.stderr.lines().map(str::trim).filter(|line| !line.is_empty()).collect();
    let errors: Vec<&str> = lines.iter().filter_map(|line| line.strip_prefix("error: ")).collect();
    let text = if errors.is_empty() { lines.join("; ") } else { errors.join("; ") };
    let (call, answer) = (call.to_owned(), if text.is_empty() { "no reason given".to_owned() } else { text });
    let says = |words: &[&str]| words.iter().any(|word| answer.contains(word));
    match output.exit {
        Some(126 | 127) => {
            Fault::unsupported(call, answer, "install virsh on the hypervisor, and sudo for use_sudo")
        }
        _ if says(&["failed to get domain", "Domain not found", "no domain with matching"]) => {
            Fault::NotFound { call, answer }
        }
        _ if says(&[
            "Permission denied",
            "authentication failed",
            "Host key verification failed",
            "no agent is available",
        ]) =>
        {
            Fault::Denied { call, answer }
        }
        _ if says(&[
            "access denied",
            "read only",
            "read-only",
            "password is required",
            "not allowed to execute",
        ]) =>
        {
            Fault::Forbidden { call, answer }
        }
        Some(255) => Fault::Unreachable { call, answer },
        _ if says(&["failed to connect to the hypervisor", "cannot connect", "Failed to connect"]) => {
            Fault::Unreachable { call, answer }
        }
        None => Fault::Lost { call, answer: "a signal ended it".to_owned() },
        // "domain is not running", "already active", "Failed to terminate process": the state tells the rest.
        _ => Fault::Conflict { call, answer },
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_shut_off_is_off() {
        let power = |text: &str| state("x", text).map(|reading| reading.power);
        for text in ["shut off", "shut off (destroyed)\n\n", "shut off (crashed)", "shut off (shutdown)"] {
            assert_eq!(power(text), Ok(Power::Off), "{text}");
        }
        for text in ["running (booted)", "paused (user)", "idle", "pmsuspended (unknown)"] {
            assert_eq!(power(text), Ok(Power::On), "{text}");
        }
        for text in ["in shutdown (user)", "crashed (panicked)", "no state", "shut off (migrated)"] {
            assert_eq!(power(text), Ok(Power::Unknown), "{text}");
        }
    }

    #[test]
    fn no_other_text_is_a_state() {
        for text in [
            "",
            "ausgeschaltet",
            "sudo: a password is required",
            "shut off\nrunning",
            "Welcome!\nshut off",
            "shut  off",
        ] {
            assert!(matches!(state("x", text), Err(Fault::Malformed { .. })), "{text}");
        }
    }

    const A: &str = "6695eb01-f6a4-8304-79aa-97f2502e193f";
    const B: &str = "6695eb01-f6a4-8304-79aa-97f2502e1940";

    #[test]
    fn names_may_have_spaces_and_a_list_is_whole_or_none() {
        let text = format!("{A} my vm\n{B} test\n\n{B}\n\n");
        let found = domains("x", &text).unwrap();
        assert_eq!(found.len(), 2);
        assert_eq!((found[0].name.as_str(), found[0].is_off), ("my vm", false));
        assert_eq!((found[1].name.as_str(), found[1].is_off), ("test", true));
        assert!(domains("x", &format!("Hello!\n{text}")).is_err());
        assert!(domains("x", &format!("{A} a\n{A} b\n")).is_err());
        assert_eq!(domains("x", "\n\n"), Ok(vec![]));
    }

    #[test]
    fn every_complaint_has_its_meaning() {
        let kind = |exit: Option<i32>, stderr: &str| {
            fault("x", &Output { exit, stdout: String::new(), stderr: stderr.to_owned() }).kind()
        };
        for (exit, stderr, expected) in [
            (Some(1), "error: failed to get domain 'x'\n", "not-found"),
            (
                Some(1),
                "error: Failed to destroy\nerror: Requested operation is not valid: domain is not running",
                "conflict",
            ),
            (
                Some(1),
                "error: Failed to terminate process 7 with SIGKILL: Device or resource busy",
                "conflict",
            ),
            (
                Some(1),
                "error: failed to connect to the hypervisor\nerror: Failed to connect socket to '/x'",
                "unreachable",
            ),
            (
                Some(1),
                "error: failed to connect to the hypervisor\nerror: authentication failed: x",
                "login-refused",
            ),
            (Some(1), "error: operation destroy forbidden: read only access prevents destroy", "forbidden"),
            (Some(1), "sudo: a password is required", "forbidden"),
            (Some(255), "ssh: connect to host h port 22: Connection refused", "unreachable"),
            (Some(255), "u@h: Permission denied (publickey).", "login-refused"),
            (Some(255), "Host key verification failed.", "login-refused"),
            (Some(127), "sh: 1: virsh: not found", "unsupported"),
            (None, "", "connection-lost"),
        ] {
            assert_eq!(kind(exit, stderr), expected, "{stderr}");
        }
    }
}
