//! picket-agent.
fn main() {}
