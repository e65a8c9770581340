//! Shell completion of options and actions.

use crate::core::action::Shell;
use crate::core::agent::Agent;
use crate::core::option::Kind;

/// The script for an agent called by this name.
pub fn script(agent: &Agent, name: &str, shell: Shell) -> String {
    let actions: Vec<&str> = agent.advertised().map(|(name, _)| name).collect();
    let actions = actions.join(" ");
    match shell {
        Shell::Bash => bash(agent, name, &actions),
        Shell::Fish => fish(agent, name, &actions),
        Shell::Zsh => zsh(agent, name, &actions),
    }
}

fn bash(agent: &Agent, name: &str, actions: &str) -> String {
    let longs: Vec<String> = agent.table().iter().filter_map(|opt| opt.flags().last()).collect();
    format!(
        "_{name}() {{\n    local word=${{COMP_WORDS[COMP_CWORD]}} before=${{COMP_WORDS[COMP_CWORD-1]}}\n    \
         case $before in\n    -o|--action) COMPREPLY=($(compgen -W '{actions}' -- \"$word\")) ;;\n    \
         *) COMPREPLY=($(compgen -W '{}' -- \"$word\")) ;;\n    esac\n}}\ncomplete -F _{name} {name}\n",
        longs.join(" ")
    )
}

fn fish(agent: &Agent, name: &str, actions: &str) -> String {
    let mut script = String::new();
    for opt in agent.table().iter().filter(|opt| !opt.deprecated) {
        let short = opt.short.map(|letter| format!(" -s {letter}")).unwrap_or_default();
        let words = match opt.kind {
            Kind::Select(words) => format!(" -x -a '{}'", words.join(" ")),
            _ if opt.key == "action" => format!(" -x -a '{actions}'"),
            Kind::Flag | Kind::Level => String::new(),
            Kind::Text | Kind::Integer | Kind::Seconds => " -r".to_owned(),
        };
        let long = opt.long.map(|long| format!(" -l {long}")).unwrap_or_default();
        let about = opt.about.replace('\'', "\\'");
        script += &format!("complete -c {name}{short}{long}{words} -d '{about}'\n");
    }
    script
}

fn zsh(agent: &Agent, name: &str, actions: &str) -> String {
    let mut script = format!("#compdef {name}\n_arguments");
    for opt in agent.table().iter().filter(|opt| !opt.deprecated) {
        let about: String = opt.about.chars().filter(|c| !matches!(c, '\'' | '[' | ']' | ':')).collect();
        let value = match opt.kind {
            Kind::Flag | Kind::Level => String::new(),
            Kind::Select(words) => format!(":{}:({})", opt.key, words.join(" ")),
            _ if opt.key == "action" => format!(":action:({actions})"),
            Kind::Text | Kind::Integer | Kind::Seconds => format!(":{}:", opt.key),
        };
        let equals = if opt.takes_value() && opt.long.is_some() { "=" } else { "" };
        let flag = opt.flags().last().unwrap_or_default();
        script += &format!(" \\\n  '{flag}{equals}[{about}]{value}'");
    }
    script.push('\n');
    script
}
