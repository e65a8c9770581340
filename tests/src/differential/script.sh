#!/bin/sh
# A resource agent that does what its parameter `do` says, and otherwise behaves as a well-kept dummy.
sleep 0.02      # so that every real run takes measurable time
folder=/run/picket-test
state=$folder/$OCF_RESOURCE_INSTANCE.state
printf '%s\n' "$1" >>"$folder/$OCF_RESOURCE_INSTANCE.runs"

eval "${OCF_RESKEY_do:-:}"

case $1 in
    start | promote | demote | migrate_from | reload) : >"$state" ;;
    stop | migrate_to) rm -f "$state" ;;
    monitor | status) [ -e "$state" ] || exit 7 ;;
    notify | validate-all | reload-agent) ;;
    meta-data) printf '<resource-agent name="Script"/>\n' ;;
    *) exit 3 ;;
esac
exit 0
