# What bare_debian.sh, booted_systemd.sh and image.sh share: a small Debian in a folder, made by debootstrap. Sourced by bash, as root.
# How this machine reaches Debian's packages and Python's (mirror, proxy, certificates, pip's settings) is read as it runs.
set -euo pipefail

die() {
    printf 'FAILED: %s\n' "$*" >&2
    exit 1
}

say() { printf '== %s\n' "$*" >&2; }

[ "$(id -u)" = 0 ] || die "run this as root"
for program in debootstrap unshare nsenter chroot; do
    command -v "$program" >/dev/null || die "$program is missing: apt-get install debootstrap util-linux"
done

# Everything runs in namespaces of its own: what is mounted or started here is gone when the script ends, however it ends.
# SMALL_DEBIAN_DIR names a folder for the systems, which is kept: a second run then saves the download.
if [ -z "${SMALL_DEBIAN_WORK:-}" ]; then
    mkdir -p "${SMALL_DEBIAN_DIR:=}" 2>/dev/null || true
    SMALL_DEBIAN_WORK=${SMALL_DEBIAN_DIR:-$(mktemp -d /var/tmp/muster-debian.XXXXXX)}
    export SMALL_DEBIAN_WORK
    status=0
    unshare --mount --pid --fork --kill-child --mount-proc bash "$0" "$@" || status=$?
    [ -n "$SMALL_DEBIAN_DIR" ] || rm -rf "$SMALL_DEBIAN_WORK"
    exit "$status"
fi
WORK=$SMALL_DEBIAN_WORK
TOP=$(cd "$(dirname "$0")/.." && pwd)

# make_system SUITE NAME: a new small Debian in $WORK/NAME with a user, muster.
make_system() {
    local base=$WORK/$1.base root=$WORK/$2 mirror
    if [ ! -e "$base.made" ]; then
        say "debootstrap $1"
        mirror=$(apt-get indextargets --format '$(SITE)' 2>/dev/null | grep -v security | head -n 1) || true
        rm -rf "$base"
        debootstrap --variant=minbase "$1" "$base" ${mirror:+"$mirror"} >"$WORK/$1.log" 2>&1 || die "debootstrap: $WORK/$1.log"
        apt-config dump | grep -E '^Acquire::(https?|Check|Retries|Force)' >"$base/etc/apt/apt.conf.d/90this-machine" || true
        touch "$base.made"
    fi
    rm -rf "$root"
    cp -a --reflink=auto "$base" "$root"
    chroot "$root" useradd --create-home --shell /bin/bash muster
    bring_network "$root"
}

# bring_network ROOT: names, certificates and pip's settings of this machine, and the folders that those name.
bring_network() {
    local root=$1 file folder
    cp -L /etc/resolv.conf /etc/hosts "$root/etc/"
    for file in "${PIP_CERT:-}" /etc/ssl/certs/ca-certificates.crt; do
        if [ -f "$file" ]; then install -m 644 "$file" "$root/etc/this-machine.crt" && break; fi
    done
    if [ -f /etc/pip.conf ]; then install -m 644 /etc/pip.conf "$root/etc/pip.conf"; fi
    if [ -f ~/.config/pip/pip.conf ]; then install -D -m 644 ~/.config/pip/pip.conf "$root/etc/xdg/pip/pip.conf"; fi
    for folder in ${PIP_FIND_LINKS:-} $(cat /etc/pip.conf ~/.config/pip/pip.conf 2>/dev/null | grep -oE 'file://[^ ]+'); do
        case $folder in file://*) folder=$(dirname "${folder#file://}") ;; esac
        if [ -d "$folder" ]; then
            mkdir -p "$root$folder"
            mount --bind --options ro "$folder" "$root$folder"
        fi
    done
}

# bring_checkout ROOT FOLDER: the files of this checkout as they are now, without .venv and data.
bring_checkout() {
    mkdir -p "$1$2"
    (cd "$TOP" && git ls-files -z --cached --others --exclude-standard | xargs -0 ls -d 2>/dev/null |
        tar --create --verbatim-files-from --files-from=-) | tar --extract --directory="$1$2" --no-same-owner
}

# within ROOT USER COMMAND...: run it there, with no setting of this machine except what apt and pip need to reach the network.
within() {
    local root=$1 user=$2 home=/root needed
    shift 2
    [ "$user" = root ] || home=/home/$user
    mapfile -t needed < <(env | grep -E '^(PIP_[A-Z_]+|https?_proxy|no_proxy|HTTPS?_PROXY|NO_PROXY)=')
    if [ -e "$root/etc/this-machine.crt" ]; then needed+=(PIP_CERT=/etc/this-machine.crt); fi
    chroot --userspec="$user:" "$root" env -i HOME="$home" USER="$user" PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin \
        DEBIAN_FRONTEND=noninteractive "${needed[@]}" "$@"
}
