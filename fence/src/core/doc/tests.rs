use std::collections::BTreeSet;

use quick_xml::events::Event;

use super::{completion, help, man, metadata};
use crate::agents::AGENTS;
use crate::core::action::Shell;
use crate::core::agent::Agent;
use crate::core::option::Opt;
use crate::core::standard as opt;
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
            let names = [Some(opt.key.to_owned()), opt.old.map(str::to_owned)];
            let also = opt.also.map(|letter| format!("-{letter}"));
            for name in names.into_iter().flatten().chain(opt.flags()).chain(also) {
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
            let fish = |flag: &str| match flag.strip_prefix("--") {
                Some(long) => format!("-l {long}"),
                None => flag.replace('-', "-s "),
            };
            if let Some(flag) = opt.flags().last() {
                for text in &texts {
                    let is_named = text.contains(&flag) || text.contains(&fish(&flag));
                    assert!(is_named, "{} lacks {flag}", &text[..40]);
                }
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

#[test]
fn options_with_letters_alone_are_shown_by_them_and_older_names_by_their_own() {
    const OPTIONS: &[Opt] = &[
        opt::PLUG.only('n').also('H'),
        opt::DELAY.only('w').shown_as("string"),
        Opt::text("domain", "domain", "", "Older still").deprecated(),
    ];
    const AGENT: Agent = Agent { options: &[OPTIONS], ..dummy::AGENT };
    let xml = metadata::document(&AGENT, "fence_dummy");
    for (name, attributes) in [
        (
            "plug",
            "required=\"1\" obsoletes=\"port\">\n\t\t<getopt mixed=\"-n\" />\n\t\t<content type=\"string\"  />",
        ),
        ("port", "required=\"1\" deprecated=\"1\">\n\t\t<getopt mixed=\"-H\" />"),
        (
            "delay",
            "required=\"0\">\n\t\t<getopt mixed=\"-w\" />\n\t\t<content type=\"string\" default=\"0\"  />",
        ),
        ("domain", "required=\"0\" deprecated=\"1\">\n\t\t<getopt mixed=\"\" />"),
    ] {
        let element = format!("<parameter name=\"{name}\" unique=\"0\" {attributes}");
        assert!(xml.contains(&element), "{name}: {xml}");
    }
    assert!(help::text(&AGENT, "fence_dummy").contains("\n   -n "));
    assert!(!help::text(&AGENT, "fence_dummy").contains("Older still"));
}
