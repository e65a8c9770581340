//! Resources: registered, looked up, replaced, unregistered.

use std::time::Duration;

use anyhow::{Context, Result, ensure};
use picket_proto::request::Operation;

use super::{Behavior, Cost};
use crate::differential::op;
use crate::parity::bench::Bench;
use crate::parity::client::Client;

pub(super) const TABLE: &[Behavior] = &[
    Behavior::both(35, "register a resource: reply, then a notification, the second time too", register),
    Behavior::both(36, "lrmd_rsc_info tells the definition, -19 where there is none", info),
    Behavior::both(37, "registered anew as another type: recurring operations are cancelled first", replaced),
    Behavior::both(38, "unregister: unknown is fine, in flight is -115", unregister),
    Behavior::both(39, "lrmd_get_recurring, with and without id", recurring),
    Behavior::differs(
        42,
        "class, action or id missing: an error, no crash",
        incomplete,
        "a missing class crashes it",
    )
    .costs(Cost::Agent),
];

fn register(bench: &Bench) -> Result<String> {
    let mut client = bench.client()?;
    for _ in 0..2 {
        // Reply and notification are asked for in this order.
        client.register("again", "Script")?;
    }
    Ok("twice".into())
}

fn info(bench: &Bench) -> Result<String> {
    let mut client = bench.client()?;
    client.info("known")?.is("lrmd_rc", -19)?.lacks("lrmd_class")?;
    client.register("known", "Script")?;
    let doc = client.info("known")?;
    doc.is("lrmd_rc", 0)?.is("lrmd_rsc_id", "known")?.is("lrmd_class", "ocf")?;
    doc.is("lrmd_provider", "picket-test")?.is("lrmd_type", "Script")?;
    client.register_as("script", "lsb", None, "picket-lsb", 0)?;
    client.info("script")?.is("lrmd_rc", 0)?.is("lrmd_class", "lsb")?.lacks("lrmd_provider")?;
    Ok("four attributes, three for lsb".into())
}

fn replaced(bench: &Bench) -> Result<String> {
    let mut client = bench.client()?;
    client.register("changes", "Script")?;
    client.run(&op("changes", "start"))?.ended(0, 0)?;
    client.run(&op("changes", "monitor").every(60_000))?.ended(0, 0)?;
    // The same without a parameter more than the agent's name.
    let definition = picket_proto::resource::Definition {
        id: "changes".into(),
        class: "ocf".into(),
        provider: Some("picket-test".into()),
        agent: "Folder".into(),
    };
    client.call(Operation::RscRegister(definition))?.is("lrmd_rc", 0)?;
    let early = client.early();
    let cancelled = early.first().context("nothing came before the reply")?;
    cancelled.is("lrmd_rsc_action", "monitor")?.is("lrmd_exec_op_status", 1)?;
    client.info("changes")?.is("lrmd_type", "Folder")?;
    Ok("cancelled before the reply, then the new type".into())
}

fn unregister(bench: &Bench) -> Result<String> {
    let mut client = bench.client()?;
    ensure!(client.unregister("stranger")? == 0);
    client.hear()?.is("lrmd_op", "lrmd_rsc_unregister")?.is("lrmd_rsc_id", "stranger")?.is("lrmd_rc", 0)?;
    client.register("leaves", "Script")?;
    client.exec(&op("leaves", "start").doing("sleep 0.5"))?;
    ensure!(client.unregister("leaves")? == -115);
    client.hear()?.is("lrmd_op", "lrmd_rsc_unregister")?.is("lrmd_rc", -115)?;
    client.result()?.ended(0, 0)?.is("lrmd_rsc_deleted", 1)?;
    client.info("leaves")?.is("lrmd_rc", -19)?;
    Ok("0; -115 twice, the late result marked as deleted".into())
}

fn recurring(bench: &Bench) -> Result<String> {
    let mut client = bench.client()?;
    ensure!(client.recurring(Some("nobody"))?.attr("lrmd_rc") == Some("-19"));
    client.register("watched", "Script")?;
    client.run(&op("watched", "start"))?;
    client.run(&op("watched", "monitor").every(70_000).within(5_000))?.ended(0, 0)?;
    for id in [Some("watched"), None] {
        let reply = client.recurring(id)?;
        let resource = reply.elements().find(|rsc| rsc.attr("lrmd_rsc_id") == Some("watched"));
        let listed = resource.and_then(|rsc| rsc.elements().next()).with_context(|| reply.to_string())?;
        let expected =
            [("lrmd_rsc_action", "monitor"), ("lrmd_rsc_interval", "70000"), ("lrmd_timeout", "5000")];
        for (name, value) in expected {
            ensure!(listed.attr(name) == Some(value), "{reply}");
        }
    }
    Ok("action, interval and timeout; -19 for an unknown id".into())
}

fn incomplete(bench: &Bench) -> Result<String> {
    let peer = bench.fresh(&[])?;
    let mut client = Client::join(&peer, "t")?;
    let mut codes = Vec::new();
    for (op, data) in [
        ("lrmd_rsc_register", r#"lrmd_rsc_id="half" lrmd_type="Script""#),
        ("lrmd_rsc_exec", r#"lrmd_rsc_id="half" lrmd_rsc_action="start""#),
        ("lrmd_rsc_exec", r#"lrmd_rsc_id="half""#),
        ("lrmd_rsc_exec", r#"lrmd_rsc_action="start""#),
        ("lrmd_rsc_register", ""),
        ("lrmd_rsc_cancel", r#"lrmd_rsc_id="half""#),
    ] {
        let id = 900 + codes.len();
        client.say(&format!(
            r#"<lrmd_command t="lrmd" lrmd_op="{op}" lrmd_remote_msg_id="{id}" lrmd_remote_msg_type="request"><lrmd_calldata><lrmd_rsc {data}/></lrmd_calldata></lrmd_command>"#
        ))?;
        let rc = client.reply(i64::try_from(id)?)?.rc()?;
        ensure!(rc < 0, "{op} of {data}: accepted with {rc}");
        codes.push(rc);
    }
    client.silent(Duration::from_millis(200))?;
    client.poke()?.is("lrmd_rc", 0)?;
    Ok(format!("refused with {codes:?}"))
}
