#!/bin/bash
# Whether the units of packaging/systemd and the commands of docs/ do what docs/operations.md says, under a systemd that has really
# been booted.
#
#   tests/booted_systemd.sh [SUITE [package]]     as root, with debootstrap; SUITE is trixie by default, or bookworm
#
# With a checkout in /opt/muster, or with the wheel. Commands are taken out of the documents word by word. The units are checked by
# systemd-analyze, started, asked, killed, backed up and stopped, in a small Debian with a network of its own. SMALL_DEBIAN_DIR
# keeps the systems.
source "$(dirname "$0")/small_debian.sh"

SUITE=${1:-trixie}
FROM=${2:-checkout}
ROOT=$WORK/$SUITE-booted
CGROUPS=$WORK/cgroups
MOST_EXPOSED=3.0 # of 10, by systemd-analyze security; without any hardening it says 9.2

# commands DOCUMENT HEADING: the shell commands right under this heading, in which journalctl does not wait.
commands() {
    awk -v heading="$2" '
        $0 == heading { under = 1; next }
        under && !inside && /^#/ { exit }
        under && /^```sh/ { inside = 1; next }
        inside && /^```/ { inside = 0 }
        inside { print }' "$TOP/docs/$1"
}

# backup_commands: those that turn the nightly backup on.
backup_commands() { awk '/^```sh/ { block = "" ; inside = 1; next } inside && /^```/ { inside = 0; if (block ~ /muster-backup.timer/) printf "%s", block } inside { block = block $0 "\n" }' "$TOP/docs/operations.md"; }

boot() {
    mkdir -p "$CGROUPS"
    mount -t cgroup2 none "$CGROUPS"
    GROUP=$CGROUPS/muster-booted-$(date +%s%N)
    find "$CGROUPS" -depth -type d -path "$CGROUPS/muster-booted-*" -exec rmdir {} + 2>/dev/null || true # of earlier runs
    mkdir "$GROUP"
    bash -c 'echo $$ > "$1" && exec unshare --pid --fork --kill-child --cgroup --mount --uts --ipc --net bash -c "$3" "" "$2"' \
        '' "$GROUP/cgroup.procs" "$ROOT" '
            set -e
            mount --bind "$1" "$1" # a mount of its own, on which systemd insists
            mount -t proc proc "$1/proc"
            mount --bind "$1/proc/sys" "$1/proc/sys" && mount -o remount,ro,bind "$1/proc/sys"
            mount -t sysfs -o ro sysfs "$1/sys"
            mount -t cgroup2 none "$1/sys/fs/cgroup"
            mount -t tmpfs -o mode=755 tmpfs "$1/dev"
            for device in null:3 zero:5 full:7 random:8 urandom:9; do
                mknod -m 666 "$1/dev/${device%:*}" c 1 "${device#*:}"
            done
            mknod -m 666 "$1/dev/tty" c 5 0
            mkdir "$1/dev/shm" "$1/dev/pts"
            mount -t devpts -o newinstance,mode=620,ptmxmode=666 devpts "$1/dev/pts"
            ln -s pts/ptmx "$1/dev/ptmx"
            ln -s /proc/self/fd "$1/dev/fd"
            mount -t tmpfs -o mode=1777 tmpfs "$1/dev/shm"
            mount -t tmpfs -o mode=755 tmpfs "$1/run"
            exec chroot "$1" env -i container=other PATH=/usr/sbin:/usr/bin:/sbin:/bin \
                /lib/systemd/systemd --log-target=journal-or-kmsg --show-status=no' </dev/null >"$WORK/boot.log" 2>&1 &
    local parent=$! second
    for second in $(seq 120); do
        sleep 1
        INIT=$(tr -d ' ' <"/proc/$parent/task/$parent/children") || die "it did not boot: $WORK/boot.log"
        case $(booted systemctl is-system-running 2>/dev/null || true) in running | degraded) return ;; esac
    done
    die "it did not boot within $second s: $WORK/boot.log"
}

# booted COMMAND...: run it there, as root.
booted() { nsenter --target "$INIT" --mount --uts --ipc --net --pid --cgroup --root env -i --chdir=/ PATH=/usr/sbin:/usr/bin:/sbin:/bin "$@"; }

# until_it SECONDS WHAT COMMAND...: try it every half second.
until_it() {
    local end=$((SECONDS + $1)) what=$2
    shift 2
    while ! "$@" >/dev/null 2>&1; do
        [ "$SECONDS" -lt "$end" ] || { booted journalctl --no-pager --lines 40 >&2; die "not within its time: $what"; }
        sleep 0.5
    done
    say "$what"
}

show() { booted systemctl show --property "$2" --value "$1"; }
is_healthy() { booted /opt/muster/.venv/bin/python -c 'import urllib.request as u; u.urlopen("http://127.0.0.1:8000/healthz")'; }
web_process() {
    booted sh -c 'for p in /proc/[0-9]*; do if grep -q "webapp[.]server" $p/cmdline 2>/dev/null; then echo "${p#/proc/}"; exit; fi; done'
}
is_another_web() { is_healthy && [ "$(web_process)" != "$1" ]; }
is_up_again() { [ "$(show "$1" NRestarts)" -ge "$2" ] && is_healthy; }
is_state() { [ "$(show "$1" ActiveState)" = "$2" ]; }

make_system "$SUITE" "$SUITE-booted"
say "$SUITE: installing systemd, make, python3-venv"
within "$ROOT" root sh -c 'apt-get -qq update && apt-get -qq install -y --no-install-recommends systemd systemd-sysv make python3-venv' \
    >"$WORK/install.log" 2>&1 || die "apt-get: $WORK/install.log"
within "$ROOT" root userdel --remove muster 2>/dev/null
commands operations.md "## As a service" >"$ROOT/root/commands.sh"
mkdir -p "$ROOT/opt/muster"
case $FROM in
    checkout)
        bring_checkout "$ROOT" /opt/muster
        units=/opt/muster/packaging/systemd
        ;;
    package)
        make -s -C "$TOP" package DIST="$ROOT/root/dist" >&2 || die "make package"
        sed -i '/make venv/d' "$ROOT/root/commands.sh"
        { echo cd /root/dist && commands install.md "## A package" | sed -n '/^# pip,/,/no-deps/p'; } >"$ROOT/root/package.sh"
        units=/opt/muster/.venv/share/muster/systemd
        ;;
    *) die "checkout or package, not $FROM" ;;
esac
mount -t proc proc "$ROOT/proc"
say "$SUITE: the commands of the documents that need the network"
{ cat "$ROOT/root/package.sh" 2>/dev/null; sed -n '/^systemctl/q; p' "$ROOT/root/commands.sh"; } |
    within "$ROOT" root sh -eux >>"$WORK/install.log" 2>&1 || die "$WORK/install.log"
umount "$ROOT/proc"
cp "$ROOT$units"/* "$ROOT/etc/systemd/system/"
ls "$ROOT"/etc/systemd/system/muster*
install -m 600 /dev/null "$ROOT/etc/muster.env"

boot
say "booted: $(booted systemctl --version | sed -n 1p)"
failed=$(booted systemctl --failed --plain --no-legend || true)
[ -z "$failed" ] || say "failed before Muster was there: $failed"

booted sh -c 'systemd-analyze verify --man=no /etc/systemd/system/muster*' || die "systemd-analyze verify"
say "verified: $(cd "$ROOT/etc/systemd/system" && echo muster*)"

sed -n '/^systemctl/,$p' "$ROOT/root/commands.sh" | sed 's/^journalctl/& --no-pager/' | booted sh -eux || die "the commands of the document"
until_it 120 "started, and healthy" is_healthy
for unit in muster.service muster-web.service muster-worker@1.service muster-backup.service; do
    exposed=$(booted systemd-analyze security --no-pager "$unit" | sed -n 's/.*exposure level for .*: \([0-9.]*\) .*/\1/p')
    say "$unit: exposure $exposed"
    awk -v is="$exposed" -v most="$MOST_EXPOSED" 'BEGIN { exit !(is != "" && is <= most) }' || die "$unit is exposed by more than $MOST_EXPOSED"
done

# Nothing of the program can be changed by the service; the data are for it alone.
booted sh -c 'test -z "$(find /opt/muster -user muster -print -quit)"' || die "the service owns something in /opt/muster"
[ "$(booted stat -c '%U %a' /var/lib/muster)" = "muster 700" ] || die "/var/lib/muster is open to others"

say "a backup, and the timer"
backup_commands | booted sh -eux || { booted journalctl --no-pager -u muster-backup >&2; die "muster-backup.service"; }
booted sh -c 'ls -l /var/backups/muster/*.tar.gz' >&2 || die "there is no backup"
[ "$(booted stat -c '%U %a' /var/backups/muster)" = "muster 700" ] || die "/var/backups/muster is open to others"
booted systemctl is-active muster-backup.timer || die "nothing starts the backup at night"
booted sh -c 'cd /opt/muster && MUSTER_DATA_DIR=/var/lib/muster setpriv --reuid=muster --regid=muster --clear-groups \
    .venv/bin/muster doctor' >"$WORK/doctor.log" 2>&1 || true
grep -E 'backup' "$WORK/doctor.log" >&2 || die "the doctor says nothing of backups: $WORK/doctor.log"

say "kill -9 of the web server, then of the supervisor"
main=$(show muster MainPID)
web=$(web_process)
booted sh -c "kill -9 $web"
until_it 60 "the web server is back" is_another_web "$web"
[ "$(show muster MainPID)" = "$main" ] || die "the supervisor was started again, though the web server alone was killed"
booted sh -c "kill -9 $main"
until_it 120 "all of it is back" is_up_again muster 1

say "stop"
began=$SECONDS
booted systemctl stop muster
[ "$((SECONDS - began))" -le 12 ] || die "it took $((SECONDS - began)) s to stop"
[ "$(show muster Result) $(show muster ActiveState)" = "success inactive" ] || die "the stop: $(show muster Result), $(show muster ActiveState)"
booted journalctl --no-pager -u muster -o cat | tail -n 3 >&2

say "a wrong setting: it stays down"
echo MUSTER_WORKER=3 >"$ROOT/etc/muster.env"
booted systemctl start muster || true
until_it 60 "it gave up" is_state muster failed
sleep 8
is_state muster failed && [ "$(show muster NRestarts)" = 0 ] || die "a wrong setting is tried again and again"
booted journalctl --no-pager -u muster -o cat --lines 4 >&2
: >"$ROOT/etc/muster.env"

say "the parts, as on several machines"
echo 'MUSTER_WORKERS=1' >"$ROOT/etc/muster.env"
booted sh -c 'systemctl reset-failed muster; systemctl enable muster-web muster-worker@1' || die "they cannot be enabled"
echo 'MUSTER_REDIS_URL=unix:///var/lib/muster/queue.sock' >>"$ROOT/etc/muster.env"
valkey='from webapp.run.valkey import find_server; print(find_server())'
booted sh -c "cd /opt/muster && systemd-run --quiet --unit=queue --uid=muster -- \"\$(.venv/bin/python -c '$valkey')\" --port 0 \
    --unixsocket /var/lib/muster/queue.sock --save ''" || die "the queue server"
booted systemctl start muster-web muster-worker@1 || die "they cannot be started"
until_it 120 "web and worker are well, each by its own unit" is_healthy
booted systemctl stop muster-web muster-worker@1 queue
for unit in muster-web muster-worker@1; do [ "$(show "$unit" Result)" = success ] || die "$unit: $(show "$unit" Result)"; done
booted systemctl poweroff || true
say "All is well."
