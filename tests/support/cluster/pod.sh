#!/bin/sh
# Becomes a container's command, in its file system: pod.sh HOSTNAME ROOT [SOURCE TARGET ro|rw]... -- COMMAND...
# The machine's files stand for the image, read-only; a SOURCE that is a number is memory of so many bytes.
# Run in namespaces of its own, so that what it mounts goes with it.
set -eu
hostname "$1"
root=$2
shift 2
mount -t tmpfs image "$root"
for entry in /*; do
    if [ -L "$entry" ]; then
        cp -P "$entry" "$root/"
    elif [ -d "$entry" ]; then
        mkdir "$root$entry"
        [ "$entry" = /tmp ] || mount --rbind -o ro "$entry" "$root$entry"
    fi
done
while [ "$1" != -- ]; do
    [ ! -d "$1" ] || mkdir -p "$root$2"
    case $1 in
    /*) mount --bind -o "$3" "$1" "$root$2" ;;
    *) mkdir -p "$root$2" && mount -t tmpfs -o "size=$1" memory "$root$2" ;;
    esac
    shift 3
done
shift
mount -o remount,ro "$root"
exec chroot "$root" "$@"
