//! `run_opts`: options of `docker run`, as a table. What the table does not know is refused by name, never passed on
//! unread.

use std::collections::HashMap;

use bollard::models::{
    ContainerCreateBody, DeviceMapping, HostConfig, HostConfigLogConfig, PortBinding, ResourcesUlimits,
};

/// What the options come to.
#[derive(Clone, Debug, Default, PartialEq)]
pub(super) struct RunOptions {
    pub(super) body: ContainerCreateBody,
    pub(super) host: HostConfig,
}

/// One option: its short name, its long name, and what it does.
struct Opt(Option<char>, &'static str, Effect);

enum Effect {
    /// Takes no value.
    Flag(fn(&mut RunOptions)),
    /// Takes a value; `None` where it cannot be used.
    Value(fn(&mut RunOptions, &str) -> Option<()>),
    /// Not for the administrator to say; why.
    Refused(&'static str),
}
use Effect::{Flag, Refused, Value};

const OPTIONS: [Opt; 47] = [
    Opt(None, "add-host", Value(|o, v| push(&mut o.host.extra_hosts, v))),
    Opt(None, "cap-add", Value(|o, v| push(&mut o.host.cap_add, v))),
    Opt(None, "cap-drop", Value(|o, v| push(&mut o.host.cap_drop, v))),
    Opt(None, "cgroup-parent", Value(|o, v| set(&mut o.host.cgroup_parent, v))),
    Opt(None, "cpu-shares", Value(|o, v| number(&mut o.host.cpu_shares, v))),
    Opt(None, "cpus", Value(|o, v| nano_cpus(&mut o.host.nano_cpus, v))),
    Opt(None, "cpuset-cpus", Value(|o, v| set(&mut o.host.cpuset_cpus, v))),
    Opt(Some('d'), "detach", Flag(|_| ())),
    Opt(None, "device", Value(|o, v| device(&mut o.host.devices, v))),
    Opt(None, "dns", Value(|o, v| push(&mut o.host.dns, v))),
    Opt(None, "dns-search", Value(|o, v| push(&mut o.host.dns_search, v))),
    Opt(None, "domainname", Value(|o, v| set(&mut o.body.domainname, v))),
    Opt(None, "entrypoint", Value(|o, v| push(&mut o.body.entrypoint, v))),
    Opt(Some('e'), "env", Value(|o, v| assignment(v).and_then(|_| push(&mut o.body.env, v)))),
    Opt(None, "group-add", Value(|o, v| push(&mut o.host.group_add, v))),
    Opt(Some('h'), "hostname", Value(|o, v| set(&mut o.body.hostname, v))),
    Opt(None, "init", Flag(|o| o.host.init = Some(true))),
    Opt(Some('i'), "interactive", Flag(|o| o.body.open_stdin = Some(true))),
    Opt(None, "ipc", Value(|o, v| set(&mut o.host.ipc_mode, v))),
    Opt(Some('l'), "label", Value(|o, v| pair(&mut o.body.labels, v, '='))),
    Opt(None, "log-driver", Value(|o, v| set(&mut log(o).typ, v))),
    Opt(None, "log-opt", Value(|o, v| pair(&mut log(o).config, v, '='))),
    Opt(Some('m'), "memory", Value(|o, v| bytes(&mut o.host.memory, v))),
    Opt(None, "memory-swap", Value(|o, v| bytes(&mut o.host.memory_swap, v))),
    Opt(None, "name", Refused("the parameter name says it")),
    Opt(None, "net", Value(|o, v| set(&mut o.host.network_mode, v))),
    Opt(None, "network", Value(|o, v| set(&mut o.host.network_mode, v))),
    Opt(None, "oom-score-adj", Value(|o, v| number(&mut o.host.oom_score_adj, v))),
    Opt(None, "pid", Value(|o, v| set(&mut o.host.pid_mode, v))),
    Opt(None, "pids-limit", Value(|o, v| number(&mut o.host.pids_limit, v))),
    Opt(None, "privileged", Flag(|o| o.host.privileged = Some(true))),
    Opt(Some('p'), "publish", Value(port)),
    Opt(None, "read-only", Flag(|o| o.host.readonly_rootfs = Some(true))),
    Opt(None, "restart", Value(|_, v| (v == "no").then_some(()))),
    Opt(None, "rm", Refused("the agent removes the container, unless reuse is set")),
    Opt(None, "runtime", Value(|o, v| set(&mut o.host.runtime, v))),
    Opt(None, "security-opt", Value(|o, v| push(&mut o.host.security_opt, v))),
    Opt(None, "shm-size", Value(|o, v| bytes(&mut o.host.shm_size, v))),
    Opt(None, "stop-signal", Value(|o, v| set(&mut o.body.stop_signal, v))),
    Opt(None, "sysctl", Value(|o, v| pair(&mut o.host.sysctls, v, '='))),
    Opt(None, "tmpfs", Value(|o, v| tmpfs(&mut o.host.tmpfs, v))),
    Opt(Some('t'), "tty", Flag(|o| o.body.tty = Some(true))),
    Opt(None, "ulimit", Value(|o, v| ulimit(&mut o.host.ulimits, v))),
    Opt(Some('u'), "user", Value(|o, v| set(&mut o.body.user, v))),
    Opt(None, "userns", Value(|o, v| set(&mut o.host.userns_mode, v))),
    Opt(Some('v'), "volume", Value(|o, v| v.contains(':').then(|| push(&mut o.host.binds, v))?)),
    Opt(Some('w'), "workdir", Value(|o, v| set(&mut o.body.working_dir, v))),
];

impl RunOptions {
    /// Reads the words.
    ///
    /// # Errors
    /// Every option that cannot be used, in words.
    pub(super) fn parse(words: &[String]) -> Result<Self, Vec<String>> {
        let (mut options, mut faults) = (Self::default(), Vec::new());
        let mut words = words.iter().map(String::as_str);
        while let Some(word) = words.next() {
            if let Err(fault) = options.apply(word, &mut words) {
                faults.push(format!("run_opts: {fault}"));
            }
        }
        if faults.is_empty() { Ok(options) } else { Err(faults) }
    }

    fn apply<'a>(&mut self, word: &'a str, rest: &mut impl Iterator<Item = &'a str>) -> Result<(), String> {
        let (option, attached) = find(word).ok_or_else(|| format!("{word} is not an option known here"))?;
        match option.2 {
            Refused(why) => Err(format!("{word} cannot be used: {why}")),
            Flag(act) => match attached {
                None | Some("true") => {
                    act(self);
                    Ok(())
                }
                Some(_) => Err(format!("{word}: --{} takes no value", option.1)),
            },
            Value(act) => {
                let value =
                    attached.or_else(|| rest.next()).ok_or_else(|| format!("{word} needs a value"))?;
                act(self, value).ok_or_else(|| format!("--{} cannot be \"{value}\"", option.1))
            }
        }
    }
}

/// The option, and a value that is attached to it: `--env=A=b`, `-eA=b`.
fn find(word: &str) -> Option<(&'static Opt, Option<&str>)> {
    if let Some(long) = word.strip_prefix("--") {
        let (name, value) = long.split_once('=').map_or((long, None), |(name, value)| (name, Some(value)));
        return OPTIONS.iter().find(|option| option.1 == name).map(|option| (option, value));
    }
    let mut letters = word.strip_prefix('-')?.chars();
    let short = letters.next()?;
    let rest = letters.as_str();
    let value = (!rest.is_empty()).then(|| rest.strip_prefix('=').unwrap_or(rest));
    OPTIONS.iter().find(|option| option.0 == Some(short)).map(|option| (option, value))
}

fn set(place: &mut Option<String>, value: &str) -> Option<()> {
    *place = Some(value.to_owned());
    Some(())
}

fn push(place: &mut Option<Vec<String>>, value: &str) -> Option<()> {
    place.get_or_insert_default().push(value.to_owned());
    Some(())
}

fn number(place: &mut Option<i64>, value: &str) -> Option<()> {
    *place = Some(value.parse().ok()?);
    Some(())
}

fn assignment(value: &str) -> Option<(&str, &str)> {
    value.split_once('=').filter(|(name, _)| !name.is_empty())
}

fn pair(place: &mut Option<HashMap<String, String>>, value: &str, between: char) -> Option<()> {
    let (name, value) = value.split_once(between).filter(|(name, _)| !name.is_empty())?;
    place.get_or_insert_default().insert(name.to_owned(), value.to_owned());
    Some(())
}

/// `/path` or `/path:options`
fn tmpfs(place: &mut Option<HashMap<String, String>>, value: &str) -> Option<()> {
    let (path, options) = value.split_once(':').unwrap_or((value, ""));
    path.starts_with('/')
        .then(|| place.get_or_insert_default().insert(path.to_owned(), options.to_owned()))?;
    Some(())
}

/// `512m`
fn bytes(place: &mut Option<i64>, value: &str) -> Option<()> {
    let lower = value.to_ascii_lowercase();
    let text = lower.trim_end_matches('b');
    let digits = text.trim_end_matches(['k', 'm', 'g', 't']);
    let unit = match &text[digits.len()..] {
        "" => 1,
        "k" => 1 << 10,
        "m" => 1 << 20,
        "g" => 1 << 30,
        "t" => 1_i64 << 40,
        _ => return None,
    };
    *place = Some(digits.parse::<i64>().ok()?.checked_mul(unit)?);
    Some(())
}

/// `1.5`
fn nano_cpus(place: &mut Option<i64>, value: &str) -> Option<()> {
    let (whole, part) = value.split_once('.').unwrap_or((value, ""));
    let plain = part.len() <= 9 && part.bytes().all(|byte| byte.is_ascii_digit());
    let part = plain.then(|| format!("{part:0<9}"))?;
    let whole = whole.parse::<u32>().ok()?;
    *place = Some(i64::from(whole) * 1_000_000_000 + part.parse::<i64>().ok()?);
    Some(())
}

/// `/dev/sda:/dev/xvda:rwm`
fn device(place: &mut Option<Vec<DeviceMapping>>, value: &str) -> Option<()> {
    let mut parts = value.split(':');
    let outside = parts.next().filter(|path| path.starts_with('/'))?;
    let inside = parts.next().unwrap_or(outside);
    let mapping = DeviceMapping {
        path_on_host: Some(outside.to_owned()),
        path_in_container: Some(inside.to_owned()),
        cgroup_permissions: Some(parts.next().unwrap_or("rwm").to_owned()),
    };
    place.get_or_insert_default().push(mapping);
    parts.next().is_none().then_some(())
}

/// `nofile=1000:2000`
fn ulimit(place: &mut Option<Vec<ResourcesUlimits>>, value: &str) -> Option<()> {
    let (name, limits) = assignment(value)?;
    let (soft, hard) = limits.split_once(':').unwrap_or((limits, limits));
    let limit = ResourcesUlimits {
        name: Some(name.to_owned()),
        soft: Some(soft.parse().ok()?),
        hard: Some(hard.parse().ok()?),
    };
    place.get_or_insert_default().push(limit);
    Some(())
}

fn log(options: &mut RunOptions) -> &mut HostConfigLogConfig {
    options.host.log_config.get_or_insert_default()
}

/// `[ip:][port:]port[/protocol]`
fn port(options: &mut RunOptions, value: &str) -> Option<()> {
    let (value, protocol) = value.split_once('/').unwrap_or((value, "tcp"));
    let is_port = |text: &str| text.parse::<u16>().is_ok_and(|port| port != 0);
    let (outside, inside) = value.rsplit_once(':').unwrap_or(("", value));
    let (address, outside) = outside.rsplit_once(':').unwrap_or(("", outside));
    let known = matches!(protocol, "tcp" | "udp" | "sctp");
    if !known || !is_port(inside) || !(outside.is_empty() || is_port(outside)) {
        return None;
    }
    let inside = format!("{inside}/{protocol}");
    let text = |text: &str| (!text.is_empty()).then(|| text.trim_matches(['[', ']']).to_owned());
    let binding = PortBinding { host_ip: text(address), host_port: text(outside) };
    options.body.exposed_ports.get_or_insert_default().push(inside.clone());
    let bindings = options.host.port_bindings.get_or_insert_default().entry(inside).or_default();
    bindings.get_or_insert_default().push(binding);
    Some(())
}

#[cfg(test)]
mod tests {
    use super::super::super::words;
    use super::*;

    fn parse(text: &str) -> Result<RunOptions, Vec<String>> {
        RunOptions::parse(&words::split(text).unwrap())
    }

    #[test]
    fn options_are_found_in_every_spelling() {
        let expected = parse("--env A=b").unwrap();
        for text in ["--env=A=b", "-e A=b", "-eA=b", "-d -e=A=b"] {
            assert_eq!(parse(text).unwrap(), expected, "{text}");
        }
        assert_eq!(expected.body.env, Some(vec!["A=b".to_owned()]));
    }

    #[test]
    fn what_pacemaker_writes_for_a_bundle_is_understood() {
        let text = " --restart=no -h web-0 -e PCMK_stderr=1 --net=host -e PCMK_remote_port=3121 \
            -v /etc/pacemaker/authkey:/etc/pacemaker/authkey -v /var/log/pacemaker/bundles/web-0:/var/log \
            -p 10.0.0.1:80:8080 --add-host=web-0:10.0.0.1";
        let RunOptions { body, host } = parse(text).unwrap();
        assert_eq!((body.hostname.as_deref(), body.env.unwrap().len()), (Some("web-0"), 2));
        assert_eq!((host.network_mode.as_deref(), host.binds.unwrap().len()), (Some("host"), 2));
        let binding = &host.port_bindings.unwrap()["8080/tcp"].clone().unwrap()[0];
        assert_eq!(
            (binding.host_ip.as_deref(), binding.host_port.as_deref()),
            (Some("10.0.0.1"), Some("80"))
        );
    }

    #[test]
    fn sizes_and_shares_are_numbers_for_the_engine() {
        let host =
            parse("-m 512m --cpus 1.5 --shm-size=2G --ulimit nofile=10:20 --pids-limit 7").unwrap().host;
        assert_eq!((host.memory, host.nano_cpus), (Some(512 << 20), Some(1_500_000_000)));
        assert_eq!((host.shm_size, host.pids_limit), (Some(2 << 30), Some(7)));
        assert_eq!(host.ulimits.unwrap()[0].hard, Some(20));
    }

    #[test]
    fn what_is_not_known_is_refused_by_name_and_all_at_once() {
        let text = "--rm --gpus all -p 99999:1 -p 1-3 --restart always --init=false -m 1x -e =b -v data";
        let faults = parse(text).unwrap_err();
        assert_eq!(faults.len(), 10, "{faults:#?}");
        assert!(faults[1].contains("--gpus is not an option known here"), "{}", faults[1]);
        assert!(parse("--env").unwrap_err()[0].contains("needs a value"));
    }
}
