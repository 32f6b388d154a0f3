# Run by test_service in a mount namespace of its own: install, crash, hand over the store's key, uninstall. One JSON
# line for each stage.
set -euo pipefail
manager="$1"
export HOME="$FOLDER/home" XDG_RUNTIME_DIR="$FOLDER/runtime" XDG_CONFIG_HOME="$FOLDER/home/.config"
export JARVIS_DATA_DIR="$DATA_DIR"
mkdir -p "$HOME" "$FOLDER/booted/system"
mkdir -p -m 700 "$XDG_RUNTIME_DIR"
mkdir -p /run/systemd
mount --make-rshared / # within this namespace: credentials are mounted by one process for another
mount --bind "$FOLDER/booted" /run/systemd
"$manager" --user --log-target=console >"$FOLDER/systemd.log" 2>&1 &
systemd=$!
trap 'systemctl --user stop "jarvis*" 2>/dev/null || true; kill "$systemd" 2>/dev/null || true' EXIT

jarvis() { "$PYTHON" -m jarvis_cli "$@" --json; }
until_true() {
  local until=$((SECONDS + 60))
  while [ "$SECONDS" -lt "$until" ]; do
    if "$@" >/dev/null 2>&1; then return; fi
    sleep 0.1
  done
  cat "$FOLDER/systemd.log" >&2
  echo "never became true: $*" >&2
  exit 1
}
pid() { jarvis service status | "$PYTHON" -c 'import json, sys; print(json.load(sys.stdin)["pid"] or "")'; }
another_pid() { [ -n "$(pid)" ] && [ "$(pid)" != "$1" ]; }

until_true systemctl --user list-units
jarvis service install --audio none >/dev/null
unit="$(jarvis service status | "$PYTHON" -c 'import json, sys; print(json.load(sys.stdin)["path"])')"
mkdir -p "$unit.d"
printf '[Service]\nRestartSec=100ms\n' >"$unit.d/quick.conf"
systemctl --user daemon-reload
until_true jarvis mute status
jarvis service status
first="$(pid)"
kill -9 "$first"
until_true another_pid "$first"
until_true jarvis mute status
jarvis service status
jarvis mute status
mv "$DATA_DIR/keys/store.key" "$FOLDER/stick.key"
jarvis service install --audio none --store-key "$FOLDER/stick.key" >/dev/null
until_true jarvis mute status
jarvis service status
jarvis service uninstall
