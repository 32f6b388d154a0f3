# Sourced by the other scripts: makes .venv at the repository's root, once for every state of pyproject.toml.
#
#   ensure_environment run     what `jarvis` needs
#   ensure_environment test    that, and the test tools
#
# Quick when nothing is to be done. Safe to start twice at once, to interrupt, and to start again.

ROOT="$(dirname "$(dirname "$(readlink -f "${BASH_SOURCE[0]}")")")"
VENV="$ROOT/.venv"
NEEDED_MIB=1500 # measured: 900 MiB installed, the rest while pip unpacks

say() { printf '%s\n' "$*" >&2; }
die() {
  say "$(basename "$0"): $1"
  exit "${2:-1}"
}

# The state an installation belongs to; the path too, since a moved .venv does not work.
wanted_stamp() { { cat "$ROOT/pyproject.toml" && printf '%s' "$ROOT"; } | sha256sum | cut -d' ' -f1; }

is_ready() { [ -x "$VENV/bin/python" ] && [ "$(cat "$VENV/.ready-$1" 2>/dev/null)" = "$2" ]; }

ensure_environment() {
  local purpose="$1" stamp
  stamp="$(wanted_stamp)"
  is_ready "$purpose" "$stamp" && return
  exec 9<"$ROOT" # the lock is on the directory itself: nothing to leave behind
  if ! flock -n 9; then
    say "Another set-up is under way; waiting for it."
    flock 9
  fi
  is_ready "$purpose" "$stamp" || install_environment "$purpose" "$stamp"
  exec 9<&-
}

install_environment() {
  local purpose="$1" stamp="$2" extras="voice,llm,knowledge" python free_mib
  [ "$purpose" = test ] && extras="voice,llm,knowledge,chroma,dev"
  [ -w "$ROOT" ] || die "$ROOT cannot be written, so .venv cannot be made there."
  if ! "$VENV/bin/python" -m pip --version >/dev/null 2>&1; then
    free_mib=$(($(df -Pk "$ROOT" | awk 'NR == 2 { print $4 }') / 1024))
    [ "$free_mib" -ge "$NEEDED_MIB" ] || die "No disk space: $ROOT has $free_mib MiB free, set-up needs $NEEDED_MIB MiB."
    python="$(find_python)"
    [ -n "$python" ] || die "No Python 3.11 or newer was found. Install it (Debian: apt-get install python3 python3-venv), or set PYTHON."
    "$python" -c 'import ensurepip, venv' 2>/dev/null ||
      die "$python has no venv module. Install it (Debian: apt-get install python3-venv)."
    say "Setting up .venv with $python: once, a minute or two, 900 MiB."
    rm -rf "$VENV"
    "$python" -m venv "$VENV" >&2 || die "$python could not make $VENV."
  else
    say "Bringing .venv up to date with pyproject.toml."
  fi
  rm -f "$VENV"/.ready-*
  watched "$VENV/install.log" "$VENV/bin/python" -m pip install --editable "$ROOT[$extras]" ||
    die "$(why_pip_failed "$VENV/install.log") (all of it: .venv/install.log)"
  [ "$purpose" = test ] && printf '%s' "$stamp" >"$VENV/.ready-test"
  printf '%s' "$stamp" >"$VENV/.ready-run"
}

# The first interpreter that is new enough. Each is run, since a name on the PATH may be a shim for nothing.
find_python() {
  local name
  for name in ${PYTHON:+"$PYTHON"} python3.11 python3.12 python3.13 python3; do
    if "$name" -c 'import sys; sys.exit(sys.version_info < (3, 11))' >/dev/null 2>&1; then
      printf '%s' "$name"
      return
    fi
  done
}

# Run a long command with its output in a file; on a terminal show the file's last line as it grows.
watched() {
  local log="$1" child
  shift
  "$@" >"$log" 2>&1 </dev/null & # keeps the lock: killed or not, nobody else installs while pip still writes
  child=$!
  # Bash starts background commands deaf to Ctrl-C, so it is passed on.
  trap 'kill "$child" 2>/dev/null; wait "$child" || true; exit 130' INT TERM
  if [ -t 2 ]; then
    while kill -0 "$child" 2>/dev/null; do
      printf '\r\033[K  %3ds  %.60s' "$SECONDS" "$(tail -n 1 "$log" | tr -d '\r')" >&2
      sleep 0.5
    done
    printf '\r\033[K' >&2
  fi
  wait "$child" || return 1
  trap - INT TERM
}

why_pip_failed() {
  local reason="pip could not install the packages" last
  if grep -qE 'NewConnectionError|NameResolutionError|ConnectTimeout|Network is unreachable' "$1"; then
    reason="No network: pip reached no package index"
  elif grep -q 'No space left on device' "$1"; then
    reason="No disk space for the packages in $ROOT or ${TMPDIR:-/tmp}"
  elif grep -q '(from versions: none)' "$1"; then
    reason="No network, or a package index without everything"
  fi
  last="$(grep -E '^ *ERROR: ' "$1" | tail -n 1 | sed 's/^ *//')"
  printf '%s. %s' "$reason" "${last:-$(tail -n 1 "$1")}"
}
