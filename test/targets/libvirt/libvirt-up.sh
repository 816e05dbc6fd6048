#!/bin/sh
# libvirt-up.sh FOLDER: a private libvirtd for tests, as root and without systemd, D-Bus, cgroups and helpers.
# It runs in the foreground and ends with its own pid's SIGTERM; its socket is FOLDER/run/libvirt-sock.
# Packages: libvirt-daemon libvirt-daemon-driver-qemu libvirt-clients qemu-system-x86
set -eu
base=$(realpath -m "$1")
mkdir -p "$base/etc" "$base/run" "$base/var" "$base/cache" "$base/log"
# Only places to mount over, in a mount namespace of its own.
mkdir -p /etc/libvirt /run/libvirt /var/lib/libvirt /var/cache/libvirt /var/log/libvirt
# The QEMU driver does not start without this user.
{ grep -v '^libvirt-qemu:' /etc/passwd; echo 'libvirt-qemu:x:64055:64055::/nonexistent:/usr/sbin/nologin'; } > "$base/passwd"
{ grep -v '^libvirt-qemu:' /etc/group; echo 'libvirt-qemu:x:64055:'; } > "$base/group"
cat > "$base/etc/libvirtd.conf" <<END
unix_sock_dir = "$base/run"
auth_unix_ro = "none"
auth_unix_rw = "none"
unix_sock_rw_perms = "0700"
log_outputs = "3:file:$base/libvirtd.log"
END
cat > "$base/etc/qemu.conf" <<END
user = "root"
group = "root"
security_driver = "none"
dynamic_ownership = 0
remember_owner = 0
cgroup_controllers = [ ]
namespaces = [ ]
stdio_handler = "file"
END
export base
exec unshare -m sh -c '
  mount --bind "$base/passwd" /etc/passwd
  mount --bind "$base/group" /etc/group
  mount --bind "$base/etc" /etc/libvirt
  mount --bind "$base/run" /run/libvirt
  mount --bind "$base/var" /var/lib/libvirt
  mount --bind "$base/cache" /var/cache/libvirt
  mount --bind "$base/log" /var/log/libvirt
  exec libvirtd -f "$base/etc/libvirtd.conf" -p "$base/libvirtd.pid"'
