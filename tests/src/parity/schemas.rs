//! Schemas that a newer cluster has, fetched by the agent: with a scripted cluster, since 2.1.5 knows nothing of them.

use std::os::unix::fs::PermissionsExt as _;

use anyhow::{Context, Result, ensure};
use picket_proto::xml::{Element, Node};

use super::bench::{Bench, PATIENCE};
use super::client::Client;
use super::provider::serve;
use crate::agent::Agent;
use crate::report::Finding;
use crate::wait::wait_until;

const INSTALLED: &str = "/etc/pacemaker/installed";
const FETCHED: &str = "/var/lib/pacemaker/schemas";

/// What the cluster answers to a question, with these files.
fn answer(question: &Element, files: &[(&str, &str)]) -> Element {
    let reply = |op: &str| {
        Element::new("cib-reply")
            .with("t", "cib")
            .with("cib_op", op)
            .with("cib_clientid", "c")
            .with("cib_rc", 0)
    };
    match question.attr("cib_op") {
        Some("cib_schemas") => {
            let schema = Element::new("schema").with("version", "pacemaker-9.1.rng");
            let schema = files.iter().fold(schema, |schema, (name, text)| {
                let mut file = Element::new("file").with("path", name);
                file.children.push(Node::Cdata((*text).to_owned()));
                schema.child(file)
            });
            reply("cib_schemas")
                .child(Element::new("cib_calldata").child(Element::new("schemas").child(schema)))
        }
        _ => reply("register"),
    }
}

/// Files of a newer cluster arrive, those of an earlier one go, and a name that leads elsewhere spoils all.
pub fn fetched() -> Result<Finding> {
    let bench = Bench::new(Agent::Picket, false);
    let (network, host) = bench.host()?;
    host.write(&format!("{INSTALLED}/pacemaker-3.9.rng"), "<grammar/>")?;
    host.write(&format!("{FETCHED}/stale-1.0.rng"), "<grammar/>")?;
    let folders = [("PCMK_schema_directory", INSTALLED), ("PCMK_remote_schema_directory", FETCHED)];
    let peer = bench.launch_on(&network, &host, &[], &folders, 3121)?;
    let kept = || -> Result<Vec<String>> {
        let entries = std::fs::read_dir(host.disk(FETCHED))?;
        let names = entries.map(|entry| Ok(entry?.file_name().to_string_lossy().into_owned()));
        names.collect()
    };

    let mut old = Client::connect(&peer)?;
    old.hello("cluster-of-2.1.7", Some("1.1"), Some(true))?.is("lrmd_rc", 0)?;
    old.poke()?;
    ensure!(kept()? == ["stale-1.0.rng"], "a cluster that has none was asked: {:?}", kept()?);
    old.leave();

    let mut cluster = Client::connect(&peer)?;
    cluster.hello("cluster", Some("1.2"), Some(true))?.is("lrmd_rc", 0)?;
    let text = "<grammar>\u{e9} & > ]</grammar>";
    let seen = serve(&mut cluster, |question| answer(question, &[("nodes-9.1.rng", text)]))?;
    let new = seen.new.context("no session")?;
    ensure!(new.attr("lrmd_ipc_server") == Some("cib_ro"), "{new}");
    let known = seen.requests.iter().find_map(|request| request.find("schema")?.attr("version"));
    ensure!(known == Some("pacemaker-3.9"), "it says that it knows {known:?}");
    wait_until("the file is there", PATIENCE, || Ok((kept()? == ["nodes-9.1.rng"]).then_some(())))?;
    let file = host.disk(&format!("{FETCHED}/nodes-9.1.rng"));
    wait_until(
        "its text is there",
        PATIENCE,
        || Ok((std::fs::read_to_string(&file)? == text).then_some(())),
    )?;
    let mode = std::fs::metadata(&file)?.permissions().mode() & 0o777;
    ensure!(mode == 0o644, "mode {mode:o}");
    cluster.leave();

    let mut hostile = Client::connect(&peer)?;
    hostile.hello("hostile", Some("1.2"), Some(true))?.is("lrmd_rc", 0)?;
    let files = [("fine.rng", "x"), ("../../../etc/pacemaker/installed/evil.rng", "x")];
    serve(&mut hostile, |question| answer(question, &files))?;
    wait_until("the refusal is logged", PATIENCE, || {
        Ok(std::fs::read_to_string(&peer.log)?.contains("is no name for a schema file").then_some(()))
    })?;
    ensure!(kept()?.is_empty(), "{:?}", kept()?);
    ensure!(!host.disk(&format!("{INSTALLED}/evil.rng")).exists(), "it wrote elsewhere");
    hostile.poke()?;
    Ok(Finding::good(
        "asked from LRMD 1.2 on, stale files go, a name that leads elsewhere is refused with all",
    ))
}
