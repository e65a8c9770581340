//! The program as callers see it: names, exit statuses, what is on stdout, and what is not in `ps`.

#![allow(clippy::unwrap_used, reason = "a test may fail")]

use std::io::Write;
use std::net::TcpListener;
use std::os::unix::process::CommandExt;
use std::process::{Child, Command, Output, Stdio};
use std::time::{Duration, Instant};

use rustix::process::{Pid, Signal, kill_process};

fn program(name: &str, args: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_picket-fence"));
    command.arg0(name).args(args).stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
    command.env_remove("PCMK_service");
    command
}

fn run(name: &str, args: &[&str]) -> Output {
    program(name, args).output().unwrap()
}

fn with_stdin(name: &str, lines: &str) -> Output {
    let mut child = program(name, &[]).stdin(Stdio::piped()).spawn().unwrap();
    child.stdin.take().unwrap().write_all(lines.as_bytes()).unwrap();
    child.wait_with_output().unwrap()
}

fn text(bytes: &[u8]) -> &str {
    std::str::from_utf8(bytes).unwrap()
}

/// Waits until something about a child is true.
fn until(what: &str, mut is_so: impl FnMut() -> bool) {
    let end = Instant::now() + Duration::from_secs(20);
    while !is_so() {
        assert!(Instant::now() < end, "never: {what}");
        std::thread::park_timeout(Duration::from_millis(10));
    }
}

fn end(child: Child) -> Output {
    kill_process(Pid::from_child(&child), Signal::TERM).unwrap();
    child.wait_with_output().unwrap()
}

#[test]
fn an_agent_is_chosen_by_the_name_of_the_program_or_by_its_first_argument() {
    for output in [
        run("fence_pve", &["-o", "metadata"]),
        run("/usr/sbin/fence_pve", &["--action=meta-data"]),
        run("picket-fence", &["fence_pve", "-o", "metadata"]),
        with_stdin("fence_pve", "action=metadata\n"),
        with_stdin("fence_pve", "action=metadata\ndelay=soon\nmethod=kick\n"),
    ] {
        assert!(output.status.success());
        assert!(text(&output.stdout).contains("<resource-agent name=\"fence_pve\""));
        assert_eq!(text(&output.stderr), "");
    }
}

#[test]
fn alone_it_lists_its_agents() {
    let output = run("picket-fence", &[]);
    assert!(output.status.success());
    for name in ["fence_docker", "fence_podman", "fence_pve", "fence_redfish"] {
        assert!(text(&output.stdout).contains(name));
    }
    assert_eq!(run("picket-fence", &["fence_nothing"]).status.code(), Some(1));
}

#[test]
fn mistakes_are_exit_1_with_nothing_on_stdout() {
    for (args, words) in [
        (&["-o", "explode"][..], "Unrecognised action"),
        (&["--frobnicate"], "unknown"),
        (&["-o"], "needs a value"),
        (&["-o", "off", "-a", "h", "-p", "x"], "plug"),
        (&["-o", "off", "-a", "h", "-n", "1", "--delay=soon"], "whole number"),
        (&["-o", "diag", "-a", "h"], "Unrecognised action"),
    ] {
        let output = run("fence_pve", args);
        assert_eq!(output.status.code(), Some(1), "{args:?}");
        assert_eq!(text(&output.stdout), "", "{args:?}");
        assert!(text(&output.stderr).contains(words), "{args:?}: {}", text(&output.stderr));
        assert!(text(&output.stderr).contains("'-h'"), "{args:?}");
    }
}

#[test]
fn validation_reports_everything_at_once() {
    let output = with_stdin("fence_redfish", "action=validate-all\n");
    assert_eq!(output.status.code(), Some(1));
    let stderr = text(&output.stderr);
    assert!(["ip", "username", "password"].iter().all(|name| stderr.contains(name)), "{stderr}");
    let first = with_stdin("fence_redfish", "action=off\n");
    assert!(!text(&first.stderr).contains("username"), "otherwise the first mistake ends it");
}

#[test]
fn a_device_that_nobody_runs_is_a_failure_within_seconds_and_no_timeout() {
    let port = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port().to_string();
    let started = Instant::now();
    let output = run("fence_pve", &["-o", "status", "-a", "127.0.0.1", "-u", &port, "-p", "x", "-n", "1"]);
    assert_eq!(output.status.code(), Some(1));
    let stderr = text(&output.stderr).to_lowercase();
    assert!(stderr.contains("unable to connect/login") && stderr.contains("refused"), "{stderr}");
    // The fencer does not try again after what looks like a timeout.
    assert!(!stderr.contains("timed out") && !stderr.contains("timeout"), "{stderr}");
    assert!(started.elapsed() < Duration::from_secs(20));
}

#[test]
fn json_is_one_document_with_a_typed_error() {
    let port = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
    let lines = format!(
        "action=monitor\nip=127.0.0.1\nipport={port}\nssl=0\npassword=s3cret\noutput=json\nquiet=1\n"
    );
    let output = with_stdin("fence_pve", &lines);
    assert_eq!(output.status.code(), Some(1));
    assert_eq!(text(&output.stderr), "", "quiet is quiet");
    let report: serde_json::Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!(report["error"]["kind"], "unreachable");
    assert_eq!(report["error"]["number"], 3);
    assert_eq!(report["calls"][0]["method"], "POST");
    assert!(!text(&output.stdout).contains("s3cret"));
}

#[test]
fn a_password_on_the_command_line_does_not_stay_in_sight_and_no_core_is_dumped() {
    let args = ["-o", "off", "-a", "127.0.0.1", "-p", "s3cret", "-n", "1", "--delay=60", "--retry-on", "2"];
    let child = program("fence_pve", &args).spawn().unwrap();
    let proc =
        |file: &str| std::fs::read_to_string(format!("/proc/{}/{file}", child.id())).unwrap_or_default();
    until("the arguments are gone", || {
        proc("cmdline").starts_with("fence_pve\0") && !proc("cmdline").contains("s3cret")
    });
    assert!(!proc("environ").contains("s3cret"));
    // It has read its options by the time it waits for a signal.
    until("no core", || {
        proc("limits").lines().any(|line| {
            let words: Vec<&str> = line.split_whitespace().collect();
            words.starts_with(&["Max", "core", "file", "size", "0", "0"])
        })
    });
    until("it catches signals", || catches_term(&proc("status")));
    let output = end(child);
    assert_eq!(output.status.code(), Some(1), "it ends by itself, and not of the signal");
    assert!(text(&output.stderr).contains("SIGTERM"), "{}", text(&output.stderr));
    assert_eq!(text(&output.stdout), "");
}

/// Whether SIGTERM (15) is in the mask of caught signals.
fn catches_term(status: &str) -> bool {
    let mask = status.lines().find_map(|line| line.strip_prefix("SigCgt:")).unwrap_or("0");
    u64::from_str_radix(mask.trim(), 16).unwrap() & (1 << 14) != 0
}

#[test]
fn the_debug_file_is_for_its_owner_only() {
    use std::os::unix::fs::PermissionsExt;
    let path = std::path::Path::new(env!("CARGO_TARGET_TMPDIR")).join("debug-file");
    let _ = std::fs::remove_file(&path);
    let port = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
    let lines = format!(
        "action=monitor\nip=127.0.0.1\nipport={port}\npassword=s3cret\ndebug_file={}\nquiet=1\n",
        path.display()
    );
    assert_eq!(with_stdin("fence_pve", &lines).status.code(), Some(1));
    assert_eq!(std::fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);
    let written = std::fs::read_to_string(&path).unwrap();
    assert!(written.contains("unreachable") && !written.contains("s3cret"), "{written}");
}
