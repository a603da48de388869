#!/bin/bash
# Whether `make run`, `make test` and `make test-postgres` work where nothing is installed but make and python3-venv.
#
#   tests/bare_debian.sh [--whole] [SUITE...]     as root, with debootstrap; SUITE is bookworm or trixie, both by default
#
# For each suite, in a new small Debian: as root; as an ordinary user, who is told what to install; and as that user once it is
# installed. --whole runs all tests, not a few of them. WHO="root user" leaves cases out; SMALL_DEBIAN_DIR keeps the systems.
source "$(dirname "$0")/small_debian.sh"

A_FEW="tests/run/test_refusals.py tests/run/test_supervisor.py tests/run/test_logs.py tests/run/test_chromium.py tests/core/files/test_workbooks.py
    tests/core/test_config.py tests/test_mail.py tests/services/operations/test_backups.py tests/browser/test_first_run.py"
A_FEW_ON_POSTGRES="tests/services/directory/test_groups.py"
if [ "${1:-}" = --whole ]; then
    shift
    A_FEW=""
    A_FEW_ON_POSTGRES=""
fi

# check SUITE CASE: CASE is root, user or user-with-browser.
check() {
    local suite=$1 case=$2 root=$WORK/$1-$2 log=$WORK/$1-$2.log user=muster status=0
    if [ "$case" = root ]; then user=root; fi
    make_system "$suite" "$suite-$case"
    mount -t proc proc "$root/proc"
    mount --rbind /sys "$root/sys"
    mount --rbind /dev "$root/dev"
    mount -t tmpfs -o mode=1777 tmpfs "$root/dev/shm"
    bring_checkout "$root" /home/muster/muster
    if [ "$user" = muster ]; then chroot "$root" chown -R muster: /home/muster; fi

    say "$suite, $case: apt-get install make python3-venv"
    within "$root" root sh -c 'apt-get -qq update && apt-get -qq install -y --no-install-recommends make python3-venv' >"$log" 2>&1 ||
        die "apt-get: $log"
    if [ "$case" = user-with-browser ]; then
        within "$root" root apt-get -qq install -y --no-install-recommends chromium libatomic1 >>"$log" 2>&1 || die "apt-get: $log"
    fi

    say "$suite, $case: make run"
    within "$root" "$user" bash -c '
        cd /home/muster/muster
        make run & run=$!
        for second in $(seq 600); do
            sleep 1
            kill -0 $run || exit 1
            if .venv/bin/python -c "import urllib.request as u; u.urlopen(\"http://127.0.0.1:8000/healthz\")" 2>/dev/null; then break; fi
        done
        kill -TERM $run
        wait $run
        [ "$second" -lt 600 ]' >>"$log" 2>&1 || die "make run: $log"

    say "$suite, $case: make test"
    within "$root" "$user" make -C /home/muster/muster test TESTS="$(echo $A_FEW)" >>"$log" 2>&1 || status=$?
    tail -n 1 "$log" >&2
    grep -E '[0-9]+ passed' "$log" | tail -n 1 >&2
    if grep -E '[0-9]+ (failed|error)' "$log" >&2; then die "tests failed: $log"; fi
    if [ "$case" = user ]; then
        grep 'were not run.*as root, .apt-get install chromium libatomic1' "$log" >/dev/null || die "no word about the browser: $log"
        [ "$status" != 0 ] || die "it ended with 0 although the browser tests were not run: $log"
    else
        [ "$status" = 0 ] || die "it ended with $status: $log"
    fi
    say "$suite, $case: make test-postgres"
    within "$root" "$user" make -C /home/muster/muster test-postgres TESTS="$A_FEW_ON_POSTGRES" >>"$log" 2>&1 || die "test-postgres: $log"
    say "$suite, $case: ok"
}

for suite in "${@:-bookworm trixie}"; do
    for each in $suite; do
        for case in ${WHO:-root user user-with-browser}; do check "$each" "$case"; done
    done
done
say "All is well."
