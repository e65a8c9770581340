//! picketctl.
fn main() {}
