//! Our metadata beside that of the agents which people have configured: nothing of theirs may be missing.

#![allow(clippy::unwrap_used, reason = "a test may fail")]

mod peer;

use std::collections::BTreeMap;
use std::io::Write;
use std::path::Path;
use std::process::Command;

use peer::{Folder, agent, output, script};
use quick_xml::Reader;
use quick_xml::events::Event;

/// Agents of ours that Debian has too.
const AGENTS: [&str; 9] = [
    "fence_docker",
    "fence_kubevirt",
    "fence_openstack",
    "fence_pve",
    "fence_redfish",
    "fence_rhevm",
    "fence_virsh",
    "fence_vmware_rest",
    "fence_vmware_soap",
];

/// What matters of a parameter: all attributes of its element and of the elements in it, without texts.
type Parameters = BTreeMap<String, Vec<String>>;

/// Parameters by name, and actions in order.
fn read(xml: &str) -> (Parameters, Vec<String>) {
    let mut reader = Reader::from_str(xml);
    let (mut parameters, mut actions) = (Parameters::new(), Vec::new());
    let mut current = String::new();
    loop {
        let element = match reader.read_event().unwrap() {
            Event::Start(element) | Event::Empty(element) => element,
            Event::Eof => return (parameters, actions),
            _ => continue,
        };
        let name = element.name().as_ref().to_owned();
        let attributes: Vec<(String, String)> = element
            .attributes()
            .map(|attribute| attribute.unwrap())
            .map(|attribute| (attribute.key.as_ref().to_owned(), attribute.value.into_owned()))
            .collect();
        let words = attributes.iter().map(|(key, value)| format!("{name} {key}={value}"));
        match name.as_str() {
            "parameter" => {
                current = attributes.iter().find(|(key, _)| key == "name").unwrap().1.clone();
                parameters.insert(current.clone(), words.collect());
            }
            "getopt" | "content" | "option" => parameters.get_mut(&current).unwrap().extend(words),
            "action" => actions.push(words.collect::<Vec<_>>().join(" ")),
            _ => {}
        }
    }
}

#[test]
#[ignore = "needs Debian's fence-agents package: make show-fence"]
fn nothing_of_upstreams_metadata_is_missing() {
    let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join("upstream");
    let mut compared = 0;
    for name in AGENTS {
        let theirs = output(script("upstream-metadata").arg(&folder).arg(name));
        let ours = agent(name, "action=metadata\n").stdout;
        let ((theirs, their_actions), (ours, our_actions)) = (read(&theirs), read(&ours));
        assert!(theirs.len() > 20, "{name}: upstream's metadata was not understood");
        for (parameter, words) in &theirs {
            assert_eq!(ours.get(parameter), Some(words), "{name} {parameter}");
        }
        assert_eq!(our_actions, their_actions, "{name}");
        compared += theirs.len();
    }
    say(&format!("{} agents, {compared} parameters compared with Debian's, none missing", AGENTS.len()));
}

#[test]
#[ignore = "needs xmllint and Debian's fence-agents and pcs packages: make show-fence"]
fn every_agents_metadata_passes_the_grammars_of_fence_agents_and_pcs() {
    let folder = Folder::new("grammars");
    let packages = Path::new(env!("CARGO_TARGET_TMPDIR")).join("grammar-packages");
    let grammars = output(script("grammars").arg(packages));
    let overview = output(Command::new(env!("CARGO_BIN_EXE_picket-fence")).arg("--help"));
    let words = overview.split(|c: char| c.is_whitespace() || c == ',');
    let names: Vec<&str> = words.filter(|word| word.starts_with("fence_")).collect();
    assert!(names.len() > AGENTS.len(), "{names:?}");
    for name in &names {
        std::fs::write(folder.0.join(name), agent(name, "action=metadata\n").stdout).unwrap();
        for grammar in grammars.lines() {
            output(Command::new("xmllint").args(["--noout", "--relaxng", grammar]).arg(folder.0.join(name)));
        }
    }
    say(&format!("{} names pass xmllint with {} grammars", names.len(), grammars.lines().count()));
}

/// A figure for `make show-fence`, past the capture of output.
fn say(figure: &str) {
    std::io::stdout().write_all(format!("metadata: {figure}\n").as_bytes()).unwrap();
}
