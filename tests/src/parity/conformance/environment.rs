//! What agents find around them.

use std::collections::BTreeMap;

use anyhow::{Context, Result, ensure};
use picket_proto::request::{Alert, Operation};

use super::{Behavior, Cost, Shown};
use crate::differential::agents::FOLDER;
use crate::differential::op;
use crate::host::Host;
use crate::parity::bench::{Bench, PATIENCE};
use crate::parity::client::Client;
use crate::wait::wait_until;

pub(super) const TABLE: &[Behavior] = &[
    Behavior::both(43, "alert agents: their user, environment and counter", alert).costs(Cost::Agent),
    Behavior::both(59, "environment of OCF agents and init scripts", variables).costs(Cost::Agent),
    Behavior::both(60, "working directory, umask, process group, descriptors, signals", surroundings),
    Behavior::other(
        70,
        "systemd: jobs, override file, states in between",
        Shown::Test("tests/tests/systemd.rs", "every_ugly_answer_of_a_manager_has_its_result"),
    ),
    Behavior::other(
        71,
        "systemd: a unit that is not there",
        Shown::Test("tests/tests/systemd.rs", "units_of_a_real_systemd_do_as_the_cluster_says"),
    ),
    Behavior::both(72, "secrets: substituted for the agent alone", secrets),
];

/// `NAME=value` lines of a file that an agent wrote.
fn lines(host: &Host, path: &str) -> Result<BTreeMap<String, String>> {
    let text =
        wait_until(path, PATIENCE, || Ok(host.read(path).ok().filter(|text| text.ends_with("end=1\n"))))?;
    let pairs = text.lines().filter_map(|line| line.split_once('='));
    Ok(pairs.map(|(name, value)| (name.to_owned(), value.to_owned())).collect())
}

const ALERT: &str =
    "#!/bin/sh\n{ env; echo user=$(id -un):$(id -gn); echo end=1; } >/run/picket-test/alert.env\n";

const NO_PATH: &str = r#"<lrmd_command t="lrmd" lrmd_op="lrmd_alert_exec" lrmd_remote_msg_id="99" lrmd_remote_msg_type="request"><lrmd_calldata><lrmd_alert lrmd_alert_id="a1"/></lrmd_calldata></lrmd_command>"#;

fn alert(bench: &Bench) -> Result<String> {
    let peer = bench.fresh(&[])?;
    let mut client = Client::join(&peer, "t")?;
    peer.host.write("/run/picket-test/alert", ALERT)?;
    let params = [("CRM_alert_kind", "node"), ("CRM_alert_desc", "a <b>")].into_iter().collect();
    let alert = Alert { id: "a1".into(), path: "/run/picket-test/alert".into(), timeout: 5_000, params };
    client.call(Operation::Alert(alert))?.is("lrmd_rc", 0)?;
    let seen = lines(&peer.host, &format!("{FOLDER}/alert.env"))?;
    let expected = [
        ("CRM_alert_kind", "node"),
        ("CRM_alert_desc", "a <b>"),
        ("CRM_alert_node_sequence", "1"),
        ("user", "hacluster:haclient"),
    ];
    for (name, value) in expected {
        ensure!(seen.get(name).is_some_and(|found| found == value), "{name} is {:?}", seen.get(name));
    }
    client.say(NO_PATH)?;
    client.reply(99)?.is("lrmd_rc", -22)?;
    Ok("run as hacluster:haclient, number 1; -22 without a path".into())
}

const FIXED: [(&str, &str); 9] = [
    ("OCF_EXIT_REASON_PREFIX", "ocf-exit-reason:"),
    ("OCF_CHECK_LEVEL", "10"),
    ("OCF_RA_VERSION_MAJOR", "1"),
    ("OCF_RA_VERSION_MINOR", "1"),
    ("OCF_ROOT", "/usr/lib/ocf"),
    ("OCF_RESOURCE_INSTANCE", "looks"),
    ("OCF_RESOURCE_PROVIDER", "picket-test"),
    ("OCF_RESOURCE_TYPE", "Script"),
    ("OCF_RESKEY_CRM_meta_on_node", "guest1"),
];

const INIT: &str = "#!/bin/sh\n{ env; echo end=1; } >/run/picket-test/init.env\n";

fn variables(bench: &Bench) -> Result<String> {
    let peer = bench.fresh(&[("NOTIFY_SOCKET", "/run/none"), ("PICKET_MARK", "seen")])?;
    let mut client = Client::join(&peer, "t")?;
    client.register("looks", "Script")?;
    let exec = op("looks", "start").with("OCF_CHECK_LEVEL", "10").with("CRM_meta_on_node", "guest1");
    client.run(&exec.doing("{ env; echo end=1; } >/run/picket-test/ocf.env"))?.ended(0, 0)?;
    let seen = lines(&peer.host, &format!("{FOLDER}/ocf.env"))?;
    for (name, value) in FIXED {
        ensure!(seen.get(name).is_some_and(|found| found == value), "{name} is {:?}", seen.get(name));
    }
    let known = |name: &str| {
        FIXED.iter().any(|(fixed, _)| *fixed == name)
            || ["OCF_RESKEY_do", "OCF_RESKEY_crm_feature_set"].contains(&name)
    };
    let surplus: Vec<_> = seen.keys().filter(|name| name.starts_with("OCF_") && !known(name)).collect();
    ensure!(surplus.is_empty(), "there are {surplus:?} too");

    peer.host.write("/etc/init.d/picket-looks", INIT)?;
    client.register_as("init", "lsb", None, "picket-looks", 0)?;
    client.run(&op("init", "start"))?.ended(0, 0)?;
    let init = lines(&peer.host, &format!("{FOLDER}/init.env"))?;
    ensure!(!init.keys().any(|name| name.starts_with("OCF_")), "{init:?}");
    for environment in [&seen, &init] {
        ensure!(!environment.contains_key("NOTIFY_SOCKET"), "NOTIFY_SOCKET is passed on");
        let common = [("PCMK_service", "pacemaker-remoted"), ("PICKET_MARK", "seen")];
        for (name, value) in common {
            ensure!(environment.get(name).is_some_and(|found| found == value), "{name} is wrong");
        }
    }
    Ok(format!("{} OCF variables, none for init scripts, no NOTIFY_SOCKET", FIXED.len() + 2))
}

/// Descriptors are looked at once more, since the shell lists a folder through one of its own.
const LOOK: &str = r#"exec sh -c 'for f in /proc/$$/fd/*; do [ -e "$f" ] && fds="$fds${f##*/} "; done
    { echo "fds=$fds"; echo cwd=$(pwd -P); echo umask=$(umask); echo pid=$$
      ps -o pgid= -p $$ | sed "s/^ */group=/"
      sed -n "s/^Sig\(Blk\|Ign\):\t/\1=/p" /proc/self/status; echo end=1; } >/run/picket-test/around'"#;

fn surroundings(bench: &Bench) -> Result<String> {
    let (peer, mut client) = (bench.peer()?, bench.client()?);
    client.register("around", "Script")?;
    client.run(&op("around", "start").doing(LOOK))?.ended(0, 0)?;
    let seen = lines(&peer.host, &format!("{FOLDER}/around"))?;
    let value = |name: &str| seen.get(name).map(|value| value.trim()).with_context(|| format!("no {name}"));
    ensure!(value("cwd")? == "/var/lib/pacemaker/cores", "cwd {}", value("cwd")?);
    ensure!(value("umask")? == "0026", "umask {}", value("umask")?);
    ensure!(value("group")? == value("pid")?, "group {} of pid {}", value("group")?, value("pid")?);
    ensure!(value("fds")? == "0 1 2", "descriptors {}", value("fds")?);
    ensure!(u64::from_str_radix(value("Blk")?, 16)? == 0, "blocked {}", value("Blk")?);
    let ignored = u64::from_str_radix(value("Ign")?, 16)?;
    ensure!(ignored & (1 << (nix::libc::SIGPIPE - 1)) == 0, "SIGPIPE is ignored: {ignored:x}");
    Ok("cores, 0026, own group, 0 to 2, SIGPIPE default".into())
}

const SECRETS: &str = r#"
set -eu
cd /var/lib/pacemaker && mkdir -p lrm/secrets/keeper && chmod -R 0700 lrm && cd lrm/secrets/keeper
printf 'hunter2\n' >password
printf hunter2 | md5sum | cut -c1-32 >password.sign
printf 'swordfish\n' >forged
echo 00000000000000000000000000000000 >forged.sign
"#;

fn secrets(bench: &Bench) -> Result<String> {
    let (peer, mut client) = (bench.peer()?, bench.client()?);
    peer.host.check(&["sh", "-c", SECRETS])?;
    client.register("keeper", "Script")?;
    let look = "{ env; echo end=1; } >/run/picket-test/secret.$1";
    let result = client.run(&op("keeper", "start").with("password", "lrm://").doing(look))?;
    ensure!(result.ended(0, 0)?.params()?.attr("password") == Some("lrm://"), "{}", result.0);
    let seen = lines(&peer.host, &format!("{FOLDER}/secret.start"))?;
    ensure!(seen.get("OCF_RESKEY_password").is_some_and(|value| value == "hunter2"), "not substituted");
    let forged = |action| op("keeper", action).with("forged", "lrm://");
    let refused = client.run(&forged("start"))?;
    refused.is("lrmd_exec_rc", 2)?;
    client.run(&forged("stop"))?.ended(0, 0)?;
    Ok(format!("substituted; a forged one: {}", refused.text("lrmd_rsc_exit_reason")))
}
