#!/usr/bin/python3
"""A fence device for the hosts of one test harness, which does what is asked and answers through a socket."""

import os
import socket
import sys

SOCKET = "@SOCKET@"

METADATA = """<?xml version="1.0"?>
<resource-agent name="fence_picket_harness" shortdesc="Power switch of the Picket test harness">
  <longdesc>Switches the hosts of a test harness off and on.</longdesc>
  <parameters>
    <parameter name="action" unique="0" required="1">
      <content type="string" default="reboot"/>
      <shortdesc lang="en">What to do</shortdesc>
    </parameter>
    <parameter name="plug" unique="0" required="0">
      <content type="string"/>
      <shortdesc lang="en">Name of the host</shortdesc>
    </parameter>
  </parameters>
  <actions>
    <action name="on" automatic="0"/>
    <action name="off"/>
    <action name="reboot"/>
    <action name="status"/>
    <action name="list"/>
    <action name="monitor"/>
    <action name="metadata"/>
  </actions>
</resource-agent>
"""


def options():
    """Options come as -o/-n on the command line or as key=value lines on standard input."""
    given = {}
    arguments = sys.argv[1:]
    names = {"-o": "action", "--action": "action", "-n": "plug", "--plug": "plug"}
    while arguments:
        name, _, value = arguments.pop(0).partition("=")
        if name in names:
            given[names[name]] = value or (arguments.pop(0) if arguments else "")
    if not given:
        for line in sys.stdin:
            name, equals, value = line.strip().partition("=")
            if equals:
                given[name] = value
    return given


def ask(action, plug):
    with socket.socket(socket.AF_UNIX) as harness:
        harness.connect(SOCKET)
        harness.sendall(f"{os.uname().nodename} {action} {plug}\n".encode())
        with harness.makefile() as answers:
            return answers.read().strip()


def main():
    given = options()
    action = given.get("action", "reboot")
    if action == "metadata":
        print(METADATA, end="")
        return 0
    answer = ask(action, given.get("plug") or given.get("port") or "-")
    word, _, rest = answer.partition(" ")
    if word == "error" or not word:
        print(f"{action} of {given.get('plug')}: {rest or 'the harness hung up'}", file=sys.stderr)
        return 1
    if action == "status":
        print(f"Status: {rest}")
        return 0 if rest == "on" else 2
    if action == "list":
        print("\n".join(f"{name}," for name in rest.split()))
    return 0


sys.exit(main())
