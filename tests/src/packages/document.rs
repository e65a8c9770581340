//! Commands out of documents, so that what they say is what is tested.

use std::fs;
use std::path::Path;

use anyhow::{Context, Result, ensure};

use super::{checkout, containers, migration};

/// One command of a document.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Step {
    /// Where it is to be typed: what is before the prompt's `#`.
    pub place: String,
    /// What to type.
    pub command: String,
}

/// The commands in a Markdown text's `console` blocks, in order: lines with a prompt such as `guest1#` or `#`. A backslash
/// at the end joins the next line.
#[must_use]
pub fn steps(text: &str) -> Vec<Step> {
    let mut steps: Vec<Step> = Vec::new();
    let mut inside = false;
    let mut open = false;
    for line in text.lines() {
        if let Some(fence) = line.trim_start().strip_prefix("```") {
            inside = fence == "console";
            open = false;
        } else if inside {
            let (place, command) = match line.trim_start().split_once("# ") {
                Some((place, command)) if !place.contains(' ') => (Some(place), command),
                _ => (None, line.trim_start()),
            };
            match (place, open) {
                (Some(place), _) => steps.push(Step { place: place.to_owned(), command: command.to_owned() }),
                (None, true) => {
                    let last = steps.last_mut().expect("a command is open");
                    last.command.truncate(last.command.len() - 1);
                    last.command += command;
                }
                (None, false) => continue,
            }
            open = command.ends_with('\\');
        }
    }
    steps
}

/// The commands below one heading, up to the next heading of that level or above.
#[must_use]
pub fn section(text: &str, heading: &str) -> Vec<Step> {
    let level = |line: &str| line.bytes().take_while(|byte| *byte == b'#').count();
    let mut inside = false;
    let mut fenced = false;
    let mut lines = String::new();
    for line in text.lines() {
        fenced ^= line.trim_start().starts_with("```");
        if !fenced && line.starts_with('#') {
            inside = line == heading || (inside && level(line) > level(heading));
        }
        if inside {
            lines += line;
            lines += "\n";
        }
    }
    steps(&lines)
}

/// The commands of the README that no test takes from it, and that have no reason for that.
pub fn unclaimed() -> Result<Vec<Step>> {
    // CI is `make test` itself, which ends with `make demo`; the story of the third is a test's, in tests/tests/cluster.rs.
    const ENTRIES: [&str; 3] = ["make demo", "make test", "make demo-cluster"];
    let text = read("README.md")?;
    let headings = migration::README.iter().chain([&containers::HEADING]);
    let played: Vec<_> = headings.flat_map(|heading| section(&text, heading)).collect();
    let all = steps(&text);
    ensure!(played.len() > 15, "the README has {} commands that are played", played.len());
    let known = |step: &Step| played.contains(step) || ENTRIES.contains(&step.command.as_str());
    Ok(all.into_iter().filter(|step| !known(step)).collect())
}

/// The messages that `docs/troubleshooting.md` explains and that the agent's sources do not contain.
pub fn unknown_messages() -> Result<Vec<String>> {
    let text = read("docs/troubleshooting.md")?;
    let rows = text.lines().filter_map(|line| line.strip_prefix("| `")?.split_once('`'));
    let messages: Vec<_> = rows.map(|(message, _)| message.to_owned()).collect();
    ensure!(messages.len() > 10, "the table of messages has {} rows", messages.len());
    let mut sources = String::new();
    gather(&checkout().join("agent/src"), &mut sources)?;
    Ok(messages.into_iter().filter(|message| !sources.contains(message)).collect())
}

/// The files, limits and Makefile targets that `SPECIFICATION.md` names and that do not exist.
pub fn unknown_measures() -> Result<Vec<String>> {
    let text = read("SPECIFICATION.md")?;
    let makefile = read("Makefile")?;
    let mut unknown = Vec::new();
    for line in text.lines().filter(|line| line.starts_with('|')) {
        // A limit is followed by its place.
        let quoted: Vec<_> = line.split('`').skip(1).step_by(2).collect();
        for (name, next) in quoted.iter().zip(quoted.iter().skip(1).chain(&[""])) {
            let is_constant =
                name.len() > 3 && name.bytes().all(|byte| byte.is_ascii_uppercase() || byte == b'_');
            let missing = match name.strip_prefix("make ") {
                Some(target) => !makefile.contains(&format!("\n{target}: ")),
                None if name.contains('/') => !checkout().join(name).exists(),
                None if is_constant && next.contains('/') => !read(next)?.contains(&format!("const {name}:")),
                None => false,
            };
            if missing {
                unknown.push((*name).to_owned());
            }
        }
    }
    Ok(unknown)
}

/// The files and folders that `ARCHITECTURE.md` names and that do not exist.
pub fn unknown_places() -> Result<Vec<String>> {
    let text = read("ARCHITECTURE.md")?;
    let quoted = text.lines().flat_map(|line| line.split('`').skip(1).step_by(2));
    // Names are those of a crate where that is clear.
    let exists = |name: &str| {
        ["", "agent/src/", "fence/src/", "tests/"].iter().any(|start| {
            ["", ".rs"].iter().any(|end| checkout().join(format!("{start}{name}{end}")).exists())
        })
    };
    let is_place = |name: &&str| {
        let letters = |byte: u8| byte.is_ascii_lowercase() || b"/_.-".contains(&byte);
        name.bytes().all(letters) && (name.ends_with(".rs") || name.trim_start_matches('/').contains('/'))
    };
    let places: Vec<_> = quoted.filter(is_place).collect();
    ensure!(places.len() > 15, "ARCHITECTURE.md names {} places", places.len());
    Ok(places.into_iter().filter(|name| !exists(name)).map(str::to_owned).collect())
}

/// The text of a file of the checkout.
pub(super) fn read(path: &str) -> Result<String> {
    fs::read_to_string(checkout().join(path)).with_context(|| format!("read {path}"))
}

fn gather(folder: &Path, text: &mut String) -> Result<()> {
    for entry in fs::read_dir(folder).with_context(|| format!("read {}", folder.display()))? {
        let path = entry?.path();
        if path.is_dir() {
            gather(&path, text)?;
        } else {
            *text += &fs::read_to_string(&path)?;
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    const TEXT: &str = "# A\n```console\n# one \\\n    two\nits output\nguest1# three # not four\n```\n```sh\n# five\n```\n## B\n\
                        ```console\nnode1# six\n```\n# C\n```console\n# seven\n```\n";

    fn step(place: &str, command: &str) -> Step {
        Step { place: place.into(), command: command.into() }
    }

    #[test]
    fn prompts_make_commands_and_output_is_passed_over() {
        let found = steps(TEXT);
        assert_eq!(
            found,
            [
                step("", "one two"),
                step("guest1", "three # not four"),
                step("node1", "six"),
                step("", "seven")
            ]
        );
    }

    #[test]
    fn a_section_ends_at_the_next_heading_of_its_level() {
        assert_eq!(section(TEXT, "## B"), [step("node1", "six")]);
        assert_eq!(section(TEXT, "# A").len(), 3);
    }
}
