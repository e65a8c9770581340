//! What a result says.

use std::time::{SystemTime, UNIX_EPOCH};

use anyhow::{Context, Result, ensure};
use picket_proto::request::{Operation, Request};

use super::Behavior;
use crate::differential::agents::FOLDER;
use crate::differential::op;
use crate::parity::bench::Bench;

pub(super) const TABLE: &[Behavior] = &[
    Behavior::both(
        45,
        "exec: the reply is the call id, which the result repeats with the user data",
        call_id,
    ),
    Behavior::both(46, "times of a first run that succeeds", times),
    Behavior::both(47, "every parameter is echoed", echo),
    Behavior::both(48, "exit codes of OCF agents", ocf_codes),
    Behavior::both(49, "exit codes of init scripts", lsb_codes),
    Behavior::both(50, "agents that are missing, not executable, without interpreter", not_there),
    Behavior::both(51, "agent ended by a signal: rc 1, status 4, reason", by_signal),
];

fn call_id(bench: &Bench) -> Result<String> {
    let mut client = bench.client()?;
    let nobody = Operation::Exec(op("nobody", "start").request());
    client.ask(Request::new(0, nobody))?.is("lrmd_rc", -19)?;
    client.register("called", "Script")?;
    let exec = op("called", "start").known_as(Some("7:42:0:<a \"key\">"));
    let reply = client.ask(Request::new(0, Operation::Exec(exec.request())))?;
    let call = reply.rc()?;
    ensure!(call > 0 && call == reply.number("lrmd_callid")?, "{}", reply.0);
    let result = client.result()?;
    result.is("lrmd_callid", call)?.is("lrmd_rsc_userdata_str", "7:42:0:<a \"key\">")?;
    Ok(format!("call {call}"))
}

fn times(bench: &Bench) -> Result<String> {
    let mut client = bench.client()?;
    client.register("timed", "Script")?;
    let result = client.run(&op("timed", "start").doing("sleep 0.3"))?;
    let now = i64::try_from(SystemTime::now().duration_since(UNIX_EPOCH)?.as_secs())?;
    let (run, exec) = (result.number("lrmd_run_time")?, result.number("lrmd_exec_time")?);
    result.ended(0, 0)?.is("lrmd_rcchange_time", 0)?;
    ensure!((now - 3..=now).contains(&run), "run time {run}, it is {now}");
    ensure!((300..2000).contains(&exec), "exec time {exec} ms");
    Ok(format!("0.3 s of sleep are {exec} ms"))
}

fn echo(bench: &Bench) -> Result<String> {
    let mut client = bench.client()?;
    client.register("echoes", "Script")?;
    let given = [
        ("CRM_meta_timeout", "20000"),
        ("CRM_meta_on_node", "guest1"),
        ("plain", "value"),
        ("empty", ""),
        ("9x", "a name that is none"),
    ];
    let exec = given.iter().fold(op("echoes", "start"), |op, (name, value)| op.with(name, value));
    let result = client.run(&exec)?;
    let params = result.params()?;
    for (name, value) in given.iter().chain(&[("crm_feature_set", "3.16.2")]) {
        let child = params.elements().find(|param| param.attr("name") == Some(name));
        let found = params.attr(name).or(child.and_then(|param| param.attr("value")));
        ensure!(found == Some(value), "{name} came back as {found:?}: {}", result.0);
    }
    Ok("six of six, one as a <param>".into())
}

fn ocf_codes(bench: &Bench) -> Result<String> {
    let mut client = bench.client()?;
    client.register("codes", "Script")?;
    let same = (0..=9).chain([190, 191]).map(|code| (code, code));
    for (code, rc) in same.chain([(10, 1), (77, 1), (255, 1)]) {
        client.run(&op("codes", "validate-all").doing(&format!("exit {code}")))?.ended(rc, 0)?;
    }
    Ok("15 of 15".into())
}

fn lsb_codes(bench: &Bench) -> Result<String> {
    let (peer, mut client) = (bench.peer()?, bench.client()?);
    client.register_as("init", "lsb", None, "picket-lsb", 0)?;
    let status = [(0, 0), (1, 7), (2, 7), (3, 7), (4, 1), (150, 5), (151, 4)];
    for (code, rc) in status {
        peer.host.write(&format!("{FOLDER}/lsb.status"), &code.to_string())?;
        client.run(&op("init", "monitor"))?.ended(rc, 0)?;
    }
    peer.host.write(&format!("{FOLDER}/lsb.start"), "6")?;
    client.run(&op("init", "start"))?.ended(6, 0)?;
    Ok("7 of 7; a start's 6 stays".into())
}

fn not_there(bench: &Bench) -> Result<String> {
    let mut client = bench.client()?;
    let providers = [("gone", Some("picket-test"), "NoSuch"), ("lost", Some("no-such"), "Script")];
    for (id, provider, agent) in providers {
        client.register_as(id, "ocf", provider, agent, 0)?;
        client.run(&op(id, "start"))?.ended(5, 7)?;
    }
    let mut reasons = Vec::new();
    for (id, agent, rc) in [("plain", "NotExecutable", 4), ("odd", "NoInterpreter", 5)] {
        client.register(id, agent)?;
        let result = client.run(&op(id, "start"))?;
        result.is("lrmd_exec_rc", rc)?;
        reasons.push(result.text("lrmd_rsc_exit_reason").to_owned());
    }
    Ok(format!("5/7, 5/7, 4, 5: {reasons:?}"))
}

fn by_signal(bench: &Bench) -> Result<String> {
    let mut client = bench.client()?;
    client.register("killed", "Script")?;
    let result = client.run(&op("killed", "start").doing("kill -TERM $$; sleep 5"))?;
    let reason = result.ended(1, 4)?.text("lrmd_rsc_exit_reason");
    reason.contains("Terminated").then(|| reason.to_owned()).with_context(|| format!("reason '{reason}'"))
}
