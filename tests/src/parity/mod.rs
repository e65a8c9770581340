//! Whether picket-agent does everything that `pacemaker-remoted` does.
//!
//! ```text
//! conformance  every numbered behavior: who shows it, and the checks that do     (bench, client: one agent, no cluster)
//! cluster      two nodes and three guests, and what administrators and fate do to them
//! schemas      fetched from a newer cluster
//! certificates who gets in with X.509, and what each refusal says
//! load         hundreds of recurring operations: lateness, replies, processor time
//! ```

mod bench;
pub mod certificates;
pub(crate) mod client;
pub mod cluster;
pub mod conformance;
mod doc;
pub mod load;
pub(crate) mod provider;
mod raw;
pub mod schemas;
pub mod show;
mod stranger;
