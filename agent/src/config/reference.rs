//! The settings in words, for the manual page. A test keeps the table complete.

/// A variable, what it is when unset, and what it means.
#[derive(Clone, Copy, Debug)]
pub struct Setting {
    /// The variable.
    pub name: &'static str,
    /// What is used when it is unset or empty.
    pub default: &'static str,
    /// Its meaning.
    pub about: &'static str,
}

const fn setting(name: &'static str, default: &'static str, about: &'static str) -> Setting {
    Setting { name, default, about }
}

/// Every variable that the agent reads for itself.
pub const SETTINGS: &[Setting] = &[
    setting(
        "PCMK_authkey_location",
        "/etc/pacemaker/authkey",
        "File with the key that the cluster's nodes have.",
    ),
    setting(
        "PCMK_ca_file",
        "unset",
        "Certificate authority of the clients. With PCMK_cert_file and PCMK_key_file it replaces the key by certificates.",
    ),
    setting("PCMK_cert_file", "unset", "Our certificate."),
    setting("PCMK_crl_file", "unset", "Certificates that were revoked."),
    setting(
        "PCMK_debug",
        "no",
        "Debug messages: a boolean, or a list of daemons with pacemaker-remoted in it.",
    ),
    setting(
        "PCMK_ipc_buffer",
        "131072",
        "Bytes of the buffer for messages of local cluster tools. Tools of Pacemaker up to 3.0.0 get what does not fit \
         compressed, which takes time, or not at all where it does not fit even so.",
    ),
    setting(
        "PCMK_ipc_type",
        "shared-mem",
        "How messages of local cluster tools travel: shared-mem or socket.",
    ),
    setting("PCMK_key_file", "unset", "The private key for our certificate."),
    setting("PCMK_logfacility", "daemon", "Syslog facility, or none."),
    setting(
        "PCMK_logfile",
        "/var/log/pacemaker/pacemaker.log",
        "Detail log, or none. As process 1 of a container: /var/log/pcmk-init.log.",
    ),
    setting("PCMK_logfile_mode", "0660", "Mode of the detail log, octal."),
    setting("PCMK_logpriority", "notice", "Least severity that goes to syslog."),
    setting(
        "PCMK_node_start_state",
        "unset",
        "State that the cluster is to give this node when it joins: standby, online or default.",
    ),
    setting("PCMK_remote_address", "all addresses", "Address or name to listen on."),
    setting("PCMK_remote_port", "3121", "Port to listen on."),
    setting(
        "PCMK_remote_schema_directory",
        "/var/lib/pacemaker/schemas",
        "Where schemas of a newer cluster (Pacemaker 2.1.8 and later) are kept for the tools on this node.",
    ),
    setting(
        "PCMK_schema_directory",
        "/usr/share/pacemaker",
        "Where the installed tools' schemas are; without any, the cluster is not asked for newer ones.",
    ),
    setting("PCMK_stderr", "no", "Log to standard error, too."),
    setting("PICKET_key_grace", "5min", "How long a key that was replaced stays valid."),
    setting(
        "SBD_WATCHDOG_TIMEOUT",
        "unset",
        "Time after which sbd lets the watchdog fire; half of it is how long sent data may stay unacknowledged.",
    ),
];

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::SETTINGS;
    use crate::config::{Config, Overrides};

    #[test]
    fn every_documented_setting_has_an_effect() {
        let read = |env: &[(&str, &str)]| {
            let env = env.iter().map(|(name, value)| (name.into(), value.into())).collect();
            let (mut config, faults) = Config::read(&env, Overrides::default());
            config.child_env.clear();
            (config, faults)
        };
        let x509 = [("PCMK_ca_file", "/a"), ("PCMK_cert_file", "/b"), ("PCMK_key_file", "/c")];
        for setting in SETTINGS {
            let values = ["1", "none", "socket", "standby", "0600"];
            let with = |value: &'static str| {
                let others = x509.into_iter().filter(|(name, _)| *name != setting.name);
                read(&others.chain([(setting.name, value)]).collect::<Vec<_>>())
            };
            let without = with("");
            assert!(values.into_iter().any(|value| with(value) != without), "{} has none", setting.name);
        }
    }

    #[test]
    fn every_setting_is_documented() {
        let source = include_str!("mod.rs");
        let (code, _tests) = source.split_once("#[cfg(test)]").unwrap();
        let (code, _export) = code.split_once("fn child_env").unwrap();
        let names = code.split('"').filter(|text| text.starts_with("PCMK_") || text.starts_with("PICKET_"));
        let read: BTreeSet<_> = names.filter(|name| name.len() > 5 && !name.contains('{')).collect();
        assert!(read.len() > 8, "{read:?}");
        let known: BTreeSet<_> = SETTINGS.iter().map(|setting| setting.name).collect();
        assert!(read.is_subset(&known), "{:?}", read.difference(&known));
    }
}
