# Makes a host one whose virtual machines are in its own network, and becomes its libvirtd: hypervisor.sh ADDRESS
set -eu

# libvirt looks here for the network's devices, and what is here is the machine's.
mount -t sysfs sysfs /sys

# The bridge takes the card's place.
ip -batch - <<BATCH
link add br0 type bridge stp_state 0 forward_delay 0
addr flush dev eth0
link set eth0 master br0
addr add $1/24 dev br0
link set br0 up
BATCH

cat >/etc/libvirt/libvirtd.conf <<CONF
auth_unix_rw = "none"
listen_tls = 0
listen_tcp = 1
listen_addr = "$1"
auth_tcp = "none"
CONF
# Nothing that the machine would have to offer: no control groups, no name spaces, no other daemon.
cat >/etc/libvirt/qemu.conf <<CONF
security_driver = "none"
user = "root"
group = "root"
dynamic_ownership = 0
remember_owner = 0
cgroup_controllers = []
namespaces = []
stdio_handler = "file"
CONF

# libvirt looks for its usual user, whatever the settings say.
getent group libvirt-qemu >/dev/null || echo 'libvirt-qemu:x:64055:' >>/etc/group
getent passwd libvirt-qemu >/dev/null || echo 'libvirt-qemu:x:64055:64055::/:/bin/false' >>/etc/passwd

# Only this driver: another one that cannot start would take the daemon with it.
mkdir -p /run/libvirt-drivers
for driver in /usr/lib/*/libvirt/connection-driver/libvirt_driver_qemu.so; do
    ln -sf "$driver" /run/libvirt-drivers
done
LIBVIRT_DRIVER_DIR=/run/libvirt-drivers exec libvirtd --listen -f /etc/libvirt/libvirtd.conf
