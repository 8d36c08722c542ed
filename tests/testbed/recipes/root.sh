#!/bin/sh
# Makes a fresh debootstrap root a node: users, sshd, and only the units a node needs.
# Arguments: the root, and the script that makes the outside world's content in it.
set -eu
root=$1 outside=$2
in_root() { chroot "$root" "$@"; }

# The outside world switches its services on itself; a node runs sshd and k3s.
in_root systemctl --quiet disable nginx docker-registry fcgiwrap.socket
# Not of a node in a namespace: consoles, timers, and mounts of the machine's own kernel file systems.
in_root systemctl --quiet mask getty.target console-getty.service systemd-logind.service \
  apt-daily.timer apt-daily-upgrade.timer dpkg-db-backup.timer e2scrub_all.timer fstrim.timer \
  e2scrub_reap.service systemd-pstore.service systemd-update-utmp.service \
  sys-kernel-debug.mount sys-kernel-tracing.mount sys-fs-fuse-connections.mount dev-hugepages.mount

cp "$outside" "$root/tmp/outside.sh"
unshare --net chroot "$root" sh /tmp/outside.sh
rm "$root/tmp/outside.sh"

for name in ops guest; do in_root useradd --create-home --shell /bin/bash "$name"; done
printf 'ops ALL=(ALL:ALL) NOPASSWD: ALL\n' >"$root/etc/sudoers.d/ops"
chmod 0440 "$root/etc/sudoers.d/ops"

rm -f "$root"/etc/ssh/ssh_host_* "$root/etc/machine-id"
cat >"$root/etc/ssh/sshd_config.d/testbed.conf" <<'END'
PermitRootLogin prohibit-password
PasswordAuthentication no
UseDNS no
HostKey /etc/ssh/ssh_host_ed25519_key
MaxStartups 100
END
rm -rf "$root"/var/cache/apt/archives/*.deb "$root"/var/lib/apt/lists/*
