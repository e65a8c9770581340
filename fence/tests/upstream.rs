//! The agents of Debian's package beside ours, where the former are known to call a running machine "off".

#![allow(clippy::unwrap_used, reason = "a test may fail")]

mod peer;

use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::Stdio;

use peer::{Folder, Run, Server, agent, free_port, listens, script, venv};

/// What both come to, when asked to switch a machine off that nothing switches off.
struct Both {
    theirs: Run,
    ours: Run,
}

fn upstream(venv: &Path, name: &str, options: &str) -> Run {
    let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join("upstream");
    let mut command = script("upstream-agent");
    command.arg(folder).arg(venv).arg(name);
    let mut child =
        command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    child.stdin.take().unwrap().write_all(options.as_bytes()).unwrap();
    let output = child.wait_with_output().unwrap();
    let text = |bytes: Vec<u8>| String::from_utf8_lossy(&bytes).into_owned();
    Run { exit: output.status.code().unwrap_or(-1), stdout: text(output.stdout), stderr: text(output.stderr) }
}

fn by_http(venv: &Path, kind: &str, name: &str, more: &str) -> Both {
    let folder = Folder::new(kind);
    folder.certificate();
    let port = free_port();
    let mut command = script("lies");
    command.arg(kind).arg(port.to_string()).arg(folder.file("cert.pem")).arg(folder.file("key.pem"));
    let _server = Server::start(&mut command, &folder.0.join("log"), || listens(port));
    let options = format!("action=off\nip=127.0.0.1\nipport={port}\nusername=u\npassword=p\n{more}\n");
    // A false value of ssl_insecure is a true one upstream, so that each gets options of its own.
    let theirs = upstream(venv, name, &format!("{options}ssl_insecure=1\n"));
    let ours = agent(name, &format!("{options}ca_file={}\npower_timeout=3\n", folder.file("cert.pem")));
    Both { theirs, ours }
}

fn by_ssh(venv: &Path, state: &str) -> Both {
    let folder = Folder::new("lying-ssh");
    std::fs::write(folder.0.join("STATE"), state).unwrap();
    let ssh: PathBuf = folder.0.join("ssh");
    std::os::unix::fs::symlink(script("lying-ssh").get_program(), &ssh).unwrap();
    std::fs::write(folder.0.join("key"), "").unwrap();
    let (key, ssh) = (folder.file("key"), ssh.display());
    let options = format!(
        "action=off\nip=127.0.0.1\nusername=u\nidentity_file={key}\nssh_path={ssh}\nplug=vm1\npower_timeout=3\n"
    );
    Both { theirs: upstream(venv, "fence_virsh", &options), ours: agent("fence_virsh", &options) }
}

#[test]
#[ignore = "needs Debian's fence-agents package: make show-fence"]
fn what_upstream_calls_off_is_never_off_here() {
    let venv = venv(&["pexpect", "pycurl", "requests"]);
    let mut cases: Vec<(String, Both)> = Vec::new();
    for state in
        ["in shutdown\n", "crashed\n", "pmsuspended\n", "ausgeschaltet\n", "sudo: a password is required\n"]
    {
        cases.push((format!("virsh says '{}'", state.trim()), by_ssh(&venv, state)));
    }
    for (kind, name, more) in [
        ("rhevm-no-status", "fence_rhevm", "plug=vm1"),
        ("rhevm-pattern", "fence_rhevm", "plug=vm*"),
        ("vmware-same-name", "fence_vmware_rest", "plug=vm1"),
        ("vmware-suspended", "fence_vmware_rest", "plug=vm1"),
        ("redfish-several", "fence_redfish", ""),
    ] {
        cases.push((kind.to_owned(), by_http(&venv, kind, name, more)));
    }
    let mut reproduced = 0;
    let mut wrong = Vec::new();
    for (what, Both { theirs, ours }) in &cases {
        let claims = theirs.exit == 0 && theirs.stdout.contains("Success");
        reproduced += usize::from(claims);
        if !claims {
            wrong
                .push(format!("{what}: not reproduced: {} {} {}", theirs.exit, theirs.stdout, theirs.stderr));
        }
        if ours.exit == 0 {
            wrong.push(format!("{what}: ours says {}", ours.stdout));
        }
    }
    let handled = cases.iter().filter(|(_, both)| both.ours.exit == 1).count();
    let line = format!(
        "known false off: {} cases, {reproduced} reproduced with Debian's agents, {handled} handled here\n",
        cases.len()
    );
    std::io::stdout().write_all(line.as_bytes()).unwrap();
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}
