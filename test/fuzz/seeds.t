#!/bin/sh
# Each fuzz target over its seeds: what a fuzzer found once is tried with every build.
. "$(dirname "$0")/../lib.sh"

# replays NAME: every seed keeps the properties, and there are some
replays() {
	"$MR_BUILD/replay/$1" "$T_ROOT/test/fuzz/seed/$1"
}

for target in "$T_ROOT"/test/fuzz/*.c; do
	name=$(basename "$target" .c)
	[ "$name" = replay ] || ok "$name keeps its properties over its seeds" replays "$name"
done
done_testing
