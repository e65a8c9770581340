//! picket-fence
pub mod agents;
pub mod cli;
pub mod core;
pub mod http;

#[cfg(test)]
mod testing;
