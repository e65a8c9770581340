# Makes a host one that can run LXC containers, and becomes its libvirtd: node.sh GROUP
#
# LXC and libvirt look into /sys for bridges and into control groups for everything else. Both are the machine's in a
# new mount namespace, so the host gets a /sys of its own network, and a namespace of control groups below GROUP.
set -eu
group=$1 cgroup=/sys/fs/cgroup

mkdir -p /run/machine-cgroup
mount --rbind "$cgroup" /run/machine-cgroup
mount -t sysfs sysfs /sys
mount --rbind /run/machine-cgroup "$cgroup"
umount -l /run/machine-cgroup

# What is to be mounted anew once we are in the group: its place, type and options.
mounts=
if [ "$(stat -f -c %T "$cgroup")" = cgroup2fs ]; then
    mkdir -p "$cgroup/$group"
    echo $$ >"$cgroup/$group/cgroup.procs"
    mounts="$cgroup cgroup2 rw"
else
    for tree in "$cgroup"/*; do
        [ ! -L "$tree" ] && mountpoint -q "$tree" || continue
        case $tree in */unified) # libvirt cannot use version 2 where it has no controllers
            umount "$tree"
            continue ;;
        esac
        mkdir -p "$tree/$group"
        if [ -f "$tree/cpuset.mems" ]; then # nothing can run in a group without them
            cat "$tree/cpuset.cpus" >"$tree/$group/cpuset.cpus"
            cat "$tree/cpuset.mems" >"$tree/$group/cpuset.mems"
        fi
        echo $$ >"$tree/$group/cgroup.procs"
        mounts="$mounts $tree cgroup $(findmnt -n -o FS-OPTIONS "$tree" | tail -n 1)"
    done
fi

ip link add lxcbr0 type bridge
ip addr add 10.78.0.1/24 dev lxcbr0
ip link set lxcbr0 up

# Only this driver: another one that cannot start would take the daemon with it.
mkdir -p /run/libvirt-drivers
for driver in /usr/lib/*/libvirt/connection-driver/libvirt_driver_lxc.so; do
    ln -sf "$driver" /run/libvirt-drivers
done
export LIBVIRT_DRIVER_DIR=/run/libvirt-drivers
# shellcheck disable=SC2016,SC2086 # the inner shell expands it; the list is meant to be split
exec unshare --cgroup sh -euc '
    while [ $# -gt 0 ]; do
        umount "$1"
        mount -t "$2" -o "$3" cgroup "$1"
        shift 3
    done
    exec libvirtd -f /etc/libvirt/libvirtd.conf
' libvirtd $mounts
