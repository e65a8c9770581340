//! What all agents have in common. Nothing in here knows a platform.

pub mod action;
pub mod agent;
pub mod askpass;
pub mod child;
pub mod deadline;
pub mod doc;
pub mod driver;
pub mod env;
pub mod failure;
pub mod fault;
pub mod input;
pub mod log;
pub mod option;
pub mod output;
pub mod password;
pub mod plug;
pub mod power;
pub mod process;
pub mod report;
pub mod request;
pub mod secret;
pub mod settings;
pub mod shell;
pub mod standard;
pub mod usage;
