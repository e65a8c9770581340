//! How virsh is run: here, or on the hypervisor through ssh. No terminal, no prompt, no shell of ours.

use std::time::Duration;

use tokio::process::Command;

use super::{IDENTITY_FILE, INET4, INET6, SSH_OPTIONS, SSH_PATH, SUDO_PATH, URI, USE_SUDO, VIRSH_PATH};
use crate::core::askpass::{Askpass, VARIABLE};
use crate::core::child::{self, Output};
use crate::core::deadline::Deadline;
use crate::core::failure::Failure;
use crate::core::fault::Fault;
use crate::core::secret::Secret;
use crate::core::settings::Settings;
use crate::core::standard as opt;
use crate::http::Calls;

/// Where virsh runs.
pub(super) enum Place {
    /// On this node: program and URI.
    Here { virsh: String, uri: String },
    /// There: ssh with all its arguments, and what comes before virsh's own on the other side.
    There { ssh: String, arguments: Vec<String>, prefix: String },
    /// A mock of the tests, which speaks HTTP.
    #[cfg(test)]
    Mock(Box<crate::http::Client>),
}

/// Runs virsh.
pub(super) struct Transport {
    place: Place,
    /// For ssh, where it is not a key.
    password: Option<Secret>,
    limit: Duration,
    deadline: Deadline,
    calls: Calls,
}

impl Transport {
    /// virsh on this node, which finds the hypervisor by the URI.
    pub(super) fn here(settings: &Settings) -> Result<Self, Failure> {
        let uri = writable(settings.need(&URI)?)?;
        // virsh starts ssh by itself, which must not wait for somebody to type a password.
        let separator = if uri.contains('?') { '&' } else { '?' };
        let uri = match uri.contains("+ssh:") && !uri.contains("no_tty=") {
            true => format!("{uri}{separator}no_tty=1"),
            false => uri.to_owned(),
        };
        let virsh = settings.need(&VIRSH_PATH)?.to_owned();
        Self::with(settings, Place::Here { virsh, uri }, None)
    }

    /// virsh on the hypervisor.
    pub(super) fn there(settings: &Settings) -> Result<Self, Failure> {
        let password = settings.password().filter(|_| !settings.is_given(&IDENTITY_FILE)).cloned();
        let mut arguments: Vec<String> = ["-T", "-oLogLevel=ERROR", "-oStrictHostKeyChecking=accept-new"]
            .into_iter()
            .map(str::to_owned)
            .collect();
        match &password {
            None => arguments.push("-oBatchMode=yes".to_owned()),
            Some(_) => arguments.push("-oNumberOfPasswordPrompts=1".to_owned()),
        }
        let connect = settings.seconds(&opt::LOGIN_TIMEOUT).unwrap_or_default().as_secs().max(5);
        arguments.push(format!("-oConnectTimeout={connect}"));
        if let Some(key) = settings.text(&IDENTITY_FILE) {
            if !std::path::Path::new(key).is_file() {
                return Err(Settings::unusable(&IDENTITY_FILE, key.as_ref(), "it is no file"));
            }
            arguments.extend(["-oIdentitiesOnly=yes".to_owned(), "-i".to_owned(), key.to_owned()]);
        }
        for (option, word) in [(INET4, "-4"), (INET6, "-6")] {
            if settings.flag(&option) {
                arguments.push(word.to_owned());
            }
        }
        let port = settings.integer(&opt::IPPORT).filter(|port| (1..=65535).contains(port));
        let port = port.ok_or_else(|| Settings::wrong(&opt::IPPORT, "must be from 1 to 65535"))?;
        arguments.extend(["-p".to_owned(), port.to_string()]);
        arguments.extend(["-l".to_owned(), settings.need(&opt::USERNAME)?.to_owned()]);
        if settings.is_given(&SSH_OPTIONS) {
            arguments.extend(own_options(settings.text(&SSH_OPTIONS).unwrap_or_default()));
        }
        arguments.extend(["--".to_owned(), settings.need(&opt::IP)?.to_owned()]);
        let sudo = match settings.flag(&USE_SUDO) {
            true => format!("{} -n ", quoted(settings.need(&SUDO_PATH)?)),
            false => String::new(),
        };
        let uri = match settings.text(&URI) {
            Some(uri) => format!("-c {} ", quoted(writable(uri)?)),
            None => String::new(),
        };
        let prefix = format!("env LC_ALL=C {sudo}virsh -q {uri}");
        let ssh = settings.need(&SSH_PATH)?.to_owned();
        Self::with(settings, Place::There { ssh, arguments, prefix }, password)
    }

    fn with(settings: &Settings, place: Place, password: Option<Secret>) -> Result<Self, Failure> {
        let seconds = |option| settings.seconds(option).unwrap_or_default();
        let usual = seconds(&opt::LOGIN_TIMEOUT).max(Duration::from_secs(5))
            + seconds(&opt::SHELL_TIMEOUT).max(Duration::from_secs(10));
        let given = settings.seconds(&opt::REQUEST_TIMEOUT).filter(|given| !given.is_zero());
        #[cfg(test)]
        let place = match settings.text(&opt::DEBUG_FILE) {
            Some("mock") => {
                Place::Mock(Box::new(crate::http::Client::new(crate::http::Config::plain(settings)?)))
            }
            _ => place,
        };
        Ok(Self {
            place,
            password,
            limit: given.unwrap_or(usual),
            deadline: settings.deadline,
            calls: settings.calls.clone(),
        })
    }

    /// Runs a command of virsh: words without spaces or quotes in them, or one of [`super::words`]' own lines. What it
    /// changes is told apart for the tests' sake.
    pub(super) async fn run(&mut self, line: &str, changes: bool) -> Result<Output, Fault> {
        #[cfg(not(test))]
        let _ = changes;
        let limit = self.deadline.within(self.limit);
        let (command, askpass, how) = match &mut self.place {
            Place::Here { virsh, uri } => {
                let mut command = Command::new(&*virsh);
                command.args(["-q", "-c", uri, line]);
                (command, None, "virsh")
            }
            Place::There { ssh, arguments, prefix } => {
                let mut command = Command::new(&*ssh);
                command.args(&*arguments).arg(format!("{prefix}{}", quoted(line)));
                let askpass = self.password.as_ref().map(Askpass::start).transpose();
                let askpass = askpass.map_err(|error| {
                    Fault::unsupported("ssh", format!("no socket: {error}"), "use identity_file")
                })?;
                (command, askpass, "ssh virsh")
            }
            #[cfg(test)]
            Place::Mock(http) => return super::tests::run(http, line, changes).await,
        };
        let mut command = command;
        command.env("LC_ALL", "C").env_remove("SSH_AUTH_SOCK").env_remove("DISPLAY");
        if let (Some(askpass), Ok(program)) = (&askpass, std::env::current_exe()) {
            command
                .env("SSH_ASKPASS", program)
                .env("SSH_ASKPASS_REQUIRE", "force")
                .env(VARIABLE, &askpass.name);
        }
        let started = tokio::time::Instant::now();
        let result = child::run(command, limit, &format!("{how} {line}")).await;
        let words = match &result {
            Ok(Output { exit: Some(exit), .. }) => format!("exit {exit}"),
            Ok(_) => "a signal".to_owned(),
            Err(fault) => fault.kind().to_owned(),
        };
        self.calls.note_command(how, line, words, started.elapsed());
        result
    }
}

/// A connection that may only read cannot fence.
fn writable(uri: &str) -> Result<&str, Failure> {
    match uri.contains("-sock-ro") || uri.contains("mode=ro") {
        true => Err(Settings::wrong(&URI, "must not be a read-only socket: nothing could be switched off")),
        false => Ok(uri),
    }
}

/// A word for the remote shell.
fn quoted(word: &str) -> String {
    format!("'{}'", word.replace('\'', r"'\''"))
}

/// What is of use without a terminal of `ssh_options`, which held a whole shell command upstream.
fn own_options(text: &str) -> Vec<String> {
    let mut words = text.split_whitespace();
    let mut kept = Vec::new();
    while let Some(word) = words.next() {
        match word {
            "-o" | "-F" | "-J" | "-b" => {
                kept.push(word.to_owned());
                kept.extend(words.next().map(str::to_owned));
            }
            _ if ["-o", "-F", "-J", "-b"].iter().any(|flag| word.starts_with(flag)) => {
                kept.push(word.to_owned());
            }
            "-C" | "-4" | "-6" | "-q" => kept.push(word.to_owned()),
            _ => tracing::warn!("ssh_options: '{word}' is not used: virsh runs without a terminal"),
        }
    }
    kept
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_of_a_word_reaches_the_remote_shell_as_more_than_a_word() {
        assert_eq!(quoted("qemu:///system"), "'qemu:///system'");
        assert_eq!(quoted("a'; reboot; '"), r"'a'\''; reboot; '\'''");
    }

    #[test]
    fn of_ssh_options_the_options_are_kept() {
        let upstream = r#"-t '/bin/bash -c "PS1=\[EXPECT\]# /bin/bash --noprofile --norc"'"#;
        assert_eq!(own_options(upstream).join(" "), "");
        let own = own_options("-oProxyJump=h -o Compression=yes -t -F /etc/f -C");
        assert_eq!(own, ["-oProxyJump=h", "-o", "Compression=yes", "-F", "/etc/f", "-C"]);
    }
}
