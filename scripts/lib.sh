# Shared by the shell scripts here: messages, colours, building. Source it; it sets WIRESIDE_TOP.
WIRESIDE_TOP=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)

# Colours only on a terminal, and not when NO_COLOR is set (no-color.org).
if [ -t 1 ] && [ -z "${NO_COLOR:-}" ]; then
  bold=$'\e[1m' dim=$'\e[2m' red=$'\e[31m' green=$'\e[32m' cyan=$'\e[36m' plain=$'\e[0m'
else
  bold='' dim='' red='' green='' cyan='' plain=''
fi

say() { printf '%s\n' "$*"; }
heading() { printf '\n%s== %s%s\n' "$bold" "$*" "$plain"; }
complain() { printf '%s: %s%s%s\n' "${0##*/}" "$red" "$*" "$plain" >&2; }
die() { complain "$@"; exit 1; }

# build PRESET TARGETS... : configures (extra cmake arguments in CONFIGURE_ARGS) and builds; one build per tree at a time.
build() {
  local preset=$1
  shift
  mkdir -p "$WIRESIDE_TOP/build" || return 1
  (
    flock 9
    cd "$WIRESIDE_TOP" || exit 1
    cmake --preset "$preset" "${CONFIGURE_ARGS[@]}" >"build/configure-$preset.log" 2>&1 \
      || { cat "build/configure-$preset.log" >&2; exit 1; }
    cmake --build --preset "$preset" --target "$@"
  ) 9>"$WIRESIDE_TOP/build/.lock"
}

export CCACHE_BASEDIR=${CCACHE_BASEDIR:-$WIRESIDE_TOP} CCACHE_NOHASHDIR=${CCACHE_NOHASHDIR:-1}
