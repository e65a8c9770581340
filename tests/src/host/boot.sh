# The init of a host, run by bash as PID 1 of its namespaces: boot.sh NAME FOLDER
#
# FOLDER/disk holds what survives a crash and must not be the machine's; FOLDER/changes what programs change
# elsewhere under /etc, /var and /usr/sbin.
set -eu
read -r outer _ </proc/self/stat    # /proc is still the machine's, so this is our pid there
name=$1 folder=$2

mount -t proc proc /proc
hostname "$name"

for tree in etc var usr/sbin; do
    changes=$folder/changes/$tree
    mkdir -p "$changes/upper" "$changes/work"
    mount -t overlay -o "lowerdir=/$tree,upperdir=$changes/upper,workdir=$changes/work" overlay "/$tree"
done
for directory in etc/pacemaker etc/corosync var/lib/pacemaker var/lib/corosync var/log; do
    mkdir -p "/$directory" "$folder/disk/$directory"
    mount --bind "$folder/disk/$directory" "/$directory"
done
mount -t tmpfs -o mode=0755 tmpfs /run
mount -t tmpfs -o mode=1777 tmpfs /dev/shm

mkdir -p /run/crm /run/lock /run/resource-agents /var/log/pacemaker /var/log/corosync /var/log/nginx
mkdir -p /var/lib/pacemaker/blackbox /var/lib/pacemaker/cib /var/lib/pacemaker/cores /var/lib/pacemaker/pengine
if getent passwd hacluster >/dev/null; then
    chown hacluster:haclient /run/crm /var/log/pacemaker
    chown -R hacluster:haclient /var/lib/pacemaker/*
    chown -R root:haclient /etc/pacemaker
fi
chmod 0750 /etc/pacemaker /run/crm

printf 'ready %s\n' "$outer"
exec >/dev/null
# bash reaps orphans meanwhile. The end of input is the end of the harness, and so of this host.
while read -r _; do :; done
