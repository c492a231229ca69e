#!/bin/sh
# systemd comes up with nothing failed
state=$(systemctl is-system-running --wait)
systemctl --failed
[ "$state" = running ]
