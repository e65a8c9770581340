//! picket-fence: every `fence_*` agent of this project in one program.
//!
//! The promise: **exit 0 only when the API has confirmed the final power state; unknown is never off.** It is kept in
//! one place, the power machine ([`core::power`]), and not by drivers: a driver says what it sees and sends what it is
//! told to.
//!
//! | module | owns |
//! | --- | --- |
//! | [`core`] | options, input, metadata and other documents, the power machine, exit statuses; knows no platform |
//! | [`http`] | the one HTTP client |
//! | [`agents`] | the table of agents, and a folder for each platform |
//! | `testing` | the fault matrix (tests only) |
//! | [`cli`] | from arguments to exit status |
//!
//! # How to write a driver
//!
//! 1. Make `agents/<name>/` with `mod.rs` (options and actions), `api.rs` (wire types, with where they are
//!    documented), `tests.rs`; add `pub mod <name>;` and one line to [`agents::AGENTS`]. Nothing else changes.
//! 2. Describe the agent as a constant [`core::agent::Agent`]. Its options are groups of rows: shared ones
//!    ([`core::standard::HTTP`], [`LOGIN`](core::standard::LOGIN), [`PLUGS`](core::standard::PLUGS)), then its own; a
//!    later row replaces an earlier one with the same key, so `opt::IPPORT.default("8006")` is how a default differs.
//!    Names, defaults, letters and `required` are upstream's; new options have order 215 and are optional.
//!    A value that nobody may see is `.secret()`.
//! 3. `new(&Settings) -> Result<Self, Failure>` reads options ([`core::settings::Settings`]: `text`, `need`, `flag`,
//!    `integer`, `seconds`, `secret`, `username()`, `password()`), makes the client
//!    (`Client::new(Config::new(settings)?).explain(api::explain)`) and contacts nothing.
//! 4. Implement [`core::driver::Driver`]:
//!    * `login`: get a token, `http.set_bearer(..)` or `set_header(..)`. Called again when a call ends in 401 in the
//!      middle of a run, once. Basic authentication needs none: `http.set_basic(..)` in `new`.
//!    * `resolve(plug)`: exactly one machine, by id first and then by exact name; [`Fault::NotFound`] or
//!      [`Fault::Ambiguous`] otherwise. Never let the server match patterns for you: compare on this side. What you
//!      need to know of a machine is kept in a map by [`Target::id`], never in one variable.
//!    * `state(target)`: one fresh look. [`Reading::off`] only for what proves that nothing executes; paused is
//!      [`Reading::on`]; in between, missing and unheard-of words are [`Reading::unknown`]. A platform that serves old
//!      answers says `.settle(how_old)`, and one that knows what to do says `.hint("fence host h1")`.
//!    * `off` and `on`: `Ok` means accepted and nothing more. Mark what may be sent twice (`.repeatable()`: off). Map
//!      "already so" and "not now" to [`Fault::into_conflict`]: the machine looks again. No polling, no retries, no
//!      timeouts in here: core does them all, within one deadline.
//!    * `cycle`: only where the platform proves that the old instance ended; poll for that here.
//!    * `list`: all or an error. `preflight`: is switching permitted? `logout`: on every way out, with a second.
//! 5. Requests: `http.get(path).json::<T>()`, `http.post(path).json_body(&b).send()`, `.form(..)`, `.header(..)`,
//!    `.any()` for answers whose status you judge yourself; [`http::encode`] for every value in a path. Statuses,
//!    redirects, repetition, `Retry-After`, size limits and the deadline are the client's.
//!    Transports of another kind bound each call by `settings.deadline.within(limit)`, and note
//!    `crate::testing::time::hold()` under `cfg(test)` as [`http`] does. Programs are run by [`core::child`]; `libvirt`
//!    shows how the matrix is had for them, by a mock in place of the program; `virt` shows a mock with a protocol of its
//!    own (`testing::Wire`).
//! 6. Tests: a `Platform` that serves the happy path from a `World` of two machines (`world.show(at)` where an answer
//!    tells a state, `world.switch(at, on)` where a request is accepted, `Shown::Odd` as your platform's oddest
//!    state), a `Bench`, and `matrix::run(&BENCH)`: a part of the matrix, or all of
//!    it with `PICKET_FENCE_MATRIX=full`. Then a test for each trap of the platform, named for the behavior,
//!    with `Case::new(&bench, action, on).run()`. Servers that others wrote go to `tests/`, ignored by default.
//!
//! # Drivers to come
//!
//! For `libvirt` a `rpc.rs` (XDR over a stream) beside virsh.
//!
//! [`Fault::NotFound`]: core::fault::Fault::NotFound
//! [`Fault::Ambiguous`]: core::fault::Fault::Ambiguous
//! [`Fault::into_conflict`]: core::fault::Fault::into_conflict
//! [`Target::id`]: core::driver::Target::id
//! [`Reading::off`]: core::driver::Reading::off
//! [`Reading::on`]: core::driver::Reading::on
//! [`Reading::unknown`]: core::driver::Reading::unknown

pub mod agents;
pub mod cli;
pub mod core;
pub mod http;

#[cfg(test)]
mod testing;
