//! The harness itself: hosts crash, return, lose their network, and never outlive the harness.

use std::io::{BufRead, BufReader};
use std::process::{Command, Stdio};
use std::time::Duration;

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use picket_tests::{Network, Program, wait_until};

const SOON: Duration = Duration::from_secs(10);

#[test]
fn crash_ends_every_process_and_keeps_the_disk() {
    let network = Network::new().unwrap();
    let host = network.host("alone").unwrap();
    let pid = host.enable(Program::new("sleep", &["sleep", "1000"])).unwrap();
    host.write("/var/log/kept", "disk").unwrap();
    host.write("/run/lost", "memory").unwrap();

    host.crash();
    assert!(!std::fs::exists(format!("/proc/{pid}")).unwrap());
    assert!(host.run(&["true"]).is_err());

    host.boot().unwrap();
    assert_eq!(host.read("/var/log/kept").unwrap(), "disk");
    assert!(host.read("/run/lost").is_err());
    assert_ne!(host.pid("sleep").unwrap(), pid);
}

#[test]
fn a_program_that_was_stopped_and_goes_on_can_still_be_ended() {
    let network = Network::new().unwrap();
    let host = network.host("alone").unwrap();
    for waits in [true, false] {
        let pid = host.start(&Program::new("sleep", &["sleep", "1000"])).unwrap();
        kill(pid, Signal::SIGSTOP).unwrap();
        // nsenter, its parent, stops itself as soon as it sees that: before the child goes on, or after.
        let what = "nsenter has stopped itself";
        if waits {
            wait_until(what, SOON, || Ok(parent_is_stopped(pid).then_some(()))).unwrap();
        }
        kill(pid, Signal::SIGCONT).unwrap();
        host.stop("sleep", SOON).unwrap();
    }
}

#[test]
fn a_host_with_a_stopped_program_can_crash() {
    let network = Network::new().unwrap();
    let host = network.host("alone").unwrap();
    let pid = host.start(&Program::new("sleep", &["sleep", "1000"])).unwrap();
    kill(pid, Signal::SIGSTOP).unwrap();
    wait_until("nsenter has stopped itself", SOON, || Ok(parent_is_stopped(pid).then_some(()))).unwrap();
    host.crash();
    assert!(!std::fs::exists(format!("/proc/{pid}")).unwrap());
}

fn parent_is_stopped(pid: Pid) -> bool {
    let parent = stat(pid, 1).and_then(|pid| pid.parse().ok()).map(Pid::from_raw);
    parent.and_then(|pid| stat(pid, 0)).as_deref() == Some("T")
}

/// A field of `/proc/PID/stat`, counted from the state.
fn stat(pid: Pid, field: usize) -> Option<String> {
    let text = std::fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
    text.rsplit(')').next()?.split_whitespace().nth(field).map(str::to_owned)
}

#[test]
fn orphans_are_reaped() {
    let network = Network::new().unwrap();
    let host = network.host("alone").unwrap();
    host.check(&["sh", "-c", "(sh -c 'exec >/dev/null 2>&1; sleep 0.1; sleep 0.1' &)"]).unwrap();
    wait_until("only init and ps remain", SOON, || {
        Ok((host.check(&["ps", "-e", "-o", "comm="])?.lines().collect::<Vec<_>>()
            == ["bash", "timeout", "ps"])
        .then_some(()))
    })
    .unwrap();
}

#[test]
fn cable_is_pulled_and_plugged_in() {
    let network = Network::new().unwrap();
    let (left, right) = (network.host("left").unwrap(), network.host("right").unwrap());
    left.start(&Program::new("web", &["python3", "-m", "http.server", "8000"])).unwrap();
    wait_until("web server listens", SOON, || Ok(left.listens(8000)?.then_some(()))).unwrap();
    let url = format!("http://{}:8000/", left.address());
    let fetch = || right.run(&["curl", "--silent", "--max-time", "0.5", &url]).unwrap().status.success();

    assert!(fetch());
    left.cut().unwrap();
    assert!(!fetch());
    left.restore().unwrap();
    wait_until("network is back", SOON, || Ok(fetch().then_some(()))).unwrap();
}

#[test]
#[allow(clippy::print_stdout, reason = "how the victim tells what to look for")]
fn nothing_outlives_a_killed_harness() {
    // This test program once more, as a harness that is going to be killed.
    if std::env::var_os("PICKET_VICTIM").is_some() {
        let network = Network::new().unwrap();
        let host = network.host("victim").unwrap();
        let pid = host.start(&Program::new("sleep", &["sleep", "1000"])).unwrap();
        println!("\nvictim {pid} {}", host.disk("/var/log").display());
        loop {
            std::thread::park();
        }
    }
    let mut victim = Command::new(std::env::current_exe().unwrap())
        .args(["--exact", "nothing_outlives_a_killed_harness", "--nocapture"])
        .env("PICKET_VICTIM", "1")
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let lines = BufReader::new(victim.stdout.take().unwrap()).lines();
    let line = lines.map(Result::unwrap).find(|line| line.starts_with("victim ")).unwrap();
    let [_, pid, disk] = line.split(' ').collect::<Vec<_>>()[..] else { panic!("{line}") };
    assert!(std::fs::exists(disk).unwrap());

    victim.kill().unwrap();
    victim.wait().unwrap();
    wait_until("its process is dead and its folder is gone", SOON, || {
        Ok((!std::fs::exists(format!("/proc/{pid}"))? && !std::fs::exists(disk)?).then_some(()))
    })
    .unwrap();
}
