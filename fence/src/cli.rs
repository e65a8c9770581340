//! From the arguments of the process to its exit status.

use std::io::{IsTerminal, Read};
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use tokio::time::Instant;

use crate::agents;
use crate::core::action::Action;
use crate::core::agent::Agent;
use crate::core::deadline::Deadline;
use crate::core::env::Env;
use crate::core::failure::{Exit, Failure};
use crate::core::input::{Values, argv, credentials, stdin};
use crate::core::log::{self, Volume};
use crate::core::option::Opt;
use crate::core::report::Report;
use crate::core::request::{self, Request};
use crate::core::settings::Settings;
use crate::core::usage::Usage;
use crate::core::{askpass, doc, output, password, process, shell, standard};

/// More than the fencer can ever send: it stops at one full pipe (fence-contract, section 1).
const STDIN_LIMIT: u64 = 1024 * 1024;

/// Runs the program. `args` begins with its own name.
pub fn main(args: &[String], var: impl Fn(&str) -> Option<String>) -> ExitCode {
    process::harden();
    if let Some(socket) = var(askpass::VARIABLE) {
        return if askpass::answer(&socket) { Exit::Success } else { Exit::Failure }.into();
    }
    let name = args.first().map(Path::new).and_then(Path::file_name).and_then(|name| name.to_str());
    let name = name.unwrap_or("picket-fence");
    let rest = args.get(1..).unwrap_or_default();
    let env = Env::read(var);
    let exit = match (agents::find(name), rest.split_first()) {
        (Some(agent), _) => one(agent, name, rest, env),
        (None, Some((word, rest))) if agents::find(word).is_some() => {
            let agent = agents::find(word).expect("it was just found");
            one(agent, word, rest, env)
        }
        (None, Some((word, _))) if word == "--version" || word == "-V" => {
            output::stdout(concat!(env!("CARGO_PKG_VERSION"), "\n"));
            Exit::Success
        }
        (None, None) => {
            output::stdout(&agents::overview());
            Exit::Success
        }
        (None, Some((word, _))) if word == "--help" || word == "-h" => {
            output::stdout(&agents::overview());
            Exit::Success
        }
        (None, Some((word, _))) => {
            let known = agents::names().collect::<Vec<_>>().join(", ");
            refuse(&[Usage::UnknownAgent(word.clone(), known)])
        }
    };
    exit.into()
}

/// Runs as one agent.
fn one(agent: &'static Agent, name: &str, args: &[String], env: Env) -> Exit {
    let start = Instant::now();
    let table = agent.table();
    let mut values = match read(&table, args) {
        Ok(values) => values,
        Err(usage) => return refuse(&[usage]),
    };
    if values.flag(&standard::HELP) {
        output::stdout(&doc::help::text(agent, name));
        return Exit::Success;
    }
    if values.flag(&standard::VERSION) {
        output::stdout(concat!(env!("CARGO_PKG_VERSION"), "\n"));
        return Exit::Success;
    }
    let action = match request::action(agent, &values) {
        Ok(action) => action,
        Err(usage) => return refuse(&[usage]),
    };
    if action.is_document() {
        output::stdout(&document(agent, name, action));
        return Exit::Success;
    }
    if !args.is_empty() {
        process::hide_secrets(&table, &values, name);
    }
    if let Err(usage) = log_to(name, &values) {
        return refuse(&[usage]);
    }
    for warning in &values.warnings {
        tracing::warn!("{warning}");
    }
    if let Err(usage) = credentials::fill(&table, &mut values) {
        return refuse(&[usage]);
    }
    let request = match Request::new(agent, action, &values, &env) {
        Ok(request) => request,
        Err(wrong) if action == Action::ValidateAll => return refuse(&wrong),
        Err(wrong) => return refuse(&wrong[..1]),
    };
    if let Some(warning) = &request.plugs.warning {
        tracing::warn!("{warning}");
    }
    let json = values.text(&standard::OUTPUT) == Some("json");
    let separator = values.text(&standard::SEPARATOR).unwrap_or(",").to_owned();
    let mut report = Report { agent: name.to_owned(), action: action.name(), ..Report::default() };
    let deadline = Deadline::new(start, request.deadline);
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
    let result = match runtime {
        Ok(runtime) => runtime.block_on(contact(agent, name, env, values, &request, deadline, &mut report)),
        Err(error) => Err(Failure::Local(format!("cannot start the event loop: {error}"))),
    };
    report.elapsed_ms = deadline.elapsed().as_millis();
    let warning = report.warning.clone();
    let (mut exit, failure) = report.end(result);
    if let Some(failure) = failure {
        exit = fail(name, action, &failure);
    }
    if let Some(trouble) = warning {
        tracing::warn!("{name}: off is confirmed, on is not: {}; {}", trouble.message, trouble.hint);
    }
    let text = if json {
        report.json()
    } else {
        report.text(agent.can.list, &separator, action == Action::ListStatus)
    };
    output::stdout(&text);
    exit
}

async fn contact(
    agent: &'static Agent,
    name: &str,
    env: Env,
    values: Values,
    request: &Request,
    deadline: Deadline,
    report: &mut Report,
) -> Result<Exit, Failure> {
    let mut interrupted = Box::pin(process::interrupted());
    let password = tokio::select! {
        password = password::read(&values, deadline) => password?,
        signal = &mut interrupted => return Err(Failure::Interrupted(signal)),
    };
    let settings = Settings::new(agent, name, env, values, password, deadline);
    let calls = settings.calls.clone();
    let mut driver = (agent.driver)(&settings)?;
    drop(settings);
    let result = shell::run(driver.as_mut(), request, deadline, interrupted, report).await;
    report.calls = calls.take();
    result
}

/// The command line if there is one, else stdin.
fn read(table: &[Opt], args: &[String]) -> Result<Values, Usage> {
    if !args.is_empty() {
        return argv::parse(table, args);
    }
    let mut input = std::io::stdin();
    if input.is_terminal() {
        return Err(Usage::Nothing);
    }
    let mut text = zeroize::Zeroizing::new(Vec::new());
    let read = input.by_ref().take(STDIN_LIMIT).read_to_end(&mut text);
    read.map_err(|error| Usage::Value { option: "stdin", reason: error.to_string() })?;
    let text = zeroize::Zeroizing::new(String::from_utf8_lossy(&text).into_owned());
    let values = stdin::parse(table, &text);
    // Metadata must come out whatever else is configured (fence-contract, section 15).
    values.or_else(|usage| {
        let documents = stdin::parse(&[standard::ACTION], &text)?;
        let word = documents.text(&standard::ACTION).unwrap_or_default();
        match Action::parse(word) {
            Some(action) if action.is_document() => Ok(documents),
            _ => Err(usage),
        }
    })
}

fn document(agent: &Agent, name: &str, action: Action) -> String {
    match action {
        Action::Man => doc::man::page(agent, name),
        Action::Completion(shell) => doc::completion::script(agent, name, shell),
        _ => doc::metadata::document(agent, name),
    }
}

fn log_to(name: &str, values: &Values) -> Result<(), Usage> {
    let level = values.integer(&standard::VERBOSE_LEVEL).and_then(|level| u32::try_from(level).ok());
    let verbose = match (values.times(&standard::VERBOSE), level) {
        (0, _) => 0,
        (times, None) => times,
        (_, Some(level)) => level,
    };
    let file = values.text(&standard::DEBUG_FILE).map(PathBuf::from);
    let verbose = verbose.max(values.level(&standard::DEBUG));
    let volume = Volume { quiet: values.flag(&standard::QUIET), verbose };
    log::start(name, volume, file.as_deref()).map_err(|error| Usage::File {
        option: standard::DEBUG_FILE.key,
        path: file.unwrap_or_default(),
        reason: error.to_string(),
    })
}

/// Upstream's sentence, which people grep for, then what really happened.
fn fail(name: &str, action: Action, failure: &Failure) -> Exit {
    tracing::error!("{}", failure.row().sentence);
    tracing::error!("{name}: {} {failure}; hint: {}", action.name(), failure.hint());
    Exit::Failure
}

/// Mistakes of the caller, a line each.
fn refuse(wrong: &[Usage]) -> Exit {
    for usage in wrong {
        output::stderr(&format!("ERROR: {usage}"));
    }
    output::stderr("Please use '-h' for usage");
    Exit::Failure
}
