# Sourced by ./run and ./test with $root set. Plain sh, and cheap: the usual start only compares one stamp.
# shellcheck shell=sh
# shellcheck disable=SC2154  # root is set by the caller

venv="$root/.venv"

# Some machines set it. Then every process (each plugin call is one) would compile all our sources anew.
unset PYTHONDONTWRITEBYTECODE

# ensure_environment run|dev: the virtual environment in $venv has the packages that are asked for.
ensure_environment() {
  stamp=$(environment_stamp "$1")
  if [ -x "$venv/bin/python" ] && [ "$(cat "$venv/.video-manager/$1" 2>/dev/null)" = "$stamp" ]; then
    return 0
  fi
  python=$(find_python) || exit 1
  "$python" "$root/scripts/environment.py" "$1" "$stamp" || exit 1
}

# What the environment was made from. The folder belongs to it: a virtual environment cannot be moved.
environment_stamp() {
  case $1 in dev) set -- requirements-dev.txt ;; *) set -- ;; esac
  echo "$root" "$(cd "$root" && sha256sum requirements-setup.txt requirements.txt "$@" pyproject.toml | tr -d '\n')"
}

# The newest Python that really runs (a pyenv shim may not), first among those that can make environments themselves.
find_python() {
  if [ -n "${PYTHON-}" ]; then set -- "$PYTHON"; else set -- python3.14 python3.13 python3.12 python3.11 python3 python; fi
  for needed in 'import ssl, sqlite3, venv, ensurepip' 'import ssl, sqlite3'; do
    for name in "$@"; do
      found=$(command -v "$name") || continue
      if "$found" -c "import sys; sys.version_info < (3, 11) and sys.exit(1); $needed" >/dev/null 2>&1; then
        echo "$found"
        return 0
      fi
    done
  done
  {
    echo "video-manager needs Python 3.11 or newer (with its ssl and sqlite3 modules), and none was found as: $*"
    echo "Install one, then start again:"
    echo "  Debian, Ubuntu:  sudo apt-get install python3 python3-venv   (Debian 12, Ubuntu 23.04 or newer)"
    echo "  Fedora, RHEL:    sudo dnf install python3.12 python3.12-pip"
    echo "  openSUSE:        sudo zypper install python312 python312-pip"
    echo "  Arch:            sudo pacman -S python"
    echo "A Python elsewhere can be named: PYTHON=/path/to/python3.12 ./run"
  } >&2
  return 1
}
