use std::collections::BTreeSet;

use quick_xml::events::Event;

use super::{completion, help, man, metadata};
use crate::agents::AGENTS;
use crate::core::action::Shell;
use crate::core::agent::Agent;
use crate::testing::dummy;

fn all() -> impl Iterator<Item = &'static Agent> {
    AGENTS.iter().copied().chain([&dummy::AGENT])
}

/// Name and attributes of every element.
fn elements(xml: &str) -> Vec<(String, Vec<(String, String)>)> {
    let mut reader = quick_xml::Reader::from_str(xml);
    let mut found = Vec::new();
    loop {
        match reader.read_event().expect("the metadata is well-formed") {
            Event::Start(element) | Event::Empty(element) => {
                let attributes = element.attributes().map(|attribute| {
                    let attribute = attribute.unwrap();
                    (attribute.key.as_ref().to_owned(), attribute.value.into_owned())
                });
                found.push((element.name().as_ref().to_owned(), attributes.collect()));
            }
            Event::Eof => return found,
            _ => {}
        }
    }
}

#[test]
fn no_two_options_of_an_agent_share_a_name_or_a_letter() {
    for agent in all() {
        let mut seen = BTreeSet::new();
        for opt in agent.table() {
            assert!(!opt.about.is_empty(), "{} {}", agent.name, opt.key);
            let short = opt.short.map(|letter| format!("-{letter}"));
            let long = format!("--{}", opt.long);
            for name in [Some(opt.key.to_owned()), opt.old.map(str::to_owned), short, Some(long)] {
                let Some(name) = name else { continue };
                assert!(seen.insert(name.clone()), "{} has {name} twice", agent.name);
            }
        }
    }
}

#[test]
fn metadata_has_only_the_attributes_that_pcs_knows() {
    let known = |element: &str| -> &[&str] {
        match element {
            "resource-agent" | "symlink" => &["name", "shortdesc"],
            "parameter" => &["name", "unique", "required", "deprecated", "obsoletes"],
            "getopt" => &["mixed"],
            "content" => &["type", "default"],
            "option" => &["value"],
            "shortdesc" => &["lang"],
            "action" => &["name", "automatic"],
            "longdesc" | "vendor-url" | "parameters" | "actions" => &[],
            other => panic!("unknown element {other}"),
        }
    };
    for agent in all() {
        for (element, attributes) in elements(&metadata::document(agent, agent.name)) {
            for (name, _) in attributes {
                assert!(known(&element).contains(&name.as_str()), "{element} {name}");
            }
        }
    }
}

#[test]
fn metadata_names_every_option_under_both_names_and_in_order() {
    let xml = metadata::document(&dummy::AGENT, "fence_double");
    let names: Vec<String> = elements(&xml)
        .into_iter()
        .filter(|(element, _)| element == "parameter")
        .map(|(_, attributes)| attributes[0].1.clone())
        .collect();
    assert_eq!(names[..5], ["action", "ip", "ipaddr", "ipport", "login"]);
    for both in [["plug", "port"], ["username", "login"], ["password", "passwd"], ["debug_file", "debug"]] {
        assert!(both.iter().all(|name| names.iter().any(|known| known == name)), "{both:?}");
    }
    assert!(xml.contains("<resource-agent name=\"fence_double\" shortdesc=\"Tests &lt;what&gt;"));
    assert!(xml.contains("<symlink name=\"fence_dummy\""));
    assert!(xml.contains("<parameter name=\"port\" unique=\"0\" required=\"1\" deprecated=\"1\">"));
    assert!(xml.contains("\t<action name=\"on\" automatic=\"0\"/>"));
    assert!(!xml.contains("name=\"cycle\""), "cycle is a method, and no action of the contract");
}

#[test]
fn every_text_names_every_option() {
    for agent in all() {
        let texts = [
            help::text(agent, agent.name),
            man::page(agent, agent.name).replace("\\-", "-"),
            completion::script(agent, agent.name, Shell::Bash),
            completion::script(agent, agent.name, Shell::Fish),
            completion::script(agent, agent.name, Shell::Zsh),
        ];
        for opt in agent.table() {
            for text in &texts {
                let long =
                    text.contains(&format!("--{}", opt.long)) || text.contains(&format!("-l {}", opt.long));
                assert!(long, "{} lacks {}", &text[..40], opt.long);
            }
        }
    }
}

#[test]
fn help_keeps_its_width() {
    for agent in all() {
        for line in help::text(agent, agent.name).lines() {
            assert!(line.chars().count() <= 85, "{line}");
        }
    }
}

#[test]
fn roff_commands_cannot_be_smuggled_in() {
    let page = man::page(&dummy::AGENT, "fence_dummy");
    assert!(page.lines().any(|line| line.starts_with("\\&.And a second")), "{page}");
}
