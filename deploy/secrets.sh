#!/usr/bin/env bash
# Writes .env beside this script, once: passwords that nobody else knows, for deploy/compose.yaml. One that is there
# stays, since what the volumes hold was made with it.
set -euo pipefail
umask 077
file=$(dirname "$0")/.env

hex() {
    od -An -v -N "$1" -t x1 /dev/urandom | tr -d ' \n'
}

if [ -e "$file" ]; then
    echo "secrets: $file is there already, and stays"
    exit
fi
cat >"$file.new" <<END
REDIS_PASSWORD=$(hex 24)
S3_ACCESS_KEY=AK$(hex 9 | tr a-f A-F)
S3_SECRET_KEY=$(hex 20)
WEBHOOK_SECRET=whsec_$(head -c 32 /dev/urandom | base64)
GRAFANA_PASSWORD=$(hex 12)
END
mv "$file.new" "$file"
echo "secrets: made $file; keep it, and out of version control"
