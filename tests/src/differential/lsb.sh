#!/bin/sh
# An init script whose exit code for an action is the content of a file.
sleep 0.02      # so that every real run takes measurable time
code=/run/picket-test/lsb.$1
printf 'lsb %s of %s arguments, OCF_ROOT %s\n' "$1" $# "${OCF_ROOT:-unset}"
[ -e "$code" ] && exit "$(cat "$code")"
exit 0
