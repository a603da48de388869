#!/bin/bash
# Whether the Dockerfile gives an image that runs as compose.yaml runs it, and imports files.
#
#   tests/image.sh [SUITE]     as root, with buildah and debootstrap; SUITE is trixie by default, or bookworm
#
# In place of the public Python image the base is a small Debian. The image is started as its user, with no capability, on a root
# that cannot be written to, with /tmp in memory. SMALL_DEBIAN_DIR keeps the systems.
source "$(dirname "$0")/small_debian.sh"

SUITE=${1:-trixie}
BASE=$WORK/$SUITE-python
IMAGE=$WORK/image
PYTHON=${PYTHON:-$TOP/.venv/bin/python}
command -v buildah >/dev/null || die "buildah is missing: apt-get install buildah"

buildah_() { buildah --root "$WORK/storage" --runroot "$WORK/runroot" --storage-driver vfs "$@"; }

# facts FORMAT: what the image says of itself.
facts() { buildah_ inspect --type image --format "$1" muster; }

make_system "$SUITE" "$SUITE-python"
say "$SUITE: a base with Python"
within "$BASE" root sh -c 'apt-get -qq update && apt-get -qq install -y --no-install-recommends python3 python3-venv && apt-get clean' \
    >"$WORK/image.log" 2>&1 || die "apt-get: $WORK/image.log"
awk -v root="$BASE/" 'index($2, root) == 1 { print $2 }' /proc/self/mounts | xargs --no-run-if-empty umount # folders of this machine
tar --create --directory="$BASE" --file="$WORK/base.tar" .
rm -rf "$WORK/storage" "$WORK/runroot"
base=$(buildah_ from scratch)
buildah_ add --quiet "$base" "$WORK/base.tar" / >>"$WORK/image.log"
buildah_ commit --quiet --rm "$base" muster-base >>"$WORK/image.log" 2>&1

say "building the image"
network=()
if [ -e "$BASE/etc/this-machine.crt" ]; then
    printf '[global]\ncert=/etc/this-machine.crt\n' >"$WORK/pip.conf"
    network=(--volume "$WORK/pip.conf:/etc/pip.conf:ro")
fi
buildah_ build --isolation chroot --format docker --build-arg BASE=localhost/muster-base "${network[@]}" --tag muster "$TOP" \
    >>"$WORK/image.log" 2>&1 || die "buildah: $WORK/image.log"
[ "$(facts '{{.Docker.Config.User}}')" = 10001:10001 ] || die "it does not say whom it runs as"

say "starting it"
container=$(buildah_ from muster)
folder=$(buildah_ mount "$container")
port=$("$PYTHON" -c 'import socket; s = socket.create_server(("127.0.0.1", 0)); print(s.getsockname()[1])')
url=http://127.0.0.1:$port
rm -rf "$WORK/data" "$WORK/backups" "$WORK/restored"
install -d -o 10001 -g 10001 -m 700 "$WORK/data" "$WORK/backups" "$WORK/restored"
mkdir -p "$IMAGE"
mount --bind "$folder" "$IMAGE"
mount -o remount,ro,bind "$IMAGE"
mount --bind "$WORK/data" "$IMAGE/data"
mount --bind "$WORK/backups" "$IMAGE/backups"
mount -t tmpfs -o mode=1777 tmpfs "$IMAGE/tmp"
mount -t proc proc "$IMAGE/proc"
mount --rbind /dev "$IMAGE/dev"
settings=(MUSTER_PORT="$port" MUSTER_PUBLIC_URL="$url")
settings+=(MUSTER_OWNER_EMAIL=maren.okafor@northfield.example MUSTER_OWNER_PASSWORD="correct horse battery")
mapfile -t environment < <(facts '{{range .Docker.Config.Env}}{{println .}}{{end}}' | grep .)

# inside COMMAND...: run it as a container engine does. There is no capability left, and none can be had.
inside() {
    chroot "$IMAGE" env -i "${environment[@]}" "${settings[@]}" setpriv --reuid=10001 --regid=10001 --clear-groups \
        --bounding-set=-all --inh-caps=-all --no-new-privs "$@"
}

mapfile -t command < <(facts '{{range .Docker.Config.Entrypoint}}{{println .}}{{end}}{{range .Docker.Config.Cmd}}{{println .}}{{end}}' | grep .)
inside "${command[@]}" >"$WORK/muster.log" 2>&1 &
muster=$!
mapfile -t check < <(facts '{{range .Docker.Config.Healthcheck.Test}}{{println .}}{{end}}' | grep .)
[ "${check[0]}" = CMD ] || die "no health check"
for second in $(seq 120); do
    if inside "${check[@]:1}" 2>/dev/null; then break; fi
    kill -0 $muster 2>/dev/null || { tail "$WORK/muster.log" >&2; die "it ended"; }
    [ "$second" -lt 120 ] || die "not healthy: $WORK/muster.log"
    sleep 1
done
say "healthy, by its own check"
inside muster --version >&2
inside sh -c 'touch /opt/muster/x || touch /x' 2>/dev/null && die "the program can be written to"
for process in $(pgrep --uid 10001); do
    grep -q 'CapBnd:[[:space:]]*0*$' "/proc/$process/status" || die "process $process has capabilities"
done
(cd "$TOP" && MUSTER_DATA_DIR=$(mktemp -d) "$PYTHON" -m tests.person "$url") >&2 || die "no file could be imported: $WORK/muster.log"
inside muster doctor | tee -a "$WORK/image.log" | grep '^wrong' && die "the doctor is not content"

inside muster backup /backups/first.tar.gz >&2

say "stopping it"
kill -TERM "$(pgrep --oldest --uid 10001)"
wait $muster || die "it did not stop well: $WORK/muster.log"
grep -q Traceback "$WORK/muster.log" && die "a traceback: $WORK/muster.log"

say "putting the backup back"
mount --bind "$WORK/restored" "$IMAGE/data"
inside muster restore /backups/first.tar.gz >&2
inside muster audit verify >&2

say "without an address it says what is missing"
settings=()
said=$(inside muster run 2>&1) && die "it started without an address"
case $said in *MUSTER_PUBLIC_URL*) say "$said" ;; *) die "$said" ;; esac
say "All is well."
