//! Our metadata beside that of the agents which people have configured: nothing of theirs may be missing.

#![allow(clippy::unwrap_used, reason = "a test may fail")]

mod peer;

use std::collections::{BTreeMap, BTreeSet};
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

/// Those of Debian's fence-virt, which are programs without libraries.
const OF_FENCE_VIRT: [&str; 2] = ["fence_virt", "fence_xvm"];

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
#[ignore = "needs Debian's fence-agents and fence-virt packages: make show-fence"]
fn nothing_of_upstreams_metadata_is_missing() {
    let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join("upstream");
    let mut compared = 0;
    let mut compare = |name: &str, theirs: &str| {
        let ours = agent(name, "action=metadata\n").stdout;
        let ((theirs, their_actions), (ours, our_actions)) = (read(theirs), read(&ours));
        assert!(theirs.len() > 14, "{name}: upstream's metadata was not understood");
        for (parameter, words) in &theirs {
            assert_eq!(ours.get(parameter), Some(words), "{name} {parameter}");
        }
        compared += theirs.len();
        (their_actions, our_actions)
    };
    for name in AGENTS {
        let (theirs, ours) = compare(name, &output(script("upstream-metadata").arg(&folder).arg(name)));
        assert_eq!(ours, theirs, "{name}");
    }
    for name in OF_FENCE_VIRT {
        let (theirs, ours) = compare(name, &output(Command::new(name).args(["-o", "metadata"])));
        // Theirs are in another order, and none says whether it is automatic.
        let names = |actions: &[String]| -> BTreeSet<String> {
            actions
                .iter()
                .filter_map(|words| words.strip_prefix("action name=")?.split(' ').next().map(str::to_owned))
                .collect()
        };
        assert!(names(&ours).is_superset(&names(&theirs)), "{name}: {ours:?}");
        assert!(theirs.len() > 9, "{name}: {theirs:?}");
    }
    let agents = AGENTS.len() + OF_FENCE_VIRT.len();
    say(&format!("{agents} agents, {compared} parameters compared with Debian's, none missing"));
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
