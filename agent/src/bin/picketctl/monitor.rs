//! `crm_mon` and `cibadmin`, as far as resource agents use them: the state as XML, and the whole CIB.

use std::process::ExitCode;

use picket_agent::ipc::cluster::{Cib, ClusterError, picture};
use picket_proto::xml::Element;

use crate::builtin::{self, DISCONNECTED, OK, USAGE};
use crate::output;

/// Show nodes and active resources once, as XML
#[derive(clap::Args)]
pub(crate) struct Monitor {
    /// Look once and end, as always here
    #[arg(short = '1', long)]
    one_shot: bool,
    /// The format; only xml is known here
    #[arg(long, value_name = "FORMAT")]
    output_as: Option<String>,
    /// The same as --output-as=xml
    #[arg(short = 'X', long)]
    as_xml: bool,
}

/// Show the cluster's configuration and state
#[derive(clap::Args)]
pub(crate) struct Admin {
    /// Show it, as always here
    #[arg(short = 'Q', long)]
    query: bool,
}

impl Monitor {
    pub(crate) fn run(&self, program: &str) -> ExitCode {
        let xml = self.as_xml || self.output_as.as_deref() == Some("xml");
        if !xml || !self.one_shot {
            return builtin::complain(program, "only --one-shot with --output-as=xml is built in", USAGE);
        }
        show(program, cib(program).map(|cib| picture(&cib, program)))
    }
}

impl Admin {
    pub(crate) fn run(&self, program: &str) -> ExitCode {
        if !self.query {
            return builtin::complain(program, "only --query is built in", USAGE);
        }
        show(program, Cib::connect(program).and_then(|mut cib| cib.whole()))
    }
}

/// The cluster's, or what is in the file that tools of Pacemaker would read.
fn cib(program: &str) -> Result<Element, ClusterError> {
    match std::env::var_os("CIB_file").and_then(|path| std::fs::read_to_string(path).ok()) {
        Some(text) => Ok(Element::parse(&text)?),
        None => Cib::connect(program)?.whole(),
    }
}

fn show(program: &str, document: Result<Element, ClusterError>) -> ExitCode {
    match document {
        Ok(document) => ExitCode::from(output::line(&lines(&document)).map_or(DISCONNECTED, |()| OK)),
        Err(error) => builtin::complain(program, &error.to_string(), builtin::code(&error)),
    }
}

/// A line an element, for scripts look with `grep`.
fn lines(document: &Element) -> String {
    document.to_string().replace("><", ">\n<")
}
