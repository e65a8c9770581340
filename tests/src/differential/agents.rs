//! The resource agents of the sequences, put where both agents look for them.

use anyhow::Result;

use crate::host::Host;

/// Where the agents of sequences leave files, on the host.
pub(crate) const FOLDER: &str = "/run/picket-test";

const PROVIDER: &str = "/usr/lib/ocf/resource.d/picket-test";

/// Makes the host's own view of the agents' folder, and fills it.
///
/// Overlays on tmpfs: the machine's folders stay as they are, and the host forgets it all when it goes down.
pub(crate) fn install(host: &Host) -> Result<()> {
    host.check(&["sh", "-c", OVERLAY])?;
    host.write(&format!("{PROVIDER}/Script"), include_str!("script.sh"))?;
    host.write(&format!("{PROVIDER}/NotExecutable"), "exit 0\n")?;
    host.write(&format!("{PROVIDER}/NoInterpreter"), "#!/no/such/interpreter\nexit 0\n")?;
    host.write(&format!("{PROVIDER}/NoShebang"), "sleep 0.02\nexit 0\n")?;
    host.check(&["chmod", "755", &format!("{PROVIDER}/NoShebang")])?;
    host.check(&["mkdir", &format!("{PROVIDER}/Folder")])?;
    host.write("/etc/init.d/picket-lsb", include_str!("lsb.sh"))?;
    host.write("/etc/init.d/picket-not-executable", "exit 0\n")?;
    clean(host)
}

/// Removes what an earlier sequence left.
pub(crate) fn clean(host: &Host) -> Result<()> {
    let script = format!("rm -rf {FOLDER} && mkdir -m 1777 {FOLDER}");
    host.check(&["sh", "-c", &script]).map(drop)
}

const OVERLAY: &str = "
set -eu
cover() {
    mkdir -p /run/picket-cover/$1/upper /run/picket-cover/$1/work
    mount -t overlay -o lowerdir=$2,upperdir=/run/picket-cover/$1/upper,workdir=/run/picket-cover/$1/work overlay $2
}
cover lib /usr/lib/ocf
";
