//! The options which agents share, with the names, defaults and order that callers know from the existing agents
//! (fence-contract, section 6), and those we add at order 210 and above.

use super::option::{Kind, Opt};

/// What to do.
pub const ACTION: Opt =
    Opt::text("action", "action", "[action]", "Fencing action").short('o').default("reboot").required();

/// What to do, in the word of the oldest agents.
pub const OPTION: Opt = Opt::text("option", "option", "", "The same as action").deprecated();

/// Nothing on stderr.
pub const QUIET: Opt =
    Opt::flag("quiet", "quiet", "Nothing on stderr; syslog and the debug file still get it")
        .short('q')
        .order(50);

/// More on stderr; counted on the command line.
pub const VERBOSE: Opt =
    Opt::flag("verbose", "verbose", "Report each call to the device; may be repeated").short('v').order(51);

/// The count of `verbose` as a number.
pub const VERBOSE_LEVEL: Opt = Opt {
    value: None,
    ..Opt::integer(
        "verbose_level",
        "verbose-level",
        "",
        "Level of detail; by default the number of --verbose, or 1 for verbose=1 on stdin",
    )
    .order(52)
};

/// A file which gets everything.
pub const DEBUG_FILE: Opt = Opt::text(
    "debug_file",
    "debug-file",
    "[debugfile]",
    "Append all messages to this file (created with mode 0600)",
)
.short('D')
.old("debug")
.order(53);

/// Prints the version.
pub const VERSION: Opt = Opt::flag("version", "version", "Print the version and exit").short('V').order(54);

/// Prints the help.
pub const HELP: Opt = Opt::flag("help", "help", "Print this help and exit").short('h').order(55);

/// The count of `verbose` under the name of older agents.
pub const DEBUG: Opt = Opt {
    kind: Kind::Level,
    ..Opt::flag(
        "debug",
        "debug",
        "Report each call to the device; a level on stdin, repeated on the command line",
    )
};

/// Between several plugs in `plug`.
pub const PLUG_SEPARATOR: Opt = Opt::text(
    "plug_separator",
    "plug-separator",
    "[char]",
    "Separator where plug names more than one machine",
)
.default(",")
.order(100);

/// Between the fields of `list`.
pub const SEPARATOR: Opt =
    Opt::text("separator", "separator", "[char]", "Separator of the fields that list prints")
        .short('C')
        .default(",")
        .order(100);

/// Wait before fencing.
pub const DELAY: Opt =
    Opt::seconds("delay", "delay", "Wait this long before the device is contacted to fence")
        .default("0")
        .order(200);

/// The one limit of older agents; `power_timeout` comes before it.
pub const TIMEOUT: Opt =
    Opt::seconds("timeout", "timeout", "Limit for a power change to show, and for an answer of the device")
        .default("30");

/// No limit for a power change.
pub const DISABLE_TIMEOUT: Opt = Opt::text(
    "disable_timeout",
    "disable-timeout",
    "[true/false]",
    "Lift the limits of one power change (default: true when run by Pacemaker); deadline still holds",
)
.order(200);

/// Limit of connecting and logging in.
pub const LOGIN_TIMEOUT: Opt =
    Opt::seconds("login_timeout", "login-timeout", "Limit for connecting to the device")
        .default("5")
        .order(200);

/// The device itself is the plug.
pub const PORT_AS_IP: Opt =
    Opt::flag("port_as_ip", "port-as-ip", "Take the address of the device from plug").order(200);

/// Limit of one power change.
pub const POWER_TIMEOUT: Opt =
    Opt::seconds("power_timeout", "power-timeout", "Limit for a power change to show")
        .default("20")
        .order(200);

/// Pause after a power request.
pub const POWER_WAIT: Opt =
    Opt::seconds("power_wait", "power-wait", "Wait this long after each power request")
        .default("0")
        .order(200);

/// Limit of one request.
pub const SHELL_TIMEOUT: Opt =
    Opt::seconds("shell_timeout", "shell-timeout", "Limit for one answer of the device")
        .default("3")
        .order(200);

/// Pause between two looks at the state.
pub const STATUS_SLEEP: Opt = Opt::seconds(
    "stonith_status_sleep",
    "stonith-status-sleep",
    "Wait this long between two looks at the power state",
)
.default("1")
.order(200);

/// Object unknown to the API means off.
pub const MISSING_AS_OFF: Opt =
    Opt::flag("missing_as_off", "missing-as-off", "Take a machine which the device does not know as off")
        .order(200);

/// How often power-on is tried again.
pub const RETRY_ON: Opt =
    Opt::integer("retry_on", "retry-on", "[attempts]", "How often to try again to power on")
        .default("1")
        .order(201);

/// Accepted for old configurations; TLS is built in.
pub const GNUTLSCLI_PATH: Opt =
    Opt::text("gnutlscli_path", "gnutlscli-path", "[path]", "Accepted and not used")
        .default("/usr/bin/gnutls-cli")
        .order(300);

/// Address of the device.
pub const IP: Opt = Opt::text("ip", "ip", "[ip]", "IP address or host name of the device")
    .short('a')
    .old("ipaddr")
    .required();

/// TCP port of the device.
pub const IPPORT: Opt =
    Opt::integer("ipport", "ipport", "[port]", "TCP port of the device").short('u').default("80");

/// Login name.
pub const USERNAME: Opt =
    Opt::text("username", "username", "[name]", "Login name").short('l').old("login").required();

/// Password, or `@/path` of a file with it.
pub const PASSWORD: Opt = Opt::text(
    "password",
    "password",
    "[password]",
    "Password, or @ and the path of a file whose first line is the password",
)
.short('p')
.old("passwd")
.secret();

/// A program which prints the password.
pub const PASSWORD_SCRIPT: Opt = Opt::text(
    "password_script",
    "password-script",
    "[script]",
    "Program whose first line of output is the password",
)
.short('S')
.old("passwd_script");

/// Name and secrets from a file.
pub const CREDENTIALS_FILE: Opt = Opt::text(
    "credentials_file",
    "credentials-file",
    "[path]",
    "File, readable for its owner alone, with lines username=... and password=... (or another secret option)",
)
.order(210);

/// The machine.
pub const PLUG: Opt =
    Opt::text("plug", "plug", "[id]", "Name or id of the machine").short('n').old("port").required();

/// TLS.
pub const SSL: Opt = Opt::flag("ssl", "ssl", "Use TLS and verify the certificate").short('z');

/// TLS, verified.
pub const SSL_SECURE: Opt = Opt::flag("ssl_secure", "ssl-secure", "Use TLS and verify the certificate");

/// TLS, not verified.
pub const SSL_INSECURE: Opt =
    Opt::flag("ssl_insecure", "ssl-insecure", "Use TLS without verifying the certificate");

/// Power off and on, or reset.
pub const METHOD: Opt = Opt::select("method", "method", "[method]", &["onoff", "cycle"], "Method to fence")
    .short('m')
    .default("onoff");

/// Certificates to trust besides the system's.
pub const CA_FILE: Opt =
    Opt::text("ca_file", "ca-file", "[path]", "PEM file of certificate authorities to trust as well")
        .order(210);

/// Client certificate.
pub const CLIENT_CERT: Opt =
    Opt::text("client_cert", "client-cert", "[path]", "PEM file of the client certificate chain").order(210);

/// Key of the client certificate.
pub const CLIENT_KEY: Opt =
    Opt::text("client_key", "client-key", "[path]", "PEM file of the client certificate's key").order(210);

/// The one certificate to accept.
pub const TLS_PIN: Opt = Opt::text(
    "tls_pin",
    "tls-pin",
    "[sha256:hex]",
    "Accept exactly the certificate with this SHA-256 fingerprint, whoever signed it",
)
.order(210);

/// HTTP proxy.
pub const PROXY: Opt =
    Opt::text("proxy", "proxy", "[url]", "HTTP proxy (default: https_proxy and no_proxy of the environment)")
        .order(211);

/// Limit of one TCP and TLS connection attempt.
pub const CONNECT_TIMEOUT: Opt =
    Opt::seconds("connect_timeout", "connect-timeout", "Limit for one connection attempt (default: 5)")
        .order(212);

/// Limit of one request.
pub const REQUEST_TIMEOUT: Opt =
    Opt::seconds("request_timeout", "request-timeout", "Limit for one request (default: 10)").order(212);

/// Limit of the whole run.
pub const DEADLINE: Opt =
    Opt::seconds("deadline", "deadline", "Limit for the whole run, delay included").order(213);

/// Text or JSON.
pub const OUTPUT: Opt =
    Opt::select("output", "output", "[format]", &["text", "json"], "Format of the result")
        .default("text")
        .order(214);

/// Every agent has these.
pub const ALWAYS: &[Opt] = &[
    ACTION,
    QUIET,
    VERBOSE,
    VERBOSE_LEVEL,
    DEBUG_FILE,
    VERSION,
    HELP,
    PLUG_SEPARATOR,
    DELAY,
    DISABLE_TIMEOUT,
    LOGIN_TIMEOUT,
    POWER_TIMEOUT,
    POWER_WAIT,
    SHELL_TIMEOUT,
    STATUS_SLEEP,
    RETRY_ON,
    DEADLINE,
    OUTPUT,
];

/// Agents that log in with a name and a password.
pub const LOGIN: &[Opt] = &[USERNAME, PASSWORD, PASSWORD_SCRIPT, CREDENTIALS_FILE];

/// Agents that speak HTTP; `ipport` and `ssl` carry each agent's own default.
pub const HTTP: &[Opt] = &[
    IP,
    IPPORT,
    SSL,
    SSL_SECURE,
    SSL_INSECURE,
    GNUTLSCLI_PATH,
    CA_FILE,
    CLIENT_CERT,
    CLIENT_KEY,
    TLS_PIN,
    PROXY,
    CONNECT_TIMEOUT,
    REQUEST_TIMEOUT,
];

/// Agents with several machines behind one device.
pub const PLUGS: &[Opt] = &[PLUG, SEPARATOR];
