//! picket-agent and picketctl: the two ends of the Pacemaker Remote protocol.
//!
//! The way of the data, from socket to child process and back:
//!
//! ```text
//! wire (TLS, frames) -> conn (one task a client) -> hub (owner of everything) -> executor (decides)
//!                                                                                   |
//! wire <- conn <- hub (notifications) <- executor <- hub <- process (child) <- class (what to run)
//! ```
pub mod accounts;
pub mod alert;
pub mod builtin;
pub mod class;
pub mod cli;
pub mod config;
pub mod conn;
pub mod controller;
pub mod daemon;
pub mod executor;
pub mod hub;
pub mod init;
pub mod ipc;
pub mod key;
pub mod listener;
pub mod logging;
pub mod process;
pub mod schemas;
pub mod supervisor;
pub mod watchdog;
pub mod wire;
