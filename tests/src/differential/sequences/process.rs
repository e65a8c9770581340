//! What an agent finds when it is started.

use crate::differential::{Sequence, Session, op};

pub(super) const SEQUENCES: &[Sequence] = &[
    Sequence::new("environment-of-ocf", environment_of_ocf),
    Sequence::new("environment-of-lsb", environment_of_lsb),
    Sequence::new("process-of-ocf", process_of_ocf),
    Sequence::new("arguments", arguments),
    Sequence::new("concurrent-same-agent", concurrent_same_agent),
];

/// Variables of the shell itself are left out.
const ENVIRONMENT: &str = "env | grep -v -e ^PWD= -e ^OLDPWD= -e ^_= -e ^SHLVL= -e ^OCF_RESKEY_do= | LC_ALL=C sort >/run/picket-test/seen";

/// What it says of descriptors comes before the shell has opened more of its own.
const PROCESS: &str = r#"
    set -- /proc/$$/fd/*
    descriptors=$(basename -a "$@" | tr '\n' ' ')
    stdin=$(readlink /proc/$$/fd/0) stdout=$(readlink /proc/$$/fd/1) stderr=$(readlink /proc/$$/fd/2)
    cd /run/picket-test
    {
        echo "descriptors=$descriptors"
        echo "stdin=$stdin"
        echo "stdout=${stdout%%:*}"
        echo "stderr=${stderr%%:*}"
        echo "two pipes=$([ "$stdout" = "$stderr" ] && echo no || echo yes)"
        echo "cwd=$OLDPWD"
        echo "umask=$(umask)"
        echo "user=uid $(id -u) gid $(id -g) groups $(id -G)"
        read -r pid _ state ppid group session rest </proc/$$/stat
        echo "own process group=$([ "$group" = $$ ] && echo yes || echo no)"
        read -r _ _ _ _ _ agents_session _ </proc/$PPID/stat
        echo "the daemon's session=$([ "$session" = "$agents_session" ] && echo yes || echo no)"
        grep -e ^SigBlk -e ^SigIgn /proc/$$/status | tr -d '\t' | tr : =
        echo "nice=$(nice)"
        echo "scheduler=$(chrt -p $$ | head -1 | sed 's/.*: //')"
        echo "oom=$(cat /proc/$$/oom_score_adj)"
        echo "open files=$(ulimit -n)"
        echo "core=$(ulimit -c)"
    } >seen
"#;

fn environment_of_ocf(s: &mut Session<'_>) {
    s.register("r1", "Script");
    let start = op("r1", "start")
        .with("CRM_meta_interval", "0")
        .with("CRM_meta_on_node", "guest")
        .with("config", "/etc/x");
    s.run(&start.doing(ENVIRONMENT)).show("seen");
}

fn environment_of_lsb(s: &mut Session<'_>) {
    s.put("agent", &format!("#!/bin/sh\nsleep 0.02\n{ENVIRONMENT}\n")).register_as(
        "r1",
        "lsb",
        None,
        "/run/picket-test/agent",
    );
    s.run(&op("r1", "start").with("config", "/etc/x")).show("seen");
}

fn process_of_ocf(s: &mut Session<'_>) {
    s.put("process", PROCESS).register("r1", "Script");
    s.run(&op("r1", "start").doing(". /run/picket-test/process")).show("seen");
}

fn arguments(s: &mut Session<'_>) {
    s.register("r1", "Script");
    s.run(&op("r1", "start").doing(r#"tr '\0' ' ' </proc/$$/cmdline; echo "count $# arguments $*""#));
}

fn concurrent_same_agent(s: &mut Session<'_>) {
    s.register("r1", "Script").register("r2", "Script");
    s.exec(&op("r1", "start").doing("sleep 1.2")).run(&op("r2", "start")).hear(1);
}
