//! An agent without a platform, to test what all agents share.

use crate::core::agent::{Agent, Can, List, Needs};
use crate::core::deadline::Deadline;
use crate::core::env::Env;
use crate::core::failure::Failure;
use crate::core::input::stdin;
use crate::core::settings::Settings;
use crate::core::standard as opt;

/// Has every group of options.
pub(crate) const AGENT: Agent = Agent {
    name: "fence_dummy",
    aliases: &["fence_double"],
    title: "Tests <what> all agents share",
    about: "It has no platform.\n\n.And a second paragraph.",
    url: "https://dummy.example",
    options: &[opt::HTTP, opt::LOGIN, opt::PLUGS, &[opt::METHOD, opt::MISSING_AS_OFF]],
    needs: Needs { address: true, username: true, password: true, plug: true },
    can: Can { list: List::Fields, cycle: true, diag: false, null: false },
    driver: |_| Err(Failure::Local("a dummy has no driver".to_owned())),
};

/// Settings of the dummy from stdin lines, with a deadline a minute from now.
pub(crate) fn settings(lines: &str) -> Settings {
    let values = stdin::parse(&AGENT.table(), lines).unwrap();
    let deadline = Deadline::new(tokio::time::Instant::now(), std::time::Duration::from_secs(60));
    Settings::new(&AGENT, AGENT.name, Env::default(), values, None, deadline)
}
